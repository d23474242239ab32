// SPDX-License-Identifier: GPL-3.0-or-later
// The index of a run's journals in SQLite: disposable, kept in the run when that is local and writable, else in the user's cache, else
// in memory. It remembers how far each journal was read, so that opening a long run reads only what is new.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/files.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/database.h"
#include "engine/store/format.h"
#include "engine/store/journal.h"
#include "engine/store/load_store.h"
#include "engine/store/run_contents.h"
#include "engine/store/series_store.h"

namespace es::store {

/// Rises when the tables change; an index of another version is dropped and built anew.
inline constexpr std::int64_t kIndexVersion = 1;

/// True when the folder lies on a file system of another host, where locks and SQLite cannot be relied on.
[[nodiscard]] bool onRemoteFileSystem(const std::filesystem::path& folder);

/// Where an index of the run may be kept, best first. Whether each can be written is another question.
[[nodiscard]] std::vector<std::filesystem::path> indexPlaces(const std::filesystem::path& run, const std::string& runUuid);

/// Not thread-safe: the reader's lock covers it. Throws DatabaseError.
class RunIndex {
public:
    enum class Place { kBest, kMemory };
    RunIndex(std::filesystem::path run, const std::string& runUuid, Place place);
    ~RunIndex();  ///< saves; never throws

    /// Reads what the journals have gained. Fails when a journal is of a newer format.
    [[nodiscard]] Result<RunChange> update(const JobContext& context);
    void save();

    [[nodiscard]] const RunContents& contents() const { return contents_; }
    [[nodiscard]] SeriesStore& series() { return *series_; }
    [[nodiscard]] LoadStore& loads() { return *loads_; }
    /// Journals whose records count, attempts ascending, then ranks.
    [[nodiscard]] std::vector<SeriesStore::Source> sources() const;
    /// Damage found so far, and with `idle` (nobody writes) what is left unread at the ends.
    [[nodiscard]] std::vector<std::string> warnings(bool idle) const;
    [[nodiscard]] const std::filesystem::path& file() const { return file_; }  ///< empty: in memory

private:
    struct Journal {
        JournalName name;
        JournalPosition position;
        std::uint64_t identity = 0;  ///< hash of its first frame's header: another file of the same name is noticed
        std::uint64_t seen_size = 0, unread_tail = 0;
        std::vector<std::int64_t> series;  ///< by the journal's own numbers; -1 unknown
    };
    struct SmallRecord {
        std::int64_t journal;
        std::string payload;
    };
    [[nodiscard]] bool openFile(const std::filesystem::path& file, const std::string& runUuid);
    void start(const std::string& databasePath);
    [[nodiscard]] bool load(const std::string& runUuid);
    void findJournals();
    [[nodiscard]] Result<RunChange> readNew(Journal& journal, std::int64_t number, const JobContext& context);
    void apply(Journal& journal, std::int64_t number, std::string_view payload, RunChange& change);
    void writeState();
    [[nodiscard]] std::filesystem::path pathOf(const Journal& journal) const;

    std::filesystem::path run_, file_;
    std::optional<FileLock> lock_;
    std::unique_ptr<Database> database_;
    std::unique_ptr<SeriesStore> series_;
    std::unique_ptr<LoadStore> loads_;
    RunContents contents_;
    std::vector<Journal> journals_;  ///< place = number in the index
    std::vector<SmallRecord> unsaved_;
    std::vector<std::string> warnings_;
    std::size_t saved_warnings_ = 0;
    std::int64_t unknown_records_ = 0;
    std::optional<Error> refusal_;
    bool dirty_ = false;
    std::chrono::steady_clock::time_point saved_at_;
};

}  // namespace es::store
