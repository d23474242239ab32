// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/series_store.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

namespace es::store {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

SeriesCell cellOf(double step, double value) {
    const bool finite = std::isfinite(value);
    return {step, value, finite ? value : kInfinity, finite ? value : -kInfinity, 1, finite ? 0 : 1};
}
void merge(SeriesCell& into, const SeriesCell& next) {
    into.last_step = next.last_step;
    into.last_value = next.last_value;
    into.low = std::min(into.low, next.low);
    into.high = std::max(into.high, next.high);
    into.count += next.count;
    into.non_finite += next.non_finite;
}
/// Cells of `width` points each, the last one shorter.
std::vector<SeriesCell> cellsOf(const std::vector<std::int64_t>& steps, const std::vector<double>& values, std::size_t width) {
    std::vector<SeriesCell> cells;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const SeriesCell cell = cellOf(static_cast<double>(steps[i]), values[i]);
        if (i % width == 0) cells.push_back(cell);
        else merge(cells.back(), cell);
    }
    return cells;
}

template <class T>
std::vector<T> valuesOf(std::string_view blob) {
    std::vector<T> values(blob.size() / sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), blob.data(), values.size() * sizeof(T));
    return values;
}

/// A cell that stands for nothing finite shows as NaN.
double shown(double bound, const SeriesCell& cell) { return cell.low > cell.high ? kNaN : bound; }

constexpr const char* kInsertBlock =
    "INSERT OR REPLACE INTO scalar_blocks(series, journal, block, count, first_step, last_step, sorted, low, high, non_finite, end_step, "
    "end_value, steps, vals, pyramid) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

}  // namespace

void SeriesStore::createTables(Database& database) {
    database.execute(
        "CREATE TABLE IF NOT EXISTS series(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
        "CREATE TABLE IF NOT EXISTS scalar_blocks(series INTEGER, journal INTEGER, block INTEGER, count INTEGER, first_step INTEGER, last_step INTEGER, "
        "sorted INTEGER, low REAL, high REAL, non_finite INTEGER, end_step INTEGER, end_value REAL, steps BLOB, vals BLOB, pyramid BLOB);"
        "CREATE UNIQUE INDEX IF NOT EXISTS scalar_block_key ON scalar_blocks(series, journal, block);");
}

SeriesStore::SeriesStore(Database& database)
    : database_(database), insert_series_(database, "INSERT INTO series(id, name) VALUES(?, ?)"), insert_block_(database, kInsertBlock) {}

void SeriesStore::load() {
    Statement names(database_, "SELECT id, name FROM series");
    while (names.step()) ids_[names.text(1)] = names.integer(0);
    // Not the sum of full blocks is kept but their number: the last, if not full, comes back into memory.
    Statement blocks(database_, "SELECT series, journal, block, count FROM scalar_blocks");
    while (blocks.step()) {
        Stream& stream = streams_[{blocks.integer(0), blocks.integer(1)}];
        if (blocks.integer(3) == static_cast<std::int64_t>(kSeriesBlock)) stream.blocks = std::max(stream.blocks, blocks.integer(2) + 1);
    }
    Statement partial(database_, "SELECT series, journal, steps, vals FROM scalar_blocks WHERE count < 4096");
    while (partial.step()) {
        Stream& stream = streams_[{partial.integer(0), partial.integer(1)}];
        stream.steps = valuesOf<std::int64_t>(partial.blob(2));
        stream.values = valuesOf<double>(partial.blob(3));
        if (stream.steps.size() != stream.values.size()) throw DatabaseError("a block of scalars is damaged");
    }
}

std::int64_t SeriesStore::seriesId(const std::string& name) {
    const auto [entry, isNew] = ids_.try_emplace(name, static_cast<std::int64_t>(ids_.size()) + 1);
    if (isNew) insert_series_.bind(1, entry->second).bind(2, std::string_view(name)).run();
    return entry->second;
}

void SeriesStore::append(std::int64_t series, std::int64_t journal, std::int64_t step, double value) {
    Stream& stream = streams_[{series, journal}];
    stream.steps.push_back(step);
    stream.values.push_back(value);
    stream.dirty = true;
    if (stream.values.size() < kSeriesBlock) return;
    writeBlock(series, journal, stream.blocks++, stream);
    stream.steps.clear();
    stream.values.clear();
    stream.dirty = false;
    wrote_blocks_ = true;
}

void SeriesStore::writeBlock(std::int64_t series, std::int64_t journal, std::int64_t block, const Stream& stream) {
    const SeriesCell whole = cellsOf(stream.steps, stream.values, stream.values.size()).front();
    const std::vector<SeriesCell> pyramid = cellsOf(stream.steps, stream.values, kSeriesCell);
    const auto [low, high] = std::minmax_element(stream.steps.begin(), stream.steps.end());
    insert_block_.bind(1, series).bind(2, journal).bind(3, block).bind(4, whole.count).bind(5, *low).bind(6, *high);
    insert_block_.bind(7, std::int64_t{std::is_sorted(stream.steps.begin(), stream.steps.end())}).bind(8, whole.low).bind(9, whole.high);
    insert_block_.bind(10, whole.non_finite).bind(11, stream.steps.back()).bind(12, whole.last_value);
    insert_block_.bindBlob(13, blobOf<std::int64_t>(stream.steps)).bindBlob(14, blobOf<double>(stream.values)).bindBlob(15, blobOf<SeriesCell>(pyramid));
    insert_block_.run();
}

void SeriesStore::save() {
    for (auto& [key, stream] : streams_) {
        if (!stream.dirty || stream.values.empty()) continue;
        writeBlock(key.first, key.second, stream.blocks, stream);
        stream.dirty = false;
    }
}

std::vector<std::string> SeriesStore::names(const std::vector<Source>& sources) {
    std::set<std::int64_t> journals;
    for (const Source& source : sources) journals.insert(source.journal);
    std::set<std::int64_t> used;
    for (const auto& [key, stream] : streams_)
        if (journals.contains(key.second)) used.insert(key.first);
    std::vector<std::string> names;
    for (const auto& [name, id] : ids_)
        if (used.contains(id)) names.push_back(name);
    return names;
}

std::vector<SeriesStore::Summary> SeriesStore::summaries(std::int64_t series, const std::vector<Source>& sources) {
    std::vector<Summary> all;
    Statement blocks(database_,
                     "SELECT block, count, first_step, last_step, sorted, low, high, non_finite, end_step, end_value FROM scalar_blocks "
                     "WHERE series = ? AND journal = ? AND block < ? ORDER BY block");
    const Source* previous = nullptr;
    for (const Source& source : sources) {
        const auto stream = streams_.find({series, source.journal});
        if (stream == streams_.end() || (previous && previous->name.attempt == source.name.attempt)) continue;
        previous = &source;
        blocks.bind(1, series).bind(2, source.journal).bind(3, stream->second.blocks);
        while (blocks.step()) {
            Summary summary{source.journal, blocks.integer(0), blocks.integer(1), blocks.integer(2), blocks.integer(3), blocks.integer(4) != 0, false, {}};
            summary.cell = {static_cast<double>(blocks.integer(8)), blocks.real(9), blocks.real(5), blocks.real(6), summary.count, blocks.integer(7)};
            all.push_back(summary);
        }
        blocks.reset();
        const Stream& tail = stream->second;
        if (tail.values.empty()) continue;
        const auto [low, high] = std::minmax_element(tail.steps.begin(), tail.steps.end());
        all.push_back({source.journal, tail.blocks, static_cast<std::int64_t>(tail.values.size()), *low, *high,
                       std::is_sorted(tail.steps.begin(), tail.steps.end()), true, cellsOf(tail.steps, tail.values, tail.values.size()).front()});
    }
    return all;
}

void SeriesStore::points(std::int64_t series, const Summary& summary, std::int64_t cutoff, double firstStep, double lastStep, std::vector<SeriesCell>& out) {
    std::vector<std::int64_t> readSteps;
    std::vector<double> readValues;
    const std::vector<std::int64_t>* steps = nullptr;
    const std::vector<double>* values = nullptr;
    if (summary.in_memory) {
        const Stream& stream = streams_.at({series, summary.journal});
        steps = &stream.steps;
        values = &stream.values;
    } else {
        Statement block(database_, "SELECT steps, vals FROM scalar_blocks WHERE series = ? AND journal = ? AND block = ?");
        block.bind(1, series).bind(2, summary.journal).bind(3, summary.block);
        if (block.step()) {
            readSteps = valuesOf<std::int64_t>(block.blob(0));
            readValues = valuesOf<double>(block.blob(1));
        }
        if (readSteps.size() != readValues.size()) throw DatabaseError("a block of scalars is damaged");
        steps = &readSteps;
        values = &readValues;
    }
    for (std::size_t i = 0; i < steps->size(); ++i) {
        const auto step = static_cast<double>((*steps)[i]);
        if ((*steps)[i] < cutoff && step >= firstStep && step <= lastStep) out.push_back(cellOf(step, (*values)[i]));
    }
}

void SeriesStore::pyramid(std::int64_t series, const Summary& summary, std::vector<SeriesCell>& out) {
    if (summary.in_memory) {
        const Stream& stream = streams_.at({series, summary.journal});
        const auto cells = cellsOf(stream.steps, stream.values, kSeriesCell);
        out.insert(out.end(), cells.begin(), cells.end());
        return;
    }
    Statement block(database_, "SELECT pyramid FROM scalar_blocks WHERE series = ? AND journal = ? AND block = ?");
    block.bind(1, series).bind(2, summary.journal).bind(3, summary.block);
    if (!block.step()) return;
    const auto cells = valuesOf<SeriesCell>(block.blob(0));
    out.insert(out.end(), cells.begin(), cells.end());
}

ScalarSeries SeriesStore::query(std::string_view name, std::int64_t maxPoints, double firstStep, double lastStep, const std::vector<Source>& sources) {
    ScalarSeries result;
    result.name = name;
    const auto id = ids_.find(name);
    if (id == ids_.end()) return result;
    const std::int64_t series = id->second;
    std::map<std::int64_t, std::int64_t> cutoffs;
    for (const Source& source : sources) cutoffs[source.journal] = source.cutoff;

    std::vector<Summary> blocks = summaries(series, sources);
    std::erase_if(blocks, [&](const Summary& b) {
        return static_cast<double>(b.last_step) < firstStep || static_cast<double>(b.first_step) > lastStep || b.first_step >= cutoffs[b.journal];
    });
    std::int64_t total = 0;
    bool ordered = true;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        total += blocks[i].count;
        const std::int64_t reach = std::min(blocks[i].last_step, cutoffs[blocks[i].journal] - 1);
        ordered = ordered && blocks[i].sorted && (i + 1 == blocks.size() || reach <= blocks[i + 1].first_step);
    }
    const auto whole = [&](const Summary& b) {
        return b.last_step < cutoffs[b.journal] && static_cast<double>(b.first_step) >= firstStep && static_cast<double>(b.last_step) <= lastStep;
    };
    // Coarser cells only where a bucket holds several of them: the curve then keeps its shape to within a bucket.
    const std::int64_t bucket = maxPoints > 0 ? total / maxPoints : 0;
    std::vector<SeriesCell> cells;
    for (const Summary& block : blocks) {
        if (ordered && whole(block) && bucket >= static_cast<std::int64_t>(2 * kSeriesBlock)) cells.push_back(block.cell);
        else if (ordered && whole(block) && bucket >= static_cast<std::int64_t>(2 * kSeriesCell)) pyramid(series, block, cells);
        else points(series, block, cutoffs[block.journal], firstStep, lastStep, cells);
    }
    if (!ordered) std::stable_sort(cells.begin(), cells.end(), [](const SeriesCell& a, const SeriesCell& b) { return a.last_step < b.last_step; });

    for (const SeriesCell& cell : cells) {
        result.points += cell.count;
        result.non_finite += cell.non_finite;
    }
    if (maxPoints > 0 && static_cast<std::int64_t>(cells.size()) > maxPoints) {
        std::vector<SeriesCell> merged;
        std::int64_t before = 0, current = -1;
        for (const SeriesCell& cell : cells) {
            const auto target = static_cast<std::int64_t>(static_cast<double>(before) * static_cast<double>(maxPoints) / static_cast<double>(result.points));
            before += cell.count;
            if (target != current) merged.push_back(cell);
            else merge(merged.back(), cell);
            current = target;
        }
        cells = std::move(merged);
    }
    for (const SeriesCell& cell : cells) {
        result.step.push_back(cell.last_step);
        result.value.push_back(cell.last_value);
        result.low.push_back(shown(cell.low, cell));
        result.high.push_back(shown(cell.high, cell));
    }
    return result;
}

}  // namespace es::store
