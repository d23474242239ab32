// SPDX-License-Identifier: GPL-3.0-or-later
// Sparse upcycling, other sizes of pictures and captions, and what is refused.
#include "engine/model/weight_transfer.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/engine/model/tiny_model.h"

namespace es::engine {
namespace {

using test::randomBatch;
using test::tinyConfig;
using test::tinyShape;
using testing::HasSubstr;

using Tensors = std::map<std::string, at::Tensor>;

config::RunConfig denseConfig() {
    config::RunConfig config = tinyConfig();
    config.model.ffn = "dense";
    config.moe.k = 1;
    config.moe.expert_width = 20;  // the dense network of the MoE layers is k times as wide
    return config;
}

config::RunConfig sparseConfig() {
    config::RunConfig config = tinyConfig();
    config.moe.expert_width = 20;
    config.moe.renormalize = true;
    return config;
}

std::shared_ptr<VlMoe> made(const config::RunConfig& config, std::uint64_t seed, const DataShape& shape = tinyShape()) {
    at::set_num_threads(1);  // models so small that threads would only wait for each other
    auto model = std::make_shared<VlMoe>(config, shape, seed);
    // Biases and norms that a copy could lose.
    at::manual_seed(static_cast<std::int64_t>(seed));
    const at::NoGradGuard no_gradient;
    for (auto& parameter : model->named_parameters())
        if (parameter.value().dim() == 1) parameter.value().add_(at::randn_like(parameter.value()) * 0.1);
    return model;
}

Tensors tensorsOf(const VlMoe& model) {
    Tensors out;
    for (const auto& parameter : model.named_parameters()) out[parameter.key()] = parameter.value().detach().clone();
    for (const auto& buffer : model.named_buffers()) out[buffer.key()] = buffer.value().clone();
    return out;
}

/// Losses of every sample under every objective.
at::Tensor readings(VlMoe& model, const config::RunConfig& config) {
    const at::NoGradGuard no_gradient;
    ForwardOptions options;
    options.training = false;
    const ModelOutput output = model.forward(randomBatch(config, tinyShape(), 5), options);
    std::vector<at::Tensor> all;
    for (const auto& losses : output.sample_loss_sum_B)
        if (losses.defined()) all.push_back(losses);
    return at::cat(all);
}
double difference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(WeightTransfer, AnUpcycledModelIsTheDenseOneWhereGatesSumToOne) {
    const auto dense = made(denseConfig(), 1);
    const at::Tensor expected = readings(*dense, denseConfig());
    for (const std::int64_t k : {1, 2, 4}) {
        config::RunConfig config = sparseConfig();
        config.moe.k = k;
        const auto sparse = made(config, 2);
        EXPECT_GT(difference(readings(*sparse, config), expected), 0.1);
        const auto report = transferWeights(*sparse, tensorsOf(*dense), {}, "run");
        ASSERT_TRUE(report) << report.error().message();
        EXPECT_LT(difference(readings(*sparse, config), expected), 1e-4) << k;
        EXPECT_EQ(report->upcycled.size(), 16u) << "four tensors in two layers and two branches";
        EXPECT_EQ(report->fresh.size(), 4u) << "the routers";
        EXPECT_TRUE(report->positions.empty());
    }
}

TEST(WeightTransfer, SlicesOfANetworkChosenTogetherAreTheNetwork) {
    const auto dense = made(denseConfig(), 1);
    config::RunConfig config = sparseConfig();
    config.moe.experts = 8;
    config.moe.expert_width = 10;
    config.moe.k = 4;
    const auto sparse = made(config, 2);
    const auto report = transferWeights(*sparse, tensorsOf(*dense), {}, "run");
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_LT(difference(readings(*sparse, config), readings(*dense, denseConfig())), 1e-4);
    const at::Tensor rows = sparse->named_parameters()["layers.1.v.moe.router.weight"];
    EXPECT_TRUE(at::equal(rows[2], rows[3]));
    EXPECT_FALSE(at::equal(rows[3], rows[4]));
    const at::Tensor w1 = sparse->named_parameters()["layers.1.v.moe.experts.w1"];
    EXPECT_TRUE(at::equal(w1[5], dense->named_parameters()["layers.1.v.ffn.w1"].narrow(0, 10, 10)));
    // Training tells them apart: nothing ties them.
    config.moe.k = 3;
    const auto odd = transferWeights(*made(config, 2), tensorsOf(*dense), {}, "run");
    ASSERT_FALSE(odd);
    EXPECT_THAT(odd.error().message(), HasSubstr("moe.k 3 is no multiple of 2"));
    config.moe.k = 2;
    config.moe.experts = 7;
    const auto left = transferWeights(*made(config, 2), tensorsOf(*dense), {}, "run");
    ASSERT_FALSE(left);
    EXPECT_THAT(left.error().message(), HasSubstr("moe.experts 7 is no multiple of 2"));
    config.moe.experts = 8;
    config.moe.router = "cosine";
    EXPECT_FALSE(transferWeights(*made(config, 2), tensorsOf(*dense), {}, "run"));
}

TEST(WeightTransfer, NoiseReplacesItsShareAndNothingElse) {
    const auto dense = made(denseConfig(), 1);
    const auto sparse = made(sparseConfig(), 2);
    ASSERT_TRUE(transferWeights(*sparse, tensorsOf(*dense), {.noise = 0.5, .seed = 9}, "run"));
    const at::Tensor own = dense->named_parameters()["layers.0.t.ffn.w2"];
    const at::Tensor experts = sparse->named_parameters()["layers.0.t.moe.experts.w2"];
    const at::Tensor changed = experts.ne(own.unsqueeze(0));
    EXPECT_NEAR(changed.to(at::kDouble).mean().item<double>(), 0.5, 0.05);
    EXPECT_NEAR(experts.masked_select(changed).std().item<double>(), 0.02, 0.003);
    EXPECT_FALSE(at::equal(experts[0], experts[1]));
    EXPECT_TRUE(at::equal(sparse->named_parameters()["layers.0.t.moe.experts.b1"][3], dense->named_parameters()["layers.0.t.ffn.b1"]));
    const auto again = made(sparseConfig(), 2);
    ASSERT_TRUE(transferWeights(*again, tensorsOf(*dense), {.noise = 0.5, .seed = 9}, "run"));
    EXPECT_TRUE(at::equal(again->named_parameters()["layers.0.t.moe.experts.w2"], experts));
}

TEST(WeightTransfer, SharedExpertsAreCopiedWhenAsked) {
    const auto dense = made(denseConfig(), 1);
    config::RunConfig config = sparseConfig();
    config.moe.shared_experts = 1;
    const auto fresh = made(config, 2), copied = made(config, 2);
    const at::Tensor before = tensorsOf(*fresh)["layers.0.v.moe.shared.w1"];
    ASSERT_TRUE(transferWeights(*fresh, tensorsOf(*dense), {}, "run"));
    EXPECT_TRUE(at::equal(tensorsOf(*fresh)["layers.0.v.moe.shared.w1"], before));
    ASSERT_TRUE(transferWeights(*copied, tensorsOf(*dense), {.shared = true}, "run"));
    EXPECT_TRUE(at::equal(tensorsOf(*copied)["layers.0.v.moe.shared.w1"][0], tensorsOf(*dense)["layers.0.v.ffn.w1"]));
    config.moe.shared_experts = 2;
    const auto wide = transferWeights(*made(config, 2), tensorsOf(*dense), {.shared = true}, "run");
    ASSERT_FALSE(wide);
    EXPECT_THAT(wide.error().message(), HasSubstr("[1, 40, 16]"));
}

TEST(WeightTransfer, TheSameShapeIsCopiedWhole) {
    config::RunConfig config = sparseConfig();
    config.moe.router = "sigmoid_topk";
    config.moe.bias_rate = 0.1;
    const auto source = made(config, 1), model = made(config, 2);
    const auto report = transferWeights(*model, tensorsOf(*source), {}, "run");
    ASSERT_TRUE(report) << report.error().message();
    for (const auto& [name, tensor] : tensorsOf(*source)) EXPECT_TRUE(at::equal(tensor, tensorsOf(*model)[name])) << name;
    EXPECT_EQ(report->copied.size(), tensorsOf(*source).size());
    EXPECT_TRUE(report->fresh.empty() && report->unused.empty());
}

/// Cubic convolution (Keys 1981, a = -0.75) of one row of values, pixel centres kept, edges repeated.
double cubicAt(const std::vector<double>& values, double place) {
    const auto weight = [](double x) {
        x = std::abs(x);
        const double a = -0.75;
        return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0.0;
    };
    const auto last = static_cast<std::int64_t>(values.size()) - 1;
    const auto base = static_cast<std::int64_t>(std::floor(place));
    double sum = 0;
    for (std::int64_t i = base - 1; i <= base + 2; ++i)
        sum += weight(place - static_cast<double>(i)) * values[static_cast<std::size_t>(std::clamp<std::int64_t>(i, 0, last))];
    return sum;
}

TEST(WeightTransfer, PositionsAreInterpolatedBicubic) {
    // Two channels that depend on the row alone and on the column alone.
    const std::vector<double> values{0.3, -1.0, 2.0, 0.7};
    at::Tensor positions = at::empty({16, 2});
    for (std::int64_t y = 0; y < 4; ++y)
        for (std::int64_t x = 0; x < 4; ++x) {
            positions[y * 4 + x][0] = values[static_cast<std::size_t>(y)];
            positions[y * 4 + x][1] = values[static_cast<std::size_t>(x)];
        }
    for (const std::int64_t side : {2, 3, 6, 7}) {
        const at::Tensor resized = interpolatePositions(positions, side);
        ASSERT_EQ(resized.sizes(), at::IntArrayRef({side * side, 2}));
        for (std::int64_t y = 0; y < side; ++y)
            for (std::int64_t x = 0; x < side; ++x) {
                const auto place = [&](std::int64_t i) { return (static_cast<double>(i) + 0.5) * 4.0 / static_cast<double>(side) - 0.5; };
                EXPECT_NEAR(resized[y * side + x][0].item<double>(), cubicAt(values, place(y)), 1e-5) << side << " " << y;
                EXPECT_NEAR(resized[y * side + x][1].item<double>(), cubicAt(values, place(x)), 1e-5) << side << " " << x;
            }
    }
    EXPECT_LT(difference(interpolatePositions(positions, 4), positions), 1e-6);
}

TEST(WeightTransfer, OtherSizesOfPicturesAndCaptionsFit) {
    const config::RunConfig config = sparseConfig();
    const auto source = made(config, 1, {24, 12, 6}), larger = made(config, 2, {24, 20, 9}), smaller = made(config, 2, {24, 8, 4});
    const at::Tensor fresh = tensorsOf(*larger)["embed.position_t"];
    Tensors weights = tensorsOf(*source);
    const auto report = transferWeights(*larger, weights, {}, "run");
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_THAT(report->text(), HasSubstr("from 3 x 3 to 5 x 5, positions of words from 6 on are new"));
    EXPECT_TRUE(at::equal(tensorsOf(*larger)["embed.position_v"], interpolatePositions(weights["embed.position_v"], 5)));
    EXPECT_TRUE(at::equal(tensorsOf(*larger)["embed.position_t"].narrow(0, 0, 6), weights["embed.position_t"]));
    EXPECT_TRUE(at::equal(tensorsOf(*larger)["embed.position_t"].narrow(0, 6, 3), fresh.narrow(0, 6, 3)));
    ASSERT_TRUE(transferWeights(*smaller, weights, {}, "run"));
    EXPECT_TRUE(at::equal(tensorsOf(*smaller)["embed.position_t"], weights["embed.position_t"].narrow(0, 0, 4)));
}

TEST(WeightTransfer, WhatDoesNotFitIsNamedAndChangesNothing) {
    const auto fails = [](const config::RunConfig& config, Tensors source, const std::vector<std::string>& words, const DataShape& shape = tinyShape()) {
        const auto model = made(config, 2, shape);
        const Tensors before = tensorsOf(*model);
        const auto got = transferWeights(*model, source, {}, "runs/other/model.safetensors");
        ASSERT_FALSE(got) << words.front();
        for (const std::string& word : words) EXPECT_THAT(got.error().message(), HasSubstr(word));
        EXPECT_EQ(got.error().path, "runs/other/model.safetensors");
        EXPECT_EQ(got.error().kind, ErrorKind::kBadInput);
        for (const auto& [name, tensor] : tensorsOf(*model)) EXPECT_TRUE(at::equal(tensor, before.at(name))) << name;
    };
    const Tensors dense = tensorsOf(*made(denseConfig(), 1));
    config::RunConfig config = sparseConfig();
    config.moe.expert_width = 15;
    fails(config, dense, {"layers.0.v.ffn", "[4, 15", "20 wide are allowed, or a divisor"});
    config = sparseConfig();
    config.model.width = 24;
    fails(config, dense, {"[16]", "[24]"});
    config = sparseConfig();
    config.model.layers = 4;
    fails(config, dense, {"no tensor 'layers.3.", "[model]"});
    config = sparseConfig();
    config.model.vl_layers = 0;
    fails(config, dense, {"no place for its tensor 'layers.2.vl."});
    config = sparseConfig();
    config.model.patch = 6;
    fails(config, dense, {"'embed.patch.weight' has the shape [16, 48]", "[16, 108]", "model.patch"});
    fails(sparseConfig(), dense, {"'embed.word' has the shape [25, 16]", "[31, 16]", "vocabulary"}, {30, 12, 6});
    config = sparseConfig();
    config.moe.activation = "swiglu";
    fails(config, dense, {"neither 'layers.0.v.moe.experts.w3' nor a dense 'layers.0.v.ffn.w3'"});
    config = sparseConfig();
    config.moe.pool = "shared";
    fails(config, dense, {"share"});
    // The other way round there is nothing to make a dense network of.
    fails(denseConfig(), tensorsOf(*made(sparseConfig(), 1)), {"no tensor 'layers.0.v.ffn."});
    config = sparseConfig();
    config.moe.experts = 5;
    fails(config, tensorsOf(*made(sparseConfig(), 1)), {"'layers.0.v.moe.", "[4,", "[5,", "moe.experts"});
    Tensors damaged = dense;
    damaged["layers.0.v.ffn.w1"] = at::ones({20});
    fails(sparseConfig(), damaged, {"'layers.0.v.moe.experts.w1'", "[20]"});
}

}  // namespace
}  // namespace es::engine
