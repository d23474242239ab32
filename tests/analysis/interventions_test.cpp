// SPDX-License-Identifier: GPL-3.0-or-later
// Effects of interventions against hand computations.
#include <gtest/gtest.h>

#include <cmath>

#include "analysis/interventions/causal.h"
#include "engine/base/random.h"
#include "memory_run.h"

namespace es::analysis {
namespace {

using store::EffectRow;
using store::KeptResult;

store::RouterInfo router(std::int32_t experts = 4) {
    return {RouterId(0), LayerIndex(1), Branch::kVision, "softmax_topk", experts, 1, store::RoutingLayout::kFixedK};
}

config::RunConfig pairsOnly() {
    config::RunConfig config;
    config.model.image_target = "pixels";
    config.loss.image = config.loss.text = 0;
    config.loss.pair_image = 1;
    config.loss.pair_text = 2;
    return config;
}

TEST(Effects, AreDifferencesOfTheRecordedLossesWithTheirPairedInterval) {
    KeptResult result;
    // Three pairs of two, one and one masked words: before 1, after 1 + difference.
    const double differences[] = {0.3, 0.1, 0.5};
    for (std::uint64_t s = 0; s < 3; ++s) result.rows.push_back({s, Objective::kPairText, 1, s == 0 ? 2 : 1, 1.0, 1.0 + differences[s]});
    const auto effects = lossEffects(result, pairsOnly());
    ASSERT_EQ(effects.size(), 2u) << "the total and the one objective that was judged";
    EXPECT_EQ(effects[0].loss, "total");
    EXPECT_NEAR(effects[0].difference, 2 * (2 * 0.3 + 0.1 + 0.5) / 4, 1e-12) << "weighted by the configuration, samples by their masked words";
    EXPECT_EQ(effects[1].loss, "pair_text");
    EXPECT_EQ(effects[1].unit, "nats");
    EXPECT_NEAR(effects[1].without, 1, 1e-12);
    EXPECT_NEAR(effects[1].with, 1.3, 1e-12);
    EXPECT_EQ(effects[1].samples, 3);
    // Linearised ratio: mean 0.3, residuals 0, -0.2, 0.2 over 4 words, those of one word in four by the root of 1 - 1/4. Degrees of freedom
    // (Σ h²)² ÷ Σ h⁴ ÷ (1 - h) = 1.0385 for h = 1/2, 1/4, 1/4, t(0.975) = 11.646341.
    const double error = std::sqrt((0.2 * 0.2 + 0.2 * 0.2) / 16 / 0.75);
    EXPECT_NEAR(effects[1].high - 0.3, 11.646341 * error, 1e-6);
    EXPECT_NEAR(0.3 - effects[1].low, effects[1].high - 0.3, 1e-12);
}

TEST(Effects, OneSampleHasNoIntervalAndMissingLossesDoNotCount) {
    KeptResult result;
    result.rows = {{1, Objective::kPairText, 1, 2, 1.0, 1.5}, {2, Objective::kPairText, 1, 1, 1.0, NAN}, {3, Objective::kPairText, 1, 0, 1.0, 9.0}};
    const auto effects = lossEffects(result, pairsOnly());
    ASSERT_FALSE(effects.empty());
    EXPECT_EQ(effects[0].samples, 1);
    EXPECT_TRUE(std::isnan(effects[0].low));
    EXPECT_FALSE(effects[0].excludesZero());
    EXPECT_TRUE(lossEffects({}, pairsOnly()).empty());
}

TEST(Effects, ByClassAreCorrectedForTheirNumber) {
    KeptResult result;
    RandomStream random(3, RandomPurpose::kSynthetic);
    for (std::uint64_t s = 0; s < 30; ++s) {
        const char* category = s < 10 ? "cats" : s < 20 ? "dogs" : s < 27 ? "" : "rare";
        result.names.push_back({s, category, ""});
        result.rows.push_back({s, Objective::kPairText, 1, 1, 1.0, 1.0 + (s < 10 ? 0.2 : s < 20 ? -0.7 : 0.0) + 0.05 * random.normal()});
    }
    const ClassEffects by_class = classEffects(result, pairsOnly(), "pair_text");
    ASSERT_EQ(by_class.classes.size(), 2u);
    EXPECT_EQ(by_class.classes[0].category, "dogs") << "largest difference first";
    EXPECT_EQ(by_class.classes[0].samples, 10);
    EXPECT_NEAR(by_class.classes[0].confidence, 0.975, 1e-12) << "two classes share the 5 %";
    EXPECT_TRUE(by_class.classes[0].excludesZero());
    EXPECT_EQ(by_class.small, 1) << "three rare ones are too few";
    EXPECT_EQ(by_class.unlabelled, 7);
    const ClassEffects wide = classEffects(result, pairsOnly(), "pair_text", 0.95, 11);
    EXPECT_TRUE(wide.classes.empty());
    EXPECT_EQ(wide.small, 3);
}

TEST(Effects, SamplesAreOrderedByWhatChangedAndNarrowed) {
    KeptResult result;
    result.names = {{1, "cats", "a cat"}, {2, "dogs", "a dog"}};
    result.rows = {{1, Objective::kPairText, 1, 3, 1.0, 1.25}, {2, Objective::kPairText, 1, 1, 1.0, 0.5}, {2, Objective::kPairImage, 1, 9, 0.5, 0.75}};
    const auto effects = sampleEffects(result, pairsOnly());
    ASSERT_EQ(effects.size(), 2u);
    EXPECT_EQ(effects[0].sample, 2u);
    EXPECT_NEAR(effects[0].without, 2 * 1.0 + 0.5, 1e-12);
    EXPECT_NEAR(effects[0].difference(), 2 * -0.5 + 0.25, 1e-12);
    EXPECT_EQ(effects[1].caption, "a cat");
    const KeptResult one = narrowed(result, {1});
    EXPECT_EQ(one.rows.size(), 1u);
    EXPECT_EQ(one.names.size(), 1u);
}

/// Banning expert e changes pictures by vision[e] and words by text[e], on `samples` pairs with a little noise.
std::vector<KeptResult> batch(const std::vector<double>& vision, const std::vector<double>& text, double noise, std::uint64_t samples = 40) {
    std::vector<KeptResult> results;
    RandomStream random(5, RandomPurpose::kSynthetic);
    for (std::size_t e = 0; e < vision.size(); ++e) {
        KeptResult result;
        result.purpose = "causal";
        result.checkpoint = 600;
        result.interventions = {"ban 1.v:" + std::to_string(e)};
        result.routers = {{router(static_cast<std::int32_t>(vision.size())), 100, static_cast<std::int64_t>(10 * (e + 1)), {}}};
        for (std::uint64_t s = 0; s < samples; ++s) {
            result.rows.push_back({s, Objective::kPairImage, 1, 4, 0.5, 0.5 + vision[e] + noise * random.normal()});
            result.rows.push_back({s, Objective::kPairText, 1, 2, 2.0, 2.0 + text[e] + noise * random.normal()});
        }
        results.push_back(std::move(result));
    }
    return results;
}

TEST(Causal, SpecialisationByModalityIsItsFormula) {
    // Pixels and nats: relative differences 0.1/0.5, 0, 0.05/0.5 of vision, 0, 0.4/2, 0.2/2 of text, and one that helps.
    const auto results = batch({0.1, 0, 0.05, -0.1}, {0, 0.4, 0.2, -0.2}, 0);
    const CausalTable table = causalTable(results, pairsOnly());
    EXPECT_EQ(table.vision, "pair_image");
    EXPECT_EQ(table.text, "pair_text");
    EXPECT_TRUE(table.relative);
    EXPECT_EQ(table.kind, "ban");
    ASSERT_EQ(table.experts.size(), 4u);
    EXPECT_NEAR(table.experts[0].vision.difference, 0.1, 1e-12);
    EXPECT_NEAR(table.experts[0].selectivity, 1, 1e-9);
    EXPECT_NEAR(table.experts[1].selectivity, 1, 1e-9);
    EXPECT_NEAR(table.experts[2].selectivity, 0, 1e-9) << "a tenth of either loss";
    EXPECT_TRUE(std::isnan(table.experts[3].selectivity)) << "its ban helps both: S is not defined of it";
    ASSERT_EQ(table.routers.size(), 1u);
    EXPECT_NEAR(table.routers[0].specialisation, 2.0 / 3, 1e-9);
    EXPECT_EQ(table.routers[0].experts, 3);
    EXPECT_EQ(table.routers[0].samples, 40);
    EXPECT_NEAR(table.routers[0].least, 2.0 / 3, 1e-9) << "without noise nothing else is possible";
    EXPECT_NEAR(table.routers[0].most, 2.0 / 3, 1e-9);
    EXPECT_NEAR(table.routers[0].every, 2.0 / 3, 1e-9);
    EXPECT_EQ(table.routers[0].every_experts, 3);
    EXPECT_EQ(table.comparisons, 8);
    EXPECT_NEAR(table.confidence_each, 1 - 0.05 / 8, 1e-12) << "four experts, two losses: all hold together";
    EXPECT_NEAR(table.experts[0].vision.confidence, 1 - 0.05 / 8, 1e-12);
    // Codes and words are both nats: differences are compared as they are.
    config::RunConfig codes = pairsOnly();
    codes.model.image_target = "codes";
    const CausalTable plain = causalTable(results, codes);
    EXPECT_FALSE(plain.relative);
    EXPECT_NEAR(plain.experts[2].selectivity, (0.2 - 0.05) / 0.25, 1e-9);
}

TEST(Causal, TheIntervalHoldsTheValueAndNeedsBothModalities) {
    const auto noisy = causalTable(batch({0.1, 0.02}, {0.05, 0.3}, 0.02), pairsOnly());
    const double truth = (std::abs(0.2 - 0.025) / 0.225 + std::abs(0.04 - 0.15) / 0.19) / 2;
    EXPECT_EQ(noisy.routers[0].experts, 2);
    EXPECT_NEAR(noisy.routers[0].specialisation, truth, 0.15);
    EXPECT_LT(noisy.routers[0].least, truth);
    EXPECT_GT(noisy.routers[0].most, truth);
    EXPECT_LT(noisy.routers[0].least, noisy.routers[0].specialisation);
    EXPECT_LT(noisy.routers[0].specialisation, noisy.routers[0].most);
    auto words = batch({0.1, 0.02}, {0.05, 0.3}, 0);
    for (auto& result : words) std::erase_if(result.rows, [](const EffectRow& row) { return row.objective == Objective::kPairImage; });
    words.push_back({});  // not of one expert
    const auto one = causalTable(words, pairsOnly());
    EXPECT_EQ(one.experts.size(), 2u);
    EXPECT_EQ(one.experts[0].vision.samples, 0);
    EXPECT_TRUE(std::isnan(one.routers[0].specialisation));
    EXPECT_TRUE(causalTable({}, pairsOnly()).experts.empty());
    EXPECT_FALSE(toText(one).empty());
}

TEST(Causal, NoiseHasNoSpecialisation) {
    // Nothing matters: S of the plain formula is near 1, and so is what it is by chance.
    std::int32_t given = 0, above = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        auto results = batch({0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0, 0, 0}, 0, 60);
        RandomStream random(seed, RandomPurpose::kSynthetic, 9);
        for (auto& result : results)
            for (auto& row : result.rows) row.after = row.before + 0.1 * random.normal();
        CausalOptions options;
        options.draws = 200;
        const CausalTable table = causalTable(results, pairsOnly(), options);
        const RouterCausal& one = table.routers.front();
        given += one.experts > 0;
        above += one.every > one.chance_high;
        EXPECT_GT(one.every, 0.5);
        EXPECT_NEAR(one.chance, 0.81, 0.1);
        if (one.experts > 0) continue;
        EXPECT_TRUE(std::isnan(one.specialisation));
        EXPECT_TRUE(std::isnan(table.experts.front().selectivity));
        EXPECT_NE(toText(table).find("of none of 8 experts an effect is shown"), std::string::npos) << toText(table);
    }
    EXPECT_LE(given, 4) << "one in twenty and less: the intervals of a table hold together";
    EXPECT_LE(above, 5);
}

TEST(Causal, VariantsOfOneSceneCountOnce) {
    // 40 pairs that are 8 variants of 5 scenes: what a ban does is of the scene.
    std::vector<store::SampleRecord> samples;
    for (std::uint64_t s = 0; s < 40; ++s) {
        store::SampleRecord sample;
        sample.hash = 100 + s;
        sample.truth.emplace();
        sample.truth->pair_of = s % 8 == 0 ? 0 : 100 + s - s % 8;
        samples.push_back(sample);
    }
    const SampleFamilies families(samples);
    EXPECT_EQ(families.of(107), 100u);
    EXPECT_EQ(families.of(108), 108u);
    EXPECT_EQ(families.of(7), 7u) << "a sample that nobody knows is alone";
    EXPECT_EQ(families.numbers(std::vector<std::uint64_t>{103, 115, 100}), (std::vector<std::int32_t>{0, 1, 0}));
    KeptResult result;
    for (std::uint64_t s = 0; s < 40; ++s) result.rows.push_back({100 + s, Objective::kPairText, 1, 2, 1.0, 1.0 + 0.1 * static_cast<double>(s / 8)});
    const auto apart = lossEffects(result, pairsOnly()), together = lossEffects(result, pairsOnly(), 0.95, families);
    EXPECT_EQ(apart[1].units, 40);
    EXPECT_EQ(together[1].units, 5);
    EXPECT_EQ(together[1].samples, 40);
    EXPECT_NEAR(together[1].difference, apart[1].difference, 1e-12);
    // Five values 0, 0.1 .. 0.4: sd 0.1581, t(0.975, 4) = 2.776445.
    EXPECT_NEAR(together[1].high - together[1].difference, 2.776445 * std::sqrt(0.025 / 5), 1e-6);
    EXPECT_LT(apart[1].high - apart[1].low, 0.5 * (together[1].high - together[1].low));
    for (std::uint64_t s = 0; s < 40; ++s) result.names.push_back({100 + s, "scenes", ""});
    EXPECT_EQ(classEffects(result, pairsOnly(), "pair_text", 0.95, 6, families).small, 1) << "five scenes are fewer than six";
}

TEST(Causal, InformationOfAnExpertIsItsDivergenceFromAllLabels) {
    // Labels 0 0 1 1; expert 0 takes the two 0s, expert 1 both 1s, expert 2 nothing.
    const auto sure = expertInformation({0, 0, 1, 1, -1}, {0, 0, 1, 1, 2}, 3);
    EXPECT_NEAR(sure[0], std::log(2.0), 1e-12);
    EXPECT_NEAR(sure[1], std::log(2.0), 1e-12);
    EXPECT_EQ(sure[2], 0);
    // One expert takes all: it says nothing. Weighted by tokens they are the mutual information.
    EXPECT_NEAR(expertInformation({0, 0, 1, 1}, {1, 1, 1, 1}, 2)[1], 0, 1e-12);
    const auto mixed = expertInformation({0, 0, 0, 1}, {0, 0, 1, 1}, 2);
    const double mutual = 0.5 * mixed[0] + 0.5 * mixed[1];
    EXPECT_NEAR(mutual, 0.5 * std::log(0.5 / (0.75 * 0.5)) + 0.25 * std::log(0.25 / (0.75 * 0.5)) + 0.25 * std::log(0.25 / (0.25 * 0.5)), 1e-12);
}

/// A run whose expert 2 takes the patches of one category alone, while the others share the rest.
test::MemoryRun plantedRun() {
    test::MemoryRun run;
    run.configuration = pairsOnly();
    run.router_table = {router()};
    store::RoutingTable table;
    table.router = router();
    table.step = 600;
    RandomStream random(9, RandomPurpose::kSynthetic);
    for (std::uint64_t s = 0; s < 40; ++s) {
        store::SampleRecord sample;
        sample.hash = s;
        sample.category = s % 4 == 0 ? "cats" : s % 4 == 1 ? "dogs" : s % 4 == 2 ? "cars" : "trees";
        sample.grid_width = sample.grid_height = 2;
        sample.picture = {4, 4, {}};
        for (int pixel = 0; pixel < 64; ++pixel) sample.picture.rgba.push_back(pixel % 4 == 3 ? 255 : static_cast<std::uint8_t>(random.below(256)));
        run.samples.push_back(sample);
        for (std::uint16_t p = 0; p < 4; ++p) {
            static const std::uint16_t kOthers[] = {0, 1, 3};
            table.expert_ids.push_back(s % 4 == 0 ? 2 : kOthers[random.below(3)]);
            table.gates.push_back(1);
            table.sample_T.push_back(s);
            table.position_T.push_back(p);
            table.modality_T.push_back(Modality::kVision);
            table.token_id_T.push_back(-1);
            table.masked_T.push_back(0);
            table.objective_T.push_back(Objective::kPairImage);
            ++table.tokens;
        }
    }
    run.probe_tables[{600, "trained"}][0] = table;
    return run;
}

TEST(Causal, ThePlantedExpertIsFoundAndComparedWithTheOthers) {
    const auto run = plantedRun();
    // Banning expert 2 costs 0.3 in words, any other 0.1; weights make that 0.6 and 0.2 of the total.
    const auto results = batch({0, 0, 0, 0}, {0.1, 0.1, 0.3, 0.1}, 0.01);
    std::vector<std::string> notes;
    const auto found = compareBans(run, results, notes);
    ASSERT_TRUE(found) << found.error().message();
    ASSERT_EQ(found->size(), 1u) << (notes.empty() ? "" : notes.front());
    const BanComparison& c = found->front();
    EXPECT_EQ(c.expert, ExpertIndex(2));
    EXPECT_EQ(c.label, "category");
    EXPECT_GT(c.information, 0.5);
    EXPECT_LE(c.information, std::log(4.0));
    EXPECT_NE(c.random, c.expert);
    EXPECT_NEAR(c.effect.difference, 0.6, 0.02);
    EXPECT_NEAR(c.random_effect.difference, 0.2, 0.02);
    EXPECT_NEAR(c.others_effect.difference, 0.2, 0.02);
    EXPECT_NEAR(c.above_others.difference, c.effect.difference - c.others_effect.difference, 1e-9);
    EXPECT_NEAR(c.above_random.difference, c.effect.difference - c.random_effect.difference, 1e-9);
    EXPECT_TRUE(c.above_others.excludesZero());
    EXPECT_EQ(c.effect.samples + c.chosen_on, 40) << "chosen on one part of the samples, measured on the other";
    EXPECT_GT(c.effect.samples, 10);
    EXPECT_LT(c.effect.samples, 30);
    EXPECT_GT(c.deviations, 3);
    EXPECT_EQ(c.others, 3);
    EXPECT_EQ(c.smaller, 3);
    EXPECT_NEAR(c.rankP(), 0.25, 1e-12) << "the first of four";
    EXPECT_GE(c.others_most, c.random_effect.difference);
    EXPECT_LE(c.others_least, c.random_effect.difference);
    EXPECT_NEAR(c.rerouted, 0.3, 1e-12);
    EXPECT_NEAR(c.others_rerouted, (0.1 + 0.2 + 0.4) / 3, 1e-12);
    // 0.6 for 30 % of the tokens, against 0.2 for 7 / 30 of them.
    EXPECT_NEAR(c.per_rerouted.difference, c.effect.difference / 30, 1e-9);
    EXPECT_NEAR(c.others_per_rerouted.difference, c.others_effect.difference / (70.0 / 3), 1e-9);
    EXPECT_NEAR(c.above_per_rerouted.difference, c.per_rerouted.difference - c.others_per_rerouted.difference, 1e-9);
    EXPECT_GE(c.smaller_per_rerouted, 2) << "expert 0 costs about as much for each of its few tokens";
    EXPECT_NE(toText(*found).find("expert 2"), std::string::npos);
}

TEST(Causal, ARareExpertIsNotMostSpecialisedByLuck) {
    // Expert 3 takes all patches of four pictures of one category, and no others: large information, and as large for any four pictures.
    auto run = plantedRun();
    store::RoutingTable& table = run.probe_tables[{600, "trained"}][0];
    int taken = 0;
    for (std::size_t t = 0; t < table.sample_T.size(); ++t) {
        if (table.expert_ids[t] == 3) table.expert_ids[t] = 1;
        if (table.sample_T[t] % 4 == 0 && t % 4 == 0) table.expert_ids[t] = 0;  // expert 2 takes most of its category, not all
    }
    for (std::uint64_t s = 1; s < 40 && taken < 16; s += 4)
        for (std::size_t t = 0; t < table.sample_T.size(); ++t)
            if (table.sample_T[t] == s && taken < 16) table.expert_ids[t] = 3, ++taken;
    std::vector<std::string> notes;
    const auto found = compareBans(run, batch({0, 0, 0, 0}, {0.1, 0.1, 0.3, 0.1}, 0.01), notes);
    ASSERT_TRUE(found && found->size() == 1u);
    EXPECT_EQ(found->front().expert, ExpertIndex(2));
}

TEST(Causal, AnIncompleteBatchAndARunWithoutProbeAreNotedNotGuessed) {
    const auto run = plantedRun();
    auto results = batch({0, 0, 0, 0}, {0.1, 0.1, 0.3, 0.1}, 0);
    std::vector<std::string> notes;
    results.erase(results.begin() + 1);
    EXPECT_TRUE(compareBans(run, results, notes)->empty());
    ASSERT_EQ(notes.size(), 1u);
    EXPECT_NE(notes[0].find("not every expert"), std::string::npos) << notes[0];
    auto blind = run;
    blind.probe_tables.clear();
    notes.clear();
    EXPECT_TRUE(compareBans(blind, batch({0, 0}, {1, 1}, 0), notes)->empty());
    ASSERT_EQ(notes.size(), 1u);
    EXPECT_NE(notes[0].find("no probe"), std::string::npos) << notes[0];
    std::stop_source stop;
    stop.request_stop();
    const auto ended = compareBans(run, batch({0, 0, 0, 0}, {1, 1, 1, 1}, 0), notes, 0, {stop.get_token(), {}, {}});
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().kind, ErrorKind::kStopped);
}

}  // namespace
}  // namespace es::analysis
