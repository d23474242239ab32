// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/scenes/sprite_pool.h"

#include <spdlog/fmt/fmt.h>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "datasets/objects/looks.h"
#include "datasets/splits.h"
#include "engine/base/hash.h"

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

/// A candidate's picture, or what ties a picture that is no candidate to one.
struct Seen {
    std::uint64_t hash = 0, alike = 0;  ///< 0: it has no picture that can be read
    std::optional<Cutout> cutout;
};

/// Reads the pictures of the items in parallel, those of candidates large enough to cut out.
std::vector<Seen> seeAll(const Source& source, const std::vector<Item>& items, const std::vector<bool>& candidates, std::size_t first, std::size_t last) {
    std::vector<Seen> out(last - first);
    tbb::enumerable_thread_specific<std::unique_ptr<PictureReader>> readers;
    tbb::parallel_for(first, last, [&](std::size_t i) {
        if (items[i].picture < 0) return;
        auto& reader = readers.local();
        if (!reader) {
            auto made = source.makeReader();
            if (!made) return;
            reader = std::move(*made);
        }
        try {
            const auto picture = reader->read(items[i].picture, candidates[i] ? kMasterSide : kLooksSide);
            if (!picture) return;
            out[i - first] = {picture->hash, picture->alike, candidates[i] ? cutOut(picture->rgba, kMasterSide) : std::nullopt};
        } catch (const std::exception&) {
            out[i - first] = {};
        }
    });
    return out;
}

std::uint64_t identityOf(const std::string& set, const std::string& name) { return hash64(set + "\n" + name); }

/// The items that may be cut out, `each` at most: those whose names come first by hash.
std::vector<bool> candidatesAmong(const std::string& set, const std::vector<Item>& items, std::int64_t each) {
    std::vector<std::pair<std::uint64_t, std::size_t>> usable;
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < items.size(); ++i)
        if (items[i].picture >= 0 && isNounPhrase(items[i].caption) && !noThings().contains(items[i].category) && names.insert(items[i].caption).second)
            usable.emplace_back(identityOf(set, items[i].caption), i);
    std::sort(usable.begin(), usable.end());
    std::vector<bool> chosen(items.size(), false);
    for (std::size_t i = 0; i < usable.size() && i < static_cast<std::size_t>(each); ++i) chosen[usable[i].second] = true;
    return chosen;
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

void SpritePool::add(Cutout cutout, const std::string& set) {
    cutout.identity = identityOf(set, cutout.name);
    cutout.content = hash64(std::as_bytes(std::span(cutout.rgba)), hash64(fmt::format("{} x {}", cutout.width, cutout.height)));
    of_split[static_cast<std::size_t>(cutout.split)].push_back(cutouts.size());
    cutouts.push_back(std::move(cutout));
}

Result<SpritePool> gatherSprites(const std::vector<std::unique_ptr<Source>>& parts, std::int64_t each, const JobContext& context) {
    std::vector<Content> contents;
    std::vector<SplitInput> ties;
    std::vector<Seen> seen;  // of all parts, one after the other
    for (const auto& part : parts) {
        auto content = part->read(context);
        if (!content) return tl::unexpected(content.error());
        const std::vector<Item>& items = contents.emplace_back(std::move(*content)).items;
        const auto candidates = candidatesAmong(part->name(), items, each);
        for (std::size_t first = 0; first < items.size(); first += kRun) {
            if (context.stopRequested()) return stopped("Cutting out pictures");
            context.progress(static_cast<std::int64_t>(first), static_cast<std::int64_t>(items.size()), "Cutting out " + part->name());
            const std::size_t last = std::min(first + kRun, items.size());
            auto run = seeAll(*part, items, candidates, first, last);
            seen.insert(seen.end(), std::make_move_iterator(run.begin()), std::make_move_iterator(run.end()));
        }
    }
    for (std::size_t p = 0; p < contents.size(); ++p)
        for (const Item& item : contents[p].items) {
            const Seen& picture = seen[ties.size()];
            ties.push_back({item.split_key, picture.hash, picture.alike, item.split});
        }
    const auto alone = tiedByKeyAlone(ties);
    SpritePool pool;
    std::size_t at = 0;
    for (std::size_t p = 0; p < contents.size(); ++p)
        for (const Item& item : contents[p].items) {
            const std::size_t i = at++;
            if (!seen[i].cutout) continue;
            if (!alone[i]) {
                ++pool.tied;
                continue;
            }
            Cutout cutout = std::move(*seen[i].cutout);
            cutout.name = item.caption;
            cutout.category = parts[p]->name() + ": " + item.category;
            cutout.license = item.license;
            cutout.source = item.source;
            cutout.split = splitOfKey(item.split_key);
            pool.add(std::move(cutout), parts[p]->name());
        }
    return pool;
}

}  // namespace es::datasets
