// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/experts/expert_gallery.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "analysis/figures/wording.h"
#include "engine/base/random.h"

namespace es::analysis {
namespace {

struct Candidate {
    float key = 0, second = 0;  ///< larger is better
    std::int32_t row = 0;
};
bool better(const Candidate& a, const Candidate& b) {
    if (a.key != b.key) return a.key > b.key;
    if (a.second != b.second) return a.second > b.second;
    return a.row < b.row;
}

/// What one sample shows once: the token, whatever the objective it was seen under.
std::uint64_t placeOf(const ExpertTokens& tokens, std::int32_t row) {
    const auto at = static_cast<std::size_t>(row);
    const std::uint64_t position = tokens.table->position_T.empty() ? static_cast<std::uint64_t>(row) : tokens.table->position_T[at];
    const auto modality = static_cast<std::uint64_t>(tokens.modality(at));
    return static_cast<std::uint64_t>(tokens.sample_T[at]) << 32 | modality << 24 | position;
}

/// The best `count` candidates, each place (or each sample) once. Sorts no more than it needs.
std::vector<std::int32_t> bestOf(const ExpertTokens& tokens, std::vector<Candidate>& candidates, const GalleryOptions& options) {
    std::vector<std::int32_t> rows;
    const auto count = static_cast<std::size_t>(std::max(options.count, 0));
    if (options.one_per_sample) {
        // One pass leaves the best of each sample; only those are sorted.
        std::vector<std::int32_t> best(tokens.samples.size(), -1);
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            std::int32_t& now = best[static_cast<std::size_t>(tokens.sample_T[static_cast<std::size_t>(candidates[i].row)])];
            if (now < 0 || better(candidates[i], candidates[static_cast<std::size_t>(now)])) now = static_cast<std::int32_t>(i);
        }
        std::vector<Candidate> few;
        for (const std::int32_t i : best)
            if (i >= 0) few.push_back(candidates[static_cast<std::size_t>(i)]);
        candidates = std::move(few);
    }
    std::unordered_set<std::uint64_t> seen;
    std::size_t sorted = 0;
    for (std::size_t wanted = 2 * count; rows.size() < count && sorted < candidates.size(); wanted *= 2) {
        const std::size_t next = std::min(wanted, candidates.size());
        const auto begin = candidates.begin() + static_cast<std::ptrdiff_t>(sorted);
        std::partial_sort(begin, candidates.begin() + static_cast<std::ptrdiff_t>(next), candidates.end(), better);
        for (; sorted < next && rows.size() < count; ++sorted)
            if (seen.insert(placeOf(tokens, candidates[sorted].row)).second) rows.push_back(candidates[sorted].row);
        sorted = next;
    }
    return rows;
}

GalleryItem itemOf(const ExpertTokens& tokens, std::int32_t row) {
    const store::RoutingTable& table = *tokens.table;
    const auto at = static_cast<std::size_t>(row);
    GalleryItem item;
    item.row = row;
    item.sample = tokens.samples[static_cast<std::size_t>(tokens.sample_T[at])];
    item.modality = tokens.modality(at);
    item.token = TokenIndex(table.position_T.empty() ? 0 : table.position_T[at]);
    item.objective = table.objective_T.empty() ? Objective::kImage : table.objective_T[at];
    item.token_id = table.token_id_T.empty() ? -1 : table.token_id_T[at];
    item.weight = tokens.weight(at);
    item.probability = tokens.probability(at);
    item.rank = tokens.rank(at);
    if (!table.kept.empty() && table.router.layout != store::RoutingLayout::kDenseMass && item.rank >= 0) {
        const bool ragged = table.router.layout == store::RoutingLayout::kRagged;
        const std::size_t begin = ragged ? static_cast<std::size_t>(table.offsets[at]) : at * static_cast<std::size_t>(table.router.k);
        item.dropped = table.kept[begin + static_cast<std::size_t>(item.rank)] == 0;
    }
    return item;
}

}  // namespace

ExpertGallery expertGallery(const ExpertTokens& tokens, const GalleryOptions& options) {
    ExpertGallery gallery;
    std::vector<Candidate> top, random;
    RandomStream stream(options.seed, RandomPurpose::kPermutation, static_cast<std::uint64_t>(std::max<std::int64_t>(tokens.query.step, 0)),
                        static_cast<std::uint32_t>(tokens.router().id.value * 4096 + tokens.query.expert.value));
    std::vector<std::uint8_t> seen(tokens.samples.size(), 0);
    const bool probabilities = !tokens.table->probs_TE.empty();
    float least = 0, most = 0;
    for (std::size_t row = 0; row < tokens.taken_T.size(); ++row) {
        if (!(tokens.taken_T[row] > 0)) continue;
        if (options.modality != Modality::kUnknown && tokens.modality(row) != options.modality) continue;
        const float weight = tokens.dense() ? tokens.taken_T[row] : tokens.weight(row);
        least = top.empty() ? weight : std::min(least, weight);
        most = top.empty() ? weight : std::max(most, weight);
        top.push_back({weight, probabilities ? tokens.probability(row) : 0.0f, static_cast<std::int32_t>(row)});
        // log u / w: the largest keys are a draw without replacement in proportion to w; for w = 1, a plain one.
        const double key = std::log(1 - stream.uniform()) / (tokens.dense() ? tokens.taken_T[row] : 1.0f);
        random.push_back({static_cast<float>(key), 0, static_cast<std::int32_t>(row)});
        std::uint8_t& sample = seen[static_cast<std::size_t>(tokens.sample_T[row])];
        gallery.samples += sample == 0;
        sample = 1;
    }
    gallery.takers = static_cast<std::int64_t>(top.size());
    if (gallery.takers > 0 && least == most && gallery.takers > options.count)
        gallery.notes.push_back(probabilities ? "all weights are equal: ordered by router probability" : "all weights are equal: in the probe's order");
    if (tokens.dense()) gallery.notes.push_back("soft routing: every token gives every expert some weight; drawn in proportion to it");
    for (const std::int32_t row : bestOf(tokens, top, options)) gallery.top.push_back(itemOf(tokens, row));
    for (const std::int32_t row : bestOf(tokens, random, options)) gallery.random.push_back(itemOf(tokens, row));
    return gallery;
}

std::string Credit::text(std::size_t most_sources) const {
    std::string words;
    const auto add = [&](const std::string& part) {
        if (!part.empty()) words += (words.empty() ? "" : " · ") + part;
    };
    add(dataset);
    add(license.empty() ? "licence not stated" : license);
    const std::size_t named = most_sources == 0 ? sources.size() : std::min(most_sources, sources.size());
    std::string list;
    for (std::size_t i = 0; i < named; ++i) list += (i > 0 ? ", " : "") + sources[i];
    if (named < sources.size()) list += fmt::format(" and {} more", sources.size() - named);
    add(list);
    return fmt::format("{}: {}", words, plural(static_cast<std::int64_t>(samples.size()), "sample"));
}

std::vector<Credit> creditsOf(const std::vector<GalleryItem>& items, const std::vector<store::SampleRecord>& records) {
    std::unordered_map<std::uint64_t, const store::SampleRecord*> known;
    for (const store::SampleRecord& record : records) known.emplace(record.hash, &record);
    std::vector<Credit> credits;
    std::unordered_set<std::uint64_t> seen;
    for (const GalleryItem& item : items) {
        const auto found = known.find(item.sample);
        if (found == known.end() || !seen.insert(item.sample).second) continue;
        const store::SampleRecord& record = *found->second;
        const auto same = std::find_if(credits.begin(), credits.end(),
                                       [&](const Credit& credit) { return credit.dataset == record.dataset && credit.license == record.license; });
        Credit& credit = same == credits.end() ? credits.emplace_back(Credit{record.dataset, record.license, {}, {}}) : *same;
        credit.samples.push_back(item.sample);
        if (!record.source.empty() && std::find(credit.sources.begin(), credit.sources.end(), record.source) == credit.sources.end())
            credit.sources.push_back(record.source);
    }
    return credits;
}

}  // namespace es::analysis
