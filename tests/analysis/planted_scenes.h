// SPDX-License-Identifier: GPL-3.0-or-later
// A run of composed scenes with two planted experts: expert 3 of the patches' router takes what is red, expert 5 of the words' router takes nouns. How
// strictly is a number: the planted expert's logit is raised by it over unit normal noise.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "analysis/memory_run.h"
#include "engine/base/random.h"
#include "support/synthetic_routing.h"

namespace es::test {

struct PlantedScenes {
    std::int64_t samples = 48;
    std::int32_t experts = 8;
    double patches = 4.5, words = 4.5;  ///< strengths
    bool shuffled = false;              ///< the same choices, but those of patches follow another picture, moved around; those of words are dealt anew
    std::uint64_t seed = 1;
};
inline constexpr std::int32_t kPlantedRed = 3, kPlantedNouns = 5;

namespace planted_detail {

inline constexpr std::int32_t kGrid = 8, kCell = 4;
inline constexpr std::array<const char*, 6> kColours = {"red", "green", "blue", "yellow", "black", "white"};
inline constexpr std::array<const char*, 4> kArticles = {"a", "the", "one", "some"};
inline constexpr std::array<const char*, 12> kShapes = {"circle", "square", "triangle", "star", "ring", "cross",
                                                        "bar",    "heart",  "arrow",    "moon", "leaf", "drop"};
inline constexpr std::array<const char*, 6> kRelations = {"above", "beside", "below", "over", "under", "near"};

struct Word {
    std::string text;
    WordRole role;
    std::int32_t object;
};

inline store::SampleRecord scene(std::int64_t index, RandomStream& random) {
    store::SampleRecord sample;
    sample.hash = static_cast<std::uint64_t>(index) + 1;
    sample.dataset = "planted";
    sample.category = random.below(2) == 0 ? "day" : "night";
    sample.grid_width = sample.grid_height = kGrid;
    SceneTruth truth;
    truth.side = kGrid * kCell;
    truth.owner.assign(static_cast<std::size_t>(truth.side * truth.side), 0);
    std::vector<Word> words;
    const std::uint32_t objects = 2 + random.below(2);
    for (std::uint32_t o = 0; o < objects; ++o) {
        SceneObject object;
        object.colour = kColours[random.below(kColours.size())];
        object.shape = kShapes[random.below(kShapes.size())];
        object.size = random.below(2) == 0 ? "small" : "large";
        const auto cells = static_cast<std::int32_t>(object.size == "small" ? 2 : 3);
        const auto left = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(kGrid - cells + 1))),
                   top = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(kGrid - cells + 1)));
        for (std::int32_t y = top * kCell; y < (top + cells) * kCell; ++y)
            for (std::int32_t x = left * kCell; x < (left + cells) * kCell; ++x)
                truth.owner[static_cast<std::size_t>(y * truth.side + x)] = static_cast<std::uint8_t>(o + 1);
        if (o > 0) words.push_back({kRelations[random.below(kRelations.size())], WordRole::kRelation, -1});
        if (random.below(2) == 0) words.push_back({kArticles[random.below(kArticles.size())], WordRole::kFunction, -1});
        if (random.below(2) == 0) words.push_back({object.size, WordRole::kSize, static_cast<std::int32_t>(o)});
        words.push_back({object.colour, WordRole::kColour, static_cast<std::int32_t>(o)});
        words.push_back({object.shape, WordRole::kShape, static_cast<std::int32_t>(o)});
        truth.objects.push_back(std::move(object));
    }
    for (const Word& word : words) {
        if (!sample.caption.empty()) sample.caption += " ";
        const auto begin = static_cast<std::uint32_t>(sample.caption.size());
        sample.caption += word.text;
        truth.words.push_back({begin, static_cast<std::uint32_t>(sample.caption.size()), word.role, word.object});
        sample.token_texts.push_back(word.text);
        std::int32_t id = 0;
        for (const char c : word.text) id = (id * 31 + c) % 5000;
        sample.token_ids.push_back(id);
    }
    sample.truth = std::move(truth);
    return sample;
}

}  // namespace planted_detail

/// Probes: trained at step 600 with the planted experts, five random routers and step 0 without. Deterministic.
inline MemoryRun plantedScenes(const PlantedScenes& plan) {
    using namespace planted_detail;
    MemoryRun run;
    RandomStream random(plan.seed, RandomPurpose::kSynthetic, 77);
    for (std::int64_t i = 0; i < plan.samples; ++i) run.samples.push_back(scene(i, random));
    run.router_table = {{RouterId(0), LayerIndex(1), Branch::kVision, "softmax_topk", plan.experts, 1, store::RoutingLayout::kFixedK},
                        {RouterId(1), LayerIndex(1), Branch::kText, "softmax_topk", plan.experts, 1, store::RoutingLayout::kFixedK}};
    std::vector<PlantedToken> patches, words;
    const auto count = run.samples.size();
    const std::size_t offset = 1 + random.below(static_cast<std::uint32_t>(count - 1));
    for (std::size_t s = 0; s < count; ++s) {
        const std::size_t planter = plan.shuffled ? (s + offset) % count : s;
        const SceneTruth& truth = *run.samples[planter].truth;
        const auto seen = patchTruth(truth, kGrid, kGrid);
        const auto dx = plan.shuffled ? random.below(kGrid) : 0, dy = plan.shuffled ? random.below(kGrid) : 0;
        for (std::uint32_t p = 0; p < kGrid * kGrid; ++p) {
            const std::size_t from = (p / kGrid + dy) % kGrid * kGrid + (p % kGrid + dx) % kGrid;
            const bool red = seen[from].object >= 0 && truth.objects[static_cast<std::size_t>(seen[from].object)].colour == "red";
            patches.push_back({run.samples[s].hash, static_cast<std::uint16_t>(p), Modality::kVision, Objective::kImage, -1, false, red ? kPlantedRed : -1});
        }
        const auto& own = run.samples[s];
        for (std::size_t w = 0; w < own.token_ids.size(); ++w) {
            const bool noun = own.truth->words[w].role == WordRole::kShape;
            words.push_back({own.hash, static_cast<std::uint16_t>(w), Modality::kText, Objective::kText, own.token_ids[w], false, noun ? kPlantedNouns : -1});
        }
    }
    if (plan.shuffled) {
        std::vector<std::int32_t> dealt;
        for (const PlantedToken& word : words) dealt.push_back(word.planted);
        random.shuffle(std::span(dealt));
        for (std::size_t w = 0; w < words.size(); ++w) words[w].planted = dealt[w];
    }
    const auto probe = [&](std::int64_t step, const std::string& variant, double strength) {
        auto& tables = run.probe_tables[{step, variant}];
        tables[0] = routeTokens(run.router_table[0], step, patches, plan.patches * strength, -1, false, random);
        tables[1] = routeTokens(run.router_table[1], step, words, plan.words * strength, -1, false, random);
    };
    probe(600, "trained", 1);
    probe(0, "trained", 0);
    for (int i = 0; i < 5; ++i) probe(600, "random-router-" + std::to_string(i), 0);
    return run;
}

}  // namespace es::test
