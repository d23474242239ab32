// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/inspect_data.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "analysis/figures/train_panels.h"
#include "analysis/figures/wording.h"

namespace es::views {
namespace {

constexpr std::int64_t kLossPoints = 800;  // more than the scrubber is wide on most screens

int rankOf(Branch branch, Modality modality) {
    if (branch == (modality == Modality::kText ? Branch::kText : Branch::kVision)) return 0;
    if (branch == Branch::kAll) return 1;
    return branch == Branch::kVisionLanguage ? 2 : 3;
}

void readLosses(const store::RunReader& run, RunContents& contents) {
    const auto steps = run.evaluations();
    if (steps.empty()) return;
    const auto evaluation = run.evaluation(steps.back());
    if (!evaluation) return;
    struct Sum {
        double loss = 0;
        int rows = 0;
    };
    std::map<std::pair<std::uint64_t, Objective>, Sum> sums;
    for (const auto& row : evaluation->rows) {
        if (!row.variant.empty() || !std::isfinite(row.loss)) continue;
        Sum& sum = sums[{row.sample, row.objective}];
        sum.loss += row.loss;
        ++sum.rows;
    }
    for (const auto& [key, sum] : sums) contents.losses[key.first] += sum.loss / sum.rows;
    contents.losses_step = evaluation->step;
}

}  // namespace

const store::RouterInfo* RunContents::router(RouterId id) const {
    const auto found = std::find_if(routers.begin(), routers.end(), [id](const store::RouterInfo& router) { return router.id == id; });
    return found == routers.end() ? nullptr : &*found;
}

const store::RouterInfo* RunContents::routerOf(LayerIndex layer, Modality modality) const {
    const store::RouterInfo* best = nullptr;
    for (const auto& router : routers) {
        const int rank = rankOf(router.branch, modality);
        if (router.layer == layer && rank < 3 && (!best || rank < rankOf(best->branch, modality))) best = &router;
    }
    return best;
}

std::vector<LayerIndex> RunContents::layers() const {
    std::vector<LayerIndex> all;
    for (const auto& router : routers)
        if (all.empty() || all.back() != router.layer) all.push_back(router.layer);
    return all;
}

const store::SampleRecord* RunContents::find(std::uint64_t hash) const {
    const auto found = std::find_if(samples.begin(), samples.end(), [hash](const store::SampleRecord& sample) { return sample.hash == hash; });
    return found == samples.end() ? nullptr : &*found;
}

std::optional<std::int64_t> RunContents::probedStep(std::int64_t wanted) const {
    if (steps.empty()) return {};
    if (wanted < 0) return steps.back();
    const auto after = std::upper_bound(steps.begin(), steps.end(), wanted);
    return after == steps.begin() ? steps.front() : *std::prev(after);
}

Result<RunContents> readContents(const store::RunReader& run) {
    RunContents contents;
    auto samples = run.sampleList();
    if (!samples) return tl::unexpected(samples.error());
    auto probed = run.probeSamples();
    if (!probed) return tl::unexpected(probed.error());
    std::unordered_map<std::uint64_t, std::size_t> order;
    for (const std::uint64_t hash : *probed) order.emplace(hash, order.size());
    const auto place = [&](const store::SampleRecord& sample) {
        const auto found = order.find(sample.hash);
        return found == order.end() ? order.size() : found->second;
    };
    contents.samples = std::move(*samples);
    std::stable_sort(contents.samples.begin(), contents.samples.end(),
                     [&](const store::SampleRecord& a, const store::SampleRecord& b) { return place(a) < place(b); });
    contents.probed = static_cast<std::size_t>(
        std::count_if(contents.samples.begin(), contents.samples.end(), [&](const store::SampleRecord& sample) { return order.contains(sample.hash); }));
    contents.routers = run.routers();
    std::stable_sort(contents.routers.begin(), contents.routers.end(),
                     [](const store::RouterInfo& a, const store::RouterInfo& b) { return std::pair(a.layer, a.branch) < std::pair(b.layer, b.branch); });
    for (const auto& key : run.probes())
        if (key.variant == "trained") contents.steps.push_back(key.step);
    std::sort(contents.steps.begin(), contents.steps.end());
    contents.checkpoints = run.checkpoints();
    contents.attempts = run.status().attempts;
    readLosses(run, contents);
    return contents;
}

Result<LoadedSample> readSample(const store::RunReader& run, std::uint64_t hash, std::int64_t step) {
    LoadedSample loaded;
    auto routing = analysis::sampleRouting(run, hash, step);
    if (routing && routing->routing.empty()) {
        loaded.record = std::move(routing->sample);
        loaded.missing = Error{ErrorKind::kBadInput, "No routing to show", "this model is dense: it has no routers", "Choose a run with experts in Train", {}};
        return loaded;
    }
    if (routing) {
        loaded.record = routing->sample;
        loaded.routing = std::move(*routing);
        return loaded;
    }
    auto record = run.sample(hash);
    if (!record) return tl::unexpected(record.error());
    loaded.record = std::move(*record);
    loaded.missing = routing.error();
    return loaded;
}

std::vector<analysis::TokenReading> pathOf(const analysis::SampleRouting& routing, Modality modality, TokenIndex token) {
    std::vector<analysis::TokenReading> path;
    for (auto& reading : analysis::tokenPath(routing, modality, token)) {
        const auto same = std::find_if(path.begin(), path.end(), [&](const analysis::TokenReading& other) { return other.router.id == reading.router.id; });
        if (same == path.end()) path.push_back(std::move(reading));
        else if (reading.objective > same->objective) *same = std::move(reading);
    }
    return path;
}

std::pair<Modality, TokenIndex> firstToken(const store::SampleRecord& sample) {
    if (sample.grid_width <= 0 || sample.grid_height <= 0) return {Modality::kText, TokenIndex(0)};
    return {Modality::kVision, TokenIndex(sample.grid_height / 2 * sample.grid_width + sample.grid_width / 2)};
}

std::vector<RouterId> mapRouters(const analysis::SampleRouting& routing) {
    std::vector<store::RouterInfo> routers;
    for (const auto& table : routing.routing)
        if (table.tokens > 0) routers.push_back(table.router);
    std::stable_sort(routers.begin(), routers.end(),
                     [](const store::RouterInfo& a, const store::RouterInfo& b) { return std::pair(a.layer, a.branch) < std::pair(b.layer, b.branch); });
    std::vector<RouterId> ids;
    for (const auto& router : routers) ids.push_back(router.id);
    return ids;
}

Result<analysis::Curve> readSampleChurn(const store::RunReader& run, RouterId router, std::uint64_t sample, const JobContext& context) {
    const auto change = analysis::routingChange(run, analysis::ChangeMeasure::kChurn, sample, router, context);
    if (context.stopRequested()) return stopped("Reading the probes");
    if (!change) return tl::unexpected(change.error());
    const auto* lines = std::get_if<analysis::LinePanel>(&change->content);
    if (!lines || lines->curves.empty()) return analysis::Curve{};
    analysis::Curve curve = lines->curves.front();
    curve.label = "churn of this sample";
    return curve;
}

Result<TrainingCurves> readCurves(const store::RunReader& run, RouterId router, const JobContext& context) {
    TrainingCurves curves;
    curves.router = router;
    if (router.valid()) {
        auto change = analysis::routingChange(run, analysis::ChangeMeasure::kChurn, {}, router, context);
        if (context.stopRequested()) return stopped("Reading the probes");
        if (change) {
            if (const auto* lines = std::get_if<analysis::LinePanel>(&change->content); lines && !lines->curves.empty()) curves.churn = lines->curves.front();
            curves.notes = change->notes;
        } else {
            curves.notes.push_back(change.error().message());
        }
        const auto saturation = analysis::routingChange(run, analysis::ChangeMeasure::kSaturation, {}, router, context);
        if (context.stopRequested()) return stopped("Reading the probes");
        if (saturation)
            if (const auto* lines = std::get_if<analysis::LinePanel>(&saturation->content); lines && !lines->curves.empty())
                curves.saturation = lines->curves.front();
    }
    const auto names = run.scalarNames();
    for (const char* wanted : {"eval/loss/total", "train/loss"}) {
        if (std::find(names.begin(), names.end(), wanted) == names.end()) continue;
        auto series = run.scalars(wanted, kLossPoints);
        if (!series || series->step.size() < 2) continue;
        curves.loss.label = wanted;
        curves.loss.series = wanted;
        curves.loss.x = std::move(series->step);
        curves.loss.y = std::move(series->value);
        curves.loss_name = wanted;
        break;
    }
    for (const auto& event : run.events())
        if (event.kind == "step_skipped") curves.spikes.push_back({static_cast<double>(event.step), event.message, {analysis::ColorRole::Kind::kBad, 0}});
    // Spikes are found in the gradient norms as Train does; those that the run skipped are told by events as well.
    if (const auto gradients = analysis::gradientNorms(run, 0, kLossPoints))
        if (const auto* lines = std::get_if<analysis::LinePanel>(&gradients->content))
            for (const auto& marker : lines->markers)
                if (marker.color.kind == analysis::ColorRole::Kind::kBad) curves.spikes.push_back(marker);
    std::stable_sort(curves.spikes.begin(), curves.spikes.end(), [](const auto& a, const auto& b) { return a.x < b.x; });
    return curves;
}

std::string shortName(const store::RouterInfo& router) { return analysis::routerLabel(router); }
std::string longName(const store::RouterInfo& router) { return analysis::routerWords(router); }

}  // namespace es::views
