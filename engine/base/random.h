// SPDX-License-Identifier: GPL-3.0-or-later
// Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011): the numbers depend only on the key, never on who asks first,
// so a run gives the same losses with one data thread or four, and after a resume.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace es {

/// What the numbers are for. Values are part of a run's reproducibility: append only.
enum class RandomPurpose : std::uint32_t {
    kWeights = 1,
    kImageOrder = 2,
    kTextOrder = 3,
    kPairOrder = 4,
    kImageMask = 5,
    kTextMask = 6,
    kPairImageMask = 7,
    kPairTextMask = 8,
    kRouterNoise = 9,
    kEvaluationMask = 10,
    kProbe = 11,
    kRandomRouter = 12,
    kBootstrap = 13,
    kPermutation = 14,
    kSynthetic = 15,
    kStochasticDepth = 16,
    kRouterJitter = 17,
    kHardNegatives = 18,
    kEvaluationPairs = 19,
    kImageTokenizer = 20,
};

/// A stream of random numbers for one (seed, purpose, step, rank). Cheap to make; not shared between threads.
class RandomStream {
public:
    RandomStream(std::uint64_t seed, RandomPurpose purpose, std::uint64_t step = 0, std::uint32_t rank = 0);

    std::uint32_t nextU32();
    std::uint64_t nextU64();
    double uniform();                          ///< in [0, 1)
    double normal();                           ///< mean 0, deviation 1 (Box-Muller)
    std::uint32_t below(std::uint32_t bound);  ///< in [0, bound) without bias; bound > 0

    /// Fisher-Yates, in place.
    template <class T>
    void shuffle(std::span<T> items) {
        for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(static_cast<std::uint32_t>(i))]);
    }

private:
    std::array<std::uint32_t, 2> key_;
    std::array<std::uint32_t, 4> counter_;
    std::array<std::uint32_t, 4> block_{};
    int used_ = 4;
    bool haveNormal_ = false;
    double spareNormal_ = 0;
};

}  // namespace es
