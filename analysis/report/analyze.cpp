// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/report/analyze.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <set>

#include "analysis/figures/nearest.h"
#include "analysis/figures/panel_data.h"
#include "analysis/figures/series.h"
#include "analysis/metrics/weighing.h"
#include "analysis/report/metric_rows.h"

namespace es::analysis {
namespace {

struct Part {
    MetricInfo info;
    MetricPart add;
};

const std::vector<Part>& parts() {
    static const std::vector<Part> kParts = {
        {{"losses", "Held-out losses at the start and the end, beside the trivial predictor, and with a wrong picture"}, &addLosses},
        {{"load", "Share of each expert, MaxVio, effective experts, dead experts, drops: probed and in training"}, &addLoad},
        {{"confidence", "Router entropy, largest probability, margins, chosen mass, logits"}, &addConfidence},
        {{"modality", "p(expert | modality) and p(modality | expert) with the base rate"}, &addModality},
        {{"specialisation", "Mutual information of expert and what is known of a token, beside random router, untrained net and permutation"},
         &addSpecialisation},
        {{"categories", "nPMI of each category and expert"}, &addCategories},
        {{"vocabulary", "Share of a word's assignments that go to its most frequent expert"}, &addVocabulary},
        {{"repetition", "How often neighbouring tokens share their first choice"}, &addRepetition},
        {{"domains", "Experts by domain of the sample"}, &addDomains},
        {{"context", "Does a word or a position go to the same experts whatever stands around it"}, &addContext},
        {{"divergence", "How differently patches and words, single samples and pairs, and domains are routed"}, &addDivergence},
        {{"spread", "Experts a token where the number varies, combine weights, drops by position"}, &addSpread},
        {{"change", "Churn between checkpoints and saturation towards the last"}, &addChange},
        {{"coactivation", "Experts chosen together by one token (k > 1)"}, &addCoactivation},
        {{"flow", "Mutual information of a token's experts in consecutive routers"}, &addFlow},
        {{"causal", "What banning each expert alone costs for pictures and for words, as the run keeps it (run --causal)"}, &addCausal},
        {{"similarity", "How alike experts are by weights, router rows and outputs, as the run keeps it (run --similarity)"}, &addSimilarity},
        {{"paths", "Ways of tokens through all routers: number, entropy, the most frequent"}, &addPaths},
        {{"router_similarity", "How alike routers, and the experts of each, are by their probabilities"}, &addRouterSimilarity},
        {{"seed_match", "Experts matched with those of another run (--against)"}, &addSeedMatch},
        {{"stability", "Spikes of loss and gradient norm"}, &addStability},
        {{"alarms", "Dead experts, overload, spikes, large logits, drops, with their steps"}, &addAlarms},
        {{"trace", "Load, pairs of experts and mutual information with the category over all traced steps of training"}, &addTrace},
    };
    return kParts;
}

/// The probe that was asked for; none when the run has none and none was asked for.
Result<std::optional<store::ProbeKey>> chosenProbe(const store::RunReader& run, std::int64_t checkpoint) {
    std::optional<store::ProbeKey> best;
    std::string known;
    for (const store::ProbeKey& key : run.probes()) {
        if (key.variant != "trained") continue;
        known += (known.empty() ? "" : ", ") + std::to_string(key.step);
        if ((checkpoint < 0 || key.step == checkpoint) && (!best || key.step > best->step)) best = key;
    }
    if (checkpoint >= 0 && !best)
        return badInput("Cannot analyze the checkpoint", fmt::format("the run has no probe of step {}", checkpoint),
                        known.empty() ? "Leave --checkpoint out" : "Choose one of the steps " + known, run.folder().string());
    return best;
}

/// Of tokens that were chosen by their experts, numbers about experts are what was asked for.
void sayChosenByRouting(AnalyzeResult& result) {
    const std::string words = "tokens chosen by routing: no baseline is valid";
    for (MetricRow& row : result.rows)
        for (const char* metric : {"specialisation", "categories", "vocabulary", "repetition", "domains", "context", "divergence", "causal", "modality"})
            if (row.metric == metric) row.note += (row.note.empty() ? "" : "; ") + words;
}

}  // namespace

const std::vector<MetricInfo>& metricInfos() {
    static const std::vector<MetricInfo> kInfos = [] {
        std::vector<MetricInfo> infos;
        for (const Part& part : parts()) infos.push_back(part.info);
        return infos;
    }();
    return kInfos;
}

MetricRow routerRow(const char* metric, const store::RouterInfo& router, std::int64_t step) {
    MetricRow row = runRow(metric, step);
    row.layer = router.layer;
    row.branch = router.branch;
    row.router = router.id;
    return row;
}

MetricRow runRow(const char* metric, std::int64_t step) {
    MetricRow row;
    row.metric = metric;
    row.step = step;
    row.low = row.high = kMissing;
    return row;
}

void addRow(AnalyzeResult& result, MetricRow row, std::string name, double value, std::int64_t n) {
    row.name = std::move(name);
    row.value = value;
    if (n > 0) row.n = n;
    result.rows.push_back(std::move(row));
}

Result<AnalyzeResult> analyzeRun(const store::RunReader& run, const AnalyzeRequest& request, const JobContext& context) {
    if (const auto part = restrictBorrowed(run, request.set)) {
        AnalyzeRequest everything = request;
        everything.set = {};
        everything.specialisation.chosen_by_routing = request.set.chosenByRouting();
        auto result = analyzeRun(*part, everything, context);
        if (result) {
            result->set = request.set.note();
            result->notes.insert(result->notes.begin(), result->set + "; what is recorded at every step of training is of all tokens");
            if (everything.specialisation.chosen_by_routing) sayChosenByRouting(*result);
        }
        return result;
    }
    std::vector<std::string> names;
    for (const Part& part : parts()) names.push_back(part.info.name);
    for (const std::string& metric : request.metrics)
        if (std::find(names.begin(), names.end(), metric) == names.end())
            return wrongCall("Cannot analyze the run", fmt::format("there is no metric '{}'", metric), knownNames(metric, names));
    AnalyzeInput input{run, request, context, {}, {}, -1};
    std::set<std::int32_t> layers;
    for (const store::RouterInfo& router : run.routers()) {
        layers.insert(router.layer.value);
        if (!request.layer.valid() || router.layer == request.layer) input.routers.push_back(router);
    }
    if (request.layer.valid() && input.routers.empty()) {
        std::string known;
        for (const std::int32_t layer : layers) known += (known.empty() ? "" : ", ") + std::to_string(layer);
        return badInput("Cannot analyze the layer", fmt::format("layer {} has no router", request.layer.value),
                        known.empty() ? "This model is dense; leave --layer out" : "Layers with routers: " + known, run.folder().string());
    }
    auto probe = chosenProbe(run, request.checkpoint);
    if (!probe) return tl::unexpected(probe.error());
    AnalyzeResult result;
    result.run = run.config().run.name;
    result.run_uuid = run.provenance().run_uuid;
    input.step = run.status().step;
    if (*probe) {
        input.step = (*probe)->step;
        for (const store::RouterInfo& router : input.routers) {
            auto table = run.probe(**probe, router.id);
            if (!table) return tl::unexpected(table.error());
            if (const std::string problem = tableProblem(*table); !problem.empty())
                return badInput("Cannot analyze the probe", problem, "The file is damaged: choose another checkpoint", run.folder().string());
            input.tables.push_back(std::move(*table));
        }
    } else if (!input.routers.empty()) {
        result.notes.push_back("the run has no probe yet: only what is recorded at every step can be measured");
    }
    result.step = input.step;
    if (run.routers().empty()) result.notes.push_back("this model is dense: it has no routers");
    if (const std::string note = partialNote(run); !note.empty()) result.notes.push_back(note);
    for (const std::string& warning : run.status().warnings) result.notes.push_back(warning);
    for (std::size_t i = 0; i < parts().size(); ++i) {
        const Part& part = parts()[i];
        if (!request.metrics.empty() && std::find(request.metrics.begin(), request.metrics.end(), part.info.name) == request.metrics.end()) continue;
        if (context.stopRequested()) return stopped("Analyzing the run");
        context.progress(static_cast<std::int64_t>(i), static_cast<std::int64_t>(parts().size()), "Measuring " + part.info.name);
        if (auto done = part.add(input, result); !done) return tl::unexpected(done.error());
    }
    return result;
}

}  // namespace es::analysis
