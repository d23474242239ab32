// SPDX-License-Identifier: GPL-3.0-or-later
// What `analyze` says of results that the run keeps: every expert banned alone, and how alike experts are.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "analysis/interventions/causal.h"
#include "analysis/report/metric_rows.h"
#include "engine/store/annotations.h"

namespace es::analysis {
namespace {

bool askedFor(const AnalyzeInput& input, const char* metric) {
    return std::find(input.request.metrics.begin(), input.request.metrics.end(), metric) != input.request.metrics.end();
}

void addEffect(AnalyzeResult& result, MetricRow row, const std::string& name, const LossEffect& effect) {
    if (effect.samples == 0) return;
    row.label = effect.loss;
    row.low = effect.low;
    row.high = effect.high;
    addRow(result, std::move(row), name + (effect.unit.empty() ? "" : "_" + effect.unit), effect.difference, effect.samples);
}

void addComparison(AnalyzeResult& result, const BanComparison& c, std::int64_t step) {
    MetricRow row = routerRow("causal", c.router, step);
    row.expert = c.expert;
    row.note = fmt::format("most specialised on {}, {:.3f} nats above chance", c.label, c.information);
    addEffect(result, row, "most_specialised", c.effect);
    addEffect(result, row, "above_mean_of_others", c.above_others);
    row.note = fmt::format("against expert {}, drawn at random", c.random.value);
    addEffect(result, row, "above_random", c.above_random);
    row.note.clear();
    addRow(result, row, "others_that_cost_less", c.smaller, c.others);
    row.expert = c.random;
    addEffect(result, std::move(row), "random", c.random_effect);
}

}  // namespace

Status addCausal(const AnalyzeInput& input, AnalyzeResult& result) {
    auto kept = store::Annotations(input.run.folder()).results("causal");
    if (!kept) {
        if (askedFor(input, "causal")) return tl::unexpected(kept.error());
        result.notes.push_back("causal: " + kept.error().message());
        return {};
    }
    const std::string uuid = input.run.provenance().run_uuid;
    std::int64_t newest = input.request.checkpoint;
    if (newest < 0)
        for (const store::KeptResult& one : *kept)
            if (one.run_uuid == uuid) newest = std::max(newest, one.checkpoint);
    // Batches of one checkpoint that differ in kind or samples are different tables.
    std::map<std::pair<std::string, std::int64_t>, std::vector<store::KeptResult>> batches;
    for (store::KeptResult& one : *kept) {
        if (one.run_uuid != uuid || one.checkpoint != newest || one.interventions.size() != 1) continue;
        const std::string& recipe = one.interventions.front();
        batches[{recipe.substr(0, recipe.find(' ')), one.samples}].push_back(std::move(one));
    }
    if (batches.empty() && askedFor(input, "causal"))
        result.notes.push_back("causal: no expert was banned yet; 'expertscope run " + input.run.folder().string() + " --causal' does it");
    for (const auto& [key, batch] : batches) {
        const CausalTable table = causalTable(batch, input.run.config());
        const std::string note = fmt::format("each expert {} alone, {}", key.first == "silence" ? "silenced" : "banned",
                                             key.second > 0 ? fmt::format("{} samples of each stream", key.second) : "all evaluated samples");
        const auto wanted = [&](const store::RouterInfo& router) { return !input.request.layer.valid() || router.layer == input.request.layer; };
        for (const ExpertCausal& expert : table.experts) {
            if (!wanted(expert.router)) continue;
            MetricRow row = routerRow("causal", expert.router, table.step);
            row.expert = expert.expert;
            row.note = note;
            addEffect(result, row, "delta_vision", expert.vision);
            addEffect(result, row, "delta_text", expert.text);
            addRow(result, row, "selectivity", expert.selectivity, std::max(expert.vision.samples, expert.text.samples));
            addRow(result, std::move(row), "rerouted_rate", expert.tokens > 0 ? static_cast<double>(expert.rerouted) / static_cast<double>(expert.tokens) : 0,
                   expert.tokens);
        }
        for (const RouterCausal& router : table.routers) {
            if (!wanted(router.router)) continue;
            MetricRow row = routerRow("causal", router.router, table.step);
            row.low = router.low;
            row.high = router.high;
            row.note = note + (table.relative ? "; of relative differences" : "");
            addRow(result, std::move(row), "causal_specialisation", router.specialisation, router.samples);
        }
        const auto comparison = compareBans(input.run, batch, result.notes, 0, input.context);
        if (!comparison) return tl::unexpected(comparison.error());
        for (const BanComparison& one : *comparison)
            if (wanted(one.router)) addComparison(result, one, table.step);
    }
    return {};
}

Status addSimilarity(const AnalyzeInput& input, AnalyzeResult& result) {
    const store::Annotations annotations(input.run.folder());
    const auto steps = annotations.similaritySteps();
    if (!steps && !askedFor(input, "similarity")) {
        result.notes.push_back("similarity: " + steps.error().message());
        return {};
    }
    if (!steps) return tl::unexpected(steps.error());
    const std::int64_t wanted = input.request.checkpoint >= 0 ? input.request.checkpoint : steps->empty() ? -1 : steps->back();
    const auto kept = annotations.similarities(wanted);
    if (!kept) return tl::unexpected(kept.error());
    if (kept->empty() && askedFor(input, "similarity"))
        result.notes.push_back("similarity: experts were not compared yet; 'expertscope run " + input.run.folder().string() + " --similarity' does it");
    for (const store::ExpertSimilarity& one : *kept) {
        const auto router = std::find_if(input.routers.begin(), input.routers.end(), [&](const auto& r) { return r.id == one.router; });
        if (router == input.routers.end()) continue;
        for (std::int32_t i = 0; i < one.experts; ++i)
            for (std::int32_t j = i + 1; j < one.experts; ++j) {
                MetricRow row = routerRow("similarity", *router, one.step);
                row.expert = ExpertIndex(i);
                row.label = fmt::format("with expert {}", j);
                addRow(result, std::move(row), one.measure, one.values_EE[static_cast<std::size_t>(i * one.experts + j)], one.tokens);
            }
    }
    return {};
}

}  // namespace es::analysis
