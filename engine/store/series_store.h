// SPDX-License-Identifier: GPL-3.0-or-later
// Scalars of a run: full blocks of 4,096 points in SQLite with a min/max pyramid, the rest in memory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/database.h"
#include "engine/store/format.h"
#include "engine/store/run_reader.h"
#include "engine/store/visibility.h"

namespace es::store {

inline constexpr std::size_t kSeriesBlock = 4096;  ///< points a block
inline constexpr std::size_t kSeriesCell = 64;     ///< points a pyramid cell

/// Points that were merged into one. low > high: none of them was finite.
struct SeriesCell {
    double last_step = 0, last_value = 0;
    double low = 0, high = 0;
    std::int64_t count = 0, non_finite = 0;
};

/// Not thread-safe: the reader's lock covers it. Throws DatabaseError.
class SeriesStore {
public:
    explicit SeriesStore(Database& database);
    static void createTables(Database& database);
    /// Takes over what the index holds: names and the blocks that are not full.
    void load();

    [[nodiscard]] std::int64_t seriesId(const std::string& name);
    /// `journal`: which file the point came from.
    void append(std::int64_t series, std::int64_t journal, std::int64_t step, double value);
    /// Writes the blocks that are not full. Inside a transaction.
    void save();
    /// True when a full block was written since the last call: it needs the reader's position beside it in the same transaction.
    [[nodiscard]] bool takeWroteBlocks() { return std::exchange(wrote_blocks_, false); }

    struct Source {
        std::int64_t journal = 0;
        JournalName name;
        std::int64_t cutoff = 0;  ///< steps from here on are superseded
    };
    [[nodiscard]] std::vector<std::string> names(const std::vector<Source>& sources);
    /// Sources in the order of attempts. Of several ranks of one attempt the lowest that has the series counts.
    [[nodiscard]] ScalarSeries query(std::string_view name, std::int64_t maxPoints, double firstStep, double lastStep, const std::vector<Source>& sources);

private:
    struct Stream {
        std::int64_t blocks = 0;  ///< full ones
        std::vector<std::int64_t> steps;
        std::vector<double> values;
        bool dirty = false;
    };
    /// A block, or the part in memory, before its points are looked at.
    struct Summary {
        std::int64_t journal = 0, block = 0;
        std::int64_t count = 0, first_step = 0, last_step = 0;
        bool sorted = true, in_memory = false;
        SeriesCell cell;
    };
    void writeBlock(std::int64_t series, std::int64_t journal, std::int64_t block, const Stream& stream);
    [[nodiscard]] std::vector<Summary> summaries(std::int64_t series, const std::vector<Source>& sources);
    void points(std::int64_t series, const Summary& summary, std::int64_t cutoff, double firstStep, double lastStep, std::vector<SeriesCell>& out);
    void pyramid(std::int64_t series, const Summary& summary, std::vector<SeriesCell>& out);

    Database& database_;
    std::map<std::string, std::int64_t, std::less<>> ids_;
    std::map<std::pair<std::int64_t, std::int64_t>, Stream> streams_;  ///< (series, journal)
    Statement insert_series_, insert_block_;
    bool wrote_blocks_ = false;
};

}  // namespace es::store
