// SPDX-License-Identifier: GPL-3.0-or-later
// Every kind of panel that a recipe may ask for: its name, its parameters, and the builder behind it.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "analysis/experts/expert_part.h"
#include "analysis/figures/compare_panels.h"
#include "analysis/figures/contact_sheet.h"
#include "analysis/figures/figure_recipe.h"
#include "analysis/figures/inspect_panels.h"
#include "analysis/figures/nearest.h"
#include "analysis/figures/query_arguments.h"
#include "analysis/figures/series.h"
#include "analysis/figures/structure_panels.h"
#include "analysis/figures/train_panels.h"
#include "analysis/figures/wording.h"
#include "engine/config/config_io.h"

namespace es::analysis {
namespace {

using Runs = std::span<const RunSource>;
using Maker = Result<Panel> (*)(Runs, QueryArguments&, const JobContext&);

constexpr std::int64_t kNoLimit = 1'000'000'000'000;

std::int64_t stepOf(QueryArguments& arguments) { return arguments.integer("step", -1, -1, kNoLimit); }
double smoothingOf(QueryArguments& arguments) { return arguments.real("smoothing", 0, 0, 0.99); }
std::int64_t pointsOf(QueryArguments& arguments) { return arguments.integer("points", 1000, 2, 10'000'000); }

RouterId firstRouter(const store::RunReader& run) {
    const std::vector<store::RouterInfo> routers = run.routers();
    return routers.empty() ? RouterId() : routers.front().id;
}
RouterId routerOf(QueryArguments& arguments, const store::RunReader& run) { return arguments.router("router", run, firstRouter(run)); }

/// Runs the builder only when every argument could be read.
template <class Make>
Result<Panel> checked(const QueryArguments& arguments, Make&& make) {
    if (arguments.problem()) return tl::unexpected(*arguments.problem());
    return make();
}

Result<Panel> curves(Runs runs, QueryArguments& arguments, bool losses) {
    CurveOptions options;
    options.metrics = arguments.list("metric", {"train/loss"});
    options.smoothing = smoothingOf(arguments);
    options.x = arguments.axis("x", XAxis::kStep);
    options.y_scale = arguments.choice("scale", {"linear", "log"}) == 1 ? Scale::kLog : Scale::kLinear;
    options.evaluations = arguments.choice("evaluations", {"yes", "no"}) == 0;
    options.mark_spikes = arguments.choice("spikes", {"no", "yes"}) == 1;
    options.mark_events = arguments.choice("events", {"no", "yes"}) == 1;
    options.max_points = pointsOf(arguments);
    options.first_step = static_cast<double>(arguments.integer("first_step", -1, -1, kNoLimit));
    if (const std::int64_t last = arguments.integer("last_step", -1, -1, kNoLimit); last >= 0) options.last_step = static_cast<double>(last);
    return checked(arguments, [&] { return losses ? lossCurves(runs, options) : scalarCurves(runs, options); });
}

Result<SampleRouting> routingOf(Runs runs, QueryArguments& arguments) {
    arguments.require("sample", "Name the sample by its 16 hexadecimal digits");
    const auto sample = arguments.hash("sample");
    const std::int64_t step = stepOf(arguments);
    const std::string variant = arguments.text("variant", "trained");
    if (arguments.problem()) return tl::unexpected(*arguments.problem());
    return sampleRouting(*runs.front().run, *sample, step, variant);
}

/// Seeds of one configuration become one group, in order of appearance.
std::vector<RunGroup> groupsOf(Runs runs) {
    std::vector<RunGroup> groups;
    std::vector<std::string> hashes;
    for (const RunSource& source : runs) {
        const std::string hash = config::groupHash(source.run->config());
        const auto found = std::find(hashes.begin(), hashes.end(), hash);
        if (found == hashes.end()) {
            hashes.push_back(hash);
            groups.push_back({source.run->config().run.name, {source}, static_cast<std::int32_t>(groups.size())});
        } else {
            groups[static_cast<std::size_t>(found - hashes.begin())].runs.push_back(source);
        }
    }
    return groups;
}

Result<Comparison> comparisonOf(Runs runs, QueryArguments& arguments, const JobContext& context, bool by_category = false) {
    const auto n = static_cast<std::int64_t>(runs.size());
    const auto baseline = static_cast<std::size_t>(arguments.integer("baseline", 1, 1, n - 1));
    CompareOptions options;
    options.axis = arguments.axis("axis", XAxis::kActiveFlops);
    options.confidence = arguments.real("confidence", 0.95, 0.5, 0.999);
    options.by_category = by_category;
    if (arguments.problem()) return tl::unexpected(*arguments.problem());
    // The comparison's colour is the first one, as in the window, where what is studied mostly is the older run.
    RunGroup a{arguments.text("baseline_name"), {runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(baseline)}, 1};
    RunGroup b{arguments.text("candidate_name"), {runs.begin() + static_cast<std::ptrdiff_t>(baseline), runs.end()}, 0};
    return compareGroups(Baseline<RunGroup>(std::move(a)), Candidate<RunGroup>(std::move(b)), options, context);
}

template <Panel (*Draw)(const Comparison&), bool ByCategory = false>
Result<Panel> fromComparison(Runs runs, QueryArguments& arguments, const JobContext& context) {
    auto comparison = comparisonOf(runs, arguments, context, ByCategory);
    if (!comparison) return tl::unexpected(comparison.error());
    return Draw(*comparison);
}

Result<Panel> paths(Runs runs, QueryArguments& arguments, const JobContext& context, Panel (*draw)(const RoutingPaths&, const FlowOptions&)) {
    FlowOptions options;
    options.modality = arguments.modality("modality", Modality::kVision);
    options.first = static_cast<std::int32_t>(arguments.integer("first", 0, 0, 100'000));
    options.count = static_cast<std::int32_t>(arguments.integer("count", options.count, 2, 64));
    options.step = stepOf(arguments);
    if (arguments.problem()) return tl::unexpected(*arguments.problem());
    auto found = probePaths(*runs.front().run, options, context);
    if (!found) return tl::unexpected(found.error());
    return draw(*found, options);
}

struct Entry {
    PanelKind kind;
    Maker make;
};

const std::vector<Entry>& entries() {
    static const std::vector<std::string> kCurve = {"metric", "smoothing", "x",      "scale",      "evaluations",
                                                    "spikes", "events",    "points", "first_step", "last_step"};
    static const std::vector<std::string> kCompare = {"baseline", "axis", "confidence", "baseline_name", "candidate_name"};
    static const std::vector<Entry> kEntries = {
        {{"loss", "Loss", "Training losses of one or more runs, smoothed over the raw line, with held-out losses as points", kCurve, 1},
         [](Runs runs, QueryArguments& a, const JobContext&) { return curves(runs, a, true); }},
        {{"scalars", "Scalars", "Any recorded scalars of one or more runs", kCurve, 1},
         [](Runs runs, QueryArguments& a, const JobContext&) { return curves(runs, a, false); }},
        {{"load", "Expert load", "Load of each expert of a router over training, as a multiple of the even share", {"router", "modality", "points"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext&) {
             const RouterId router = routerOf(a, *runs.front().run);
             const Modality modality = a.modality("modality", Modality::kUnknown);
             const std::int64_t columns = a.integer("points", 300, 2, 1'000'000);
             return checked(a, [&] { return loadHeatmap(*runs.front().run, router, modality, columns); });
         }},
        {{"max_vio", "Load imbalance", "MaxVio of every router over training", {"smoothing", "points"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext&) {
             const double smoothing = smoothingOf(a);
             const std::int64_t points = pointsOf(a);
             return checked(a, [&] { return maxVioByLayer(*runs.front().run, smoothing, points); });
         }},
        {{"entropy", "Router entropy and dropped tokens", "Mean router entropy and dropped assignments by modality", {"router", "smoothing", "points"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext&) {
             const RouterId router = a.router("router", *runs.front().run, RouterId());
             const double smoothing = smoothingOf(a);
             const std::int64_t points = pointsOf(a);
             return checked(a, [&] { return entropyAndDrops(*runs.front().run, router, smoothing, points); });
         }},
        {{"gradients", "Stability", "Gradient norms with spikes marked", {"smoothing", "points"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext&) {
             const double smoothing = smoothingOf(a);
             const std::int64_t points = pointsOf(a);
             return checked(a, [&] { return gradientNorms(*runs.front().run, smoothing, points); });
         }},
        {{"throughput", "Throughput", "Samples per second over training time", {"minutes", "points"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext&) {
             const double minutes = a.real("minutes", 10, 0, 1e7);
             const std::int64_t points = pointsOf(a);
             return checked(a, [&] { return throughput(*runs.front().run, minutes, points); });
         }},
        {{"facts", "The run", "What the run is: parameters, experts, losses, data", {}, 1},
         [](Runs runs, QueryArguments&, const JobContext&) -> Result<Panel> { return runFacts(*runs.front().run); }},
        {{"alarms", "Alarms", "Dead experts, overload, spikes, large logits, drops", {}, 1},
         [](Runs runs, QueryArguments&, const JobContext&) { return alarmTable(*runs.front().run); }},
        {{"overlay",
          "Routing overlay",
          "Experts on the patches and words of a sample in one layer; with since, compared with that step",
          {"sample", "layer", "mode", "rank", "router", "expert", "since", "step", "variant"},
          1},
         [](Runs runs, QueryArguments& a, const JobContext&) -> Result<Panel> {
             OverlayOptions options;
             options.layer = LayerIndex(static_cast<std::int32_t>(a.integer("layer", -1, -1, 100'000)));
             options.mode = static_cast<OverlayMode>(
                 a.choice("mode", {"expert", "weight", "entropy", "margin", "dropped", "attention", "probability", "changed", "difference"}));
             options.rank = static_cast<std::int32_t>(a.integer("rank", 0, 0, 65'535));
             options.expert_router = a.router("router", *runs.front().run, RouterId());
             options.expert = ExpertIndex(static_cast<std::int32_t>(a.integer("expert", -1, -1, 65'535)));
             const std::int64_t since = a.integer("since", -1, -1, kNoLimit);
             auto routing = routingOf(runs, a);
             if (!routing) return tl::unexpected(routing.error());
             SampleRouting before;
             if (since >= 0) {
                 auto read = sampleRouting(*runs.front().run, routing->sample.hash, since, a.text("variant", "trained"));
                 if (!read) return tl::unexpected(read.error());
                 before = std::move(*read);
                 options.other = OverlayOther{&before, "step " + grouped(before.step)};
             }
             const bool plain = options.mode <= OverlayMode::kDropped;  // a mode whose gaps are notes on the panel
             if (const std::string why = overlayMissing(*routing, options); !plain && !why.empty())
                 return jobFailed("Cannot draw the overlay", why, "Choose another mode, or another step to compare with", runs.front().run->folder().string());
             return overlay(*routing, options);
         }},
        {{"samples_of_expert",
          "Samples by an expert",
          "Samples by the share of their tokens that an expert takes first",
          {"router", "expert", "order", "count", "seed", "step"},
          1},
         [](Runs runs, QueryArguments& a, const JobContext& context) -> Result<Panel> {
             SheetRequest request;
             const RouterId router = routerOf(a, *runs.front().run);
             for (const store::RouterInfo& info : runs.front().run->routers())
                 if (info.id == router) request.overlay.layer = info.layer;
             request.overlay.expert_router = router;
             request.overlay.expert = ExpertIndex(static_cast<std::int32_t>(a.integer("expert", -1, -1, 65'535)));
             static constexpr SheetOrder kOrders[] = {SheetOrder::kMost, SheetOrder::kGiven, SheetOrder::kRandom};
             request.order = kOrders[a.choice("order", {"most", "given", "random"})];
             request.count = static_cast<std::size_t>(a.integer("count", 24, 1, 100'000));
             request.seed = static_cast<std::uint64_t>(a.integer("seed", 0, 0, kNoLimit));
             request.step = stepOf(a);
             return checked(a, [&]() -> Result<Panel> {
                 auto sheet = contactSheet(*runs.front().run, request, context);
                 if (!sheet) return tl::unexpected(sheet.error());
                 return sheetTable(*sheet);
             });
         }},
        {{"expert",
          "One expert",
          "What an expert takes: labels, modality, positions, looks, load, partners, or its gallery as a table",
          {"part", "router", "expert", "label", "modality", "count", "seed", "step"},
          1},
         [](Runs runs, QueryArguments& a, const JobContext& context) -> Result<Panel> {
             ExpertPartRequest request;
             request.part = expertPartNames()[a.choice("part", expertPartNames())];
             request.expert.router = routerOf(a, *runs.front().run);
             request.expert.expert = ExpertIndex(static_cast<std::int32_t>(a.integer("expert", 0, 0, 65'535)));
             request.expert.step = stepOf(a);
             const std::string label = a.text("label", "category");
             const auto kind = labelKindFromString(label);
             if (!kind) return badInput("Cannot make the panel 'expert'", fmt::format("there is no label '{}'", label), "Choose category, token_id or another");
             request.label = *kind;
             request.modality = a.modality("modality", Modality::kUnknown);
             request.gallery.count = static_cast<std::int32_t>(a.integer("count", 24, 1, 1000));
             request.gallery.seed = static_cast<std::uint64_t>(a.integer("seed", 0, 0, kNoLimit));
             return checked(a, [&] { return expertPart(*runs.front().run, request, context); });
         }},
        {{"layer_expert_map",
          "Expert x layer for a sample",
          "Share of a sample's tokens that each expert of each router takes",
          {"sample", "step", "variant"},
          1},
         [](Runs runs, QueryArguments& a, const JobContext&) -> Result<Panel> {
             auto routing = routingOf(runs, a);
             if (!routing) return tl::unexpected(routing.error());
             return layerExpertMap(*routing);
         }},
        {{"token_distribution",
          "Router distribution of a token",
          "Router probability of every expert for one patch or word",
          {"sample", "router", "modality", "token", "step", "variant"},
          1},
         [](Runs runs, QueryArguments& a, const JobContext&) -> Result<Panel> {
             const Modality modality = a.modality("modality", Modality::kVision);
             const RouterId router = a.router("router", *runs.front().run, RouterId());
             a.require("token", "Name the patch (row by row) or word by its index");
             const TokenIndex token(static_cast<std::int32_t>(a.integer("token", 0, 0, 1'000'000)));
             auto routing = routingOf(runs, a);
             if (!routing) return tl::unexpected(routing.error());
             return tokenDistribution(*routing, router, modality, token);
         }},
        {{"routing_change", "Change of routing", "Churn between checkpoints, or saturation towards the last", {"measure", "sample", "router"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext& context) {
             const auto measure = static_cast<ChangeMeasure>(a.choice("measure", {"churn", "saturation"}));
             const auto sample = a.hash("sample");
             const RouterId router = a.router("router", *runs.front().run, RouterId());
             return checked(a, [&] { return routingChange(*runs.front().run, measure, sample, router, context); });
         }},
        {{"category", "Category by expert", "Experts that the patches of each category go to", {"router", "step", "value"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext&) {
             const RouterId router = routerOf(a, *runs.front().run);
             const std::int64_t step = stepOf(a);
             static constexpr CategoryValue kValues[] = {CategoryValue::kLift, CategoryValue::kShare, CategoryValue::kNpmi};
             const CategoryValue chosen = kValues[a.choice("value", {"lift", "share", "npmi"})];
             return checked(a, [&] { return categoryByExpert(*runs.front().run, router, step, chosen); });
         }},
        {{"specialisation", "Specialisation", "Mutual information of expert and label beside its three baselines", {"step"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext& context) {
             const std::int64_t step = stepOf(a);
             return checked(a, [&] { return specialisationTable(*runs.front().run, step, context); });
         }},
        {{"preferences", "What experts take", "Labels that an expert takes more of than others, with base rates and intervals", {"step"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext& context) -> Result<Panel> {
             const std::int64_t step = stepOf(a);
             if (a.problem()) return tl::unexpected(*a.problem());
             auto rows = specialisation(*runs.front().run, step, {}, context);
             if (!rows) return tl::unexpected(rows.error());
             return preferencePanel(*rows);
         }},
        {{"probe_expert_map", "Layer x expert", "Share of the probed tokens that each expert of each router takes, over the even share", {"step"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext&) {
             const std::int64_t step = stepOf(a);
             return checked(a, [&] { return probeExpertMap(*runs.front().run, step); });
         }},
        {{"path_flow", "Flow through the layers", "Tokens passing from expert to expert through the routers", {"modality", "first", "count", "step"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext& context) { return paths(runs, a, context, &pathFlow); }},
        {{"paths", "Paths", "Ways through the routers with their frequencies", {"modality", "first", "count", "step"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext& context) { return paths(runs, a, context, &pathTable); }},
        {{"router_similarity", "Similarity of routers", "Linear CKA of the routers' probabilities over shared tokens", {"step"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext& context) {
             const std::int64_t step = stepOf(a);
             return checked(a, [&] { return routerSimilarity(*runs.front().run, step, context); });
         }},
        {{"expert_similarity", "Similarity of experts", "How alike the experts of a router are", {"router", "measure", "step"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext&) {
             const RouterId router = routerOf(a, *runs.front().run);
             const std::string measure = a.text("measure", "probabilities");
             const std::int64_t step = stepOf(a);
             return checked(a, [&] { return expertSimilarity(*runs.front().run, router, measure, step); });
         }},
        {{"specialisation_bars", "Specialisation, bars", "The same as bars, for one router or all", {"router", "step"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext& context) {
             const RouterId router = a.router("router", *runs.front().run, RouterId());
             const std::int64_t step = stepOf(a);
             return checked(a, [&] { return specialisationBars(*runs.front().run, router, step, context); });
         }},
        {{"modality", "Experts by modality", "Share of each modality's tokens that each expert takes", {"router", "step"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext&) {
             const RouterId router = routerOf(a, *runs.front().run);
             const std::int64_t step = stepOf(a);
             return checked(a, [&] { return modalitySplitBars(*runs.front().run, router, step); });
         }},
        {{"coactivation", "Co-activation", "Experts chosen together by one token", {"router", "step", "order"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext&) {
             const RouterId router = routerOf(a, *runs.front().run);
             const std::int64_t step = stepOf(a);
             const bool ordered = a.choice("order", {"number", "cluster"}) == 1;
             return checked(a, [&] { return coactivationMap(*runs.front().run, router, step, ordered); });
         }},
        {{"flow", "Flow between layers", "Where the tokens of each expert go in another layer", {"from", "to", "step"}, 1},
         [](Runs runs, QueryArguments& a, const JobContext&) {
             a.require("from", "Name a router, for example 1.v");
             a.require("to", "Name a router, for example 2.v");
             const RouterId from = a.router("from", *runs.front().run, RouterId()), to = a.router("to", *runs.front().run, RouterId());
             const std::int64_t step = stepOf(a);
             return checked(a, [&] { return flowMap(*runs.front().run, from, to, step); });
         }},
        {{"compare_curves", "Held-out loss of two groups", "Held-out loss against compute, samples or time, with bands over seeds", kCompare, 2},
         &fromComparison<comparisonCurves>},
        {{"compare_reach", "Compute to reach the same loss", "Ratio of costs at each loss that both groups reach", kCompare, 2},
         &fromComparison<computeToReach>},
        {{"compare_losses", "Difference in held-out loss", "Candidate minus baseline for each loss, with intervals", kCompare, 2}, &fromComparison<lossForest>},
        {{"compare_categories", "Gain by category", "Candidate minus baseline by category of the sample, with intervals", kCompare, 2},
         &fromComparison<categoryForest, true>},
        {{"compare_cost", "Cost", "Parameters, FLOPs, speed, memory and losses of both groups", kCompare, 2}, &fromComparison<costTable>},
        {{"compare_config", "What differs in the configurations", "Keys that differ", kCompare, 2}, &fromComparison<configurationTable>},
        {{"compare_checks", "Verdict", "Whether the two groups compare, and the verdict", kCompare, 2}, &fromComparison<comparabilityTable>},
        {{"speed_quality", "Speed against quality", "Samples per second and held-out loss, a point a configuration", {}, 1},
         [](Runs runs, QueryArguments&, const JobContext&) { return speedAgainstQuality(groupsOf(runs)); }},
        {{"results", "Held-out losses", "Final losses, mean and deviation over seeds", {}, 1},
         [](Runs runs, QueryArguments&, const JobContext&) { return resultsTable(groupsOf(runs)); }},
        {{"match", "Routing of two runs, experts matched", "Best one-to-one matching of two runs' experts", {"router", "step"}, 2},
         [](Runs runs, QueryArguments& a, const JobContext&) {
             const std::vector<store::RouterInfo> routers = runs[0].run->routers();
             const std::string router = a.text("router", routers.empty() ? std::string("0.v") : routerName(routers.front()));
             const std::int64_t step = stepOf(a);
             return checked(a, [&] { return expertMatch(runs[0], runs[1], router, step); });
         }},
    };
    return kEntries;
}

const Entry* entryOf(const std::string& kind) {
    for (const Entry& entry : entries())
        if (entry.kind.name == kind) return &entry;
    return nullptr;
}

}  // namespace

const std::vector<PanelKind>& panelKinds() {
    static const std::vector<PanelKind> kKinds = [] {
        std::vector<PanelKind> kinds;
        for (const Entry& entry : entries()) kinds.push_back(entry.kind);
        return kinds;
    }();
    return kKinds;
}

Status checkQuery(const PanelQuery& query) {
    const Entry* entry = entryOf(query.kind);
    if (!entry) {
        std::vector<std::string> names;
        for (const Entry& one : entries()) names.push_back(one.kind.name);
        return badInput("Cannot make the panel", fmt::format("there is no kind '{}'", query.kind), knownNames(query.kind, names));
    }
    for (const auto& [name, value] : query.parameters)
        if (std::find(entry->kind.parameters.begin(), entry->kind.parameters.end(), name) == entry->kind.parameters.end())
            return badInput(fmt::format("Cannot make the panel '{}'", query.kind), fmt::format("it has no parameter '{}'", name),
                            entry->kind.parameters.empty() ? "It takes none" : knownNames(name, entry->kind.parameters));
    if (static_cast<std::int64_t>(query.runs.size()) < entry->kind.min_runs)
        return badInput(fmt::format("Cannot make the panel '{}'", query.kind),
                        fmt::format("it needs {} run(s), {} given", entry->kind.min_runs, query.runs.size()), "Add a run to the panel");
    return {};
}

Result<Panel> makePanel(const PanelQuery& query, std::span<const RunSource> runs, const JobContext& context) {
    PanelQuery counted = query;
    counted.runs.resize(runs.size());
    if (auto fine = checkQuery(counted); !fine) return tl::unexpected(fine.error());
    QueryArguments arguments(query);
    auto panel = entryOf(query.kind)->make(runs, arguments, context);
    if (panel && !query.title.empty()) panel->title = query.title;
    return panel;
}

Result<Panel> makePanel(const PanelQuery& query, const std::filesystem::path& base, const JobContext& context) {
    if (auto fine = checkQuery(query); !fine) return tl::unexpected(fine.error());
    std::vector<RunSource> runs;
    std::vector<std::string> hashes;
    for (const std::string& name : query.runs) {
        const std::filesystem::path path(name);
        auto run = store::RunReader::open(path.is_absolute() ? path : base / path, context);
        if (!run) return tl::unexpected(run.error());
        const std::string hash = config::groupHash((*run)->config());
        auto found = std::find(hashes.begin(), hashes.end(), hash);
        if (found == hashes.end()) found = hashes.insert(hashes.end(), hash);
        runs.push_back({std::move(*run), {}, static_cast<std::int32_t>(found - hashes.begin())});
    }
    return makePanel(query, runs, context);
}

}  // namespace es::analysis
