// SPDX-License-Identifier: GPL-3.0-or-later
// The estimate against what the allocator hands out in a real step.
#include "engine/model/memory_estimate.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/engine/model/tiny_model.h"

namespace es::engine {
namespace {

/// Follows every tensor that this thread makes and lets go.
class Meter : public c10::MemoryReportingInfoBase {
public:
    void reportMemoryUsage(void* /*pointer*/, std::int64_t bytes, std::size_t /*allocated*/, std::size_t /*reserved*/, c10::Device /*device*/) override {
        live += bytes;
        peak = std::max(peak, live);
    }
    bool memoryProfilingEnabled() const override { return true; }
    std::int64_t live = 0, peak = 0;
};

config::RunConfig measuredConfig() {
    config::RunConfig config;
    config.model.width = 64;
    config.model.layers = 4;
    config.model.ffn_width = 256;
    config.moe.expert_width = 256;
    config.train.batch_images = config.train.batch_pairs = 12;
    config.train.batch_texts = 24;
    // What randomBatch hides and counts.
    config.train.mask_image = config.train.mask_pair_image = 0.4;
    config.train.mask_text = config.train.mask_pair_text = 0.4;
    return config;
}

Batch fullBatch(const config::RunConfig& config, const DataShape& shape) {
    Batch batch = test::randomBatch(config, shape, 1, {config.train.batch_images, config.train.batch_texts, config.train.batch_pairs});
    RandomStream random(7, RandomPurpose::kSynthetic);
    for (std::optional<TextStream>* stream : {&batch.texts, &batch.pair_texts}) {
        (*stream)->valid_BL.fill_(true);
        (*stream)->masked_BL = test::randomBool((*stream)->valid_BL.sizes(), random, 0.4);
    }
    return batch;
}

/// `activations`: largest relative error; `most`: of the estimated peak over the measured one.
void expectEstimate(const char* name, const config::RunConfig& config, double activations = 0.2, double most = 1.7) {
    const DataShape shape{512, 48, 16};
    const MemoryEstimate estimate = estimateMemory(config, shape);
    const Batch batch = fullBatch(config, shape);
    VlMoe model(config, shape, 1);
    std::int64_t weights = 0;
    for (const at::Tensor& parameter : model.parameters()) weights += 4 * parameter.numel();
    EXPECT_EQ(estimate.weights, static_cast<double>(weights)) << name;

    const auto meter = std::make_shared<Meter>();
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, meter);
    ModelOutput output = model.forward(batch, {});
    const auto kept = static_cast<double>(meter->live);
    EXPECT_NEAR(estimate.activations / kept, 1, activations) << name << ": estimated " << estimate.activations << ", kept " << kept;
    meter->peak = meter->live;
    output.loss.backward();
    const auto peak = static_cast<double>(meter->peak);
    // Gradients are not all there at the peak, and batches ahead are not in this test: from above it may be well more.
    const double estimated = estimate.gradients + estimate.activations + estimate.working;
    EXPECT_GT(estimated / peak, 0.9) << name << ": estimated " << estimated << ", peak " << peak;
    EXPECT_LT(estimated / peak, most) << name << ": estimated " << estimated << ", peak " << peak;
}

TEST(MemoryEstimate, IsCloseToWhatAStepTakes) {
    expectEstimate("sparse", measuredConfig());
    config::RunConfig config = measuredConfig();
    config.model.ffn = "dense";
    expectEstimate("dense", config);
    config.model.attention = "decoupled";
    config.model.sub_norm = true;
    expectEstimate("sub-LayerNorm", config);
    config = measuredConfig();
    config.model.layer_scale = 0.1;
    config.moe.k = 2;
    config.moe.experts = 16;
    config.moe.shared_experts = 1;
    config.model.activation = config.moe.activation = "swiglu";
    expectEstimate("k = 2, shared, swiglu, layer scale", config);
    config = measuredConfig();
    config.moe.router = "soft";
    expectEstimate("soft", config);
    config.moe.pool = "shared";
    expectEstimate("soft in a shared pool", config);
    config.moe.router = "softmax_topk";
    config.moe.overrides = {"2 experts=32 k=4"};
    expectEstimate("shared pool, layers of different experts", config);
    config = measuredConfig();
    config.train.checkpoint_activations = true;
    // Little is kept, so that what is reckoned from above (the heads, gradients, batches ahead) weighs more.
    expectEstimate("checkpointed activations", config, 0.35, 2.1);
    config.model.layers = 12;
    config.moe.k = 2;
    expectEstimate("checkpointed activations of many layers", config, 0.35, 2.1);
    config::RunConfig kept = config;
    kept.train.checkpoint_activations = false;
    const DataShape shape{512, 48, 16};
    EXPECT_LT(estimateMemory(config, shape).activations, 0.3 * estimateMemory(kept, shape).activations);
}

TEST(MemoryEstimate, GrowsWithTheBatchAndTheModel) {
    const DataShape shape{512, 48, 16};
    const MemoryEstimate small = estimateMemory(measuredConfig(), shape);
    config::RunConfig config = measuredConfig();
    config.train.batch_images *= 2;
    config.train.batch_texts *= 2;
    config.train.batch_pairs *= 2;
    EXPECT_NEAR(estimateMemory(config, shape).activations, 2 * small.activations, 1);
    EXPECT_EQ(estimateMemory(config, shape).weights, small.weights);
    EXPECT_EQ(small.total(), small.weights + small.gradients + small.moments + small.activations + small.working);
    EXPECT_EQ(small.moments, 2 * small.weights);
    config = measuredConfig();
    config.train.ema_decay = 0.99;
    EXPECT_EQ(estimateMemory(config, shape).weights, 2 * small.weights) << "the average of the weights";
}

}  // namespace
}  // namespace es::engine
