// SPDX-License-Identifier: GPL-3.0-or-later
// HDF5 as this store uses it: latest format, one-dimensional data sets, no filters, no variable-length data. Errors become Results; the
// library prints nothing. HDF5 holds one lock for the whole process, so calls from several threads are safe and take turns.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/result.h"

namespace es::store {

/// Owns an HDF5 identifier.
template <herr_t (*Close)(hid_t)>
class H5Handle {
public:
    H5Handle() = default;
    explicit H5Handle(hid_t id) : id_(id) {}
    H5Handle(H5Handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
    H5Handle& operator=(H5Handle&& other) noexcept {
        std::swap(id_, other.id_);
        return *this;
    }
    ~H5Handle() { reset(); }
    herr_t reset() {
        const hid_t id = std::exchange(id_, -1);
        return id >= 0 ? Close(id) : 0;
    }
    [[nodiscard]] hid_t get() const { return id_; }
    [[nodiscard]] bool valid() const { return id_ >= 0; }

private:
    hid_t id_ = -1;
};
using H5File = H5Handle<H5Fclose>;
using H5Dataset = H5Handle<H5Dclose>;
using H5Space = H5Handle<H5Sclose>;
using H5Type = H5Handle<H5Tclose>;
using H5Properties = H5Handle<H5Pclose>;
using H5Attribute = H5Handle<H5Aclose>;

/// Keeps HDF5 from printing on this thread. One stands at the start of every function that others call.
class QuietHdf5 {
public:
    QuietHdf5();
    ~QuietHdf5();
    QuietHdf5(const QuietHdf5&) = delete;
    QuietHdf5& operator=(const QuietHdf5&) = delete;

private:
    H5E_auto2_t function_ = nullptr;
    void* data_ = nullptr;
};

/// What HDF5 says about the last failure on this thread, innermost cause first.
[[nodiscard]] std::string hdf5Problem();
[[nodiscard]] tl::unexpected<Error> hdf5WriteError(const std::string& path);
[[nodiscard]] tl::unexpected<Error> hdf5ReadError(const std::string& path);

/// A member of a compound type.
struct Field {
    const char* name;
    std::size_t offset;
    hid_t type;
};
[[nodiscard]] H5Type compoundType(std::size_t size, std::span<const Field> fields);
[[nodiscard]] H5Type halfType();                  ///< IEEE binary16, little-endian
[[nodiscard]] H5Type textType(std::size_t size);  ///< fixed size, UTF-8, padded with zeros

/// Latest format; replaces an existing file.
[[nodiscard]] Result<H5File> createHdf5(const std::filesystem::path& path);
/// `live`: the file may be open in a writer in SWMR mode, or was left so by one that died.
[[nodiscard]] Result<H5File> openHdf5(const std::filesystem::path& path, bool live);
/// Flushes the file's data to the disk itself.
[[nodiscard]] Status syncFile(const std::filesystem::path& path);

[[nodiscard]] bool writeAttribute(hid_t object, const char* name, std::int64_t value);
[[nodiscard]] bool writeAttribute(hid_t object, const char* name, const std::string& value);
[[nodiscard]] std::int64_t readIntAttribute(hid_t object, const char* name, std::int64_t fallback);
[[nodiscard]] std::string readTextAttribute(hid_t object, const char* name);

/// Writes a data set whole, contiguous.
[[nodiscard]] bool writeDataset(hid_t file, const char* name, hid_t type, const void* data, std::size_t count);

/// An extensible one-dimensional data set that is appended through a buffer in memory.
class AppendColumn {
public:
    [[nodiscard]] static Result<AppendColumn> create(hid_t file, const char* name, hid_t type, std::size_t elementBytes, std::size_t chunkElements,
                                                     const std::string& path);
    void append(const void* data, std::size_t elements) {
        const auto* bytes = static_cast<const std::uint8_t*>(data);
        buffer_.insert(buffer_.end(), bytes, bytes + elements * element_bytes_);
    }
    /// Elements, those in the buffer included: the place of the next one.
    [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(written_ + buffer_.size() / element_bytes_); }
    [[nodiscard]] std::size_t bufferedBytes() const { return buffer_.size(); }
    /// Buffer to file. Nothing is lost when it fails.
    [[nodiscard]] bool write();
    /// Makes what was written visible to SWMR readers and safe from the death of this process.
    [[nodiscard]] bool flush();

private:
    H5Dataset dataset_;
    H5Type type_;
    std::size_t element_bytes_ = 1;
    hsize_t written_ = 0;
    std::vector<std::uint8_t> buffer_;
};

/// A one-dimensional data set, read in pieces. Checks extents: nothing outside the data set is ever asked for.
class ReadColumn {
public:
    /// Fails when it is missing or of another rank.
    [[nodiscard]] static Result<ReadColumn> open(hid_t file, const char* name, const std::string& path);
    [[nodiscard]] std::int64_t size() const { return size_; }
    /// Reads `count` elements from `first` as `memoryType`. `out` holds them.
    [[nodiscard]] Status read(std::int64_t first, std::int64_t count, hid_t memoryType, void* out) const;
    template <class T>
    [[nodiscard]] Result<std::vector<T>> readAll(hid_t memoryType) const {
        std::vector<T> values(static_cast<std::size_t>(size_));
        if (auto status = read(0, size_, memoryType, values.data()); !status) return tl::unexpected(status.error());
        return values;
    }

    /// The same for a data set of plain bytes or rows of `elementBytes` that is walked over in pieces: what lies ahead is read along and kept,
    /// because a call of HDF5 costs as much as reading a thousand pieces. Not thread-safe.
    [[nodiscard]] Status readAhead(std::int64_t first, std::int64_t count, hid_t memoryType, std::size_t elementBytes, void* out);

private:
    H5Dataset dataset_;
    std::int64_t size_ = 0;
    std::string path_;
    std::vector<std::uint8_t> ahead_;  ///< elements from ahead_first_ on
    std::int64_t ahead_first_ = 0, ahead_count_ = 0, last_end_ = 0;
    std::size_t ahead_bytes_ = 0;  ///< how much is read along: grows while the walk goes on
};

}  // namespace es::store
