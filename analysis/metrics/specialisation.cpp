// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/specialisation.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "analysis/metrics/chance.h"
#include "analysis/metrics/dependence.h"
#include "analysis/metrics/labels.h"
#include "analysis/stats/clustered.h"
#include "analysis/stats/moments.h"
#include "analysis/stats/multiple.h"
#include "analysis/stats/quantiles.h"

namespace es::analysis {
namespace {

constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

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

/// Labels by experts, with both sums.
struct Joint {
    std::size_t labels = 0, experts = 0;
    std::vector<double> counts, label_sum, expert_sum;
    double total = 0;

    Joint(std::span<const std::int32_t> label_T, std::span<const std::int32_t> expert_T, std::size_t label_count, std::size_t expert_count)
        : labels(label_count), experts(expert_count), counts(labels * experts, 0), label_sum(labels, 0), expert_sum(experts, 0) {
        std::vector<std::uint32_t> whole(labels * experts, 0);
        for (std::size_t t = 0; t < std::min(label_T.size(), expert_T.size()); ++t)
            if (label_T[t] >= 0 && expert_T[t] >= 0) ++whole[static_cast<std::size_t>(label_T[t]) * experts + static_cast<std::size_t>(expert_T[t])];
        for (std::size_t l = 0; l < labels; ++l)
            for (std::size_t e = 0; e < experts; ++e) {
                const double n = counts[l * experts + e] = whole[l * experts + e];
                label_sum[l] += n;
                expert_sum[e] += n;
                total += n;
            }
    }
    [[nodiscard]] MutualInformation information() const {
        return mutualInformation(counts, static_cast<std::int32_t>(labels), static_cast<std::int32_t>(experts));
    }
    /// Count over what independence would give, in deviations of single tokens: only a scale that makes pairs comparable, since the p-value comes
    /// from the same number under permutation.
    [[nodiscard]] double deviation(std::size_t l, std::size_t e) const {
        const double a = label_sum[l], b = expert_sum[e];
        const double variance = total > 1 ? a * b * (total - a) * (total - b) / (total * total * (total - 1)) : 0;
        return variance > 0 ? (counts[l * experts + e] - a * b / total) / std::sqrt(variance) : 0;
    }
    [[nodiscard]] double largestDeviation(double least_tokens) const {
        double largest = 0;
        for (std::size_t l = 0; l < labels; ++l) {
            if (label_sum[l] < least_tokens) continue;
            for (std::size_t e = 0; e < experts; ++e)
                if (expert_sum[e] >= least_tokens) largest = std::max(largest, deviation(l, e));
        }
        return largest;
    }
};

/// Base rates and the interval of one pair; samples are what varies.
LabelPreference preferenceOf(const Joint& joint, std::size_t l, std::size_t e, const store::RoutingTable& table, const TokenLabels& labels,
                             const std::vector<std::int32_t>& expert_T, double p) {
    LabelPreference made;
    made.label = labels.names[l];
    made.expert = static_cast<std::int32_t>(e);
    const double both = joint.counts[l * joint.experts + e];
    made.tokens = std::llround(both);
    made.label_tokens = std::llround(joint.label_sum[l]);
    made.p_label = joint.label_sum[l] / joint.total;
    made.p_expert = joint.expert_sum[e] / joint.total;
    made.p_label_given_expert = both / joint.expert_sum[e];
    made.p_expert_given_label = both / joint.label_sum[l];
    const double surprise = -std::log(both / joint.total);
    made.npmi = surprise > 0 ? std::log(both * joint.total / (joint.label_sum[l] * joint.expert_sum[e])) / surprise : 1;
    std::unordered_map<std::uint64_t, std::size_t> number;
    std::vector<double> y1, n1, y0, n0;
    for (std::size_t t = 0; t < expert_T.size(); ++t) {
        if (labels.label_T[t] < 0 || expert_T[t] < 0) continue;
        const auto [at, fresh] = number.emplace(table.sample_T.empty() ? t : table.sample_T[t], number.size());
        if (fresh)
            for (auto* column : {&y1, &n1, &y0, &n0}) column->push_back(0);
        const bool own = static_cast<std::size_t>(labels.label_T[t]) == l, taken = static_cast<std::size_t>(expert_T[t]) == e;
        (own ? n1 : n0)[at->second] += 1;
        (own ? y1 : y0)[at->second] += taken;
    }
    const Interval difference = clusteredDifference(y1, n1, y0, n0);
    made.risk_difference = difference.mean;
    made.low = difference.low;
    made.high = difference.high;
    made.p = p;
    return made;
}

struct Tables {
    store::RoutingTable trained;
    std::vector<store::RoutingTable> random;
    std::optional<store::RoutingTable> untrained;
};

class Measurer {
public:
    Measurer(const LabelSource& source, const Tables& tables, const SpecialisationOptions& options, const JobContext& context)
        : source_(source), tables_(tables), options_(options), context_(context), experts_(firstChoices(store::RoutingView(tables.trained))) {}

    /// Nothing when fewer than two labels are known and the kind was not asked for by name.
    [[nodiscard]] Result<std::optional<Specialisation>> row(LabelKind kind, Modality modality) const {
        Specialisation row;
        row.router = tables_.trained.router;
        row.label = kind;
        row.modality = modality;
        row.step = tables_.trained.step;
        const TokenLabels labels = labelsOf(tables_.trained, kind, modality);
        const Joint joint = jointOf(tables_.trained, labels);
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
        row.samples = samplesThatCount(labels);
        if (row.tokens == 0) row.notes.push_back(kind == LabelKind::kTokenId ? "no token has a known id" : "no token has a known category");

        std::vector<MutualInformation> draws;
        for (const store::RoutingTable& draw : tables_.random) draws.push_back(informationOf(draw, kind, modality));
        row.random_router = draws.empty() ? missingBaseline(fmt::format("no random-router probe at step {}", row.step)) : baselineOf(draws);
        if (!draws.empty() && row.random_router.draws < options_.wanted_draws)
            row.notes.push_back(
                fmt::format("only {} of the random router", row.random_router.draws == 1 ? "1 draw" : fmt::format("{} draws", row.random_router.draws)));
        row.untrained = tables_.untrained ? baselineOf({informationOf(*tables_.untrained, kind, modality)})
                                          : missingBaseline(row.step == 0 ? "this is the untrained model" : "no probe of step 0");
        if (auto done = permute(labels, joint, row); !done) return tl::unexpected(done.error());
        row.above_random_router = row.random_router.available() && row.nmi > row.random_router.nmi_max;
        row.above_untrained = row.untrained.available() && row.nmi > row.untrained.nmi_max;
        row.above_permutation = row.permutation.available() && row.nmi > row.permutation.nmi_max;
        return std::optional<Specialisation>(std::move(row));
    }

private:
    [[nodiscard]] TokenLabels labelsOf(const store::RoutingTable& table, LabelKind kind, Modality modality) const {
        return source_.labels(table, kind, modality);
    }
    [[nodiscard]] static Joint jointOf(const store::RoutingTable& table, const TokenLabels& labels, std::span<const std::int32_t> label_T,
                                       std::span<const std::int32_t> expert_T) {
        return {label_T, expert_T, labels.names.size(), static_cast<std::size_t>(table.router.experts)};
    }
    [[nodiscard]] Joint jointOf(const store::RoutingTable& table, const TokenLabels& labels) const { return jointOf(table, labels, labels.label_T, experts_); }
    [[nodiscard]] MutualInformation informationOf(const store::RoutingTable& table, LabelKind kind, Modality modality) const {
        const TokenLabels labels = labelsOf(table, kind, modality);
        return jointOf(table, labels, labels.label_T, firstChoices(store::RoutingView(table))).information();
    }
    [[nodiscard]] std::int64_t samplesThatCount(const TokenLabels& labels) const {
        std::vector<std::uint64_t> counted;
        for (std::size_t t = 0; t < labels.label_T.size() && t < tables_.trained.sample_T.size(); ++t)
            if (labels.label_T[t] >= 0 && experts_[t] >= 0) counted.push_back(tables_.trained.sample_T[t]);
        std::sort(counted.begin(), counted.end());
        return std::unique(counted.begin(), counted.end()) - counted.begin();
    }

    [[nodiscard]] Status permute(const TokenLabels& labels, const Joint& joint, Specialisation& row) const {
        if (options_.permutations < 1) {
            row.permutation = missingBaseline("no permutations were asked for");
            return {};
        }
        std::vector<double> mi, nmi, deviations;
        const auto least = static_cast<double>(options_.min_label_tokens);
        const auto reached = [&] { return std::count_if(nmi.begin(), nmi.end(), [&](double value) { return value >= row.nmi; }) >= 10; };
        for (std::int32_t i = 0; i < std::max(options_.permutations, options_.most_permutations); ++i) {
            if (i == options_.permutations) {
                row.permutation = {i, moments(mi).mean, quantile(mi, options_.quantile), moments(nmi).mean, quantile(nmi, options_.quantile), {}};
                if (reached()) break;
            }
            if (context_.stopRequested()) return stopped("Measuring specialisation");
            const Joint dealt = jointOf(tables_.trained, labels, labels.draw(options_.seed, static_cast<std::uint64_t>(i)), experts_);
            const MutualInformation one = dealt.information();
            mi.push_back(one.mi_nats);
            nmi.push_back(one.nmi);
            deviations.push_back(dealt.largestDeviation(least));
        }
        if (!row.permutation.available())
            row.permutation = {
                options_.permutations, moments(mi).mean, quantile(mi, options_.quantile), moments(nmi).mean, quantile(nmi, options_.quantile), {}};
        row.p = permutationP(row.nmi, nmi);
        if (row.tokens == 0) return {};
        struct Pair {
            std::size_t label, expert;
            double deviation, p;
        };
        std::vector<Pair> pairs;
        for (std::size_t l = 0; l < joint.labels; ++l)
            for (std::size_t e = 0; e < joint.experts && joint.label_sum[l] >= least; ++e) {
                const double deviation = joint.expert_sum[e] >= least ? joint.deviation(l, e) : 0;
                if (!(deviation > 0)) continue;
                const auto reach = std::count_if(deviations.begin(), deviations.end(), [&](double d) { return d >= deviation; });
                const double p = static_cast<double>(1 + reach) / static_cast<double>(1 + deviations.size());
                if (p <= options_.alpha) pairs.push_back({l, e, deviation, p});
            }
        std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.deviation > b.deviation; });
        if (pairs.size() > options_.most_preferences) pairs.resize(options_.most_preferences);
        for (const Pair& pair : pairs) row.preferences.push_back(preferenceOf(joint, pair.label, pair.expert, tables_.trained, labels, experts_, pair.p));
        return {};
    }

    const LabelSource& source_;
    const Tables& tables_;
    const SpecialisationOptions& options_;
    const JobContext& context_;
    std::vector<std::int32_t> experts_;
};

/// Holm over the rows; a preference is believed no more than its row.
void correct(std::vector<Specialisation>& rows, double alpha) {
    std::vector<double> p;
    for (const Specialisation& row : rows) p.push_back(row.permutation.available() && row.tokens > 0 ? row.p : kAbsent);
    const std::vector<double> corrected = holm(p);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].p_holm = std::isfinite(corrected[i]) ? corrected[i] : 1;
        for (LabelPreference& preference : rows[i].preferences) preference.p = std::max(preference.p, rows[i].p_holm);
        std::erase_if(rows[i].preferences, [&](const LabelPreference& preference) { return preference.p > alpha; });
    }
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
        auto table = run.probe(*trained, routers[r].id);
        if (!table) return tl::unexpected(table.error());
        tables.trained = std::move(*table);
        tables.trained.router = routers[r];
        tables.trained.step = trained->step;
        if (auto read = source->add(run, samplesOf(tables.trained), context); !read) return tl::unexpected(read.error());
        for (const store::ProbeKey& key : random) {
            auto draw = run.probe(key, routers[r].id);
            if (!draw) return tl::unexpected(draw.error());
            tables.random.push_back(std::move(*draw));
        }
        if (untrained && trained->step != 0) {
            auto zero = run.probe({0, "trained"}, routers[r].id);
            if (!zero) return tl::unexpected(zero.error());
            tables.untrained = std::move(*zero);
        }
        const Measurer measurer(*source, tables, options, context);
        for (const Modality modality : {Modality::kVision, Modality::kText}) {
            if (std::find(tables.trained.modality_T.begin(), tables.trained.modality_T.end(), modality) == tables.trained.modality_T.end()) continue;
            for (const LabelKind kind : labelKindsOf(modality)) {
                if (!options.labels.empty() && std::find(options.labels.begin(), options.labels.end(), kind) == options.labels.end()) continue;
                auto row = measurer.row(kind, modality);
                if (!row) return tl::unexpected(row.error());
                if (*row) rows.push_back(std::move(**row));
            }
        }
    }
    correct(rows, options.alpha);
    return rows;
}

std::string specialisationVerdict(const std::vector<Specialisation>& rows) {
    if (rows.empty()) return "There is no router to judge.";
    std::string above, missing;
    std::size_t count = 0;
    for (const Specialisation& row : rows) {
        if (row.found()) {
            ++count;
            above += fmt::format("{}{} {}", above.empty() ? "" : ", ", nameOf(row.router), labelTitle(row.label));
        }
        for (const auto* baseline : {&row.random_router, &row.untrained, &row.permutation})
            if (!baseline->available() && missing.find(baseline->missing) == std::string::npos) missing += (missing.empty() ? "" : "; ") + baseline->missing;
    }
    std::string words = count == 0 ? fmt::format("None of {} stands above all three baselines.", rows.size())
                                   : fmt::format("{} of {} above all three baselines: {}.", count, rows.size(), above);
    if (!missing.empty()) words += " Not every baseline is there: " + missing + ".";
    return words;
}

}  // namespace es::analysis
