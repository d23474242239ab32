// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/experts/probe_facts.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "analysis/figures/wording.h"

namespace es::analysis {
namespace {

constexpr float kLeastVariance = 1e-5f;  // below it a patch is flat and says nothing of frequencies
constexpr std::int64_t kFactsEvery = 32;

/// Means of 2 x 2 pixels, and their variance's share of all variance.
float fineShare(const std::vector<float>& luma, std::int64_t width, std::int64_t height) {
    const auto variance = [](const std::vector<float>& values) {
        double sum = 0, squares = 0;
        for (const float v : values) {
            sum += v;
            squares += static_cast<double>(v) * v;
        }
        const double mean = sum / static_cast<double>(values.size());
        return squares / static_cast<double>(values.size()) - mean * mean;
    };
    if (width < 4 || height < 4) return std::numeric_limits<float>::quiet_NaN();
    // Only whole 2 x 2 blocks, on both sides of the ratio.
    std::vector<float> blocks, pixels;
    for (std::int64_t y = 0; y + 1 < height; y += 2)
        for (std::int64_t x = 0; x + 1 < width; x += 2) {
            const auto at = static_cast<std::size_t>(y * width + x), below = static_cast<std::size_t>((y + 1) * width + x);
            blocks.push_back((luma[at] + luma[at + 1] + luma[below] + luma[below + 1]) / 4);
            pixels.insert(pixels.end(), {luma[at], luma[at + 1], luma[below], luma[below + 1]});
        }
    const double all = variance(pixels);
    if (!(all > kLeastVariance)) return std::numeric_limits<float>::quiet_NaN();
    return static_cast<float>(std::clamp(1 - variance(blocks) / all, 0.0, 1.0));
}

}  // namespace

std::vector<PatchLook> patchLooks(const store::SampleRecord& sample) {
    const store::Picture& picture = sample.picture;
    const std::int64_t width = picture.width, height = picture.height;
    if (sample.grid_width <= 0 || sample.grid_height <= 0 || width <= 0 || height <= 0 || picture.rgba.size() != static_cast<std::size_t>(width * height * 4))
        return {};
    std::vector<PatchLook> looks;
    looks.reserve(static_cast<std::size_t>(sample.grid_width) * static_cast<std::size_t>(sample.grid_height));
    std::vector<float> luma;
    for (std::int64_t row = 0; row < sample.grid_height; ++row)
        for (std::int64_t column = 0; column < sample.grid_width; ++column) {
            const std::int64_t top = row * height / sample.grid_height, bottom = (row + 1) * height / sample.grid_height;
            const std::int64_t left = column * width / sample.grid_width, right = (column + 1) * width / sample.grid_width;
            PatchLook look;
            luma.clear();
            for (std::int64_t y = top; y < bottom; ++y)
                for (std::int64_t x = left; x < right; ++x) {
                    const std::uint8_t* pixel = picture.rgba.data() + (y * width + x) * 4;
                    const float opacity = static_cast<float>(pixel[3]) / 255;
                    float rgb[3];
                    for (std::size_t c = 0; c < 3; ++c) rgb[c] = static_cast<float>(pixel[c]) / 255 * opacity + (1 - opacity);
                    look.red += rgb[0];
                    look.green += rgb[1];
                    look.blue += rgb[2];
                    const float most = std::max({rgb[0], rgb[1], rgb[2]}), least = std::min({rgb[0], rgb[1], rgb[2]});
                    look.saturation += most > 0 ? (most - least) / most : 0;
                    luma.push_back(0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2]);
                    look.lightness += luma.back();
                }
            const std::int64_t patch_width = right - left, patch_height = bottom - top;
            if (luma.empty()) {  // a grid finer than the pixels
                looks.push_back({1, 1, 1, 0, 1, 0, std::numeric_limits<float>::quiet_NaN()});
                continue;
            }
            const auto pixels = static_cast<float>(luma.size());
            for (float* value : {&look.red, &look.green, &look.blue, &look.saturation, &look.lightness}) *value /= pixels;
            double edges = 0;
            std::int64_t pairs = 0;
            for (std::int64_t y = 0; y < patch_height; ++y)
                for (std::int64_t x = 0; x < patch_width; ++x) {
                    const auto at = static_cast<std::size_t>(y * patch_width + x);
                    if (x + 1 < patch_width) edges += std::abs(luma[at + 1] - luma[at]), ++pairs;
                    if (y + 1 < patch_height) edges += std::abs(luma[at + static_cast<std::size_t>(patch_width)] - luma[at]), ++pairs;
                }
            look.edge = pairs > 0 ? static_cast<float>(edges / static_cast<double>(pairs)) : 0;
            look.fine = fineShare(luma, patch_width, patch_height);
            looks.push_back(look);
        }
    return looks;
}

const SampleFacts* ProbeFacts::find(std::uint64_t sample) const {
    const auto found = index.find(sample);
    return found == index.end() ? nullptr : &samples[found->second];
}

std::vector<store::SampleRecord> ProbeFacts::records() const {
    std::vector<store::SampleRecord> all;
    all.reserve(samples.size());
    for (const SampleFacts& sample : samples) all.push_back(sample.record);
    return all;
}

Result<ProbeFacts> probeFacts(const store::RunReader& run, std::span<const std::uint64_t> samples, const JobContext& context) {
    ProbeFacts facts;
    auto labels = LabelSource::open(run);
    if (!labels) return tl::unexpected(labels.error());
    facts.labels = std::move(*labels);
    auto list = run.sampleList();
    if (!list) return tl::unexpected(list.error());
    facts.families = SampleFamilies(*list);
    facts.asked.insert(samples.begin(), samples.end());
    const std::unordered_set<std::uint64_t>& wanted = facts.asked;
    std::int64_t unreadable = 0;
    std::string why;
    for (store::SampleRecord& record : *list) {
        if (!wanted.contains(record.hash) || facts.index.contains(record.hash)) continue;
        const auto done = static_cast<std::int64_t>(facts.samples.size());
        if (done % kFactsEvery == 0) {
            if (context.stopRequested()) return stopped("Reading the probed samples");
            context.progress(done, static_cast<std::int64_t>(wanted.size()), "Reading the probed samples");
        }
        SampleFacts sample;
        if (record.grid_width <= 0 || record.grid_height <= 0) {
            facts.labels.add(record);
        } else if (auto whole = run.sample(record.hash)) {
            facts.labels.add(*whole);
            sample.looks = patchLooks(*whole);
        } else {
            ++unreadable;
            why = whole.error().why;
        }
        sample.record = std::move(record);
        facts.index.emplace(sample.record.hash, facts.samples.size());
        facts.samples.push_back(std::move(sample));
    }
    facts.unknown = static_cast<std::int64_t>(wanted.size() - facts.samples.size());
    if (facts.unknown > 0) facts.notes.push_back(fmt::format("{} of the probe are not stored: their tokens have no labels", plural(facts.unknown, "sample")));
    if (unreadable > 0) facts.notes.push_back(fmt::format("{} cannot be read: {}", plural(unreadable, "picture"), why));
    return facts;
}

std::int32_t hueOf(const PatchLook& look) {
    constexpr float kGrey = 0.15f, kFaint = 0.05f, kBlack = 0.12f;
    const float most = std::max({look.red, look.green, look.blue}), least = std::min({look.red, look.green, look.blue}), chroma = most - least;
    if (most <= kBlack || chroma < kGrey * most || chroma < kFaint) {
        const float lightness = (most + least) / 2;
        return lightness < 0.2f ? 12 : lightness < 0.55f ? 13 : lightness < 0.9f ? 14 : 15;
    }
    float hue = 0;
    if (most == look.red) hue = (look.green - look.blue) / chroma;
    else if (most == look.green) hue = 2 + (look.blue - look.red) / chroma;
    else hue = 4 + (look.red - look.green) / chroma;
    return static_cast<std::int32_t>(std::floor((hue < 0 ? hue + 6 : hue) * 2 + 0.5f)) % 12;
}

const std::vector<std::string>& hueNames() {
    static const std::vector<std::string> kNames = {"red",  "orange", "yellow",  "lime", "green", "emerald",   "cyan",       "azure",
                                                    "blue", "violet", "magenta", "rose", "black", "dark grey", "light grey", "white"};
    return kNames;
}

std::string wordText(const store::SampleRecord& record, std::int32_t position) {
    static const std::string kMark = "\xE2\x96\x81";
    const auto at = static_cast<std::size_t>(std::max(position, 0));
    if (at >= record.token_texts.size()) return {};
    const std::string& text = record.token_texts[at];
    return text.starts_with(kMark) && text.size() > kMark.size() ? text.substr(kMark.size()) : text;
}

}  // namespace es::analysis
