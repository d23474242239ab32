// SPDX-License-Identifier: GPL-3.0-or-later
// Any folder of pictures with captions in metadata.csv, metadata.jsonl or a text file beside each picture.
#pragma once

#include "datasets/source.h"

namespace es::datasets {

/// `stem` begins the names of converted files. Fails as scanFolder does.
[[nodiscard]] Result<std::unique_ptr<Source>> openFolderSource(const std::filesystem::path& folder, std::string stem, bool keywords, const JobContext& context);

}  // namespace es::datasets
