// SPDX-License-Identifier: GPL-3.0-or-later
// The safetensors format without a tensor library: the strict reading of its header, and whole files of plain arrays.
// https://github.com/huggingface/safetensors: 8 bytes little-endian length, that many bytes of JSON, then the data without gaps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace es {

enum class ElementType : std::uint8_t { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

/// "F32", as in the header.
[[nodiscard]] std::string_view nameOf(ElementType type);
[[nodiscard]] std::optional<ElementType> elementTypeOf(std::string_view name);
/// Of one element.
[[nodiscard]] std::size_t bytesOf(ElementType type);
[[nodiscard]] bool isReal(ElementType type);

/// Where one tensor lies: bytes [begin, end) after the header.
struct TensorEntry {
    std::string name;
    ElementType type = ElementType::kF32;
    std::vector<std::int64_t> shape;  ///< empty: a scalar
    std::uint64_t begin = 0, end = 0;
};

struct SafetensorsHeader {
    std::map<std::string, std::string> metadata;
    std::vector<TensorEntry> entries;  ///< in the order of their data, which they fill without a gap
    std::uint64_t data_begin = 0;      ///< offset of the data in the file
};

/// Reads and checks everything but the data: length, JSON, names, types, shapes, offsets and the size of the file. `what` begins the errors
/// ("Cannot read the weights"), which name the file and the place; `remedy` ends them.
[[nodiscard]] Result<SafetensorsHeader> readSafetensorsHeader(const std::filesystem::path& path, const std::string& what, const std::string& remedy);

/// The 8 bytes of length and the header, padded so that the data begin at a multiple of 8. Offsets are taken from the entries.
[[nodiscard]] std::string safetensorsHeaderText(const SafetensorsHeader& header);

/// Numbers with a shape, row-major. `reals` holds them when the type is a real one (wider types lose nothing), else `integers`.
struct NumberArray {
    ElementType type = ElementType::kF32;  ///< in the file
    std::vector<std::int64_t> shape;
    std::vector<double> reals;
    std::vector<std::int64_t> integers;

    [[nodiscard]] std::size_t size() const { return isReal(type) ? reals.size() : integers.size(); }
};
using NamedArrays = std::map<std::string, NumberArray>;

struct ArrayFile {
    std::map<std::string, std::string> metadata;
    NamedArrays arrays;
};
[[nodiscard]] Result<ArrayFile> readArrayFile(const std::filesystem::path& path);
/// Writes fp64, fp32, int64, int32, uint8 and bool. Fails for other types and when a shape does not fit its numbers.
[[nodiscard]] Status writeArrayFile(const std::filesystem::path& path, const ArrayFile& file);

/// "[4, 8]", "[]" for a scalar.
[[nodiscard]] std::string shapeText(const std::vector<std::int64_t>& shape);

}  // namespace es
