// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/run_folder.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "engine/store/journal.h"
#include "engine/store/sample_file.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

/// A reader that asks whether the run is being written holds the lock for a moment: not a reason to refuse.
Result<FileLock> patientLock(const fs::path& path) {
    for (int attempt = 0;; ++attempt) {
        auto lock = FileLock::acquire(path);
        if (lock || attempt == 5) return lock;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

}  // namespace

std::string makeUuid() {
    std::random_device random;
    std::uint32_t words[4];
    for (std::uint32_t& word : words) word = random();
    words[1] = (words[1] & 0xFFFF0FFFu) | 0x4000u;
    words[2] = (words[2] & 0x3FFFFFFFu) | 0x80000000u;
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:04x}{:08x}", words[0], words[1] >> 16, words[1] & 0xFFFF, words[2] >> 16, words[2] & 0xFFFF, words[3]);
}

bool looksLikeRun(const fs::path& folder) {
    std::error_code error;
    return fs::exists(folder / kConfigFile, error) || fs::exists(folder / kProvenanceFile, error) || !journalsOf(folder).empty();
}

Result<FileLock> makeRun(const fs::path& folder, const std::string& toml, const Provenance& provenance) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) return jobFailed("Cannot make the run directory", error.message(), "Check the path and its permissions", folder.string());
    if (FileLock::isHeld(folder / kLockFile))
        return badInput("The run is already being written", "another process holds its lock", "Wait for it, or stop it first", folder.string());
    if (looksLikeRun(folder))
        return badInput("Cannot start a run here", "the directory already holds one", "Resume it with --resume, or choose another directory with --out",
                        folder.string());
    for (const auto& entry : fs::directory_iterator(folder, error))
        if (entry.path().filename() != kLockFile)
            return badInput("Cannot start a run here", "the directory is not empty", "Choose another directory with --out", folder.string());
    auto lock = patientLock(folder / kLockFile);
    if (!lock) return lock;
    for (const char* name : {kJournalFolder, kRoutingFolder, kEvaluationFolder}) {
        fs::create_directories(folder / name, error);
        if (error) return jobFailed("Cannot make the run directory", error.message(), "Check its permissions and free space", folder.string());
    }
    if (auto status = writeFileAtomically(folder / kConfigFile, toml); !status) return tl::unexpected(status.error());
    if (auto status = writeFileAtomically(folder / kProvenanceFile, provenanceToJson(provenance)); !status) return tl::unexpected(status.error());
    return lock;
}

Result<FileLock> lockRun(const fs::path& folder) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) return badInput("Cannot resume the run", "there is no such directory", "Check the path", folder.string());
    if (!looksLikeRun(folder)) return badInput("Cannot resume the run", "the directory holds no run", "Check the path", folder.string());
    auto lock = patientLock(folder / kLockFile);
    if (!lock) return lock;
    for (const char* name : {kJournalFolder, kRoutingFolder, kEvaluationFolder}) {
        fs::create_directories(folder / name, error);
        if (error) return jobFailed("Cannot resume the run", error.message(), "Check its permissions and free space", folder.string());
    }
    return lock;
}

Result<FileLock> joinRun(const fs::path& folder, std::int32_t rank) {
    std::error_code error;
    if (!fs::is_directory(folder / kJournalFolder, error))
        return badInput("Cannot join the run", "rank 0 has not made it", "Start rank 0 first and share the directory", folder.string());
    return patientLock(folder / kJournalFolder / fmt::format("rank-{:03}.lock", rank));
}

std::vector<JournalName> journalsOf(const fs::path& folder) {
    std::vector<JournalName> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder / kJournalFolder, error))
        if (const auto name = parseJournalName(entry.path().filename().string())) names.push_back(*name);
    std::sort(names.begin(), names.end());
    return names;
}

Result<AttemptSummary> lastAttempt(const fs::path& folder, std::uint32_t rank) {
    AttemptSummary summary;
    if (const auto text = readFile(folder / kProvenanceFile, 1u << 20))
        if (const auto provenance = provenanceFromJson(*text)) summary.run_uuid = provenance->run_uuid;
    for (const JournalName& name : journalsOf(folder)) {
        if (name.rank == rank) summary.attempt = std::max(summary.attempt, static_cast<std::int32_t>(name.attempt));
        JournalPosition position;
        std::optional<Error> refusal;
        int frames = 0;
        const fs::path path = folder / kJournalFolder / journalFileName(name);
        const auto read = readJournal(path, position, [&](std::string_view payload) {
            const auto record = decodeRecord(payload);
            if (const auto* header = record ? std::get_if<AttemptHeader>(&*record) : nullptr) {
                if (header->format_version > kFormatVersion)
                    refusal = badInput("Cannot resume the run", "a newer version of ExpertScope wrote it", "Update ExpertScope", path.string()).value();
                if (summary.run_uuid.empty()) summary.run_uuid = header->run_uuid;
            }
            if (const auto* routers = record ? std::get_if<RouterTable>(&*record) : nullptr) summary.routers = *routers;
            return ++frames < 2 && !refusal;
        });
        if (!read) return tl::unexpected(read.error());
        if (refusal) return tl::unexpected(*refusal);
    }
    return summary;
}

std::unordered_set<std::uint64_t> storedSampleHashes(const fs::path& folder) {
    std::unordered_set<std::uint64_t> hashes;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with("samples") || entry.path().extension() != ".h5") continue;
        if (const auto file = SampleFileReader::open(entry.path()))
            for (const SampleRow& row : (*file)->rows()) hashes.insert(row.hash);
    }
    return hashes;
}

void removeLeftovers(const fs::path& folder) {
    std::error_code error;
    for (const char* name : {kRoutingFolder, kEvaluationFolder})
        for (const auto& entry : fs::directory_iterator(folder / name, error))
            if (entry.path().extension() == ".part") fs::remove(entry.path(), error);
}

}  // namespace es::store
