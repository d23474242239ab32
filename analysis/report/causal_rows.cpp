// SPDX-License-Identifier: GPL-3.0-or-later
// What `analyze` says of results that the run keeps: every expert banned alone, and how alike experts are.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <unordered_set>

#include "analysis/figures/wording.h"
#include "analysis/interventions/causal.h"
#include "analysis/report/metric_rows.h"
#include "engine/store/annotations.h"
#include "engine/store/causal_batch.h"

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
    row.note = fmt::format("most specialised on {}: {:.3f} nats above chance, {:.1f} of its standard deviations, in {}; measured on the other half", c.label,
                           c.information, c.deviations, plural(c.chosen_on, "sample"));
    addEffect(result, row, "most_specialised", c.effect);
    row.note = fmt::format("others with a smaller effect, of {}; so high a rank by chance: {}; they lie between {} and {}", c.others, fixed(c.rankP(), 3),
                           fixed(c.others_least, 4), fixed(c.others_most, 4));
    addRow(result, row, "others_that_cost_less", c.smaller, c.others);
    row.note = fmt::format("mean of {}, {} of the router's tokens re-routed on average", plural(c.others, "other"), percent(c.others_rerouted));
    addEffect(result, row, "others", c.others_effect);
    row.note.clear();
    addEffect(result, row, "above_mean_of_others", c.above_others);
    row.note = fmt::format("for each percent of the router's tokens that is re-routed ({} are); more than {} of {} others", percent(c.rerouted),
                           c.smaller_per_rerouted, c.others);
    addEffect(result, row, "most_specialised_per_percent", c.per_rerouted);
    addEffect(result, row, "above_others_per_percent", c.above_per_rerouted);
    row.note = fmt::format("against expert {}, a single one drawn at random: another draw gives another number", c.random.value);
    addEffect(result, row, "above_random", c.above_random);
    row.note = fmt::format("drawn at random, {} re-routed", percent(c.random_rerouted));
    row.expert = c.random;
    addEffect(result, std::move(row), "random", c.random_effect);
}

/// Of one run, batches of the checkpoint asked for, or of the newest.
std::vector<store::CausalBatch> chosenBatches(const AnalyzeInput& input, std::vector<store::KeptResult> kept) {
    std::vector<store::CausalBatch> batches = store::causalBatches(std::move(kept), input.run.provenance().run_uuid, input.run.routers());
    std::int64_t wanted = input.request.checkpoint;
    if (wanted < 0)
        for (const store::CausalBatch& batch : batches) wanted = std::max(wanted, batch.checkpoint);
    std::erase_if(batches, [&](const store::CausalBatch& batch) { return batch.checkpoint != wanted; });
    if (input.request.set.everything) return batches;
    const SampleSet samples = input.request.set.tokens.samples();
    const std::unordered_set<std::uint64_t> chosen(samples.hashes().begin(), samples.hashes().end());
    for (store::CausalBatch& batch : batches)
        for (store::KeptResult& result : batch.results) result = narrowed(std::move(result), chosen);
    return batches;
}

}  // namespace

Status addCausal(const AnalyzeInput& input, AnalyzeResult& result) {
    auto kept = store::Annotations(input.run.folder()).results("causal");
    if (!kept) {
        if (askedFor(input, "causal")) return tl::unexpected(kept.error());
        result.notes.push_back("causal: " + kept.error().message());
        return {};
    }
    // Batches of one checkpoint that differ in kind or samples are different tables.
    const std::vector<store::CausalBatch> batches = chosenBatches(input, std::move(*kept));
    if (batches.empty() && askedFor(input, "causal"))
        result.notes.push_back("causal: no expert was banned yet; 'expertscope run " + input.run.folder().string() + " --causal' does it");
    for (const store::CausalBatch& batch : batches) {
        const auto table = causalTable(input.run, batch.results);
        if (!table) return tl::unexpected(table.error());
        std::string note = fmt::format("each expert {} alone, {}", batch.kind == "silence" ? "silenced" : "banned",
                                       batch.samples > 0 ? fmt::format("{} samples of each stream", batch.samples) : "all evaluated samples");
        if (!input.request.set.everything) note += ", those of the set; re-routed tokens are of all";
        const auto wanted = [&](const store::RouterInfo& router) { return !input.request.layer.valid() || router.layer == input.request.layer; };
        for (const ExpertCausal& expert : table->experts) {
            if (!wanted(expert.router)) continue;
            MetricRow row = routerRow("causal", expert.router, table->step);
            row.expert = expert.expert;
            row.note = fmt::format("{}; all {} intervals hold together", note, table->comparisons);
            addEffect(result, row, "delta_vision", expert.vision);
            addEffect(result, row, "delta_text", expert.text);
            row.note = expert.shown ? note : note + "; no effect is shown, so it has none";
            addRow(result, row, "selectivity", expert.selectivity, std::max(expert.vision.samples, expert.text.samples));
            row.note = note;
            addRow(result, std::move(row), "rerouted_rate", expert.tokens > 0 ? static_cast<double>(expert.rerouted) / static_cast<double>(expert.tokens) : 0,
                   expert.tokens);
        }
        for (const RouterCausal& router : table->routers) {
            if (!wanted(router.router)) continue;
            const char* relative = table->relative ? "; of relative differences" : "";
            MetricRow row = routerRow("causal", router.router, table->step);
            row.low = router.least;
            row.high = router.most;
            row.note = fmt::format("{}; over the {} of {} with an effect; the range holds with 95 % at least{}", note, router.experts,
                                   plural(router.router.experts, "expert"), relative);
            addRow(result, row, "causal_specialisation", router.specialisation, router.samples);
            row.low = row.high = kMissing;
            row.note = fmt::format("{}; over all {} with a positive difference, noise included{}", note, plural(router.every_experts, "expert"), relative);
            addRow(result, row, "causal_specialisation_of_all", router.every, router.samples);
            row.note = fmt::format("the same with signs drawn at random, family by family; 95 % of the draws below {}", fixed(router.chance_high, 3));
            addRow(result, std::move(row), "causal_specialisation_chance", router.chance, router.samples);
        }
        const auto comparison = compareBans(input.run, batch.results, result.notes, 0, input.context);
        if (!comparison) return tl::unexpected(comparison.error());
        for (const BanComparison& one : *comparison)
            if (wanted(one.router)) addComparison(result, one, table->step);
    }
    return {};
}

Status addSimilarity(const AnalyzeInput& input, AnalyzeResult& result) {
    const store::Annotations annotations(input.run.folder());
    const auto steps = annotations.similaritySteps(input.run.provenance().run_uuid);
    if (!steps && !askedFor(input, "similarity")) {
        result.notes.push_back("similarity: " + steps.error().message());
        return {};
    }
    if (!steps) return tl::unexpected(steps.error());
    const std::int64_t wanted = input.request.checkpoint >= 0 ? input.request.checkpoint : steps->empty() ? -1 : steps->back();
    const auto kept = annotations.similarities(wanted, input.run.provenance().run_uuid);
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
