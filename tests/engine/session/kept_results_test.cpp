// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/session/kept_results.h"

#include <gtest/gtest.h>

#include "support/scratch_folder.h"
#include "support/synthetic_run.h"

namespace es::session {
namespace {

TEST(KeptResults, RecipesAreReadBack) {
    std::vector<Intervention> wishes(3);
    wishes[0] = {InterventionKind::kBan, LayerIndex(1), Branch::kVision, {3, 5}, 0, {Modality::kVision, {7, 8}}};
    wishes[1] = {InterventionKind::kOtherK, LayerIndex(), std::nullopt, {}, 2, {}};
    wishes[2] = {InterventionKind::kDropBest, LayerIndex(2), Branch::kAll, {}, 1, {}};
    const auto recipe = recipeOf(wishes);
    EXPECT_EQ(recipe.front(), "ban 1.v:3,5@patch 7,8");
    EXPECT_EQ(recipe[1], "k all:2");
    const auto read = interventionsOf(recipe);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, wishes);
    for (const char* bad : {"", "ban", "burn 1.v:3", "ban 1.v"}) EXPECT_FALSE(interventionsOf({bad})) << bad;
}

TEST(KeptResults, ASampleKeepsItsLossesWordsAndReroutedTokens) {
    SampleRequest request;
    request.checkpoint = 300;
    request.masked_words = {1};
    request.masked_patches = {4};
    request.interventions = {{InterventionKind::kBan, LayerIndex(1), Branch::kVision, {3}, 0, {}}};
    SampleResult result;
    result.step = 300;  // of a dense model too, whose answer holds no routing
    result.program_version = "1.2";
    result.sample.caption = "a goat";
    result.sample.token_texts = {"a", "goat"};
    result.losses = {{Objective::kPairText, 2.0, 1}, {Objective::kPairImage, 0.5, 9}};
    result.predictions = {{1, {"sheep", "goat"}, {0.5f, 0.25f}}};
    store::RoutingTable table;
    table.router = {RouterId(0), LayerIndex(1), Branch::kVision, "softmax_topk", 4, 1, store::RoutingLayout::kFixedK};
    table.tokens = 36;
    result.routing = {table};
    result.rerouted = {{RouterId(0), {3, 14}}};
    result.baseline.emplace();
    result.baseline->routing = {table};
    result.baseline->predictions = {{1, {"sheep", "goat", "cow"}, {0.4f, 0.3f, 0.2f}}};
    result.baseline->losses = {{Objective::kPairText, 1.5, 1}, {Objective::kPairImage, 0.5, 9}};
    const store::KeptResult kept = keptResult(result, request, 77);
    EXPECT_EQ(kept.checkpoint, 300);
    EXPECT_EQ(kept.sample, 77u);
    EXPECT_EQ(kept.rows, (std::vector<store::EffectRow>{{77, Objective::kPairText, 0, 1, 1.5, 2.0}, {77, Objective::kPairImage, 0, 9, 0.5, 0.5}}));
    ASSERT_EQ(kept.routers.size(), 1u);
    EXPECT_EQ(kept.routers[0].rerouted, 2);
    EXPECT_EQ(kept.routers[0].rows, (std::vector<std::int32_t>{3, 14}));
    ASSERT_EQ(kept.words.size(), 1u);
    EXPECT_EQ(kept.words[0].before_word, "goat") << "the word that stood there, not the first guess";
    EXPECT_FLOAT_EQ(static_cast<float>(kept.words[0].before_p), 0.3f);
    EXPECT_FLOAT_EQ(static_cast<float>(kept.words[0].after_p), 0.25f);
    EXPECT_EQ(kept.words[0].after_word, "sheep");
    EXPECT_EQ(kept.picture_file, "") << "a sample of the run";
    request.image_file = "goat.png";
    EXPECT_EQ(keptResult(result, request, 77).picture_file, std::filesystem::absolute("goat.png").string());
    result.predictions[0].words[1] = "pig";
    EXPECT_EQ(keptResult(result, request, 77).words[0].after_p, -1) << "no longer among the guesses";
}

/// An engine that makes up losses: banning expert e adds e + 1 to each word's loss.
class Batch : public ::testing::Test {
protected:
    Batch() {
        test::SyntheticRunOptions options;
        options.samples = 8;
        options.steps = 200;
        options.experts = 4;
        EXPECT_TRUE(test::writeSyntheticRun(folder_ / "run", options));
        run_ = *store::RunReader::open(folder_ / "run");
    }
    Status answer(const VariantRequest& request, const VariantSink& sink, const JobContext& context) {
        asked_.push_back(request);
        for (std::size_t v = 0; v < request.variants.size(); ++v) {
            if (static_cast<int>(v) == stop_after_) return stopped("The batch");
            InterventionResult result;
            result.baseline.step = result.changed.step = request.checkpoint;
            for (std::uint64_t sample = 1; sample <= 6; ++sample) {
                result.baseline.rows.push_back({sample, Objective::kPairText, 1, 1.0, 2.0, 4, 0, ""});
                result.changed.rows.push_back({sample, Objective::kPairText, 1, 2.0 + request.variants[v][0].experts[0], 2.0, 4, 0, ""});
            }
            for (const auto& router : run_->routers()) result.routers.push_back({router, 100, 10});
            context.progress(static_cast<std::int64_t>(v) + 1, static_cast<std::int64_t>(request.variants.size()), "Evaluating");
            if (Status taken = sink(v, result); !taken) return taken;
        }
        return {};
    }
    VariantRunner runner() {
        return [this](const VariantRequest& request, const VariantSink& sink, const JobContext& context) { return answer(request, sink, context); };
    }
    test::ScratchFolder folder_;
    std::shared_ptr<store::RunReader> run_;
    std::vector<VariantRequest> asked_;
    int stop_after_ = -1;
};

TEST_F(Batch, RunsEveryExpertOnceAndGoesOnWhereItWasStopped) {
    CausalRequest request;
    request.samples = 6;
    stop_after_ = 5;
    const auto part = runCausal(*run_, request, runner(), {});
    ASSERT_FALSE(part);
    EXPECT_EQ(part.error().kind, ErrorKind::kStopped);
    request.checkpoint = *newestCheckpoint(*run_);
    EXPECT_EQ(causalResults(*run_, request)->size(), 5u) << "what was done is kept";
    EXPECT_EQ(causalCount(*run_, request), 16);
    stop_after_ = -1;
    const auto all = runCausal(*run_, request, runner(), {});
    ASSERT_TRUE(all) << all.error().message();
    ASSERT_EQ(all->size(), 16u);
    ASSERT_EQ(asked_.size(), 2u);
    EXPECT_EQ(asked_[0].variants.size(), 16u);
    EXPECT_EQ(asked_[1].variants.size(), 11u) << "only what was missing";
    EXPECT_EQ(all->at(5).interventions, std::vector<std::string>{"ban 1.t:1"}) << "routers, then experts ascending";
    EXPECT_EQ(all->at(5).rows.front().after, 3.0);
    EXPECT_EQ(runCausal(*run_, request, runner(), {})->size(), 16u);
    EXPECT_EQ(asked_.size(), 2u) << "nothing is run twice";
}

TEST_F(Batch, OtherKindsSamplesRoutersAndRunsAreOthers) {
    CausalRequest request;
    request.routers = {RouterId(2)};
    ASSERT_EQ(runCausal(*run_, request, runner(), {})->size(), 4u);
    request.checkpoint = *newestCheckpoint(*run_);
    CausalRequest other = request;
    other.kind = InterventionKind::kSilence;
    EXPECT_TRUE(causalResults(*run_, other)->empty());
    other = request;
    other.samples = 3;
    EXPECT_TRUE(causalResults(*run_, other)->empty());
    other = request;
    other.routers = {RouterId(0)};
    EXPECT_TRUE(causalResults(*run_, other)->empty());
    other.routers = {RouterId(9)};
    EXPECT_FALSE(runCausal(*run_, other, runner(), {}));
    // A run trained anew in the same folder has another identity: its experts were never banned.
    auto kept = *store::Annotations(run_->folder()).results();
    for (auto& one : kept) {
        one.run_uuid = "another";
        ASSERT_TRUE(store::Annotations(run_->folder()).keepResult(one));
    }
    EXPECT_TRUE(causalResults(*run_, request)->empty());
}

TEST_F(Batch, WhatCannotBeKeptStopsTheBatch) {
    std::filesystem::create_directory(folder_ / "run" / store::kAnnotationsFile);
    CausalRequest request;
    const auto failed = runCausal(*run_, request, runner(), {});
    ASSERT_FALSE(failed);
    EXPECT_FALSE(failed.error().remedy.empty());
}

}  // namespace
}  // namespace es::session
