// SPDX-License-Identifier: GPL-3.0-or-later
// The records of a journal as values, and their bytes. FORMAT.md describes each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "engine/store/records.h"

namespace es::store {

/// First record of every journal.
struct AttemptHeader {
    std::uint32_t format_version = 0;
    std::uint32_t attempt = 0;
    std::int32_t parent = -1;     ///< attempt that this one continues; -1: none
    std::int64_t start_step = 0;  ///< records of earlier attempts with step >= start_step are superseded
    std::uint32_t rank = 0;
    double time_s = 0;
    std::string run_uuid, program_version;
};

/// Gives a name a number, valid in this journal from here on.
struct SeriesDefinition {
    std::uint32_t id = 0;
    std::string name;
};

struct ScalarRow {
    std::int64_t step = 0;
    double time_s = 0;
    std::vector<std::pair<std::uint32_t, double>> values;  ///< series id, value
};

/// A trace segment was opened or closed. Steps and units are known once closed.
struct SegmentNotice {
    std::string file;  ///< relative to the run
    bool closed = false;
    std::int64_t first_step = 0, last_step = -1;
    std::uint64_t units = 0;
};

/// One traced step stands in a segment.
struct TraceNotice {
    std::int64_t step = 0;
    std::string file;
    std::uint32_t units = 0;
    std::uint64_t tokens = 0;  ///< summed over the units
};

/// Traced steps that were dropped because the writer fell behind.
struct TraceGap {
    std::int64_t first_step = 0, last_step = 0;
    std::uint64_t units = 0;
};

struct ProbeNotice {
    ProbeKey key;
    std::string file;
};

struct EvaluationNotice {
    std::int64_t step = 0;
    Split split = Split::kValidation;
    std::string file;
    std::uint32_t rows = 0;
};

/// A sample file holds at least `count` samples.
struct SampleNotice {
    std::string file;
    std::uint64_t count = 0;
};

using RouterTable = std::vector<RouterInfo>;
/// The type byte of a record is its place in this list plus one: append only.
using Record = std::variant<AttemptHeader, RouterTable, SeriesDefinition, ScalarRow, LoadRecord, Event, CheckpointInfo, SegmentNotice, ProbeNotice,
                            EvaluationNotice, SampleNotice, TraceNotice, TraceGap>;

/// Type bytes of records that are read often enough to be looked at before they are decoded.
inline constexpr std::uint8_t kHeaderType = 1, kSeriesType = 3, kScalarType = 4, kLoadType = 5, kEventType = 6;
static_assert(std::is_same_v<std::variant_alternative_t<kSeriesType - 1, Record>, SeriesDefinition> &&
              std::is_same_v<std::variant_alternative_t<kScalarType - 1, Record>, ScalarRow> &&
              std::is_same_v<std::variant_alternative_t<kLoadType - 1, Record>, LoadRecord> &&
              std::is_same_v<std::variant_alternative_t<kEventType - 1, Record>, Event>);

/// The payload of a frame: type byte, then the fields.
[[nodiscard]] std::string encodeRecord(const Record& record);
/// Nothing when the payload is malformed or of a type that this version does not know. Fields added at the end by later versions are ignored.
[[nodiscard]] std::optional<Record> decodeRecord(std::string_view payload);

}  // namespace es::store
