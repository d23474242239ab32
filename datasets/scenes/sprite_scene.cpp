// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/scenes/sprite_scene.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "datasets/scenes/box_filter.h"
#include "datasets/scenes/caption_builder.h"
#include "datasets/scenes/scene_random.h"
#include "engine/base/hash.h"

namespace es::datasets {
namespace {

constexpr int kTries = 60;
constexpr std::int64_t kMostOverlap = 20;  // per cent of the smaller box
constexpr std::array<std::array<std::int32_t, 2>, 6> kExtents{
    {{40000, 58000}, {30000, 42000}, {25000, 33000}, {22000, 28000}, {20000, 25000}, {18000, 23000}}};  // by number of objects
constexpr std::array<Rgb, 8> kFloors{
    {{246, 246, 246}, {226, 226, 226}, {244, 236, 220}, {205, 226, 244}, {214, 238, 210}, {200, 200, 206}, {250, 226, 226}, {236, 222, 246}}};

struct Box {
    std::int64_t half_width, half_height;
};
Box boxOf(const PlacedCutout& placed, const Cutout& cutout) {
    const std::int64_t larger = std::max(cutout.width, cutout.height);
    return {placed.extent * cutout.width / larger / 2, placed.extent * cutout.height / larger / 2};
}

bool overlapsTooMuch(const PlacedCutout& a, const Box& boxA, const PlacedCutout& b, const Box& boxB) {
    const std::int64_t width = std::min(a.x + boxA.half_width, b.x + boxB.half_width) - std::max(a.x - boxA.half_width, b.x - boxB.half_width);
    const std::int64_t height = std::min(a.y + boxA.half_height, b.y + boxB.half_height) - std::max(a.y - boxA.half_height, b.y - boxB.half_height);
    const std::int64_t smaller = 4 * std::min(boxA.half_width * boxA.half_height, boxB.half_width * boxB.half_height);
    return width > 0 && height > 0 && 100 * width * height > kMostOverlap * smaller;
}

/// Each cut-out draws a number of its own, and the lowest are taken: what else is in the pool does not matter to them.
std::vector<std::size_t> drawCutouts(const SpritePool& pool, Split split, std::size_t wanted, std::uint64_t scene) {
    std::vector<std::pair<std::uint64_t, std::size_t>> drawn;
    for (const std::size_t i : pool.of_split[static_cast<std::size_t>(split)]) drawn.emplace_back(SceneRandom(scene, pool.cutouts[i].identity).next(), i);
    const std::size_t count = std::min(wanted, drawn.size());
    std::partial_sort(drawn.begin(), drawn.begin() + static_cast<std::ptrdiff_t>(count), drawn.end());
    std::vector<std::size_t> cutouts;
    for (std::size_t i = 0; i < count; ++i) cutouts.push_back(drawn[i].second);
    return cutouts;
}

/// Places all at random; smaller ones after each failure, so that it ends.
void placeCutouts(std::vector<PlacedCutout>& objects, const SpritePool& pool, SceneRandom& random) {
    const auto& range = kExtents[objects.size() - 1];
    for (std::int64_t percent = 100;; percent = std::max<std::int64_t>(30, percent * 85 / 100)) {
        bool all = true;
        for (std::size_t i = 0; i < objects.size() && all; ++i) {
            PlacedCutout& object = objects[i];
            const auto extent = static_cast<std::int32_t>(random.between(range[0], range[1]) * percent / 100);
            bool placed = false;
            for (int tries = 0; tries < kTries && !placed; ++tries) {
                object.extent = extent;
                const Box box = boxOf(object, pool.cutouts[object.cutout]);
                object.x = static_cast<std::int32_t>(random.between(box.half_width, kSceneUnit - box.half_width));
                object.y = static_cast<std::int32_t>(random.between(box.half_height, kSceneUnit - box.half_height));
                placed = true;
                for (std::size_t j = 0; j < i && placed; ++j)
                    placed = !overlapsTooMuch(object, box, objects[j], boxOf(objects[j], pool.cutouts[objects[j].cutout]));
            }
            all = placed;
        }
        if (all) return;
    }
}

/// Says one of the things: "a head of red lettuce", "grapes".
void nameCutout(CaptionBuilder& out, const Cutout& cutout, std::int32_t object) {
    static const std::set<std::string, std::less<>> determiners{"a", "an", "the", "some", "two", "three", "several", "many"};
    const std::string_view name = cutout.name;
    const std::string_view first = name.substr(0, name.find(' '));
    if (determiners.contains(first) && first.size() < name.size()) {
        out.add(first).add(name.substr(first.size() + 1), WordRole::kObject, object);
        return;
    }
    const bool plural = name.size() > 2 && name.back() == 's' && name[name.size() - 2] != 's';
    if (!plural) out.add(articleBefore(name));
    out.add(name, WordRole::kObject, object);
}

void sayScene(SpriteScene& scene, const SpritePool& pool, const std::vector<std::int32_t>& spoken, SceneRandom& random) {
    CaptionBuilder out;
    const auto name = [&](std::size_t which) {
        const std::int32_t object = spoken[which];
        nameCutout(out, pool.cutouts[scene.objects[static_cast<std::size_t>(object)].cutout], object);
    };
    const std::uint32_t wording = random.below(3);
    scene.kind = "naming";
    if (spoken.size() >= 2) {
        const PlacedCutout &a = scene.objects[static_cast<std::size_t>(spoken[0])], &b = scene.objects[static_cast<std::size_t>(spoken[1])];
        const std::int32_t dx = a.x - b.x, dy = a.y - b.y;
        const bool apart = 8 * std::max(std::abs(dx), std::abs(dy)) > kSceneUnit, sideways = std::abs(dx) >= std::abs(dy);
        scene.kind = apart && random.chance(60) ? "relation" : "listing";
        if (scene.kind == "relation") {
            name(0);
            if (wording > 0) out.add("is");
            if (sideways) {
                if (wording > 0) out.add("to the");
                out.add(dx < 0 ? "left" : "right", WordRole::kRelation).add("of");
            } else {
                out.add(dy < 0 ? "above" : "below", WordRole::kRelation);
            }
            name(1);
        }
    }
    if (scene.kind != "relation") {
        if (wording == 1) out.add("there is");
        if (wording == 2) out.add("the picture shows");
        for (std::size_t i = 0; i < spoken.size(); ++i) {
            if (i > 0) out.add("and");
            name(i);
        }
    }
    scene.caption = out.caption();
    scene.words = out.words();
}

}  // namespace

SpriteScene makeSpriteScene(const SpritePool& pool, std::uint64_t seed, std::int64_t index) {
    constexpr std::array<int, 6> kCounts{16, 26, 24, 16, 10, 8};
    constexpr std::array<int, 4> kGrounds{40, 20, 20, 20};
    SceneRandom random(seed ^ 0x5350'5249'5445'5331, static_cast<std::uint64_t>(index));
    SpriteScene scene;
    const std::uint32_t share = random.below(100);
    scene.split = share < 80 ? Split::kTrain : share < 90 ? Split::kValidation : Split::kTest;
    // A small pool may lack cut-outs for a split.
    for (const Split other : {Split::kTrain, Split::kValidation, Split::kTest})
        if (pool.of_split[static_cast<std::size_t>(scene.split)].empty()) scene.split = other;
    const auto wanted = static_cast<std::size_t>(1 + random.choose(kCounts));
    for (const std::size_t cutout : drawCutouts(pool, scene.split, wanted, random.next())) scene.objects.push_back({.cutout = cutout});
    const std::size_t count = scene.objects.size();
    placeCutouts(scene.objects, pool, random);
    scene.background = {.kind = random.choose(kGrounds), .first = kFloors[random.below(kFloors.size())], .second = kFloors[random.below(kFloors.size())]};
    scene.background.noise = random.next();
    std::vector<std::int32_t> spoken;
    for (std::size_t i = 0; i < count; ++i) spoken.push_back(static_cast<std::int32_t>(i));
    random.shuffle(spoken);
    spoken.resize(std::min<std::size_t>(count, 1 + random.below(3)));
    sayScene(scene, pool, spoken, random);
    return scene;
}

DrawnPicture pasteScene(const SpriteScene& scene, const SpritePool& pool, std::int64_t size) {
    const auto pixels = static_cast<std::size_t>(size * size);
    DrawnPicture out{std::vector<std::uint8_t>(pixels * 4, 255), std::vector<std::uint8_t>(pixels, 0)};
    for (std::int64_t y = 0; y < size; ++y)
        for (std::int64_t x = 0; x < size; ++x) {
            const Rgb ground = backgroundAt(scene.background, x, y, size);
            std::copy(ground.begin(), ground.end(), out.rgba.begin() + static_cast<std::ptrdiff_t>((y * size + x) * 4));
        }
    std::vector<std::vector<std::uint8_t>> alphas;
    for (const PlacedCutout& placed : scene.objects) {
        const Cutout& cutout = pool.cutouts[placed.cutout];
        const std::int64_t side = std::max<std::int64_t>(2, (placed.extent * size + kSceneUnit / 2) / kSceneUnit);
        const auto fitted = boxFitted(cutout.rgba, cutout.width, cutout.height, side);
        auto& alpha = alphas.emplace_back(pixels, std::uint8_t{0});
        const std::int64_t left = placed.x * size / kSceneUnit - side / 2, top = placed.y * size / kSceneUnit - side / 2;
        for (std::int64_t y = std::max<std::int64_t>(0, -top); y < side && top + y < size; ++y)
            for (std::int64_t x = std::max<std::int64_t>(0, -left); x < side && left + x < size; ++x) {
                const std::uint8_t* from = &fitted[static_cast<std::size_t>((y * side + x) * 4)];
                const auto at = static_cast<std::size_t>((top + y) * size + left + x);
                alpha[at] = from[3];
                for (std::size_t c = 0; c < 3; ++c) {
                    std::uint8_t& to = out.rgba[at * 4 + c];
                    to = static_cast<std::uint8_t>((from[c] * from[3] + to * (255 - from[3]) + 127) / 255);
                }
            }
    }
    for (std::size_t at = 0; at < pixels; ++at) {
        std::int64_t left = 255 * 255, most = 0;  // what the nearer ones let through; the largest share
        for (std::size_t i = alphas.size(); i-- > 0;) {
            const std::int64_t share = left * alphas[i][at] / 255;
            left -= share;
            if (share <= most) continue;
            most = share;
            out.owner[at] = static_cast<std::uint8_t>(i + 1);
        }
        if (2 * left > 255 * 255) out.owner[at] = 0;
    }
    return out;
}

std::string describe(const SpriteScene& scene, const SpritePool& pool) {
    std::string text = describe(scene.background);
    for (const PlacedCutout& placed : scene.objects)
        text += fmt::format("; {} at {},{} side {}", hashText(pool.cutouts[placed.cutout].content), placed.x, placed.y, placed.extent);
    return text;
}

SceneTruth truthOf(const SpriteScene& scene, const SpritePool& pool) {
    SceneTruth truth;
    for (const PlacedCutout& placed : scene.objects) {
        const Cutout& cutout = pool.cutouts[placed.cutout];
        truth.objects.push_back({.shape = {}, .colour = {}, .size = {}, .texture = {}, .name = cutout.name, .category = cutout.category});
    }
    truth.words = scene.words;
    return truth;
}

}  // namespace es::datasets
