// SPDX-License-Identifier: GPL-3.0-or-later
// The page "Sheet": the same layer and expert on many samples.
#pragma once

#include "views/inspect/inspect_model.h"
#include "views/inspect/inspect_part.h"
#include "views/inspect/sheet/sheet_grid.h"
#include "views/models/latest_job.h"
#include "views/widgets/choice_box.h"
#include "views/widgets/panel_frame.h"
#include "views/widgets/segmented_control.h"

namespace es::views {

/// Reads only while it is on screen. GUI thread only.
class SheetPage : public InspectPart {
    Q_OBJECT
public:
    explicit SheetPage(InspectModel* model, QWidget* parent = nullptr);
    [[nodiscard]] bool settled() const override { return !isVisible() || job_.idle(); }
    [[nodiscard]] QJsonArray dump() const override;
    [[nodiscard]] QJsonObject saveState() const override;
    void restoreState(const QJsonObject& state) override;
    [[nodiscard]] SheetGrid* grid() const { return grid_; }

Q_SIGNALS:
    void sampleOpened(quint64 sample);

protected:
    void showEvent(QShowEvent* event) override;

private:
    /// What the sheet on screen was made of.
    struct Wanted {
        QString run;
        std::int32_t router = -1, expert = -1;
        analysis::OverlayMode mode = analysis::OverlayMode::kExpert;
        int rank = 0;
        std::int64_t step = -1;
        std::size_t probes = 0;
        QString order, count;
        quint64 draw = 0;
        std::vector<std::uint64_t> samples;
        bool operator==(const Wanted&) const = default;
    };
    [[nodiscard]] Wanted wantedNow() const;
    void refresh();
    void ask();
    void take(Result<analysis::ContactSheet> sheet);
    void follow();
    InspectModel* model_;
    PanelFrame* frame_;
    SegmentedControl *orders_, *modes_, *sizes_;
    ChoiceBox* counts_;
    IconButton* again_;
    SheetGrid* grid_;
    LatestJob<analysis::ContactSheet> job_;
    Wanted wanted_;
    quint64 draw_ = 0;
};

}  // namespace es::views
