// SPDX-License-Identifier: GPL-3.0-or-later
// Per-sample losses of one evaluation in HDF5: one data set a column.
#pragma once

#include <filesystem>
#include <string>

#include "engine/base/result.h"
#include "engine/store/records.h"

namespace es::store {

/// Writes beside the target, syncs, renames: whole or not at all.
[[nodiscard]] Status writeEvaluation(const std::filesystem::path& path, const Evaluation& evaluation, const std::string& runUuid);
[[nodiscard]] Result<Evaluation> readEvaluation(const std::filesystem::path& path);

}  // namespace es::store
