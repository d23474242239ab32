// SPDX-License-Identifier: GPL-3.0-or-later
// The page "Sheet": the same layer and expert on many samples.
#pragma once

#include "views/inspect/inspect_model.h"
#include "views/inspect/inspect_part.h"
#include "views/inspect/sheet/sheet_grid.h"
#include "views/models/latest_job.h"
#include "views/overlay/expert_legend.h"
#include "views/widgets/choice_box.h"
#include "views/widgets/panel_frame.h"
#include "views/widgets/segmented_control.h"

namespace es::views {

/// Reads only while it is to be seen. GUI thread only.
class SheetPage : public InspectPart {
    Q_OBJECT
public:
    explicit SheetPage(InspectModel* model, QWidget* parent = nullptr);
    [[nodiscard]] bool settled() const override { return !active() || job_.idle(); }
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
        std::uint64_t set = 0;  ///< fingerprint of the chosen set; 0: everything
        bool operator==(const Wanted&) const = default;
    };
    [[nodiscard]] Wanted wantedNow() const;
    void refresh();
    void ask();
    void forget();  ///< there is nothing to gather: what was asked for is not wanted any longer
    void take(Result<analysis::ContactSheet> sheet);
    void follow();
    void showLegend();
    [[nodiscard]] bool soft() const;  ///< routing that gives every expert a share of every token
    InspectModel* model_;
    PanelFrame* frame_;
    SegmentedControl *orders_, *modes_, *sizes_;
    ChoiceBox* counts_;
    IconButton* again_;
    SheetGrid* grid_;
    ExpertLegend* legend_;
    LatestJob<analysis::ContactSheet> job_;
    Wanted wanted_;
    quint64 draw_ = 0;
};

}  // namespace es::views
