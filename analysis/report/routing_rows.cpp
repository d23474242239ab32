// SPDX-License-Identifier: GPL-3.0-or-later
// Rows that come from one probe: load, confidence, labels, pairs.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "analysis/figures/train_panels.h"
#include "analysis/figures/wording.h"
#include "analysis/metrics/chance.h"
#include "analysis/metrics/confidence.h"
#include "analysis/metrics/dependence.h"
#include "analysis/metrics/group_routing.h"
#include "analysis/metrics/labels.h"
#include "analysis/metrics/load.h"
#include "analysis/metrics/neighbours.h"
#include "analysis/metrics/pairs.h"
#include "analysis/metrics/sample_families.h"
#include "analysis/metrics/stability.h"
#include "analysis/report/metric_rows.h"
#include "analysis/stats/clustered.h"
#include "analysis/stats/multiple.h"
#include "analysis/stats/quantiles.h"

namespace es::analysis {
namespace {

constexpr std::int64_t kLastSteps = 100;

void addLoadStats(AnalyzeResult& result, MetricRow row, const LoadStats& load) {
    row.n = std::llround(load.total);
    for (std::size_t e = 0; e < load.share_E.size(); ++e) {
        MetricRow one = row;
        one.expert = ExpertIndex(static_cast<std::int32_t>(e));
        addRow(result, std::move(one), "share", load.share_E[e]);
    }
    addRow(result, row, "cv", load.cv);
    addRow(result, row, "max_vio", load.max_vio);
    addRow(result, row, "cv_squared", load.cv * load.cv);
    addRow(result, row, "imbalance", load.imbalance);
    addRow(result, row, "min_share", load.min_share);
    addRow(result, row, "max_min_ratio", load.max_min_ratio);
    addRow(result, row, "top_fifth_share", load.top_share);
    addRow(result, row, "bottom_fifth_share", load.bottom_share);
    addRow(result, row, "relative_perplexity", load.relative_perplexity);
    addRow(result, row, "effective_experts", load.effective_experts);
    addRow(result, row, "normalized_entropy", load.normalized_entropy);
    addRow(result, std::move(row), "dead_experts", static_cast<double>(load.dead));
}

/// What first choices alone, and probabilities, say of the balance.
void addFirstChoices(AnalyzeResult& result, MetricRow row, const store::RoutingTable& table) {
    const auto experts = static_cast<std::size_t>(table.router.experts);
    row.n = table.tokens;
    if (table.router.layout != store::RoutingLayout::kFixedK || table.router.k > 1) {
        std::vector<double> first(experts, 0);
        for (const std::int32_t e : firstChoices(store::RoutingView(table)))
            if (e >= 0) first[static_cast<std::size_t>(e)] += 1;
        const LoadStats load = loadOf(first);
        MetricRow one = row;
        one.note = "first choices only";
        for (std::size_t e = 0; e < experts; ++e) {
            one.expert = ExpertIndex(static_cast<std::int32_t>(e));
            addRow(result, one, "first_choice_share", load.share_E[e]);
        }
    }
    if (table.probs_TE.empty()) return;
    std::vector<double> importance(experts, 0);
    for (std::size_t i = 0; i < table.probs_TE.size(); ++i) importance[i % experts] += static_cast<double>(table.probs_TE[i]);
    const double cv = loadOf(importance).cv;
    row.note = "of the sum of probabilities (V-MoE's importance)";
    addRow(result, std::move(row), "importance_cv_squared", cv * cv);
}

/// Tokens of group 0 and 1, and those for which an expert is active, by family of samples.
struct ActiveBySample {
    std::vector<double> y[2], n[2];
};
std::vector<ActiveBySample> activeBySample(const store::RoutingView& view, const std::vector<std::int32_t>& group_T, const SampleFamilies& families) {
    std::vector<ActiveBySample> result(static_cast<std::size_t>(view.experts()));
    std::unordered_map<std::uint64_t, std::size_t> number;
    const bool dense = view.router().layout == store::RoutingLayout::kDenseMass;
    for (std::int64_t t = 0; t < view.tokens(); ++t) {
        const auto at = static_cast<std::size_t>(t);
        if (at >= group_T.size() || group_T[at] < 0 || group_T[at] > 1) continue;
        const auto [found, fresh] = number.emplace(view.table().sample_T.empty() ? at : families.of(view.table().sample_T[at]), number.size());
        const std::size_t sample = found->second;
        const auto group = static_cast<std::size_t>(group_T[at]);
        for (ActiveBySample& one : result) {
            for (std::size_t side = 0; side < 2 && fresh; ++side) one.y[side].push_back(0), one.n[side].push_back(0);
            one.n[group][sample] += 1;
        }
        view.forEachAssignmentOf(t, [&](std::int64_t, ExpertIndex e, float gate, bool) {
            if (e.valid() && e.value < view.experts()) result[static_cast<std::size_t>(e.value)].y[group][sample] += dense ? static_cast<double>(gate) : 1.0;
        });
    }
    return result;
}

/// How much experts tell of the modality where both share a pool.
void addModalityDependence(AnalyzeResult& result, const store::RoutingTable& table, std::int64_t step, const SampleFamilies& families) {
    std::vector<std::int32_t> modality_T;
    for (const Modality m : table.modality_T) modality_T.push_back(m == Modality::kUnknown ? -1 : static_cast<std::int32_t>(m));
    const MutualInformation shared = mutualInformation(modality_T, firstChoices(store::RoutingView(table)));
    if (shared.labels < 2) return;
    MetricRow row = routerRow("modality", table.router, step);
    row.note = "first choice and modality; unequal numbers of tokens and a balance loss bound it";
    addRow(result, row, "mi_nats", shared.mi_nats, shared.tokens);
    addRow(result, row, "nmi", shared.nmi, shared.tokens);
    const std::vector<ActiveBySample> sides = activeBySample(store::RoutingView(table), modality_T, families);
    for (std::size_t e = 0; e < sides.size(); ++e) {
        const Interval difference = clusteredDifference(sides[e].y[0], sides[e].n[0], sides[e].y[1], sides[e].n[1]);
        row.expert = ExpertIndex(static_cast<std::int32_t>(e));
        row.low = difference.low;
        row.high = difference.high;
        row.note = "p(active | patch) - p(active | word); interval over samples";
        addRow(result, row, "risk_difference", difference.mean, difference.n);
    }
}

/// The training steps up to the checkpoint that a router's state is averaged over.
Result<std::vector<store::LoadRecord>> lastRecords(const AnalyzeInput& input, RouterId router) {
    return input.run.loadRecords(router, std::max<std::int64_t>(input.step - kLastSteps + 1, 0), input.step);
}

std::string trainingLabel(const std::vector<store::LoadRecord>& records) {
    return fmt::format("training, steps {} to {}", records.front().step, records.back().step);
}

}  // namespace

Status addLoad(const AnalyzeInput& input, AnalyzeResult& result) {
    for (const store::RoutingTable& table : input.tables) {
        MetricRow row = routerRow("load", table.router, input.step);
        row.label = "probe";
        const store::RoutingView view(table);
        addLoadStats(result, row, loadOf(expertLoads(view)));
        addFirstChoices(result, row, table);
        const DropStats dropped = drops(view);
        addRow(result, row, "drop_rate", dropped.dropRate(), dropped.assignments);
        addRow(result, row, "left_behind_rate", dropped.tokens > 0 ? static_cast<double>(dropped.left_behind) / static_cast<double>(dropped.tokens) : kMissing,
               dropped.tokens);
    }
    for (const store::RouterInfo& router : input.routers) {
        auto records = lastRecords(input, router.id);
        if (!records) return tl::unexpected(records.error());
        if (records->empty()) {
            result.notes.push_back(fmt::format("load: no training load of router {} before step {}", routerName(router), input.step));
            continue;
        }
        std::vector<double> counts(static_cast<std::size_t>(router.experts), 0);
        double dropped = 0, assignments = 0, max_vio = 0, balance = 0, z = 0;
        std::int64_t balanced = 0, z_steps = 0;
        for (const store::LoadRecord& record : *records) {
            dropped += record.dropped;
            if (std::isfinite(record.balance_loss)) balance += static_cast<double>(record.balance_loss), ++balanced;
            if (std::isfinite(record.z_loss)) z += static_cast<double>(record.z_loss), ++z_steps;
            const std::vector<double> load = store::expertLoad(router, record);
            max_vio += loadOf(load).max_vio / static_cast<double>(records->size());
            for (std::size_t e = 0; e < std::min(counts.size(), load.size()); ++e) {
                counts[e] += load[e];
                assignments += load[e];
            }
        }
        MetricRow row = routerRow("load", router, input.step);
        row.label = trainingLabel(*records);
        addLoadStats(result, row, loadOf(counts));
        addRow(result, row, "drop_rate", assignments > 0 ? dropped / assignments : kMissing, std::llround(assignments));
        const auto steps = static_cast<std::int64_t>(records->size());
        row.note = "mean over step and modality of each one's own";
        addRow(result, row, "max_vio_of_a_step", max_vio, steps);
        row.note = "unscaled, mean";
        if (balanced > 0) addRow(result, row, "balance_loss", balance / static_cast<double>(balanced), balanced);
        if (z_steps > 0) addRow(result, std::move(row), "z_loss", z / static_cast<double>(z_steps), z_steps);
    }
    return {};
}

Status addConfidence(const AnalyzeInput& input, AnalyzeResult& result) {
    for (const store::RoutingTable& table : input.tables) {
        const ConfidenceStats stats = confidence(store::RoutingView(table));
        MetricRow row = routerRow("confidence", table.router, input.step);
        row.label = "probe";
        row.n = stats.tokens;
        addRow(result, row, "entropy_nats", stats.entropy_nats);
        addRow(result, row, "entropy_normalized",
               table.router.experts > 1 ? stats.entropy_nats / std::log(static_cast<double>(table.router.experts)) : kMissing);
        addRow(result, row, "top1", stats.top1);
        addRow(result, row, "margin12", stats.margin12);
        addRow(result, row, "boundary_margin", stats.boundary_margin);
        addRow(result, row, "chosen_mass", stats.chosen_mass);
        const std::vector<double> entropies = tokenEntropies(store::RoutingView(table));
        for (const double p : {0.1, 0.5, 0.9}) {
            if (entropies.empty()) break;
            row.label = fmt::format("probe, {:.0f} % quantile of tokens", p * 100);
            addRow(result, row, "entropy_nats", quantile(entropies, p));
        }
        row.label = "probe";
        row.note = "of the renormalised weights of the chosen, over ln k; 1: all alike";
        if (const double chosen = chosenEntropy(store::RoutingView(table)); std::isfinite(chosen))
            addRow(result, std::move(row), "chosen_entropy_normalized", chosen);
    }
    for (const store::RouterInfo& router : input.routers) {
        auto records = lastRecords(input, router.id);
        if (!records) return tl::unexpected(records.error());
        if (records->empty()) continue;
        double tokens = 0, logsumexp = 0, largest = 0;
        for (const store::LoadRecord& record : *records) {
            tokens += static_cast<double>(record.tokens);
            logsumexp += record.logsumexp * static_cast<double>(record.tokens);
            largest = std::max<double>(largest, record.max_abs_logit);
        }
        MetricRow row = routerRow("confidence", router, input.step);
        row.label = trainingLabel(*records);
        row.n = std::llround(tokens);
        addRow(result, row, "logsumexp", tokens > 0 ? logsumexp / tokens : kMissing);
        addRow(result, std::move(row), "max_abs_logit", largest);
    }
    return {};
}

Status addModality(const AnalyzeInput& input, AnalyzeResult& result) {
    const auto families = SampleFamilies::of(input.run);
    if (!families) return tl::unexpected(families.error());
    for (const store::RoutingTable& table : input.tables) {
        const ModalitySplit split = modalitySplit(store::RoutingView(table));
        for (std::int32_t m = 0; m < split.modalities; ++m) {
            const auto at = static_cast<std::size_t>(m);
            if (!(split.base_M[at] > 0)) continue;
            MetricRow row = routerRow("modality", table.router, input.step);
            row.modality = static_cast<Modality>(m);
            row.n = table.tokens;
            addRow(result, row, "base_rate", split.base_M[at]);
            if (split.base_M[at] < 1) {
                row.note = "most p(modality | expert) that balanced experts can have: base rate x E, at most 1";
                addRow(result, row, "p_modality_given_expert_cap", std::min(1.0, split.base_M[at] * split.experts));
                row.note.clear();
            }
            for (std::int32_t e = 0; e < split.experts; ++e) {
                row.expert = ExpertIndex(e);
                addRow(result, row, "p_expert_given_modality", split.p_expert_given_modality_ME[static_cast<std::size_t>(m * split.experts + e)]);
            }
            for (std::int32_t e = 0; e < split.experts; ++e) {
                row.expert = ExpertIndex(e);
                addRow(result, row, "p_modality_given_expert", split.p_modality_given_expert_EM[static_cast<std::size_t>(e * split.modalities + m)]);
            }
        }
        addModalityDependence(result, table, input.step, *families);
    }
    return {};
}

Status addSpecialisation(const AnalyzeInput& input, AnalyzeResult& result) {
    if (input.tables.empty()) return {};
    auto rows = specialisation(input.run, input.step, input.request.specialisation, input.context);
    if (!rows) return tl::unexpected(rows.error());
    std::erase_if(*rows, [&](const Specialisation& row) { return input.request.layer.valid() && row.router.layer != input.request.layer; });
    for (const Specialisation& one : *rows) {
        MetricRow row = routerRow("specialisation", one.router, one.step);
        row.label = toString(one.label);
        row.modality = one.modality;
        row.n = one.tokens;
        addRow(result, row, "mi_nats", one.mi_nats);
        addRow(result, row, "nmi", one.nmi);
        addRow(result, row, "ami", one.ami);
        addRow(result, row, "mi_expected_nats", one.expected_mi_nats);
        addRow(result, row, "h_label_nats", one.h_label_nats);
        addRow(result, row, "h_expert_nats", one.h_expert_nats);
        const auto add = [&](const SpecialisationBaseline& baseline, const std::string& name, const char* high) {
            MetricRow base = row;
            base.note = baseline.available() ? plural(baseline.draws, "draw") : baseline.missing;
            addRow(result, base, "nmi_" + name + "_mean", baseline.nmi_mean);
            addRow(result, base, "nmi_" + name + high, baseline.nmi_max);
            addRow(result, base, "mi_" + name + "_mean_nats", baseline.mi_mean);
            addRow(result, std::move(base), "mi_" + name + high + "_nats", baseline.mi_max);
        };
        add(one.random_router, "random_router", "_max");
        add(one.untrained, "untrained", "_max");
        add(one.permutation, "permutation", "_quantile");
        {
            MetricRow p = row;
            if (one.p <= kLeastP) p.note = fmt::format("at most {}: beyond all draws", kLeastP);
            addRow(result, std::move(p), "p_permutation", one.p);
        }
        addRow(result, row, "p_holm", one.p_holm);
        addRow(result, row, "families", static_cast<double>(one.families));
        addRow(result, row, "blank_tokens", static_cast<double>(one.blank_tokens));
        if (one.background_left_out > 0) addRow(result, row, "background_left_out", static_cast<double>(one.background_left_out));
        addRow(result, row, "above_all_baselines", one.aboveAll() ? 1 : 0);
        addRow(result, row, "found", one.found() ? 1 : 0);
        for (const LabelPreference& preference : one.preferences) {
            MetricRow pair = row;
            pair.expert = ExpertIndex(preference.expert);
            pair.label = std::string(toString(one.label)) + ": " + preference.label;
            pair.n = preference.label_tokens;
            pair.note = fmt::format("p {} after correction; base rates: expert {}, label {}", preference.p < 0.0001 ? "< 0.0001" : fixed(preference.p, 4),
                                    fixed(preference.p_expert, 4), fixed(preference.p_label, 4));
            addRow(result, pair, "p_expert_given_label", preference.p_expert_given_label);
            addRow(result, pair, "p_label_given_expert", preference.p_label_given_expert);
            addRow(result, pair, "npmi", preference.npmi);
            pair.low = preference.low;
            pair.high = preference.high;
            addRow(result, std::move(pair), "risk_difference", preference.risk_difference);
        }
        for (const std::string& note : one.notes) {
            std::string words = fmt::format("specialisation: {}: {}", routerName(one.router), note);
            if (std::find(result.notes.begin(), result.notes.end(), words) == result.notes.end()) result.notes.push_back(std::move(words));
        }
    }
    result.verdict = specialisationVerdict(*rows);
    result.specialisation = std::move(*rows);
    return {};
}

Status addCategories(const AnalyzeInput& input, AnalyzeResult& result) {
    for (const store::RoutingTable& table : input.tables) {
        auto categories = categoryLabels(input.run, samplesOf(table));
        if (!categories) return tl::unexpected(categories.error());
        const std::int32_t labels = categories->blankLabel() + 1, experts = table.router.experts;
        const std::vector<std::int32_t> label_T = categories->of(table);
        const std::vector<double> joint = labelByExpert(store::RoutingView(table), label_T, labels), values = npmi(joint, labels, experts);
        std::vector<double> weights, tokens_of(static_cast<std::size_t>(labels), 0);
        if (!table.gates.empty()) weights = labelByExpert(store::RoutingView(table), label_T, labels, Weighing::kMass);
        for (const std::int32_t label : label_T)
            if (label >= 0) tokens_of[static_cast<std::size_t>(label)] += 1;
        for (std::int32_t l = 0; l < labels; ++l) {
            double total = 0;
            for (std::int32_t e = 0; e < experts; ++e) total += joint[static_cast<std::size_t>(l * experts + e)];
            if (!(total > 0)) continue;
            MetricRow row = routerRow("categories", table.router, input.step);
            row.label = l == categories->blankLabel() ? "(blank patches)" : categories->names[static_cast<std::size_t>(l)];
            row.n = std::llround(total);
            for (std::int32_t e = 0; e < experts; ++e) {
                row.expert = ExpertIndex(e);
                addRow(result, row, "npmi", values[static_cast<std::size_t>(l * experts + e)]);
            }
            for (std::int32_t e = 0; e < experts; ++e) {
                row.expert = ExpertIndex(e);
                addRow(result, row, "p_expert_given_category", joint[static_cast<std::size_t>(l * experts + e)] / total);
            }
            for (std::int32_t e = 0; e < experts && !weights.empty(); ++e) {
                row.expert = ExpertIndex(e);
                addRow(result, row, "mean_weight", weights[static_cast<std::size_t>(l * experts + e)] / tokens_of[static_cast<std::size_t>(l)]);
            }
        }
    }
    return {};
}

Status addVocabulary(const AnalyzeInput& input, AnalyzeResult& result) {
    for (const store::RoutingTable& table : input.tables) {
        const std::vector<std::int32_t> ids = tokenIdLabels(table);
        const auto words = std::count_if(ids.begin(), ids.end(), [](std::int32_t id) { return id >= 0; });
        if (words == 0) continue;
        MetricRow row = routerRow("vocabulary", table.router, input.step);
        row.modality = Modality::kText;
        row.note = "1 / E would be even; ids seen once count as 1 at k = 1";
        addRow(result, row, "specialization", vocabularySpecialisation(store::RoutingView(table), ids), words);
        row.note = "the same with words dealt anew, mean of 20 draws: what the numbers of occurrences give";
        addRow(result, row, "specialization_chance", vocabularyChance(store::RoutingView(table), ids, 20, 0), words);
        if (table.router.layout != store::RoutingLayout::kFixedK || table.router.k > 1) {
            const store::RoutingTable first = firstChoiceTable(table);
            row.note = "first choices only";
            addRow(result, row, "specialization_first", vocabularySpecialisation(store::RoutingView(first), ids), words);
            row.note = "first choices only, words dealt anew";
            addRow(result, std::move(row), "specialization_first_chance", vocabularyChance(store::RoutingView(first), ids, 20, 0), words);
        }
    }
    return {};
}

Status addRepetition(const AnalyzeInput& input, AnalyzeResult& result) {
    const auto samples = input.run.sampleList();
    if (!samples) return tl::unexpected(samples.error());
    std::unordered_map<std::uint64_t, std::int32_t> grid_width;
    for (const store::SampleRecord& sample : *samples) grid_width.emplace(sample.hash, sample.grid_width);
    for (const store::RoutingTable& table : input.tables) {
        const NeighbourStats stats = neighbourStats(store::RoutingView(table), grid_width);
        MetricRow row = routerRow("repetition", table.router, input.step);
        row.n = stats.pairs;
        row.note = "chance: sum of squared shares of first choices";
        addRow(result, row, "repetition_rate", stats.same_first);
        addRow(result, row, "repetition_chance", stats.same_first_chance);
        if (std::isfinite(stats.any_of_two)) {
            row.note = "first two choices share an expert; chance: two tokens drawn from all, with the pairs that they have";
            addRow(result, row, "first_or_second_rate", stats.any_of_two);
            addRow(result, row, "first_or_second_chance", stats.any_of_two_chance);
        }
        if (std::isfinite(stats.overlap) && table.router.k > 1) {
            row.note = "shared experts of neighbours / k; chance: from how often each expert is active";
            addRow(result, row, "adjacent_overlap", stats.overlap);
            addRow(result, row, "adjacent_overlap_chance", stats.overlap_chance);
        }
    }
    return {};
}

Status addCoactivation(const AnalyzeInput& input, AnalyzeResult& result) {
    for (const store::RoutingTable& table : input.tables) {
        if (table.router.layout == store::RoutingLayout::kFixedK && table.router.k < 2) {
            result.notes.push_back(fmt::format("coactivation: router {} chooses one expert a token", routerName(table.router)));
            continue;
        }
        const Coactivation pairs = coactivation(store::RoutingView(table));
        const std::vector<std::int32_t> order = coactivationOrder(pairs);
        for (std::size_t place = 0; place < order.size(); ++place) {
            MetricRow row = routerRow("coactivation", table.router, input.step);
            row.expert = ExpertIndex(order[place]);
            row.note = "place when experts that are active together stand together";
            addRow(result, std::move(row), "cluster_place", static_cast<double>(place), table.tokens);
        }
        for (std::int32_t i = 0; i < pairs.experts; ++i)
            for (std::int32_t j = 0; j < pairs.experts; ++j) {
                if (i == j) continue;
                const auto at = static_cast<std::size_t>(i * pairs.experts + j);
                MetricRow row = routerRow("coactivation", table.router, input.step);
                row.expert = ExpertIndex(i);
                row.label = fmt::format("with expert {}", j);
                addRow(result, std::move(row), "conditional", pairs.conditional_EE[at],
                       std::llround(pairs.count_EE[static_cast<std::size_t>(i * pairs.experts + i)]));
            }
    }
    return {};
}

Status addFlow(const AnalyzeInput& input, AnalyzeResult& result) {
    for (const store::RoutingTable& from : input.tables) {
        const store::RoutingTable* next = nullptr;
        for (const store::RoutingTable& to : input.tables)
            if (to.router.branch == from.router.branch && to.router.layer > from.router.layer && (!next || to.router.layer < next->router.layer)) next = &to;
        if (!next) continue;
        const Flow counts = flow(from, *next);
        const MutualInformation shared = mutualInformation(counts.count_EE, counts.from_experts, counts.to_experts);
        MetricRow row = routerRow("flow", from.router, input.step);
        row.label = "to " + routerName(next->router);
        addRow(result, row, "mi_nats", shared.mi_nats, counts.tokens);
        addRow(result, row, "nmi", shared.nmi, counts.tokens);
        // Chance is exact only where a token counts once.
        const auto single = [](const store::RouterInfo& router) { return router.layout == store::RoutingLayout::kFixedK && router.k == 1; };
        if (single(from.router) && single(next->router)) {
            const AdjustedInformation adjusted = adjustedInformation(counts.count_EE, counts.from_experts, counts.to_experts);
            row.note = "adjusted for chance among single tokens; an untrained router follows the one before it as well";
            addRow(result, row, "ami", adjusted.ami, counts.tokens);
            addRow(result, std::move(row), "mi_expected_nats", adjusted.expected_mi_nats, counts.tokens);
        }
    }
    return {};
}

Status addChange(const AnalyzeInput& input, AnalyzeResult& result) {
    std::vector<store::ProbeKey> keys;
    for (const store::ProbeKey& key : input.run.probes())
        if (key.variant == "trained" && key.step <= input.step) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    if (keys.size() < 2) {
        if (!input.routers.empty()) result.notes.push_back("change: fewer than two probes");
        return {};
    }
    for (std::size_t r = 0; r < input.tables.size(); ++r) {
        const store::RoutingTable& last = input.tables[r];
        std::optional<store::RoutingTable> before;
        for (const store::ProbeKey& key : keys) {
            if (input.context.stopRequested()) return stopped("Comparing checkpoints");
            auto table = input.run.probe(key, last.router.id);
            if (!table) return tl::unexpected(table.error());
            MetricRow row = routerRow("change", last.router, key.step);
            if (before) {
                const RoutingChange step = compareRouting(*before, *table);
                row.label = fmt::format("since step {}", before->step);
                addRow(result, row, "changed_first", step.changed_first, step.tokens);
                addRow(result, row, "changed_slots", step.changed_slots, step.tokens);
            }
            const RoutingChange rest = compareRouting(*table, last);
            row.label = fmt::format("with step {}", last.step);
            if (last.router.k > 0) row.note = fmt::format("chance {:.3f}", chanceOverlap(last.router.experts, last.router.k));
            addRow(result, row, "overlap", rest.overlap, rest.tokens);
            row.note = fmt::format("first choices; chance {:.3f}", chanceOverlap(last.router.experts, 1));
            addRow(result, row, "overlap_first", 1 - rest.changed_first, rest.tokens);
            row.note = last.router.k > 1
                           ? fmt::format("two random choices share an expert with probability {:.3f}", chanceAnyShared(last.router.experts, last.router.k))
                           : std::string();
            addRow(result, std::move(row), "iou", rest.iou, rest.tokens);
            before = std::move(*table);
        }
    }
    return {};
}

}  // namespace es::analysis
