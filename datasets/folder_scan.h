// SPDX-License-Identifier: GPL-3.0-or-later
// What lies in a folder of pictures: names, sizes and times only; nothing is opened.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"

namespace es::datasets {

enum class FileKind { kPicture, kMetadata, kText };

struct FolderFile {
    std::string path;  ///< relative to the folder, '/' between; the bytes of the file system, which need not be UTF-8
    FileKind kind = FileKind::kPicture;
};

struct FolderScan {
    std::vector<FolderFile> files;  ///< by path
    std::vector<Problem> problems;  ///< links that lead nowhere or in a circle, folders that cannot be read, pictures that are no files
    std::vector<Problem> notes;
    std::uint64_t fingerprint = 0;  ///< of paths, sizes, times and whether each can be read
};

/// Walks the folder and its subfolders. Links to files and folders are followed, each folder is read once. Hidden files are left aside.
/// Fails when the folder is missing, not a folder, cannot be read, or holds no file of these kinds.
[[nodiscard]] Result<FolderScan> scanFolder(const std::filesystem::path& root, const JobContext& context);

}  // namespace es::datasets
