// SPDX-License-Identifier: GPL-3.0-or-later
// Runs a case and compares what was computed with what the case expects.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "engine/reference/reference_case.h"

namespace es::reference {

enum class Verdict : std::uint8_t { kOk, kFail, kUnknownOp, kBadCase };
/// "ok", "FAIL", "unknown op", "bad case".
[[nodiscard]] std::string_view nameOf(Verdict verdict);

struct Outcome {
    std::string name, op;
    Verdict verdict = Verdict::kFail;
    /// Largest errors of the tensor that comes nearest to its tolerance, or exceeds it most. The relative one is over values that are not 0.
    double absolute = 0, relative = 0;
    std::string tensor;  ///< "out.y_TD"; empty when nothing was compared
    std::string reason;  ///< why there is nothing to compare, or what the mismatch is
};

/// Computes a case: "out.NAME" and "grad.NAME" of what the operation gives. An Error of kind kBadInput says that the case is bad.
using Runner = std::function<Result<NamedArrays>(const Call&)>;

/// |x - ref| <= atol + rtol |ref| for every real number, NaN never equal; integers exactly.
[[nodiscard]] Outcome compare(const Case& test, const NamedArrays& computed);

/// Reads, checks, computes and compares one file; never throws. `computed`, when given, gets what was computed.
[[nodiscard]] Outcome runCase(const std::filesystem::path& path, const Runner& engine, const Runner& analysis, NamedArrays* computed = nullptr);

}  // namespace es::reference
