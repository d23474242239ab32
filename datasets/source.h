// SPDX-License-Identifier: GPL-3.0-or-later
// Where samples come from before they are converted. One implementation for each kind of source; conversion knows only this.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "datasets/dataset.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/base/scene_truth.h"
#include "engine/config/run_config.h"

namespace es::datasets {

/// A sample to be: texts are final, the picture is still to be read.
struct Item {
    std::int64_t picture = -1;  ///< index into the source's pictures; -1: text only
    std::string caption;        ///< empty: picture only
    std::string category, subcategory, domain, license, source;
    std::string split_key;                         ///< samples with equal keys share a split; empty: the picture decides
    Split split = Split::kNone;                    ///< where the source decides; kNone: by key and picture
    std::shared_ptr<const SceneTruth> truth = {};  ///< of composed scenes, without owner map and pair_of, which conversion fills in
    std::int64_t pair_of = -1;                     ///< the item that this one is a variant of; -1: none
    std::int32_t part = 0;                         ///< which of Content::parts it comes from; ascending over the items
};

struct Content {
    std::vector<Item> items;
    std::int64_t pictures = 0;
    std::int64_t left_out = 0;       ///< samples that a rule of the source leaves out; `notes` say which
    std::vector<std::string> parts;  ///< names of the sets that are joined; empty: it is one
    std::vector<Problem> problems;   ///< damage found while reading texts
    std::vector<Problem> notes;      ///< worth knowing; nothing is damaged
};

/// A picture as it is stored: hash of the original (the same for every size), size x size RGBA.
struct ConvertedPicture {
    std::uint64_t hash = 0;
    std::vector<std::uint8_t> rgba;
    std::uint64_t alike = 0;               ///< pictures of equal value look alike and share a split; 0: not known
    std::vector<std::uint8_t> owner = {};  ///< of composed scenes: SceneTruth::owner; else empty
};

/// Why there is no picture.
struct NoPicture {
    std::string why;
    bool damage = true;  ///< false: nothing is broken, the source just has none
};

/// Reads pictures; each thread has its own.
class PictureReader {
public:
    virtual ~PictureReader() = default;
    [[nodiscard]] virtual tl::expected<ConvertedPicture, NoPicture> read(std::int64_t picture, std::int64_t size) = 0;
};

class Source {
public:
    virtual ~Source() = default;
    [[nodiscard]] virtual const std::string& name() const = 0;
    /// Begins the names of the files made from this source, safe in file names: two sources of one name differ here.
    [[nodiscard]] virtual const std::string& fileStem() const = 0;
    /// Changes whenever what the source holds may have changed.
    [[nodiscard]] virtual std::uint64_t fingerprint() const = 0;
    [[nodiscard]] virtual std::string place() const = 0;  ///< for people: the folder or the package files
    [[nodiscard]] virtual Result<Content> read(const JobContext& context) = 0;
    [[nodiscard]] virtual Result<std::unique_ptr<PictureReader>> makeReader() const = 0;
    [[nodiscard]] virtual std::string picturePath(std::int64_t picture) const = 0;
};

/// The source that options.set names: a known set or a folder. Looks at names, sizes and times only.
[[nodiscard]] Result<std::unique_ptr<Source>> openSource(const config::DataOptions& options, const JobContext& context);

/// File stem of a set without opening its source: what an already converted set can be found by when its source is gone.
[[nodiscard]] std::string fileStemOf(const config::DataOptions& options);
/// True when options.set is the name of a set that the program knows, not a folder.
[[nodiscard]] bool isKnownSet(const std::string& set);

}  // namespace es::datasets
