// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/figures/structure_panels.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "analysis/figures/train_panels.h"
#include "analysis/figures/wording.h"
#include "analysis/metrics/load.h"
#include "analysis/stats/clustering.h"
#include "engine/store/annotations.h"
#include "engine/store/routing_tables.h"

namespace es::analysis {
namespace {

Result<store::ProbeKey> structureProbe(const store::RunReader& run, std::int64_t step) {
    std::optional<store::ProbeKey> best;
    for (const store::ProbeKey& key : run.probes())
        if (key.variant == "trained" && (step < 0 || key.step == step) && (!best || key.step > best->step)) best = key;
    if (best) return *best;
    if (run.routers().empty())
        return jobFailed("No experts to show", "this model is dense: it has no routers", "Choose a run with experts", run.folder().string());
    return jobFailed("No probe to show", step < 0 ? "the run has no probe yet" : fmt::format("the run has no probe of step {}", step),
                     "Probes are written with every checkpoint when record.probe_samples is above 0", run.folder().string());
}

std::vector<store::RouterInfo> sortedRouters(const store::RunReader& run) {
    std::vector<store::RouterInfo> routers = run.routers();
    std::stable_sort(routers.begin(), routers.end(),
                     [](const store::RouterInfo& a, const store::RouterInfo& b) { return std::pair(a.layer, a.branch) < std::pair(b.layer, b.branch); });
    return routers;
}

constexpr const char* kSoftChoices = "soft routing: every expert takes a share of every token; of each token the expert of its largest share counts";

bool isSoft(const store::RouterInfo& router) { return router.layout == store::RoutingLayout::kDenseMass; }

/// A square map of experts in the order of a clustering.
HeatmapPanel orderedMap(const std::vector<double>& values_EE, const std::vector<std::int32_t>& order) {
    HeatmapPanel map;
    map.rows = map.columns = static_cast<std::int32_t>(order.size());
    map.x.title = map.y.title = "expert";
    map.row_is_expert = map.column_is_expert = true;
    map.row_expert = map.column_expert = order;
    for (const std::int32_t i : order) {
        map.x.categories.push_back(std::to_string(i));
        map.y.categories.push_back(std::to_string(i));
        for (const std::int32_t j : order)
            map.values.push_back(i == j ? kMissing : values_EE[static_cast<std::size_t>(i) * order.size() + static_cast<std::size_t>(j)]);
    }
    return map;
}

/// In a pool the places of patches and of words are two rows.
std::string labelOf(const Specialisation& row) {
    std::string title(labelTitle(row.label));
    if (row.router.branch == Branch::kAll && row.label == LabelKind::kPosition) title += row.modality == Modality::kText ? " (words)" : " (patches)";
    return title;
}

std::string pWords(double p) { return p < 0.001 ? std::string("< 0.001") : fixed(p, 3); }

}  // namespace

Result<Panel> probeExpertMap(const store::RunReader& run, std::int64_t step) {
    const auto key = structureProbe(run, step);
    if (!key) return tl::unexpected(key.error());
    Panel panel;
    HeatmapPanel map;
    const std::vector<store::RouterInfo> routers = sortedRouters(run);
    for (const store::RouterInfo& router : routers) map.columns = std::max(map.columns, router.experts);
    std::int64_t dead = 0;
    double largest = 0, least = 1;
    for (const store::RouterInfo& router : routers) {
        auto table = run.probe(*key, router.id);
        if (!table) return tl::unexpected(table.error());
        const LoadStats load = loadOf(expertLoads(store::RoutingView(*table)));
        dead += load.total > 0 ? load.dead : 0;
        map.row_group_start.push_back(map.rows > 0 && router.layer != routers[static_cast<std::size_t>(map.rows - 1)].layer);
        map.y.categories.push_back(routerLabel(router));
        ++map.rows;
        for (std::int32_t e = 0; e < map.columns; ++e) {
            const bool known = e < router.experts && load.total > 0;
            map.values.push_back(known ? load.share_E[static_cast<std::size_t>(e)] * router.experts : kMissing);
            if (!known) continue;
            largest = std::max(largest, map.values.back());
            least = std::min(least, map.values.back());
        }
    }
    for (std::int32_t e = 0; e < map.columns; ++e) map.x.categories.push_back(std::to_string(e));
    map.x.title = "expert";
    map.y.title = "router";
    map.column_is_expert = true;
    map.value_title = "share ÷ even share";
    map.value_max = 2;
    map.map = ColorMap::kDiverging;
    if (largest > 2) panel.notes.push_back(fmt::format("the scale ends at 2 x; the largest is {:.1f} x", largest));
    // White on white says nothing by itself.
    constexpr double kEven = 0.1;
    if (const double off = std::max(largest - 1, 1 - least); largest > 0 && off <= kEven)
        panel.notes.push_back(off < 0.0005 ? "every expert has exactly its even share"
                                           : fmt::format("all experts are within {} of their even share", percent(off)));
    if (dead > 0) panel.notes.push_back(plural(dead, "expert") + " got none of the probed tokens");
    panel.title = "Layer × expert";
    panel.context = fmt::format("probe set · step {}", grouped(key->step));
    panel.content = std::move(map);
    return panel;
}

std::vector<store::RouterInfo> routerChain(const store::RunReader& run, Modality modality) {
    std::vector<store::RouterInfo> chain;
    for (const store::RouterInfo& router : sortedRouters(run)) {
        const bool other = router.branch == (modality == Modality::kText ? Branch::kVision : Branch::kText);
        if (!other) chain.push_back(router);
    }
    return chain;
}

std::vector<store::RoutingTable> chainTables(const std::vector<store::RoutingTable>& tables, Modality modality) {
    std::vector<store::RoutingTable> chain;
    for (const store::RoutingTable& table : tables) {
        std::vector<std::uint8_t> own(static_cast<std::size_t>(table.tokens), 1);
        for (std::size_t t = 0; t < own.size() && t < table.modality_T.size(); ++t) own[t] = table.modality_T[t] == modality;
        if (std::find(own.begin(), own.end(), 1) == own.end()) continue;
        chain.push_back(selectTokens(table, own));
        chain.back().probs_TE.clear();
    }
    std::stable_sort(chain.begin(), chain.end(), [](const store::RoutingTable& a, const store::RoutingTable& b) {
        return std::pair(a.router.layer, a.router.branch) < std::pair(b.router.layer, b.router.branch);
    });
    return chain;
}

Result<RoutingPaths> probePaths(const store::RunReader& run, const FlowOptions& options, const JobContext& context) {
    const auto key = structureProbe(run, options.step);
    if (!key) return tl::unexpected(key.error());
    const std::vector<store::RouterInfo> chain = routerChain(run, options.modality);
    std::vector<store::RoutingTable> tables;
    for (std::size_t r = static_cast<std::size_t>(std::max(options.first, 0));
         r < chain.size() && tables.size() < static_cast<std::size_t>(std::max(options.count, 0)); ++r) {
        if (context.stopRequested()) return stopped("Following tokens through the layers");
        context.progress(static_cast<std::int64_t>(r), static_cast<std::int64_t>(chain.size()), "Following tokens through the layers");
        auto table = run.probe(*key, chain[r].id);
        if (!table) return tl::unexpected(table.error());
        table->router = chain[r];
        // Distributions are not needed and may be most of the table.
        table->probs_TE.clear();
        std::vector<store::RoutingTable> one = chainTables({std::move(*table)}, options.modality);
        if (!one.empty()) tables.push_back(std::move(one.front()));
    }
    const std::string kind(options.modality == Modality::kText ? "words" : "patches");
    if (tables.size() < 2)
        return jobFailed("No flow between layers",
                         fmt::format("{} pass {} with experts, two are needed", kind, plural(static_cast<std::int64_t>(tables.size()), "router")),
                         "Choose the other modality, or a run with more sparse layers", run.folder().string());
    RoutingPaths paths = routingPaths(tables);
    if (paths.tokens == 0)
        return jobFailed("No flow between layers", fmt::format("no {} of the probe pass all of these routers", kind), "Choose fewer layers",
                         run.folder().string());
    return paths;
}

Panel pathFlow(const RoutingPaths& paths, const FlowOptions& options) {
    SankeyPanel flow;
    flow.amount_title = "tokens";
    std::vector<std::map<std::pair<std::int32_t, std::int32_t>, double>> bands(paths.routers.empty() ? 0 : paths.routers.size() - 1);
    for (const store::RouterInfo& router : paths.routers) {
        SankeyPanel::Column column;
        column.title = routerLabel(router);
        for (std::int32_t e = 0; e < router.experts; ++e) column.nodes.push_back({std::to_string(e), 0, {ColorRole::Kind::kExpert, e}});
        flow.columns.push_back(std::move(column));
    }
    for (const RoutingPath& path : paths.paths)
        for (std::size_t r = 0; r < path.experts.size(); ++r) {
            flow.columns[r].nodes[static_cast<std::size_t>(path.experts[r])].amount += static_cast<double>(path.tokens);
            if (r + 1 < path.experts.size()) bands[r][{path.experts[r], path.experts[r + 1]}] += static_cast<double>(path.tokens);
        }
    double hidden = 0;
    for (std::size_t r = 0; r < bands.size(); ++r) {
        std::vector<double> amounts;
        for (const auto& band : bands[r]) amounts.push_back(band.second);
        std::sort(amounts.begin(), amounts.end(), std::greater<>());
        const auto most = static_cast<std::size_t>(std::max(options.most_bands, 1));
        const double least = amounts.size() > most ? amounts[most - 1] : 0;
        for (const auto& [ends, amount] : bands[r]) {
            if (amount >= least) flow.bands.push_back({static_cast<std::int32_t>(r), ends.first, ends.second, amount});
            else hidden += amount;
        }
    }
    Panel panel;
    panel.title = "Flow between layers";
    if (std::any_of(paths.routers.begin(), paths.routers.end(), isSoft)) panel.notes.emplace_back(kSoftChoices);
    panel.context = fmt::format("{} · first choices", plural(paths.tokens, options.modality == Modality::kText ? "word" : "patch token"));
    if (hidden > 0)
        panel.notes.push_back(
            fmt::format("the {} largest bands between two routers are drawn; the others hold {} of all", options.most_bands,
                        percent(hidden / (static_cast<double>(paths.tokens) * static_cast<double>(std::max<std::size_t>(bands.size(), 1))), 1)));
    constexpr std::int32_t kManyNodes = 24;
    if (std::any_of(paths.routers.begin(), paths.routers.end(), [](const store::RouterInfo& router) { return router.experts > kManyNodes; }))
        panel.notes.emplace_back("small experts carry no number: hover one to read it");
    if (paths.left_out > 0) panel.notes.push_back(plural(paths.left_out, "token") + " without a choice in every one of these routers left out");
    panel.content = std::move(flow);
    return panel;
}

Panel pathTable(const RoutingPaths& paths, const FlowOptions& options) {
    TablePanel table;
    table.columns = {"path", "tokens", "share", "lift"};
    table.right_aligned = {0, 1, 1, 1};
    const auto n = static_cast<double>(paths.tokens);
    for (std::size_t i = 0; i < std::min(paths.paths.size(), static_cast<std::size_t>(std::max(options.most_paths, 0))); ++i) {
        const RoutingPath& path = paths.paths[i];
        std::string words;
        for (const std::int32_t e : path.experts) words += (words.empty() ? "" : " → ") + std::to_string(e);
        table.rows.push_back({words, grouped(path.tokens), percent(static_cast<double>(path.tokens) / n),
                              path.expected > 0 ? fixed(static_cast<double>(path.tokens) / path.expected, 1) : "–"});
    }
    std::string routers;
    for (const store::RouterInfo& router : paths.routers) routers += (routers.empty() ? "" : " → ") + routerLabel(router);
    Panel panel;
    panel.title = "Paths";
    panel.context = routers;
    if (std::any_of(paths.routers.begin(), paths.routers.end(), isSoft)) panel.notes.emplace_back(kSoftChoices);
    panel.notes.push_back(fmt::format("{} of {}; entropy {} nats ({} effective paths), {} if layers were independent; ten most frequent: {}",
                                      plural(static_cast<std::int64_t>(paths.paths.size()), "path"), plural(paths.tokens, "token"),
                                      fixed(paths.entropy_nats, 2), number(paths.effective_paths), fixed(paths.independent_entropy_nats, 2),
                                      percent(paths.top10_share)));
    panel.notes.push_back("lift: over what independent layers with these loads would give");
    if (table.rows.size() < paths.paths.size()) panel.notes.push_back(fmt::format("the {} most frequent are listed", table.rows.size()));
    panel.content = std::move(table);
    return panel;
}

Result<Panel> routerSimilarity(const store::RunReader& run, std::int64_t step, const JobContext& context) {
    const auto key = structureProbe(run, step);
    if (!key) return tl::unexpected(key.error());
    const std::vector<store::RouterInfo> routers = sortedRouters(run);
    if (routers.size() < 2)
        return jobFailed("No routers to compare", "the run has one router", "Choose a run with several sparse layers", run.folder().string());
    std::vector<store::RoutingTable> tables;
    for (const store::RouterInfo& router : routers) {
        auto table = run.probe(*key, router.id);
        if (!table) return tl::unexpected(table.error());
        tables.push_back(std::move(*table));
    }
    HeatmapPanel map;
    map.rows = map.columns = static_cast<std::int32_t>(routers.size());
    map.values.assign(routers.size() * routers.size(), kMissing);
    constexpr std::int64_t kTokens = 4000;  // enough for two digits, and 24 layers are 276 pairs
    std::int64_t done = 0;
    const auto pairs = static_cast<std::int64_t>(routers.size() * (routers.size() - 1) / 2);
    std::int64_t most = 0;
    for (std::size_t a = 0; a < routers.size(); ++a) {
        map.x.categories.push_back(routerLabel(routers[a]));
        most = std::max(most, tables[a].tokens);
        for (std::size_t b = a; b < routers.size(); ++b) {
            if (context.stopRequested()) return stopped("Comparing routers");
            context.progress(done++, pairs, "Comparing routers");
            map.values[a * routers.size() + b] = map.values[b * routers.size() + a] = routerCka(tables[a], tables[b], kTokens);
        }
    }
    if (std::none_of(map.values.begin(), map.values.end(), [](double v) { return std::isfinite(v); }))
        return jobFailed("No routers to compare", "the probe does not hold the routers' distributions", "Train with this version of the program",
                         run.folder().string());
    map.y.categories = map.x.categories;
    map.x.title = map.y.title = "router";
    map.value_title = "linear CKA";
    Panel panel;
    panel.title = "Similarity of routers";
    panel.context = fmt::format("probabilities over shared tokens · step {}", grouped(key->step));
    panel.notes.push_back("hatched: no token in common");
    if (most > kTokens) panel.notes.push_back(fmt::format("of {} tokens of the probe, {} evenly spread ones", grouped(most), grouped(kTokens)));
    panel.content = std::move(map);
    return panel;
}

std::vector<std::string> similarityMeasures(const store::RunReader& run, RouterId router, std::int64_t step) {
    std::vector<std::string> measures{"probabilities"};
    if (const auto key = structureProbe(run, step)) {
        if (auto kept = store::Annotations(run.folder()).similarities(key->step, run.provenance().run_uuid))
            for (const store::ExpertSimilarity& one : *kept)
                if (one.router == router) measures.push_back(one.measure);
    }
    return measures;
}

Result<Panel> expertSimilarity(const store::RunReader& run, RouterId router, const std::string& measure, std::int64_t step) {
    const auto key = structureProbe(run, step);
    if (!key) return tl::unexpected(key.error());
    const std::vector<store::RouterInfo> routers = run.routers();
    const auto found = std::find_if(routers.begin(), routers.end(), [&](const store::RouterInfo& one) { return one.id == router; });
    if (found == routers.end()) return badInput("Cannot compare experts", "the run has no such router", "Choose a router of the run", run.folder().string());
    std::vector<double> values;
    Panel panel;
    std::string title;
    if (measure == "probabilities") {
        auto table = run.probe(*key, router);
        if (!table) return tl::unexpected(table.error());
        values = probabilityCorrelation(*table);
        if (values.empty())
            return jobFailed("No similarity to show", "the probe does not hold the router's distributions", "Choose another measure", run.folder().string());
        title = "correlation of probabilities";
        panel.notes.push_back(fmt::format("over {}; probabilities sum to one, so unrelated experts are slightly below zero", plural(table->tokens, "token")));
    } else {
        static const std::map<std::string, std::string> kTitles = {
            {"weights", "cosine of weights"}, {"router_rows", "cosine of router rows"}, {"outputs", "cosine of outputs"}, {"cka", "CKA of outputs"}};
        const auto known = kTitles.find(measure);
        if (known == kTitles.end())
            return badInput("Cannot compare experts", fmt::format("there is no measure '{}'", measure),
                            "Choose probabilities, weights, router_rows, outputs or cka");
        auto kept = store::Annotations(run.folder()).similarities(key->step, run.provenance().run_uuid);
        if (!kept) return tl::unexpected(kept.error());
        const auto one = std::find_if(kept->begin(), kept->end(), [&](const store::ExpertSimilarity& s) { return s.router == router && s.measure == measure; });
        if (one == kept->end() || one->values_EE.size() != static_cast<std::size_t>(found->experts) * static_cast<std::size_t>(found->experts))
            return jobFailed("No similarity to show", fmt::format("'{}' of step {} has not been measured", measure, key->step),
                             "Measure it with 'expertscope run RUN --similarity', which needs the checkpoint", run.folder().string());
        values = one->values_EE;
        title = known->second;
        if (one->tokens > 0) panel.notes.push_back(fmt::format("outputs on {}", plural(one->tokens, "token")));
    }
    const auto experts = static_cast<std::size_t>(found->experts);
    std::vector<double> distance(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) distance[i] = 1 - values[i];
    HeatmapPanel map = orderedMap(values, averageLinkage(distance, found->experts).order);
    double least = 0, most = 0;
    for (const double v : map.values)
        if (std::isfinite(v)) least = std::min(least, v), most = std::max(most, v);
    map.value_title = title;
    const double reach = std::max({-least, most, 0.05});
    map.map = least < -1e-9 ? ColorMap::kDiverging : ColorMap::kCividis;
    map.value_min = least < -1e-9 ? -reach : 0;
    map.value_max = reach;
    panel.title = "Similarity of experts";
    panel.context = fmt::format("{} · step {}", routerWords(*found), grouped(key->step));
    panel.notes.push_back("ordered by clustering (average linkage); the diagonal is left out");
    if (experts < 3) panel.notes.push_back("with two experts there is one pair");
    panel.content = std::move(map);
    return panel;
}

Panel specialisationPanel(const std::vector<Specialisation>& rows) {
    TablePanel table;
    // The answer first: at 1280 pixels the last columns are beyond the edge.
    const std::int32_t draws = rows.empty() ? 0 : std::max_element(rows.begin(), rows.end(), [](const Specialisation& a, const Specialisation& b) {
                                                      return a.random_router.draws < b.random_router.draws;
                                                  })->random_router.draws;
    table.columns = {"router",    "label",    "above all", "NMI", draws > 0 ? fmt::format("random ({})", plural(draws, "draw")) : "random router",
                     "untrained", "permuted", "p (Holm)",  "AMI", "MI (nats)",
                     "labels",    "tokens"};
    table.right_aligned = {0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    Panel panel;
    std::int64_t background = 0;
    for (const Specialisation& row : rows) {
        const auto shown = [](const SpecialisationBaseline& baseline, bool range) {
            if (!baseline.available()) return std::string("not recorded");
            return range && baseline.draws > 1 ? fmt::format("{} (max {})", fixed(baseline.nmi_mean, 3), fixed(baseline.nmi_max, 3))
                                               : fixed(baseline.nmi_max, 3);
        };
        background = std::max(background, row.background_left_out);
        const bool one_draw = row.random_router.draws == 1;
        table.rows.push_back({routerLabel(row.router), labelOf(row),
                              row.chosen_by_routing ? "chosen by routing"
                              : !row.aboveAll()     ? "no"
                              : !row.found()        ? "p > 0.05"
                              : one_draw            ? "1 draw only"
                                                    : "yes",
                              fixed(row.nmi, 3), shown(row.random_router, true), shown(row.untrained, false), shown(row.permutation, false), pWords(row.p_holm),
                              fixed(row.ami, 3), fixed(row.mi_nats, 3), grouped(row.labels), grouped(row.tokens)});
    }
    panel.title = "Specialisation";
    if (!rows.empty()) panel.context = fmt::format("first choice and label · step {}", grouped(rows.front().step));
    panel.notes.push_back(specialisationVerdict(rows));
    if (std::any_of(rows.begin(), rows.end(), [](const Specialisation& row) { return isSoft(row.router); })) panel.notes.emplace_back(kSoftChoices);
    if (draws == 1)
        panel.notes.push_back("one random router was recorded: above it says little, since the next draw may lie higher (record.probe_random_routers)");
    panel.notes.push_back("permuted: the 97.5 % quantile with the labels shuffled among samples");
    if (background > 0) panel.notes.push_back(fmt::format("objects: {} of background or of several objects left out", plural(background, "patch token")));
    std::vector<std::pair<std::string, std::string>> said;  // a note, and whose it is
    for (const Specialisation& row : rows)
        for (const std::string& note : row.notes) {
            const std::string router = routerLabel(row.router);
            const auto same = std::find_if(said.begin(), said.end(), [&](const auto& one) { return one.first == note; });
            if (same == said.end()) said.emplace_back(note, router);
            else if ((", " + same->second + ",").find(" " + router + ",") == std::string::npos) same->second += ", " + router;
        }
    for (const auto& [note, routers] : said) panel.notes.push_back(routers + ": " + note);
    panel.content = std::move(table);
    return panel;
}

Panel preferencePanel(const std::vector<Specialisation>& rows) {
    TablePanel table;
    table.columns = {"router",   "expert", "label", "value", "p(expert | value)", "p(expert)", "difference, 95 % interval", "p(value | expert)",
                     "p(value)", "nPMI",   "n",     "p"};
    table.right_aligned = {0, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    for (const Specialisation& row : rows)
        for (const LabelPreference& one : row.preferences)
            table.rows.push_back({routerLabel(row.router), std::to_string(one.expert), labelOf(row), one.label, fixed(one.p_expert_given_label, 3),
                                  fixed(one.p_expert, 3), fmt::format("{} ({} to {})", fixed(one.risk_difference, 3), fixed(one.low, 3), fixed(one.high, 3)),
                                  fixed(one.p_label_given_expert, 3), fixed(one.p_label, 3), fixed(one.npmi, 3),
                                  fmt::format("{} of {}", grouped(one.tokens), grouped(one.label_tokens)), pWords(one.p)});
    Panel panel;
    panel.title = "What experts take";
    if (!rows.empty()) panel.context = fmt::format("first choices · step {}", grouped(rows.front().step));
    panel.notes.push_back("pairs that pass 0.05 after correction: by the largest deviation of each permutation within a row, by Holm over the rows");
    panel.notes.push_back(
        "intervals over samples (families count once), each for itself, of pairs listed because they are large: too far from 0 on average; a random router has "
        "preferences too: see whether its row stands above the baselines");
    panel.content = std::move(table);
    return panel;
}

}  // namespace es::analysis
