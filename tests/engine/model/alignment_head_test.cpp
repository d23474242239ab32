// SPDX-License-Identifier: GPL-3.0-or-later
// Contrastive learning and matching inside a whole tiny model.
#include "engine/model/alignment_head.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/model/account.h"
#include "tests/engine/model/tiny_model.h"

namespace es::engine {
namespace {

using test::BatchSizes;
using test::randomBatch;
using test::tinyConfig;
using test::tinyShape;

constexpr auto kContrast = static_cast<std::size_t>(Objective::kContrastive), kMatch = static_cast<std::size_t>(Objective::kMatching);

config::RunConfig aligned() {
    config::RunConfig config = tinyConfig();
    config.loss.contrastive = 1;
    config.loss.matching = 1;
    return config;
}

/// Models so small that threads would only wait for each other.
class Aligning : public testing::Test {
protected:
    static void SetUpTestSuite() { at::set_num_threads(1); }
};

class EventCollector : public RoutingObserver {
public:
    bool wants(LayerIndex, std::int64_t) override { return true; }
    void onRouting(const RoutingEvent& event) override { events.push_back(event); }
    std::vector<RoutingEvent> events;
};

TEST_F(Aligning, MaskedObjectivesAreNotTouched) {
    VlMoe plain(tinyConfig(), tinyShape(), 3), model(aligned(), tinyShape(), 3);
    const Batch batch = randomBatch(tinyConfig(), tinyShape(), 1, {2, 3, 4});
    const ModelOutput before = plain.forward(batch, {}), after = model.forward(batch, {});
    for (std::size_t o = 0; o < kMaskedObjectiveCount; ++o) {
        EXPECT_NEAR(before.objective_loss[o].item<double>(), after.objective_loss[o].item<double>(), 1e-5) << o;
        EXPECT_TRUE(at::equal(before.sample_targets_B[o], after.sample_targets_B[o]));
        EXPECT_FALSE(before.objective_loss[kContrast].defined() || before.objective_loss[kMatch].defined());
    }
    ASSERT_TRUE(after.objective_loss[kContrast].defined() && after.objective_loss[kMatch].defined());
    EXPECT_TRUE(before.figures.empty());
    EXPECT_EQ(after.figures.size(), 4u);
    EXPECT_EQ(after.sample_targets_B[kContrast].sum().item<float>(), 4);
    EXPECT_EQ(after.sample_targets_B[kMatch].sum().item<float>(), 12);
    EXPECT_NEAR(after.sample_loss_sum_B[kMatch].sum().item<double>() / 12, after.objective_loss[kMatch].item<double>(), 1e-6);
}

TEST_F(Aligning, StartsNearWhatGuessingCosts) {
    VlMoe model(aligned(), tinyShape(), 4);
    const ModelOutput output = model.forward(randomBatch(tinyConfig(), tinyShape(), 2, {0, 0, 8}), {});
    // Means of an untrained model are much alike; at a temperature of 0.07 differences weigh all the same.
    EXPECT_NEAR(output.objective_loss[kContrast].item<double>(), std::log(8.0), 3.0);
    EXPECT_NEAR(output.objective_loss[kMatch].item<double>(), std::log(2.0), 0.25);
    EXPECT_EQ(output.figures[2].first, "contrastive/temperature");
    EXPECT_NEAR(output.figures[2].second.item<double>(), kFirstTemperature, 1e-6);
}

TEST_F(Aligning, AnyStreamsWillDo) {
    for (const BatchSizes sizes :
         {BatchSizes{2, 0, 0}, BatchSizes{0, 2, 0}, BatchSizes{0, 0, 3}, BatchSizes{2, 0, 3}, BatchSizes{0, 2, 3}, BatchSizes{2, 2, 1}}) {
        VlMoe model(aligned(), tinyShape(), 4);
        const ModelOutput output = model.forward(randomBatch(tinyConfig(), tinyShape(), 5, sizes), {});
        EXPECT_EQ(output.objective_loss[kContrast].defined(), sizes.pairs > 1) << "a pair alone has nothing to be told from";
        EXPECT_EQ(output.objective_loss[kMatch].defined(), sizes.pairs > 1);
        EXPECT_EQ(output.objective_loss[static_cast<std::size_t>(Objective::kImage)].defined(), sizes.images > 0);
        EXPECT_EQ(output.objective_loss[static_cast<std::size_t>(Objective::kText)].defined(), sizes.texts > 0);
        output.loss.backward();
        for (const auto& parameter : model.named_parameters()) {
            const at::Tensor& gradient = parameter.value().grad();
            EXPECT_TRUE(!gradient.defined() || at::isfinite(gradient).all().item<bool>()) << parameter.key();
        }
        if (sizes.pairs < 2) continue;
        for (const char* name : {"head.align.vision", "head.align.text", "head.align.log_scale", "head.align.pool.weight", "head.align.judge.bias"})
            EXPECT_GT(model.named_parameters()[name].grad().abs().sum().item<double>(), 0) << name;
    }
}

TEST_F(Aligning, EachAloneAndOutsideOfTrainingOnRequest) {
    const Batch batch = randomBatch(tinyConfig(), tinyShape(), 6, {0, 0, 4});
    for (const bool contrastive : {true, false}) {
        config::RunConfig config = tinyConfig();
        (contrastive ? config.loss.contrastive : config.loss.matching) = 1;
        VlMoe model(config, tinyShape(), 7);
        const std::size_t own = contrastive ? kContrast : kMatch, other = contrastive ? kMatch : kContrast;
        const ModelOutput trained = model.forward(batch, {});
        EXPECT_TRUE(trained.objective_loss[own].defined());
        EXPECT_FALSE(trained.objective_loss[other].defined());
        EXPECT_FALSE(model.forward(batch, {.training = false}).objective_loss[own].defined());
        EXPECT_TRUE(model.forward(batch, {.training = false, .align_pairs = true}).objective_loss[own].defined());
    }
}

TEST_F(Aligning, ASchedulePutsItOffAndWeighsIt) {
    config::RunConfig config = aligned();
    config.loss.schedule = {"contrastive 0@10 1@20", "matching 0@1000", "image 0@0", "text 0@0", "pair_image 0@0", "pair_text 0@0"};
    config.loss.balance = config.loss.z = 0;
    VlMoe model(config, tinyShape(), 8);
    const Batch batch = randomBatch(tinyConfig(), tinyShape(), 9, {1, 1, 4});
    const auto at = [&](std::int64_t step) { return model.forward(batch, {.step = step}); };
    EXPECT_FALSE(at(10).objective_loss[kContrast].defined()) << "not computed while it weighs nothing";
    const ModelOutput half = at(15), whole = at(20);
    EXPECT_TRUE(half.objective_loss[0].defined()) << "masked losses are still logged";
    EXPECT_NEAR(half.loss.item<double>(), 0.5 * half.objective_loss[kContrast].item<double>(), 1e-6);
    EXPECT_NEAR(whole.loss.item<double>(), whole.objective_loss[kContrast].item<double>(), 1e-6);
    EXPECT_FALSE(whole.objective_loss[kMatch].defined());
}

TEST_F(Aligning, TheTemperatureStaysInItsBounds) {
    VlMoe model(aligned(), tinyShape(), 8);
    const Batch batch = randomBatch(tinyConfig(), tinyShape(), 9, {0, 0, 3});
    for (const auto& [value, temperature] : {std::pair(50.0, kLowestTemperature), std::pair(-50.0, kHighestTemperature)}) {
        {
            const at::NoGradGuard no_grad;
            model.named_parameters()["head.align.log_scale"].fill_(value);
        }
        EXPECT_NEAR(model.forward(batch, {}).figures[2].second.item<double>(), temperature, 1e-6);
    }
}

TEST_F(Aligning, OtherStepsDrawOtherWrongPairsAndEvaluationsDoNot) {
    config::RunConfig config = tinyConfig();
    config.loss.matching = 1;
    VlMoe model(config, tinyShape(), 8);
    const Batch batch = randomBatch(tinyConfig(), tinyShape(), 9, {0, 0, 6});
    const auto judged = [&](const ForwardOptions& given) {
        EventCollector collector;
        ForwardOptions options = given;
        options.observer = &collector;
        (void)model.forward(batch, options);
        return collector.events.front().blocks.back().sources;
    };
    EXPECT_EQ(judged({.step = 3}), judged({.step = 3}));
    EXPECT_NE(judged({.step = 3}), judged({.step = 4}));
    EXPECT_NE(judged({.step = 3}), judged({.step = 3, .micro_batch = 1}));
    EXPECT_EQ(judged({.training = false, .align_pairs = true, .step = 3}), judged({.training = false, .align_pairs = true, .step = 9}));
}

TEST_F(Aligning, RoutersTellOfTheirTokensToo) {
    VlMoe model(aligned(), tinyShape(), 8);
    const Batch batch = randomBatch(tinyConfig(), tinyShape(), 9, {2, 3, 4});
    EventCollector collector;
    ForwardOptions options;
    options.observer = &collector;
    const ModelOutput output = model.forward(batch, options);
    ASSERT_EQ(collector.events.size(), 4u) << "two layers, two branches, once each";
    EXPECT_EQ(output.routers.size(), 4u);
    for (const RoutingEvent& event : collector.events) {
        std::vector<std::pair<Objective, std::int64_t>> blocks;
        for (const TokenBlock& block : event.blocks) blocks.emplace_back(block.objective, block.samples);
        using Blocks = decltype(blocks);
        const bool vision = event.branch == Branch::kVision;
        EXPECT_EQ(blocks, vision ? (Blocks{{Objective::kImage, 2}, {Objective::kContrastive, 4}, {Objective::kPairImage, 4}, {Objective::kMatching, 12}})
                                 : (Blocks{{Objective::kPairText, 4}, {Objective::kMatching, 12}, {Objective::kText, 3}, {Objective::kContrastive, 4}}));
        std::int64_t rows = 0;
        for (const TokenBlock& block : event.blocks) rows += block.samples * block.per_sample;
        EXPECT_TRUE(event.logits_TE.size(0) == rows || !vision) << "patches are never padded";
        EXPECT_EQ(event.counts_E.sum().item<std::int64_t>(), 2 * event.logits_TE.size(0));
    }
}

TEST_F(Aligning, MeansAreThoseOfEachSample) {
    const Batch batch = randomBatch(tinyConfig(), tinyShape(), 9, {2, 3, 4});
    const NegativePairs negatives = fixedNegatives(4);
    const Batch wide = withAlignmentStreams(batch, true, &negatives);
    const TokenLayout layout = makeTokenLayout(wide);
    RandomStream random(1, RandomPurpose::kSynthetic);
    const at::Tensor x_ND = test::randomNormal({layout.rows, 5}, random);
    const AppendedRows alone = rowsAlone(layout, 4), judged = rowsJudged(layout, 12);
    EXPECT_TRUE(at::allclose(meanOfSamples(x_ND, alone.pictures)[1], x_ND.narrow(0, (2 + 1) * 9, 9).mean(0)));
    EXPECT_TRUE(at::allclose(meanOfSamples(x_ND, judged.pictures)[11], x_ND.narrow(0, layout.vision_rows - 9, 9).mean(0)));
    const auto words = [&](const WordRows& rows, std::int64_t sample) {
        std::vector<at::Tensor> own;
        for (std::int64_t i = 0; i < rows.per_sample; ++i)
            if (const std::int64_t row = rows.row_of_padded[static_cast<std::size_t>(sample * rows.per_sample + i)]; row >= 0) own.push_back(x_ND[row]);
        return at::stack(own).mean(0);
    };
    for (std::int64_t i = 0; i < 4; ++i) EXPECT_TRUE(at::allclose(meanOfSamples(x_ND, alone.captions)[i], words(layout.words, 3 + i), 1e-5, 1e-6)) << i;
    for (std::int64_t i = 0; i < 12; ++i) EXPECT_TRUE(at::allclose(meanOfSamples(x_ND, judged.captions)[i], words(layout.pair_words, 4 + i), 1e-5, 1e-6)) << i;
}

TEST_F(Aligning, IsCounted) {
    for (const bool contrastive : {false, true})
        for (const bool matching : {false, true}) {
            config::RunConfig config = tinyConfig();
            config.loss.contrastive = contrastive;
            config.loss.matching = matching;
            VlMoe model(config, tinyShape(), 1);
            std::int64_t parameters = 0;
            for (const auto& parameter : model.parameters()) parameters += parameter.numel();
            EXPECT_EQ(model.account().parameters_total, parameters);
        }
    config::RunConfig both = aligned(), neither = tinyConfig();
    const auto flops = [](const config::RunConfig& config) { return accountFor(config, tinyShape()).flops_per_step_active; };
    EXPECT_GT(flops(both), 2 * flops(neither)) << "three judged pairs and two streams more";
    const StepSamples samples = samplesThroughLayers(both, false);
    EXPECT_EQ(samples.pairs, 4.0 * static_cast<double>(both.train.batch_pairs));
    EXPECT_EQ(samples.texts, static_cast<double>(both.train.batch_texts + both.train.batch_pairs));
}

TEST_F(Aligning, CodesArePredictedWhereTheBatchHasThem) {
    DataShape shape = tinyShape();
    shape.picture_codes = 7;
    config::RunConfig config = tinyConfig();
    config.model.image_target = "codes";
    VlMoe model(config, shape, 1);
    Batch batch = randomBatch(config, shape, 9, {2, 0, 2});
    EXPECT_FALSE(model.forward(batch, {}).objective_loss[0].defined()) << "no codes, no loss";
    for (auto* images : {&batch.images, &batch.pair_images})
        (*images)->code_BP = at::arange((*images)->masked_BP.numel(), at::kLong).remainder(7).view((*images)->masked_BP.sizes());
    const ModelOutput output = model.forward(batch, {});
    EXPECT_NEAR(output.objective_loss[0].item<double>(), std::log(7.0), 1.0);
    EXPECT_TRUE(at::equal(output.sample_targets_B[0], batch.images->counts_BP.sum(1).to(at::kFloat)));
    EXPECT_TRUE(output.sample_correct_B[0].defined());
    output.loss.backward();
    EXPECT_GT(model.named_parameters()["head.code.weight"].grad().abs().sum().item<double>(), 0);
    EXPECT_FALSE(model.named_parameters().contains("head.pixel.weight"));
    std::int64_t parameters = 0;
    for (const auto& parameter : model.parameters()) parameters += parameter.numel();
    EXPECT_EQ(model.account().parameters_total, parameters);
}

}  // namespace
}  // namespace es::engine
