// SPDX-License-Identifier: GPL-3.0-or-later
// How alike the experts of one router are: by their weights, by the router's weights for them, and by what they make of the same tokens.
// T tokens, E experts, D width.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/session/engine_session.h"
#include "engine/store/annotations.h"

namespace es::engine {

/// cos(x_i, x_j) of the rows of a matrix (E x anything), E x E fp64; NaN where a row is zero.
[[nodiscard]] at::Tensor rowCosines(const at::Tensor& rows_EN);
/// mean_t cos(y_i(t), y_j(t)) of outputs E x T x D, over the tokens at which both are not zero; NaN where there is none.
[[nodiscard]] at::Tensor outputCosines(const at::Tensor& outputs_ETD);
/// Linear centred kernel alignment ‖YᵀX‖²_F / (‖XᵀX‖_F ‖YᵀY‖_F) of outputs E x T x D, each centred over tokens (Kornblith et al. 2019,
/// arXiv:1905.00414 eq. 4); NaN where an expert's output does not vary, or with fewer than two tokens. Biased upwards where tokens are few against
/// D: unrelated outputs are alike too then. Stopped: what it gives is not whole.
[[nodiscard]] at::Tensor linearCka(const at::Tensor& outputs_ETD, const JobContext& context = {});

/// The four measures of each router asked for, on the samples of the run's probe, nothing masked, on the CPU. A run that holds no probe
/// samples gets the two by weights alone. Fails on a run without that checkpoint, a dense model, and routers that there are not. Never throws.
[[nodiscard]] Result<std::vector<store::ExpertSimilarity>> expertSimilarity(const session::SimilarityRequest& request, const JobContext& context);

}  // namespace es::engine
