// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/attention.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/engine/model/tiny_model.h"

namespace es::engine {
namespace {

using kernels::SequenceRows;

/// Two runs, one run of either kind, none at all; 30 rows.
const std::vector<SequenceRows> kSequences{{0, 9, 18, 4}, {9, 9, 22, 1}, {0, 0, 23, 0}, {0, 0, 23, 7}};

template <class Function>
std::pair<at::Tensor, at::Tensor> outputAndGradient(const Function& function, const at::Tensor& qkv, std::int64_t heads, const at::Tensor& seed,
                                                    const std::vector<SequenceRows>& sequences = kSequences) {
    const at::Tensor leaf = qkv.detach().clone().set_requires_grad(true);
    const at::Tensor out = function(leaf, sequences, heads);
    out.backward(seed);
    return {out.detach(), leaf.grad()};
}

TEST(PackedAttention, EqualsPaddedScaledDotProductAttention) {
    at::manual_seed(5);
    for (const auto& [type, tolerance] : {std::pair{at::kFloat, 2e-6}, std::pair{at::kDouble, 1e-12}}) {
        for (const double scale : {1.0, 6.0}) {
            const at::Tensor qkv = at::randn({30, 3 * 24}, type) * scale, seed = at::randn({30, 24}, type);
            const auto [out, gradient] = outputAndGradient(packedAttention, qkv, 3, seed);
            const auto [expected, expected_gradient] = outputAndGradient(packedAttentionReference, qkv, 3, seed);
            EXPECT_LE((out - expected).abs().max().item<double>(), tolerance * 20) << type;
            EXPECT_LE((gradient - expected_gradient).abs().max().item<double>(), tolerance * 100 * scale) << type;
        }
    }
}

TEST(PackedAttention, SequencesDoNotSeeEachOther) {
    at::manual_seed(6);
    const at::Tensor qkv = at::randn({30, 3 * 8});
    const at::Tensor before = packedAttention(qkv, kSequences, 2);
    qkv.narrow(0, 23, 7).fill_(100);  // the last sequence
    const at::Tensor after = packedAttention(qkv, kSequences, 2);
    EXPECT_TRUE(at::equal(before.narrow(0, 0, 23), after.narrow(0, 0, 23)));
    EXPECT_FALSE(at::equal(before.narrow(0, 23, 7), after.narrow(0, 23, 7)));
}

TEST(PackedAttention, TheNumberOfThreadsDoesNotChangeABit) {
    at::manual_seed(7);
    std::vector<SequenceRows> sequences;  // enough work for threads
    for (std::int64_t i = 0; i < 20; ++i) sequences.push_back({i * 40, 40, 0, 0});
    const at::Tensor qkv = at::randn({800, 3 * 24}), seed = at::randn({800, 24});
    const int threads = at::get_num_threads();
    at::set_num_threads(1);
    const auto one = outputAndGradient(packedAttention, qkv, 3, seed, sequences);
    at::set_num_threads(2);
    const auto two = outputAndGradient(packedAttention, qkv, 3, seed, sequences);
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(one.first, two.first));
    EXPECT_TRUE(at::equal(one.second, two.second));
}

TEST(Attention, DecoupledWithEqualWeightsEqualsShared) {
    at::manual_seed(8);
    const config::RunConfig config = test::tinyConfig();
    const TokenLayout layout = makeTokenLayout(test::randomBatch(config, test::tinyShape(), 1));
    Attention shared(16, 2, "shared"), decoupled(16, 2, "decoupled");
    const at::NoGradGuard no_grad;
    for (const auto& item : shared.named_parameters()) {
        at::Tensor(item.value()).normal_();
        for (const char* modality : {"v.", "t."}) at::Tensor(decoupled.named_parameters()[modality + item.key()]).copy_(item.value());
    }
    const at::Tensor x = at::randn({layout.rows, 16});
    EXPECT_LE((shared.forward(x, layout) - decoupled.forward(x, layout)).abs().max().item<double>(), 1e-4);
    at::Tensor(decoupled.named_parameters()["t.qkv.weight"]).zero_();
    EXPECT_GT((shared.forward(x, layout) - decoupled.forward(x, layout)).abs().max().item<double>(), 1e-2);
    EXPECT_THROW(Attention(16, 3, "shared"), c10::Error);
    EXPECT_THROW(Attention(16, 2, "both"), c10::Error);
}

}  // namespace
}  // namespace es::engine
