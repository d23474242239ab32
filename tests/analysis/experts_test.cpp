// SPDX-License-Identifier: GPL-3.0-or-later
// What one expert does, against planted routing with closed forms.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <set>

#include "analysis/experts/expert_details.h"
#include "analysis/experts/expert_gallery.h"
#include "analysis/experts/expert_panels.h"
#include "analysis/memory_run.h"
#include "analysis/metrics/pairs.h"
#include "analysis/query/restricted_run.h"
#include "analysis/stats/intervals.h"
#include "engine/base/random.h"
#include "support/planted_routing.h"
#include "support/synthetic_run.h"
#include "tests/analysis/expert_tokens_of.h"

namespace es::analysis {
namespace {

std::shared_ptr<const store::RoutingTable> shared(store::RoutingTable table) { return std::make_shared<const store::RoutingTable>(std::move(table)); }

using test_support::tokensOf;

TEST(ExpertTokens, CountTheSameInEveryLayout) {
    const std::vector<std::int32_t> indices = {0, 1, 1, 2, 2, 0, 1, 3};  // four tokens, k = 2
    for (const int layout : {0, 1, 2}) {
        const auto table = layout == 0 ? test::tableOf(indices, 4, 2) : layout == 1 ? test::raggedOf(indices, 4, 2) : test::denseOf(indices, 4, 2);
        const ExpertTokens tokens = tokensOf(table, 1);
        EXPECT_EQ(tokens.tokens, 4);
        EXPECT_EQ(tokens.takers, 3);
        EXPECT_DOUBLE_EQ(tokens.share(), 3.0 / 8);
        EXPECT_EQ(tokens.rank(0), 1);
        EXPECT_EQ(tokens.rank(1), 0);
        EXPECT_EQ(tokens.rank(2), -1);
        EXPECT_FLOAT_EQ(tokens.weight(0), 0.5f);
        EXPECT_TRUE(std::isnan(tokens.weight(2)));
    }
}

TEST(ExpertTokens, LeaveOutMaskedTokensAndThoseOutsideASet) {
    store::RoutingTable table = test::tableOf({0, 1, 1, 1}, 2, 1);
    table.masked_T = {0, 1, 0, 0};
    const std::vector<std::uint8_t> include = {1, 1, 1, 0};
    const ExpertTokens tokens = tokensOf(table, 1, include);
    EXPECT_EQ(tokens.tokens, 2);
    EXPECT_EQ(tokens.takers, 1);
    EXPECT_EQ(tokens.masked_left_out, 1);
    ExpertQuery query;
    query.expert = ExpertIndex(2);
    EXPECT_FALSE(expertTokens(shared(table), query)) << "there are two experts";
}

TEST(LabelShares, EqualTheirClosedForm) {
    const double follow = 0.5;
    const auto plan = test::planted({.labels = 4, .experts = 4, .per_label = 400, .samples_per_label = 10, .follow = follow});
    const std::vector<std::string> names = {"a", "b", "c", "d"};
    const LabelShares shares = labelShares(tokensOf(plan.table, 2), plan.label_T, names);
    ASSERT_EQ(shares.rows.size(), 4u);
    EXPECT_EQ(shares.rows.front().label, "c");
    EXPECT_NEAR(shares.expert_share, 0.25, 1e-12);
    EXPECT_EQ(shares.comparisons, 4);
    EXPECT_EQ(shares.correction, "Bonferroni over 4 labels");
    EXPECT_NEAR(shares.confidence_each, 1 - 0.05 / 4, 1e-12);
    for (const LabelShare& row : shares.rows) {
        const double share = (1 - follow) / 4 + (row.label == "c" ? follow : 0);
        EXPECT_NEAR(row.share, share, 1e-12) << row.label;
        EXPECT_NEAR(row.base, 0.25, 1e-12);
        EXPECT_NEAR(row.pmi_nats, std::log(share / 0.25), 1e-12);
        EXPECT_NEAR(row.npmi, std::log(share / 0.25) / -std::log(share * 0.25), 1e-12);
        EXPECT_EQ(row.takers, std::llround(share * 400));
        EXPECT_EQ(row.tokens, 400);
        EXPECT_EQ(row.samples, 10);
        EXPECT_LE(row.share_low, row.share);
        EXPECT_GE(row.share_high, row.share);
        EXPECT_EQ(row.above(), row.label == "c");
        EXPECT_LT(row.npmi_low, row.npmi) << "ten samples of each label: an interval of some width";
        EXPECT_GT(row.npmi_high, row.npmi);
    }
}

TEST(LabelShares, AreOfMassWhereRoutingIsSoft) {
    // Half of each token's mass where fixed k would put a whole assignment: shares and nPMI do not change.
    const std::vector<std::int32_t> label_T = {0, 0, 1, 1};
    const std::vector<std::string> names = {"a", "b"};
    const std::vector<std::int32_t> indices = {0, 1, 0, 1, 1, 0, 1, 1};
    const LabelShares soft = labelShares(tokensOf(test::denseOf(indices, 2, 2), 0), label_T, names);
    ASSERT_EQ(soft.rows.size(), 2u);
    EXPECT_NEAR(soft.rows[0].share, 2.0 / 3, 1e-6);
    EXPECT_NEAR(soft.rows[0].base, 0.5, 1e-6);
    EXPECT_NEAR(soft.expert_share, 3.0 / 8, 1e-6);
}

TEST(LabelShares, ALabelInTooFewSamplesHasNoIntervalAndDoesNotLead) {
    auto plan = test::planted({.labels = 4, .experts = 4, .per_label = 400, .samples_per_label = 10, .follow = 0.5});
    std::vector<std::string> names = {"a", "b", "c", "d", "rare"};
    for (std::size_t t = 0; t < plan.label_T.size(); ++t)
        if (plan.table.sample_T[t] == 1 && plan.table.expert_ids[t] == 2) plan.label_T[t] = 4;
    const LabelShares shares = labelShares(tokensOf(plan.table, 2), plan.label_T, names);
    EXPECT_EQ(shares.comparisons, 4);
    EXPECT_EQ(shares.rows.back().label, "rare");
    EXPECT_GT(shares.rows.back().npmi, 0);
    EXPECT_TRUE(std::isnan(shares.rows.back().npmi_low));
    EXPECT_FALSE(shares.rows.back().above());
}

TEST(LabelShares, AnExpertThatTakesNothingSaysSo) {
    const auto plan = test::planted({.labels = 4, .experts = 4, .per_label = 40, .samples_per_label = 10, .follow = 1});
    store::RoutingTable table = plan.table;
    for (auto& expert : table.expert_ids)
        if (expert == 3) expert = 0;
    const LabelShares shares = labelShares(tokensOf(table, 3), plan.label_T, std::vector<std::string>{"a", "b", "c", "d"});
    EXPECT_EQ(shares.takers, 0);
    EXPECT_EQ(shares.comparisons, 0);
    for (const LabelShare& row : shares.rows) EXPECT_TRUE(std::isnan(row.share) && std::isnan(row.npmi));
}

/// Pictures of four categories with 16 patches each; the expert takes a patch with the category's probability, moved up or down for the whole picture.
struct ClusteredDraw {
    ExpertTokens tokens;
    std::vector<std::int32_t> label_T;
};
constexpr std::array<double, 4> kCategoryOdds = {0.4, 0.3, 0.2, 0.1}, kTaking = {0.6, 0.3, 0.3, 0.25};

ClusteredDraw drawClustered(std::uint64_t seed, bool same_everywhere) {
    RandomStream random(seed, RandomPurpose::kSynthetic);
    std::vector<std::int32_t> indices;
    ClusteredDraw draw;
    std::vector<std::uint64_t> samples;
    for (std::uint64_t picture = 0; picture < 160; ++picture) {
        const double u = random.uniform();
        const std::int32_t category = u < 0.4 ? 0 : u < 0.7 ? 1 : u < 0.9 ? 2 : 3;
        const double p = (same_everywhere ? 0.35 : kTaking[static_cast<std::size_t>(category)]) + (random.uniform() < 0.5 ? 0.2 : -0.2);
        for (int patch = 0; patch < 16; ++patch) {
            indices.push_back(random.uniform() < p ? 1 : 0);
            draw.label_T.push_back(category);
            samples.push_back(picture + 1);
        }
    }
    store::RoutingTable table = test::tableOf(indices, 2, 1);
    table.sample_T = samples;
    draw.tokens = tokensOf(std::move(table), 1);
    return draw;
}

TEST(LabelShares, IntervalsCoverTheTruthInTwoThousandDraws) {
    const std::vector<std::string> names = {"0", "1", "2", "3"};
    double taken = 0;
    for (std::size_t c = 0; c < 4; ++c) taken += kCategoryOdds[c] * kTaking[c];
    std::array<int, 4> share_in{}, npmi_in{};
    int all_in = 0, naive_in = 0;
    constexpr int kDraws = 2000;
    for (int draw = 0; draw < kDraws; ++draw) {
        const ClusteredDraw one = drawClustered(static_cast<std::uint64_t>(draw), false);
        const LabelShares each = labelShares(one.tokens, one.label_T, names, {.correct = false});
        const LabelShares together = labelShares(one.tokens, one.label_T, names);
        bool all = true;
        for (const LabelShare& row : each.rows) {
            const auto c = static_cast<std::size_t>(row.label.front() - '0');
            const double joint = kCategoryOdds[c] * kTaking[c], share = joint / taken, npmi = std::log(share / kCategoryOdds[c]) / -std::log(joint);
            share_in[c] += row.share_low <= share && share <= row.share_high;
            npmi_in[c] += row.npmi_low <= npmi && npmi <= row.npmi_high;
            const Interval naive = wilson(row.takers, each.takers);
            naive_in += c == 0 && naive.low <= share && share <= naive.high;
        }
        for (const LabelShare& row : together.rows) {
            const auto c = static_cast<std::size_t>(row.label.front() - '0');
            const double share = kCategoryOdds[c] * kTaking[c] / taken;
            all = all && row.share_low <= share && share <= row.share_high;
        }
        all_in += all;
    }
    for (std::size_t c = 0; c < 4; ++c) {
        EXPECT_NEAR(share_in[c] / static_cast<double>(kDraws), 0.95, 0.015) << "share of category " << c;
        EXPECT_NEAR(npmi_in[c] / static_cast<double>(kDraws), 0.95, 0.015) << "nPMI of category " << c;
    }
    EXPECT_GE(all_in / static_cast<double>(kDraws), 0.94) << "all four at once";
    EXPECT_LE(naive_in / static_cast<double>(kDraws), 0.7) << "patches as if they were independent: this is why they are not counted so";
    RecordProperty("share_0", share_in[0]);
    RecordProperty("npmi_0", npmi_in[0]);
    RecordProperty("all", all_in);
}

TEST(LabelShares, RareLabelsThatSayNothingAreNotFound) {
    // Words of a small vocabulary in five samples or so each: the expert takes every sample's words or none, whatever they are.
    std::vector<std::string> names;
    for (int w = 0; w < 20; ++w) names.push_back("word " + std::to_string(w));
    int found = 0;
    constexpr int kDraws = 400;
    for (int draw = 0; draw < kDraws; ++draw) {
        RandomStream random(static_cast<std::uint64_t>(draw), RandomPurpose::kSynthetic, 1);
        std::vector<std::int32_t> indices, label_T;
        std::vector<std::uint64_t> samples;
        for (std::uint64_t sample = 1; sample <= 40; ++sample) {
            const std::int32_t expert = random.uniform() < 0.4 ? 1 : 0;
            for (int word = 0; word < 3; ++word) {
                indices.push_back(expert);
                label_T.push_back(static_cast<std::int32_t>(random.below(20)));
                samples.push_back(sample);
            }
        }
        store::RoutingTable table = test::tableOf(indices, 2, 1);
        table.sample_T = samples;
        const LabelShares shares = labelShares(tokensOf(table, 1), label_T, names);
        bool any = false;
        for (const LabelShare& row : shares.rows) any = any || row.above() || row.below();
        found += any;
    }
    EXPECT_LE(found, 32) << "of 400 tables, 5 % may";
}

TEST(LabelShares, WhereLabelsSayNothingAFalseFindingIsRare) {
    const std::vector<std::string> names = {"0", "1", "2", "3"};
    int found = 0;
    constexpr int kDraws = 1000;
    for (int draw = 0; draw < kDraws; ++draw) {
        const ClusteredDraw one = drawClustered(static_cast<std::uint64_t>(draw) + 100000, true);
        const LabelShares shares = labelShares(one.tokens, one.label_T, names);
        bool any = false;
        for (const LabelShare& row : shares.rows) any = any || row.above() || row.below();
        found += any;
    }
    EXPECT_LE(found, 70) << "of 1000 tables, 5 % may";
}

/// Four pictures of 2 x 2 patches of 8 x 8 pixels. The left half is red, the right half blue; in pictures 3 and 4 the lower half is a checkerboard.
test::MemoryRun colourRun() {
    test::MemoryRun run;
    for (std::uint64_t hash = 1; hash <= 4; ++hash) {
        store::SampleRecord sample;
        sample.hash = hash;
        sample.category = hash <= 2 ? "plain" : "checked";
        sample.caption = hash <= 2 ? "a plain one" : "a checked one";
        sample.token_ids = {1, hash <= 2 ? 2 : 3, 4};
        sample.token_texts = {
            "\xE2\x96\x81"
            "a",
            hash <= 2 ? "\xE2\x96\x81plain"
                      : "\xE2\x96\x81"
                        "checked",
            "\xE2\x96\x81one"};
        sample.license = "CC0-1.0";
        sample.grid_width = sample.grid_height = 2;
        sample.picture.width = sample.picture.height = 16;
        for (int y = 0; y < 16; ++y)
            for (int x = 0; x < 16; ++x) {
                const bool checked = hash > 2 && y >= 8;
                if (checked) {
                    const std::uint8_t v = (x + y) % 2 == 0 ? 0 : 255;
                    sample.picture.rgba.insert(sample.picture.rgba.end(), {v, v, v, 255});
                } else if (x < 8) {
                    sample.picture.rgba.insert(sample.picture.rgba.end(), {255, 0, 0, 255});
                } else {
                    sample.picture.rgba.insert(sample.picture.rgba.end(), {0, 0, 255, 255});
                }
            }
        SceneTruth truth;
        truth.objects = {{"square", "red", "large", "plain", "", ""}, {"square", "blue", "large", "plain", "", ""}};
        truth.side = 16;
        for (int y = 0; y < 16; ++y)
            for (int x = 0; x < 16; ++x) truth.owner.push_back(hash > 2 && y >= 8 ? 0 : x < 8 ? 1 : 2);
        sample.truth = truth;
        run.samples.push_back(std::move(sample));
    }
    // Patches: red to expert 3, blue to 1, checkered to 0. Of each sample alone and in a pair.
    std::vector<std::int32_t> indices;
    for (int objective = 0; objective < 2; ++objective)
        for (int hash = 1; hash <= 4; ++hash)
            for (int patch = 0; patch < 4; ++patch) indices.push_back(hash > 2 && patch >= 2 ? 0 : patch % 2 == 0 ? 3 : 1);
    store::RoutingTable table = test::tableOf(indices, 4, 1);
    table.step = 100;
    for (std::size_t t = 0; t < 32; ++t) {
        table.sample_T[t] = t / 4 % 4 + 1;
        table.position_T[t] = static_cast<std::uint16_t>(t % 4);
        table.objective_T[t] = t < 16 ? Objective::kImage : Objective::kPairImage;
    }
    run.router_table = {table.router};
    run.probe_tables[{100, "trained"}][0] = table;
    for (std::int64_t step = 1; step <= 200; ++step) {
        store::LoadRecord load;
        load.step = step;
        load.router = RouterId(0);
        load.modality = Modality::kVision;
        load.counts_E = {10, 20, 30, step <= 100 ? 40u : 60u};
        run.addLoad(load);
    }
    return run;
}

ExpertTokens ofRun(const store::RunReader& run, std::int32_t expert) {
    ExpertQuery query;
    query.router = RouterId(0);
    query.expert = ExpertIndex(expert);
    auto tokens = expertTokens(run, query);
    EXPECT_TRUE(tokens) << tokens.error().message();
    return std::move(*tokens);
}

TEST(ExpertLooks, FindThePlantedColour) {
    const test::MemoryRun run = colourRun();
    const ExpertTokens tokens = ofRun(run, 3);
    const auto facts = probeFacts(run, tokens.samples);
    ASSERT_TRUE(facts);
    const ExpertLooks looks = expertLooks(tokens, *facts);
    EXPECT_EQ(looks.patches, 32);
    EXPECT_EQ(looks.samples, 4);
    std::map<std::string, LookRow> rows;
    for (const LookRow& row : looks.rows) rows[row.name] = row;
    EXPECT_NEAR(rows["red"].expert, 1, 1e-6);
    // Of 16 patches of the set: 6 red, 6 blue, 4 half white.
    EXPECT_NEAR(rows["red"].all, (6 + 4 * 0.5) / 16, 1e-6);
    EXPECT_NEAR(rows["red"].difference, 0.5, 1e-6);
    EXPECT_EQ(rows["red"].samples, 4);
    EXPECT_TRUE(std::isnan(rows["red"].low)) << "four pictures are too few for an interval";
    EXPECT_NEAR(rows["edge energy"].expert, 0, 1e-6);
    EXPECT_NEAR(rows["edge energy"].all, 0.25, 1e-6) << "4 of 16 patches change at every pixel";
    EXPECT_TRUE(std::isnan(rows["fine detail"].expert)) << "flat patches have no frequencies";
    EXPECT_NEAR(rows["fine detail"].all, 1, 1e-6) << "2 x 2 means lose all of a checkerboard";
    ASSERT_FALSE(looks.hues.rows.empty());
    for (std::size_t i = 0; i < looks.hues.rows.size(); ++i)
        if (looks.hues.rows[i].label == "red") {
            EXPECT_DOUBLE_EQ(looks.hues.rows[i].share, 1);
            EXPECT_DOUBLE_EQ(looks.hues.rows[i].base, 6.0 / 16);
            EXPECT_NEAR(looks.hue_looks[i].red, 1, 1e-6);
            EXPECT_NEAR(looks.hue_looks[i].blue, 0, 1e-6);
        } else {
            EXPECT_DOUBLE_EQ(looks.hues.rows[i].share, 0) << looks.hues.rows[i].label;
        }
}

TEST(ExpertLooks, HuesHaveTheirNames) {
    const auto name = [](float r, float g, float b) { return hueNames()[static_cast<std::size_t>(hueOf({r, g, b, 0, 0, 0, 0}))]; };
    EXPECT_EQ(name(1, 0, 0), "red");
    EXPECT_EQ(name(1, 0.5f, 0), "orange");
    EXPECT_EQ(name(1, 1, 0), "yellow");
    EXPECT_EQ(name(0, 1, 0), "green");
    EXPECT_EQ(name(0, 1, 1), "cyan");
    EXPECT_EQ(name(0, 0, 1), "blue");
    EXPECT_EQ(name(1, 0, 1), "magenta");
    EXPECT_EQ(name(1, 0, 0.1f), "red") << "hues go round";
    EXPECT_EQ(name(0, 0, 0), "black");
    EXPECT_EQ(name(1, 1, 1), "white");
    EXPECT_EQ(name(0.5f, 0.5f, 0.52f), "dark grey");
}

TEST(ExpertDetails, TruthCategoriesPlacesAndLoad) {
    const test::MemoryRun run = colourRun();
    const ExpertTokens tokens = ofRun(run, 3);
    const auto facts = probeFacts(run, tokens.samples);
    ASSERT_TRUE(facts);
    const auto details = expertDetails(run, tokens, *facts);
    ASSERT_TRUE(details) << details.error().message();
    const LabelShares* colour = details->find(LabelKind::kColour, Modality::kVision);
    ASSERT_NE(colour, nullptr);
    EXPECT_EQ(colour->rows.size(), 2u) << "red and blue; the background is left out";
    for (const LabelShare& row : colour->rows) EXPECT_DOUBLE_EQ(row.share, row.label == "red" ? 1 : 0);
    EXPECT_DOUBLE_EQ(colour->rows.front().base, 0.5);
    EXPECT_EQ(details->find(LabelKind::kShape, Modality::kVision), nullptr) << "all are squares: nothing to tell";
    ASSERT_EQ(details->patches.width, 2);
    ASSERT_EQ(details->patches.height, 2);
    EXPECT_DOUBLE_EQ(details->patches.share_P[0], 1);
    EXPECT_DOUBLE_EQ(details->patches.share_P[1], 0);
    EXPECT_DOUBLE_EQ(details->patches.share_P[2], 0.5);
    EXPECT_DOUBLE_EQ(details->patches.base, 12.0 / 32);
    EXPECT_EQ(details->patches.tokens_P[0], 8);
    EXPECT_EQ(details->words.width, 0);
    EXPECT_EQ(details->load.history.step.size(), 200u);
    EXPECT_NEAR(details->load.share(0), 0.4, 1e-6);
    EXPECT_NEAR(details->load.now, 0.5, 1e-6) << "the last 100 steps";
    EXPECT_EQ(details->load.now_from, 101);
    EXPECT_DOUBLE_EQ(details->load.even, 0.25);
    EXPECT_TRUE(details->similar.empty());
}

TEST(ExpertDetails, OfASetLookAtTheSetOnly) {
    const auto run = std::make_shared<const test::MemoryRun>(colourRun());
    ChosenSet set;
    set.everything = false;
    set.tokens = TokenSet::ofSamples(SampleSet({3, 4}));
    const auto part = restrictTo(run, set);
    const ExpertTokens tokens = ofRun(*part, 0);
    EXPECT_EQ(tokens.tokens, 16);
    EXPECT_DOUBLE_EQ(tokens.share(), 0.5) << "half of the checked pictures";
    EXPECT_EQ(expertGallery(tokens).samples, 2);
}

TEST(Partners, CoactivationAndCorrelation) {
    // k = 2: expert 0 always with 1, never with 3.
    store::RoutingTable table = test::tableOf({0, 1, 2, 3, 0, 1, 3, 2, 1, 2}, 4, 2);
    table.sample_T = {1, 1, 2, 2, 3};
    const ExpertTokens tokens = tokensOf(table, 0);
    const ExpertPartners partners = expertPartners(tokens);
    EXPECT_TRUE(partners.several_choices);
    EXPECT_EQ(partners.correlation_of, "shares of samples");
    const Coactivation all = coactivation(store::RoutingView(table));
    for (const Partner& row : partners.rows) EXPECT_NEAR(row.together, all.conditional_EE[static_cast<std::size_t>(row.expert.value)], 1e-12);
    ASSERT_EQ(partners.rows.size(), 3u);
    for (const Partner& row : partners.rows)
        if (row.expert == ExpertIndex(1)) {
            EXPECT_DOUBLE_EQ(row.together, 1);
            EXPECT_DOUBLE_EQ(row.base, 3.0 / 5);
        }
    store::RoutingTable probable = test::tableOf({0, 1, 2, 0}, 3, 1);
    probable.probs_TE = {0.8f, 0.1f, 0.1f, 0.1f, 0.8f, 0.1f, 0.1f, 0.1f, 0.8f, 0.6f, 0.3f, 0.1f};
    const ExpertPartners correlated = expertPartners(tokensOf(probable, 0));
    EXPECT_FALSE(correlated.several_choices);
    EXPECT_EQ(correlated.correlation_of, "router probabilities over tokens");
    const std::array<double, 4> p0 = {0.8, 0.1, 0.1, 0.6}, p1 = {0.1, 0.8, 0.1, 0.3};
    double m0 = 0, m1 = 0, c = 0, v0 = 0, v1 = 0;
    for (int i = 0; i < 4; ++i) m0 += p0[static_cast<std::size_t>(i)] / 4, m1 += p1[static_cast<std::size_t>(i)] / 4;
    for (std::size_t i = 0; i < 4; ++i) c += (p0[i] - m0) * (p1[i] - m1), v0 += (p0[i] - m0) * (p0[i] - m0), v1 += (p1[i] - m1) * (p1[i] - m1);
    for (const Partner& row : correlated.rows)
        if (row.expert == ExpertIndex(1)) {
            EXPECT_NEAR(row.co_routing, c / std::sqrt(v0 * v1), 1e-6);
        }
}

TEST(ModalityShare, StandsBesideItsBaseRate) {
    store::RoutingTable table = test::tableOf({0, 0, 0, 1, 1, 1, 1, 1, 1, 1}, 2, 1);
    for (std::size_t t = 0; t < 10; ++t) {
        table.modality_T[t] = t < 2 ? Modality::kText : Modality::kVision;
        table.sample_T[t] = t;
    }
    const LabelShares shares = modalityShare(tokensOf(table, 0));
    ASSERT_EQ(shares.rows.size(), 2u);
    for (const LabelShare& row : shares.rows) {
        EXPECT_DOUBLE_EQ(row.share, row.label == "text" ? 2.0 / 3 : 1.0 / 3);
        EXPECT_DOUBLE_EQ(row.base, row.label == "text" ? 0.2 : 0.8);
    }
}

TEST(ExpertPanels, SayWhatTheyRestOn) {
    const auto plan = test::planted({.labels = 4, .experts = 4, .per_label = 400, .samples_per_label = 10, .follow = 0.5});
    const ExpertTokens tokens = tokensOf(plan.table, 2);
    const LabelShares shares = labelShares(tokens, plan.label_T, std::vector<std::string>{"a", "b", "c", "d"});
    const Panel panel = labelPanel(tokens, shares, "Categories", "category");
    ASSERT_FALSE(panel.notes.empty());
    EXPECT_NE(panel.notes.front().find("Bonferroni over 4 labels"), std::string::npos);
    EXPECT_EQ(bestLabelWords(shares).substr(0, 12), "c 0.62 (base");
    EXPECT_EQ(topWords(shares, 7), (std::vector<std::string>{"c"}));
    const auto& table = std::get<TablePanel>(panel.content);
    ASSERT_EQ(table.rows.size(), 4u);
    for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
}

}  // namespace
}  // namespace es::analysis
