// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/scenes/scene_raster.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "datasets/scenes/scene_random.h"

namespace es::datasets {
namespace {

constexpr std::int64_t kSamples = 4;  // along one side of a pixel
constexpr std::int64_t kNoiseCells = 48;

constexpr std::array<Rgb, 8> kPaints{
    {{214, 40, 40}, {46, 150, 60}, {38, 84, 200}, {240, 205, 40}, {130, 60, 170}, {240, 130, 30}, {40, 190, 200}, {35, 35, 40}}};

struct Point {
    std::int64_t x, y;
};
// A star of five points of radius 1024 with notches at 400.
constexpr std::array<Point, 10> kStar{
    {{0, -1024}, {235, -324}, {974, -316}, {380, 124}, {602, 828}, {0, 400}, {-602, 828}, {-380, 124}, {-974, -316}, {-235, -324}}};

bool inStar(std::int64_t dx, std::int64_t dy, std::int64_t r) {
    const std::int64_t px = dx * 1024, py = dy * 1024;
    bool inside = false;
    for (std::size_t i = 0; i < kStar.size(); ++i) {
        const Point a{kStar[i].x * r, kStar[i].y * r}, b{kStar[(i + 1) % kStar.size()].x * r, kStar[(i + 1) % kStar.size()].y * r};
        if ((a.y > py) == (b.y > py)) continue;
        // px < a.x + (b.x - a.x) * (py - a.y) / (b.y - a.y), without the division.
        const std::int64_t left = (px - a.x) * (b.y - a.y), right = (b.x - a.x) * (py - a.y);
        if (b.y > a.y ? left < right : left > right) inside = !inside;
    }
    return inside;
}

bool covers(const DrawnObject& object, std::int64_t dx, std::int64_t dy) {
    const std::int64_t r = object.radius, ax = std::abs(dx), ay = std::abs(dy);
    switch (object.shape) {
        case 0: return dx * dx + dy * dy <= r * r;
        case 1: return 8 * ax <= 7 * r && 8 * ay <= 7 * r;
        case 2: return 10 * dy <= 8 * r && 1800 * ax <= 950 * (dy + r);
        case 3: return 4 * ax + 3 * ay <= 3 * r;
        case 4: return (3 * ax <= r && ay <= r) || (3 * ay <= r && ax <= r);
        case 5: return inStar(dx, dy, r);
        case 6: return dx * dx + dy * dy <= r * r && 10 * (dx * dx + dy * dy) >= 3 * r * r;
        default: return 1000 * ay <= 866 * r && 1732 * ax + 1000 * ay <= 1732 * r;
    }
}

/// True where a texture shows its lighter paint.
bool isLight(const DrawnObject& object, std::int32_t dx, std::int32_t dy) {
    const std::int32_t r = object.radius, u = dx + 8 * r, v = dy + 8 * r;  // never negative
    switch (object.texture) {
        case 1: return (u * 3 / r) % 2 == 1;
        case 2: {
            const std::int32_t period = std::max(1, r / 2), x = u % period - period / 2, y = v % period - period / 2;
            return 11 * (x * x + y * y) <= period * period;
        }
        case 3: return (u * 2 / r + v * 2 / r) % 2 == 1;
        default: return false;
    }
}

struct Paints {
    std::array<std::int64_t, 3> full, light;
};
Paints paintsOf(const DrawnObject& object) {
    Paints out{};
    for (std::size_t c = 0; c < 3; ++c) {
        out.full[c] = std::clamp<std::int64_t>(kPaints[static_cast<std::size_t>(object.colour)][c] + object.tint, 0, 255);
        out.light[c] = (out.full[c] * 45 + 255 * 55) / 100;
    }
    return out;
}

std::int64_t place(std::int64_t sample, std::int64_t samples) { return (2 * sample + 1) * kSceneUnit / (2 * samples); }

}  // namespace

Rgb backgroundAt(const Background& background, std::int64_t x, std::int64_t y, std::int64_t size) {
    if (background.kind == 0) return background.first;
    Rgb out{};
    std::int64_t shift = 0;
    const std::int64_t along = place(background.kind == 1 ? y : x, size);
    if (background.kind == 3) {
        const std::int64_t cell = place(y, size) * kNoiseCells / kSceneUnit * kNoiseCells + place(x, size) * kNoiseCells / kSceneUnit;
        shift = SceneRandom(background.noise, static_cast<std::uint64_t>(cell)).between(-14, 14);
    }
    for (std::size_t c = 0; c < 3; ++c) {
        const std::int64_t first = background.first[c], second = background.second[c];
        const std::int64_t value = background.kind == 3 ? first + shift : first + (second - first) * along / kSceneUnit;
        out[c] = static_cast<std::uint8_t>(std::clamp<std::int64_t>(value, 0, 255));
    }
    return out;
}

DrawnPicture drawScene(const DrawnScene& scene, std::int64_t size) {
    const auto pixels = static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
    DrawnPicture out{std::vector<std::uint8_t>(pixels * 4, 255), std::vector<std::uint8_t>(pixels, 0)};
    std::vector<Paints> paints;
    for (const DrawnObject& object : scene.objects) paints.push_back(paintsOf(object));
    const std::int64_t samples = size * kSamples, half = kSceneUnit / size + 1;
    std::vector<std::int32_t> places;  // of the samples along one side
    for (std::int64_t i = 0; i < samples; ++i) places.push_back(static_cast<std::int32_t>(place(i, samples)));
    std::vector<std::size_t> near;
    std::vector<int> covered(scene.objects.size());
    for (std::int64_t y = 0; y < size; ++y)
        for (std::int64_t x = 0; x < size; ++x) {
            const auto pixel = static_cast<std::size_t>(y * size + x);
            const Rgb ground = backgroundAt(scene.background, x, y, size);
            near.clear();
            const std::int64_t cx = place(x, size), cy = place(y, size);
            for (std::size_t i = scene.objects.size(); i-- > 0;) {  // nearest first
                const DrawnObject& object = scene.objects[i];
                if (std::abs(cx - object.x) <= object.radius + half && std::abs(cy - object.y) <= object.radius + half) near.push_back(i);
            }
            std::array<std::int64_t, 3> sum{};
            std::fill(covered.begin(), covered.end(), 0);
            if (near.empty()) {
                for (std::size_t c = 0; c < 3; ++c) out.rgba[pixel * 4 + c] = ground[c];
                continue;
            }
            for (std::int64_t sy = 0; sy < kSamples; ++sy)
                for (std::int64_t sx = 0; sx < kSamples; ++sx) {
                    const std::int32_t px = places[static_cast<std::size_t>(x * kSamples + sx)], py = places[static_cast<std::size_t>(y * kSamples + sy)];
                    std::array<std::int64_t, 3> colour{ground[0], ground[1], ground[2]};
                    for (const std::size_t i : near) {
                        const DrawnObject& object = scene.objects[i];
                        if (!covers(object, px - object.x, py - object.y)) continue;
                        colour = isLight(object, px - object.x, py - object.y) ? paints[i].light : paints[i].full;
                        ++covered[i];
                        break;
                    }
                    for (std::size_t c = 0; c < 3; ++c) sum[c] += colour[c];
                }
            constexpr std::int64_t kAll = kSamples * kSamples;
            for (std::size_t c = 0; c < 3; ++c) out.rgba[pixel * 4 + c] = static_cast<std::uint8_t>((sum[c] + kAll / 2) / kAll);
            const auto most = std::max_element(covered.begin(), covered.end());
            if (2 * std::accumulate(covered.begin(), covered.end(), std::int64_t{0}) >= kAll)
                out.owner[pixel] = static_cast<std::uint8_t>(most - covered.begin() + 1);
        }
    return out;
}

}  // namespace es::datasets
