// SPDX-License-Identifier: GPL-3.0-or-later
// The picture with everything around it: modes above, legend, opacity and zoom below.
#pragma once

#include <QSlider>
#include <QWidget>

#include "views/inspect/inspect_model.h"
#include "views/overlay/expert_legend.h"
#include "views/overlay/overlay_widget.h"
#include "views/widgets/controls.h"
#include "views/widgets/empty_state.h"
#include "views/widgets/segmented_control.h"

namespace es::views {

/// Keeps the legend right below the picture, whatever room there is. GUI thread only.
class OverlayColumn : public QWidget {
    Q_OBJECT
public:
    explicit OverlayColumn(InspectModel* model, QWidget* parent = nullptr);
    /// Shows a panel of the model; one without patches shows the picture alone.
    void setPanel(const analysis::OverlayPanel& panel, bool routed);
    void followChoice();
    [[nodiscard]] OverlayWidget* overlay() const { return overlay_; }
    [[nodiscard]] ExpertLegend* legend() const { return legend_; }
    [[nodiscard]] SegmentedControl* modes() const { return modes_; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {270, 260}; }

protected:
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    void arrange();
    void followZoom();
    InspectModel* model_;
    SegmentedControl* modes_;
    OverlayWidget* overlay_;
    EmptyState* nothing_;
    ExpertLegend* legend_;
    QWidget* foot_;
    QSlider* opacity_;
    QLabel* zoom_;
};

}  // namespace es::views
