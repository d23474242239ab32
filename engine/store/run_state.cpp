// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/run_state.h"

#include <algorithm>

#include "engine/base/files.h"
#include "engine/config/config_io.h"
#include "engine/store/format.h"
#include "engine/store/run_folder.h"
#include "engine/store/run_index.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

constexpr double kStillWrittenSeconds = 30;  ///< a trainer flushes every second; a long evaluation may take longer

}  // namespace

Result<RunDescription> describeRun(const fs::path& folder) {
    std::error_code error;
    const auto status = fs::status(folder, error);
    if (!fs::exists(status)) return badInput("Cannot open the run", "there is no such directory", "Check the path", folder.string());
    if (!fs::is_directory(status)) return badInput("Cannot open the run", "it is a file", "Name the directory that holds run.toml", folder.string());
    if (fs::directory_iterator(folder, error); error) return badInput("Cannot open the run", error.message(), "Check its permissions", folder.string());
    if (!looksLikeRun(folder))
        return badInput("Cannot open the run", "the directory holds no run.toml and no journal", "Name the directory of a run", folder.string());

    RunDescription description;
    if (fs::exists(folder / kConfigFile, error)) {
        const auto text = readFile(folder / kConfigFile, 16u << 20);
        auto config = text ? config::parseToml(*text, (folder / kConfigFile).string()) : tl::unexpected(text.error());
        // A configuration that this version cannot read leaves the records readable: the rest of the run opens.
        description.configured = config.has_value();
        if (config) description.config = std::move(*config);
        else description.warnings.push_back("The configuration cannot be read. " + config.error().message());
    } else {
        description.warnings.push_back("run.toml is missing: the configuration is unknown and defaults are shown");
    }
    if (fs::exists(folder / kProvenanceFile, error)) {
        const auto text = readFile(folder / kProvenanceFile, 16u << 20);
        const auto provenance = text ? provenanceFromJson(*text) : std::nullopt;
        if (provenance) description.provenance = *provenance;
        else description.warnings.push_back("provenance.json cannot be read");
    } else {
        description.warnings.push_back("provenance.json is missing: who made the run and with what is unknown");
    }
    if (journalsOf(folder).empty() && !FileLock::isHeld(folder / kLockFile))
        description.warnings.push_back("There is no journal: nothing was recorded, or it was not copied");
    if (description.provenance.run_uuid.empty())
        if (const auto last = lastAttempt(folder, 0)) description.provenance.run_uuid = last->run_uuid;
    return description;
}

RunState stateOf(const RunContents& contents, const fs::path& folder, bool locked) {
    if (locked) return RunState::kTraining;
    const RunState state = contents.stateWhenIdle();
    if (state == RunState::kInterrupted && nowSeconds() - contents.updatedSeconds() < kStillWrittenSeconds && onRemoteFileSystem(folder))
        return RunState::kTraining;
    return state;
}

Status dropIndex(const fs::path& folder, const std::string& runUuid) {
    for (const fs::path& file : indexPlaces(folder, runUuid)) {
        std::error_code error;
        if (!fs::exists(file, error)) continue;
        auto lock = FileLock::acquire(file.string() + ".lock");
        if (!lock) return jobFailed("Cannot drop the index", "another program keeps it", "Close the window that shows this run, then try again", file.string());
        fs::remove(file, error);
        if (error) return jobFailed("Cannot drop the index", error.message(), "Check its permissions", file.string());
        fs::remove(file.string() + "-journal", error);
    }
    return {};
}

}  // namespace es::store
