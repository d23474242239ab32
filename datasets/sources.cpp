// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <system_error>

#include "datasets/cache_paths.h"
#include "datasets/folder_source.h"
#include "datasets/joined_source.h"
#include "datasets/known_sets.h"
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

bool looksLikePath(const std::string& set) { return set.find('/') != std::string::npos; }

std::string stemOf(const std::string& set) {
    if (isKnownSet(set)) return set;
    const fs::path path = wholePath(set);
    return fileNamePart(path.filename().string()) + "-" + hashText(hash64(path.string())).substr(0, 8);
}

Result<std::unique_ptr<Source>> openOne(const std::string& set, const config::DataOptions& options, const JobContext& context) {
    if (isKnownSet(set)) return openKnownSet(set, options);
    std::error_code error;
    if (!set.empty() && (looksLikePath(set) || fs::exists(set, error))) return openFolderSource(wholePath(set), stemOf(set), options.keywords, context);
    std::string names;
    for (const KnownSet& known : knownSets()) names += (names.empty() ? "" : ", ") + std::string(known.name);
    return badInput(fmt::format("There is no data set '{}'", set), fmt::format("it is neither a set that the program knows ({}) nor a folder", names),
                    "Choose one of 'expertscope data list', or name a folder of pictures", set);
}

}  // namespace

bool isKnownSet(const std::string& set) {
    const auto known = knownSets();
    return std::any_of(known.begin(), known.end(), [&](const KnownSet& one) { return set == one.name; });
}

std::vector<std::string> setParts(const std::string& set) {
    std::error_code error;
    if (set.find('+') == std::string::npos || fs::exists(set, error)) return {set};
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= set.size();) {
        const std::size_t end = std::min(set.find('+', begin), set.size());
        std::string part = set.substr(begin, end - begin);
        part.erase(0, part.find_first_not_of(' '));
        part.erase(part.find_last_not_of(' ') + 1);
        // The name of a folder that has gone.
        if (!isKnownSet(part) && !looksLikePath(part)) return {set};
        if (std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(std::move(part));
        begin = end + 1;
    }
    return parts;
}

std::string fileStemOf(const config::DataOptions& options) {
    std::string stem;
    for (const auto& part : setParts(options.set)) stem += (stem.empty() ? "" : "+") + stemOf(part);
    return stem;
}

Result<std::unique_ptr<Source>> openSource(const config::DataOptions& options, const JobContext& context) {
    const auto named = setParts(options.set);
    std::vector<std::string> members;
    for (const auto& part : named)
        for (const auto& member : membersOf(part))
            if (std::find(members.begin(), members.end(), member) == members.end()) members.push_back(member);
    if (members.size() == 1) return openOne(members[0], options, context);
    std::vector<std::string> missing;
    for (const auto& member : members)
        for (auto& package : missingPackages(member))
            if (std::find(missing.begin(), missing.end(), package) == missing.end()) missing.push_back(std::move(package));
    if (!missing.empty())
        return badInput(fmt::format("The set '{}' is not there", options.set), fmt::format("not installed: {}", fmt::join(missing, ", ")),
                        installRemedy(missing));
    std::vector<std::unique_ptr<Source>> parts;
    for (const auto& member : members) {
        auto part = openOne(member, options, context);
        if (!part) return tl::unexpected(part.error());
        parts.push_back(std::move(*part));
    }
    return joinSources(options.set, fileStemOf(options), std::move(parts));
}

}  // namespace es::datasets
