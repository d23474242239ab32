// SPDX-License-Identifier: GPL-3.0-or-later
// Rows that come from one probe: load, confidence, labels, pairs.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "analysis/figures/train_panels.h"
#include "analysis/figures/wording.h"
#include "analysis/metrics/confidence.h"
#include "analysis/metrics/dependence.h"
#include "analysis/metrics/labels.h"
#include "analysis/metrics/load.h"
#include "analysis/metrics/pairs.h"
#include "analysis/metrics/stability.h"
#include "analysis/report/metric_rows.h"

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
    addRow(result, row, "imbalance", load.imbalance);
    addRow(result, row, "effective_experts", load.effective_experts);
    addRow(result, row, "normalized_entropy", load.normalized_entropy);
    addRow(result, std::move(row), "dead_experts", static_cast<double>(load.dead));
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
        double dropped = 0, assignments = 0;
        for (const store::LoadRecord& record : *records) {
            dropped += record.dropped;
            const std::vector<double> load = store::expertLoad(router, record);
            for (std::size_t e = 0; e < std::min(counts.size(), load.size()); ++e) {
                counts[e] += load[e];
                assignments += load[e];
            }
        }
        MetricRow row = routerRow("load", router, input.step);
        row.label = trainingLabel(*records);
        addLoadStats(result, row, loadOf(counts));
        addRow(result, std::move(row), "drop_rate", assignments > 0 ? dropped / assignments : kMissing, std::llround(assignments));
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
        addRow(result, std::move(row), "chosen_mass", stats.chosen_mass);
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
    for (const store::RoutingTable& table : input.tables) {
        const ModalitySplit split = modalitySplit(store::RoutingView(table));
        for (std::int32_t m = 0; m < split.modalities; ++m) {
            const auto at = static_cast<std::size_t>(m);
            if (!(split.base_M[at] > 0)) continue;
            MetricRow row = routerRow("modality", table.router, input.step);
            row.modality = static_cast<Modality>(m);
            row.n = table.tokens;
            addRow(result, row, "base_rate", split.base_M[at]);
            for (std::int32_t e = 0; e < split.experts; ++e) {
                row.expert = ExpertIndex(e);
                addRow(result, row, "p_expert_given_modality", split.p_expert_given_modality_ME[static_cast<std::size_t>(m * split.experts + e)]);
            }
            for (std::int32_t e = 0; e < split.experts; ++e) {
                row.expert = ExpertIndex(e);
                addRow(result, row, "p_modality_given_expert", split.p_modality_given_expert_EM[static_cast<std::size_t>(e * split.modalities + m)]);
            }
        }
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
        addRow(result, row, "blank_tokens", static_cast<double>(one.blank_tokens));
        addRow(result, row, "above_all_baselines", one.aboveAll() ? 1 : 0);
        for (const std::string& note : one.notes) result.notes.push_back(fmt::format("specialisation: {}: {}", routerName(one.router), note));
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
        const std::vector<double> joint = labelByExpert(store::RoutingView(table), categories->of(table), labels), values = npmi(joint, labels, experts);
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
        addRow(result, std::move(row), "specialization", vocabularySpecialisation(store::RoutingView(table), ids), words);
    }
    return {};
}

Status addRepetition(const AnalyzeInput& input, AnalyzeResult& result) {
    for (const store::RoutingTable& table : input.tables) {
        const std::vector<std::int32_t> experts = firstChoices(store::RoutingView(table));
        // A sequence is one sample's tokens of one modality and stream.
        std::vector<std::int64_t> sequence(static_cast<std::size_t>(table.tokens), 0);
        std::int64_t number = 0;
        for (std::size_t t = 1; t < sequence.size(); ++t) {
            const bool same = (table.sample_T.empty() || table.sample_T[t] == table.sample_T[t - 1]) &&
                              (table.modality_T.empty() || table.modality_T[t] == table.modality_T[t - 1]) &&
                              (table.objective_T.empty() || table.objective_T[t] == table.objective_T[t - 1]);
            sequence[t] = same ? number : ++number;
        }
        const LoadStats load = loadOf(expertLoads(store::RoutingView(table)));
        double chance = 0;
        for (const double share : load.share_E) chance += share * share;
        MetricRow row = routerRow("repetition", table.router, input.step);
        row.note = "chance: sum of squared shares";
        addRow(result, row, "repetition_rate", repetitionRate(sequence, experts), table.tokens);
        addRow(result, std::move(row), "repetition_chance", chance, table.tokens);
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
        addRow(result, std::move(row), "nmi", shared.nmi, counts.tokens);
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
            addRow(result, std::move(row), "overlap", rest.overlap, rest.tokens);
            before = std::move(*table);
        }
    }
    return {};
}

}  // namespace es::analysis
