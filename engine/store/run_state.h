// SPDX-License-Identifier: GPL-3.0-or-later
// What a run is and how it stands, without its index: shared by opening one run and listing many.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/config/run_config.h"
#include "engine/store/records.h"
#include "engine/store/run_contents.h"
#include "engine/store/run_reader.h"

namespace es::store {

struct RunDescription {
    config::RunConfig config;  ///< defaults when run.toml is missing or unreadable
    bool configured = false;   ///< run.toml was read
    Provenance provenance;
    std::vector<std::string> warnings;  ///< files that are missing or unreadable
};
/// Reads run.toml and provenance.json. Errors: no such folder, not a run, a newer format.
[[nodiscard]] Result<RunDescription> describeRun(const std::filesystem::path& folder);

/// Training while the lock is held, or (where locks of other hosts cannot be seen) while records keep coming; else by the last event.
[[nodiscard]] RunState stateOf(const RunContents& contents, const std::filesystem::path& folder, bool locked);

/// Removes the index files of a run, wherever they are kept. Fails when another program keeps the one in the run.
[[nodiscard]] Status dropIndex(const std::filesystem::path& folder, const std::string& runUuid);

}  // namespace es::store
