// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/safetensors.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "engine/base/safetensors_file.h"

namespace es::engine {
namespace {

constexpr const char *kCannotReadWeights = "Cannot read the weights", *kOtherCheckpoint = "Use another checkpoint or copy the file again";

constexpr std::array<std::pair<at::ScalarType, ElementType>, 10> kTypes{{
    {at::kDouble, ElementType::kF64},
    {at::kFloat, ElementType::kF32},
    {at::kHalf, ElementType::kF16},
    {at::kBFloat16, ElementType::kBF16},
    {at::kLong, ElementType::kI64},
    {at::kInt, ElementType::kI32},
    {at::kShort, ElementType::kI16},
    {at::kChar, ElementType::kI8},
    {at::kByte, ElementType::kU8},
    {at::kBool, ElementType::kBool},
}};

std::optional<ElementType> elementOf(at::ScalarType type) {
    for (const auto& [known, element] : kTypes)
        if (known == type) return element;
    return std::nullopt;
}
at::ScalarType scalarOf(ElementType type) {
    for (const auto& [scalar, known] : kTypes)
        if (known == type) return scalar;
    return at::kFloat;  // not reached: every element type is in the table
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

}  // namespace

Status writeSafetensors(const std::filesystem::path& path, const TensorFile& file) {
    std::vector<std::pair<std::string, at::Tensor>> tensors(file.tensors.begin(), file.tensors.end());
    // Largest elements first keeps every tensor aligned without padding between them.
    std::stable_sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.second.element_size() > b.second.element_size(); });
    SafetensorsHeader header;
    header.metadata = file.metadata;
    std::uint64_t offset = 0;
    for (auto& [name, tensor] : tensors) {
        const auto type = elementOf(tensor.scalar_type());
        if (!type)
            return jobFailed("Cannot write the weights", "tensor '" + name + "' has a type that the format does not know", "Convert it first", path.string());
        tensor = tensor.detach().to(at::kCPU).contiguous();
        const auto bytes = static_cast<std::uint64_t>(tensor.numel()) * tensor.element_size();
        header.entries.push_back({name, *type, tensor.sizes().vec(), offset, offset + bytes});
        offset += bytes;
    }
    const std::string text = safetensorsHeaderText(header);

    const File out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    bool done = out.get() >= 0 && out.write(text.data(), text.size());
    for (const auto& [name, tensor] : tensors) done = done && out.write(tensor.data_ptr(), static_cast<std::size_t>(tensor.numel()) * tensor.element_size());
    done = done && ::fsync(out.get()) == 0;
    if (!done)
        return jobFailed("Cannot write the weights", std::strerror(errno), "Free some space on the disk and check the folder's permissions", path.string());
    return {};
}

Result<TensorFile> readSafetensors(const std::filesystem::path& path) {
    auto header = readSafetensorsHeader(path, kCannotReadWeights, kOtherCheckpoint);
    if (!header) return tl::unexpected(std::move(header.error()));
    const auto damaged = [&](std::string why) { return badInput(kCannotReadWeights, std::move(why), kOtherCheckpoint, path.string()); };
    const File in(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (in.get() < 0) return badInput(kCannotReadWeights, std::strerror(errno), "Check the path", path.string());
    TensorFile out;
    out.metadata = std::move(header->metadata);
    try {
        for (const TensorEntry& entry : header->entries) {
            at::Tensor tensor = at::empty(entry.shape, scalarOf(entry.type));
            if (entry.end > entry.begin && !in.read(tensor.data_ptr(), entry.end - entry.begin, header->data_begin + entry.begin))
                return damaged("reading tensor '" + entry.name + "' broke off");
            out.tensors.emplace(entry.name, std::move(tensor));
        }
    } catch (const std::exception& problem) {
        return damaged(std::string("no memory for its tensors: ") + problem.what());
    }
    return out;
}

}  // namespace es::engine
