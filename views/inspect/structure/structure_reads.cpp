// SPDX-License-Identifier: GPL-3.0-or-later
// What the page "Structure" reads, each in a job of its own.
#include <algorithm>

#include "analysis/kept/kept_analyses.h"
#include "views/inspect/structure/structure_page.h"

namespace es::views {
namespace {

QString pairTitle(const std::string& measure) {
    if (measure == "probabilities") return StructurePage::tr("Alike by probability");
    if (measure == "weights") return StructurePage::tr("Alike by weights");
    if (measure == "router_rows") return StructurePage::tr("Alike by router rows");
    if (measure == "outputs") return StructurePage::tr("Alike by outputs");
    return StructurePage::tr("Alike by CKA of outputs");
}

std::shared_ptr<const analysis::Panel> asAnswer(analysis::Panel panel) { return std::make_shared<const analysis::Panel>(std::move(panel)); }

}  // namespace

void StructurePage::readMap() {
    if (!watched(map_)) return;
    const QString key = runKey();
    if (key == map_key_) return;
    map_key_ = key;
    map_->showLoading();
    map_job_.request([reader = model_->analysisReader(),
                      step = model_->contents().probedStep(model_->shown().step).value_or(-1)](JobContext&) { return analysis::probeExpertMap(*reader, step); },
                     true);
}

analysis::FlowOptions StructurePage::flowOptions() const {
    analysis::FlowOptions options;
    options.modality = modality();
    options.step = model_->contents().probedStep(model_->shown().step).value_or(-1);
    // Where not all routers fit, those around the selected one are shown.
    std::vector<RouterId> chain;
    for (const auto& router : model_->contents().routers)
        if (router.branch != (options.modality == Modality::kText ? Branch::kVision : Branch::kText)) chain.push_back(router.id);
    const auto at = std::find(chain.begin(), chain.end(), model_->shown().router);
    const auto count = static_cast<std::ptrdiff_t>(chain.size());
    if (count > options.count && at != chain.end())
        options.first = static_cast<std::int32_t>(std::clamp<std::ptrdiff_t>(at - chain.begin() - options.count / 2, 0, count - options.count));
    return options;
}

void StructurePage::readFlow() {
    if ((!watched(flow_) && !watched(paths_)) || model_->contents().routers.empty() || model_->contents().steps.empty()) return;
    const analysis::FlowOptions options = flowOptions();
    const QString key = QStringLiteral("%1|%2|%3").arg(runKey(), modality_->value()).arg(options.first);
    if (key == flow_key_) return;
    flow_key_ = key;
    flow_->showLoading();
    paths_->showLoading();
    flow_job_.request(
        [reader = model_->analysisReader(), options](JobContext& context) -> Result<FlowAnswer> {
            auto paths = analysis::probePaths(*reader, options, context);
            if (!paths) return tl::unexpected(paths.error());
            FlowAnswer answer;
            answer.flow = asAnswer(analysis::pathFlow(*paths, options));
            answer.table = asAnswer(analysis::pathTable(*paths, options));
            answer.paths = std::make_shared<const analysis::RoutingPaths>(std::move(*paths));
            return answer;
        },
        true);
}

void StructurePage::readPairKinds() {
    const auto* router = model_->currentRouter();
    if (!router || !watched(pairs_)) return;
    const QString key = QStringLiteral("%1|%2").arg(runKey()).arg(router->id.value);
    if (key == kinds_key_) return;
    kinds_key_ = key;
    // With one expert a token no two are ever active together.
    if (!pairs_chosen_)
        pair_kind_->setValue(router->layout != store::RoutingLayout::kFixedK || router->k > 1 ? kPairsTogether : QStringLiteral("probabilities"));
    kinds_job_.request([reader = model_->reader(), id = router->id, step = model_->contents().probedStep(model_->shown().step).value_or(-1)](
                           JobContext&) -> Result<std::vector<std::string>> { return analysis::similarityMeasures(*reader, id, step); },
                       true);
}

void StructurePage::fillPairKinds(const std::vector<std::string>& measures) {
    QStringList titles{tr("Active together"), tr("Routers alike")}, values{kPairsTogether, kPairsOfRouters};
    for (const std::string& measure : measures) {
        titles << pairTitle(measure);
        values << QString::fromStdString(measure);
    }
    pair_kind_->setChoices(titles, values);
}

void StructurePage::readPairs() {
    if (!watched(pairs_) || model_->contents().routers.empty() || model_->contents().steps.empty()) return;
    const auto* router = model_->currentRouter();
    if (!router) return;
    const QString kind = pair_kind_->value();
    const QString key = QStringLiteral("%1|%2|%3").arg(runKey(), kind).arg(kind == kPairsOfRouters ? -1 : router->id.value);
    if (key == pair_key_) return;
    pair_key_ = key;
    pairs_->showLoading();
    pair_job_.request(
        [reader = model_->analysisReader(), id = router->id, kind,
         step = model_->contents().probedStep(model_->shown().step).value_or(-1)](JobContext& context) {
            if (kind == kPairsTogether) return analysis::coactivationMap(*reader, id, step, true);
            if (kind == kPairsOfRouters) return analysis::routerSimilarity(*reader, step, context);
            return analysis::expertSimilarity(*reader, id, kind.toStdString(), step);
        },
        true);
}

void StructurePage::readLabels() {
    if (!watched(labels_)) return;
    const QString key = runKey();
    if (key == label_key_) return;
    label_key_ = key;
    labels_->showLoading(tr("Measuring specialisation against its baselines"));
    label_job_.request(
        [reader = model_->analysisReader(), set = model_->chosenSet(),
         step = model_->contents().probedStep(model_->shown().step).value_or(-1)](JobContext& context) -> Result<LabelAnswer> {
            auto rows = analysis::keptSpecialisation(analysis::KeptAnalyses(), *reader, set, step, {}, context);
            if (!rows) return tl::unexpected(rows.error());
            LabelAnswer answer;
            answer.table = asAnswer(analysis::specialisationPanel(*rows));
            answer.preferences = asAnswer(analysis::preferencePanel(*rows));
            answer.rows = std::make_shared<const std::vector<analysis::Specialisation>>(std::move(*rows));
            return answer;
        },
        true);
}

void StructurePage::showLabels() {
    if (!label_answer_.rows) return;
    const bool routers = label_view_->value() == QStringLiteral("routers");
    const auto& panel = routers ? label_answer_.table : label_answer_.preferences;
    if (std::get<analysis::TablePanel>(panel->content).rows.empty()) {
        if (routers) labels_->showEmpty(tr("No labels"), tr("Nothing is known of the probed tokens that experts could specialise in."));
        else
            labels_->showEmpty(tr("No expert stands out"),
                               tr("No label is taken by one expert more often than chance allows, after correction for all that were looked at."));
        return;
    }
    labels_->showPanel(panel);
}

}  // namespace es::views
