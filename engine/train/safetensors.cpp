// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/safetensors.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

namespace es::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kLargestHeader = 100'000'000;
constexpr const char* kMetadataKey = "__metadata__";

constexpr std::array<std::pair<at::ScalarType, const char*>, 10> kTypes{{
    {at::kDouble, "F64"}, {at::kFloat, "F32"}, {at::kHalf, "F16"}, {at::kBFloat16, "BF16"}, {at::kLong, "I64"},
    {at::kInt, "I32"}, {at::kShort, "I16"}, {at::kChar, "I8"}, {at::kByte, "U8"}, {at::kBool, "BOOL"},
}};

std::optional<std::string> nameOf(at::ScalarType type) {
    for (const auto& [known, name] : kTypes)
        if (known == type) return name;
    return std::nullopt;
}
std::optional<at::ScalarType> typeOf(const std::string& name) {
    for (const auto& [type, known] : kTypes)
        if (name == known) return type;
    return std::nullopt;
}

class File {
public:
    explicit File(int descriptor) : descriptor_(descriptor) {}
    ~File() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    [[nodiscard]] int get() const { return descriptor_; }
    [[nodiscard]] bool write(const void* data, std::size_t size) const {
        const char* at = static_cast<const char*>(data);
        while (size > 0) {
            const ssize_t done = ::write(descriptor_, at, size);
            if (done < 0 && errno == EINTR) continue;
            if (done <= 0) return false;
            at += done;
            size -= static_cast<std::size_t>(done);
        }
        return true;
    }
    [[nodiscard]] bool read(void* data, std::size_t size, std::uint64_t offset) const {
        char* at = static_cast<char*>(data);
        while (size > 0) {
            const ssize_t done = ::pread(descriptor_, at, size, static_cast<off_t>(offset));
            if (done < 0 && errno == EINTR) continue;
            if (done <= 0) return false;
            at += done;
            offset += static_cast<std::uint64_t>(done);
            size -= static_cast<std::size_t>(done);
        }
        return true;
    }

private:
    int descriptor_;
};

struct Entry {
    std::string name;
    at::ScalarType type = at::kFloat;
    std::vector<std::int64_t> shape;
    std::uint64_t begin = 0, end = 0;
};

tl::unexpected<Error> damaged(const std::filesystem::path& path, std::string why) {
    return badInput("Cannot read the weights", std::move(why), "Use another checkpoint or copy the file again", path.string());
}

/// Number of bytes of a tensor; empty when it does not fit into 62 bits.
std::optional<std::uint64_t> bytesOf(const std::vector<std::int64_t>& shape, std::size_t element) {
    std::uint64_t bytes = element;
    for (const std::int64_t n : shape) {
        if (n != 0 && bytes > (std::uint64_t{1} << 62) / static_cast<std::uint64_t>(n)) return std::nullopt;
        bytes *= static_cast<std::uint64_t>(n);
    }
    return bytes;
}

/// Throws nlohmann's exceptions for wrong types and missing keys, std::runtime_error for the rest.
Entry entryFrom(const std::string& name, const Json& json) {
    Entry entry;
    entry.name = name;
    const auto type_name = json.at("dtype").get<std::string>();
    const auto type = typeOf(type_name);
    if (!type) throw std::runtime_error("tensor '" + name + "' is of the unknown type '" + type_name + "'");
    entry.type = *type;
    if (!json.at("shape").is_array()) throw std::runtime_error("the shape of tensor '" + name + "' is not a list");
    for (const Json& n : json.at("shape")) {
        if (!n.is_number_integer() || (n.is_number_unsigned() ? n.get<std::uint64_t>() > (std::uint64_t{1} << 62) : n.get<std::int64_t>() < 0))
            throw std::runtime_error("tensor '" + name + "' has an impossible shape");
        entry.shape.push_back(n.get<std::int64_t>());
    }
    const Json& offsets = json.at("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned())
        throw std::runtime_error("tensor '" + name + "' has no valid data_offsets");
    entry.begin = offsets[0].get<std::uint64_t>();
    entry.end = offsets[1].get<std::uint64_t>();
    const auto bytes = bytesOf(entry.shape, at::elementSize(entry.type));
    if (!bytes || entry.end < entry.begin || entry.end - entry.begin != *bytes)
        throw std::runtime_error("the bytes of tensor '" + name + "' do not match its shape");
    return entry;
}

}  // namespace

Status writeSafetensors(const std::filesystem::path& path, const TensorFile& file) {
    std::vector<std::pair<std::string, at::Tensor>> tensors(file.tensors.begin(), file.tensors.end());
    // Largest elements first keeps every tensor aligned without padding between them.
    std::stable_sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.second.element_size() > b.second.element_size(); });
    Json header = Json::object();
    if (!file.metadata.empty()) header[kMetadataKey] = file.metadata;
    std::uint64_t offset = 0;
    for (auto& [name, tensor] : tensors) {
        const auto type = nameOf(tensor.scalar_type());
        if (!type) return jobFailed("Cannot write the weights", "tensor '" + name + "' has a type that the format does not know", "Convert it first", path.string());
        tensor = tensor.detach().to(at::kCPU).contiguous();
        const auto bytes = static_cast<std::uint64_t>(tensor.numel()) * tensor.element_size();
        header[name] = {{"dtype", *type}, {"shape", tensor.sizes().vec()}, {"data_offsets", {offset, offset + bytes}}};
        offset += bytes;
    }
    std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
    text.append((8 - text.size() % 8) % 8, ' ');
    const std::uint64_t length = text.size();

    const File out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    bool done = out.get() >= 0 && out.write(&length, sizeof(length)) && out.write(text.data(), text.size());
    for (const auto& [name, tensor] : tensors)
        done = done && out.write(tensor.data_ptr(), static_cast<std::size_t>(tensor.numel()) * tensor.element_size());
    done = done && ::fsync(out.get()) == 0;
    if (!done) return jobFailed("Cannot write the weights", std::strerror(errno), "Free some space on the disk and check the folder's permissions", path.string());
    return {};
}

Result<TensorFile> readSafetensors(const std::filesystem::path& path) {
    const File in(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (in.get() < 0) return badInput("Cannot read the weights", std::strerror(errno), "Check the path", path.string());
    const off_t end = ::lseek(in.get(), 0, SEEK_END);
    std::uint64_t length = 0;
    if (end < 8 || !in.read(&length, sizeof(length), 0)) return damaged(path, "the file ends within its first 8 bytes");
    const std::uint64_t rest = static_cast<std::uint64_t>(end) - 8;
    if (length > kLargestHeader) return damaged(path, "it is not a safetensors file: its header would have " + std::to_string(length) + " bytes");
    if (length > rest) return damaged(path, "the file ends within its header");
    std::string text(length, '\0');
    if (!in.read(text.data(), length, 8)) return damaged(path, "reading its header broke off");
    const std::uint64_t data = rest - length;

    TensorFile out;
    std::vector<Entry> entries;
    try {
        const Json header = Json::parse(text);
        if (!header.is_object()) throw std::runtime_error("its header is not a JSON object");
        for (const auto& [name, value] : header.items()) {
            if (name == kMetadataKey)
                for (const auto& [key, entry] : value.items()) out.metadata[key] = entry.get<std::string>();
            else
                entries.push_back(entryFrom(name, value));
        }
    } catch (const std::exception& problem) {
        return damaged(path, problem.what());
    }
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
    std::uint64_t expected = 0;
    for (const Entry& entry : entries) {
        if (entry.begin != expected) return damaged(path, "there is a gap or an overlap before tensor '" + entry.name + "'");
        expected = entry.end;
    }
    if (expected > data) return damaged(path, "the file is cut short: " + std::to_string(expected - data) + " of its bytes are missing");
    if (expected < data) return damaged(path, std::to_string(data - expected) + " bytes follow after its last tensor");
    try {
        for (const Entry& entry : entries) {
            at::Tensor tensor = at::empty(entry.shape, entry.type);
            if (entry.end > entry.begin && !in.read(tensor.data_ptr(), entry.end - entry.begin, 8 + length + entry.begin))
                return damaged(path, "reading tensor '" + entry.name + "' broke off");
            if (!out.tensors.emplace(entry.name, std::move(tensor)).second) return damaged(path, "tensor '" + entry.name + "' occurs twice");
        }
    } catch (const std::exception& problem) {
        return damaged(path, std::string("no memory for its tensors: ") + problem.what());
    }
    return out;
}

}  // namespace es::engine
