// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/vl_moe.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/model/account.h"
#include "tests/engine/model/gradient_check.h"
#include "tests/engine/model/tiny_model.h"

namespace es::engine {
namespace {

using test::randomBatch;
using test::tinyConfig;
using test::tinyShape;

/// Thousands of tiny passes: waking threads would cost more than they give.
struct OneThread {
    OneThread() { at::set_num_threads(1); }
    ~OneThread() { at::set_num_threads(before); }
    int before = at::get_num_threads();
};

/// Every parameter at `places` places, in fp64.
void expectModelGradients(const config::RunConfig& config, std::int64_t places) {
    VlMoe model(config, tinyShape(), 5);
    model.to(at::kDouble);
    const Batch batch = randomBatch(config, tinyShape(), 1);
    model.forward(batch, {}).loss.backward();
    const auto loss = [&] {
        const at::NoGradGuard no_grad;
        return model.forward(batch, {}).loss.item<double>();
    };
    for (const auto& item : model.named_parameters()) {
        at::Tensor parameter = item.value().detach();
        parameter.mutable_grad() = item.value().grad();
        test::expectGradient(item.key(), parameter, loss, places);
    }
}

TEST(VlMoe, GradientsOfTheWholeModelAgreeWithDifferences) {
    const OneThread one_thread;
    for (const char* attention : {"shared", "decoupled"}) {
        config::RunConfig config = tinyConfig();
        config.model.attention = attention;
        config.loss.balance = 0.5;
        config.loss.z = 0.1;
        expectModelGradients(config, config.model.attention == "shared" ? 2 : 1);
    }
}

/// Mixtral's and Qwen's kind of feed-forward everywhere, with what else a mixture can have.
config::RunConfig gatedConfig() {
    config::RunConfig config = tinyConfig();
    config.model.activation = config.moe.activation = "swiglu";
    config.moe.shared_experts = 1;
    config.moe.shared_gate = true;
    return config;
}

TEST(VlMoe, GradientsOfGatedAndCapacityModelsAgreeWithDifferences) {
    const OneThread one_thread;
    config::RunConfig config = gatedConfig();
    config.moe.renormalize = true;
    config.loss.balance = 0.5;
    expectModelGradients(config, 1);
    config = tinyConfig();
    config.moe.biases = config.model.ffn_biases = false;
    config.moe.dispatch = "capacity";
    config.moe.capacity_factor = 0.6;
    config.moe.capacity_policy = "batch_priority";
    config.moe.group_size = 20;
    expectModelGradients(config, 1);
}

TEST(VlMoe, CapacityOfEvaluationIsItsOwn) {
    config::RunConfig config = tinyConfig();
    config.moe.dispatch = "capacity";
    config.moe.capacity_factor = 0.3;
    config.moe.capacity_factor_eval = 100;
    VlMoe tight(config, tinyShape(), 5);
    config.moe.dispatch = "dropless";
    VlMoe dropless(config, tinyShape(), 5);
    const Batch batch = randomBatch(config, tinyShape(), 4);
    const auto loss = [&](VlMoe& model, bool training) { return model.forward(batch, {.training = training}).loss.item<double>(); };
    EXPECT_EQ(loss(tight, false), loss(dropless, false));
    EXPECT_NE(loss(tight, true), loss(dropless, true));
}

TEST(VlMoe, WeightsDependOnSeedAndNameAlone) {
    const config::RunConfig config = tinyConfig();
    config::RunConfig wider_top = config;
    wider_top.model.vl_layers = 0;
    VlMoe a(config, tinyShape(), 5), b(config, tinyShape(), 5), c(config, tinyShape(), 6), d(wider_top, tinyShape(), 5);
    for (const auto& item : a.named_parameters()) {
        EXPECT_TRUE(at::equal(item.value(), b.named_parameters()[item.key()])) << item.key();
        if (const at::Tensor* same = d.named_parameters().find(item.key())) {
            EXPECT_TRUE(at::equal(item.value(), *same)) << item.key();
        }
    }
    EXPECT_FALSE(at::equal(a.named_parameters()["layers.0.v.moe.experts.w1"], c.named_parameters()["layers.0.v.moe.experts.w1"]));
    const at::Tensor w1 = a.named_parameters()["layers.0.v.moe.experts.w1"];
    EXPECT_FALSE(at::equal(w1[0], w1[1]));
}

std::vector<at::Tensor> trainThreeSteps(int threads) {
    at::set_num_threads(threads);
    const config::RunConfig config = tinyConfig();
    VlMoe model(config, tinyShape(), 5);
    std::vector<at::Tensor> losses;
    for (int step = 0; step < 3; ++step) {
        const ModelOutput output = model.forward(randomBatch(config, tinyShape(), static_cast<std::uint64_t>(step), {4, 5, 4}), {});
        output.loss.backward();
        losses.push_back(output.loss.detach());
        const at::NoGradGuard no_grad;
        for (const at::Tensor& parameter : model.parameters()) {
            if (!parameter.grad().defined()) continue;
            at::Tensor(parameter).sub_(parameter.grad(), 0.1);
            parameter.mutable_grad().reset();
        }
    }
    return losses;
}

TEST(VlMoe, SameSeedSameBits) {
    const int threads = at::get_num_threads();
    for (const int count : {1, 2}) {
        const std::vector<at::Tensor> first = trainThreeSteps(count), second = trainThreeSteps(count);
        for (std::size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(at::equal(first[i], second[i])) << count << " threads, step " << i;
    }
    at::set_num_threads(threads);
}

TEST(VlMoe, EachStreamAloneWorksAndTrains) {
    const config::RunConfig config = tinyConfig();
    const auto index = [](Objective objective) { return static_cast<std::size_t>(objective); };
    for (const test::BatchSizes& sizes : {test::BatchSizes{3, 0, 0}, {0, 3, 0}, {0, 0, 3}, {2, 2, 0}}) {
        VlMoe model(config, tinyShape(), 5);
        const ModelOutput output = model.forward(randomBatch(config, tinyShape(), 2, sizes), {});
        output.loss.backward();
        EXPECT_TRUE(output.loss.isfinite().item<bool>());
        EXPECT_EQ(output.objective_loss[index(Objective::kImage)].defined(), sizes.images > 0);
        EXPECT_EQ(output.objective_loss[index(Objective::kText)].defined(), sizes.texts > 0);
        EXPECT_EQ(output.objective_loss[index(Objective::kPairText)].defined(), sizes.pairs > 0);
        const bool vision = sizes.images + sizes.pairs > 0, text = sizes.texts + sizes.pairs > 0;
        EXPECT_EQ(output.routers.size(), 2u * (static_cast<unsigned>(vision) + static_cast<unsigned>(text)));
        EXPECT_EQ(model.named_parameters()["layers.0.v.moe.router.weight"].grad().defined(), vision);
        EXPECT_EQ(model.named_parameters()["layers.0.t.moe.router.weight"].grad().defined(), text);
    }
    VlMoe model(config, tinyShape(), 5);
    EXPECT_THROW((void)model.forward({}, {}), c10::Error);
}

TEST(VlMoe, PaddingChangesNothing) {
    const config::RunConfig config = tinyConfig();
    VlMoe model(config, tinyShape(), 5);
    Batch batch = randomBatch(config, tinyShape(), 3);
    for (std::optional<TextStream>* stream : {&batch.texts, &batch.pair_texts}) {
        (*stream)->valid_BL.narrow(1, 4, 2).fill_(false);
        (*stream)->masked_BL.logical_and_((*stream)->valid_BL);
    }
    const at::Tensor before = model.forward(batch, {}).loss.detach();
    for (std::optional<TextStream>* stream : {&batch.texts, &batch.pair_texts}) {
        (*stream)->ids_BL = (*stream)->ids_BL.narrow(1, 0, 4).contiguous();
        (*stream)->masked_BL = (*stream)->masked_BL.narrow(1, 0, 4).contiguous();
        (*stream)->valid_BL = (*stream)->valid_BL.narrow(1, 0, 4).contiguous();
    }
    EXPECT_TRUE(at::equal(before, model.forward(batch, {}).loss.detach()));
}

TEST(VlMoe, HiddenContentIsNotSeen) {
    const config::RunConfig config = tinyConfig();
    VlMoe model(config, tinyShape(), 5);
    Batch batch = randomBatch(config, tinyShape(), 4);
    const ModelOutput before = model.forward(batch, {.training = false});
    batch.images->patches_BPD.masked_fill_(batch.images->masked_BP.unsqueeze(2), 9.0);
    const ModelOutput after = model.forward(batch, {.training = false});
    EXPECT_TRUE(at::equal(before.objective_loss[0], after.objective_loss[0]));
    batch.images->patches_BPD.masked_fill_(batch.images->masked_BP.logical_not().unsqueeze(2), 9.0);
    EXPECT_FALSE(at::equal(before.objective_loss[0], model.forward(batch, {.training = false}).objective_loss[0]));

    // The target word changes the loss but not the prediction.
    const auto text = static_cast<std::size_t>(Objective::kText);
    batch.texts->ids_BL.add_(batch.texts->masked_BL.to(at::kLong)).remainder_(24);
    EXPECT_TRUE(at::equal(before.word_log_probs_NV[text], model.forward(batch, {.training = false}).word_log_probs_NV[text]));
}

TEST(VlMoe, SumsBySampleAddUpToTheMeans) {
    const config::RunConfig config = tinyConfig();
    VlMoe model(config, tinyShape(), 5);
    const Batch batch = randomBatch(config, tinyShape(), 6, {3, 4, 3});
    const ModelOutput output = model.forward(batch, {.training = false});
    EXPECT_FALSE(output.loss.requires_grad());
    for (std::size_t i = 0; i < kMaskedObjectiveCount; ++i) {
        const double targets = output.sample_targets_B[i].sum().item<double>();
        EXPECT_NEAR(output.sample_loss_sum_B[i].sum().item<double>() / targets, output.objective_loss[i].item<double>(), 1e-5);
    }
    const auto text = static_cast<std::size_t>(Objective::kText);
    EXPECT_TRUE(at::equal(output.sample_targets_B[text], batch.texts->masked_BL.sum(1).to(at::kFloat)));
    EXPECT_TRUE(at::equal(output.sample_targets_B[0], batch.images->counts_BP.sum(1).to(at::kFloat)));
    // The log-probabilities are in the order of (sample, position).
    const at::Tensor targets = batch.texts->ids_BL.masked_select(batch.texts->masked_BL);
    const at::Tensor log_probs = output.word_log_probs_NV[text].gather(1, targets.unsqueeze(1));
    EXPECT_NEAR(-log_probs.mean().item<double>(), output.objective_loss[text].item<double>(), 1e-5);
}

class Collector : public RoutingObserver {
public:
    bool wants(LayerIndex, std::int64_t) override { return true; }
    void onRouting(const RoutingEvent& event) override { events.push_back(event); }
    std::vector<RoutingEvent> events;
};

TEST(VlMoe, EventsSayWhichTokenIsWhich) {
    const config::RunConfig config = tinyConfig();
    VlMoe model(config, tinyShape(), 5);
    const Batch batch = randomBatch(config, tinyShape(), 8, {2, 3, 2});
    Collector collector;
    (void)model.forward(batch, {.observer = &collector});
    ASSERT_EQ(collector.events.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) {
        const RoutingEvent& event = collector.events[i];
        const store::RouterInfo& info = model.routers()[i];
        EXPECT_EQ(event.router, info.id);
        EXPECT_EQ(event.layer, info.layer);
        EXPECT_EQ(event.branch, info.branch);
        std::int64_t places = 0;
        for (const TokenBlock& block : event.blocks) places += block.samples * block.per_sample;
        if (event.branch == Branch::kVision) {
            EXPECT_FALSE(event.rows_T.defined());
            EXPECT_EQ(event.indices_TK.size(0), places);
            EXPECT_EQ(places, (2 + 2) * 9);
            continue;
        }
        at::Tensor valid = at::cat({batch.pair_texts->valid_BL.reshape({-1}), batch.texts->valid_BL.reshape({-1})});
        EXPECT_EQ(event.blocks[0].objective, Objective::kPairText);
        EXPECT_EQ(event.blocks[1].objective, Objective::kText);
        EXPECT_EQ(places, valid.numel());
        EXPECT_TRUE(at::equal(event.rows_T, valid.nonzero().squeeze(1)));
        EXPECT_EQ(event.indices_TK.size(0), event.rows_T.size(0));
    }
}

TEST(VlMoe, DemoSettingHasTheExpectedSize) {
    const config::RunConfig config;  // the defaults are the demo's
    VlMoe model(config, {1171, 48, 16}, 1);
    std::int64_t all = 0, experts = 0;
    for (const auto& item : model.named_parameters()) {
        all += item.value().numel();
        if (VlMoe::gradientGroup(item.key()) == "expert") experts += item.value().numel();
    }
    EXPECT_NEAR(static_cast<double>(all) / 1e6, 3.07, 0.03);
    EXPECT_NEAR(static_cast<double>(experts) / 1e6, 2.11, 0.01);
    EXPECT_EQ(model.routers().size(), 4u);
}

std::int64_t countedParameters(const config::RunConfig& config) {
    std::int64_t all = 0;
    for (const at::Tensor& parameter : VlMoe(config, tinyShape(), 1).parameters()) all += parameter.numel();
    return all;
}

TEST(VlMoe, AccountCountsWhatIsThere) {
    for (const char* ffn : {"moe", "dense"}) {
        for (const char* activation : {"gelu", "swiglu"}) {
            for (const bool biases : {true, false}) {
                config::RunConfig config = tinyConfig();
                config.model.ffn = ffn;
                config.model.attention = biases ? "shared" : "decoupled";
                config.model.activation = activation;
                config.moe.activation = biases ? activation : "gelu";
                config.model.ffn_biases = config.moe.biases = biases;
                config.moe.shared_experts = biases ? 0 : 2;
                config.moe.shared_gate = !biases;
                EXPECT_EQ(accountFor(config, tinyShape()).parameters_total, countedParameters(config)) << ffn << activation << biases;
            }
        }
    }
    // Equal active compute but for the routers and the shared experts' gates: the dense twin is as wide as what a token goes through.
    for (config::RunConfig sparse : {tinyConfig(), gatedConfig()}) {
        config::RunConfig dense = sparse;
        dense.model.ffn = "dense";
        const ModelAccount a = accountFor(sparse, tinyShape()), b = accountFor(dense, tinyShape());
        EXPECT_GT(a.flops_per_step_active, b.flops_per_step_active);
        EXPECT_LT(a.flops_per_step_active, 1.05 * b.flops_per_step_active);
        EXPECT_GT(a.flops_per_step_total, 1.2 * a.flops_per_step_active);
        EXPECT_EQ(b.flops_per_step_total, b.flops_per_step_active);
    }
}

TEST(VlMoe, AccountOfSwigluSharedExpertsAndCapacity) {
    const ModelAccount plain = accountFor(tinyConfig(), tinyShape());
    // Tokens of the four routers: each branch of layers 0 and 1 sees all tokens of its modality, pairs included.
    config::RunConfig config = tinyConfig();
    const double images = 9.0 * static_cast<double>(config.train.batch_images + config.train.batch_pairs);
    const double words = 6.0 * static_cast<double>(config.train.batch_texts + config.train.batch_pairs);
    const double one = 3 * 2 * 2 * (images + words) * 16 * 12;  // both layers: forward and backward of one matrix of one expert for each token
    config.moe.activation = "swiglu";
    EXPECT_NEAR(accountFor(config, tinyShape()).flops_per_step_active - plain.flops_per_step_active, 2 * one, 1);
    EXPECT_NEAR(accountFor(config, tinyShape()).flops_per_step_total - plain.flops_per_step_total, 4 * one, 1);
    config = tinyConfig();
    config.moe.shared_experts = 3;
    EXPECT_NEAR(accountFor(config, tinyShape()).flops_per_step_active - plain.flops_per_step_active, 3 * 2 * one, 1);
    EXPECT_EQ(accountFor(config, tinyShape()).parameters_active - plain.parameters_active, 4 * (2 * 36 * 16 + 36 + 16));
    config = tinyConfig();
    config.moe.dispatch = "capacity";
    config.moe.capacity_factor = 0.25;
    EXPECT_NEAR(plain.flops_per_step_active - accountFor(config, tinyShape()).flops_per_step_active, 0.75 * 2 * 2 * one, 1);
}

TEST(VlMoe, GatedModelsTrainAndNameTheirParameters) {
    VlMoe model(gatedConfig(), tinyShape(), 5);
    std::set<std::string> groups;
    for (const auto& item : model.named_parameters()) {
        groups.insert(VlMoe::gradientGroup(item.key()));
        EXPECT_FALSE(item.key().find(".experts.b") != std::string::npos || item.key().find(".ffn.b") != std::string::npos) << item.key();
        if (item.key().ends_with(".w3")) {
            EXPECT_GT(item.value().abs().max().item<double>(), 0) << item.key();  // drawn, not left at zero
        }
    }
    EXPECT_TRUE(groups.contains("shared"));
    EXPECT_EQ(VlMoe::gradientGroup("layers.0.v.moe.shared_gate"), "shared");
    EXPECT_EQ(VlMoe::gradientGroup("layers.0.v.moe.shared.w1"), "shared");
    EXPECT_TRUE(model.named_parameters().contains("layers.0.v.moe.experts.w3"));
    EXPECT_TRUE(model.named_parameters().contains("layers.2.vl.ffn.w3"));
    const ModelOutput output = model.forward(randomBatch(gatedConfig(), tinyShape(), 2), {});
    output.loss.backward();
    for (const auto& item : model.named_parameters()) EXPECT_TRUE(item.value().grad().defined()) << item.key();
}

TEST(VlMoe, ScaledDenseMultipliesTheOutputOfItsLayers) {
    config::RunConfig dense = tinyConfig(), scaled = tinyConfig();
    dense.model.ffn = "dense";
    scaled.model.ffn = "scaled_dense";
    scaled.model.ffn_scales = {0.5, 0.25, 0.125, 2};  // layer 0 v, layer 0 t, layer 1 v, layer 1 t
    VlMoe a(dense, tinyShape(), 5), b(scaled, tinyShape(), 5);
    const Batch batch = randomBatch(dense, tinyShape(), 9);
    EXPECT_FALSE(at::equal(a.forward(batch, {}).loss, b.forward(batch, {}).loss));
    // Scaling the last matrix and its bias in the plain one makes them equal.
    const at::NoGradGuard no_grad;
    const std::array<std::pair<const char*, double>, 4> factors{
        {{"layers.0.v.ffn.", 0.5}, {"layers.0.t.ffn.", 0.25}, {"layers.1.v.ffn.", 0.125}, {"layers.1.t.ffn.", 2}}};
    for (const auto& [name, factor] : factors)
        for (const char* part : {"w2", "b2"}) at::Tensor(a.named_parameters()[std::string(name) + part]).mul_(factor);
    EXPECT_NEAR(a.forward(batch, {}).loss.item<double>(), b.forward(batch, {}).loss.item<double>(), 1e-5);
    scaled.model.ffn_scales = {0.5};
    EXPECT_THROW(VlMoe(scaled, tinyShape(), 5), c10::Error);
}

TEST(VlMoe, RouterDrawsDifferAndRepeat) {
    VlMoe model(tinyConfig(), tinyShape(), 5);
    const at::Tensor draw = model.drawRouterWeight(RouterId(1), 7, 0);
    EXPECT_TRUE(at::equal(draw, model.drawRouterWeight(RouterId(1), 7, 0)));
    EXPECT_FALSE(at::equal(draw, model.drawRouterWeight(RouterId(1), 7, 1)));
    EXPECT_FALSE(at::equal(draw, model.drawRouterWeight(RouterId(2), 7, 0)));
    EXPECT_NEAR(draw.std().item<double>(), 0.5, 0.2);
    EXPECT_THROW((void)model.drawRouterWeight(RouterId(4), 7, 0), c10::Error);
}

TEST(VlMoe, GroupsAndDecayOfParameters) {
    VlMoe model(tinyConfig(), tinyShape(), 5);
    std::set<std::string> groups;
    for (const auto& item : model.named_parameters()) groups.insert(VlMoe::gradientGroup(item.key()));
    EXPECT_EQ(groups, (std::set<std::string>{"attention", "embedding", "expert", "ffn", "head", "norm", "router"}));
    const auto decays = [&](const char* name) { return VlMoe::decays(name, model.named_parameters()[name]); };
    EXPECT_TRUE(decays("layers.0.v.moe.experts.w1"));
    EXPECT_TRUE(decays("layers.0.v.moe.router.weight"));
    EXPECT_TRUE(decays("head.word.weight"));
    EXPECT_FALSE(decays("layers.0.v.moe.experts.b1"));
    EXPECT_FALSE(decays("layers.0.attention.norm.weight"));
    EXPECT_FALSE(decays("embed.word"));
}

TEST(VlMoe, LearnsABatchByHeart) {
    const OneThread one_thread;
    config::RunConfig config = tinyConfig();
    VlMoe model(config, tinyShape(), 5);
    const Batch batch = randomBatch(config, tinyShape(), 10);
    double first = 0, last = 0;
    for (int step = 0; step < 60; ++step) {
        const ModelOutput output = model.forward(batch, {});
        output.loss.backward();
        last = output.loss.item<double>();
        if (step == 0) first = last;
        const at::NoGradGuard no_grad;
        for (const at::Tensor& parameter : model.parameters()) {
            at::Tensor(parameter).sub_(parameter.grad(), 0.1);
            parameter.mutable_grad().reset();
        }
    }
    EXPECT_LT(last, 0.6 * first);
}

}  // namespace
}  // namespace es::engine
