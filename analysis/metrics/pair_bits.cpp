// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/pair_bits.h"

#include <algorithm>
#include <array>

#include "engine/base/target_clones.h"

namespace es::analysis {
namespace {

constexpr std::size_t kBlockWords = 24;  // bits of 64 experts stay in the nearest cache, and 24 x 8 fits a byte (see below)
constexpr std::size_t kBlockTokens = 64 * kBlockWords;
using Bits = std::array<std::uint64_t, kBlockWords>;

/// Which of a block's tokens chose each expert. The last of `bits_E` is for experts out of range.
void setBits(std::span<const std::uint16_t> ids_TK, std::size_t k, std::vector<Bits>& bits_E) {
    const std::size_t experts = bits_E.size() - 1, tokens = ids_TK.size() / k;
    std::vector<std::uint64_t> column(bits_E.size());
    for (std::size_t word = 0; word < kBlockWords; ++word) {
        std::fill(column.begin(), column.end(), 0);
        const std::size_t first = std::min(word * 64, tokens), last = std::min(first + 64, tokens);
        for (std::size_t t = first; t < last; ++t) {
            const std::uint64_t bit = std::uint64_t{1} << (t - first);
            for (std::size_t i = 0; i < k; ++i) column[std::min<std::size_t>(ids_TK[t * k + i], experts)] |= bit;
        }
        for (std::size_t e = 0; e < experts; ++e) bits_E[e][word] = column[e];
    }
}

/// Adds the bits that each pair has in common. Counted in bytes of a word, which the compiler does for several words at once.
ES_CLONES void addCommonBits(const Bits* bits_E, std::size_t experts, std::uint64_t* counts_EE) {
    for (std::size_t i = 0; i < experts; ++i) {
        const Bits a = bits_E[i];
        for (std::size_t j = i; j < experts; ++j) {
            const Bits& b = bits_E[j];
            std::uint64_t bytes = 0;
            for (std::size_t w = 0; w < kBlockWords; ++w) {
                std::uint64_t both = a[w] & b[w];
                both -= (both >> 1) & 0x5555555555555555u;
                both = (both & 0x3333333333333333u) + ((both >> 2) & 0x3333333333333333u);
                bytes += (both + (both >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
            }
            const std::uint64_t halves = (bytes & 0x00FF00FF00FF00FFu) + ((bytes >> 8) & 0x00FF00FF00FF00FFu);
            counts_EE[i * experts + j] += (halves * 0x0001000100010001u) >> 48;
        }
    }
}

}  // namespace

bool bitsArePaying(std::size_t experts, std::size_t k) {
    // Measured: a pair of experts costs a third of a pair of choices for every 64 tokens, setting a bit two thirds of one.
    return k >= 4 && experts * (experts + 1) + 200 * k < 120 * k * (k + 1);
}

std::vector<double> pairsByBits(std::span<const std::uint16_t> ids_TK, std::size_t k, std::size_t experts) {
    std::vector<double> counts_EE(experts * experts, 0);
    if (k == 0 || experts == 0) return counts_EE;
    std::vector<Bits> bits_E(experts + 1);
    std::vector<std::uint64_t> upper_EE(experts * experts, 0);
    for (std::size_t begin = 0; begin + k <= ids_TK.size(); begin += kBlockTokens * k) {
        setBits(ids_TK.subspan(begin, std::min(kBlockTokens * k, ids_TK.size() - begin)), k, bits_E);
        addCommonBits(bits_E.data(), experts, upper_EE.data());
    }
    for (std::size_t i = 0; i < experts; ++i)
        for (std::size_t j = i; j < experts; ++j) counts_EE[i * experts + j] = counts_EE[j * experts + i] = static_cast<double>(upper_EE[i * experts + j]);
    return counts_EE;
}

}  // namespace es::analysis
