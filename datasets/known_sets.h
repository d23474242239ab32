// SPDX-License-Identifier: GPL-3.0-or-later
// The sets that the program knows by name.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "datasets/source.h"

namespace es::datasets {

inline constexpr const char* kObjectsSet = "objects";  ///< emoji, stamps and clipart together

struct KnownSet {
    const char* name;
    const char* description;
    const char* license;
};
[[nodiscard]] std::span<const KnownSet> knownSets();
/// Packages that a known set needs and that are not installed.
[[nodiscard]] std::vector<std::string> missingPackages(const std::string& set);
/// What installs them, for people; empty when nothing is missing.
[[nodiscard]] std::string installRemedy(const std::vector<std::string>& packages);
/// The sets that a known set consists of: of "objects" its three, of others itself.
[[nodiscard]] std::vector<std::string> membersOf(const std::string& set);
/// True when scenes are made for it, so that data.scenes and data.scene_seed decide what it holds: "scenes", "sprites", and what joins one of them.
[[nodiscard]] bool isMadeUp(const std::string& set);
/// Opens a known set that is no combination.
[[nodiscard]] Result<std::unique_ptr<Source>> openKnownSet(const std::string& set, const config::DataOptions& options);

}  // namespace es::datasets
