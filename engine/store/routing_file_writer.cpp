// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cstring>

#include "engine/base/hash.h"
#include "engine/store/format.h"
#include "engine/store/packing.h"
#include "engine/store/routing_file.h"
#include "engine/store/routing_rows.h"
#include "engine/store/routing_tables.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

// Chunks: large enough that a chunk index stays short, small enough that a tiny segment stays tiny.
constexpr std::size_t kBulkChunkBytes = 128u << 10;
constexpr std::size_t kRowChunk = 256;
constexpr std::size_t kRunChunk = 1024;
constexpr std::size_t kBufferBytes = 4u << 20;

template <class T>
std::uint64_t hashColumn(const std::vector<T>& column, std::uint64_t seed) {
    return hash64(std::as_bytes(std::span(column)), seed);
}

tl::unexpected<Error> misfit(const std::string& why) { return wrongCall("Cannot record the routing", why, "Hand over columns of matching lengths"); }

template <class T>
bool fits(const std::vector<T>& column, std::size_t size, bool mayBeEmpty) {
    return column.size() == size || (mayBeEmpty && column.empty());
}

std::vector<RouterRow> routerRows(std::span<const RouterInfo> routers) {
    std::vector<RouterRow> rows;
    for (const RouterInfo& router : routers) {
        RouterRow row{router.id.value,
                      router.layer.value,
                      router.experts,
                      router.k,
                      static_cast<std::uint8_t>(router.branch),
                      static_cast<std::uint8_t>(router.layout),
                      {}};
        std::memcpy(row.kind.data(), router.kind.data(), std::min(router.kind.size(), kRouterKindBytes));
        rows.push_back(row);
    }
    return rows;
}

}  // namespace

Status checkAssignments(const RoutingTable& table) {
    if (table.tokens < 0 || table.tokens > (std::int64_t{1} << 31)) return misfit("the number of tokens is impossible");
    const auto tokens = static_cast<std::size_t>(table.tokens);
    const auto experts = static_cast<std::size_t>(std::max(table.router.experts, 0));
    if (experts == 0 || experts > 65536) return misfit("a router needs 1 to 65536 experts");
    std::size_t assignments = 0;
    switch (table.router.layout) {
        case RoutingLayout::kFixedK:
            if (table.router.k < 1) return misfit("fixed k needs k of at least 1");
            assignments = tokens * static_cast<std::size_t>(table.router.k);
            break;
        case RoutingLayout::kRagged:
            if (table.offsets.size() != tokens + 1 || table.offsets.front() != 0 || !std::is_sorted(table.offsets.begin(), table.offsets.end()))
                return misfit("ragged routing needs T + 1 ascending offsets from 0");
            assignments = static_cast<std::size_t>(table.offsets.back());
            break;
        case RoutingLayout::kDenseMass: assignments = tokens * experts; break;
        default: return misfit("the layout is unknown");
    }
    const bool dense = table.router.layout == RoutingLayout::kDenseMass;
    if (table.expert_ids.size() != (dense ? 0 : assignments)) return misfit("expert_ids does not have one entry an assignment");
    if (!fits(table.gates, assignments, !dense)) return misfit("gates does not have one entry an assignment");
    if (!fits(table.kept, assignments, true)) return misfit("kept does not have one entry an assignment");
    if (!fits(table.slots_T, tokens, true) || table.place.size() != (table.slots_T.empty() ? 0 : assignments))
        return misfit("place does not have one entry an assignment, or slots not one a token");
    if (!fits(table.probs_TE, tokens * experts, true)) return misfit("probs_TE is not T x E");
    if (!fits(table.entropy_nats_T, tokens, true) || !fits(table.boundary_margin_T, tokens, true)) return misfit("entropy or margin does not have T entries");
    std::uint16_t largest = 0;
    for (const std::uint16_t id : table.expert_ids) largest = std::max(largest, id);
    if (largest >= experts) return misfit("an expert id is not below the number of experts");
    return {};
}

Status checkTable(const RoutingTable& table) {
    if (auto fit = checkAssignments(table); !fit) return fit;
    const auto tokens = static_cast<std::size_t>(table.tokens);
    if (table.sample_T.size() != tokens || table.position_T.size() != tokens || table.modality_T.size() != tokens || table.objective_T.size() != tokens)
        return misfit("sample, position, modality and objective need T entries each");
    if (!fits(table.token_id_T, tokens, true) || !fits(table.masked_T, tokens, true)) return misfit("token_id or masked does not have T entries");
    return {};
}

Result<std::unique_ptr<RoutingFileWriter>> RoutingFileWriter::create(const fs::path& path, const RoutingFileInfo& info, std::span<const RouterInfo> routers,
                                                                     bool live) {
    const QuietHdf5 quiet;
    auto file = createHdf5(path);
    if (!file) return tl::unexpected(file.error());
    auto writer = std::make_unique<RoutingFileWriter>();
    writer->path_ = path;
    const hid_t id = file->get();
    const bool trace = info.variant.empty();
    const auto rows = routerRows(routers);
    const H5Type half = halfType(), units = unitType(), tables = tokenTableType(), runs = tokenRunType(), routerRow = routerType();
    bool ok = writeAttribute(id, "format_version", kFormatVersion) && writeAttribute(id, "run_uuid", info.run_uuid) &&
              writeAttribute(id, "kind", std::string(trace ? "trace" : "probe")) && writeAttribute(id, "attempt", info.attempt) &&
              writeAttribute(id, "rank", info.rank);
    if (!trace) ok = ok && writeAttribute(id, "step", info.step) && writeAttribute(id, "variant", info.variant);
    ok = ok && writeDataset(id, "routers", routerRow.get(), rows.data(), rows.size());
    if (!ok) return hdf5WriteError(path.string());

    struct Shape {
        Column column;
        const char* name;
        hid_t type;
        std::size_t bytes, chunk;
    };
    const Shape shapes[] = {
        {kPacked, "packed", H5T_STD_U8LE, 1, kBulkChunkBytes},
        {kHalf, "half", half.get(), 2, kBulkChunkBytes / 2},
        {kSingle, "single", H5T_IEEE_F32LE, 4, kBulkChunkBytes / 4},
        {kRuns, "runs", runs.get(), sizeof(TokenRun), kRunChunk},
        {kTables, "tables", tables.get(), sizeof(TokenTableRow), kRowChunk},
        {kUnits, "units", units.get(), sizeof(UnitRow), kRowChunk},
    };
    for (const Shape& shape : shapes) {
        auto column = AppendColumn::create(id, shape.name, shape.type, shape.bytes, shape.chunk, path.string());
        if (!column) return tl::unexpected(column.error());
        writer->columns_[shape.column] = std::move(*column);
    }
    if (live && H5Fstart_swmr_write(id) < 0) return hdf5WriteError(path.string());
    writer->file_ = std::move(*file);
    return writer;
}

std::int64_t RoutingFileWriter::appendPacked(const std::vector<std::uint8_t>& bytes) {
    const std::int64_t at = columns_[kPacked].size();
    columns_[kPacked].append(bytes.data(), bytes.size());
    bytes_ += bytes.size();
    return at;
}
std::int64_t RoutingFileWriter::appendHalf(std::span<const float> values) {
    const std::int64_t at = columns_[kHalf].size();
    half_scratch_.clear();
    appendHalves(values, half_scratch_);
    columns_[kHalf].append(half_scratch_.data(), half_scratch_.size());
    bytes_ += half_scratch_.size() * 2;
    return at;
}

std::int32_t RoutingFileWriter::tokenTable(const RoutingTable& table) {
    if (table.step != known_step_) known_tables_.clear();
    known_step_ = table.step;
    std::uint64_t hash = hashColumn(table.sample_T, static_cast<std::uint64_t>(table.tokens));
    hash = hashColumn(table.position_T, hash);
    hash = hashColumn(table.modality_T, hash);
    hash = hashColumn(table.objective_T, hash);
    hash = hashColumn(table.token_id_T, hash);
    hash = hashColumn(table.masked_T, hash);
    for (const KnownTable& known : known_tables_)
        if (known.hash == hash) return known.index;

    const std::vector<TokenRun> runs = tokenRuns(table);
    TokenTableRow row;
    row.tokens = table.tokens;
    row.first_run = columns_[kRuns].size();
    row.runs = static_cast<std::int64_t>(runs.size());
    if (std::any_of(table.masked_T.begin(), table.masked_T.end(), [](std::uint8_t m) { return m != 0; })) {
        packed_scratch_.clear();
        packFlags(table.masked_T, packed_scratch_);
        row.masked_at = appendPacked(packed_scratch_);
    }
    if (std::any_of(table.token_id_T.begin(), table.token_id_T.end(), [](std::int32_t id) { return id >= 0; })) {
        std::vector<std::uint32_t> shifted(table.token_id_T.size());
        std::transform(table.token_id_T.begin(), table.token_id_T.end(), shifted.begin(),
                       [](std::int32_t id) { return id < 0 ? 0u : static_cast<std::uint32_t>(id) + 1u; });
        const int bits = bitsFor(*std::max_element(shifted.begin(), shifted.end()));
        packed_scratch_.clear();
        packBits(std::span<const std::uint32_t>(shifted), bits, packed_scratch_);
        row.token_ids_at = appendPacked(packed_scratch_);
        row.token_id_bits = bits;
    }
    const auto index = static_cast<std::int32_t>(columns_[kTables].size());
    columns_[kRuns].append(runs.data(), runs.size());
    columns_[kTables].append(&row, 1);
    bytes_ += runs.size() * sizeof(TokenRun) + sizeof(row);
    known_tables_.push_back({hash, index});
    return index;
}

Status RoutingFileWriter::append(const RoutingTable& table) {
    const QuietHdf5 quiet;
    if (auto fit = checkTable(table); !fit) return fit;
    UnitRow unit;
    unit.step = table.step;
    unit.tokens = table.tokens;
    unit.router = table.router.id.value;
    unit.layout = static_cast<std::int32_t>(table.router.layout);
    unit.k = table.router.k;
    unit.table = tokenTable(table);
    const bool dense = table.router.layout == RoutingLayout::kDenseMass;
    unit.assignments = static_cast<std::int64_t>(dense ? table.gates.size() : table.expert_ids.size());
    if (!dense) {
        unit.id_bits = bitsFor(static_cast<std::uint32_t>(table.router.experts - 1));
        packed_scratch_.clear();
        packBits(std::span<const std::uint16_t>(table.expert_ids), unit.id_bits, packed_scratch_);
        unit.ids_at = appendPacked(packed_scratch_);
    }
    if (table.router.layout == RoutingLayout::kRagged) {
        std::vector<std::uint32_t> counts(static_cast<std::size_t>(table.tokens));
        for (std::size_t t = 0; t < counts.size(); ++t) counts[t] = static_cast<std::uint32_t>(table.offsets[t + 1] - table.offsets[t]);
        unit.count_bits = bitsFor(counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end()));
        packed_scratch_.clear();
        packBits(std::span<const std::uint32_t>(counts), unit.count_bits, packed_scratch_);
        unit.counts_at = appendPacked(packed_scratch_);
    }
    if (std::any_of(table.kept.begin(), table.kept.end(), [](std::uint8_t kept) { return kept == 0; })) {
        packed_scratch_.clear();
        packFlags(table.kept, packed_scratch_);
        unit.kept_at = appendPacked(packed_scratch_);
    }
    if (!table.slots_T.empty()) {
        const auto packed = [this](const std::vector<std::uint32_t>& values, std::int32_t& bits) {
            bits = bitsFor(values.empty() ? 0 : std::ranges::max(values));
            packed_scratch_.clear();
            packBits(std::span<const std::uint32_t>(values), bits, packed_scratch_);
            return appendPacked(packed_scratch_);
        };
        unit.place_at = packed(table.place, unit.place_bits);
        unit.slots_at = packed(table.slots_T, unit.slots_bits);
    }
    if (!table.gates.empty()) unit.gates_at = appendHalf(table.gates);
    if (!table.entropy_nats_T.empty()) unit.entropy_at = appendHalf(table.entropy_nats_T);
    if (!table.boundary_margin_T.empty()) unit.margin_at = appendHalf(table.boundary_margin_T);
    if (!table.probs_TE.empty()) {
        unit.probs_at = columns_[kSingle].size();
        columns_[kSingle].append(table.probs_TE.data(), table.probs_TE.size());
        bytes_ += table.probs_TE.size() * 4;
    }
    columns_[kUnits].append(&unit, 1);
    bytes_ += sizeof(unit);

    std::size_t buffered = 0;
    for (const AppendColumn& column : columns_) buffered += column.bufferedBytes();
    if (buffered > kBufferBytes && !write()) return hdf5WriteError(path_.string());
    return {};
}

// Rows that refer to data are written and flushed after the data, so that a reader never follows a row into nothing.
bool RoutingFileWriter::write() {
    return std::all_of(columns_.begin(), columns_.end(), [](AppendColumn& column) {
        const bool dirty = column.bufferedBytes() > 0;
        return !dirty || (column.write() && column.flush());
    });
}

Status RoutingFileWriter::flush() {
    const QuietHdf5 quiet;
    if (!write()) return hdf5WriteError(path_.string());
    return {};
}

Status RoutingFileWriter::close() {
    const QuietHdf5 quiet;
    if (!file_.valid()) return {};
    const bool written = write();
    for (AppendColumn& column : columns_) column = AppendColumn();
    if (file_.reset() < 0 || !written) return hdf5WriteError(path_.string());
    return syncFile(path_);
}

}  // namespace es::store
