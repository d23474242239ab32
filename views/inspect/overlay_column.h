// SPDX-License-Identifier: GPL-3.0-or-later
// The picture with everything around it: legend, opacity and zoom below. Side by side, what it is compared with is at its left.
#pragma once

#include <QLabel>
#include <QSlider>
#include <QWidget>

#include "views/inspect/inspect_model.h"
#include "views/overlay/expert_legend.h"
#include "views/overlay/overlay_widget.h"
#include "views/widgets/controls.h"
#include "views/widgets/empty_state.h"

namespace es::views {

/// Keeps the legend right below the picture, whatever room there is. GUI thread only.
class OverlayColumn : public QWidget {
    Q_OBJECT
public:
    explicit OverlayColumn(InspectModel* model, QWidget* parent = nullptr);
    /// Shows a panel of the model; one without patches shows the picture alone.
    void setPanel(const analysis::OverlayPanel& panel, bool routed);
    /// What the picture is compared with, drawn at its left; null: the picture alone. The names stand above both.
    void setBefore(const analysis::OverlayPanel* panel, const QString& before_name, const QString& now_name);
    void followChoice();
    [[nodiscard]] OverlayWidget* overlay() const { return overlay_; }
    [[nodiscard]] ExpertLegend* legend() const { return legend_; }
    [[nodiscard]] OverlayWidget* before() const { return before_; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {270, 260}; }

protected:
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    void arrange();
    void followZoom();
    void prepare(OverlayWidget* overlay);
    [[nodiscard]] QString readout(const analysis::SampleRouting* routing, int patch) const;
    InspectModel* model_;
    OverlayWidget *overlay_, *before_;
    QLabel *now_name_, *before_name_;
    EmptyState* nothing_;
    ExpertLegend* legend_;
    QWidget* foot_;
    QSlider* opacity_;
    QLabel* zoom_;
};

}  // namespace es::views
