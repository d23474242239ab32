// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/scenes/sprite_pool.h"

#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <optional>
#include <set>

#include "datasets/splits.h"

namespace es::datasets {
namespace {

constexpr std::int64_t kMasterSide = 128;  // pixels that a cut-out is read at
constexpr std::int64_t kLeastSide = 20;
constexpr std::size_t kRun = 64;

const std::set<std::string, std::less<>>& noThings() {
    static const std::set<std::string, std::less<>> names{"Flags",     "Symbols",           "People & Body", "Component", "symbols",
                                                          "geography", "signs and symbols", "education",     "people"};
    return names;
}

/// The picture without the transparent rows and columns around it; nothing when too little or no shape is left.
std::optional<Cutout> cutOut(const std::vector<std::uint8_t>& rgba, std::int64_t side) {
    const auto opaque = [&](std::int64_t x, std::int64_t y) { return rgba[static_cast<std::size_t>((y * side + x) * 4 + 3)] >= 128; };
    std::int64_t left = side, right = -1, top = side, bottom = -1, count = 0;
    for (std::int64_t y = 0; y < side; ++y)
        for (std::int64_t x = 0; x < side; ++x) {
            if (!opaque(x, y)) continue;
            ++count;
            left = std::min(left, x);
            right = std::max(right, x);
            top = std::min(top, y);
            bottom = std::max(bottom, y);
        }
    if (count == 0) return std::nullopt;
    Cutout out;
    out.width = right - left + 1;
    out.height = bottom - top + 1;
    const std::int64_t area = out.width * out.height;
    if (std::max(out.width, out.height) < kLeastSide || 100 * count < 12 * area || 100 * count > 97 * area) return std::nullopt;
    for (std::int64_t y = top; y <= bottom; ++y) {
        const auto begin = rgba.begin() + static_cast<std::ptrdiff_t>((y * side + left) * 4);
        out.rgba.insert(out.rgba.end(), begin, begin + static_cast<std::ptrdiff_t>(out.width * 4));
    }
    return out;
}

/// The pictures of the items, in parallel; those that cannot be cut out are empty.
std::vector<std::optional<Cutout>> cutAll(const Source& source, const std::vector<const Item*>& items, std::size_t first, std::size_t last) {
    std::vector<std::optional<Cutout>> out(last - first);
    tbb::enumerable_thread_specific<std::unique_ptr<PictureReader>> readers;
    tbb::parallel_for(first, last, [&](std::size_t i) {
        auto& reader = readers.local();
        if (!reader) {
            auto made = source.makeReader();
            if (!made) return;
            reader = std::move(*made);
        }
        try {
            if (auto picture = reader->read(items[i]->picture, kMasterSide)) out[i - first] = cutOut(picture->rgba, kMasterSide);
        } catch (const std::exception&) {
            out[i - first].reset();
        }
    });
    return out;
}

}  // namespace

bool isNounPhrase(const std::string& caption) {
    std::int64_t words = caption.empty() ? 0 : 1;
    for (const char c : caption) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '\'';
        if (!letter && c != ' ') return false;
        words += c == ' ';
    }
    return words >= 1 && words <= 4 && caption.size() >= 3;
}

Result<SpritePool> gatherSprites(const std::vector<std::unique_ptr<Source>>& parts, std::int64_t each, const JobContext& context) {
    SpritePool pool;
    for (const auto& part : parts) {
        auto content = part->read(context);
        if (!content) return tl::unexpected(content.error());
        std::vector<const Item*> usable;
        std::set<std::string_view> names;
        for (const Item& item : content->items)
            if (item.picture >= 0 && isNounPhrase(item.caption) && !noThings().contains(item.category) && names.insert(item.caption).second)
                usable.push_back(&item);
        std::vector<const Item*> chosen;
        const auto wanted = std::min(usable.size(), static_cast<std::size_t>(each));
        for (std::size_t i = 0; i < wanted; ++i) chosen.push_back(usable[i * usable.size() / wanted]);
        for (std::size_t first = 0; first < chosen.size(); first += kRun) {
            if (context.stopRequested()) return stopped("Cutting out pictures");
            context.progress(static_cast<std::int64_t>(first), static_cast<std::int64_t>(chosen.size()), "Cutting out " + part->name());
            const std::size_t last = std::min(first + kRun, chosen.size());
            auto cut = cutAll(*part, chosen, first, last);
            for (std::size_t i = first; i < last; ++i) {
                if (!cut[i - first]) continue;
                Cutout cutout = std::move(*cut[i - first]);
                const Item& item = *chosen[i];
                cutout.name = item.caption;
                cutout.category = part->name() + ": " + item.category;
                cutout.license = item.license;
                cutout.source = item.source;
                cutout.split = splitOfKey(item.split_key);
                pool.of_split[static_cast<std::size_t>(cutout.split)].push_back(pool.cutouts.size());
                pool.cutouts.push_back(std::move(cutout));
            }
        }
    }
    return pool;
}

}  // namespace es::datasets
