// SPDX-License-Identifier: GPL-3.0-or-later
// Router load of a run: blocks of records in SQLite as they stand in the journal, the newest in memory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/store/database.h"
#include "engine/store/run_reader.h"
#include "engine/store/series_store.h"

namespace es::store {

inline constexpr std::int64_t kLoadBlock = 512;  ///< records a block

/// Not thread-safe: the reader's lock covers it. Throws DatabaseError.
class LoadStore {
public:
    explicit LoadStore(Database& database);
    static void createTables(Database& database);
    void load();

    /// Takes a record's payload as it stands in the journal. False when it is malformed.
    bool append(std::int64_t journal, std::string_view payload, std::int64_t& step);
    void save();
    [[nodiscard]] bool takeWroteBlocks() { return std::exchange(wrote_blocks_, false); }

    using Source = SeriesStore::Source;
    /// Records of one router that count, steps ascending; those of several ranks or micro-batches of one step and modality are added up.
    [[nodiscard]] std::vector<LoadRecord> records(RouterId router, std::int64_t firstStep, std::int64_t lastStep, const std::vector<Source>& sources);

private:
    struct Stream {
        std::int64_t blocks = 0, count = 0;
        std::int64_t first_step = 0, last_step = 0;
        std::string bytes;  ///< u32 length, payload, again and again
        bool dirty = false;
    };
    using Key = std::pair<std::int32_t, std::int64_t>;  ///< router, journal
    void writeBlock(const Key& key, const Stream& stream);

    Database& database_;
    std::map<Key, Stream> streams_;
    Statement insert_;
    bool wrote_blocks_ = false;
};

/// Columns of at most `maxColumns` buckets of steps (<= 0: one a step). `records` as LoadStore::records gives them.
/// Modality::kUnknown adds up all modalities.
[[nodiscard]] LoadHistory loadHistoryOf(const RouterInfo& router, Modality modality, std::vector<LoadRecord> records, std::int64_t maxColumns);

}  // namespace es::store
