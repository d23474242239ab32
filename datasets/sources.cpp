// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include <system_error>

#include "datasets/cache_paths.h"
#include "datasets/emoji_source.h"
#include "datasets/folder_source.h"
#include "datasets/source.h"
#include "engine/base/hash.h"

namespace es::datasets {
namespace fs = std::filesystem;
namespace {

fs::path wholePath(const std::string& folder) {
    std::error_code error;
    fs::path path = fs::weakly_canonical(fs::absolute(folder, error), error);
    if (!path.has_filename()) path = path.parent_path();  // "pictures/"
    return path;
}

}  // namespace

bool isKnownSet(const std::string& set) { return set == kEmojiSet; }

std::string fileStemOf(const config::DataOptions& options) {
    if (isKnownSet(options.set)) return options.set;
    const fs::path path = wholePath(options.set);
    return fileNamePart(path.filename().string()) + "-" + hashText(hash64(path.string())).substr(0, 8);
}

Result<std::unique_ptr<Source>> openSource(const config::DataOptions& options, const JobContext& context) {
    if (options.set == kEmojiSet) return openEmojiSource(options.keywords);
    std::error_code error;
    const bool looksLikePath = options.set.find('/') != std::string::npos;
    if (!options.set.empty() && (looksLikePath || fs::exists(options.set, error)))
        return openFolderSource(wholePath(options.set), fileStemOf(options), options.keywords, context);
    return badInput(fmt::format("There is no data set '{}'", options.set), "it is neither a set that the program knows (emoji) nor a folder",
                    "Choose one of 'expertscope data list', or name a folder of pictures", options.set);
}

}  // namespace es::datasets
