// SPDX-License-Identifier: GPL-3.0-or-later
// What a model holds and what a step of it costs, counted without running it.
#pragma once

#include "engine/config/run_config.h"
#include "engine/model/vl_moe.h"

namespace es::engine {

/// FLOPs of the matrix products of one step of the configured batch, forward and backward (three times the forward), one multiply-add as
/// two; texts at their full length. Active: what is computed; with capacity dispatch the most that it can be. Total: as if each token went
/// through all experts of its router. Parameters active: all but the experts that a token does not choose.
[[nodiscard]] ModelAccount accountFor(const config::RunConfig& config, const DataShape& shape);

}  // namespace es::engine
