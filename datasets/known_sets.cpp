// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/known_sets.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "datasets/emoji_source.h"
#include "datasets/objects/clipart_source.h"
#include "datasets/objects/stamp_source.h"
#include "datasets/scenes/scene_source.h"
#include "datasets/scenes/sprite_source.h"

namespace es::datasets {
namespace {

constexpr std::array<KnownSet, 6> kSets{
    {{kEmojiSet, "Emoji with their names, keywords, groups and subgroups (Noto Color Emoji, Unicode CLDR)", "pictures OFL-1.1, texts Unicode-DFS-2016"},
     {kStampsSet, "Cut-out photographs and drawings of everyday things with a phrase each (Tux Paint's stamps)", "GPL-2.0-or-later"},
     {kClipartSet, "Drawings of things with titles and keywords (Open Clip Art, cleaned)", "public domain"},
     {kObjectsSet, "Everyday objects: emoji, stamps and clipart together", "see emoji, stamps and clipart"},
     {kScenesSet, "Drawn scenes of 1 to 6 objects: what is in each patch and what each word does is known; data.scenes of them", "CC0-1.0"},
     {kSpritesSet, "Scenes composed of real cut-outs of emoji, stamps and clipart, with the same truth; data.scenes of them", "those of the cut-outs"}}};

bool holdsAnything(const char* folder) {
    std::error_code error;
    return std::filesystem::directory_iterator(folder, error) != std::filesystem::directory_iterator();
}

}  // namespace

std::span<const KnownSet> knownSets() { return kSets; }

std::vector<std::string> membersOf(const std::string& set) {
    if (set == kObjectsSet) return {kEmojiSet, kStampsSet, kClipartSet};
    return {set};
}

bool isMadeUp(const std::string& set) {
    const auto parts = setParts(set);
    return std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return part == kScenesSet || part == kSpritesSet; });
}

std::vector<std::string> missingPackages(const std::string& set) {
    if (set == kEmojiSet) return findEmojiFiles().missing;
    if (set == kStampsSet) return holdsAnything(kStampsRoot) ? std::vector<std::string>() : std::vector<std::string>{kStampsPackage};
    if (set == kClipartSet) return holdsAnything(kClipartRoot) ? std::vector<std::string>() : std::vector<std::string>{kClipartPackage};
    std::vector<std::string> missing;
    if (set == kObjectsSet || set == kSpritesSet)
        for (const auto& member : membersOf(kObjectsSet))
            for (auto& package : missingPackages(member)) missing.push_back(std::move(package));
    return missing;
}

std::string installRemedy(const std::vector<std::string>& packages) {
    if (packages.empty()) return {};
    const bool objects = std::any_of(packages.begin(), packages.end(), [](const std::string& p) { return p == kStampsPackage || p == kClipartPackage; });
    return fmt::format("Install: sudo apt install --no-install-recommends {}{}", fmt::join(packages, " "),
                       objects ? " (186 MB), or call ./run setup --objects" : "");
}

Result<std::unique_ptr<Source>> openKnownSet(const std::string& set, const config::DataOptions& options) {
    // All that is missing at once, not one package after the other.
    if (const auto missing = missingPackages(set); !missing.empty() && set != kEmojiSet)
        return badInput(fmt::format("The set '{}' is not there", set), fmt::format("not installed: {}", fmt::join(missing, ", ")), installRemedy(missing));
    if (set == kStampsSet) return openStampSource();
    if (set == kClipartSet) return openClipartSource(options.keywords);
    if (set == kScenesSet) return openSceneSource(options.scenes, static_cast<std::uint64_t>(options.scene_seed));
    if (set == kSpritesSet) {
        config::DataOptions names = options;
        names.keywords = false;
        std::vector<std::unique_ptr<Source>> parts;
        for (const auto& member : membersOf(kObjectsSet)) {
            auto part = openKnownSet(member, names);
            if (!part) return tl::unexpected(part.error());
            parts.push_back(std::move(*part));
        }
        return openSpriteSource(std::move(parts), options.scenes, static_cast<std::uint64_t>(options.scene_seed));
    }
    return openEmojiSource(options.keywords);
}

}  // namespace es::datasets
