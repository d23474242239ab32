// SPDX-License-Identifier: GPL-3.0-or-later
// Rows over a whole probe that are about structure: paths, similarities, groups of tokens, what experts take, two seeds.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "analysis/figures/structure_panels.h"
#include "analysis/figures/train_panels.h"
#include "analysis/figures/wording.h"
#include "analysis/metrics/dependence.h"
#include "analysis/metrics/group_routing.h"
#include "analysis/metrics/labels.h"
#include "analysis/metrics/load.h"
#include "analysis/metrics/pairs.h"
#include "analysis/metrics/paths.h"
#include "analysis/metrics/sample_families.h"
#include "analysis/metrics/spread.h"
#include "analysis/report/metric_rows.h"
#include "analysis/stats/clustered.h"
#include "analysis/stats/resampling.h"

namespace es::analysis {
namespace {

constexpr std::int64_t kLeastOccurrences = 16;  // OpenMoE asks for 128; a probe is smaller
constexpr std::int64_t kListedPaths = 20;

/// Labels of domains as numbers, with the names.
struct Domains {
    std::vector<std::string> names;
    std::vector<std::int32_t> domain_T;
};
Domains domainsOf(const LabelSource& source, const store::RoutingTable& table) {
    Domains domains;
    domains.domain_T.assign(static_cast<std::size_t>(table.tokens), -1);
    for (const Modality modality : {Modality::kVision, Modality::kText}) {
        const TokenLabels labels = source.labels(table, LabelKind::kDomain, modality);
        domains.names = labels.names;
        for (std::size_t t = 0; t < domains.domain_T.size(); ++t)
            if (labels.label_T[t] >= 0) domains.domain_T[t] = labels.label_T[t];
    }
    return domains;
}

Result<LabelSource> sourceOf(const AnalyzeInput& input) {
    auto source = LabelSource::open(input.run);
    if (!source) return source;
    for (const store::RoutingTable& table : input.tables)
        if (auto read = source->add(input.run, samplesOf(table), input.context); !read) return tl::unexpected(read.error());
    return source;
}

void addDivergenceRow(const AnalyzeInput& input, AnalyzeResult& result, const store::RoutingTable& table, const std::string& label,
                      const std::vector<std::int32_t>& group_T, const SampleFamilies& families) {
    const GroupDivergence found = groupDivergence(store::RoutingView(table), group_T, 0, families);
    if (found.tokens_a == 0 || found.tokens_b == 0) return;
    MetricRow row = routerRow("divergence", table.router, input.step);
    row.label = label;
    row.note = fmt::format("{} and {} tokens; 0 alike, ln 2 = 0.693 apart", grouped(found.tokens_a), grouped(found.tokens_b));
    addRow(result, row, "jsd_nats", found.pooled_nats, found.tokens_a + found.tokens_b);
    row.note = "groups exchanged between samples, or between the tokens of samples that hold both; mean of 20 draws";
    addRow(result, row, "jsd_chance_nats", found.pooled_chance_nats, found.tokens_a + found.tokens_b);
    if (found.by_sample.n == 0) return;
    row.low = found.by_sample.low;
    row.high = found.by_sample.high;
    row.note = "mean over samples that hold both; few tokens make it large: see the chance beside";
    addRow(result, row, "jsd_by_sample_nats", found.by_sample.mean, found.by_sample.n);
    row.low = row.high = kMissing;
    row.note = "the same samples, their tokens dealt to the two sides at random";
    addRow(result, std::move(row), "jsd_by_sample_chance_nats", found.chance_nats, found.by_sample.n);
}

}  // namespace

Status addSpread(const AnalyzeInput& input, AnalyzeResult& result) {
    for (const store::RoutingTable& table : input.tables) {
        const store::RoutingView view(table);
        const TokenSpread spread = tokenSpread(view);
        MetricRow row = routerRow("spread", table.router, input.step);
        row.n = spread.tokens;
        if (table.router.layout == store::RoutingLayout::kDenseMass) row.note = "experts with more than their even share of a token's mass";
        if (table.router.layout != store::RoutingLayout::kFixedK) {
            addRow(result, row, "experts_per_token_min", spread.least);
            addRow(result, row, "experts_per_token_mean", spread.mean);
            addRow(result, row, "experts_per_token_max", spread.most);
            for (std::size_t i = 0; i < spread.thresholds.size(); ++i) {
                row.label = fmt::format("at least {}", spread.thresholds[i]);
                addRow(result, row, "share_of_tokens", spread.at_least[i]);
            }
            row.label.clear();
        }
        addRow(result, row, "weight_min", spread.smallest_weight);
        addRow(result, row, "weight_mean_kept", spread.mean_weight);
        addRow(result, row, "weight_max", spread.largest_weight);
        if (table.kept.empty() || std::find(table.kept.begin(), table.kept.end(), 0) == table.kept.end()) continue;
        const DropsByPosition drops = dropsByPosition(view);
        for (std::size_t b = 0; b < drops.first_position.size(); ++b) {
            if (drops.assignments[b] == 0) continue;
            row.label = fmt::format("from position {}", drops.first_position[b]);
            row.note = "positions that fill late are dropped first without priorities";
            addRow(result, row, "drop_rate", static_cast<double>(drops.dropped[b]) / static_cast<double>(drops.assignments[b]), drops.assignments[b]);
        }
    }
    return {};
}

Status addDomains(const AnalyzeInput& input, AnalyzeResult& result) {
    const auto families = SampleFamilies::of(input.run);
    if (!families) return tl::unexpected(families.error());
    auto source = sourceOf(input);
    if (!source) return tl::unexpected(source.error());
    for (const store::RoutingTable& table : input.tables) {
        const Domains domains = domainsOf(*source, table);
        const std::vector<std::int32_t> first = firstChoices(store::RoutingView(table));
        const std::vector<double> joint = labelByExpert(store::RoutingView(table), domains.domain_T, static_cast<std::int32_t>(domains.names.size()));
        const auto experts = static_cast<std::size_t>(table.router.experts);
        for (std::size_t d = 0; d < domains.names.size(); ++d) {
            // Tokens and first choices of this domain, family of samples by family.
            std::unordered_map<std::uint64_t, std::size_t> number;
            std::vector<std::vector<double>> taken(experts);
            std::vector<double> tokens;
            for (std::size_t t = 0; t < domains.domain_T.size(); ++t) {
                if (domains.domain_T[t] != static_cast<std::int32_t>(d)) continue;
                const auto [found, fresh] = number.emplace(table.sample_T.empty() ? 0 : families->of(table.sample_T[t]), tokens.size());
                if (fresh) {
                    tokens.push_back(0);
                    for (auto& column : taken) column.push_back(0);
                }
                tokens[found->second] += 1;
                if (first[t] >= 0) taken[static_cast<std::size_t>(first[t])][found->second] += 1;
            }
            double all = 0;
            for (const double n : tokens) all += n;
            if (!(all > 0)) continue;
            MetricRow row = routerRow("domains", table.router, input.step);
            row.label = domains.names[d];
            row.n = std::llround(all);
            row.note = fmt::format("even: {}", fixed(1.0 / static_cast<double>(experts), 4));
            for (std::size_t e = 0; e < experts; ++e) {
                row.expert = ExpertIndex(static_cast<std::int32_t>(e));
                const Interval share = clusteredShare(taken[e], tokens);
                row.low = share.low;
                row.high = share.high;
                addRow(result, row, "p_first_choice_given_domain", share.mean);
            }
            row.low = row.high = kMissing;
            if (table.router.k > 1) {
                row.note = fmt::format("even: k / E = {}", fixed(static_cast<double>(table.router.k) / static_cast<double>(experts), 4));
                for (std::size_t e = 0; e < experts; ++e) {
                    row.expert = ExpertIndex(static_cast<std::int32_t>(e));
                    addRow(result, row, "p_active_given_domain", joint[d * experts + e] / all);
                }
            }
        }
    }
    return {};
}

Status addContext(const AnalyzeInput& input, AnalyzeResult& result) {
    for (const store::RoutingTable& table : input.tables) {
        const store::RoutingView view(table);
        const auto add = [&](const std::string& what, std::span<const std::int32_t> label_T, Modality modality) {
            const LabelDeviation found = labelDeviation(view, label_T, kLeastOccurrences);
            if (found.labels == 0) return;
            MetricRow row = routerRow("context", table.router, input.step);
            row.modality = modality;
            row.label = what;
            row.note = fmt::format("mean over {} with at least {} assignments of the deviation of their shares over experts; {} when always one expert",
                                   plural(found.labels, "label"), kLeastOccurrences, fixed(found.most, 3));
            addRow(result, row, "share_deviation", found.deviation, found.assignments);
            row.note = "the same labels with their tokens dealt anew, mean of 20 draws";
            addRow(result, std::move(row), "share_deviation_chance", found.chance, found.assignments);
        };
        add("token id", tokenIdLabels(table), Modality::kText);
        for (const Modality modality : {Modality::kVision, Modality::kText}) {
            std::vector<std::int32_t> position_T(static_cast<std::size_t>(table.tokens), -1);
            for (std::size_t t = 0; t < position_T.size() && t < table.position_T.size(); ++t)
                if (t < table.modality_T.size() && table.modality_T[t] == modality) position_T[t] = table.position_T[t];
            add("position", position_T, modality);
        }
    }
    return {};
}

Status addDivergence(const AnalyzeInput& input, AnalyzeResult& result) {
    const auto families = SampleFamilies::of(input.run);
    if (!families) return tl::unexpected(families.error());
    auto source = sourceOf(input);
    if (!source) return tl::unexpected(source.error());
    for (const store::RoutingTable& table : input.tables) {
        const auto tokens = static_cast<std::size_t>(table.tokens);
        std::vector<std::int32_t> group(tokens, -1);
        for (std::size_t t = 0; t < tokens && t < table.modality_T.size(); ++t)
            if (table.modality_T[t] != Modality::kUnknown) group[t] = static_cast<std::int32_t>(table.modality_T[t]);
        addDivergenceRow(input, result, table, "patches and words of one sample", group, *families);
        std::fill(group.begin(), group.end(), -1);
        for (std::size_t t = 0; t < tokens && t < table.objective_T.size(); ++t) {
            if (table.objective_T[t] == Objective::kImage || table.objective_T[t] == Objective::kText) group[t] = 0;
            if (table.objective_T[t] == Objective::kPairImage || table.objective_T[t] == Objective::kPairText) group[t] = 1;
        }
        addDivergenceRow(input, result, table, "alone and in a pair", group, *families);
        const Domains domains = domainsOf(*source, table);
        constexpr std::size_t kMostDomains = 12;  // 66 pairs; beyond, each against the rest
        const std::size_t count = domains.names.size();
        if (count < 2) continue;
        for (std::size_t a = 0; a < count; ++a)
            for (std::size_t b = a + 1; b < (count <= kMostDomains ? count : a + 2); ++b) {
                for (std::size_t t = 0; t < tokens; ++t) {
                    const std::int32_t domain = domains.domain_T[t];
                    const bool other = count <= kMostDomains ? domain == static_cast<std::int32_t>(b) : domain >= 0;
                    group[t] = domain == static_cast<std::int32_t>(a) ? 0 : other ? 1 : -1;
                }
                addDivergenceRow(input, result, table, fmt::format("{} and {}", domains.names[a], count <= kMostDomains ? domains.names[b] : "the rest"), group,
                                 *families);
            }
    }
    return {};
}

Status addPaths(const AnalyzeInput& input, AnalyzeResult& result) {
    if (input.tables.empty()) return {};
    for (const Modality modality : {Modality::kVision, Modality::kText}) {
        const char* words = modality == Modality::kText ? "words" : "patches";
        const std::vector<store::RoutingTable> chain = chainTables(input.tables, modality);
        if (chain.size() < 2) {
            result.notes.push_back(
                fmt::format("paths of {}: they pass {} with experts, two are needed", words, plural(static_cast<std::int64_t>(chain.size()), "router")));
            continue;
        }
        const RoutingPaths paths = routingPaths(chain);
        if (paths.tokens == 0) {
            result.notes.push_back(fmt::format("paths of {}: none pass all of these routers", words));
            continue;
        }
        MetricRow row = runRow("paths", input.step);
        row.modality = modality;
        row.n = paths.tokens;
        std::string through;
        for (const store::RouterInfo& router : paths.routers) through += (through.empty() ? "" : " > ") + routerName(router);
        row.label = through;
        row.note = "first choices";
        addRow(result, row, "paths", static_cast<double>(paths.paths.size()));
        addRow(result, row, "path_entropy_nats", paths.entropy_nats);
        addRow(result, row, "path_entropy_independent_nats", paths.independent_entropy_nats);
        addRow(result, row, "effective_paths", paths.effective_paths);
        addRow(result, row, "top10_share", paths.top10_share);
        for (std::size_t i = 0; i < std::min<std::size_t>(paths.paths.size(), kListedPaths); ++i) {
            const RoutingPath& path = paths.paths[i];
            row.label.clear();
            for (const std::int32_t e : path.experts) row.label += (row.label.empty() ? "" : " > ") + std::to_string(e);
            row.note = fmt::format("{} tokens; {} if layers were independent", grouped(path.tokens), number(path.expected));
            addRow(result, row, "path_share", static_cast<double>(path.tokens) / static_cast<double>(paths.tokens));
        }
    }
    return {};
}

Status addRouterSimilarity(const AnalyzeInput& input, AnalyzeResult& result) {
    for (std::size_t a = 0; a < input.tables.size(); ++a) {
        const store::RoutingTable& table = input.tables[a];
        const std::vector<double> correlation = probabilityCorrelation(table);
        const auto experts = static_cast<std::size_t>(table.router.experts);
        if (!correlation.empty() && experts > 1) {
            double least = 1, most = -1, sum = 0;
            for (std::size_t i = 0; i < experts; ++i)
                for (std::size_t j = i + 1; j < experts; ++j) {
                    least = std::min(least, correlation[i * experts + j]);
                    most = std::max(most, correlation[i * experts + j]);
                    sum += correlation[i * experts + j];
                }
            MetricRow row = routerRow("router_similarity", table.router, input.step);
            row.note = "correlation over tokens of two experts' probabilities, over pairs; unrelated: about -1 / (E - 1)";
            addRow(result, row, "probability_correlation_min", least, table.tokens);
            addRow(result, row, "probability_correlation_mean", sum * 2 / static_cast<double>(experts * (experts - 1)), table.tokens);
            addRow(result, std::move(row), "probability_correlation_max", most, table.tokens);
        }
        for (std::size_t b = a + 1; b < input.tables.size(); ++b) {
            if (input.context.stopRequested()) return stopped("Comparing routers");
            const store::RoutingTable& other = input.tables[b];
            MetricRow row = routerRow("router_similarity", table.router, input.step);
            row.label = "with " + routerName(other.router);
            if (const double cka = routerCka(table, other); std::isfinite(cka)) {
                row.note = "router probabilities over shared tokens";
                addRow(result, row, "linear_cka", cka, std::min(table.tokens, other.tokens));
            }
            if (table.router.branch != other.router.branch || table.router.experts != other.router.experts) continue;
            row.note = "sum of the smaller shares; says something only where layers share one pool of experts, else numbers are arbitrary";
            addRow(result, std::move(row), "usage_overlap",
                   usageOverlap(loadOf(expertLoads(store::RoutingView(table))).share_E, loadOf(expertLoads(store::RoutingView(other))).share_E), table.tokens);
        }
    }
    return {};
}

Status addSeedMatch(const AnalyzeInput& input, AnalyzeResult& result) {
    if (!input.request.against) {
        if (!input.request.metrics.empty()) result.notes.push_back("seed_match: name another run of the same data with --against");
        return {};
    }
    const store::RunReader& other = *input.request.against;
    std::optional<store::ProbeKey> key;
    for (const store::ProbeKey& one : other.probes())
        if (one.variant == "trained" && (!key || one.step == input.step || (key->step != input.step && one.step > key->step))) key = one;
    if (!key) {
        result.notes.push_back("seed_match: the other run has no probe");
        return {};
    }
    constexpr std::uint64_t kDraws = 20;
    for (const store::RoutingTable& table : input.tables) {
        const std::vector<store::RouterInfo> routers = other.routers();
        const auto same = std::find_if(routers.begin(), routers.end(), [&](const store::RouterInfo& router) {
            return router.layer == table.router.layer && router.branch == table.router.branch;
        });
        if (same == routers.end()) continue;
        auto theirs = other.probe(*key, same->id);
        if (!theirs) return tl::unexpected(theirs.error());
        const std::vector<std::int64_t> rows = alignTokens(table, *theirs);
        const std::vector<std::int32_t> first_a = firstChoices(store::RoutingView(table)), first_b = firstChoices(store::RoutingView(*theirs));
        std::vector<std::int32_t> a, b;
        for (std::size_t t = 0; t < rows.size(); ++t)
            if (rows[t] >= 0) a.push_back(first_a[t]), b.push_back(first_b[static_cast<std::size_t>(rows[t])]);
        const std::int32_t experts = std::max(table.router.experts, same->experts);
        const ExpertMatch match = matchExperts(a, b, experts);
        MetricRow row = routerRow("seed_match", table.router, input.step);
        row.label = fmt::format("with {} at step {}", other.config().run.name, key->step);
        if (match.tokens == 0) {
            result.notes.push_back("seed_match: the two runs were not probed with the same samples");
            return {};
        }
        double chance = 0;
        std::vector<std::int32_t> dealt(b.size());
        for (std::uint64_t draw = 0; draw < kDraws; ++draw) {
            const std::vector<std::int32_t> order = permutation(static_cast<std::int32_t>(b.size()), 0, draw);
            for (std::size_t t = 0; t < b.size(); ++t) dealt[t] = b[static_cast<std::size_t>(order[t])];
            chance += matchExperts(a, dealt, experts).agreement / static_cast<double>(kDraws);
        }
        row.note = "after the best one-to-one matching of experts";
        addRow(result, row, "agreement", match.agreement, match.tokens);
        row.note = "the same matching fitted to tokens dealt anew, mean of 20 draws";
        addRow(result, row, "agreement_chance", chance, match.tokens);
        const MutualInformation shared = mutualInformation(match.count_EE, experts, experts);
        row.note = "needs no matching";
        addRow(result, row, "mi_nats", shared.mi_nats, match.tokens);
        addRow(result, row, "nmi", shared.nmi, match.tokens);
        for (std::size_t e = 0; e < match.permutation_E.size(); ++e) {
            row.expert = ExpertIndex(static_cast<std::int32_t>(e));
            row.note = "number of the expert it is matched with";
            addRow(result, row, "matched_expert", match.permutation_E[e], match.tokens);
        }
    }
    return {};
}

}  // namespace es::analysis
