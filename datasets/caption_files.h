// SPDX-License-Identifier: GPL-3.0-or-later
// Files that say what is on the pictures of a folder: metadata.csv and metadata.jsonl.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "datasets/dataset.h"

namespace es::datasets {

struct CaptionRow {
    std::string file = {};                   ///< as written; empty: a text without a picture
    std::vector<std::string> captions = {};  ///< as written; may be none
    std::string keywords = {}, category = {}, subcategory = {}, domain = {}, license = {};
    std::string place = {};  ///< "metadata.csv:12"
};

struct CaptionRows {
    std::vector<CaptionRow> rows;
    std::vector<Problem> problems;  ///< rows and files that make no sense; the rest is in rows
};

/// The first row names the columns, in any order and case: file_name (or file, filename, image, path), caption (or text, title,
/// description), and if wanted keywords, category (or label, class), subcategory, domain, license. Commas, semicolons or tabs between.
[[nodiscard]] CaptionRows readCsvCaptions(std::string_view text, const std::string& path);
/// One JSON object a line with the same names; a caption may be a list of captions.
[[nodiscard]] CaptionRows readJsonCaptions(std::string_view text, const std::string& path);

}  // namespace es::datasets
