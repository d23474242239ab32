// SPDX-License-Identifier: GPL-3.0-or-later
// Weights of a checkpoint into a model.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <string>

#include "engine/base/result.h"
#include "engine/model/vl_moe.h"

namespace es::engine {

/// Copies every parameter and buffer. Fails, changing nothing, when one is missing, of another shape, or left over.
[[nodiscard]] Status loadWeights(VlMoe& model, const std::map<std::string, at::Tensor>& weights, const std::string& path);

}  // namespace es::engine
