// SPDX-License-Identifier: GPL-3.0-or-later
// Experts chosen by the same token, counted as tokens come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace es::analysis {

/// N_ij of tokens with k choices each among E experts. A token names an expert once; experts out of range do not count. One thread at a time.
class PairCounts {
public:
    /// How pairs are counted: one by one, or 64 tokens at a time, which pays for many choices among not too many experts. The counts are the same.
    enum class Way { kFaster, kOneByOne, kBits };

    PairCounts(std::size_t experts, std::size_t k, Way way = Way::kFaster);
    ~PairCounts();
    PairCounts(PairCounts&&) noexcept;
    PairCounts& operator=(PairCounts&&) noexcept;

    /// T tokens, row by row; a rest shorter than k is left out.
    void add(std::span<const std::uint16_t> ids_TK);
    /// Of everything added, experts x experts, symmetric; the diagonal is n_i.
    [[nodiscard]] std::vector<double> counts() const;

    /// The way that kFaster takes.
    [[nodiscard]] static Way fasterWay(std::size_t experts, std::size_t k);

    class Counter;

private:
    std::unique_ptr<Counter> counter_;
};

}  // namespace es::analysis
