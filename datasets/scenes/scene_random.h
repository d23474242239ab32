// SPDX-License-Identifier: GPL-3.0-or-later
// Random integers for scenes. Whole numbers only, so that every machine and compiler draws the same ones.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace es::datasets {

/// SplitMix64 (Steele, Lea and Flood 2014), started anew for each key. Part of the data: never changes.
class SceneRandom {
public:
    SceneRandom(std::uint64_t seed, std::uint64_t index) : state_(mixed(seed + 0x9E37'79B9'7F4A'7C15) ^ mixed(index ^ 0xD1B5'4A32'D192'ED03)) {}

    std::uint64_t next() {
        state_ += 0x9E37'79B9'7F4A'7C15;
        return mixed(state_);
    }
    /// In [0, bound), bound > 0. The highest 32 bits decide: a bias below bound / 2^32.
    std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32); }
    /// In [low, high].
    std::int64_t between(std::int64_t low, std::int64_t high) { return low + below(static_cast<std::uint32_t>(high - low + 1)); }
    bool chance(std::uint32_t percent) { return below(100) < percent; }
    /// Which of the weights, whose sum is positive.
    template <class Weights>
    int choose(const Weights& weights) {
        std::uint32_t sum = 0;
        for (const auto weight : weights) sum += static_cast<std::uint32_t>(weight);
        std::uint32_t at = below(sum);
        int which = 0;
        for (const auto weight : weights) {
            if (at < static_cast<std::uint32_t>(weight)) return which;
            at -= static_cast<std::uint32_t>(weight);
            ++which;
        }
        return which - 1;
    }
    template <class T>
    void shuffle(std::vector<T>& items) {
        for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(static_cast<std::uint32_t>(i))]);
    }

private:
    static std::uint64_t mixed(std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9;
        z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EB;
        return z ^ (z >> 31);
    }
    std::uint64_t state_;
};

}  // namespace es::datasets
