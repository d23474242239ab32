// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/structure/structure_page.h"

#include <QVBoxLayout>
#include <algorithm>

#include "views/inspect/token_words.h"
#include "views/widgets/splitter_sizes.h"

namespace es::views {
namespace {

std::string routerKey(const store::RouterInfo& router) { return std::to_string(router.layer.value) + "." + std::string(toString(router.branch)); }

std::shared_ptr<const analysis::Panel> shared(analysis::Panel panel) { return std::make_shared<const analysis::Panel>(std::move(panel)); }

}  // namespace

StructurePage::StructurePage(InspectModel* model, QWidget* parent)
    : InspectPart(parent), model_(model), map_job_(model->context().jobs, this, QStringLiteral("map"), tr("Reading where the probe goes"),
                                                   [this](Result<analysis::Panel> panel) {
                                                       if (!panel) return showAbsence(map_, panel.error());
                                                       map_->showPanel(shared(std::move(*panel)));
                                                       followSelection();
                                                   }),
      pair_job_(model->context().jobs, this, QStringLiteral("pairs"), tr("Comparing experts"),
                [this](Result<analysis::Panel> panel) {
                    if (!panel) return showAbsence(pairs_, panel.error());
                    pairs_->showPanel(shared(std::move(*panel)));
                    followSelection();
                }),
      kinds_job_(model->context().jobs, this, QStringLiteral("kinds"), tr("Reading what was measured of the experts"),
                 [this](Result<std::vector<std::string>> measures) {
                     fillPairKinds(measures ? *measures : std::vector<std::string>{"probabilities"});
                     // A similarity that this router has not been measured for gives way to one that it has.
                     readPairs();
                     tellQueries();
                 }),
      flow_job_(model->context().jobs, this, QStringLiteral("flow"), tr("Following tokens through the layers"),
                [this](Result<FlowAnswer> answer) {
                    if (!answer) {
                        flow_answer_ = {};
                        showAbsence(flow_, answer.error());
                        return showAbsence(paths_, answer.error());
                    }
                    flow_answer_ = std::move(*answer);
                    flow_->showPanel(flow_answer_.flow);
                    paths_->showPanel(flow_answer_.table);
                    followSelection();
                }),
      label_job_(model->context().jobs, this, QStringLiteral("labels"), tr("Measuring specialisation"), [this](Result<LabelAnswer> answer) {
          if (!answer) {
              label_answer_ = {};
              return showAbsence(labels_, answer.error());
          }
          label_answer_ = std::move(*answer);
          showLabels();
      }) {
    setObjectName(QStringLiteral("structurePage"));
    makePanels();
    connectPlots();
    connect(model_, &InspectModel::runChanged, this, &StructurePage::follow);
    connect(model_, &InspectModel::sampleChanged, this, &StructurePage::follow);
    connect(model_, &InspectModel::choiceChanged, this, &StructurePage::follow);
    connect(model_, &InspectModel::chosenSetChanged, this, &StructurePage::follow);
    followDetached([this] { follow(); });
    (void)explainAbsence();
}

void StructurePage::makePanels() {
    Theme* theme = model_->context().theme;
    const auto splitter = [&](Qt::Orientation orientation) {
        auto* made = new QSplitter(orientation, this);
        made->setHandleWidth(theme->metrics().gutter);
        made->setChildrenCollapsible(false);
        return made;
    };
    rows_ = splitter(Qt::Vertical);
    upper_ = splitter(Qt::Horizontal);
    lower_ = splitter(Qt::Horizontal);
    map_ = new PlotPanel(theme, QStringLiteral("probe_expert_map"), tr("Layer × expert"), upper_);
    flow_ = new PlotPanel(theme, QStringLiteral("path_flow"), tr("Flow between layers"), upper_);
    pairs_ = new PlotPanel(theme, QStringLiteral("pairs"), tr("Experts together"), upper_);
    labels_ = new PlotPanel(theme, QStringLiteral("specialisation"), tr("Specialisation"), lower_);
    paths_ = new PlotPanel(theme, QStringLiteral("paths"), tr("Paths"), lower_);
    pairs_->keepTitle(true);
    modality_ = new SegmentedControl(theme, flow_);
    modality_->setObjectName(QStringLiteral("flowModality"));
    modality_->setAccessibleName(tr("Tokens that are followed"));
    modality_->setCompact(true);
    modality_->setChoices({tr("Patches"), tr("Words")}, {QStringLiteral("vision"), QStringLiteral("text")});
    flow_->addHeaderWidget(modality_);
    pair_kind_ = new ChoiceBox(tr("What is compared"), true, pairs_);
    pair_kind_->setObjectName(QStringLiteral("pairKind"));
    pairs_->addHeaderWidget(pair_kind_);
    pairs_->hideContext();
    label_view_ = new SegmentedControl(theme, labels_);
    label_view_->setObjectName(QStringLiteral("labelView"));
    label_view_->setAccessibleName(tr("Routers and labels, or experts and what they take"));
    label_view_->setCompact(true);
    label_view_->setChoices({tr("Routers"), tr("Experts")}, {QStringLiteral("routers"), QStringLiteral("experts")});
    labels_->addHeaderWidget(label_view_);
    for (PlotPanel* panel : {map_, flow_, pairs_}) upper_->addWidget(panel);
    for (PlotPanel* panel : {labels_, paths_}) lower_->addWidget(panel);
    for (PlotPanel* panel : {map_, flow_, pairs_, labels_, paths_}) panel->setMinimumSize(200, 150);
    upper_->setSizes({300, 380, 320});
    lower_->setSizes({720, 300});
    rows_->addWidget(upper_);
    rows_->addWidget(lower_);
    rows_->setSizes({380, 300});
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->addWidget(rows_);
    fillPairKinds({"probabilities"});
    connect(modality_, &SegmentedControl::chosen, this, [this] {
        modality_chosen_ = true;
        readFlow();
        tellQueries();
    });
    connect(pair_kind_, &ChoiceBox::chosen, this, [this] {
        pairs_chosen_ = true;
        readPairs();
        tellQueries();
    });
    connect(label_view_, &SegmentedControl::chosen, this, [this] {
        showLabels();
        tellQueries();
    });
}

void StructurePage::connectPlots() {
    connect(map_, &PlotPanel::plotMade, this, [this] {
        if (HeatmapPlot* plot = map_->heatmapPlot()) {
            plot->setObjectName(QStringLiteral("probeExpertMap"));
            connect(plot, &HeatmapPlot::cellClicked, this, [this](int row, int column) {
                const auto routers = mapRouters();
                if (static_cast<std::size_t>(row) < routers.size()) choose(routers[static_cast<std::size_t>(row)].id, column);
            });
        }
    });
    connect(flow_, &PlotPanel::plotMade, this, [this] {
        if (SankeyPlot* plot = flow_->sankeyPlot()) {
            plot->setObjectName(QStringLiteral("flowPlot"));
            connect(plot, &SankeyPlot::nodeClicked, this, [this](int column, int node) {
                if (flow_answer_.paths && static_cast<std::size_t>(column) < flow_answer_.paths->routers.size())
                    choose(flow_answer_.paths->routers[static_cast<std::size_t>(column)].id, node);
            });
        }
    });
    connect(pairs_, &PlotPanel::plotMade, this, [this] {
        if (HeatmapPlot* plot = pairs_->heatmapPlot()) {
            plot->setObjectName(QStringLiteral("pairMap"));
            connect(plot, &HeatmapPlot::cellClicked, this, [this](int row, int) {
                const auto* map = pairs_->heatmapPlot() ? pairs_->heatmapPlot()->panel() : nullptr;
                if (!map) return;
                if (map->row_is_expert) return choose(model_->shown().router, map->expertOfRow(row));
                const auto routers = mapRouters();
                if (static_cast<std::size_t>(row) < routers.size()) choose(routers[static_cast<std::size_t>(row)].id, -1);
            });
        }
    });
    connect(labels_, &PlotPanel::plotMade, this, [this] {
        if (TableView* table = labels_->tableView()) {
            table->setObjectName(QStringLiteral("specialisationTable"));
            table->setSortable(true);
            connect(table, &TableView::rowChosen, this, [this](int row) {
                if (!label_answer_.rows || row < 0) return;
                if (label_view_->value() == QStringLiteral("routers")) {
                    if (static_cast<std::size_t>(row) < label_answer_.rows->size()) choose((*label_answer_.rows)[static_cast<std::size_t>(row)].router.id, -1);
                    return;
                }
                for (const auto& one : *label_answer_.rows) {
                    if (static_cast<std::size_t>(row) < one.preferences.size())
                        return choose(one.router.id, one.preferences[static_cast<std::size_t>(row)].expert);
                    row -= static_cast<int>(one.preferences.size());
                }
            });
        }
    });
    connect(paths_, &PlotPanel::plotMade, this, [this] {
        if (TableView* table = paths_->tableView()) {
            table->setObjectName(QStringLiteral("pathTable"));
            table->setSortable(true);
            connect(table, &TableView::rowChosen, this, [this](int row) {
                if (!flow_answer_.paths || row < 0 || static_cast<std::size_t>(row) >= flow_answer_.paths->paths.size()) return;
                // The path's expert in the router that is looked at, else in its first.
                const auto& path = flow_answer_.paths->paths[static_cast<std::size_t>(row)];
                const auto& routers = flow_answer_.paths->routers;
                std::size_t at = 0;
                for (std::size_t r = 0; r < routers.size(); ++r)
                    if (routers[r].id == model_->shown().router) at = r;
                choose(routers[at].id, path.experts[at]);
            });
        }
    });
}

std::vector<store::RouterInfo> StructurePage::mapRouters() const { return model_->contents().routers; }

void StructurePage::choose(RouterId router, int expert) { model_->chooseRouter(router, expert >= 0 ? ExpertIndex(expert) : ExpertIndex()); }

void StructurePage::showEvent(QShowEvent* event) {
    InspectPart::showEvent(event);
    kinds_key_.clear();  // somebody may have measured meanwhile
    follow();
}

QString StructurePage::runKey() const {
    return QStringLiteral("%1|%2|%3|%4")
        .arg(model_->shown().run)
        .arg(model_->contents().probedStep(model_->shown().step).value_or(-1))
        .arg(model_->contents().steps.size())
        .arg(model_->chosenSet().everything ? 0 : model_->chosenSet().tokens.fingerprint());
}

void StructurePage::forget() {
    model_->context().jobs->cancel(this);
    map_job_.drop();
    pair_job_.drop();
    kinds_job_.drop();
    flow_job_.drop();
    label_job_.drop();
    map_key_ = pair_key_ = kinds_key_ = flow_key_ = label_key_ = QString();
    flow_answer_ = {};
    label_answer_ = {};
}

bool StructurePage::explainAbsence() {
    const auto all = {map_, flow_, pairs_, labels_, paths_};
    const auto say = [&](const QString& headline, const QString& words) {
        forget();
        for (PlotPanel* panel : all) panel->showEmpty(headline, words);
        return true;
    };
    switch (model_->runPart()) {
        case InspectModel::Part::kNone: return say(tr("No run chosen"), tr("Open a run with experts in Train to see its structure."));
        case InspectModel::Part::kLoading:
            forget();
            for (PlotPanel* panel : all) panel->showLoading(tr("Opening the run"), false);
            return true;
        case InspectModel::Part::kFailed:
            forget();
            for (PlotPanel* panel : all) panel->showFailed(model_->runError());
            return true;
        case InspectModel::Part::kReady: break;
    }
    if (model_->contents().routers.empty()) return say(tr("No experts"), tr("This model is dense: no token is routed. Choose a run with experts."));
    if (model_->contents().steps.empty())
        return say(tr("No probe yet"), model_->training()
                                           ? tr("The first checkpoint writes one.")
                                           : tr("This run was recorded without probes (record.probe_samples). Its load over training is in Train."));
    return false;
}

void StructurePage::showAbsence(PlotPanel* panel, const Error& error) {
    if (error.kind == ErrorKind::kStopped) {
        map_key_ = pair_key_ = kinds_key_ = flow_key_ = label_key_ = QString();
        panel->showEmpty(tr("Cancelled"), tr("Nothing was measured."), {tr("Measure again"), [this] { follow(); }});
    } else if (error.kind == ErrorKind::kJobFailed) {
        // What these records cannot answer is no failure.
        QString why = QString::fromStdString(error.why);
        if (!why.isEmpty()) why[0] = why[0].toUpper();
        panel->showEmpty(QString::fromStdString(error.what), why + QStringLiteral(". ") + QString::fromStdString(error.remedy) + QStringLiteral("."));
    } else {
        panel->showFailed(error, {tr("Try again"), [this] {
                                      map_key_ = pair_key_ = kinds_key_ = flow_key_ = label_key_ = QString();
                                      follow();
                                  }});
    }
}

void StructurePage::follow() {
    if (explainAbsence()) return tellQueries();
    if (const auto* router = model_->currentRouter(); router && !modality_chosen_)
        modality_->setValue(router->branch == Branch::kText ? QStringLiteral("text") : QStringLiteral("vision"));
    readPairKinds();
    readMap();
    readFlow();
    readPairs();
    readLabels();
    tellQueries();
    followSelection();
}

void StructurePage::followSelection() {
    const Selection& shown = model_->shown();
    const int expert = shown.expert.valid() ? shown.expert.value : -1;
    if (HeatmapPlot* plot = map_->heatmapPlot()) {
        const auto routers = mapRouters();
        const auto row = std::find_if(routers.begin(), routers.end(), [&](const auto& router) { return router.id == shown.router; });
        const int at = row == routers.end() ? -1 : static_cast<int>(row - routers.begin());
        plot->setSelectedRow(at);
        plot->setSelectedCell(expert >= 0 ? at : -1, expert);
    }
    if (SankeyPlot* plot = flow_->sankeyPlot(); plot && flow_answer_.paths) {
        const auto& routers = flow_answer_.paths->routers;
        const auto column = std::find_if(routers.begin(), routers.end(), [&](const auto& router) { return router.id == shown.router; });
        if (column == routers.end() || expert < 0) plot->setSelected(-1, -1);
        else plot->setSelected(static_cast<int>(column - routers.begin()), expert);
    }
    if (HeatmapPlot* plot = pairs_->heatmapPlot(); plot && plot->panel()) {
        int at = -1;
        for (int row = 0; row < plot->panel()->rows; ++row)
            if (plot->panel()->row_is_expert && plot->panel()->expertOfRow(row) == expert) at = row;
        plot->setSelectedRow(expert >= 0 ? at : -1);
    }
}

void StructurePage::tellQueries() {
    const auto* router = model_->currentRouter();
    const bool there = model_->runPart() == InspectModel::Part::kReady && router && !model_->contents().steps.empty();
    const QString why = tr("There is nothing to send: the run has no experts or no probe");
    const auto query = [&](const char* kind, std::map<std::string, std::string> parameters) -> std::optional<analysis::PanelQuery> {
        if (!there) return {};
        analysis::PanelQuery made;
        made.kind = kind;
        made.runs = {model_->shown().run.toStdString()};
        made.parameters = std::move(parameters);
        made.parameters["step"] = std::to_string(model_->contents().probedStep(model_->shown().step).value_or(-1));
        return made;
    };
    map_->setPanelQuery(query("probe_expert_map", {}), why);
    const analysis::FlowOptions options = flowOptions();
    const std::map<std::string, std::string> flow = {{"modality", options.modality == Modality::kText ? "text" : "vision"},
                                                     {"first", std::to_string(options.first)}};
    flow_->setPanelQuery(query("path_flow", flow), why);
    paths_->setPanelQuery(query("paths", flow), why);
    labels_->setPanelQuery(query(label_view_->value() == QStringLiteral("routers") ? "specialisation" : "preferences", {}), why);
    const std::string name = router ? routerKey(*router) : std::string();
    const QString kind = pair_kind_->value();
    if (kind == kPairsTogether) pairs_->setPanelQuery(query("coactivation", {{"router", name}, {"order", "cluster"}}), why);
    else if (kind == kPairsOfRouters) pairs_->setPanelQuery(query("router_similarity", {}), why);
    else pairs_->setPanelQuery(query("expert_similarity", {{"router", name}, {"measure", kind.toStdString()}}), why);
    pairs_->setTitle(router && kind != kPairsOfRouters ? tr("Experts of %1").arg(QString::fromStdString(shortName(*router))) : tr("Routers"));
}

bool StructurePage::settled() const {
    if (!active()) return true;
    return map_job_.idle() && pair_job_.idle() && kinds_job_.idle() && flow_job_.idle() && label_job_.idle() && map_->settled() && pairs_->settled();
}

QJsonArray StructurePage::dump() const { return {map_->dump(), flow_->dump(), pairs_->dump(), labels_->dump(), paths_->dump()}; }

std::vector<PaletteEntry> StructurePage::paletteEntries() {
    std::vector<PaletteEntry> entries;
    entries.push_back({tr("Follow patches through the layers"), tr("Structure"), [this] {
                           modality_chosen_ = true;
                           modality_->setValue(QStringLiteral("vision"));
                           readFlow();
                           tellQueries();
                       }});
    entries.push_back({tr("Follow words through the layers"), tr("Structure"), [this] {
                           modality_chosen_ = true;
                           modality_->setValue(QStringLiteral("text"));
                           readFlow();
                           tellQueries();
                       }});
    return entries;
}

QJsonObject StructurePage::saveState() const {
    return {{QStringLiteral("rows"), sizesOf(rows_)},
            {QStringLiteral("upper"), sizesOf(upper_)},
            {QStringLiteral("lower"), sizesOf(lower_)},
            {QStringLiteral("modality"), modality_chosen_ ? modality_->value() : QString()},
            {QStringLiteral("pairs"), pairs_chosen_ ? pair_kind_->value() : QString()},
            {QStringLiteral("labels"), label_view_->value()}};
}

void StructurePage::restoreState(const QJsonObject& state) {
    restoreSizes(rows_, state.value(QStringLiteral("rows")));
    restoreSizes(upper_, state.value(QStringLiteral("upper")));
    restoreSizes(lower_, state.value(QStringLiteral("lower")));
    if (const QString value = state.value(QStringLiteral("modality")).toString(); modality_->values().contains(value)) {
        modality_->setValue(value);
        modality_chosen_ = true;
    }
    if (const QString value = state.value(QStringLiteral("pairs")).toString(); !value.isEmpty()) {
        pair_kind_->setValue(value);
        pairs_chosen_ = pair_kind_->value() == value;
    }
    if (const QString value = state.value(QStringLiteral("labels")).toString(); label_view_->values().contains(value)) label_view_->setValue(value);
    showLabels();
    follow();
}

}  // namespace es::views
