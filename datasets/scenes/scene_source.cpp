// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/scenes/scene_source.h"

#include <spdlog/fmt/fmt.h>

#include "datasets/scenes/scene_raster.h"
#include "datasets/scenes/scene_spec.h"
#include "engine/base/hash.h"

namespace es::datasets {
namespace {

class SceneReader final : public PictureReader {
public:
    explicit SceneReader(std::uint64_t seed) : seed_(seed) {}
    tl::expected<ConvertedPicture, NoPicture> read(std::int64_t picture, std::int64_t size) override {
        const DrawnScene scene = makeScene(seed_, picture);
        DrawnPicture drawn = drawScene(scene, size);
        return ConvertedPicture{hash64(describe(scene)) | 1, std::move(drawn.rgba), 0, std::move(drawn.owner)};
    }

private:
    std::uint64_t seed_;
};

std::string sceneKind(const DrawnScene& scene) {
    if (scene.holdout != "probe") return std::string(toString(scene.plan.kind));
    return "probe";
}

/// Half of what training never sees is looked at during training, half is kept for the end. Series and pairs stay whole.
Split heldOutSplit(std::int64_t group) {
    const std::int64_t at = group % kSceneBlock, turn = at >= kSceneBlock - kProbeSeries ? group / kSceneBlock : group / 4;
    return turn % 2 == 0 ? Split::kValidation : Split::kTest;
}

class SceneSource final : public Source {
public:
    SceneSource(std::int64_t count, std::uint64_t seed) : count_(count), seed_(seed) {}

    const std::string& name() const override { return name_; }
    const std::string& fileStem() const override { return name_; }
    std::uint64_t fingerprint() const override { return hash64(fmt::format("scenes {} {} {}", kSceneGeneratorVersion, seed_, count_)); }
    std::string place() const override { return "made by the program"; }

    Result<Content> read(const JobContext& context) override {
        Content content;
        content.items.reserve(static_cast<std::size_t>(count_));
        for (std::int64_t i = 0; i < count_; ++i) {
            if (i % 256 == 0) {
                if (context.stopRequested()) return stopped("Composing scenes");
                context.progress(i, count_, "Composing scenes");
            }
            const DrawnScene scene = makeScene(seed_, i);
            const auto objects = scene.objects.size();
            // A variant goes where the scene goes that it is a variant of.
            const std::int64_t group = scene.variant_of >= 0 ? scene.variant_of : i;
            content.items.push_back({.picture = i,
                                     .caption = scene.caption,
                                     .category = fmt::format("{} object{}", objects, objects == 1 ? "" : "s"),
                                     .subcategory = sceneKind(scene),
                                     .domain = name_,
                                     .license = "CC0-1.0",
                                     .source = fmt::format("scene {} of seed {}{}", i, seed_, scene.holdout.empty() ? "" : ", held out: " + scene.holdout),
                                     .split_key = fmt::format("scene {} {}", seed_, group),
                                     .split = scene.holdout.empty() ? Split::kNone : heldOutSplit(group),
                                     .truth = std::make_shared<const SceneTruth>(truthOf(scene)),
                                     .pair_of = scene.variant_of});
        }
        content.pictures = count_;
        return content;
    }
    Result<std::unique_ptr<PictureReader>> makeReader() const override { return std::make_unique<SceneReader>(seed_); }
    std::string picturePath(std::int64_t picture) const override { return fmt::format("scene {} of seed {}", picture, seed_); }

private:
    std::int64_t count_;
    std::uint64_t seed_;
    std::string name_ = kScenesSet;
};

}  // namespace

std::unique_ptr<Source> openSceneSource(std::int64_t count, std::uint64_t seed) { return std::make_unique<SceneSource>(count, seed); }

}  // namespace es::datasets
