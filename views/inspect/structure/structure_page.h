// SPDX-License-Identifier: GPL-3.0-or-later
// Where the whole probe goes: experts by layer, flow from layer to layer, paths, who is active together and who is alike, and what experts are for.
#pragma once

#include <QSplitter>
#include <memory>

#include "analysis/figures/structure_panels.h"
#include "views/inspect/inspect_model.h"
#include "views/inspect/inspect_part.h"
#include "views/models/latest_job.h"
#include "views/plots/plot_panel.h"
#include "views/widgets/choice_box.h"
#include "views/widgets/segmented_control.h"

namespace es::views {

/// Two of the choices of "Experts"; the others are measures of likeness, by their own names.
inline const QString kPairsTogether = QStringLiteral("coactivation"), kPairsOfRouters = QStringLiteral("routers");

/// Reads nothing for panels that nobody sees. Clicking an expert anywhere selects it for the whole window. GUI thread only.
class StructurePage : public InspectPart {
    Q_OBJECT
public:
    explicit StructurePage(InspectModel* model, QWidget* parent = nullptr);
    [[nodiscard]] bool settled() const override;
    [[nodiscard]] QJsonArray dump() const override;
    [[nodiscard]] std::vector<PaletteEntry> paletteEntries() override;
    [[nodiscard]] QJsonObject saveState() const override;
    void restoreState(const QJsonObject& state) override;
    [[nodiscard]] PlotPanel* map() const { return map_; }
    [[nodiscard]] PlotPanel* flow() const { return flow_; }
    [[nodiscard]] PlotPanel* pairs() const { return pairs_; }
    [[nodiscard]] PlotPanel* labels() const { return labels_; }
    [[nodiscard]] PlotPanel* paths() const { return paths_; }

protected:
    void showEvent(QShowEvent* event) override;

private:
    struct FlowAnswer {
        std::shared_ptr<const analysis::RoutingPaths> paths;
        std::shared_ptr<const analysis::Panel> flow, table;
    };
    struct LabelAnswer {
        std::shared_ptr<const std::vector<analysis::Specialisation>> rows;
        std::shared_ptr<const analysis::Panel> table, preferences;
    };
    void makePanels();
    void connectPlots();
    void follow();           ///< the run, its step or the selection changed
    void followSelection();  ///< marks the selected expert
    [[nodiscard]] bool explainAbsence();
    void forget();  ///< nothing that was asked for is wanted any longer, and what was found is of another run
    /// It is on screen, here or in a window of its own.
    [[nodiscard]] bool watched(const PlotPanel* panel) const { return isVisible() || panel->detached(); }
    void readMap();
    void readFlow();
    void readPairs();
    void readLabels();
    void showLabels();
    void showAbsence(PlotPanel* panel, const Error& error);
    void readPairKinds();  ///< which similarities the run keeps
    void fillPairKinds(const std::vector<std::string>& measures);
    void tellQueries();
    void choose(RouterId router, int expert);
    [[nodiscard]] QString runKey() const;  ///< what the shown panels depend on: run, step, probes
    [[nodiscard]] Modality modality() const { return modality_->value() == QStringLiteral("text") ? Modality::kText : Modality::kVision; }
    [[nodiscard]] analysis::FlowOptions flowOptions() const;
    [[nodiscard]] std::vector<store::RouterInfo> mapRouters() const;

    InspectModel* model_;
    PlotPanel *map_, *flow_, *pairs_, *labels_, *paths_;
    SegmentedControl *modality_, *label_view_;
    ChoiceBox* pair_kind_;
    QSplitter *rows_, *upper_, *lower_;
    LatestJob<analysis::Panel> map_job_, pair_job_;
    LatestJob<std::vector<std::string>> kinds_job_;
    LatestJob<FlowAnswer> flow_job_;
    LatestJob<LabelAnswer> label_job_;
    QString map_key_, pair_key_, kinds_key_, flow_key_, label_key_;
    FlowAnswer flow_answer_;
    LabelAnswer label_answer_;
    bool modality_chosen_ = false, pairs_chosen_ = false;
};

}  // namespace es::views
