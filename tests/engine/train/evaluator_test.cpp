// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/evaluator.h"

#include <cmath>
#include <map>
#include <numeric>

#include "engine/data/batch_builder.h"
#include "training_fixture.h"

namespace es::engine {
namespace {

class Evaluating : public TrainingFixture {
protected:
    static void SetUpTestSuite() {
        TrainingFixture::SetUpTestSuite();
        ASSERT_GOOD(datasets::prepare(config().data, {}));
        auto source = DataSource::open(config(), {});
        ASSERT_TRUE(source) << source.error().message();
        source_ = *source;
    }
    static void TearDownTestSuite() {
        source_.reset();
        TrainingFixture::TearDownTestSuite();
    }
    static std::unique_ptr<VlMoe> model(std::uint64_t seed) {
        return std::make_unique<VlMoe>(config(), DataShape{source_->tokenizer().size(), source_->dataset().imageSize(), source_->maxWords()}, seed);
    }
    static inline std::shared_ptr<const DataSource> source_;
};

TEST_F(Evaluating, EveryRunIsJudgedOnTheSameHiddenTokens) {
    auto other = config();
    other.run.seed = 77;
    const auto a = Evaluator(source_, config()).run(*model(1), at::kCPU, 0, {}), b = Evaluator(source_, other).run(*model(2), at::kCPU, 0, {});
    ASSERT_TRUE(a && b);
    ASSERT_EQ(a->evaluation.rows.size(), b->evaluation.rows.size());
    for (std::size_t i = 0; i < a->evaluation.rows.size(); ++i) {
        const auto &x = a->evaluation.rows[i], &y = b->evaluation.rows[i];
        EXPECT_EQ(x.sample, y.sample);
        EXPECT_EQ(x.targets, y.targets);
        EXPECT_EQ(x.trivial_loss, y.trivial_loss);
    }
    EXPECT_NE(a->loss[0], b->loss[0]) << "the models differ";
}

TEST_F(Evaluating, RowsAddUpToTheMeans) {
    const auto got = Evaluator(source_, config()).run(*model(1), at::kCPU, 3, {});
    ASSERT_TRUE(got);
    std::map<Objective, std::pair<double, double>> sums;
    for (const auto& row : got->evaluation.rows) {
        if (!row.variant.empty()) continue;
        sums[row.objective].first += row.loss * row.targets;
        sums[row.objective].second += row.targets;
    }
    ASSERT_EQ(sums.size(), 4u);
    double total = 0;
    for (const auto& [objective, sum] : sums) {
        EXPECT_NEAR(got->loss[static_cast<std::size_t>(objective)], sum.first / sum.second, 1e-9);
        total += sum.first / sum.second;
    }
    EXPECT_NEAR(got->total, total, 1e-9) << "all weights are 1";
    EXPECT_EQ(got->evaluation.step, 3);
}

TEST_F(Evaluating, TheWrongPictureChangesOnlyThePicture) {
    const auto got = Evaluator(source_, config()).run(*model(1), at::kCPU, 0, {});
    ASSERT_TRUE(got);
    std::map<std::uint64_t, store::EvaluationRow> right;
    for (const auto& row : got->evaluation.rows)
        if (row.objective == Objective::kPairText && row.variant.empty()) right[row.sample] = row;
    std::size_t controls = 0;
    for (const auto& row : got->evaluation.rows) {
        if (row.variant != kWrongPicture) continue;
        ++controls;
        EXPECT_EQ(row.targets, right.at(row.sample).targets);
        EXPECT_EQ(row.trivial_loss, right.at(row.sample).trivial_loss);
        EXPECT_NE(row.loss, right.at(row.sample).loss);
    }
    EXPECT_EQ(controls, right.size());
    EXPECT_TRUE(std::isfinite(got->wrong_picture));
}

TEST_F(Evaluating, FewerSamplesOnRequest) {
    auto few = config();
    few.train.evaluate_samples = 2;
    const auto got = Evaluator(source_, few).run(*model(1), at::kCPU, 0, {});
    ASSERT_TRUE(got);
    std::map<std::uint64_t, int> samples;
    for (const auto& row : got->evaluation.rows) ++samples[row.sample];
    EXPECT_EQ(samples.size(), 2u);
}

TEST_F(Evaluating, CanBeStopped) {
    std::stop_source stop;
    stop.request_stop();
    JobContext context;
    context.stop = stop.get_token();
    const auto got = Evaluator(source_, config()).run(*model(1), at::kCPU, 0, context);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, ErrorKind::kStopped);
}

TEST_F(Evaluating, TheTrivialPredictorIsTheBestConstant) {
    // On the training split itself no other constant patch and no other distribution of words does better than the fitted one.
    const auto& samples = source_->samples(Split::kTrain, StreamKind::kImages);
    const std::int64_t patches = source_->grid() * source_->grid();
    const MaskOf all = [&](std::int64_t sample, Objective objective) {
        return std::vector<std::uint8_t>(objective == Objective::kImage ? static_cast<std::size_t>(patches) : source_->tokens(sample).size(), 1);
    };
    const TrivialPredictor trivial(*source_, config().train);
    ImageStream images = imagesOf(*source_, samples, Objective::kImage, all);
    const auto sum = [](const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); };
    const double fitted = sum(trivial.imageLoss(images));
    const auto counted = images.counts_BP.sum().item<double>();
    const at::Tensor targets = images.target_BPD.index({images.counts_BP});
    EXPECT_NEAR(fitted / counted, (targets - targets.mean(0)).pow(2).mean().item<double>(), 1e-4);
    EXPECT_LT(fitted / counted, targets.pow(2).mean().item<double>() + 1e-9) << "better than predicting nothing";
    TextStream texts = textsOf(*source_, samples, Objective::kText, all);
    texts.masked_BL = texts.masked_BL.logical_and(texts.ids_BL != source_->tokenizer().unknownId());
    const double words = texts.masked_BL.sum().item<double>();
    EXPECT_LT(sum(trivial.textLoss(texts, Objective::kText)) / words, std::log(static_cast<double>(source_->tokenizer().size() - 2)));
}

}  // namespace
}  // namespace es::engine
