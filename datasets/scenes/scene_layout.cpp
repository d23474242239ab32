// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <optional>

#include "datasets/scenes/scene_random.h"
#include "datasets/scenes/scene_spec.h"

namespace es::datasets {
namespace {

constexpr std::int64_t kOrdinary = kSceneBlock - kProbeSeries;  // scenes of a block before its probe series
constexpr std::int64_t kVariantEvery = 4;                       // the last of so many is a variant of the one before
constexpr std::array<std::int32_t, 3> kRadius{9000, 13500, 18500};
constexpr int kPlacingTries = 60, kLayoutTries = 6, kVariantTries = 12;
constexpr std::int64_t kMostOverlapPercent = 20;

enum class HoldOut { kNone, kColourShape, kCount, kPosition, kParaphrase };
constexpr std::array<std::string_view, 5> kHoldOutNames{"", "colour_shape", "count", "position", "paraphrase"};

// (shape, colour): red star, green ring, blue triangle, yellow cross, purple square, orange hexagon.
constexpr std::array<std::array<int, 2>, 6> kHeldOutPairs{{{5, 0}, {6, 1}, {2, 2}, {4, 3}, {1, 4}, {7, 5}}};
constexpr int kCross = 4;

bool inHeldOutCorner(const DrawnObject& object) { return object.shape == kCross && 2 * object.x > kSceneUnit && 2 * object.y < kSceneUnit; }

/// Whether object i lies in the picture and hardly over the others; `inside`: one that it may lie in or hold.
bool fits(const std::vector<DrawnObject>& objects, std::size_t i, std::ptrdiff_t inside = -1) {
    const DrawnObject& a = objects[i];
    if (a.x < a.radius || a.y < a.radius || a.x > kSceneUnit - a.radius || a.y > kSceneUnit - a.radius) return false;
    for (std::size_t j = 0; j < objects.size(); ++j) {
        const DrawnObject& b = objects[j];
        if (j == i || b.radius == 0 || static_cast<std::ptrdiff_t>(j) == inside) continue;
        const std::int64_t width = std::int64_t{std::min(a.x + a.radius, b.x + b.radius)} - std::max(a.x - a.radius, b.x - b.radius);
        const std::int64_t height = std::int64_t{std::min(a.y + a.radius, b.y + b.radius)} - std::max(a.y - a.radius, b.y - b.radius);
        const std::int64_t least = std::min(a.radius, b.radius);
        if (width > 0 && height > 0 && width * height * 100 > 4 * least * least * kMostOverlapPercent) return false;
    }
    return true;
}

std::int32_t radiusOf(int size, SceneRandom& random) {
    return static_cast<std::int32_t>(kRadius[static_cast<std::size_t>(size)] * random.between(92, 108) / 100);
}

/// How a lies to b, where it is plain: along one axis further than along the other, and a tenth of the picture at least.
std::optional<Relation> plainRelation(const DrawnObject& a, const DrawnObject& b) {
    const std::int32_t dx = a.x - b.x, dy = a.y - b.y;
    if (std::abs(dx) >= std::abs(dy) && 10 * std::abs(dx) > kSceneUnit) return dx < 0 ? Relation::kLeft : Relation::kRight;
    if (10 * std::abs(dy) > kSceneUnit) return dy < 0 ? Relation::kAbove : Relation::kBelow;
    return std::nullopt;
}

/// Composes one ordinary scene from its random numbers.
class Composer {
public:
    Composer(SceneRandom random, HoldOut holdout) : random_(random), holdout_(holdout) {}

    DrawnScene compose() {
        constexpr std::array<int, 6> kKinds{22, 20, 18, 22, 8, 10};
        constexpr std::array<int, 5> kCounts{10, 18, 26, 26, 20};
        CaptionPlan& plan = scene_.plan;
        plan.kind = static_cast<CaptionKind>(random_.choose(kKinds));
        plan.wording = holdout_ == HoldOut::kParaphrase ? kHeldOutWording : static_cast<int>(random_.below(kHeldOutWording));
        int count = holdout_ == HoldOut::kCount ? kMostSceneObjects : 1 + random_.choose(kCounts);
        const bool two = plan.kind == CaptionKind::kBinding || plan.kind == CaptionKind::kRelation || plan.kind == CaptionKind::kSame;
        if (two) {
            count = std::max(count, 2);
            plan.second = 1;
        }
        nested_ = plan.kind == CaptionKind::kRelation && random_.chance(15);
        drawKinds(count);
        drawSizes(count);
        placeAll();
        drawBackground();
        finishPlan();
        shuffleDepth();
        scene_.holdout = kHoldOutNames[static_cast<std::size_t>(holdout_)];
        writeCaption(scene_);
        return std::move(scene_);
    }

private:
    std::vector<DrawnObject>& objects() { return scene_.objects; }

    void drawPair(DrawnObject& object, int shape = -1, int colour = -1) {
        do {
            object.shape = shape >= 0 ? shape : static_cast<int>(random_.below(8));
            object.colour = colour >= 0 ? colour : static_cast<int>(random_.below(8));
            // Six objects fill the picture, so that one always lies where crosses may not.
        } while (isHeldOutPair(object.shape, object.colour) || (holdout_ == HoldOut::kCount && object.shape == kCross));
    }
    bool isNew(std::size_t i) const {
        for (std::size_t j = 0; j < i; ++j)
            if (scene_.objects[j].shape == scene_.objects[i].shape && scene_.objects[j].colour == scene_.objects[i].colour) return false;
        return true;
    }

    void drawKinds(int count) {
        CaptionPlan& plan = scene_.plan;
        objects().resize(static_cast<std::size_t>(count));
        drawPair(objects()[0], holdout_ == HoldOut::kPosition ? kCross : -1);
        if (holdout_ == HoldOut::kColourShape) {
            const auto& pair = kHeldOutPairs[random_.below(kHeldOutPairs.size())];
            objects()[0].shape = pair[0];
            objects()[0].colour = pair[1];
        }
        const DrawnObject first = objects()[0];
        std::size_t like = 1;  // objects that the caption counts
        if (plan.kind == CaptionKind::kCount) {
            like = static_cast<std::size_t>(random_.between(1, count));
            // A held-out pair is not repeated: its likes have other colours, and are counted by shape.
            plan.colour = holdout_ != HoldOut::kColourShape && random_.chance(50);
        }
        for (std::size_t i = 1; i < objects().size(); ++i) {
            for (int tries = 0; tries < 32; ++tries) {
                if (i < like) drawPair(objects()[i], first.shape, plan.colour ? first.colour : -1);
                else if (plan.kind == CaptionKind::kSame && i == 1) drawPair(objects()[i], -1, first.colour);
                else drawPair(objects()[i]);
                const bool counted = plan.kind == CaptionKind::kCount;
                if (i < like ||
                    (counted ? objects()[i].shape != first.shape : isNew(i) && (plan.kind != CaptionKind::kSame || i > 1 || objects()[i].shape != first.shape)))
                    break;
            }
        }
        for (DrawnObject& object : objects()) {
            object.texture = static_cast<int>(random_.below(4));
            object.tint = static_cast<std::int32_t>(random_.between(-12, 12));
        }
    }

    void drawSizes(int count) {
        constexpr std::array<int, 3> kFew{20, 40, 40}, kMany{35, 45, 20};
        for (DrawnObject& object : objects()) object.size = random_.choose(count <= 3 ? kFew : kMany);
        if (nested_) {
            objects()[0].size = 0;
            objects()[1].size = 2;
        }
    }

    bool allowed(std::size_t i) const {
        return holdout_ == HoldOut::kPosition && i == 0 ? inHeldOutCorner(scene_.objects[i]) : !inHeldOutCorner(scene_.objects[i]);
    }

    /// Objects in turn at random places; when one finds none, all again, at last with small ones, which a grid always takes.
    void placeAll() {
        for (int attempt = 0; attempt < kLayoutTries; ++attempt) {
            if (placeOnce()) return;
            for (std::size_t i = nested_ ? 2 : 0; i < objects().size(); ++i)
                if (objects()[i].size > 0 && random_.chance(50)) --objects()[i].size;
        }
        nested_ = false;
        placeOnGrid();
    }

    bool placeOnce() {
        for (DrawnObject& object : objects()) object.radius = 0;
        for (const std::size_t i : placingOrder()) {
            DrawnObject& object = objects()[i];
            const std::int32_t radius = radiusOf(object.size, random_);
            bool placed = false;
            for (int tries = 0; tries < kPlacingTries && !placed; ++tries) {
                object.radius = radius;
                if (nested_ && i == 0) {
                    const std::int32_t slack = (objects()[1].radius - radius) / 4;
                    object.x = objects()[1].x + static_cast<std::int32_t>(random_.between(-slack, slack));
                    object.y = objects()[1].y + static_cast<std::int32_t>(random_.between(-slack, slack));
                    placed = fits(objects(), i, 1) && allowed(i);
                } else {
                    object.x = static_cast<std::int32_t>(random_.between(radius, kSceneUnit - radius));
                    object.y = static_cast<std::int32_t>(random_.between(radius, kSceneUnit - radius));
                    placed = fits(objects(), i) && allowed(i);
                }
            }
            if (!placed) return false;
        }
        return true;
    }
    /// The one that holds another goes first, then large ones.
    std::vector<std::size_t> placingOrder() const {
        std::vector<std::size_t> order(scene_.objects.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scene_.objects[a].size > scene_.objects[b].size; });
        if (nested_) {
            order.erase(std::find(order.begin(), order.end(), std::size_t{1}));
            order.insert(order.begin(), 1);
        }
        return order;
    }
    void placeOnGrid() {
        std::vector<int> cells{0, 1, 2, 3, 4, 5};  // two rows of three; the third cell is the corner where crosses may not be
        random_.shuffle(cells);
        for (std::size_t i = 0; i < objects().size(); ++i) {
            DrawnObject& object = objects()[i];
            object.size = 0;
            object.radius = radiusOf(0, random_);
            for (std::size_t c = 0; c < cells.size(); ++c) {
                object.x = kSceneUnit * (2 * (cells[c] % 3) + 1) / 6;
                object.y = kSceneUnit * (2 * (cells[c] / 3) + 1) / 4;
                if (!allowed(i)) continue;
                cells.erase(cells.begin() + static_cast<std::ptrdiff_t>(c));
                break;
            }
        }
    }

    void drawBackground() {
        constexpr std::array<Rgb, 6> kGrounds{{{246, 246, 246}, {226, 226, 226}, {244, 236, 220}, {220, 232, 244}, {228, 242, 226}, {206, 206, 210}}};
        constexpr std::array<int, 4> kKinds{40, 20, 20, 20};
        Background& ground = scene_.background;
        ground.kind = random_.choose(kKinds);
        ground.first = kGrounds[random_.below(kGrounds.size())];
        ground.second = kGrounds[random_.below(kGrounds.size())];
        ground.noise = random_.next();
    }

    void finishPlan() {
        CaptionPlan& plan = scene_.plan;
        if (plan.kind == CaptionKind::kRelation) relate();
        if (plan.kind == CaptionKind::kNegation) negate();
        if (plan.kind == CaptionKind::kCount || plan.kind == CaptionKind::kSame) return;
        if (plan.kind == CaptionKind::kAttribute) plan.colour = random_.chance(80);
        plan.size = random_.chance(plan.kind == CaptionKind::kAttribute ? 50 : 15);
        plan.texture = random_.chance(plan.kind == CaptionKind::kAttribute ? 50 : 15);
    }
    void relate() {
        CaptionPlan& plan = scene_.plan;
        if (nested_) plan.relation = Relation::kInside;
        else if (const auto relation = plainRelation(objects()[0], objects()[1])) plan.relation = *relation;
        else plan.kind = CaptionKind::kBinding;
    }
    void negate() {
        CaptionPlan& plan = scene_.plan;
        plan.about_object = random_.chance(50);
        plan.absent_shape = objects()[0].shape;
        const auto shown = [&](int colour) {
            if (plan.about_object) return objects()[0].colour == colour;
            return std::any_of(objects().begin(), objects().end(), [&](const DrawnObject& o) { return o.shape == plan.absent_shape && o.colour == colour; });
        };
        do plan.absent_colour = static_cast<int>(random_.below(8));
        while (shown(plan.absent_colour) || isHeldOutPair(plan.absent_shape, plan.absent_colour));
    }

    /// Which object lies before which says nothing about what the caption speaks of.
    void shuffleDepth() {
        std::vector<std::size_t> order(objects().size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        random_.shuffle(order);
        const auto placeOf = [&](int object) {
            return static_cast<int>(std::find(order.begin(), order.end(), static_cast<std::size_t>(object)) - order.begin());
        };
        if (nested_ && placeOf(0) < placeOf(1)) std::swap(order[static_cast<std::size_t>(placeOf(0))], order[static_cast<std::size_t>(placeOf(1))]);
        std::vector<DrawnObject> sorted;
        for (const std::size_t i : order) sorted.push_back(objects()[i]);
        scene_.plan.first = placeOf(0);
        if (scene_.plan.second >= 0) scene_.plan.second = placeOf(1);
        objects() = std::move(sorted);
    }

    SceneRandom random_;
    HoldOut holdout_;
    bool nested_ = false;
    DrawnScene scene_;
};

DrawnScene ordinaryScene(std::uint64_t seed, std::int64_t index) {
    SceneRandom random(seed, static_cast<std::uint64_t>(index));
    const std::uint32_t share = random.below(100);  // two in a hundred for each hold-out
    return Composer(random, share < 8 ? static_cast<HoldOut>(1 + share / 2) : HoldOut::kNone).compose();
}

/// Changes that keep a caption of the same form true of the changed scene. Each returns false when it does not apply.
class Variation {
public:
    Variation(const DrawnScene& base, SceneRandom& random) : base_(base), random_(random) {}

    std::optional<DrawnScene> make() {
        // What applies to fewer scenes first: an attribute can nearly always be changed.
        constexpr std::array<std::string_view, 4> kChanges{"relation", "binding", "count", "attribute"};
        for (std::size_t which = 0; which < kChanges.size(); ++which) {
            for (int tries = 0; tries < kVariantTries; ++tries) {
                scene_ = base_;
                const bool changed = which == 0 ? relation(tries) : which == 1 ? binding() : which == 2 ? count() : attribute();
                if (!changed) break;
                writeCaption(scene_);
                const HoldOuts before = holdOutsOf(base_), after = holdOutsOf(scene_);
                const bool sameHoldOuts = before.colour_shape == after.colour_shape && before.count == after.count && before.position == after.position;
                if (!sameHoldOuts || !isWhole()) continue;
                // Each caption is true of its own picture alone: with other objects about, a change may leave both true of both.
                if (!captionHolds(scene_, scene_.objects) || captionHolds(scene_, base_.objects) || captionHolds(base_, scene_.objects)) continue;
                scene_.changed = kChanges[which];
                return scene_;
            }
        }
        return std::nullopt;
    }

private:
    bool isWhole() const {
        if (scene_.plan.second >= 0) {
            const DrawnObject &a = scene_.objects[static_cast<std::size_t>(scene_.plan.first)],
                              &b = scene_.objects[static_cast<std::size_t>(scene_.plan.second)];
            if (a.shape == b.shape && a.colour == b.colour) return false;
            const bool beside = scene_.plan.kind == CaptionKind::kRelation && scene_.plan.relation != Relation::kInside;
            if (beside && plainRelation(a, b) != scene_.plan.relation) return false;
        }
        const bool nested = scene_.plan.kind == CaptionKind::kRelation && scene_.plan.relation == Relation::kInside;
        for (std::size_t i = 0; i < scene_.objects.size(); ++i) {
            const bool first = nested && static_cast<int>(i) == scene_.plan.first, second = nested && static_cast<int>(i) == scene_.plan.second;
            if (!fits(scene_.objects, i, first ? scene_.plan.second : second ? scene_.plan.first : -1)) return false;
        }
        return true;
    }
    bool attribute() {
        const CaptionPlan& plan = scene_.plan;
        const bool names = plan.kind == CaptionKind::kAttribute || plan.kind == CaptionKind::kBinding || plan.kind == CaptionKind::kRelation;
        if (!names) return false;
        DrawnObject& object = scene_.objects[static_cast<std::size_t>(plan.first)];
        const std::array<int, 4> weights{2, plan.colour ? 3 : 0, plan.size ? 2 : 0, plan.texture ? 2 : 0};
        switch (random_.choose(weights)) {
            case 0: object.shape = another(object.shape, 8); break;
            case 1: object.colour = another(object.colour, 8); break;
            case 2:
                object.size = another(object.size, 3);
                object.radius = radiusOf(object.size, random_);
                break;
            default: object.texture = another(object.texture, 4);
        }
        return true;
    }
    int another(int value, int values) { return (value + 1 + static_cast<int>(random_.below(static_cast<std::uint32_t>(values - 1)))) % values; }
    bool binding() {
        const CaptionPlan& plan = scene_.plan;
        if ((plan.kind != CaptionKind::kBinding && plan.kind != CaptionKind::kRelation) || !plan.colour) return false;
        DrawnObject &a = scene_.objects[static_cast<std::size_t>(plan.first)], &b = scene_.objects[static_cast<std::size_t>(plan.second)];
        if (a.colour == b.colour || a.shape == b.shape) return false;
        std::swap(a.colour, b.colour);
        return true;
    }
    /// Two places swapped, first both ways, then along the relation alone; what would stick out is moved in.
    bool relation(int tries) {
        CaptionPlan& plan = scene_.plan;
        if (plan.kind != CaptionKind::kRelation || plan.relation == Relation::kInside || tries > 1) return false;
        const bool sideways = plan.relation == Relation::kLeft || plan.relation == Relation::kRight;
        DrawnObject &a = scene_.objects[static_cast<std::size_t>(plan.first)], &b = scene_.objects[static_cast<std::size_t>(plan.second)];
        if (tries == 0 || sideways) std::swap(a.x, b.x);
        if (tries == 0 || !sideways) std::swap(a.y, b.y);
        for (DrawnObject* object : {&a, &b}) {
            object->x = std::clamp(object->x, object->radius, kSceneUnit - object->radius);
            object->y = std::clamp(object->y, object->radius, kSceneUnit - object->radius);
        }
        constexpr std::array<Relation, 4> kOpposite{Relation::kRight, Relation::kLeft, Relation::kBelow, Relation::kAbove};
        plan.relation = kOpposite[static_cast<std::size_t>(plan.relation)];
        return true;
    }
    bool count() {
        CaptionPlan& plan = scene_.plan;
        if (plan.kind != CaptionKind::kCount) return false;
        const DrawnObject like = scene_.objects[static_cast<std::size_t>(plan.first)];
        std::vector<std::size_t> counted;
        for (std::size_t i = 0; i < scene_.objects.size(); ++i) {
            const DrawnObject& object = scene_.objects[i];
            if (object.shape == like.shape && (!plan.colour || object.colour == like.colour) && static_cast<int>(i) != plan.first) counted.push_back(i);
        }
        if (counted.empty()) return false;
        const std::size_t gone = counted[random_.below(static_cast<std::uint32_t>(counted.size()))];
        scene_.objects.erase(scene_.objects.begin() + static_cast<std::ptrdiff_t>(gone));
        if (static_cast<int>(gone) < plan.first) --plan.first;
        return true;
    }

    const DrawnScene& base_;
    SceneRandom& random_;
    DrawnScene scene_;
};

DrawnScene variantScene(std::uint64_t seed, std::int64_t index) {
    const DrawnScene base = ordinaryScene(seed, index - 1);
    SceneRandom random(seed, static_cast<std::uint64_t>(index));
    if (auto variant = Variation(base, random).make()) {
        variant->variant_of = index - 1;
        return std::move(*variant);
    }
    return ordinaryScene(seed, index);
}

/// One object of which one factor takes its values in turn; everything else is frozen.
DrawnScene probeScene(std::uint64_t seed, std::int64_t index) {
    constexpr std::array<std::string_view, 5> kFactors{"colour", "shape", "size", "texture", "position"};
    const auto factor = static_cast<std::size_t>(index / kSceneBlock) % kFactors.size();
    std::int64_t first = index / kSceneBlock * kSceneBlock + kOrdinary;
    if (factor == 3 && index - first >= 4) first += 4;  // four textures: two objects in turn
    const int value = static_cast<int>(index - first);
    SceneRandom random(seed, static_cast<std::uint64_t>(first));
    DrawnScene scene;
    DrawnObject object{.shape = static_cast<int>(random.below(8)),
                       .colour = static_cast<int>(random.below(8)),
                       .size = 1,
                       .texture = static_cast<int>(random.below(4)),
                       .x = kSceneUnit / 2,
                       .y = kSceneUnit / 2,
                       .radius = kRadius[1]};
    scene.plan.wording = static_cast<int>(random.below(kHeldOutWording));
    scene.background.first = {236, 236, 236};
    switch (factor) {
        case 0: object.colour = value; break;
        case 1: object.shape = value; break;
        case 2:
            object.radius = 9000 + value * 1350;
            object.size = value < 2 ? 0 : value < 6 ? 1 : 2;
            break;
        case 3: object.texture = value; break;
        default: {
            const int cell = value + (value >= 4 ? 1 : 0);  // around the middle
            object.x = kSceneUnit * (1 + cell % 3) / 4;
            object.y = kSceneUnit * (1 + cell / 3) / 4;
        }
    }
    scene.objects.push_back(object);
    scene.plan.size = scene.plan.texture = true;
    scene.holdout = "probe";
    if (value > 0) {
        scene.variant_of = first;
        scene.changed = kFactors[factor];
    }
    writeCaption(scene);
    return scene;
}

}  // namespace

bool isHeldOutPair(int shape, int colour) {
    return std::any_of(kHeldOutPairs.begin(), kHeldOutPairs.end(), [&](const auto& pair) { return pair[0] == shape && pair[1] == colour; });
}

HoldOuts holdOutsOf(const DrawnScene& scene) {
    const auto any = [&](auto&& is) { return std::any_of(scene.objects.begin(), scene.objects.end(), is); };
    return {.colour_shape = any([](const DrawnObject& o) { return isHeldOutPair(o.shape, o.colour); }),
            .count = scene.objects.size() >= kMostSceneObjects,
            .position = any(inHeldOutCorner),
            .paraphrase = scene.plan.wording == kHeldOutWording};
}

DrawnScene makeScene(std::uint64_t seed, std::int64_t index) {
    const std::int64_t at = index % kSceneBlock;
    if (at >= kOrdinary) return probeScene(seed, index);
    return at % kVariantEvery == kVariantEvery - 1 ? variantScene(seed, index) : ordinaryScene(seed, index);
}

SceneTruth truthOf(const DrawnScene& scene) {
    SceneTruth truth;
    for (const DrawnObject& object : scene.objects)
        truth.objects.push_back({.shape = std::string(kSceneShapes[static_cast<std::size_t>(object.shape)]),
                                 .colour = std::string(kSceneColours[static_cast<std::size_t>(object.colour)]),
                                 .size = std::string(kSceneSizes[static_cast<std::size_t>(object.size)]),
                                 .texture = std::string(kSceneTextures[static_cast<std::size_t>(object.texture)]),
                                 .name = {},
                                 .category = {}});
    truth.words = scene.words;
    truth.holdout = scene.holdout;
    truth.changed = scene.changed;
    return truth;
}

std::string describe(const Background& ground) {
    const auto rgb = [](const Rgb& c) { return fmt::format("{},{},{}", c[0], c[1], c[2]); };
    return fmt::format("ground {} {} {} {}", ground.kind, rgb(ground.first), ground.kind == 1 || ground.kind == 2 ? rgb(ground.second) : "",
                       ground.kind == 3 ? ground.noise : 0);
}

std::string describe(const DrawnScene& scene) {
    std::string text = describe(scene.background);
    for (const DrawnObject& o : scene.objects)
        text += fmt::format("; {} {} {} {} at {},{} radius {} tint {}", kSceneShapes[static_cast<std::size_t>(o.shape)],
                            kSceneColours[static_cast<std::size_t>(o.colour)], o.size, kSceneTextures[static_cast<std::size_t>(o.texture)], o.x, o.y, o.radius,
                            o.tint);
    return text;
}

}  // namespace es::datasets
