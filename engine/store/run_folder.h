// SPDX-License-Identifier: GPL-3.0-or-later
// Making, locking and looking over run directories: what the writer does before its first record.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_set>
#include <vector>

#include "engine/base/files.h"
#include "engine/base/result.h"
#include "engine/store/format.h"
#include "engine/store/journal_records.h"

namespace es::store {

/// A random version-4 UUID.
[[nodiscard]] std::string makeUuid();

/// True when the folder holds something that only a run holds.
[[nodiscard]] bool looksLikeRun(const std::filesystem::path& folder);
/// Makes the folders, run.toml and provenance.json, and takes the lock. Refuses a folder that holds a run or anything else.
[[nodiscard]] Result<FileLock> makeRun(const std::filesystem::path& folder, const std::string& toml, const Provenance& provenance);
/// Locks an existing run.
[[nodiscard]] Result<FileLock> lockRun(const std::filesystem::path& folder);
/// Locks one rank's place in a run that rank 0 made.
[[nodiscard]] Result<FileLock> joinRun(const std::filesystem::path& folder, std::int32_t rank);

struct AttemptSummary {
    std::int32_t attempt = -1;  ///< -1: none was ever opened
    std::string run_uuid;
    RouterTable routers;
};
/// The newest attempt of a rank; routers and uuid are the run's. Fails when a newer format wrote it.
[[nodiscard]] Result<AttemptSummary> lastAttempt(const std::filesystem::path& folder, std::uint32_t rank);
/// The journals of a run, attempts ascending, ranks ascending within.
[[nodiscard]] std::vector<JournalName> journalsOf(const std::filesystem::path& folder);

/// Hashes in the run's sample files. Unreadable files count as empty: their samples are stored again.
[[nodiscard]] std::unordered_set<std::uint64_t> storedSampleHashes(const std::filesystem::path& folder);
/// Removes half-written files that a killed writer left. Only with the lock held.
void removeLeftovers(const std::filesystem::path& folder);

}  // namespace es::store
