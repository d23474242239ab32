// SPDX-License-Identifier: GPL-3.0-or-later
// The engine's side of `expertscope doctor --reference`: a case computed with the functions that models, losses and the optimiser are made of.
#pragma once

#include <string>

#include "engine/base/result.h"
#include "engine/base/safetensors_file.h"
#include "engine/reference/operation.h"

namespace es::engine {

/// See session::EngineLibrary. No exception leaves these.
[[nodiscard]] Status checkReferenceDevice(const std::string& device);
[[nodiscard]] Result<NamedArrays> runReferenceCase(const reference::Call& call, const std::string& device);

}  // namespace es::engine
