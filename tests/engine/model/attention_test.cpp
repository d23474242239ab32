// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/attention.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/engine/model/tiny_model.h"

namespace es::engine {
namespace {

using kernels::SequenceRows;

/// Two runs, one run of either kind, none at all; 30 rows.
const std::vector<SequenceRows> kSequences{{0, 9, 18, 4}, {9, 9, 22, 1}, {0, 0, 23, 0}, {0, 0, 23, 7}};

template <class Function>
std::pair<at::Tensor, at::Tensor> outputAndGradient(const Function& function, const at::Tensor& qkv, std::int64_t heads, const at::Tensor& seed,
                                                    const std::vector<SequenceRows>& sequences = kSequences, const at::Tensor& attended = {}) {
    const at::Tensor leaf = qkv.detach().clone().set_requires_grad(true);
    const at::Tensor out = function(leaf, sequences, heads, attended);
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

TEST(PackedAttention, RowsThatNobodyAttendsToStillAsk) {
    at::manual_seed(15);
    at::Tensor attended = at::ones({30}, at::kBool);
    for (const std::int64_t row : {0, 3, 4, 19, 23, 25, 29}) attended[row].fill_(false);  // row 0 is what padding reads in the reference
    for (const auto& [type, tolerance] : {std::pair{at::kFloat, 2e-6}, std::pair{at::kDouble, 1e-12}}) {
        const at::Tensor qkv = at::randn({30, 3 * 24}, type), seed = at::randn({30, 24}, type);
        const auto [out, gradient] = outputAndGradient(packedAttention, qkv, 3, seed, kSequences, attended);
        const auto [expected, expected_gradient] = outputAndGradient(packedAttentionReference, qkv, 3, seed, kSequences, attended);
        EXPECT_LE((out - expected).abs().max().item<double>(), tolerance * 20) << type;
        EXPECT_LE((gradient - expected_gradient).abs().max().item<double>(), tolerance * 100) << type;
        // Keys and values of a hidden row change nothing and get no gradient; its query has an output of its own.
        EXPECT_EQ(gradient[3].narrow(0, 24, 48).abs().max().item<double>(), 0);
        EXPECT_GT(gradient[3].narrow(0, 0, 24).abs().max().item<double>(), 0);
        at::Tensor other = qkv.clone();
        other[3].narrow(0, 24, 48).fill_(50);
        EXPECT_TRUE(at::equal(packedAttention(other, kSequences, 3, attended), out));
        const at::Tensor all = at::ones({30}, at::kBool);
        EXPECT_TRUE(at::equal(packedAttention(qkv, kSequences, 3, all), packedAttention(qkv, kSequences, 3)));
    }
}

TEST(PackedAttention, ADecidedSoftmaxPassesNoGradientToItsScores) {
    at::manual_seed(17);
    // Keys of length 40 along different axes: each query's own key leads by a score of 800, so that p is exactly 0 or 1 in fp32.
    const at::Tensor axes = at::eye(4) * 40, qkv = at::cat({axes, axes, at::randn({4, 4})}, 1);
    const auto [out, gradient] = outputAndGradient(packedAttention, qkv, 1, at::randn({4, 4}), {{0, 4, 0, 0}});
    EXPECT_TRUE(at::equal(out, qkv.narrow(1, 8, 4)));
    EXPECT_EQ(gradient.narrow(1, 0, 8).abs().max().item<double>(), 0);
    EXPECT_GT(gradient.narrow(1, 8, 4).abs().max().item<double>(), 0);
}

at::Tensor perSample(const at::Tensor& x_TD, const at::Tensor& mask_T, const AttentionWeights& w, std::int64_t heads) {
    const auto split = [&](const at::Tensor& weight, const at::Tensor& bias) {
        return at::linear(x_TD, weight, bias).view({x_TD.size(0), heads, -1}).transpose(0, 1);
    };
    const at::Tensor q = split(w.wq_DD, w.bq_D), k = split(w.wk_DD, w.bk_D), v = split(w.wv_DD, w.bv_D);
    const at::Tensor scores = q.matmul(k.transpose(1, 2)) / std::sqrt(static_cast<double>(q.size(2)));
    const at::Tensor p = scores.masked_fill(mask_T.logical_not(), -std::numeric_limits<double>::infinity()).softmax(2);
    return at::linear(p.matmul(v).transpose(0, 1).reshape(x_TD.sizes()), w.wo_DD, w.bo_D);
}

/// One head of two channels without biases whose queries and keys are the normed rows.
Attention plainAttention() {
    const at::NoGradGuard no_gradient;
    Attention attention(2, 1, "shared");
    for (auto& parameter : attention.named_parameters()) {
        if (parameter.key() == "qkv.weight") parameter.value().copy_(at::cat({at::eye(2), at::eye(2), at::eye(2)}));
        else if (parameter.key().find("bias") != std::string::npos) parameter.value().zero_();
        else if (parameter.key() == "norm.weight") parameter.value().fill_(1);
    }
    return attention;
}

TEST(AttentionReceived, EqualsACalculationByHand) {
    // Normed, (100, 0) is (1, -1) and (0, 100) is (-1, 1): equal rows score s = 2 / sqrt 2, others -s.
    const at::Tensor x_ND = at::tensor({100.f, 0.f, 100.f, 0.f, 0.f, 100.f, 0.f, 100.f}).view({4, 2});
    TokenLayout layout;
    layout.rows = 4;
    layout.vision_rows = 2;
    // The first row and the words of rows 2 and 3 are one sample, row 1 is another of its own.
    layout.sequences = {{0, 1, 2, 2}, {1, 1, 0, 0}};
    const at::Tensor received_N = plainAttention().received(x_ND, layout);
    const double same = std::exp(std::sqrt(2.0)), other = std::exp(-std::sqrt(2.0));
    const double first = (same / (same + 2 * other) + 2 * other / (other + 2 * same)) / 3;
    const double second = (other / (same + 2 * other) + 2 * same / (other + 2 * same)) / 3;
    EXPECT_NEAR(received_N[0].item<double>(), first, 1e-5);
    EXPECT_NEAR(received_N[1].item<double>(), 1, 1e-6) << "a sequence of one row attends to itself";
    EXPECT_NEAR(received_N[2].item<double>(), second, 1e-5);
    EXPECT_NEAR(received_N[3].item<double>(), second, 1e-5);
    EXPECT_NEAR(first + 2 * second, 1, 1e-12);
}

TEST(AttentionReceived, SumsToOneOverEachSequenceAndLeavesForwardAlone) {
    at::manual_seed(21);
    for (const char* kind : {"shared", "decoupled"}) {
        Attention attention(24, 3, kind);
        for (at::Tensor& parameter : attention.parameters()) parameter.detach().normal_(0, 0.4);
        TokenLayout layout;
        layout.rows = 30;
        layout.vision_rows = 18;
        layout.sequences = kSequences;
        const at::Tensor x_ND = at::randn({30, 24});
        const at::Tensor before = attention.forward(x_ND, layout).detach();
        const at::Tensor received_N = attention.received(x_ND, layout);
        EXPECT_FALSE(received_N.requires_grad());
        EXPECT_GT(received_N.narrow(0, 0, 9).std().item<double>(), 0.005) << "not even";
        for (const SequenceRows& s : kSequences)
            if (s.size() > 0)
                EXPECT_NEAR(
                    (received_N.narrow(0, s.first_begin, s.first_count).sum() + received_N.narrow(0, s.second_begin, s.second_count).sum()).item<double>(), 1,
                    1e-5);
        EXPECT_TRUE(at::equal(attention.forward(x_ND, layout).detach(), before));
    }
}

TEST(MaskedSelfAttention, EqualsAttentionOfEachSample) {
    at::manual_seed(16);
    const auto random = [](at::IntArrayRef sizes) { return at::randn(sizes, at::kDouble).set_requires_grad(true); };
    AttentionWeights weights{random({6, 6}), random({6, 6}), random({6, 6}), random({6, 6}), random({6}), random({6}), random({6}), random({6})};
    const at::Tensor x = random({3, 5, 6}), seed = at::randn({3, 5, 6}, at::kDouble);
    const at::Tensor mask = at::tensor({1, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 1, 0}, at::kByte).view({3, 5});
    const std::vector<at::Tensor> inputs{x, weights.wq_DD, weights.wk_DD, weights.wv_DD, weights.wo_DD, weights.bq_D, weights.bk_D, weights.bv_D, weights.bo_D};
    const auto gradients = [&](const at::Tensor& y) {
        for (const at::Tensor& input : inputs) input.mutable_grad().reset();
        y.backward(seed);
        std::vector<at::Tensor> made;
        for (const at::Tensor& input : inputs) made.push_back(input.grad().clone());
        return made;
    };
    const at::Tensor y = maskedSelfAttention(x, mask, weights, 3);
    std::vector<at::Tensor> samples;
    for (std::int64_t b = 0; b < 3; ++b) samples.push_back(perSample(x[b], mask[b], weights, 3));
    const at::Tensor expected = at::stack(samples);
    EXPECT_LE((y - expected).abs().max().item<double>(), 1e-12);
    const auto got = gradients(y), wanted = gradients(expected);
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_LE((got[i] - wanted[i]).abs().max().item<double>(), 1e-11) << i;
    weights.bq_D = weights.bo_D = at::Tensor();  // as if zero
    const at::Tensor without = maskedSelfAttention(x, mask, weights, 3);
    weights.bq_D = weights.bo_D = at::zeros({6}, at::kDouble);
    EXPECT_TRUE(at::equal(without, maskedSelfAttention(x, mask, weights, 3)));
    EXPECT_THROW((void)maskedSelfAttention(x, mask.narrow(1, 0, 4), weights, 3), c10::Error);
    EXPECT_THROW((void)maskedSelfAttention(x, mask, weights, 4), c10::Error);
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
