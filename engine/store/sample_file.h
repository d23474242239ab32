// SPDX-License-Identifier: GPL-3.0-or-later
// The samples that a run's records speak of, in HDF5: appended while others read (SWMR), one file an attempt, so that a file whose
// writer was killed is never opened for writing again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/store/hdf5_file.h"
#include "engine/store/records.h"

namespace es::store {

/// One sample: where its text (JSON) and its picture (RGBA, rows top down) lie.
struct SampleRow {
    std::uint64_t hash = 0;
    std::int64_t text_at = 0;     ///< byte in `text`
    std::int64_t picture_at = 0;  ///< byte in `pictures`; width * height * 4 bytes
    std::int32_t text_bytes = 0;
    std::int32_t width = 0, height = 0;
    std::int32_t reserved = 0;
};

class SampleFileWriter {
public:
    [[nodiscard]] static Result<std::unique_ptr<SampleFileWriter>> create(const std::filesystem::path& path, const std::string& runUuid);
    void append(const SampleRecord& sample);
    [[nodiscard]] Status flush();
    [[nodiscard]] Status close();
    [[nodiscard]] std::uint64_t count() const { return static_cast<std::uint64_t>(rows_.size()); }

private:
    std::filesystem::path path_;
    H5File file_;
    AppendColumn text_, pictures_, rows_;
};

/// Reads what the file holds when it is opened.
class SampleFileReader {
public:
    [[nodiscard]] static Result<std::unique_ptr<SampleFileReader>> open(const std::filesystem::path& path);
    [[nodiscard]] const std::vector<SampleRow>& rows() const { return rows_; }
    /// All samples without pictures, in the order of rows().
    [[nodiscard]] Result<std::vector<SampleRecord>> list() const;
    [[nodiscard]] Result<SampleRecord> read(std::size_t row) const;

private:
    H5File file_;
    std::string path_;
    std::vector<SampleRow> rows_;
    std::optional<ReadColumn> text_, pictures_;
};

}  // namespace es::store
