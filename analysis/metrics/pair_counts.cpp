// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/pair_counts.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "engine/base/target_clones.h"

namespace es::analysis {

/// Counts whole tokens; `addTo` adds what was counted to the upper triangle, rows of the smaller index, of a table of experts x experts.
class PairCounts::Counter {
public:
    Counter(std::size_t experts, std::size_t k) : experts_(experts), k_(k) {}
    virtual ~Counter() = default;
    Counter(const Counter&) = delete;
    Counter& operator=(const Counter&) = delete;

    virtual void add(std::span<const std::uint16_t> ids_TK) = 0;
    virtual void addTo(std::vector<std::uint64_t>& upper_EE) const = 0;
    std::size_t experts() const { return experts_; }
    std::size_t choices() const { return k_; }

private:
    std::size_t experts_, k_;
};

namespace {

constexpr std::size_t kMostChoices = 64;  ///< that fit the slots of a token counted pair by pair

/// Calls work<K>() with the number of choices known when compiled where it is a usual one, so that loops over a token's choices unroll, or with K = 0.
template <class Work>
void withChoices(std::size_t k, const Work& work) {
    switch (k) {
        case 2: return work.template operator()<2>();
        case 4: return work.template operator()<4>();
        case 6: return work.template operator()<6>();
        case 8: return work.template operator()<8>();
        case 16: return work.template operator()<16>();
        default: return work.template operator()<0>();
    }
}

/// Adds the pairs of every token of [begin, end), experts in the order of their ranks, to counts of (earlier rank, later rank). K = 0: any `k`.
template <std::size_t K>
void countRanked(const std::uint16_t* begin, const std::uint16_t* end, std::size_t k, std::size_t experts, std::uint32_t* even, std::uint32_t* odd) {
    if constexpr (K > 0) k = K;
    std::array<std::uint32_t, kMostChoices> slots{};
    const std::size_t stride = experts + 1;
    for (const std::uint16_t* token = begin; token + k <= end; token += k) {
        for (std::size_t i = 0; i < k; ++i) slots[i] = static_cast<std::uint32_t>(std::min<std::size_t>(token[i], experts));
        for (std::size_t i = 0; i < k; ++i) {
            std::uint32_t* row = even + static_cast<std::size_t>(slots[i]) * stride;
            for (std::size_t j = i; j < k; ++j) ++row[slots[j]];
        }
        // Neighbouring tokens often choose alike: the other table's counts do not wait for these stores.
        std::swap(even, odd);
    }
}

/// Without a branch a pair: pairs are counted as they come in rank order and made symmetric at the end; experts out of range go to a column of their
/// own. Narrow counts, emptied before they can overflow, keep the tables in the nearest cache.
class CountedOneByOne final : public PairCounts::Counter {
public:
    CountedOneByOne(std::size_t experts, std::size_t k)
        : Counter(experts, k), even_((experts + 1) * (experts + 1), 0), odd_(even_), sums_EE_(experts * experts, 0) {}

    void add(std::span<const std::uint16_t> ids_TK) override {
        const std::size_t k = choices();
        while (ids_TK.size() >= k) {
            const std::size_t tokens = std::min(ids_TK.size() / k, kTokens - tokens_);
            withChoices(k, [&]<std::size_t K> { countRanked<K>(ids_TK.data(), ids_TK.data() + tokens * k, k, experts(), even_.data(), odd_.data()); });
            ids_TK = ids_TK.subspan(tokens * k);
            tokens_ += tokens;
            if (tokens_ == kTokens) {
                addTables(sums_EE_);
                std::fill(even_.begin(), even_.end(), 0);
                std::fill(odd_.begin(), odd_.end(), 0);
                tokens_ = 0;
            }
        }
    }
    void addTo(std::vector<std::uint64_t>& upper_EE) const override {
        for (std::size_t i = 0; i < upper_EE.size(); ++i) upper_EE[i] += sums_EE_[i];
        addTables(upper_EE);
    }

private:
    static constexpr std::size_t kTokens = std::size_t{1} << 30;  ///< a token names an expert once, so that no narrow count overflows before

    void addTables(std::vector<std::uint64_t>& upper_EE) const {
        const std::size_t stride = experts() + 1;
        for (std::size_t i = 0; i < experts(); ++i)
            for (std::size_t j = 0; j < experts(); ++j)
                upper_EE[std::min(i, j) * experts() + std::max(i, j)] += std::uint64_t{even_[i * stride + j]} + odd_[i * stride + j];
    }

    std::vector<std::uint32_t> even_, odd_;
    std::vector<std::uint64_t> sums_EE_;
    std::size_t tokens_ = 0;  ///< in the narrow tables
};

// Four words side by side, and fifteen of those: as many as a sum of four bits holds, and the bits of 64 experts still stay in the nearest cache.
using Words = std::uint64_t __attribute__((vector_size(32)));
constexpr std::size_t kWordTokens = 64, kLanes = sizeof(Words) / sizeof(std::uint64_t), kVectors = 15, kBlockWords = kVectors * kLanes;
/// Which of a block's tokens chose an expert.
using Bits = std::array<std::uint64_t, kBlockWords>;

/// The v-th four words that two experts have in common. By their bytes, for memory of words is not aligned for vectors.
[[gnu::always_inline]] inline void common(Words& both, const Bits& a, const Bits& b, std::size_t v) {
    Words other;
    std::memcpy(&both, a.data() + v * kLanes, sizeof both);
    std::memcpy(&other, b.data() + v * kLanes, sizeof other);
    both &= other;
}

/// sum + a + b for each bit: the low bits stay in `sum`, the high ones are `carry` (a carry-save adder).
[[gnu::always_inline]] inline void addBits(Words& carry, Words& sum, const Words& a, const Words& b) {
    const Words mixed = sum ^ a;
    carry = (sum & a) | (mixed & b);
    sum = mixed ^ b;
}

/// How many bits of each byte are set.
[[gnu::always_inline]] inline void countInBytes(Words& x) {
    x -= (x >> 1) & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + ((x >> 2) & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
}

/// Adds the bits that each pair has in common: fifteen vectors are added to four of weights 1, 2, 4 and 8 before any bit is counted (Harley and Seal).
ES_CLONES void addCommonBits(const Bits* bits_E, std::size_t experts, std::uint64_t* upper_EE) {
    for (std::size_t i = 0; i < experts; ++i) {
        const Bits& a = bits_E[i];
        for (std::size_t j = i; j < experts; ++j) {
            const Bits& b = bits_E[j];
            std::array<Words, 7> twos;
            std::array<Words, 3> fours;
            Words one, first, second, eight;
            common(one, a, b, 0);
            for (std::size_t v = 0; v < twos.size(); ++v) {
                common(first, a, b, 2 * v + 1);
                common(second, a, b, 2 * v + 2);
                addBits(twos[v], one, first, second);
            }
            Words& two = twos[0];
            for (std::size_t v = 0; v < fours.size(); ++v) addBits(fours[v], two, twos[2 * v + 1], twos[2 * v + 2]);
            Words& four = fours[0];
            addBits(eight, four, fours[1], fours[2]);
            for (Words* sum : {&one, &two, &four, &eight}) countInBytes(*sum);
            const Words bytes = one + 2 * two + 4 * four + 8 * eight;  // at most 120
            const Words halves = (bytes & 0x00FF00FF00FF00FFu) + ((bytes >> 8) & 0x00FF00FF00FF00FFu);
            const std::uint64_t all = halves[0] + halves[1] + halves[2] + halves[3];
            upper_EE[i * experts + j] += (all * 0x0001000100010001u) >> 48;
        }
    }
}

/// Sets a bit for the experts of `tokens` tokens from bit `first` on; the last of `column_E` is for experts out of range. K = 0: any `k`.
template <std::size_t K>
void setBits(const std::uint16_t* ids_TK, std::size_t tokens, std::size_t k, std::size_t experts, std::size_t first, std::uint64_t* column_E) {
    if constexpr (K > 0) k = K;
    for (std::size_t t = 0; t < tokens; ++t)
        for (std::size_t i = 0; i < k; ++i) column_E[std::min<std::size_t>(ids_TK[t * k + i], experts)] |= std::uint64_t{1} << (first + t);
}

class CountedByBits final : public PairCounts::Counter {
public:
    CountedByBits(std::size_t experts, std::size_t k) : Counter(experts, k), column_E_(experts + 1, 0), block_E_(experts), sums_EE_(experts * experts, 0) {}

    void add(std::span<const std::uint16_t> ids_TK) override {
        const std::size_t k = choices();
        for (std::size_t left = ids_TK.size() / k; left > 0;) {
            const std::size_t tokens = std::min(left, kWordTokens - tokens_);
            withChoices(k, [&]<std::size_t K> { setBits<K>(ids_TK.data(), tokens, k, experts(), tokens_, column_E_.data()); });
            ids_TK = ids_TK.subspan(tokens * k);
            left -= tokens;
            tokens_ += tokens;
            if (tokens_ == kWordTokens) endWord();
        }
    }
    void addTo(std::vector<std::uint64_t>& upper_EE) const override {
        for (std::size_t i = 0; i < upper_EE.size(); ++i) upper_EE[i] += sums_EE_[i];
        std::vector<Bits> block_E = block_E_;
        for (std::size_t e = 0; e < experts(); ++e) block_E[e][words_] = column_E_[e];
        addCommonBits(block_E.data(), experts(), upper_EE.data());
    }

private:
    void endWord() {
        for (std::size_t e = 0; e < experts(); ++e) block_E_[e][words_] = column_E_[e];
        std::fill(column_E_.begin(), column_E_.end(), 0);
        tokens_ = 0;
        if (++words_ < kBlockWords) return;
        addCommonBits(block_E_.data(), experts(), sums_EE_.data());
        std::fill(block_E_.begin(), block_E_.end(), Bits{});
        words_ = 0;
    }

    std::vector<std::uint64_t> column_E_;  ///< the word that is being filled; the last is for experts out of range
    std::vector<Bits> block_E_;
    std::vector<std::uint64_t> sums_EE_;
    std::size_t tokens_ = 0, words_ = 0;  ///< in the column, in the block
};

}  // namespace

PairCounts::Way PairCounts::fasterWay(std::size_t experts, std::size_t k) {
    if (k > kMostChoices) return Way::kBits;
    // Measured: a pair of experts costs a fifth of a pair of choices for every 64 tokens, setting a bit two thirds of one.
    return k >= 4 && experts * (experts + 1) + 330 * k < 200 * k * (k + 1) ? Way::kBits : Way::kOneByOne;
}

PairCounts::PairCounts(std::size_t experts, std::size_t k, Way way) {
    if (way == Way::kFaster || k > kMostChoices) way = fasterWay(experts, k);
    if (way == Way::kBits) counter_ = std::make_unique<CountedByBits>(experts, k);
    else counter_ = std::make_unique<CountedOneByOne>(experts, k);
}
PairCounts::~PairCounts() = default;
PairCounts::PairCounts(PairCounts&&) noexcept = default;
PairCounts& PairCounts::operator=(PairCounts&&) noexcept = default;

void PairCounts::add(std::span<const std::uint16_t> ids_TK) {
    if (counter_->choices() > 0) counter_->add(ids_TK);
}

std::vector<double> PairCounts::counts() const {
    const std::size_t experts = counter_->experts();
    std::vector<std::uint64_t> upper_EE(experts * experts, 0);
    counter_->addTo(upper_EE);
    std::vector<double> counts_EE(upper_EE.size());
    for (std::size_t i = 0; i < experts; ++i)
        for (std::size_t j = i; j < experts; ++j) counts_EE[i * experts + j] = counts_EE[j * experts + i] = static_cast<double>(upper_EE[i * experts + j]);
    return counts_EE;
}

}  // namespace es::analysis
