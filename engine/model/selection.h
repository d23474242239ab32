// SPDX-License-Identifier: GPL-3.0-or-later
// Choosing the best experts of each token.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace es::engine {

/// Indices (int64, T x k, best first) of the k largest scores of each row of `scores_TE`. Ties go to the lower index on every device.
/// A row with NaN still gets k different indices. No gradient. Needs 1 <= k <= E.
[[nodiscard]] at::Tensor selectTopK(const at::Tensor& scores_TE, std::int64_t k);

}  // namespace es::engine
