// SPDX-License-Identifier: GPL-3.0-or-later
// The files of a package of pictures, and their pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/source.h"

namespace es::datasets {

struct PictureTree {
    std::vector<std::string> files;  ///< relative to the root, sorted
    std::uint64_t fingerprint = 0;   ///< of names, sizes and times
};
/// The files below `root` with one of these extensions (".svg"). Symbolic links are passed over: packages of pictures file one picture under many names.
[[nodiscard]] Result<PictureTree> scanPictures(const std::filesystem::path& root, const std::vector<std::string>& extensions);

/// Reads the files (PNG or SVG, by extension) of a list that must outlive it. Tells looks; refuses pictures of one colour, which is no damage.
[[nodiscard]] std::unique_ptr<PictureReader> makeDrawingReader(std::filesystem::path root, const std::vector<std::string>& files);

}  // namespace es::datasets
