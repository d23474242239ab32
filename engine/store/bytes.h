// SPDX-License-Identifier: GPL-3.0-or-later
// Little-endian encoding of plain values, and its reader that never runs past the end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace es::store {

static_assert(std::endian::native == std::endian::little, "values are copied as they lie in memory");

class ByteWriter {
public:
    template <class T>
    requires std::is_trivially_copyable_v<T>
    void put(T value) {
        const auto at = bytes_.size();
        bytes_.resize(at + sizeof(T));
        std::memcpy(bytes_.data() + at, &value, sizeof(T));
    }
    /// u32 number of bytes, then the bytes.
    void text(std::string_view value) {
        put(static_cast<std::uint32_t>(value.size()));
        bytes_.append(value);
    }
    template <class T>
    void array(std::span<const T> values) {
        bytes_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
    }
    [[nodiscard]] std::string take() { return std::move(bytes_); }

private:
    std::string bytes_;
};

/// After a read past the end everything reads as zero and ok() is false.
class ByteReader {
public:
    explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

    template <class T>
    requires std::is_trivially_copyable_v<T> T get() {
        T value{};
        if (!need(sizeof(T))) return value;
        std::memcpy(&value, bytes_.data() + at_, sizeof(T));
        at_ += sizeof(T);
        return value;
    }
    std::string text() {
        const auto size = get<std::uint32_t>();
        if (!need(size)) return {};
        std::string value(bytes_.substr(at_, size));
        at_ += size;
        return value;
    }
    template <class T>
    std::vector<T> array(std::size_t count) {
        if (count > left() / sizeof(T)) {
            ok_ = false;
            return {};
        }
        std::vector<T> values(count);
        if (count > 0) std::memcpy(values.data(), bytes_.data() + at_, count * sizeof(T));
        at_ += count * sizeof(T);
        return values;
    }
    [[nodiscard]] std::size_t left() const { return ok_ ? bytes_.size() - at_ : 0; }
    [[nodiscard]] bool ok() const { return ok_; }

private:
    bool need(std::size_t size) {
        if (ok_ && bytes_.size() - at_ >= size) return true;
        ok_ = false;
        return false;
    }
    std::string_view bytes_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

}  // namespace es::store
