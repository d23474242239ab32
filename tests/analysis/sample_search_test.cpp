// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens most alike and the contact sheet, against counting by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "analysis/figures/contact_sheet.h"
#include "analysis/figures/figure_recipe.h"
#include "analysis/figures/nearest_tokens.h"
#include "engine/base/hash.h"
#include "support/scratch_folder.h"
#include "support/synthetic_run.h"

namespace es::analysis {
namespace {

store::RoutingTable tableOf(const std::vector<std::tuple<std::uint64_t, Objective, std::vector<float>>>& tokens) {
    store::RoutingTable table;
    table.router.experts = 2;
    table.router.k = 1;
    for (const auto& [sample, objective, p] : tokens) {
        table.sample_T.push_back(sample);
        table.position_T.push_back(static_cast<std::uint16_t>(table.tokens++));
        table.modality_T.push_back(Modality::kVision);
        table.objective_T.push_back(objective);
        table.masked_T.push_back(0);
        table.probs_TE.insert(table.probs_TE.end(), p.begin(), p.end());
        table.expert_ids.push_back(p[0] >= p[1] ? 0 : 1);
        table.gates.push_back(1);
    }
    return table;
}

TEST(NearestTokens, ByHellingerDistanceOneASampleWithoutTheTokensOwn) {
    const auto table = tableOf({{1, Objective::kImage, {0.5f, 0.5f}},
                                {2, Objective::kImage, {0.9f, 0.1f}},
                                {2, Objective::kImage, {0.6f, 0.4f}},
                                {3, Objective::kImage, {0.0f, 1.0f}},
                                {4, Objective::kImage, {0.5f, 0.5f}}});
    const std::vector<float> p{0.5f, 0.5f};
    const auto near = nearestTokens(table, p, {.except = 1, .modality = Modality::kVision, .count = 3});
    EXPECT_EQ(near.compared, 4);
    ASSERT_EQ(near.tokens.size(), 3u);
    EXPECT_EQ(near.tokens[0].sample, 4u);
    EXPECT_NEAR(near.tokens[0].distance, 0, 1e-3);
    EXPECT_EQ(near.tokens[1].sample, 2u);
    EXPECT_EQ(near.tokens[1].token.value, 2) << "the nearer of the sample's two";
    EXPECT_NEAR(near.tokens[1].distance, std::sqrt(1 - (std::sqrt(0.3) + std::sqrt(0.2))), 1e-4);
    EXPECT_EQ(near.tokens[2].sample, 3u);
    EXPECT_NEAR(near.tokens[2].distance, std::sqrt(1 - std::sqrt(0.5)), 1e-4);
    EXPECT_EQ(near.tokens[2].expert, 1);
    const auto all = nearestTokens(table, p, {.except = 1, .count = 10, .one_a_sample = false});
    EXPECT_EQ(all.tokens.size(), 4u);
    EXPECT_TRUE(nearestTokens(table, p, {.modality = Modality::kText}).tokens.empty());
    EXPECT_TRUE(nearestTokens(table, std::vector<float>{1.0f}, {}).tokens.empty()) << "a distribution of another router";
}

TEST(NearestTokens, APairStandsForItsSampleAndMaskedTokensAreLeftOut) {
    auto table = tableOf({{2, Objective::kImage, {0.5f, 0.5f}}, {2, Objective::kPairImage, {0.9f, 0.1f}}, {3, Objective::kPairImage, {0.5f, 0.5f}}});
    table.masked_T[2] = 1;
    const auto near = nearestTokens(table, std::vector<float>{0.5f, 0.5f}, {.modality = Modality::kVision});
    ASSERT_EQ(near.tokens.size(), 1u);
    EXPECT_EQ(near.tokens[0].token.value, 1);
    EXPECT_EQ(near.compared, 1);
}

class Sheet : public testing::Test {
protected:
    static void SetUpTestSuite() {
        scratch_ = new test::ScratchFolder;
        const auto written = test::writeSyntheticRun(*scratch_ / "run", {.name = "run", .steps = 240, .samples = 20, .spikes = {}});
        ASSERT_TRUE(written.has_value()) << written.error().message();
        run_ = *store::RunReader::open(*scratch_ / "run");
    }
    static void TearDownTestSuite() {
        run_.reset();
        delete scratch_;
    }
    /// Share of a sample's tokens of the pair that choose the expert first, counted from the table.
    static double shareOf(RouterId router, std::uint64_t sample, int expert) {
        const auto table = *run_->probe({240, "trained"}, router);
        double taken = 0, all = 0;
        for (std::size_t t = 0; t < table.sample_T.size(); ++t) {
            if (table.sample_T[t] != sample || table.objective_T[t] < Objective::kPairImage) continue;
            all += 1;
            taken += table.expert_ids[t] == expert;
        }
        return taken / all;
    }
    static inline test::ScratchFolder* scratch_ = nullptr;
    static inline std::shared_ptr<store::RunReader> run_;
};

TEST_F(Sheet, TheSamplesWithMostOfTheExpertComeFirst) {
    SheetRequest request;
    request.overlay.layer = LayerIndex(1);
    request.overlay.expert_router = RouterId(0);
    request.overlay.expert = ExpertIndex(3);
    request.count = 6;
    const auto sheet = contactSheet(*run_, request);
    ASSERT_TRUE(sheet.has_value()) << sheet.error().message();
    ASSERT_EQ(sheet->items.size(), 6u);
    EXPECT_EQ(sheet->of, run_->probeSamples()->size());
    EXPECT_EQ(sheet->step, 240);
    std::map<std::uint64_t, double> shares;
    const auto probed = run_->probeSamples();
    for (const std::uint64_t sample : *probed) shares[sample] = shareOf(RouterId(0), sample, 3);
    double smallest = 1;
    for (const auto& item : sheet->items) {
        EXPECT_DOUBLE_EQ(item.share, shares.at(item.sample));
        EXPECT_LE(item.share, smallest);
        smallest = item.share;
        EXPECT_EQ(item.tokens, 36);
        const auto& panel = std::get<OverlayPanel>(item.panel.content);
        EXPECT_FALSE(panel.picture.empty());
        int taken = 0;
        for (const auto& cell : panel.patches) taken += cell.expert == 3;
        EXPECT_NEAR(taken / 36.0, item.share, 1e-9) << "what is drawn is what is counted";
        shares.erase(item.sample);
    }
    for (const auto& [sample, share] : shares) EXPECT_LE(share, smallest);
    EXPECT_GT(sheet->items.front().share, sheet->base_share);
}

TEST_F(Sheet, GivenAndRandomOrders) {
    const auto all = *run_->probeSamples();
    SheetRequest request;
    request.order = SheetOrder::kGiven;
    request.samples = {all[5], 999, all[2]};
    const auto given = contactSheet(*run_, request);
    ASSERT_TRUE(given.has_value()) << given.error().message();
    ASSERT_EQ(given->items.size(), 2u) << "a sample that no probe holds is left out";
    EXPECT_EQ(given->of, 2u);
    EXPECT_EQ(given->items[0].sample, all[5]);
    EXPECT_EQ(given->items[1].sample, all[2]);
    request.samples.clear();
    request.order = SheetOrder::kRandom;
    request.count = 8;
    std::set<std::vector<std::uint64_t>> draws;
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
        request.seed = seed;
        const auto drawn = contactSheet(*run_, request), again = contactSheet(*run_, request);
        std::vector<std::uint64_t> samples, same;
        for (const auto& item : drawn->items) samples.push_back(item.sample);
        for (const auto& item : again->items) same.push_back(item.sample);
        EXPECT_EQ(samples, same) << "the same seed draws the same";
        EXPECT_EQ(std::set<std::uint64_t>(samples.begin(), samples.end()).size(), 8u) << "without putting back";
        draws.insert(samples);
    }
    EXPECT_GT(draws.size(), 1u);
    request.overlay.layer = LayerIndex(0);
    EXPECT_FALSE(contactSheet(*run_, request).has_value());
}

TEST_F(Sheet, IsATableForThePage) {
    PanelQuery query;
    query.kind = "samples_of_expert";
    query.runs = {(*scratch_ / "run").string()};
    query.parameters = {{"router", "1.v"}, {"expert", "3"}, {"count", "5"}};
    const auto panel = makePanel(query, std::filesystem::path());
    ASSERT_TRUE(panel.has_value()) << panel.error().message();
    const auto& table = std::get<TablePanel>(panel->content);
    ASSERT_EQ(table.rows.size(), 5u);
    SheetRequest request;
    request.overlay.layer = LayerIndex(1);
    request.overlay.expert_router = RouterId(0);
    request.overlay.expert = ExpertIndex(3);
    const auto sheet = contactSheet(*run_, request);
    for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(table.rows[i][0], hashText(sheet->items[i].sample));
        EXPECT_EQ(table.rows[i][1], run_->sample(sheet->items[i].sample)->caption);
        EXPECT_EQ(table.rows[i][2], "36");
    }
    query.parameters["order"] = "best";
    EXPECT_FALSE(makePanel(query, std::filesystem::path()).has_value());
}

TEST_F(Sheet, ChoosesTheMostFrequentExpertWhereNoneIsNamed) {
    SheetRequest request;
    request.overlay.layer = LayerIndex(2);
    request.overlay.expert_router = RouterId(3);
    request.count = 2;
    const auto sheet = contactSheet(*run_, request);
    ASSERT_TRUE(sheet.has_value());
    EXPECT_EQ(sheet->router.id, RouterId(3));
    const auto table = *run_->probe({240, "trained"}, RouterId(3));
    std::map<int, int> counts;
    for (const auto expert : table.expert_ids) ++counts[expert];
    for (const auto& [expert, count] : counts) EXPECT_LE(count, counts[sheet->expert.value]);
}

}  // namespace
}  // namespace es::analysis
