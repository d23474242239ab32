// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/masking.h"

#include <algorithm>
#include <cmath>

namespace es::engine {
namespace {

constexpr double kSmallestAspect = 0.3;
constexpr double kSmallestBlockShare = 16.0 / 196.0;
constexpr int kTries = 10;

}  // namespace

std::vector<std::uint8_t> blockMask(std::int64_t height, std::int64_t width, double ratio, RandomStream& random) {
    const std::int64_t cells = height * width;
    const auto wanted = std::clamp<std::int64_t>(std::llround(ratio * static_cast<double>(cells)), 0, cells);
    std::vector<std::uint8_t> mask(static_cast<std::size_t>(cells), 0);
    const double smallest = std::max(1.0, std::round(kSmallestBlockShare * static_cast<double>(cells)));
    const double log_aspect = -std::log(kSmallestAspect);
    std::int64_t hidden = 0;
    int failures = 0;
    while (hidden < wanted && failures < kTries) {
        const double remaining = static_cast<double>(wanted - hidden);
        const double area = std::min(smallest, remaining) + random.uniform() * (remaining - std::min(smallest, remaining));
        const double aspect = std::exp((2 * random.uniform() - 1) * log_aspect);
        const std::int64_t h = std::max<std::int64_t>(1, std::llround(std::sqrt(area * aspect)));
        const std::int64_t w = std::max<std::int64_t>(1, std::llround(std::sqrt(area / aspect)));
        ++failures;
        if (h > height || w > width) continue;
        const std::int64_t top = random.below(static_cast<std::uint32_t>(height - h + 1));
        const std::int64_t left = random.below(static_cast<std::uint32_t>(width - w + 1));
        std::int64_t fresh = 0;
        for (std::int64_t y = top; y < top + h; ++y)
            for (std::int64_t x = left; x < left + w; ++x) fresh += mask[static_cast<std::size_t>(y * width + x)] == 0;
        if (fresh == 0 || fresh > wanted - hidden) continue;
        for (std::int64_t y = top; y < top + h; ++y)
            for (std::int64_t x = left; x < left + w; ++x) mask[static_cast<std::size_t>(y * width + x)] = 1;
        hidden += fresh;
        failures = 0;
    }
    if (hidden == wanted) return mask;
    std::vector<std::int64_t> open;
    for (std::int64_t i = 0; i < cells; ++i)
        if (!mask[static_cast<std::size_t>(i)]) open.push_back(i);
    random.shuffle(std::span(open));
    for (std::int64_t i = 0; i < wanted - hidden; ++i) mask[static_cast<std::size_t>(open[static_cast<std::size_t>(i)])] = 1;
    return mask;
}

std::int64_t maskedWordCount(std::int64_t maskable, double ratio) {
    if (maskable <= 0 || ratio <= 0) return 0;
    return std::clamp<std::int64_t>(std::llround(ratio * static_cast<double>(maskable)), 1, maskable);
}

std::vector<std::uint8_t> wordMask(std::span<const std::int32_t> ids, std::int32_t unknown_id, std::int32_t pad_id, double ratio, RandomStream& random) {
    std::vector<std::uint8_t> mask(ids.size(), 0);
    std::vector<std::size_t> maskable;
    for (std::size_t i = 0; i < ids.size(); ++i)
        if (ids[i] != unknown_id && ids[i] != pad_id) maskable.push_back(i);
    random.shuffle(std::span(maskable));
    const auto count = maskedWordCount(static_cast<std::int64_t>(maskable.size()), ratio);
    for (std::int64_t i = 0; i < count; ++i) mask[maskable[static_cast<std::size_t>(i)]] = 1;
    return mask;
}

std::vector<std::uint8_t> wholeWordMask(std::span<const std::int32_t> ids, std::span<const std::uint8_t> starts_word, std::int32_t unknown_id,
                                        std::int32_t pad_id, double ratio, RandomStream& random) {
    struct Word {
        std::size_t begin = 0, end = 0;
        bool maskable = true;
    };
    std::vector<Word> words;
    for (std::size_t i = 0; i < ids.size() && ids[i] != pad_id; ++i) {
        if (i == 0 || starts_word[i]) words.push_back({i, i, true});
        words.back().end = i + 1;
        words.back().maskable = words.back().maskable && ids[i] != unknown_id;
    }
    std::erase_if(words, [](const Word& word) { return !word.maskable; });
    std::int64_t pieces = 0;
    for (const Word& word : words) pieces += static_cast<std::int64_t>(word.end - word.begin);
    std::int64_t left = maskedWordCount(pieces, ratio);
    random.shuffle(std::span(words));
    std::vector<std::uint8_t> mask(ids.size(), 0);
    for (const Word& word : words) {
        if (left <= 0) break;
        std::fill(mask.begin() + static_cast<std::ptrdiff_t>(word.begin), mask.begin() + static_cast<std::ptrdiff_t>(word.end), std::uint8_t{1});
        left -= static_cast<std::int64_t>(word.end - word.begin);
    }
    return mask;
}

}  // namespace es::engine
