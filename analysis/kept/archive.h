// SPDX-License-Identifier: GPL-3.0-or-later
// Results as bytes and back. A type takes part through `fieldsOf(T&)`, which ties all of its members in order.
#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/base/strong_ids.h"
#include "engine/store/bytes.h"

namespace es::analysis {

namespace archive_detail {
template <class T>
struct Layout {
    static constexpr std::size_t kSize = sizeof(T), kAlign = alignof(T);
};
/// Bytes that a struct of these members in this order takes.
template <class... Members>
constexpr std::size_t structSize(std::type_identity<std::tuple<Members&...>>) {
    std::size_t at = 0, align = 1;
    const auto add = [&](std::size_t size, std::size_t each) {
        at = (at + each - 1) / each * each + size;
        align = each > align ? each : align;
    };
    (add(Layout<Members>::kSize, Layout<Members>::kAlign), ...);
    return (at + align - 1) / align * align;
}
}  // namespace archive_detail

/// True when `fieldsOf` ties every member: a struct that has grown since is found by the compiler.
template <class T>
inline constexpr bool kTiesAll = archive_detail::structSize(std::type_identity<decltype(fieldsOf(std::declval<T&>()))>{}) == sizeof(T);

template <class T>
concept Archived = requires(T& value) {
    fieldsOf(value);
};

class ArchiveWriter {
public:
    template <class T>
    void put(const T& value) {
        if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
            out_.put(value);
        } else if constexpr (std::is_same_v<T, std::string>) {
            out_.text(value);
        } else {
            static_assert(Archived<T>);
            static_assert(kTiesAll<T>, "fieldsOf() does not name every member");
            std::apply([this](const auto&... members) { (put(members), ...); }, fieldsOf(const_cast<T&>(value)));
        }
    }
    template <class Tag, class Rep>
    void put(const StrongIndex<Tag, Rep>& index) {
        out_.put(index.value);
    }
    template <class T>
    void put(const std::vector<T>& values) {
        out_.put(static_cast<std::uint64_t>(values.size()));
        for (const T& value : values) put(value);
    }
    [[nodiscard]] std::string take() { return out_.take(); }

private:
    store::ByteWriter out_;
};

/// Reads what ArchiveWriter wrote. After a problem everything reads as empty and ok() is false.
class ArchiveReader {
public:
    explicit ArchiveReader(std::string_view bytes) : in_(bytes) {}
    template <class T>
    void get(T& value) {
        if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) value = in_.get<T>();
        else if constexpr (std::is_same_v<T, std::string>) value = in_.text();
        else std::apply([this](auto&... members) { (get(members), ...); }, fieldsOf(value));
    }
    template <class Tag, class Rep>
    void get(StrongIndex<Tag, Rep>& index) {
        index.value = in_.get<Rep>();
    }
    template <class T>
    void get(std::vector<T>& values) {
        const auto count = in_.get<std::uint64_t>();
        values.clear();
        // Each element takes a byte at least: a count beyond that is damage, not a reason to ask for memory.
        for (std::uint64_t i = 0; i < count && in_.ok() && in_.left() > 0; ++i) get(values.emplace_back());
        complete_ = complete_ && values.size() == count;
    }
    [[nodiscard]] bool ok() const { return complete_ && in_.ok() && in_.left() == 0; }

private:
    store::ByteReader in_;
    bool complete_ = true;
};

}  // namespace es::analysis
