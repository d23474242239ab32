// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/specialisation.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "analysis/metrics/dependence.h"
#include "analysis/metrics/labels.h"
#include "analysis/stats/moments.h"
#include "analysis/stats/quantiles.h"
#include "analysis/stats/resampling.h"

namespace es::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::string nameOf(const store::RouterInfo& router) { return fmt::format("{}.{}", router.layer.value, toString(router.branch)); }

SpecialisationBaseline missingBaseline(std::string why) { return {0, kNaN, kNaN, kNaN, kNaN, std::move(why)}; }

/// Labels of a table's tokens of one modality; -1 elsewhere.
std::vector<std::int32_t> labelsOf(const store::RoutingTable& table, LabelKind kind, const CategoryLabels& categories, std::int64_t& masked) {
    std::vector<std::int32_t> labels = kind == LabelKind::kCategory ? categories.of(table) : tokenIdLabels(table);
    const Modality modality = kind == LabelKind::kCategory ? Modality::kVision : Modality::kText;
    masked = 0;
    for (std::size_t t = 0; t < labels.size(); ++t) {
        const bool fits = table.modality_T.empty() || table.modality_T[t] == modality;
        if (!fits) labels[t] = -1;
        else masked += !table.masked_T.empty() && table.masked_T[t];
    }
    return labels;
}

MutualInformation measure(const store::RoutingTable& table, LabelKind kind, const CategoryLabels& categories) {
    std::int64_t masked = 0;
    return mutualInformation(labelsOf(table, kind, categories, masked), firstChoices(store::RoutingView(table)));
}

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

/// The labels with whole pictures' categories exchanged (blank stays blank: it belongs to the patch, not to the picture), or with token ids
/// exchanged between tokens.
class Permuter {
public:
    Permuter(const store::RoutingTable& table, LabelKind kind, const CategoryLabels& categories, std::vector<std::int32_t> labels)
        : kind_(kind), blank_(categories.blankLabel()), labels_(std::move(labels)) {
        if (kind == LabelKind::kTokenId) {
            for (std::size_t t = 0; t < labels_.size(); ++t)
                if (labels_[t] >= 0) units_.push_back(labels_[t]), unit_of_.push_back(t);
            return;
        }
        std::unordered_map<std::uint64_t, std::size_t> number;
        unit_of_.assign(labels_.size(), 0);
        for (std::size_t t = 0; t < labels_.size(); ++t) {
            if (labels_[t] < 0 || labels_[t] == blank_) continue;
            const auto [found, fresh] = number.emplace(table.sample_T[t], number.size());
            if (fresh) units_.push_back(labels_[t]);
            unit_of_[t] = found->second;
        }
    }
    [[nodiscard]] std::vector<std::int32_t> draw(std::uint64_t seed, std::uint64_t index) const {
        const std::vector<std::int32_t> order = permutation(static_cast<std::int32_t>(units_.size()), seed, index);
        std::vector<std::int32_t> result = labels_;
        if (kind_ == LabelKind::kTokenId) {
            for (std::size_t i = 0; i < units_.size(); ++i) result[unit_of_[i]] = units_[static_cast<std::size_t>(order[i])];
            return result;
        }
        for (std::size_t t = 0; t < result.size(); ++t)
            if (result[t] >= 0 && result[t] != blank_) result[t] = units_[static_cast<std::size_t>(order[unit_of_[t]])];
        return result;
    }

private:
    LabelKind kind_;
    std::int32_t blank_;
    std::vector<std::int32_t> labels_, units_;
    std::vector<std::size_t> unit_of_;
};

SpecialisationBaseline permuted(const store::RoutingTable& table, LabelKind kind, const CategoryLabels& categories, const std::vector<std::int32_t>& labels,
                                const std::vector<std::int32_t>& experts, const SpecialisationOptions& options) {
    if (options.permutations < 1) return missingBaseline("no permutations were asked for");
    const Permuter permuter(table, kind, categories, labels);
    std::vector<double> mi, nmi;
    for (std::int32_t i = 0; i < options.permutations; ++i) {
        const MutualInformation one = mutualInformation(permuter.draw(options.seed, static_cast<std::uint64_t>(i)), experts);
        mi.push_back(one.mi_nats);
        nmi.push_back(one.nmi);
    }
    return {options.permutations, moments(mi).mean, quantile(mi, options.quantile), moments(nmi).mean, quantile(nmi, options.quantile), {}};
}

std::vector<LabelKind> kindsOf(const store::RoutingTable& table) {
    std::vector<LabelKind> kinds;
    const auto holds = [&](Modality modality) { return std::find(table.modality_T.begin(), table.modality_T.end(), modality) != table.modality_T.end(); };
    if (holds(Modality::kVision)) kinds.push_back(LabelKind::kCategory);
    if (holds(Modality::kText)) kinds.push_back(LabelKind::kTokenId);
    return kinds;
}

}  // namespace

std::string_view toString(LabelKind kind) { return kind == LabelKind::kCategory ? "category" : "token_id"; }

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

    std::vector<Specialisation> rows;
    const std::vector<store::RouterInfo> routers = run.routers();
    for (std::size_t r = 0; r < routers.size(); ++r) {
        if (context.stopRequested()) return stopped("Measuring specialisation");
        context.progress(static_cast<std::int64_t>(r), static_cast<std::int64_t>(routers.size()), "Measuring specialisation");
        auto table = run.probe(*trained, routers[r].id);
        if (!table) return tl::unexpected(table.error());
        auto categories = categoryLabels(run, samplesOf(*table));
        if (!categories) return tl::unexpected(categories.error());
        std::vector<store::RoutingTable> random_tables;
        for (const store::ProbeKey& key : random) {
            auto draw = run.probe(key, routers[r].id);
            if (!draw) return tl::unexpected(draw.error());
            random_tables.push_back(std::move(*draw));
        }
        std::optional<store::RoutingTable> start;
        if (untrained && trained->step != 0) {
            auto zero = run.probe({0, "trained"}, routers[r].id);
            if (!zero) return tl::unexpected(zero.error());
            start = std::move(*zero);
        }
        const std::vector<std::int32_t> experts = firstChoices(store::RoutingView(*table));
        for (const LabelKind kind : kindsOf(*table)) {
            Specialisation row;
            row.router = routers[r];
            row.label = kind;
            row.modality = kind == LabelKind::kCategory ? Modality::kVision : Modality::kText;
            row.step = trained->step;
            const std::vector<std::int32_t> labels = labelsOf(*table, kind, *categories, row.masked_left_out);
            const MutualInformation measured = mutualInformation(labels, experts);
            row.tokens = measured.tokens;
            row.labels = measured.labels;
            row.mi_nats = measured.mi_nats;
            row.nmi = measured.nmi;
            row.h_label_nats = measured.h_label_nats;
            row.h_expert_nats = measured.h_expert_nats;
            std::vector<std::uint64_t> counted;
            for (std::size_t t = 0; t < labels.size() && t < table->sample_T.size(); ++t) {
                if (labels[t] < 0 || experts[t] < 0) continue;
                row.blank_tokens += kind == LabelKind::kCategory && labels[t] == categories->blankLabel();
                counted.push_back(table->sample_T[t]);
            }
            std::sort(counted.begin(), counted.end());
            row.samples = std::unique(counted.begin(), counted.end()) - counted.begin();
            if (row.tokens == 0) row.notes.push_back(kind == LabelKind::kCategory ? "no token has a known category" : "no token has a known id");

            std::vector<MutualInformation> draws;
            for (const store::RoutingTable& draw : random_tables) draws.push_back(measure(draw, kind, *categories));
            row.random_router = draws.empty() ? missingBaseline(fmt::format("no random-router probe at step {}", trained->step)) : baselineOf(draws);
            if (!draws.empty() && row.random_router.draws < options.wanted_draws)
                row.notes.push_back(fmt::format("only {} draws of the random router", row.random_router.draws));
            row.untrained = start ? baselineOf({measure(*start, kind, *categories)})
                                  : missingBaseline(trained->step == 0 ? "this is the untrained model" : "no probe of step 0");
            row.permutation = permuted(*table, kind, *categories, labels, experts, options);
            row.above_random_router = row.random_router.available() && row.nmi > row.random_router.nmi_max;
            row.above_untrained = row.untrained.available() && row.nmi > row.untrained.nmi_max;
            row.above_permutation = row.permutation.available() && row.nmi > row.permutation.nmi_max;
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

std::string specialisationVerdict(const std::vector<Specialisation>& rows) {
    if (rows.empty()) return "There is no router to judge.";
    std::string above, missing;
    std::size_t count = 0;
    for (const Specialisation& row : rows) {
        if (row.aboveAll()) {
            ++count;
            above += fmt::format("{}{} {}", above.empty() ? "" : ", ", nameOf(row.router), toString(row.label));
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
