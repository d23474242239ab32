// SPDX-License-Identifier: GPL-3.0-or-later
// Per-token routing in HDF5: trace segments, which grow while others read them, and probes, which are written at once. One layout for both.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/store/hdf5_file.h"
#include "engine/store/records.h"

namespace es::store {

/// Place of an array that was not recorded.
inline constexpr std::int64_t kAbsent = -1;

/// One router in one step. Places (_at) count elements of `packed` (bytes), `half` or `single`; kAbsent: not recorded.
struct UnitRow {
    std::int64_t step = 0, tokens = 0, assignments = 0;
    std::int64_t ids_at = kAbsent;                                               ///< packed: expert ids, id_bits each
    std::int64_t counts_at = kAbsent;                                            ///< packed: assignments of each token, count_bits each (ragged only)
    std::int64_t kept_at = kAbsent;                                              ///< packed: a bit an assignment; absent: all kept
    std::int64_t gates_at = kAbsent, entropy_at = kAbsent, margin_at = kAbsent;  ///< half
    std::int64_t probs_at = kAbsent;                                             ///< single
    std::int64_t place_at = kAbsent, slots_at = kAbsent;                         ///< packed: RoutingTable's place and slots_T; absent in older files
    std::int32_t router = 0, table = 0;
    std::int32_t layout = 0, k = 0, id_bits = 0, count_bits = 0;
    std::int32_t place_bits = 0, slots_bits = 0;
};
/// Which tokens: shared by the units of a step that routed the same ones.
struct TokenTableRow {
    std::int64_t tokens = 0, first_run = 0, runs = 0;
    std::int64_t masked_at = kAbsent;     ///< packed: a bit a token; absent: none masked
    std::int64_t token_ids_at = kAbsent;  ///< packed: id + 1, token_id_bits each; absent: all unknown
    std::int64_t token_id_bits = 0;
};
/// Where a routing file belongs; its attributes.
struct RoutingFileInfo {
    std::string run_uuid;
    std::int64_t attempt = 0, rank = 0;
    std::int64_t step = -1;  ///< of a probe
    std::string variant;     ///< of a probe; empty: a trace
};

/// Writes one file. One thread.
class RoutingFileWriter {
public:
    /// `live` starts SWMR mode, so that the file can be read while it grows and outlives its writer.
    [[nodiscard]] static Result<std::unique_ptr<RoutingFileWriter>> create(const std::filesystem::path& path, const RoutingFileInfo& info,
                                                                           std::span<const RouterInfo> routers, bool live);
    /// Takes a table into the buffers. Fails, changing nothing, when its columns do not fit together.
    [[nodiscard]] Status append(const RoutingTable& table);
    /// Buffers to the file, readable from then on.
    [[nodiscard]] Status flush();
    /// Flushes, closes, syncs.
    [[nodiscard]] Status close();
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::uint64_t units() const { return static_cast<std::uint64_t>(columns_[kUnits].size()); }

private:
    enum Column { kPacked, kHalf, kSingle, kRuns, kTables, kUnits, kColumnCount };
    struct KnownTable {
        std::uint64_t hash;
        std::int32_t index;
    };
    [[nodiscard]] std::int32_t tokenTable(const RoutingTable& table);
    [[nodiscard]] std::int64_t appendPacked(const std::vector<std::uint8_t>& bytes);
    [[nodiscard]] std::int64_t appendHalf(std::span<const float> values);
    [[nodiscard]] bool write();

    std::filesystem::path path_;
    H5File file_;
    std::array<AppendColumn, kColumnCount> columns_;
    std::vector<KnownTable> known_tables_;
    std::int64_t known_step_ = -1;
    std::uint64_t bytes_ = 0;
    std::vector<std::uint8_t> packed_scratch_;
    std::vector<std::uint16_t> half_scratch_;
};

/// Checks that a table's columns have the lengths that its layout asks for, and that ids are below the number of experts.
[[nodiscard]] Status checkTable(const RoutingTable& table);
/// The same without the columns that say which tokens they are.
[[nodiscard]] Status checkAssignments(const RoutingTable& table);

/// Reads one file; what it holds when it is opened. Not thread-safe.
class RoutingFileReader {
public:
    [[nodiscard]] static Result<std::unique_ptr<RoutingFileReader>> open(const std::filesystem::path& path, bool live);
    [[nodiscard]] const std::vector<UnitRow>& units() const { return units_; }
    [[nodiscard]] const std::vector<RouterInfo>& routers() const { return routers_; }
    [[nodiscard]] const RoutingFileInfo& info() const { return info_; }
    [[nodiscard]] Result<RoutingTable> read(const UnitRow& unit) const;
    /// Reads some of the columns.
    [[nodiscard]] Result<RoutingChunk> read(const UnitRow& unit, const RoutingColumns& columns) const;
    /// Whether any token of the unit belongs to the sample; reads only the runs.
    [[nodiscard]] Result<bool> holds(const UnitRow& unit, std::uint64_t sample) const;

private:
    [[nodiscard]] Result<std::vector<TokenRun>> runsOf(const UnitRow& unit) const;
    [[nodiscard]] Status readTokens(const UnitRow& unit, std::span<const TokenRun> runs, RoutingTable& table) const;
    [[nodiscard]] Status readAssignments(const UnitRow& unit, const RoutingColumns& columns, RoutingTable& table) const;
    [[nodiscard]] Result<std::vector<std::uint8_t>> readPacked(std::int64_t at, std::int64_t count, std::int64_t bits) const;
    [[nodiscard]] Result<std::vector<float>> readHalf(std::int64_t at, std::int64_t count) const;

    H5File file_;
    std::string path_;
    RoutingFileInfo info_;
    std::vector<RouterInfo> routers_;
    std::vector<UnitRow> units_;
    std::vector<TokenTableRow> tables_;
    H5Type run_type_, half_type_;                                      ///< made once: HDF5 takes longer for a type than for reading a unit
    mutable std::optional<ReadColumn> packed_, half_, single_, runs_;  // they remember what they read ahead
};

}  // namespace es::store
