// SPDX-License-Identifier: GPL-3.0-or-later
// Sub-LayerNorm, layer scale and stochastic depth.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/model/attention.h"
#include "engine/model/feed_forward.h"
#include "engine/model/stochastic_depth.h"
#include "tests/engine/model/gradient_check.h"
#include "tests/engine/model/tiny_model.h"

namespace es::engine {
namespace {

using test::randomBatch;
using test::randomNormal;
using test::tinyConfig;
using test::tinyShape;

struct SingleThread {
    SingleThread() { at::set_num_threads(1); }
    ~SingleThread() { at::set_num_threads(before); }
    int before = at::get_num_threads();
};

void fillParameters(const torch::nn::Module& module, RandomStream& random) {
    const at::NoGradGuard no_grad;
    for (const at::Tensor& parameter : module.parameters()) at::Tensor(parameter).copy_(randomNormal(parameter.sizes(), random, 0.5));
}

std::set<std::string> parameterNames(const config::RunConfig& config) {
    std::set<std::string> names;
    for (const auto& item : VlMoe(config, tinyShape(), 1).named_parameters()) names.insert(item.key());
    return names;
}

double lossOf(const config::RunConfig& config, const ForwardOptions& options, std::uint64_t seed = 5) {
    VlMoe model(config, tinyShape(), seed);
    return model.forward(randomBatch(config, tinyShape(), 3), options).loss.item<double>();
}

TEST(SubNorm, StandsBeforeTheOutputProjections) {
    RandomStream random(1, RandomPurpose::kSynthetic);
    const at::Tensor x = randomNormal({7, 16}, random);
    const auto norm = [](const at::Tensor& y, const at::Tensor& weight, const at::Tensor& bias) {
        return at::layer_norm(y, weight.sizes(), weight, bias, 1e-5);
    };
    const std::vector<TokenBlock> blocks;
    std::vector<RouterLosses> losses;
    const ForwardOptions options;
    ForwardContext context{options, losses};
    for (const Activation activation : {Activation::kGelu, Activation::kSwiglu}) {
        DenseFeedForward network(DenseOptions{16, 20, activation, true, 1.0, true});
        fillParameters(network, random);
        const auto p = network.named_parameters();
        const at::Tensor inner = norm(x, p["norm.weight"], p["norm.bias"]);
        const bool gated = activation == Activation::kSwiglu;
        at::Tensor hidden =
            gated ? at::silu(at::linear(inner, p["ffn.w1"])) * at::linear(inner, p["ffn.w3"]) : at::gelu(at::linear(inner, p["ffn.w1"], p["ffn.b1"]));
        hidden = norm(hidden, p["ffn.norm_weight"], p["ffn.norm_bias"]);
        const at::Tensor expected = gated ? at::linear(hidden, p["ffn.w2"]) : at::linear(hidden, p["ffn.w2"], p["ffn.b2"]);
        EXPECT_TRUE(at::allclose(network.forward({x, blocks, {}, {}}, context), expected, 1e-5, 1e-6));
    }

    TokenLayout layout;  // one sample: three patches, then four words
    layout.rows = 7;
    layout.vision_rows = 3;
    layout.sequences = {{0, 3, 3, 4}};
    for (const char* kind : {"shared", "decoupled"}) {
        Attention attention(16, 2, kind, true);
        fillParameters(attention, random);
        const auto p = attention.named_parameters();
        const std::string v = kind[0] == 's' ? "" : "v.", t = kind[0] == 's' ? "" : "t.";
        const auto byModality = [&](const at::Tensor& y, const auto& each) { return at::cat({each(y.narrow(0, 0, 3), v), each(y.narrow(0, 3, 4), t)}); };
        const at::Tensor qkv = byModality(x, [&](const at::Tensor& y, const std::string& m) {
            return at::linear(norm(y, p[m + "norm.weight"], p[m + "norm.bias"]), p[m + "qkv.weight"], p[m + "qkv.bias"]);
        });
        const at::Tensor mixed = packedAttentionReference(qkv, layout.sequences, 2);
        const at::Tensor expected = byModality(mixed, [&](const at::Tensor& y, const std::string& m) {
            return at::linear(norm(y, p[m + "norm_inner.weight"], p[m + "norm_inner.bias"]), p[m + "out.weight"], p[m + "out.bias"]);
        });
        EXPECT_TRUE(at::allclose(attention.forward(x, layout), expected, 1e-4, 1e-5)) << kind;
    }
}

TEST(SubNorm, EachExpertHasItsOwn) {
    RandomStream random(2, RandomPurpose::kSynthetic);
    GroupedExperts experts({3, 16, 12, Activation::kGelu, true, true});
    fillParameters(experts, random);
    const at::Tensor x = randomNormal({9, 16}, random);
    const std::vector<std::int64_t> offsets{0, 4, 4, 9};  // the second has no rows
    const at::Tensor y = experts.forward(x, offsets);
    const auto& w = experts.weights();
    for (const auto& [e, begin, rows] : {std::tuple{0, 0, 4}, std::tuple{2, 4, 5}}) {
        const at::Tensor hidden = at::gelu(at::linear(x.narrow(0, begin, rows), w.w1_EHD[e], w.b1_EH[e]));
        const at::Tensor normed = at::layer_norm(hidden, {12}, w.norm_weight_EH[e], w.norm_bias_EH[e], 1e-5);
        EXPECT_TRUE(at::allclose(y.narrow(0, begin, rows), at::linear(normed, w.w2_EDH[e], w.b2_ED[e]), 1e-5, 1e-6)) << e;
    }
}

TEST(ModelOptions, AreOffUnlessAskedFor) {
    const std::set<std::string> plain = parameterNames(tinyConfig());
    for (const std::string& name : plain) EXPECT_TRUE(name.find("norm_") == std::string::npos || name.starts_with("head.")) << name;
    config::RunConfig config = tinyConfig();
    config.model.drop_path = 0.5;
    EXPECT_EQ(parameterNames(config), plain);
    config.model.layer_scale = 0.1;
    config.model.sub_norm = true;
    const std::set<std::string> more = parameterNames(config);
    for (const char* name : {"layers.0.attention_scale", "layers.2.ffn_scale", "layers.1.attention.norm_inner.weight", "layers.0.v.moe.experts.norm_weight",
                             "layers.2.vl.ffn.norm_bias"})
        EXPECT_TRUE(more.contains(name)) << name;
}

TEST(ModelOptions, NamesHaveTheirGroupsAndNoDecay) {
    const at::Tensor matrix = at::zeros({2, 2}), vector = at::zeros({2});
    EXPECT_EQ(VlMoe::gradientGroup("layers.0.attention_scale"), "attention");
    EXPECT_EQ(VlMoe::gradientGroup("layers.0.ffn_scale"), "ffn");
    EXPECT_EQ(VlMoe::gradientGroup("layers.0.v.moe.experts.norm_weight"), "norm");
    EXPECT_FALSE(VlMoe::decays("layers.0.v.moe.experts.norm_weight", matrix));
    EXPECT_FALSE(VlMoe::decays("layers.0.v.moe.shared.norm_bias", matrix));
    EXPECT_FALSE(VlMoe::decays("layers.0.ffn_scale", vector));
    EXPECT_TRUE(VlMoe::decays("layers.0.v.moe.experts.w1", matrix));
}

TEST(LayerScale, OneIsNoScaleAndAlmostNoneIsAlmostNoLayer) {
    config::RunConfig config = tinyConfig(), plain = config;
    config.model.layer_scale = 1;
    EXPECT_EQ(lossOf(config, {}), lossOf(plain, {}));
    // A model whose layers add nothing is its embedding and its heads.
    config.model.layer_scale = 1e-7;
    config.loss.balance = config.loss.z = 0;
    config::RunConfig other = config;
    other.model.attention = "decoupled";
    EXPECT_NEAR(lossOf(config, {}), lossOf(other, {}), 1e-4);
    const VlMoe model(config, tinyShape(), 5);
    EXPECT_TRUE(at::allclose(model.named_parameters()["layers.1.ffn_scale"], at::full({16}, 1e-7)));
}

TEST(StochasticDepth, RisesLinearlyAndTakesSamplesWhole) {
    EXPECT_EQ(dropProbability(0.3, 0, 4), 0);
    EXPECT_DOUBLE_EQ(dropProbability(0.3, 1, 4), 0.1);
    EXPECT_DOUBLE_EQ(dropProbability(0.3, 3, 4), 0.3);
    EXPECT_EQ(dropProbability(0.3, 0, 1), 0);

    const config::RunConfig config = tinyConfig();
    const Batch batch = randomBatch(config, tinyShape(), 1, {40, 40, 40});
    const TokenLayout layout = makeTokenLayout(batch);
    const at::Tensor factors = survivalFactors(layout, 0.25, {1, 2, 3}, at::zeros({1}, at::kDouble));
    EXPECT_EQ(factors.scalar_type(), at::kDouble);
    ASSERT_EQ(factors.sizes(), at::IntArrayRef({layout.rows, 1}));
    std::int64_t kept = 0;
    for (const kernels::SequenceRows& sample : layout.sequences) {
        const at::Tensor rows =
            at::cat({factors.narrow(0, sample.first_begin, sample.first_count), factors.narrow(0, sample.second_begin, sample.second_count)});
        EXPECT_EQ(rows.max().item<double>(), rows.min().item<double>());
        if (rows[0].item<double>() > 0) {
            EXPECT_NEAR(rows[0].item<double>(), 4.0 / 3, 1e-6);
            ++kept;
        }
    }
    EXPECT_NEAR(static_cast<double>(kept) / static_cast<double>(layout.sequences.size()), 0.75, 0.12);
    EXPECT_TRUE(at::equal(factors, survivalFactors(layout, 0.25, {1, 2, 3}, factors)));
    for (const DropKey& other : {DropKey{2, 2, 3}, DropKey{1, 3, 3}, DropKey{1, 2, 4}})
        EXPECT_FALSE(at::equal(factors, survivalFactors(layout, 0.25, other, factors)));
    EXPECT_TRUE(survivalFactors(layout, 0, {1, 2, 3}, factors).eq(1).all().item<bool>());
    EXPECT_THROW((void)survivalFactors(layout, 1, {1, 2, 3}, factors), c10::Error);
}

TEST(StochasticDepth, FollowsSeedAndStepAndIsOffInEvaluation) {
    config::RunConfig config = tinyConfig();
    const config::RunConfig plain = config;
    config.model.drop_path = 0.5;
    EXPECT_EQ(lossOf(config, {.step = 3}), lossOf(config, {.step = 3}));
    EXPECT_NE(lossOf(config, {.step = 3}), lossOf(config, {.step = 4}));
    EXPECT_NE(lossOf(config, {.step = 3}), lossOf(plain, {.step = 3}));
    EXPECT_EQ(lossOf(config, {.training = false, .step = 3}), lossOf(plain, {.training = false, .step = 3}));
    EXPECT_EQ(lossOf(config, {.training = false, .step = 3}), lossOf(config, {.training = false, .step = 4}));
}

TEST(ModelOptions, GradientsOfTheWholeModelAgreeWithDifferences) {
    const SingleThread one_thread;
    for (const char* activation : {"gelu", "swiglu"}) {
        config::RunConfig config = tinyConfig();
        config.model.attention = activation[0] == 'g' ? "decoupled" : "shared";
        config.model.activation = config.moe.activation = activation;
        config.model.sub_norm = true;
        config.model.layer_scale = 0.7;
        config.model.drop_path = 0.3;
        config.moe.shared_experts = 1;
        config.moe.renormalize = true;
        VlMoe model(config, tinyShape(), 5);
        model.to(at::kDouble);
        const Batch batch = randomBatch(config, tinyShape(), 1);
        const ForwardOptions options{.step = 2};
        model.forward(batch, options).loss.backward();
        const auto loss = [&] {
            const at::NoGradGuard no_grad;
            return model.forward(batch, options).loss.item<double>();
        };
        for (const auto& item : model.named_parameters()) {
            at::Tensor parameter = item.value().detach();
            ASSERT_TRUE(item.value().grad().defined()) << item.key();
            parameter.mutable_grad() = item.value().grad();
            test::expectGradient(item.key(), parameter, loss, 1);
        }
    }
}

}  // namespace
}  // namespace es::engine
