// SPDX-License-Identifier: GPL-3.0-or-later
// Cut-outs of real pictures that scenes are composed of.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "datasets/source.h"

namespace es::datasets {

/// A thing without its background.
struct Cutout {
    std::string name;  ///< its caption: "a wrench", "beaver"
    std::string category, license, source;
    Split split = Split::kTrain;  ///< that of its caption in the set it comes from: held-out things are seen in held-out scenes only
    std::int64_t width = 0, height = 0;
    std::vector<std::uint8_t> rgba;
    std::uint64_t identity = 0;  ///< of the set it comes from and its name: draws it
    std::uint64_t content = 0;   ///< of its pixels
};

struct SpritePool {
    std::vector<Cutout> cutouts;
    std::array<std::vector<std::size_t>, 3> of_split;  ///< indices, by Split
    std::int64_t tied = 0;                             ///< left out: their pictures or looks are also those of other names

    /// Fills in what follows from the other fields: identity, content, of_split.
    void add(Cutout cutout, const std::string& set);
};

/// True when a caption can stand in a sentence as a noun: at most four plain words.
[[nodiscard]] bool isNounPhrase(const std::string& caption);
/// Takes what can be cut out of the sources: named by a short noun phrase, things and creatures (no flags, signs and gestures), not filling a
/// rectangle. At most `each` of a source, by a hash of their names, so that one more or less is no matter for the others. What looks like a thing of
/// another name is left out: the split of its name would not be that of its picture wherever both are. Damaged pictures are left to the sources' own sets to
/// report.
[[nodiscard]] Result<SpritePool> gatherSprites(const std::vector<std::unique_ptr<Source>>& parts, std::int64_t each, const JobContext& context);

}  // namespace es::datasets
