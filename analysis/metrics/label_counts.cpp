// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/label_counts.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace es::analysis {

LabelCounts LabelCounts::of(const std::vector<std::uint32_t>& whole, std::size_t labels, std::size_t experts) {
    LabelCounts made;
    made.labels = labels;
    made.experts = experts;
    made.counts.assign(whole.begin(), whole.end());
    made.label_sum.assign(labels, 0);
    made.expert_sum.assign(experts, 0);
    for (std::size_t l = 0; l < labels; ++l)
        for (std::size_t e = 0; e < experts; ++e) {
            const double n = made.counts[l * experts + e];
            made.label_sum[l] += n;
            made.expert_sum[e] += n;
            made.total += n;
        }
    return made;
}

LabelCounts LabelCounts::of(std::span<const std::int32_t> label_T, std::span<const std::uint16_t> expert_T, std::size_t labels, std::size_t experts) {
    std::vector<std::uint32_t> whole(labels * experts, 0);
    for (std::size_t t = 0; t < std::min(label_T.size(), expert_T.size()); ++t)
        if (label_T[t] >= 0 && expert_T[t] < experts) ++whole[static_cast<std::size_t>(label_T[t]) * experts + expert_T[t]];
    return of(whole, labels, experts);
}

MutualInformation LabelCounts::information() const { return mutualInformation(counts, static_cast<std::int32_t>(labels), static_cast<std::int32_t>(experts)); }

double LabelCounts::deviation(std::size_t label, std::size_t expert) const {
    const double a = label_sum[label], b = expert_sum[expert];
    const double variance = total > 1 ? a * b * (total - a) * (total - b) / (total * total * (total - 1)) : 0;
    return variance > 0 ? (counts[label * experts + expert] - a * b / total) / std::sqrt(variance) : 0;
}

double LabelCounts::largestDeviation(double least_tokens) const {
    double largest = 0;
    for (std::size_t l = 0; l < labels; ++l) {
        if (label_sum[l] < least_tokens) continue;
        for (std::size_t e = 0; e < experts; ++e)
            if (expert_sum[e] >= least_tokens) largest = std::max(largest, deviation(l, e));
    }
    return largest;
}

DealtCounts::DealtCounts(const TokenLabels& labels, std::span<const std::uint16_t> expert_T, std::size_t experts)
    : labels_(labels), label_count_(labels.names.size()), experts_(experts), fixed_(label_count_ * experts, 0) {
    const bool shifted = !labels.shift_of_unit.empty();
    const std::size_t units = shifted ? labels.shift_of_unit.size() : labels.exchange.labels().size();
    const std::size_t tokens = std::min(labels.label_T.size(), expert_T.size());
    const auto counts = [&](std::size_t t) { return labels.label_T[t] >= 0 && expert_T[t] < experts; };
    begin_.assign(units + 1, 0);
    for (std::size_t t = 0; t < tokens; ++t) {
        if (!counts(t)) continue;
        if (labels.unit_T[t] >= 0) ++begin_[static_cast<std::size_t>(labels.unit_T[t]) + 1];
        else ++fixed_[static_cast<std::size_t>(labels.label_T[t]) * experts + expert_T[t]];
    }
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    cells_.resize(begin_.back());
    std::vector<std::uint32_t> next(begin_.begin(), begin_.end() - 1);
    for (std::size_t t = 0; t < tokens; ++t)
        if (counts(t) && labels.unit_T[t] >= 0)
            cells_[next[static_cast<std::size_t>(labels.unit_T[t])]++] = {expert_T[t], static_cast<std::uint16_t>(shifted ? labels.label_T[t] : 0), 1};
    if (shifted) return;
    // Tokens of one unit and expert become one cell.
    std::size_t to = 0;
    std::vector<std::uint32_t> here(experts, 0);
    std::vector<std::uint16_t> seen;
    for (std::size_t u = 0; u < units; ++u) {
        const std::size_t first = begin_[u], last = begin_[u + 1];
        seen.clear();
        for (std::size_t i = first; i < last; ++i)
            if (here[cells_[i].expert]++ == 0) seen.push_back(cells_[i].expert);
        begin_[u] = static_cast<std::uint32_t>(to);
        for (const std::uint16_t expert : seen) {
            cells_[to++] = {expert, 0, here[expert]};
            here[expert] = 0;
        }
    }
    begin_[units] = static_cast<std::uint32_t>(to);
    cells_.resize(to);
    cells_.shrink_to_fit();
}

std::int64_t DealtCounts::steps() const { return static_cast<std::int64_t>(cells_.size() + begin_.size() + label_count_ * experts_); }

LabelCounts DealtCounts::deal(std::uint64_t seed, std::uint64_t index) const {
    std::vector<std::uint32_t> whole = fixed_;
    if (!labels_.shift_of_unit.empty()) {
        const auto steps = labels_.drawSteps(seed, index);
        std::vector<std::uint32_t> row_of_place;  // where the row of counts begins that a place is shifted to
        for (std::size_t u = 0; u + 1 < begin_.size(); ++u) {
            const TokenLabels::Shift& grid = labels_.shift_of_unit[u];
            if (begin_[u] == begin_[u + 1] || grid.width <= 0) continue;
            row_of_place.resize(static_cast<std::size_t>(grid.width) * static_cast<std::size_t>(grid.height));
            const auto [dx, dy] = steps[u];
            std::size_t place = 0;
            for (std::int32_t y = 0; y < grid.height; ++y) {
                const std::int32_t row = (y + dy >= grid.height ? y + dy - grid.height : y + dy) * grid.width;
                for (std::int32_t x = 0; x < grid.width; ++x)
                    row_of_place[place++] =
                        static_cast<std::uint32_t>(row + (x + dx >= grid.width ? x + dx - grid.width : x + dx)) * static_cast<std::uint32_t>(experts_);
            }
            for (std::size_t i = begin_[u]; i < begin_[u + 1]; ++i)
                ++whole[row_of_place[std::min<std::size_t>(cells_[i].place, row_of_place.size() - 1)] + cells_[i].expert];
        }
        return LabelCounts::of(whole, label_count_, experts_);
    }
    const std::vector<std::int32_t> label = labels_.exchange.draw(seed, index);
    for (std::size_t u = 0; u < label.size(); ++u) {
        if (label[u] < 0) continue;
        std::uint32_t* row = whole.data() + static_cast<std::size_t>(label[u]) * experts_;
        for (std::size_t i = begin_[u]; i < begin_[u + 1]; ++i) row[cells_[i].expert] += cells_[i].tokens;
    }
    return LabelCounts::of(whole, label_count_, experts_);
}

}  // namespace es::analysis
