// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/specialisation.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "analysis/metrics/chance.h"
#include "analysis/metrics/dependence.h"
#include "analysis/metrics/label_counts.h"
#include "analysis/metrics/labels.h"
#include "analysis/stats/clustered.h"
#include "analysis/stats/moments.h"
#include "analysis/stats/multiple.h"
#include "analysis/stats/quantiles.h"

namespace es::analysis {
namespace {

constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();
/// Of all permutations of a row beyond the first: some seconds.
constexpr std::int64_t kMostSteps = 1'000'000'000;

std::string nameOf(const store::RouterInfo& router) { return fmt::format("{}.{}", router.layer.value, toString(router.branch)); }

SpecialisationBaseline missingBaseline(std::string why) { return {0, kAbsent, kAbsent, kAbsent, kAbsent, std::move(why)}; }

SpecialisationBaseline baselineOf(const std::vector<MutualInformation>& draws) {
    SpecialisationBaseline baseline;
    std::vector<double> mi, nmi;
    for (const MutualInformation& draw : draws) {
        mi.push_back(draw.mi_nats);
        nmi.push_back(draw.nmi);
    }
    baseline.draws = static_cast<std::int32_t>(draws.size());
    baseline.mi_mean = moments(mi).mean;
    baseline.nmi_mean = moments(nmi).mean;
    baseline.mi_max = *std::max_element(mi.begin(), mi.end());
    baseline.nmi_max = *std::max_element(nmi.begin(), nmi.end());
    return baseline;
}

/// A pair of label and expert that may be a preference.
struct Pair {
    std::size_t label = 0, expert = 0;
    double deviation = 0, p = 1;
};

LabelPreference preferenceOf(const LabelCounts& joint, const Pair& pair, const std::string& name) {
    LabelPreference made;
    made.label = name;
    made.expert = static_cast<std::int32_t>(pair.expert);
    const double both = joint.counts[pair.label * joint.experts + pair.expert], of_label = joint.label_sum[pair.label],
                 of_expert = joint.expert_sum[pair.expert];
    made.tokens = std::llround(both);
    made.label_tokens = std::llround(of_label);
    made.p_label = of_label / joint.total;
    made.p_expert = of_expert / joint.total;
    made.p_label_given_expert = both / of_expert;
    made.p_expert_given_label = both / of_label;
    const double surprise = -std::log(both / joint.total);
    made.npmi = surprise > 0 ? std::log(both * joint.total / (of_label * of_expert)) / surprise : 1;
    made.p = pair.p;
    return made;
}

/// One router's tokens and the first choices of every probe that has them, in the order of the trained one's tokens.
struct Tables {
    store::RoutingTable trained;  ///< what its tokens are; no assignments
    std::vector<std::uint16_t> experts;
    std::vector<std::vector<std::uint16_t>> random;
    std::optional<std::vector<std::uint16_t>> untrained;
};

class Measurer {
public:
    Measurer(const LabelSource& source, const Tables& tables, Modality modality, const SpecialisationOptions& options, const JobContext& context)
        : source_(source), tables_(tables), modality_(modality), options_(options), context_(context), families_(source.families(tables.trained, modality)) {}

    /// Nothing when fewer than two labels are known and the kind is not one that is always shown.
    [[nodiscard]] Result<std::optional<Specialisation>> row(LabelKind kind) const {
        Specialisation row;
        row.router = tables_.trained.router;
        row.label = kind;
        row.modality = modality_;
        row.step = tables_.trained.step;
        row.chosen_by_routing = options_.chosen_by_routing;
        const TokenLabels labels = source_.labels(tables_.trained, kind, modality_);
        const LabelCounts joint = countsOf(labels, tables_.experts);
        const MutualInformation measured = joint.information();
        const bool usual = kind == LabelKind::kCategory || kind == LabelKind::kTokenId;  // shown also to say that nothing is known
        if (measured.labels < 2 && !usual) return std::optional<Specialisation>{};
        row.masked_left_out = labels.masked_left_out;
        row.background_left_out = labels.background_left_out;
        row.blank_tokens = labels.blank_tokens;
        row.tokens = measured.tokens;
        row.labels = measured.labels;
        row.mi_nats = measured.mi_nats;
        row.nmi = measured.nmi;
        row.h_label_nats = measured.h_label_nats;
        row.h_expert_nats = measured.h_expert_nats;
        const AdjustedInformation adjusted =
            adjustedInformation(joint.counts, static_cast<std::int32_t>(joint.labels), static_cast<std::int32_t>(joint.experts));
        row.expected_mi_nats = adjusted.expected_mi_nats;
        row.ami = adjusted.ami;
        countSamples(labels, row);
        if (row.tokens == 0) row.notes.push_back(kind == LabelKind::kTokenId ? "no token has a known id" : "no token has a known category");
        if (row.chosen_by_routing)
            row.notes.push_back("these tokens were chosen by what routers did with them: no baseline is valid, and nothing counts as found");

        std::vector<MutualInformation> draws;
        for (const auto& experts : tables_.random) draws.push_back(countsOf(labels, experts).information());
        row.random_router = draws.empty() ? missingBaseline(fmt::format("no random-router probe at step {}", row.step)) : baselineOf(draws);
        if (!draws.empty() && row.random_router.draws < options_.wanted_draws)
            row.notes.push_back(
                fmt::format("only {} of the random router", row.random_router.draws == 1 ? "1 draw" : fmt::format("{} draws", row.random_router.draws)));
        row.untrained = tables_.untrained ? baselineOf({countsOf(labels, *tables_.untrained).information()})
                                          : missingBaseline(row.step == 0 ? "this is the untrained model" : "no probe of step 0");
        if (auto done = permute(labels, joint, row); !done) return tl::unexpected(done.error());
        row.above_random_router = row.random_router.available() && row.nmi > row.random_router.nmi_max;
        row.above_untrained = row.untrained.available() && row.nmi > row.untrained.nmi_max;
        row.above_permutation = row.permutation.available() && row.nmi > row.permutation.nmi_max;
        return std::optional<Specialisation>(std::move(row));
    }

private:
    [[nodiscard]] LabelCounts countsOf(const TokenLabels& labels, std::span<const std::uint16_t> expert_T) const {
        return LabelCounts::of(labels.label_T, expert_T, labels.names.size(), static_cast<std::size_t>(tables_.trained.router.experts));
    }
    [[nodiscard]] bool counts(const TokenLabels& labels, std::size_t t) const {
        return labels.label_T[t] >= 0 && tables_.experts[t] < tables_.trained.router.experts;
    }
    void countSamples(const TokenLabels& labels, Specialisation& row) const {
        std::vector<std::uint64_t> samples;
        std::vector<std::uint8_t> family(static_cast<std::size_t>(families_.count), 0);
        for (std::size_t t = 0; t < labels.label_T.size() && t < tables_.trained.sample_T.size(); ++t) {
            if (!counts(labels, t)) continue;
            if (samples.empty() || samples.back() != tables_.trained.sample_T[t]) samples.push_back(tables_.trained.sample_T[t]);
            family[static_cast<std::size_t>(families_.family_T[t])] = 1;
        }
        std::sort(samples.begin(), samples.end());
        row.samples = std::unique(samples.begin(), samples.end()) - samples.begin();
        row.families = std::count(family.begin(), family.end(), 1);
    }

    [[nodiscard]] Status permute(const TokenLabels& labels, const LabelCounts& joint, Specialisation& row) const {
        if (options_.permutations < 1) {
            row.permutation = missingBaseline("no permutations were asked for");
            return {};
        }
        const DealtCounts dealt(labels, tables_.experts, joint.experts);
        const auto affordable =
            static_cast<std::int32_t>(std::min<std::int64_t>(kMostSteps / std::max<std::int64_t>(dealt.steps(), 1), options_.most_permutations));
        std::vector<double> mi, nmi, deviations;
        const auto least = static_cast<double>(options_.min_label_tokens);
        const auto reached = [&] { return std::count_if(nmi.begin(), nmi.end(), [&](double value) { return value >= row.nmi; }) >= 10; };
        const auto baseline = [&] {
            row.permutation = {
                options_.permutations, moments(mi).mean, quantile(mi, options_.quantile), moments(nmi).mean, quantile(nmi, options_.quantile), {}};
        };
        for (std::int32_t i = 0; i < std::max(options_.permutations, affordable); ++i) {
            if (i == options_.permutations) {
                baseline();
                if (reached()) break;
            }
            if (context_.stopRequested()) return stopped("Measuring specialisation");
            const LabelCounts drawn = dealt.deal(options_.seed, static_cast<std::uint64_t>(i));
            const MutualInformation one = drawn.information();
            mi.push_back(one.mi_nats);
            nmi.push_back(one.nmi);
            deviations.push_back(drawn.largestDeviation(least));
        }
        if (!row.permutation.available()) baseline();
        row.p = permutationP(row.nmi, nmi);
        if (row.tokens > 0 && row.labels > 1 && !row.chosen_by_routing) prefer(labels, joint, deviations, row);
        return {};
    }

    void prefer(const TokenLabels& labels, const LabelCounts& joint, const std::vector<double>& deviations, Specialisation& row) const {
        const auto least = static_cast<double>(options_.min_label_tokens);
        std::vector<Pair> pairs;
        for (std::size_t l = 0; l < joint.labels; ++l)
            for (std::size_t e = 0; e < joint.experts && joint.label_sum[l] >= least; ++e) {
                const double deviation = joint.expert_sum[e] >= least ? joint.deviation(l, e) : 0;
                if (!(deviation > 0)) continue;
                if (const double p = permutationP(deviation, deviations); p <= options_.alpha) pairs.push_back({l, e, deviation, p});
            }
        std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.deviation > b.deviation; });
        if (pairs.size() > options_.most_preferences) pairs.resize(options_.most_preferences);
        const auto families = static_cast<std::size_t>(families_.count);
        for (const Pair& pair : pairs) {
            LabelPreference made = preferenceOf(joint, pair, labels.names[pair.label]);
            std::array<std::vector<double>, 2> taken, tokens;  // of other labels, of this one; by family
            for (auto* columns : {&taken, &tokens})
                for (auto& column : *columns) column.assign(families, 0);
            for (std::size_t t = 0; t < labels.label_T.size(); ++t) {
                if (!counts(labels, t)) continue;
                const bool own = static_cast<std::size_t>(labels.label_T[t]) == pair.label;
                const auto family = static_cast<std::size_t>(families_.family_T[t]);
                tokens[own][family] += 1;
                taken[own][family] += tables_.experts[t] == pair.expert;
            }
            const Interval difference = clusteredDifference(taken[1], tokens[1], taken[0], tokens[0]);
            made.risk_difference = difference.mean;
            made.low = difference.low;
            made.high = difference.high;
            row.preferences.push_back(std::move(made));
        }
    }

    const LabelSource& source_;
    const Tables& tables_;
    const Modality modality_;
    const SpecialisationOptions& options_;
    const JobContext& context_;
    const LabelSource::Families families_;
};

/// Holm over the rows that ask something, and again over the best pair of each: a preference is believed no more than its row.
void correct(std::vector<Specialisation>& rows, double alpha) {
    std::vector<double> p, best;
    for (const Specialisation& row : rows) {
        const bool asks = row.permutation.available() && row.tokens > 0 && row.labels > 1;
        double least = 1;
        for (const LabelPreference& one : row.preferences) least = std::min(least, one.p);
        p.push_back(asks ? row.p : kAbsent);
        best.push_back(asks ? least : kAbsent);
    }
    const std::vector<double> corrected = holm(p), corrected_best = holm(best);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].p_holm = std::isfinite(corrected[i]) ? corrected[i] : 1;
        // A row's further pairs pay what its best one paid.
        const auto questions = std::count_if(best.begin(), best.end(), [&](double other) { return other >= best[i]; });
        for (LabelPreference& one : rows[i].preferences)
            one.p = std::max({std::min(1.0, one.p * static_cast<double>(questions)), corrected_best[i], rows[i].p_holm});
        std::erase_if(rows[i].preferences, [&](const LabelPreference& preference) { return preference.p > alpha; });
    }
}

std::vector<std::uint16_t> compact(const std::vector<std::int32_t>& experts) {
    std::vector<std::uint16_t> made(experts.size());
    std::transform(experts.begin(), experts.end(), made.begin(), [](std::int32_t e) { return e < 0 ? kNoExpert : static_cast<std::uint16_t>(e); });
    return made;
}

/// The same tokens in the same order, however they are cut into runs.
bool sameTokens(std::span<const store::TokenRun> a, std::span<const store::TokenRun> b) {
    std::size_t i = 0, j = 0;
    std::uint32_t at_a = 0, at_b = 0;
    while (true) {
        while (i < a.size() && at_a == a[i].tokens) ++i, at_a = 0;
        while (j < b.size() && at_b == b[j].tokens) ++j, at_b = 0;
        if (i == a.size() || j == b.size()) return i == a.size() && j == b.size();
        if (a[i].sample != b[j].sample || a[i].position + at_a != b[j].position + at_b || a[i].objective != b[j].objective || a[i].modality != b[j].modality)
            return false;
        const std::uint32_t step = std::min(a[i].tokens - at_a, b[j].tokens - at_b);
        at_a += step;
        at_b += step;
    }
}

/// What the first choices of a router need of a probe.
store::RoutingColumns neededColumns(const store::RouterInfo& router, bool tokens) {
    return {.gates = router.layout != store::RoutingLayout::kFixedK, .kept = false, .tokens = tokens, .confidence = false, .probabilities = false};
}

/// First choices of another probe, for the tokens of this one.
Result<std::vector<std::uint16_t>> choicesFor(const store::RunReader& run, const store::ProbeKey& key, const store::RouterInfo& router,
                                              const store::RoutingTable& tokens, std::span<const store::TokenRun> runs) {
    auto chunk = run.probeColumns(key, router.id, neededColumns(router, false));
    if (!chunk) return tl::unexpected(chunk.error());
    if (sameTokens(runs, chunk->runs)) return compact(firstChoices(store::RoutingView(chunk->table)));
    chunk = run.probeColumns(key, router.id, neededColumns(router, true));
    if (!chunk) return tl::unexpected(chunk.error());
    const std::vector<std::uint16_t> theirs = compact(firstChoices(store::RoutingView(chunk->table)));
    std::vector<std::uint16_t> made;
    for (const std::int64_t row : alignTokens(tokens, chunk->table)) made.push_back(row < 0 ? kNoExpert : theirs[static_cast<std::size_t>(row)]);
    return made;
}

}  // namespace

Result<std::vector<Specialisation>> specialisation(const store::RunReader& run, std::int64_t step, const SpecialisationOptions& options,
                                                   const JobContext& context) {
    const std::vector<store::ProbeKey> keys = run.probes();
    std::optional<store::ProbeKey> trained;
    std::vector<store::ProbeKey> random;
    bool untrained = false;
    for (const store::ProbeKey& key : keys) {
        if (key.variant != "trained") continue;
        if ((step < 0 || key.step == step) && (!trained || key.step > trained->step)) trained = key;
        untrained = untrained || key.step == 0;
    }
    if (!trained)
        return jobFailed("Cannot measure specialisation", step < 0 ? "the run has no probe yet" : fmt::format("the run has no probe of step {}", step),
                         "Probes are written with every checkpoint when record.probe_samples is above 0", run.folder().string());
    for (const store::ProbeKey& key : keys)
        if (key.step == trained->step && key.variant.rfind("random-router", 0) == 0) random.push_back(key);

    auto source = LabelSource::open(run);
    if (!source) return tl::unexpected(source.error());
    std::vector<Specialisation> rows;
    const std::vector<store::RouterInfo> routers = run.routers();
    for (std::size_t r = 0; r < routers.size(); ++r) {
        if (context.stopRequested()) return stopped("Measuring specialisation");
        context.progress(static_cast<std::int64_t>(r), static_cast<std::int64_t>(routers.size()), "Measuring specialisation");
        Tables tables;
        std::vector<store::TokenRun> runs;
        {
            auto chunk = run.probeColumns(*trained, routers[r].id, neededColumns(routers[r], true));
            if (!chunk) return tl::unexpected(chunk.error());
            tables.trained = std::move(chunk->table);
            runs = std::move(chunk->runs);
        }
        tables.trained.router = routers[r];
        tables.trained.step = trained->step;
        tables.experts = compact(firstChoices(store::RoutingView(tables.trained)));
        tables.trained.expert_ids = {};
        tables.trained.gates = {};
        if (auto read = source->add(run, samplesOf(tables.trained), context); !read) return tl::unexpected(read.error());
        for (const store::ProbeKey& key : random) {
            auto draw = choicesFor(run, key, routers[r], tables.trained, runs);
            if (!draw) return tl::unexpected(draw.error());
            tables.random.push_back(std::move(*draw));
        }
        if (untrained && trained->step != 0) {
            auto zero = choicesFor(run, {0, "trained"}, routers[r], tables.trained, runs);
            if (!zero) return tl::unexpected(zero.error());
            tables.untrained = std::move(*zero);
        }
        for (const Modality modality : {Modality::kVision, Modality::kText}) {
            if (std::find(tables.trained.modality_T.begin(), tables.trained.modality_T.end(), modality) == tables.trained.modality_T.end()) continue;
            const Measurer measurer(*source, tables, modality, options, context);
            for (const LabelKind kind : labelKindsOf(modality)) {
                if (!options.labels.empty() && std::find(options.labels.begin(), options.labels.end(), kind) == options.labels.end()) continue;
                auto row = measurer.row(kind);
                if (!row) return tl::unexpected(row.error());
                if (*row) rows.push_back(std::move(**row));
            }
        }
    }
    correct(rows, options.alpha);
    return rows;
}

std::string foundWords(const Specialisation& row) {
    if (row.found()) return "yes";
    if (row.chosen_by_routing) return "chosen by routing";
    return row.aboveAll() ? "yes, p > 0.05" : "no";
}

std::string specialisationVerdict(const std::vector<Specialisation>& rows) {
    if (rows.empty()) return "There is no router to judge.";
    std::string found, missing;
    std::size_t count = 0, above = 0, chosen = 0;
    for (const Specialisation& row : rows) {
        chosen += row.chosen_by_routing;
        if (row.found()) {
            ++count;
            found += fmt::format("{}{} {}", found.empty() ? "" : ", ", nameOf(row.router), labelTitle(row.label));
        } else {
            above += row.aboveAll();
        }
        for (const auto* baseline : {&row.random_router, &row.untrained, &row.permutation})
            if (!baseline->available() && missing.find(baseline->missing) == std::string::npos) missing += (missing.empty() ? "" : "; ") + baseline->missing;
    }
    if (chosen > 0) return "Nothing can be found in tokens that were chosen by what routers did with them: no baseline is valid.";
    std::string words = count == 0 ? fmt::format("None of {} found (above all three baselines, and after correction).", rows.size())
                                   : fmt::format("{} of {} found (above all three baselines, and after correction): {}.", count, rows.size(), found);
    if (above > 0) words += fmt::format(" {} more above all three, but not after correction for {} questions.", above, rows.size());
    if (!missing.empty()) words += " Not every baseline is there: " + missing + ".";
    return words;
}

}  // namespace es::analysis
