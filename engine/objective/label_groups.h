// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens gathered by a label (modality, sequence). T tokens, N of them with a label, M labels that occur.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace es::engine {

struct LabelGroups {
    std::int64_t count = 0;  ///< M; 0: no token has a label, and the tensors are empty
    at::Tensor rows_N;       ///< the tokens with a label, ascending
    at::Tensor group_N;      ///< group of each of them, in order of the labels
    at::Tensor sizes_M;      ///< tokens of each group, fp64

    /// Mean over each group of the rows of `x` (T x anything, fp64), with gradient.
    [[nodiscard]] at::Tensor meanOf(const at::Tensor& x) const;
};

/// Labels are int64 of any size, with gaps or not; negative ones leave the token out.
[[nodiscard]] LabelGroups groupByLabel(const at::Tensor& label_T, std::int64_t tokens);

}  // namespace es::engine
