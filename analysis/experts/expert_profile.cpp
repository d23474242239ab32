// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/experts/expert_profile.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <span>

#include "analysis/metrics/weighing.h"
#include "analysis/stats/clustered.h"

namespace es::analysis {
namespace {

constexpr double kUnknownLook = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kNowSteps = 100;

struct LookProperty {
    const char* name;
    const char* unit;
    float PatchLook::*value;
};
constexpr std::array<LookProperty, 7> kLookProperties = {{{"saturation", "of 1", &PatchLook::saturation},
                                                          {"lightness", "of 1", &PatchLook::lightness},
                                                          {"edge energy", "luma a pixel", &PatchLook::edge},
                                                          {"fine detail", "of the variance", &PatchLook::fine},
                                                          {"red", "of 1", &PatchLook::red},
                                                          {"green", "of 1", &PatchLook::green},
                                                          {"blue", "of 1", &PatchLook::blue}}};

/// The look of a row's patch; null for words and patches without a picture.
const PatchLook* lookOf(const ExpertTokens& tokens, const std::vector<const SampleFacts*>& samples, std::size_t row) {
    if (tokens.modality(row) != Modality::kVision || tokens.table->position_T.empty()) return nullptr;
    const SampleFacts* sample = samples[static_cast<std::size_t>(tokens.sample_T[row])];
    const std::size_t position = tokens.table->position_T[row];
    return sample && position < sample->looks.size() ? &sample->looks[position] : nullptr;
}

std::vector<const SampleFacts*> factsOf(const ExpertTokens& tokens, const ProbeFacts& facts) {
    std::vector<const SampleFacts*> found;
    found.reserve(tokens.samples.size());
    for (const std::uint64_t sample : tokens.samples) found.push_back(facts.find(sample));
    return found;
}

/// Correlations with one column of a T x E matrix, from one pass over it.
class ColumnCorrelation {
public:
    explicit ColumnCorrelation(std::size_t columns) : sum_(columns, 0), squares_(columns, 0), products_(columns, 0) {}
    void add(std::span<const float> row, std::size_t column) {
        const double own = row[column];
        for (std::size_t e = 0; e < sum_.size(); ++e) {
            const double value = row[e];
            sum_[e] += value;
            squares_[e] += value * value;
            products_[e] += value * own;
        }
        ++n_;
    }
    [[nodiscard]] double with(std::size_t column, std::size_t other) const {
        const double n = static_cast<double>(n_);
        const double covariance = products_[other] - sum_[column] * sum_[other] / n;
        const double own = squares_[column] - sum_[column] * sum_[column] / n, its = squares_[other] - sum_[other] * sum_[other] / n;
        constexpr double kLeast = 1e-12;  // of the squares: below it a column is constant but for rounding
        if (n_ < 2 || !(own > kLeast * squares_[column]) || !(its > kLeast * squares_[other])) return kUnknownLook;
        return std::clamp(covariance / std::sqrt(own * its), -1.0, 1.0);
    }
    [[nodiscard]] std::int64_t n() const { return n_; }

private:
    std::vector<double> sum_, squares_, products_;
    std::int64_t n_ = 0;
};

}  // namespace

LabelShares expertLabels(const ExpertTokens& tokens, const ProbeFacts& facts, LabelKind kind, Modality modality, const LabelShareOptions& options) {
    const TokenLabels labels = facts.labels.labels(*tokens.table, kind, modality);
    return labelShares(tokens, labels.label_T, labels.names, options, facts.families);
}

LabelShares expertWords(const ExpertTokens& tokens, const ProbeFacts& facts, const LabelShareOptions& options) {
    return expertLabels(tokens, facts, LabelKind::kTokenId, Modality::kText, options);
}

LabelShares expertCategories(const ExpertTokens& tokens, const ProbeFacts& facts, const LabelShareOptions& options) {
    return expertLabels(tokens, facts, LabelKind::kCategory, Modality::kVision, options);
}

LabelShares modalityShare(const ExpertTokens& tokens, const LabelShareOptions& options, const SampleFamilies& families) {
    const std::vector<std::string> names = {std::string(toString(Modality::kVision)), std::string(toString(Modality::kText))};
    std::vector<std::int32_t> label_T(tokens.total_T.size(), -1);
    for (std::size_t row = 0; row < label_T.size(); ++row)
        if (const Modality modality = tokens.modality(row); modality != Modality::kUnknown) label_T[row] = modality == Modality::kText ? 1 : 0;
    return labelShares(tokens, label_T, names, options, families);
}

PositionMap positionMap(const ExpertTokens& tokens, const ProbeFacts& facts, Modality modality) {
    PositionMap map;
    map.modality = modality;
    const store::RoutingTable& table = *tokens.table;
    if (table.position_T.empty()) return map;
    const auto samples = factsOf(tokens, facts);
    std::vector<std::uint8_t> present(tokens.samples.size(), 0);
    std::int32_t longest = 0;
    for (std::size_t row = 0; row < tokens.total_T.size(); ++row) {
        if (!(tokens.total_T[row] > 0) || tokens.modality(row) != modality) continue;
        present[static_cast<std::size_t>(tokens.sample_T[row])] = 1;
        longest = std::max(longest, static_cast<std::int32_t>(table.position_T[row]) + 1);
    }
    std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> grids;
    for (std::size_t s = 0; s < present.size(); ++s)
        if (present[s]) {
            const SampleFacts* sample = samples[s];
            if (modality == Modality::kText) ++grids[{longest, 1}];
            else if (sample && sample->record.grid_width > 0 && sample->record.grid_height > 0)
                ++grids[{sample->record.grid_width, sample->record.grid_height}];
        }
    for (const auto& [grid, count] : grids)
        if (count > map.samples) {
            map.samples_of_other_grids += map.samples;
            map.samples = count;
            map.width = grid.first;
            map.height = grid.second;
        } else {
            map.samples_of_other_grids += count;
        }
    const auto cells = static_cast<std::size_t>(map.width) * static_cast<std::size_t>(map.height);
    std::vector<double> taken(cells, 0), total(cells, 0);
    map.tokens_P.assign(cells, 0);
    double all_taken = 0, all = 0;
    for (std::size_t row = 0; row < tokens.total_T.size(); ++row) {
        if (!(tokens.total_T[row] > 0) || tokens.modality(row) != modality) continue;
        const SampleFacts* sample = samples[static_cast<std::size_t>(tokens.sample_T[row])];
        if (modality != Modality::kText && (!sample || sample->record.grid_width != map.width || sample->record.grid_height != map.height)) continue;
        const std::size_t cell = table.position_T[row];
        if (cell >= cells) continue;
        taken[cell] += tokens.taken_T[row];
        total[cell] += tokens.total_T[row];
        ++map.tokens_P[cell];
        all_taken += tokens.taken_T[row];
        all += tokens.total_T[row];
    }
    map.base = all > 0 ? all_taken / all : 0;
    for (std::size_t cell = 0; cell < cells; ++cell) map.share_P.push_back(total[cell] > 0 ? taken[cell] / total[cell] : kUnknownLook);
    return map;
}

ExpertLooks expertLooks(const ExpertTokens& tokens, const ProbeFacts& facts, const LabelShareOptions& options) {
    ExpertLooks result;
    result.confidence = options.confidence;
    const auto samples = factsOf(tokens, facts);
    std::vector<std::uint8_t> present(tokens.samples.size(), 0);
    for (std::size_t row = 0; row < tokens.total_T.size(); ++row) {
        if (!(tokens.total_T[row] > 0) || !lookOf(tokens, samples, row)) continue;
        ++result.patches;
        std::uint8_t& sample = present[static_cast<std::size_t>(tokens.sample_T[row])];
        result.samples += sample == 0;
        sample = 1;
    }
    if (result.patches == 0) return result;
    const double confidence = options.correct ? 1 - (1 - options.confidence) / static_cast<double>(kLookProperties.size()) : options.confidence;
    const std::vector<std::int32_t> unit_S = facts.families.numbers(tokens.samples);
    for (const LookProperty& property : kLookProperties) {
        LookRow row{property.name, property.unit, kUnknownLook, kUnknownLook, kUnknownLook, kUnknownLook, kUnknownLook, 0, 0};
        std::vector<double> taken_sum(unit_S.size(), 0), taken(unit_S.size(), 0), total_sum(unit_S.size(), 0), total(unit_S.size(), 0);
        for (std::size_t i = 0; i < tokens.total_T.size(); ++i) {
            if (!(tokens.total_T[i] > 0)) continue;
            const PatchLook* look = lookOf(tokens, samples, i);
            if (!look || !std::isfinite(look->*property.value)) continue;
            const auto unit = static_cast<std::size_t>(unit_S[static_cast<std::size_t>(tokens.sample_T[i])]);
            const auto value = static_cast<double>(look->*property.value);
            taken[unit] += tokens.taken_T[i];
            total[unit] += tokens.total_T[i];
            taken_sum[unit] += tokens.taken_T[i] * value;
            total_sum[unit] += tokens.total_T[i] * value;
            row.takers += tokens.taken_T[i] > 0;
        }
        const auto mean = [](const std::vector<double>& sums, const std::vector<double>& weights) {
            const double weight = std::accumulate(weights.begin(), weights.end(), 0.0);
            return weight > 0 ? std::accumulate(sums.begin(), sums.end(), 0.0) / weight : kUnknownLook;
        };
        row.all = mean(total_sum, total);
        row.expert = mean(taken_sum, taken);
        const Interval difference = clusteredDifference(taken_sum, taken, total_sum, total, confidence);
        row.difference = difference.mean;
        row.low = difference.low;
        row.high = difference.high;
        row.samples = std::count_if(taken.begin(), taken.end(), [](double n) { return n > 0; });
        result.rows.push_back(std::move(row));
    }
    std::vector<std::int32_t> hue_T(tokens.total_T.size(), -1);
    for (std::size_t i = 0; i < hue_T.size(); ++i)
        if (const PatchLook* look = tokens.total_T[i] > 0 ? lookOf(tokens, samples, i) : nullptr) hue_T[i] = hueOf(*look);
    result.hues = labelShares(tokens, hue_T, hueNames(), options, facts.families);
    std::map<std::string, std::pair<PatchLook, double>> means;
    for (std::size_t i = 0; i < tokens.total_T.size(); ++i) {
        if (hue_T[i] < 0) continue;
        const PatchLook* look = lookOf(tokens, samples, i);
        auto& [mean, n] = means[hueNames()[static_cast<std::size_t>(hue_T[i])]];
        mean.red += look->red;
        mean.green += look->green;
        mean.blue += look->blue;
        mean.saturation += look->saturation;
        mean.lightness += look->lightness;
        mean.edge += look->edge;
        ++n;
    }
    for (const LabelShare& row : result.hues.rows) {
        auto [mean, n] = means[row.label];
        for (float PatchLook::*value : {&PatchLook::red, &PatchLook::green, &PatchLook::blue, &PatchLook::saturation, &PatchLook::lightness, &PatchLook::edge})
            mean.*value = n > 0 ? static_cast<float>(mean.*value / n) : 0;
        mean.fine = std::numeric_limits<float>::quiet_NaN();
        result.hue_looks.push_back(mean);
    }
    return result;
}

ExpertPartners expertPartners(const ExpertTokens& tokens) {
    ExpertPartners result;
    const store::RoutingTable& table = *tokens.table;
    const auto experts = static_cast<std::size_t>(table.router.experts), own = static_cast<std::size_t>(tokens.query.expert.value);
    const store::RoutingView view(table);
    std::vector<double> together(experts, 0), base(experts, 0);
    std::vector<float> row_E(experts, 0);
    const bool whole = table.probs_TE.size() == static_cast<std::size_t>(table.tokens) * experts && experts > 0;
    ColumnCorrelation over_tokens(experts);
    std::vector<float> shares_SE(whole ? 0 : tokens.samples.size() * experts, 0);
    std::vector<float> total_S(whole ? 0 : tokens.samples.size(), 0);
    for (std::size_t row = 0; row < tokens.total_T.size(); ++row) {
        if (!(tokens.total_T[row] > 0)) continue;
        std::int32_t choices = 0;
        view.forEachAssignmentOf(static_cast<std::int64_t>(row), [&](std::int64_t, ExpertIndex expert, float gate, bool) {
            if (!expert.valid() || static_cast<std::size_t>(expert.value) >= experts) return;
            const auto e = static_cast<std::size_t>(expert.value);
            const float weight = tokens.dense() ? gate : 1.0f;
            base[e] += weight;
            together[e] += static_cast<double>(weight) * tokens.taken_T[row];
            if (!whole) shares_SE[static_cast<std::size_t>(tokens.sample_T[row]) * experts + e] += weight;
            ++choices;
        });
        result.several_choices = result.several_choices || choices > 1;
        if (whole) over_tokens.add(std::span(table.probs_TE).subspan(row * experts, experts), own);
        else total_S[static_cast<std::size_t>(tokens.sample_T[row])] += tokens.total_T[row];
    }
    for (std::size_t s = 0; s < total_S.size(); ++s) {
        if (!(total_S[s] > 0)) continue;
        for (std::size_t e = 0; e < experts; ++e) row_E[e] = shares_SE[s * experts + e] / total_S[s];
        over_tokens.add(row_E, own);
    }
    result.correlation_of = whole ? "router probabilities over tokens" : "shares of samples";
    result.n = over_tokens.n();
    for (std::size_t e = 0; e < experts; ++e) {
        if (e == own) continue;
        Partner partner;
        partner.expert = ExpertIndex(static_cast<std::int32_t>(e));
        partner.together = tokens.taken > 0 ? together[e] / tokens.taken : kUnknownLook;
        partner.base = tokens.tokens > 0 ? base[e] / static_cast<double>(tokens.tokens) : kUnknownLook;
        partner.co_routing = over_tokens.with(own, e);
        result.rows.push_back(partner);
    }
    std::stable_sort(result.rows.begin(), result.rows.end(),
                     [](const Partner& a, const Partner& b) { return std::isnan(b.co_routing) ? !std::isnan(a.co_routing) : a.co_routing > b.co_routing; });
    return result;
}

Result<ExpertLoad> expertLoad(const store::RunReader& run, RouterId router, ExpertIndex expert, std::int64_t max_columns) {
    auto history = run.loadHistory(router, Modality::kUnknown, max_columns);
    if (!history) return tl::unexpected(history.error());
    ExpertLoad load;
    load.history = std::move(*history);
    load.expert = expert.value;
    if (!expert.valid() || expert.value >= load.history.router.experts)
        return badInput("Cannot show the load", "the router has no such expert", "Choose another expert", run.folder().string());
    load.even = 1.0 / load.history.router.experts;
    load.now = kUnknownLook;
    double sum = 0;
    std::int64_t columns = 0;
    const double last = load.history.step.empty() ? 0 : load.history.step.back();
    for (std::size_t column = load.history.step.size(); column-- > 0;) {
        if (load.history.step[column] <= last - static_cast<double>(kNowSteps)) break;
        if (!std::isfinite(load.share(column))) continue;
        sum += load.share(column);
        ++columns;
        load.now_from = static_cast<std::int64_t>(load.history.step[column]);
    }
    load.now_to = std::max<std::int64_t>(static_cast<std::int64_t>(last), run.status().step);
    if (columns > 0) load.now = sum / static_cast<double>(columns);
    return load;
}

}  // namespace es::analysis
