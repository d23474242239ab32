// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/retrieval.h"

#include <algorithm>

namespace es::analysis {
namespace {

/// What decides a query: items above its best match, items equal to it, and matches among the equal ones.
struct BestMatch {
    std::int64_t above = 0, level = 0, matches = 0;
};

/// Chance that none of the first `places` of `level` items in random order is one of the `matches`.
double chanceOfNone(std::int64_t level, std::int64_t matches, std::int64_t places) {
    double chance = 1;
    for (std::int64_t i = 0; i < places; ++i) {
        if (level - matches - i <= 0) return 0;
        chance *= static_cast<double>(level - matches - i) / static_cast<double>(level - i);
    }
    return chance;
}

/// score(i) and matches(i) of the items of one query. Adds its recall at each rank; false when it has no match.
template <class Score, class Matches>
bool addQuery(std::int64_t items, const Score& score, const Matches& matches, std::span<const std::int64_t> ranks, std::vector<double>& sums) {
    bool any = false;
    double best = 0;
    for (std::int64_t i = 0; i < items; ++i) {
        if (!matches(i)) continue;
        best = any ? std::max(best, score(i)) : score(i);
        any = true;
    }
    if (!any) return false;
    BestMatch found;
    for (std::int64_t i = 0; i < items; ++i) {
        found.above += score(i) > best;
        if (score(i) != best) continue;
        ++found.level;
        found.matches += matches(i);
    }
    for (std::size_t r = 0; r < ranks.size(); ++r) {
        const std::int64_t places = std::min(ranks[r], items) - found.above;
        if (places > 0) sums[r] += 1 - chanceOfNone(found.level, found.matches, std::min(places, found.level));
    }
    return true;
}

}  // namespace

RetrievalRecall retrievalRecall(std::span<const double> similarity_IT, std::span<const std::int64_t> group_I, std::span<const std::int64_t> group_T,
                                std::span<const std::int64_t> ranks_K) {
    RetrievalRecall result;
    result.image_to_text_K.assign(ranks_K.size(), 0);
    result.text_to_image_K.assign(ranks_K.size(), 0);
    const auto images = static_cast<std::int64_t>(group_I.size()), texts = static_cast<std::int64_t>(group_T.size());
    const auto at = [&](std::int64_t i, std::int64_t t) { return similarity_IT[static_cast<std::size_t>(i * texts + t)]; };
    const auto match = [&](std::int64_t i, std::int64_t t) { return group_I[static_cast<std::size_t>(i)] == group_T[static_cast<std::size_t>(t)]; };
    for (std::int64_t i = 0; i < images; ++i)
        result.images += addQuery(
            texts, [&](std::int64_t t) { return at(i, t); }, [&](std::int64_t t) { return match(i, t); }, ranks_K, result.image_to_text_K);
    for (std::int64_t t = 0; t < texts; ++t)
        result.texts += addQuery(
            images, [&](std::int64_t i) { return at(i, t); }, [&](std::int64_t i) { return match(i, t); }, ranks_K, result.text_to_image_K);
    for (double& sum : result.image_to_text_K) sum = result.images > 0 ? sum / static_cast<double>(result.images) : 0;
    for (double& sum : result.text_to_image_K) sum = result.texts > 0 ? sum / static_cast<double>(result.texts) : 0;
    return result;
}

}  // namespace es::analysis
