// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/splits.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "engine/base/hash.h"

namespace es::datasets {
namespace {

constexpr std::uint64_t kSplitSeed = 0x5350'4C49'5430'3031;  // part of the data: never changes
constexpr double kTrainShare = 0.8, kValidationShare = 0.1;

class Groups {
public:
    explicit Groups(std::size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }
    std::size_t find(std::size_t i) {
        while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
        return i;
    }
    void join(std::size_t a, std::size_t b) { parent_[std::max(find(a), find(b))] = std::min(find(a), find(b)); }

private:
    std::vector<std::size_t> parent_;
};

Groups groupsOf(std::span<const SplitInput> samples) {
    Groups groups(samples.size());
    std::unordered_map<std::string_view, std::size_t> byKey;
    std::unordered_map<std::uint64_t, std::size_t> byPicture, byLooks;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        if (samples[i].fixed != Split::kNone) continue;
        if (!samples[i].key.empty()) groups.join(i, byKey.try_emplace(samples[i].key, i).first->second);
        if (samples[i].picture_hash != 0) groups.join(i, byPicture.try_emplace(samples[i].picture_hash, i).first->second);
        if (samples[i].alike != 0) groups.join(i, byLooks.try_emplace(samples[i].alike, i).first->second);
    }
    return groups;
}

struct Group {
    std::uint64_t hash = 0;
    std::string name;
    std::size_t root = 0;
};

}  // namespace

std::vector<Split> assignSplits(std::span<const SplitInput> samples) {
    Groups groups = groupsOf(samples);
    // Keys name a group where there are any: pictures may be stored anew without the caption changing.
    std::unordered_map<std::size_t, std::string> names;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        if (samples[i].fixed != Split::kNone) continue;
        const std::string name = samples[i].key.empty() ? "~" + hashText(samples[i].picture_hash) : "=" + std::string(samples[i].key);
        auto [it, isNew] = names.try_emplace(groups.find(i), name);
        if (!isNew && name < it->second) it->second = name;
    }
    std::vector<Group> order;
    order.reserve(names.size());
    for (auto& [root, name] : names) order.push_back({hash64(name, kSplitSeed), name, root});
    std::sort(order.begin(), order.end(), [](const Group& a, const Group& b) { return std::tie(a.hash, a.name, a.root) < std::tie(b.hash, b.name, b.root); });

    const auto count = static_cast<std::ptrdiff_t>(order.size());
    const auto below = [&](double share) {
        return std::count_if(order.begin(), order.end(), [&](const Group& g) { return static_cast<double>(g.hash >> 11) * 0x1p-53 < share; });
    };
    const std::ptrdiff_t someHeldOut = count >= 2 ? 1 : 0, someTest = count >= 3 ? 1 : 0;
    const auto trainEnd = std::clamp<std::ptrdiff_t>(below(kTrainShare), std::min<std::ptrdiff_t>(1, count), count - someHeldOut - someTest);
    const auto validationEnd = std::clamp<std::ptrdiff_t>(below(kTrainShare + kValidationShare), trainEnd + someHeldOut, count - someTest);
    std::unordered_map<std::size_t, Split> splitOf;
    for (std::ptrdiff_t i = 0; i < count; ++i)
        splitOf[order[static_cast<std::size_t>(i)].root] = i < trainEnd ? Split::kTrain : i < validationEnd ? Split::kValidation : Split::kTest;
    std::vector<Split> splits;
    splits.reserve(samples.size());
    for (std::size_t i = 0; i < samples.size(); ++i) splits.push_back(samples[i].fixed != Split::kNone ? samples[i].fixed : splitOf[groups.find(i)]);
    return splits;
}

std::vector<bool> tiedByKeyAlone(std::span<const SplitInput> samples) {
    Groups groups = groupsOf(samples);
    std::unordered_map<std::size_t, std::string_view> keys;
    std::unordered_set<std::size_t> several;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const std::size_t root = groups.find(i);
        if (const auto [it, isNew] = keys.try_emplace(root, samples[i].key); !isNew && it->second != samples[i].key) several.insert(root);
    }
    std::vector<bool> alone(samples.size());
    for (std::size_t i = 0; i < samples.size(); ++i)
        alone[i] = !samples[i].key.empty() && samples[i].fixed == Split::kNone && !several.contains(groups.find(i));
    return alone;
}

Split splitOfKey(std::string_view key) {
    const double place = static_cast<double>(hash64("=" + std::string(key), kSplitSeed) >> 11) * 0x1p-53;
    return place < kTrainShare ? Split::kTrain : place < kTrainShare + kValidationShare ? Split::kValidation : Split::kTest;
}

}  // namespace es::datasets
