// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cstring>

#include "engine/store/format.h"
#include "engine/store/packing.h"
#include "engine/store/routing_file.h"
#include "engine/store/routing_rows.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kMostTokens = std::int64_t{1} << 31;
constexpr std::int64_t kMostRows = std::int64_t{1} << 28;

tl::unexpected<Error> damaged(const std::string& why, const std::string& path) {
    return badInput("Cannot read the recorded routing", why, "The file is damaged: copy it again, or go on without it", path);
}

template <class Row>
Result<std::vector<Row>> readRows(hid_t file, const char* name, const H5Type& type, const std::string& path) {
    auto column = ReadColumn::open(file, name, path);
    if (!column) return tl::unexpected(column.error());
    if (column->size() > kMostRows) return damaged(std::string(name) + " claims an absurd size", path);
    return column->template readAll<Row>(type.get());
}

bool saneUnit(const UnitRow& unit, std::size_t tables) {
    return unit.tokens >= 0 && unit.tokens <= kMostTokens && unit.assignments >= 0 && unit.assignments <= kMostTokens * 64 && unit.table >= 0 &&
           static_cast<std::size_t>(unit.table) < tables && unit.layout >= 0 && unit.layout <= 2 && unit.k >= 0 && unit.k <= 65536 && unit.id_bits >= 0 &&
           unit.id_bits <= 16 && unit.count_bits >= 0 && unit.count_bits <= 32;
}

}  // namespace

Result<std::unique_ptr<RoutingFileReader>> RoutingFileReader::open(const fs::path& path, bool live) {
    const QuietHdf5 quiet;
    auto file = openHdf5(path, live);
    if (!file) return tl::unexpected(file.error());
    auto reader = std::make_unique<RoutingFileReader>();
    reader->path_ = path.string();
    const hid_t id = file->get();
    const std::int64_t version = readIntAttribute(id, "format_version", 0);
    if (version < 1) return damaged("it is not a routing file", reader->path_);
    if (version > kFormatVersion)
        return badInput("Cannot read the recorded routing", "a newer version of ExpertScope wrote it", "Update ExpertScope", reader->path_);
    reader->info_ = {readTextAttribute(id, "run_uuid"), readIntAttribute(id, "attempt", 0), readIntAttribute(id, "rank", 0), readIntAttribute(id, "step", -1),
                     readTextAttribute(id, "variant")};

    auto routers = readRows<RouterRow>(id, "routers", routerType(), reader->path_);
    // Units first, tables next: in a growing file what a row refers to was there before the row.
    auto units = routers ? readRows<UnitRow>(id, "units", unitType(), reader->path_) : tl::unexpected(routers.error());
    auto tables = units ? readRows<TokenTableRow>(id, "tables", tokenTableType(), reader->path_) : tl::unexpected(units.error());
    if (!tables) return tl::unexpected(tables.error());
    for (const RouterRow& row : *routers) {
        if (row.experts < 1 || row.experts > 65536) return damaged("its router table makes no sense", reader->path_);
        RouterInfo router{
            RouterId(row.id), LayerIndex(row.layer), static_cast<Branch>(row.branch), {}, row.experts, row.k, static_cast<RoutingLayout>(row.layout)};
        router.kind.assign(row.kind.data(), strnlen(row.kind.data(), row.kind.size()));
        reader->routers_.push_back(std::move(router));
    }
    reader->units_ = std::move(*units);
    reader->tables_ = std::move(*tables);
    struct Wanted {
        const char* name;
        std::optional<ReadColumn>* column;
    };
    for (const Wanted& wanted :
         {Wanted{"packed", &reader->packed_}, Wanted{"half", &reader->half_}, Wanted{"single", &reader->single_}, Wanted{"runs", &reader->runs_}}) {
        auto column = ReadColumn::open(id, wanted.name, reader->path_);
        if (!column) return tl::unexpected(column.error());
        wanted.column->emplace(std::move(*column));
    }
    reader->run_type_ = tokenRunType();
    reader->half_type_ = halfType();
    reader->file_ = std::move(*file);
    return reader;
}

Result<std::vector<std::uint8_t>> RoutingFileReader::readPacked(std::int64_t at, std::int64_t count, std::int64_t bits) const {
    if (bits < 1 || bits > 32) return damaged("a width in bits makes no sense", path_);
    std::vector<std::uint8_t> bytes;
    const auto size = static_cast<std::int64_t>(packedBytes(static_cast<std::size_t>(count), static_cast<int>(bits)));
    if (size > packed_->size()) return damaged("it refers to data beyond its end", path_);
    bytes.resize(static_cast<std::size_t>(size));
    if (auto status = packed_->readAhead(at, size, H5T_NATIVE_UINT8, 1, bytes.data()); !status) return tl::unexpected(status.error());
    return bytes;
}

Result<std::vector<float>> RoutingFileReader::readHalf(std::int64_t at, std::int64_t count) const {
    if (count > half_->size()) return damaged("it refers to data beyond its end", path_);
    std::vector<std::uint16_t> halves(static_cast<std::size_t>(count));
    if (auto status = half_->readAhead(at, count, half_type_.get(), sizeof(std::uint16_t), halves.data()); !status) return tl::unexpected(status.error());
    std::vector<float> values(halves.size());
    readHalves(halves, values);
    return values;
}

Result<std::vector<TokenRun>> RoutingFileReader::runsOf(const UnitRow& unit) const {
    if (!saneUnit(unit, tables_.size())) return damaged("a unit makes no sense", path_);
    const TokenTableRow& row = tables_[static_cast<std::size_t>(unit.table)];
    if (row.tokens != unit.tokens || row.runs < 0 || row.runs > runs_->size()) return damaged("a token table does not fit its unit", path_);
    std::vector<TokenRun> runs(static_cast<std::size_t>(row.runs));
    if (auto status = runs_->readAhead(row.first_run, row.runs, run_type_.get(), sizeof(TokenRun), runs.data()); !status) return tl::unexpected(status.error());
    std::int64_t total = 0;
    for (const TokenRun& run : runs) total += run.tokens;
    if (total != row.tokens) return damaged("the runs of a token table do not add up", path_);
    return runs;
}

Result<bool> RoutingFileReader::holds(const UnitRow& unit, std::uint64_t sample) const {
    const QuietHdf5 quiet;
    const auto runs = runsOf(unit);
    if (!runs) return tl::unexpected(runs.error());
    return std::any_of(runs->begin(), runs->end(), [&](const TokenRun& run) { return run.sample == sample; });
}

Status RoutingFileReader::readTokens(const UnitRow& unit, std::span<const TokenRun> runs, RoutingTable& table) const {
    const TokenTableRow& row = tables_[static_cast<std::size_t>(unit.table)];
    const auto tokens = static_cast<std::size_t>(unit.tokens);
    for (const TokenRun& run : runs) {
        table.sample_T.insert(table.sample_T.end(), run.tokens, run.sample);
        table.modality_T.insert(table.modality_T.end(), run.tokens, static_cast<Modality>(run.modality));
        table.objective_T.insert(table.objective_T.end(), run.tokens, static_cast<Objective>(run.objective));
        for (std::uint32_t i = 0; i < run.tokens; ++i) table.position_T.push_back(static_cast<std::uint16_t>(run.position + i));
    }
    table.masked_T.assign(tokens, 0);
    if (row.masked_at != kAbsent) {
        const auto bytes = readPacked(row.masked_at, unit.tokens, 1);
        if (!bytes) return tl::unexpected(bytes.error());
        unpackFlags(*bytes, table.masked_T);
    }
    table.token_id_T.assign(tokens, -1);
    if (row.token_ids_at != kAbsent) {
        const auto bytes = readPacked(row.token_ids_at, unit.tokens, row.token_id_bits);
        if (!bytes) return tl::unexpected(bytes.error());
        std::vector<std::uint32_t> shifted(tokens);
        unpackBits(*bytes, static_cast<int>(row.token_id_bits), std::span(shifted));
        std::transform(shifted.begin(), shifted.end(), table.token_id_T.begin(), [](std::uint32_t id) { return static_cast<std::int32_t>(id - 1); });
    }
    return {};
}

Status RoutingFileReader::readAssignments(const UnitRow& unit, const RoutingColumns& columns, RoutingTable& table) const {
    const auto assignments = static_cast<std::size_t>(unit.assignments);
    const bool dense = table.router.layout == RoutingLayout::kDenseMass;
    if (!dense) {
        const auto bytes = readPacked(unit.ids_at, unit.assignments, unit.id_bits);
        if (!bytes) return tl::unexpected(bytes.error());
        table.expert_ids.resize(assignments);
        unpackBits(*bytes, unit.id_bits, std::span(table.expert_ids));
    }
    const auto numbers = [this](std::int64_t at, std::int64_t count, std::int64_t bits, std::vector<std::uint32_t>& out) -> Status {
        const auto bytes = readPacked(at, count, bits);
        if (!bytes) return tl::unexpected(bytes.error());
        out.resize(static_cast<std::size_t>(count));
        unpackBits(*bytes, static_cast<int>(bits), std::span(out));
        return {};
    };
    if (table.router.layout == RoutingLayout::kRagged) {
        std::vector<std::uint32_t> counts;
        if (auto status = numbers(unit.counts_at, unit.tokens, unit.count_bits, counts); !status) return status;
        table.offsets.assign(1, 0);
        for (const std::uint32_t count : counts) table.offsets.push_back(table.offsets.back() + count);
    }
    if (columns.kept && unit.kept_at != kAbsent) {
        const auto bytes = readPacked(unit.kept_at, unit.assignments, 1);
        if (!bytes) return tl::unexpected(bytes.error());
        table.kept.resize(assignments);
        unpackFlags(*bytes, table.kept);
    }
    if (columns.kept && unit.slots_at != kAbsent) {
        if (auto status = numbers(unit.place_at, unit.assignments, unit.place_bits, table.place); !status) return status;
        if (auto status = numbers(unit.slots_at, unit.tokens, unit.slots_bits, table.slots_T); !status) return status;
    }
    struct Halves {
        bool wanted;
        std::int64_t at, count;
        std::vector<float>* column;
    };
    for (const Halves& halves : {Halves{columns.gates || dense, unit.gates_at, unit.assignments, &table.gates},
                                 Halves{columns.confidence, unit.entropy_at, unit.tokens, &table.entropy_nats_T},
                                 Halves{columns.confidence, unit.margin_at, unit.tokens, &table.boundary_margin_T}}) {
        if (!halves.wanted || halves.at == kAbsent) continue;
        auto values = readHalf(halves.at, halves.count);
        if (!values) return tl::unexpected(values.error());
        *halves.column = std::move(*values);
    }
    if (columns.probabilities && unit.probs_at != kAbsent) {
        const std::int64_t count = unit.tokens * table.router.experts;
        if (count > single_->size()) return damaged("it refers to data beyond its end", path_);
        table.probs_TE.resize(static_cast<std::size_t>(count));
        if (auto status = single_->read(unit.probs_at, count, H5T_NATIVE_FLOAT, table.probs_TE.data()); !status) return status;
    }
    return {};
}

Result<RoutingTable> RoutingFileReader::read(const UnitRow& unit) const {
    auto chunk = read(unit, RoutingColumns{});
    if (!chunk) return tl::unexpected(chunk.error());
    return std::move(chunk->table);
}

Result<RoutingChunk> RoutingFileReader::read(const UnitRow& unit, const RoutingColumns& columns) const {
    const QuietHdf5 quiet;
    auto runs = runsOf(unit);
    if (!runs) return tl::unexpected(runs.error());
    const auto router = std::find_if(routers_.begin(), routers_.end(), [&](const RouterInfo& r) { return r.id.value == unit.router; });
    if (router == routers_.end()) return damaged("a unit names a router that is not in the table", path_);
    RoutingChunk chunk;
    RoutingTable& table = chunk.table;
    table.router = *router;
    table.router.layout = static_cast<RoutingLayout>(unit.layout);
    table.router.k = unit.k;
    table.step = unit.step;
    table.tokens = unit.tokens;
    if (columns.tokens)
        if (auto status = readTokens(unit, *runs, table); !status) return tl::unexpected(status.error());
    if (auto status = readAssignments(unit, columns, table); !status) return tl::unexpected(status.error());
    // The same check that guarded the writer: whatever the file says, a table that leaves here is consistent.
    if (auto fit = columns.tokens ? checkTable(table) : checkAssignments(table); !fit) return damaged(fit.error().why, path_);
    chunk.runs = std::move(*runs);
    return chunk;
}

}  // namespace es::store
