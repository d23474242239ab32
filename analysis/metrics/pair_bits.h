// SPDX-License-Identifier: GPL-3.0-or-later
// Experts chosen by the same token, counted sixty-four tokens at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace es::analysis {

/// Whether bits are faster than counting pair by pair: many choices a token among not too many experts.
[[nodiscard]] bool bitsArePaying(std::size_t experts, std::size_t k);

/// N_ij of T tokens with k choices each (`ids_TK`, row by row), experts x experts, symmetric; the diagonal is n_i. A token names an expert once; experts out of
/// range do not count.
[[nodiscard]] std::vector<double> pairsByBits(std::span<const std::uint16_t> ids_TK, std::size_t k, std::size_t experts);

}  // namespace es::analysis
