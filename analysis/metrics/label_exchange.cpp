// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/label_exchange.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <span>

#include "engine/base/random.h"

namespace es::analysis {

LabelExchange LabelExchange::ofUnits(std::vector<std::int32_t> unit_label, const std::vector<std::int32_t>& unit_stratum, std::int32_t strata) {
    LabelExchange made;
    made.unit_label_ = std::move(unit_label);
    std::vector<std::size_t> begin(static_cast<std::size_t>(strata) + 1, 0);
    for (const std::int32_t stratum : unit_stratum)
        if (stratum >= 0) ++begin[static_cast<std::size_t>(stratum) + 1];
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    made.slots_.resize(begin.back());
    for (std::size_t s = 0; s + 1 < begin.size(); ++s)
        if (begin[s + 1] - begin[s] > 1) made.strata_.push_back({begin[s], begin[s + 1] - begin[s], 1, 1});
    for (std::size_t u = 0; u < unit_stratum.size(); ++u)
        if (unit_stratum[u] >= 0) made.slots_[begin[static_cast<std::size_t>(unit_stratum[u])]++] = static_cast<std::int32_t>(u);
    return made;
}

LabelExchange LabelExchange::ofFamilies(std::vector<std::int32_t> unit_label, std::vector<Family> families) {
    LabelExchange made;
    made.unit_label_ = std::move(unit_label);
    std::map<std::vector<std::size_t>, std::vector<std::size_t>> by_shape;
    for (std::size_t f = 0; f < families.size(); ++f) {
        auto& members = families[f].members;
        std::erase_if(members, [](const auto& units) { return units.empty(); });
        if (members.empty()) continue;
        std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
        std::vector<std::size_t> shape;
        for (const auto& units : members) shape.push_back(units.size());
        by_shape[std::move(shape)].push_back(f);
    }
    // One object and its likes in the variants lie side by side.
    const auto lay = [&](const Family& family) {
        for (std::size_t j = 0; j < family.members.front().size(); ++j)
            for (const auto& units : family.members)
                if (j < units.size()) made.slots_.push_back(units[j]);
    };
    std::vector<std::size_t> rest;
    for (const auto& [shape, alike] : by_shape) {
        if (alike.size() < kLeastFamilies) {
            rest.insert(rest.end(), alike.begin(), alike.end());
            continue;
        }
        const bool equal = shape.front() == shape.back();
        made.strata_.push_back(
            {made.slots_.size(), alike.size(), std::accumulate(shape.begin(), shape.end(), std::size_t{0}), equal ? shape.size() : std::size_t{1}});
        for (const std::size_t f : alike) lay(families[f]);
    }
    for (const std::size_t f : rest) {
        made.mixed_.push_back(made.slots_.size());
        lay(families[f]);
    }
    if (!rest.empty()) made.mixed_.push_back(made.slots_.size());
    return made;
}

LabelExchange LabelExchange::ofFlips(std::vector<std::int32_t> unit_label, std::vector<std::int32_t> unit_cluster, std::int32_t clusters) {
    LabelExchange made;
    made.unit_label_ = std::move(unit_label);
    made.flip_of_unit_ = std::move(unit_cluster);
    made.flips_ = clusters;
    return made;
}

std::vector<std::int32_t> LabelExchange::draw(std::uint64_t seed, std::uint64_t index) const {
    RandomStream random(seed, RandomPurpose::kPermutation, index);
    std::vector<std::int32_t> result = unit_label_;
    const auto labelAt = [&](std::size_t slot) { return unit_label_[static_cast<std::size_t>(slots_[slot])]; };
    const auto give = [&](std::size_t slot, std::int32_t label) { result[static_cast<std::size_t>(slots_[slot])] = label; };
    std::vector<std::uint32_t> order;
    const auto shuffled = [&](std::size_t n) -> const std::vector<std::uint32_t>& {
        order.resize(n);
        std::iota(order.begin(), order.end(), 0u);
        random.shuffle(std::span(order));
        return order;
    };
    std::vector<std::size_t> turn;
    for (const Stratum& stratum : strata_) {
        const auto& from = shuffled(stratum.clusters);
        for (std::size_t c = 0; c < stratum.clusters; ++c) {
            const std::size_t to = stratum.first + c * stratum.width, source = stratum.first + std::size_t{from[c]} * stratum.width;
            if (stratum.members == 1) {
                for (std::size_t j = 0; j < stratum.width; ++j) give(to + j, labelAt(source + j));
                continue;
            }
            turn.resize(stratum.members);
            std::iota(turn.begin(), turn.end(), std::size_t{0});
            random.shuffle(std::span(turn));
            for (std::size_t j = 0; j < stratum.width; ++j) give(to + j, labelAt(source + j / stratum.members * stratum.members + turn[j % stratum.members]));
        }
    }
    if (mixed_.size() > 2) {
        std::size_t to = mixed_.front();
        for (const std::uint32_t c : shuffled(mixed_.size() - 1))
            for (std::size_t slot = mixed_[c]; slot < mixed_[c + 1]; ++slot) give(to++, labelAt(slot));
    }
    if (flips_ > 0) {
        std::vector<std::uint8_t> flip(static_cast<std::size_t>(flips_));
        for (std::uint8_t& one : flip) one = static_cast<std::uint8_t>(random.below(2));
        for (std::size_t u = 0; u < result.size(); ++u)
            if (const std::int32_t cluster = flip_of_unit_[u]; cluster >= 0 && flip[static_cast<std::size_t>(cluster)]) result[u] = 1 - result[u];
    }
    return result;
}

}  // namespace es::analysis
