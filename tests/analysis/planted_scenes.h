// SPDX-License-Identifier: GPL-3.0-or-later
// A run of composed scenes with two planted experts: expert 3 of the patches' router takes what is red, expert 5 of the words' router takes nouns. How
// strictly is a number: the planted expert's logit is raised by it over unit normal noise. Or the same scenes with another cause.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "analysis/memory_run.h"
#include "engine/base/random.h"
#include "support/synthetic_routing.h"

namespace es::test {

/// What decides where a token goes. Only kPlanted is about colours and nouns; every other cause makes patches and words alike in what it is about,
/// and says nothing of the labels that are independent of it.
enum class PlantedCause : std::uint8_t {
    kPlanted,   ///< red patches to one expert, nouns to another
    kShuffled,  ///< the same, but choices of patches follow another picture, moved around; those of words are dealt anew
    kShape,     ///< patches by the shape of their object; words by their id, drawn at random
    kObject,    ///< patches by their object, an expert at random for each; words by their caption
    kPicture,   ///< patches and words by their picture
};
struct PlantedScenes {
    std::int64_t samples = 48;
    std::int32_t experts = 8;
    double patches = 4.5, words = 4.5;  ///< strengths
    PlantedCause cause = PlantedCause::kPlanted;
    /// Every fourth scene is a minimal pair with the one before (an object's colour or shape differs), the last twelve are two probe series of six.
    bool families = false;
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

struct Thing {
    std::uint32_t colour, shape, size, left, top, relation, article;
    bool has_article, has_size;
};
struct Plan {
    std::string category;
    std::vector<Thing> things;
    std::uint64_t pair_of = 0;
    std::string changed;
};

inline Plan planOf(RandomStream& random, std::uint32_t objects = 0) {
    Plan plan;
    plan.category = random.below(2) == 0 ? "day" : "night";
    if (objects == 0) objects = 2 + random.below(2);
    for (std::uint32_t o = 0; o < objects; ++o) {
        Thing thing{};
        thing.colour = random.below(kColours.size());
        thing.shape = random.below(kShapes.size());
        thing.size = random.below(2);
        thing.left = random.below(kGrid - 2 - thing.size + 1);
        thing.top = random.below(kGrid - 2 - thing.size + 1);
        thing.relation = random.below(kRelations.size());
        thing.article = random.below(kArticles.size());
        thing.has_article = random.below(2) == 0;
        thing.has_size = random.below(2) == 0;
        plan.things.push_back(thing);
    }
    return plan;
}

inline store::SampleRecord scene(const Plan& plan, std::int64_t index) {
    store::SampleRecord sample;
    sample.hash = static_cast<std::uint64_t>(index) + 1;
    sample.dataset = "planted";
    sample.category = plan.category;
    sample.grid_width = sample.grid_height = kGrid;
    SceneTruth truth;
    truth.side = kGrid * kCell;
    truth.owner.assign(static_cast<std::size_t>(truth.side * truth.side), 0);
    truth.pair_of = plan.pair_of;
    truth.changed = plan.changed;
    std::vector<Word> words;
    for (std::size_t o = 0; o < plan.things.size(); ++o) {
        const Thing& thing = plan.things[o];
        SceneObject object;
        object.colour = kColours[thing.colour];
        object.shape = kShapes[thing.shape];
        object.size = thing.size == 0 ? "small" : "large";
        const auto cells = static_cast<std::int32_t>(2 + thing.size), left = static_cast<std::int32_t>(thing.left), top = static_cast<std::int32_t>(thing.top);
        for (std::int32_t y = top * kCell; y < (top + cells) * kCell; ++y)
            for (std::int32_t x = left * kCell; x < (left + cells) * kCell; ++x)
                truth.owner[static_cast<std::size_t>(y * truth.side + x)] = static_cast<std::uint8_t>(o + 1);
        const auto number = static_cast<std::int32_t>(o);
        if (o > 0) words.push_back({kRelations[thing.relation], WordRole::kRelation, -1});
        if (thing.has_article) words.push_back({kArticles[thing.article], WordRole::kFunction, -1});
        if (thing.has_size) words.push_back({object.size, WordRole::kSize, number});
        words.push_back({object.colour, WordRole::kColour, number});
        words.push_back({object.shape, WordRole::kShape, number});
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

inline std::vector<Plan> plansOf(const PlantedScenes& wanted, RandomStream& random) {
    constexpr std::int64_t kSeries = 6;
    std::vector<Plan> plans;
    for (std::int64_t i = 0; i < wanted.samples; ++i) {
        const std::int64_t left = wanted.samples - i;
        if (wanted.families && left <= 2 * kSeries) {
            const std::int64_t turn = (2 * kSeries - left) % kSeries;
            if (turn == 0) {
                plans.push_back(planOf(random, 1));
                continue;
            }
            Plan next = plans[plans.size() - static_cast<std::size_t>(turn)];
            next.pair_of = static_cast<std::uint64_t>(i - turn) + 1;
            next.changed = left > kSeries ? "colour" : "shape";
            std::uint32_t& value = left > kSeries ? next.things[0].colour : next.things[0].shape;
            value = (value + static_cast<std::uint32_t>(turn)) % kColours.size();
            plans.push_back(std::move(next));
        } else if (wanted.families && i % 4 == 3) {
            Plan next = plans.back();
            next.pair_of = static_cast<std::uint64_t>(i);
            next.changed = "attribute";
            if (random.below(2) == 0) next.things[0].colour = (next.things[0].colour + 1 + random.below(kColours.size() - 1)) % kColours.size();
            else next.things[0].shape = (next.things[0].shape + 1 + random.below(kShapes.size() - 1)) % kShapes.size();
            plans.push_back(std::move(next));
        } else {
            plans.push_back(planOf(random));
        }
    }
    return plans;
}

/// A whole number of 0 .. experts - 1 that a key stands for: the same in every member of a family.
inline std::int32_t expertOf(std::uint64_t seed, std::uint64_t kind, std::uint64_t key, std::int32_t experts) {
    return static_cast<std::int32_t>(RandomStream(seed * 1000 + kind, RandomPurpose::kSynthetic, key).below(static_cast<std::uint32_t>(experts)));
}

}  // namespace planted_detail

/// Probes: trained at step 600 with the planted experts, five random routers and step 0 without. Deterministic.
inline MemoryRun plantedScenes(const PlantedScenes& plan) {
    using namespace planted_detail;
    MemoryRun run;
    RandomStream random(plan.seed, RandomPurpose::kSynthetic, 77);
    for (const Plan& one : plansOf(plan, random)) run.samples.push_back(scene(one, static_cast<std::int64_t>(run.samples.size())));
    run.router_table = {{RouterId(0), LayerIndex(1), Branch::kVision, "softmax_topk", plan.experts, 1, store::RoutingLayout::kFixedK},
                        {RouterId(1), LayerIndex(1), Branch::kText, "softmax_topk", plan.experts, 1, store::RoutingLayout::kFixedK}};
    std::vector<PlantedToken> patches, words;
    const auto count = run.samples.size();
    const std::size_t offset = 1 + random.below(static_cast<std::uint32_t>(count - 1));
    const bool shuffled = plan.cause == PlantedCause::kShuffled;
    for (std::size_t s = 0; s < count; ++s) {
        const store::SampleRecord& own = run.samples[s];
        const SceneTruth& truth = *run.samples[shuffled ? (s + offset) % count : s].truth;
        const std::uint64_t family = truth.pair_of != 0 ? truth.pair_of : own.hash;
        const auto seen = patchTruth(truth, kGrid, kGrid);
        const auto dx = shuffled ? random.below(kGrid) : 0, dy = shuffled ? random.below(kGrid) : 0;
        for (std::uint32_t p = 0; p < kGrid * kGrid; ++p) {
            const std::int32_t object = seen[(p / kGrid + dy) % kGrid * kGrid + (p % kGrid + dx) % kGrid].object;
            std::int32_t to = -1;
            if (plan.cause == PlantedCause::kPicture) to = expertOf(plan.seed, 1, family, plan.experts);
            else if (object >= 0 && plan.cause == PlantedCause::kObject)
                to = expertOf(plan.seed, 2, family * 16 + static_cast<std::uint64_t>(object), plan.experts);
            else if (object >= 0) {
                const SceneObject& what = truth.objects[static_cast<std::size_t>(object)];
                if (plan.cause == PlantedCause::kShape)
                    to = expertOf(plan.seed, 3, static_cast<std::uint64_t>(std::find(kShapes.begin(), kShapes.end(), what.shape) - kShapes.begin()),
                                  plan.experts);
                else if (what.colour == "red") to = kPlantedRed;
            }
            patches.push_back({own.hash, static_cast<std::uint16_t>(p), Modality::kVision, Objective::kImage, -1, false, to});
        }
        for (std::size_t w = 0; w < own.token_ids.size(); ++w) {
            std::int32_t to = own.truth->words[w].role == WordRole::kShape ? kPlantedNouns : -1;
            if (plan.cause == PlantedCause::kShape) to = expertOf(plan.seed, 4, static_cast<std::uint64_t>(own.token_ids[w]), plan.experts);
            if (plan.cause == PlantedCause::kObject || plan.cause == PlantedCause::kPicture) to = expertOf(plan.seed, 5, family, plan.experts);
            words.push_back({own.hash, static_cast<std::uint16_t>(w), Modality::kText, Objective::kText, own.token_ids[w], false, to});
        }
    }
    if (shuffled) {
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
