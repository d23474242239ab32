// SPDX-License-Identifier: GPL-3.0-or-later
// A model whose backward pass computes its layers again, against the same one that keeps them.
#include "engine/model/checkpointed_block.h"

#include <ATen/Parallel.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>

#include "tests/engine/model/tiny_model.h"

namespace es::engine {
namespace {

/// Models this small wait for their threads more than they compute.
class OneThread : public testing::Test {
protected:
    static void SetUpTestSuite() { at::set_num_threads(1); }
};
class CheckpointedBlock : public OneThread {};
class MicroBatches : public OneThread {};
class NonFinite : public OneThread {};

/// The largest that this thread's tensors took together.
class PeakMeter : public c10::MemoryReportingInfoBase {
public:
    void reportMemoryUsage(void* /*pointer*/, std::int64_t bytes, std::size_t /*allocated*/, std::size_t /*reserved*/, c10::Device /*device*/) override {
        live += bytes;
        peak = std::max(peak, live);
    }
    bool memoryProfilingEnabled() const override { return true; }
    std::int64_t live = 0, peak = 0;
};

class CountingObserver final : public RoutingObserver {
public:
    bool wants(LayerIndex /*layer*/, std::int64_t /*step*/) override { return true; }
    void onRouting(const RoutingEvent& event) override { ++calls[event.router.value]; }
    std::map<std::int32_t, int> calls;
};

struct Pass {
    double loss = 0;
    std::map<std::string, at::Tensor> gradients;
    std::vector<at::Tensor> router_losses, counts;
    std::map<std::int32_t, int> calls;
};

Pass run(config::RunConfig config, bool again) {
    config.train.checkpoint_activations = again;
    VlMoe model(config, test::tinyShape(), 5);
    const Batch batch = test::randomBatch(config, test::tinyShape(), 9, {3, 4, 3});
    CountingObserver observer;
    ForwardOptions options;
    options.step = 7;
    options.observer = &observer;
    const ModelOutput output = model.forward(batch, options);
    output.loss.backward();
    Pass out;
    out.loss = output.loss.item<double>();
    for (const auto& parameter : model.named_parameters()) out.gradients[parameter.key()] = parameter.value().grad();
    for (const RouterLosses& router : output.routers) {
        for (const RouterLoss& loss : router.losses) out.router_losses.push_back(loss.value.detach());
        out.counts.push_back(router.counts_E);
    }
    out.calls = observer.calls;
    return out;
}

void expectSame(const char* name, const config::RunConfig& config) {
    SCOPED_TRACE(name);
    const Pass kept = run(config, false), again = run(config, true);
    EXPECT_EQ(kept.loss, again.loss);
    ASSERT_EQ(kept.gradients.size(), again.gradients.size());
    int defined = 0;
    for (const auto& [parameter, gradient] : kept.gradients) {
        const at::Tensor& other = again.gradients.at(parameter);
        ASSERT_EQ(gradient.defined(), other.defined()) << parameter;
        if (!gradient.defined()) continue;
        ++defined;
        EXPECT_TRUE(at::equal(gradient, other)) << parameter << " differs by " << (gradient - other).abs().max().item<double>();
    }
    EXPECT_GT(defined, 20);
    ASSERT_EQ(kept.router_losses.size(), again.router_losses.size());
    for (std::size_t i = 0; i < kept.router_losses.size(); ++i) EXPECT_TRUE(at::equal(kept.router_losses[i], again.router_losses[i]));
    for (std::size_t i = 0; i < kept.counts.size(); ++i) EXPECT_TRUE(at::equal(kept.counts[i], again.counts[i]));
    EXPECT_EQ(kept.calls, again.calls);
    for (const auto& [router, calls] : again.calls) EXPECT_EQ(calls, 1) << "router " << router;
}

TEST_F(CheckpointedBlock, GivesTheSameGradientsToTheBit) {
    config::RunConfig config = test::tinyConfig();
    expectSame("plain", config);
    config.model.drop_path = 0.4;
    config.model.layer_scale = 0.1;
    config.model.sub_norm = true;
    config.model.attention = "decoupled";
    config.moe.router = "noisy_topk";
    config.moe.shared_experts = 1;
    config.moe.shared_gate = true;
    expectSame("stochastic depth, layer scale, norms, noise, a shared expert", config);
    config = test::tinyConfig();
    config.moe.dispatch = "capacity";
    config.moe.activation = config.model.activation = "swiglu";
    config.moe.input_jitter = 0.1;
    config.loss.importance = 0.1;
    config.loss.sequence_balance = 0.1;
    expectSame("capacity, swiglu, jitter, more losses", config);
    config = test::tinyConfig();
    config.moe.router = "soft";
    expectSame("soft", config);
}

TEST_F(CheckpointedBlock, AddsUpOverMicroBatches) {
    const config::RunConfig plain = test::tinyConfig();
    std::vector<std::map<std::string, at::Tensor>> sums;
    for (const bool again : {false, true}) {
        config::RunConfig config = plain;
        config.train.checkpoint_activations = again;
        VlMoe model(config, test::tinyShape(), 5);
        for (const std::uint64_t seed : {1, 2}) (model.forward(test::randomBatch(config, test::tinyShape(), seed), {}).loss / 2).backward();
        auto& sum = sums.emplace_back();
        for (const auto& parameter : model.named_parameters()) sum[parameter.key()] = parameter.value().grad();
    }
    for (const auto& [name, gradient] : sums[0]) EXPECT_TRUE(at::equal(gradient, sums[1].at(name))) << name;
}

TEST_F(CheckpointedBlock, TakesLessMemory) {
    std::vector<std::int64_t> peaks;
    for (const bool again : {false, true}) {
        config::RunConfig config = test::tinyConfig();
        config.model.layers = 8;
        config.train.checkpoint_activations = again;
        VlMoe model(config, test::tinyShape(), 5);
        const Batch batch = test::randomBatch(config, test::tinyShape(), 9, {32, 32, 32});
        const auto meter = std::make_shared<PeakMeter>();
        const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, meter);
        model.forward(batch, {}).loss.backward();
        peaks.push_back(meter->peak);
    }
    EXPECT_LT(peaks[1], peaks[0] / 2) << peaks[1] << " against " << peaks[0];
}

TEST_F(MicroBatches, DrawTheirOwnRandomNumbers) {
    config::RunConfig config = test::tinyConfig();
    config.model.drop_path = 0.5;
    VlMoe model(config, test::tinyShape(), 5);
    const Batch batch = test::randomBatch(config, test::tinyShape(), 9, {8, 8, 8});
    const auto lossOf = [&](std::int64_t step, std::int64_t micro_batch) {
        ForwardOptions options;
        options.step = step;
        options.micro_batch = micro_batch;
        return model.forward(batch, options).loss.item<double>();
    };
    EXPECT_EQ(lossOf(3, 1), lossOf(3, 1));
    EXPECT_NE(lossOf(3, 0), lossOf(3, 1));
    EXPECT_NE(lossOf(3, 1), lossOf(4, 0)) << "not those of the next step either";
}

TEST_F(NonFinite, IsFoundWhereItIsMetFirst) {
    const config::RunConfig config = test::tinyConfig();
    const Batch batch = test::randomBatch(config, test::tinyShape(), 9);
    const auto foundWith = [&](const std::string& poisoned) {
        VlMoe model(config, test::tinyShape(), 5);
        const at::NoGradGuard no_gradient;
        if (!poisoned.empty()) model.named_parameters()[poisoned].fill_(std::numeric_limits<float>::infinity());
        return model.firstNonFinite(batch, {});
    };
    EXPECT_EQ(foundWith(""), "");
    EXPECT_EQ(foundWith("embed.patch.weight"), "embed");
    EXPECT_EQ(foundWith("layers.1.attention.out.weight"), "layers.1.attention");
    EXPECT_EQ(foundWith("layers.1.v.moe.router.weight"), "layers.1.v.moe.router");
    EXPECT_EQ(foundWith("layers.1.t.moe.experts.w2"), "layers.1.t");
    EXPECT_EQ(foundWith("layers.2.vl.ffn.w2"), "layers.2.vl");
    EXPECT_EQ(foundWith("head.word.weight"), "") << "the heads' losses are told by name";
}

}  // namespace
}  // namespace es::engine
