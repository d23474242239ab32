// SPDX-License-Identifier: GPL-3.0-or-later
// The HDF5 compound types of routing files, for the writer and the reader.
#pragma once

#include <array>

#include "engine/store/hdf5_file.h"
#include "engine/store/routing_file.h"

namespace es::store {

inline constexpr std::size_t kRouterKindBytes = 48;

struct RouterRow {
    std::int32_t id = -1, layer = -1, experts = 0, k = 0;
    std::uint8_t branch = 0, layout = 0;
    std::array<char, kRouterKindBytes> kind{};
};

[[nodiscard]] inline H5Type unitType() {
    const hid_t i64 = H5T_STD_I64LE, i32 = H5T_STD_I32LE;
    const Field fields[] = {
        {"step", HOFFSET(UnitRow, step), i64},
        {"tokens", HOFFSET(UnitRow, tokens), i64},
        {"assignments", HOFFSET(UnitRow, assignments), i64},
        {"ids_at", HOFFSET(UnitRow, ids_at), i64},
        {"counts_at", HOFFSET(UnitRow, counts_at), i64},
        {"kept_at", HOFFSET(UnitRow, kept_at), i64},
        {"gates_at", HOFFSET(UnitRow, gates_at), i64},
        {"entropy_at", HOFFSET(UnitRow, entropy_at), i64},
        {"margin_at", HOFFSET(UnitRow, margin_at), i64},
        {"probs_at", HOFFSET(UnitRow, probs_at), i64},
        {"place_at", HOFFSET(UnitRow, place_at), i64},
        {"slots_at", HOFFSET(UnitRow, slots_at), i64},
        {"router", HOFFSET(UnitRow, router), i32},
        {"table", HOFFSET(UnitRow, table), i32},
        {"layout", HOFFSET(UnitRow, layout), i32},
        {"k", HOFFSET(UnitRow, k), i32},
        {"id_bits", HOFFSET(UnitRow, id_bits), i32},
        {"count_bits", HOFFSET(UnitRow, count_bits), i32},
        {"place_bits", HOFFSET(UnitRow, place_bits), i32},
        {"slots_bits", HOFFSET(UnitRow, slots_bits), i32},
    };
    return compoundType(sizeof(UnitRow), fields);
}
[[nodiscard]] inline H5Type tokenTableType() {
    const hid_t i64 = H5T_STD_I64LE;
    const Field fields[] = {
        {"tokens", HOFFSET(TokenTableRow, tokens), i64},
        {"first_run", HOFFSET(TokenTableRow, first_run), i64},
        {"runs", HOFFSET(TokenTableRow, runs), i64},
        {"masked_at", HOFFSET(TokenTableRow, masked_at), i64},
        {"token_ids_at", HOFFSET(TokenTableRow, token_ids_at), i64},
        {"token_id_bits", HOFFSET(TokenTableRow, token_id_bits), i64},
    };
    return compoundType(sizeof(TokenTableRow), fields);
}
[[nodiscard]] inline H5Type tokenRunType() {
    const Field fields[] = {
        {"sample", HOFFSET(TokenRun, sample), H5T_STD_U64LE},     {"tokens", HOFFSET(TokenRun, tokens), H5T_STD_U32LE},
        {"position", HOFFSET(TokenRun, position), H5T_STD_U16LE}, {"objective", HOFFSET(TokenRun, objective), H5T_STD_U8LE},
        {"modality", HOFFSET(TokenRun, modality), H5T_STD_U8LE},
    };
    return compoundType(sizeof(TokenRun), fields);
}
[[nodiscard]] inline H5Type routerType() {
    const H5Type kind = textType(kRouterKindBytes);
    const Field fields[] = {
        {"id", HOFFSET(RouterRow, id), H5T_STD_I32LE},           {"layer", HOFFSET(RouterRow, layer), H5T_STD_I32LE},
        {"experts", HOFFSET(RouterRow, experts), H5T_STD_I32LE}, {"k", HOFFSET(RouterRow, k), H5T_STD_I32LE},
        {"branch", HOFFSET(RouterRow, branch), H5T_STD_U8LE},    {"layout", HOFFSET(RouterRow, layout), H5T_STD_U8LE},
        {"kind", HOFFSET(RouterRow, kind), kind.get()},
    };
    return compoundType(sizeof(RouterRow), fields);
}

}  // namespace es::store
