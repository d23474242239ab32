// SPDX-License-Identifier: GPL-3.0-or-later
// A reference case: inputs of one operation and the values that the literature's definition gives for them. One safetensors file: metadata
// `op`, `params` (JSON), `atol`, `rtol`, `source`; tensors `in.NAME`, `out.NAME`, `grad.NAME`.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "engine/base/result.h"
#include "engine/base/safetensors_file.h"
#include "engine/reference/operation.h"

namespace es::reference {

struct Case {
    std::string name;  ///< the file's, without its ending
    std::string op;
    std::string params = "{}";  ///< JSON text
    std::string source;         ///< where the expected values come from
    double atol = 0, rtol = 0;
    NamedArrays inputs, outputs, gradients;  ///< names without their prefix
};

/// Fails, with a reason that stands by itself in Error::why, on a damaged file, metadata that are missing or no tolerance, a tensor name without
/// one of the three prefixes.
[[nodiscard]] Result<Case> readCase(const std::filesystem::path& path);

/// Checks a case of a known operation against the table. Fails with the reason in Error::why: an unknown, missing or impossible parameter;
/// an unknown or missing tensor; a wrong type, shape or value; zero tokens; gradients that do not exist; nothing to compare.
[[nodiscard]] Result<Call> checkCase(const Case& test);

/// Shorthand for a reason alone.
[[nodiscard]] tl::unexpected<Error> badCase(std::string why);

}  // namespace es::reference
