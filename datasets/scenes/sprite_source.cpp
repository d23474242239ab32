// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/scenes/sprite_source.h"

#include <spdlog/fmt/fmt.h>

#include <set>

#include "datasets/objects/svg.h"
#include "datasets/scenes/sprite_scene.h"
#include "engine/base/hash.h"

namespace es::datasets {
namespace {

constexpr std::int64_t kCutoutsOfEach = 700;  // of a source: enough variety, and read in seconds

class SpriteReader final : public PictureReader {
public:
    SpriteReader(std::shared_ptr<const SpritePool> pool, std::uint64_t seed) : pool_(std::move(pool)), seed_(seed) {}
    tl::expected<ConvertedPicture, NoPicture> read(std::int64_t picture, std::int64_t size) override {
        const SpriteScene scene = makeSpriteScene(*pool_, seed_, picture);
        DrawnPicture pasted = pasteScene(scene, *pool_, size);
        return ConvertedPicture{hash64(describe(scene, *pool_)) | 1, std::move(pasted.rgba), 0, std::move(pasted.owner)};
    }

private:
    std::shared_ptr<const SpritePool> pool_;
    std::uint64_t seed_;
};

/// Each once, in order, between commas.
std::string listed(const std::set<std::string>& values) { return fmt::format("{}", fmt::join(values, ", ")); }

class SpriteSource final : public Source {
public:
    SpriteSource(std::vector<std::unique_ptr<Source>> parts, std::int64_t count, std::uint64_t seed) : parts_(std::move(parts)), count_(count), seed_(seed) {}

    const std::string& name() const override { return name_; }
    const std::string& fileStem() const override { return name_; }
    /// Names the file, and no more: what a sample is called hangs on pixels alone (describe).
    std::uint64_t fingerprint() const override {
        std::uint64_t hash = hash64(fmt::format("sprites {} {} {} {}", kSpriteGeneratorVersion, seed_, kCutoutsOfEach, count_));
        for (const auto& part : parts_) hash = hash64(fmt::format("{} {}", part->name(), part->fingerprint()), hash);
        return hash;
    }
    std::string place() const override { return "made by the program of other sets' pictures"; }

    Result<Content> read(const JobContext& context) override {
        auto gathered = gatherSprites(parts_, kCutoutsOfEach, context);
        if (!gathered) return tl::unexpected(gathered.error());
        if (gathered->cutouts.empty()) return badInput("Cannot compose scenes", "none of the pictures can be cut out", "Reinstall the packages of the sets");
        pool_ = std::make_shared<const SpritePool>(std::move(*gathered));
        Content result;
        for (std::int64_t i = 0; i < count_; ++i) {
            if (i % 256 == 0) {
                if (context.stopRequested()) return stopped("Composing scenes");
                context.progress(i, count_, "Composing scenes");
            }
            const SpriteScene scene = makeSpriteScene(*pool_, seed_, i);
            std::set<std::string> licenses, sources;
            for (const PlacedCutout& placed : scene.objects) {
                licenses.insert(pool_->cutouts[placed.cutout].license);
                sources.insert(pool_->cutouts[placed.cutout].source);
            }
            const auto objects = scene.objects.size();
            result.items.push_back({.picture = i,
                                    .caption = scene.caption,
                                    .category = fmt::format("{} object{}", objects, objects == 1 ? "" : "s"),
                                    .subcategory = scene.kind,
                                    .domain = name_,
                                    .license = listed(licenses),
                                    .source = fmt::format("sprite scene {} of seed {}: {}", i, seed_, listed(sources)),
                                    .split_key = {},
                                    .split = scene.split,
                                    .truth = std::make_shared<const SceneTruth>(truthOf(scene, *pool_))});
        }
        result.pictures = count_;
        result.notes.push_back(
            {"cut-outs", fmt::format("the scenes are composed of {} cut-outs: {} for training, {} for validation, {} for testing; {} more look like things of "
                                     "other names and are left out; drawn by {}",
                                     pool_->cutouts.size(), pool_->of_split[0].size(), pool_->of_split[1].size(), pool_->of_split[2].size(), pool_->tied,
                                     picturePrograms())});
        return result;
    }
    Result<std::unique_ptr<PictureReader>> makeReader() const override { return std::make_unique<SpriteReader>(pool_, seed_); }
    std::string picturePath(std::int64_t picture) const override { return fmt::format("sprite scene {} of seed {}", picture, seed_); }

private:
    std::vector<std::unique_ptr<Source>> parts_;
    std::int64_t count_;
    std::uint64_t seed_;
    std::string name_ = kSpritesSet;
    std::shared_ptr<const SpritePool> pool_;
};

}  // namespace

std::unique_ptr<Source> openSpriteSource(std::vector<std::unique_ptr<Source>> parts, std::int64_t count, std::uint64_t seed) {
    return std::make_unique<SpriteSource>(std::move(parts), count, seed);
}

}  // namespace es::datasets
