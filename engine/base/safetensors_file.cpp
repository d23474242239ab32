// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/safetensors_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "engine/base/files.h"

namespace es {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

using HeaderJson = nlohmann::ordered_json;

constexpr std::uint64_t kLargestHeader = 100'000'000, kLengthBytes = 8, kLargestCount = std::uint64_t{1} << 62;
constexpr const char* kMetadataKey = "__metadata__";
constexpr const char *kCannotRead = "Cannot read the tensors", *kCopyAgain = "Use another file or copy it again";

struct TypeRow {
    ElementType type;
    std::string_view name;
    std::size_t bytes;
};
constexpr std::array<TypeRow, 10> kTypeRows{{
    {ElementType::kF64, "F64", 8},
    {ElementType::kF32, "F32", 4},
    {ElementType::kF16, "F16", 2},
    {ElementType::kBF16, "BF16", 2},
    {ElementType::kI64, "I64", 8},
    {ElementType::kI32, "I32", 4},
    {ElementType::kI16, "I16", 2},
    {ElementType::kI8, "I8", 1},
    {ElementType::kU8, "U8", 1},
    {ElementType::kBool, "BOOL", 1},
}};

std::uint64_t countOf(const HeaderJson& json, const std::string& whose) {
    if (!json.is_number_integer() || (json.is_number_unsigned() ? json.get<std::uint64_t>() > kLargestCount : json.get<std::int64_t>() < 0))
        throw std::runtime_error("tensor '" + whose + "' has a size or an offset that is no count");
    return json.get<std::uint64_t>();
}

/// Bytes of a whole tensor; empty when they do not fit into 62 bits.
std::optional<std::uint64_t> tensorBytes(const std::vector<std::int64_t>& shape, std::size_t element) {
    if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
    std::uint64_t bytes = element;
    for (const std::int64_t n : shape) {
        if (bytes > kLargestCount / static_cast<std::uint64_t>(n)) return std::nullopt;
        bytes *= static_cast<std::uint64_t>(n);
    }
    return bytes;
}

/// Throws nlohmann's exceptions for wrong types and missing keys, std::runtime_error for the rest.
TensorEntry tensorEntry(const std::string& name, const HeaderJson& json) {
    TensorEntry entry;
    entry.name = name;
    if (!json.is_object()) throw std::runtime_error("the entry of tensor '" + name + "' is not an object");
    const auto type_name = json.at("dtype").get<std::string>();
    const auto type = elementTypeOf(type_name);
    if (!type) throw std::runtime_error("tensor '" + name + "' is of the unknown type '" + type_name + "'");
    entry.type = *type;
    if (!json.at("shape").is_array()) throw std::runtime_error("the shape of tensor '" + name + "' is not a list");
    for (const HeaderJson& n : json.at("shape")) entry.shape.push_back(static_cast<std::int64_t>(countOf(n, name)));
    const HeaderJson& offsets = json.at("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2) throw std::runtime_error("the data_offsets of tensor '" + name + "' are not two numbers");
    entry.begin = countOf(offsets[0], name);
    entry.end = countOf(offsets[1], name);
    const auto bytes = tensorBytes(entry.shape, bytesOf(entry.type));
    if (!bytes || entry.end < entry.begin || entry.end - entry.begin != *bytes)
        throw std::runtime_error("the data_offsets of tensor '" + name + "' do not fit its shape " + shapeText(entry.shape));
    return entry;
}

/// The parser keeps the last of two equal names and says nothing: they are noticed while it parses.
HeaderJson parseWithoutRepeats(const std::string& text) {
    std::set<std::string> names;
    std::string repeated;
    HeaderJson json = HeaderJson::parse(text, [&](int depth, HeaderJson::parse_event_t event, HeaderJson& parsed) {
        if (event == HeaderJson::parse_event_t::key && depth == 1 && !names.insert(parsed.get<std::string>()).second) repeated = parsed.get<std::string>();
        return true;
    });
    if (!json.is_object()) throw std::runtime_error("its header is not a JSON object");
    if (!repeated.empty()) throw std::runtime_error("tensor '" + repeated + "' occurs twice");
    return json;
}

template <class T>
void widen(const std::vector<char>& bytes, std::vector<std::int64_t>& out) {
    out.resize(bytes.size() / sizeof(T));
    for (std::size_t i = 0; i < out.size(); ++i) {
        T value;
        std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
        out[i] = static_cast<std::int64_t>(value);
    }
}
template <class T>
void widen(const std::vector<char>& bytes, std::vector<double>& out) {
    out.resize(bytes.size() / sizeof(T));
    for (std::size_t i = 0; i < out.size(); ++i) {
        T value;
        std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
        out[i] = static_cast<double>(value);
    }
}

double fromHalf(std::uint16_t bits) {
    const int exponent = (bits >> 10) & 0x1F, fraction = bits & 0x3FF;
    double value = 0;
    if (exponent == 0x1F) value = fraction ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
    else if (exponent == 0) value = std::ldexp(fraction, -24);
    else value = std::ldexp(fraction + 1024, exponent - 25);
    return bits & 0x8000 ? -value : value;
}
double fromBrainHalf(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

void decode(const std::vector<char>& bytes, NumberArray& array) {
    switch (array.type) {
        case ElementType::kF64: return widen<double>(bytes, array.reals);
        case ElementType::kF32: return widen<float>(bytes, array.reals);
        case ElementType::kF16:
        case ElementType::kBF16: {
            std::vector<std::int64_t> bits;
            widen<std::uint16_t>(bytes, bits);
            for (const std::int64_t b : bits) {
                const auto half = static_cast<std::uint16_t>(b);
                array.reals.push_back(array.type == ElementType::kF16 ? fromHalf(half) : fromBrainHalf(half));
            }
            return;
        }
        case ElementType::kI64: return widen<std::int64_t>(bytes, array.integers);
        case ElementType::kI32: return widen<std::int32_t>(bytes, array.integers);
        case ElementType::kI16: return widen<std::int16_t>(bytes, array.integers);
        case ElementType::kI8: return widen<std::int8_t>(bytes, array.integers);
        case ElementType::kU8:
        case ElementType::kBool: return widen<std::uint8_t>(bytes, array.integers);
    }
}

template <class T, class From>
void append(std::string& out, const std::vector<From>& values) {
    for (const From value : values) {
        const T narrow = static_cast<T>(value);
        out.append(reinterpret_cast<const char*>(&narrow), sizeof(T));
    }
}

bool encode(const NumberArray& array, std::string& out) {
    switch (array.type) {
        case ElementType::kF64: append<double>(out, array.reals); return true;
        case ElementType::kF32: append<float>(out, array.reals); return true;
        case ElementType::kI64: append<std::int64_t>(out, array.integers); return true;
        case ElementType::kI32: append<std::int32_t>(out, array.integers); return true;
        case ElementType::kU8:
        case ElementType::kBool: append<std::uint8_t>(out, array.integers); return true;
        default: return false;
    }
}

}  // namespace

std::string_view nameOf(ElementType type) {
    for (const TypeRow& row : kTypeRows)
        if (row.type == type) return row.name;
    return "?";
}
std::optional<ElementType> elementTypeOf(std::string_view name) {
    for (const TypeRow& row : kTypeRows)
        if (row.name == name) return row.type;
    return std::nullopt;
}
std::size_t bytesOf(ElementType type) {
    for (const TypeRow& row : kTypeRows)
        if (row.type == type) return row.bytes;
    return 0;
}
bool isReal(ElementType type) { return type == ElementType::kF64 || type == ElementType::kF32 || type == ElementType::kF16 || type == ElementType::kBF16; }

std::string shapeText(const std::vector<std::int64_t>& shape) {
    std::string text = "[";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + "]";
}

Result<SafetensorsHeader> readSafetensorsHeader(const std::filesystem::path& path, const std::string& what, const std::string& remedy) {
    const auto damaged = [&](std::string why) { return badInput(what, std::move(why), remedy, path.string()); };
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return badInput(what, error ? error.message() : "there is no such file", "Check the path", path.string());
    if (!std::filesystem::is_regular_file(path, error)) return badInput(what, "it is not a file", "Check the path", path.string());
    const std::uintmax_t size = std::filesystem::file_size(path, error);
    std::ifstream in(path, std::ios::binary);
    if (error || !in) return badInput(what, "it cannot be opened", "Check the file's permissions", path.string());
    std::uint64_t length = 0;
    if (size < kLengthBytes || !in.read(reinterpret_cast<char*>(&length), kLengthBytes)) return damaged("the file ends within its first 8 bytes");
    const std::uint64_t rest = size - kLengthBytes;
    if (length > kLargestHeader) return damaged("it is not a safetensors file: its header would have " + std::to_string(length) + " bytes");
    if (length > rest) return damaged("the file ends within its header");
    std::string text(length, '\0');
    if (length > 0 && !in.read(text.data(), static_cast<std::streamsize>(length))) return damaged("reading its header broke off");
    const std::uint64_t data = rest - length;

    SafetensorsHeader header;
    header.data_begin = kLengthBytes + length;
    try {
        const HeaderJson json = parseWithoutRepeats(text);
        for (const auto& [name, value] : json.items()) {
            if (name != kMetadataKey) {
                header.entries.push_back(tensorEntry(name, value));
                continue;
            }
            if (!value.is_object()) throw std::runtime_error("its __metadata__ are not an object");
            for (const auto& [key, entry] : value.items()) {
                if (!entry.is_string()) throw std::runtime_error("its metadata '" + key + "' are not a text");
                header.metadata[key] = entry.get<std::string>();
            }
        }
    } catch (const std::exception& problem) {
        return damaged(problem.what());
    }
    std::stable_sort(header.entries.begin(), header.entries.end(),
                     [](const TensorEntry& a, const TensorEntry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    std::uint64_t expected = 0;
    for (const TensorEntry& entry : header.entries) {
        if (entry.begin != expected) return damaged("there is a gap or an overlap before tensor '" + entry.name + "'");
        expected = entry.end;
    }
    if (expected > data) return damaged("the file is cut short: " + std::to_string(expected - data) + " of its bytes are missing");
    if (expected < data) return damaged(std::to_string(data - expected) + " bytes follow after its last tensor");
    return header;
}

std::string safetensorsHeaderText(const SafetensorsHeader& header) {
    HeaderJson json = HeaderJson::object();
    if (!header.metadata.empty()) json[kMetadataKey] = header.metadata;
    for (const TensorEntry& entry : header.entries)
        json[entry.name] = {{"dtype", nameOf(entry.type)}, {"shape", entry.shape}, {"data_offsets", {entry.begin, entry.end}}};
    std::string text = json.dump(-1, ' ', false, HeaderJson::error_handler_t::replace);
    text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
    const std::uint64_t length = text.size();
    return std::string(reinterpret_cast<const char*>(&length), kLengthBytes) + text;
}

Result<ArrayFile> readArrayFile(const std::filesystem::path& path) {
    const auto header = readSafetensorsHeader(path, kCannotRead, kCopyAgain);
    if (!header) return tl::unexpected(header.error());
    ArrayFile file;
    file.metadata = header->metadata;
    std::ifstream in(path, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(header->data_begin));
    try {
        for (const TensorEntry& entry : header->entries) {
            std::vector<char> bytes(entry.end - entry.begin);
            if (!bytes.empty() && !in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
                return badInput(kCannotRead, "reading tensor '" + entry.name + "' broke off", kCopyAgain, path.string());
            NumberArray& array = file.arrays[entry.name];
            array.type = entry.type;
            array.shape = entry.shape;
            decode(bytes, array);
        }
    } catch (const std::exception& problem) {
        return badInput(kCannotRead, std::string("no memory for its tensors: ") + problem.what(), kCopyAgain, path.string());
    }
    return file;
}

Status writeArrayFile(const std::filesystem::path& path, const ArrayFile& file) {
    SafetensorsHeader header;
    header.metadata = file.metadata;
    std::vector<std::pair<std::string, const NumberArray*>> arrays;
    for (const auto& [name, array] : file.arrays) arrays.emplace_back(name, &array);
    // Wide elements first: every tensor is then aligned to its element.
    std::stable_sort(arrays.begin(), arrays.end(), [](const auto& a, const auto& b) { return bytesOf(a.second->type) > bytesOf(b.second->type); });
    std::string data;
    for (const auto& [name, array] : arrays) {
        const std::uint64_t begin = data.size();
        const auto bytes = tensorBytes(array->shape, bytesOf(array->type));
        if (!encode(*array, data) || !bytes || data.size() - begin != *bytes)
            return jobFailed("Cannot write the tensors", "'" + name + "' has a type or a shape that cannot be written",
                             "Report this with the command that caused it", path.string());
        header.entries.push_back({name, array->type, array->shape, begin, data.size()});
    }
    return writeFileAtomically(path, safetensorsHeaderText(header) + data);
}

}  // namespace es
