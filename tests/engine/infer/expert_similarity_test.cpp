// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/infer/expert_similarity.h"

#include <cmath>
#include <set>

#include "engine/infer/checkpoint_model.h"
#include "engine/infer/intervention_runner.h"
#include "engine/model/grouped_experts.h"
#include "engine/train/training_fixture.h"

namespace es::engine {
namespace {

double at(const at::Tensor& matrix, int i, int j) { return matrix[i][j].item<double>(); }

TEST(Similarity, CosinesOfRowsAreThoseByHand) {
    const at::Tensor rows = at::tensor({3.0, 4.0, 4.0, 3.0, -3.0, -4.0, 0.0, 0.0}, at::kDouble).view({4, 2});
    const at::Tensor cos = rowCosines(rows);
    EXPECT_NEAR(at(cos, 0, 1), 24.0 / 25, 1e-12);
    EXPECT_NEAR(at(cos, 0, 2), -1, 1e-12);
    EXPECT_NEAR(at(cos, 1, 1), 1, 1e-12);
    EXPECT_TRUE(std::isnan(at(cos, 0, 3))) << "a row of zeros points nowhere";
}

TEST(Similarity, OutputsAreComparedTokenByToken) {
    // Expert 0: (1,0), (0,2). Expert 1: (1,1), (0,5). Expert 2: (0,0), (3,0).
    const at::Tensor y = at::tensor({1.0, 0.0, 0.0, 2.0, 1.0, 1.0, 0.0, 5.0, 0.0, 0.0, 3.0, 0.0}, at::kDouble).view({3, 2, 2});
    const at::Tensor cos = outputCosines(y);
    EXPECT_NEAR(at(cos, 0, 1), (1 / std::sqrt(2.0) + 1) / 2, 1e-12);
    EXPECT_NEAR(at(cos, 0, 2), 0, 1e-12) << "only the second token has both outputs";
    EXPECT_NEAR(at(cos, 1, 0), at(cos, 0, 1), 1e-15);
    EXPECT_NEAR(at(cos, 2, 2), 1, 1e-12);
}

TEST(Similarity, LinearCkaIsItsFormulaAndKnowsNoRotationOrScale) {
    const at::Tensor x = at::tensor({1.0, 2.0, 3.0, 5.0, 4.0, 1.0, 0.0, 2.0}, at::kDouble).view({4, 2});
    const at::Tensor turned = at::matmul(x, at::tensor({0.6, 0.8, -0.8, 0.6}, at::kDouble).view({2, 2})) * 7 + 3;
    const at::Tensor other = at::tensor({1.0, 0.0, 0.0, 1.0, 2.0, 2.0, -1.0, 4.0}, at::kDouble).view({4, 2});
    const at::Tensor same = at::ones({4, 2}, at::kDouble);
    const at::Tensor cka = linearCka(at::stack({x, turned, other, same}));
    EXPECT_NEAR(at(cka, 0, 1), 1, 1e-12);
    const at::Tensor a = x - x.mean(0, true), b = other - other.mean(0, true);
    const auto square = [](const at::Tensor& m) { return m.square().sum().item<double>(); };
    const double hand = square(at::matmul(b.t(), a)) / std::sqrt(square(at::matmul(a.t(), a)) * square(at::matmul(b.t(), b)));
    EXPECT_GT(hand, 0.01);
    EXPECT_LT(hand, 0.99);
    EXPECT_NEAR(at(cka, 0, 2), hand, 1e-12);
    EXPECT_NEAR(at(cka, 2, 1), hand, 1e-12);
    EXPECT_TRUE(std::isnan(at(cka, 0, 3))) << "a constant output does not vary";
    // With fewer tokens than features the other of two ways is taken; both are the same number.
    const at::Tensor wide = at::cat({at::stack({x, other}), at::zeros({2, 4, 6}, at::kDouble)}, 2);
    EXPECT_NEAR(at(linearCka(wide), 0, 1), hand, 1e-12);
}

class SimilarityOfARun : public TrainingFixture {
protected:
    static void SetUpTestSuite() {
        TrainingFixture::SetUpTestSuite();
        ASSERT_GOOD(train("run", config()));
    }
    static session::SimilarityRequest request() {
        session::SimilarityRequest out;
        out.run = path("run");
        return out;
    }
};

TEST_F(SimilarityOfARun, AllMeasuresOfAllRoutersWithTheirTokens) {
    const auto got = expertSimilarity(request(), {});
    ASSERT_TRUE(got) << got.error().message();
    ASSERT_EQ(got->size(), 8u) << "four measures of two routers";
    for (const auto& one : *got) {
        EXPECT_EQ(one.step, 10);
        EXPECT_EQ(one.experts, 4);
        ASSERT_EQ(one.values_EE.size(), 16u);
        EXPECT_EQ(one.tokens > 0, one.measure == "outputs" || one.measure == "cka") << one.measure;
        for (std::size_t i = 0; i < 4; ++i) {
            EXPECT_NEAR(one.values_EE[i * 4 + i], 1, 1e-6) << one.measure;
            for (std::size_t j = 0; j < 4; ++j) EXPECT_NEAR(one.values_EE[i * 4 + j], one.values_EE[j * 4 + i], 1e-12);
        }
    }
    // Weights straight from the checkpoint.
    const auto model = openCheckpoint(path("run"), 10);
    ASSERT_TRUE(model);
    const ExpertWeights& weights = model->model->expertsOf(RouterId(0)).weights();
    double dot = 0, first = 0, second = 0;
    for (const at::Tensor& part : {weights.w1_EHD, weights.b1_EH, weights.w2_EDH, weights.b2_ED}) {
        if (!part.defined()) continue;
        dot += (part[0] * part[3]).sum().item<double>();
        first += part[0].square().sum().item<double>();
        second += part[3].square().sum().item<double>();
    }
    const auto found = std::find_if(got->begin(), got->end(), [](const auto& one) { return one.router == RouterId(0) && one.measure == "weights"; });
    EXPECT_NEAR(found->values_EE[3], dot / std::sqrt(first * second), 1e-5);
    session::SimilarityRequest few = request();
    few.routers = {RouterId(1)};
    few.max_tokens = 3;
    const auto some = expertSimilarity(few, {});
    ASSERT_TRUE(some) << some.error().message();
    ASSERT_EQ(some->size(), 4u);
    for (const auto& one : *some) EXPECT_EQ(one.tokens, one.measure == "outputs" || one.measure == "cka" ? 3 : 0) << one.measure;
}

TEST_F(SimilarityOfARun, MistakesAreNamedAndStopIsHeard) {
    auto wrong = request();
    wrong.routers = {RouterId(7)};
    EXPECT_NE(expertSimilarity(wrong, {}).error().message().find("no router 7"), std::string::npos);
    wrong = request();
    wrong.checkpoint = 3;
    EXPECT_NE(expertSimilarity(wrong, {}).error().message().find("5, 10"), std::string::npos);
    wrong.run = path("nowhere");
    EXPECT_EQ(expertSimilarity(wrong, {}).error().kind, ErrorKind::kBadInput);
    std::stop_source stop;
    stop.request_stop();
    const auto ended = expertSimilarity(request(), {stop.get_token(), {}, {}});
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().kind, ErrorKind::kStopped);
}

TEST_F(SimilarityOfARun, VariantsAreEachTheInterventionAlone) {
    const auto ban = [](std::int32_t expert) {
        return session::Intervention{session::InterventionKind::kBan, LayerIndex(1), Branch::kVision, {expert}, 0, {}};
    };
    session::VariantRequest request{path("run"), -1, {{ban(0)}, {ban(0), ban(1)}, {}}, 0};
    std::vector<session::InterventionResult> results;
    std::vector<Progress> told;
    JobContext context;
    context.onProgress = [&](const Progress& progress) { told.push_back(progress); };
    const session::VariantSink take = [&](std::size_t variant, const session::InterventionResult& result) -> Status {
        EXPECT_EQ(variant, results.size());
        results.push_back(result);
        return {};
    };
    ASSERT_GOOD(evaluateVariants(request, take, context));
    ASSERT_EQ(results.size(), 3u);
    EXPECT_GE(told.size(), 4u);
    EXPECT_EQ(told.back().done, told.back().total);
    for (std::size_t v = 0; v < 3; ++v) {
        const auto alone = evaluateInterventions({request.run, -1, request.variants[v], 0}, {});
        ASSERT_TRUE(alone) << alone.error().message();
        ASSERT_EQ(alone->changed.rows.size(), results[v].changed.rows.size());
        for (std::size_t i = 0; i < alone->changed.rows.size(); ++i) EXPECT_EQ(alone->changed.rows[i].loss, results[v].changed.rows[i].loss);
        EXPECT_EQ(alone->routers[0].rerouted, results[v].routers[0].rerouted);
        EXPECT_FALSE(results[v].program_version.empty());
    }
    EXPECT_EQ(results[2].routers[0].rerouted, 0);
    EXPECT_GE(results[1].routers[0].rerouted, results[0].routers[0].rerouted);
    // Every judged sample is named, once.
    std::set<std::uint64_t> rows, names;
    for (const auto& row : results[0].baseline.rows) rows.insert(row.sample);
    for (const auto& name : results[0].names) EXPECT_TRUE(names.insert(name.hash).second);
    EXPECT_EQ(rows, names);
    // A sink that fails ends the work with its error.
    int taken = 0;
    const session::VariantSink full = [&](std::size_t, const session::InterventionResult&) -> Status {
        ++taken;
        return jobFailed("Cannot keep the result", "the disk is full", "Free some space");
    };
    const Status ended = evaluateVariants(request, full, {});
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().why, "the disk is full");
    EXPECT_EQ(taken, 1);
}

}  // namespace
}  // namespace es::engine
