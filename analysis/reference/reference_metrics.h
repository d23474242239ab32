// SPDX-License-Identifier: GPL-3.0-or-later
// The metrics and statistics of `expertscope doctor --reference`: names and arrays of a case to the functions that the panels call, and back.
#pragma once

#include "engine/base/result.h"
#include "engine/base/safetensors_file.h"
#include "engine/reference/operation.h"

namespace es::analysis {

/// Computes a checked case of an operation whose home is analysis: "out.NAME" for every output. An Error of kind kBadInput: the case turned out
/// to be bad.
[[nodiscard]] Result<NamedArrays> runReferenceMetric(const reference::Call& call);

}  // namespace es::analysis
