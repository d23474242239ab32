// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/tokenizer/vector_quantizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace es::engine {
namespace {

/// Vectors of length 1 around `centres` directions, `each` of them.
at::Tensor clusters(const at::Tensor& centres_KC, std::int64_t each, double spread, std::uint64_t seed) {
    RandomStream random(seed, RandomPurpose::kSynthetic);
    at::Tensor out = centres_KC.repeat({each, 1}).clone();
    float* data = out.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < out.numel(); ++i) data[i] += static_cast<float>(spread * random.normal());
    return out / out.square().sum(1, true).sqrt();
}

TEST(VectorQuantizer, FindsTheClustersOfItsData) {
    const at::Tensor centres = at::eye(6), data = clusters(centres, 50, 0.05, 1);
    RandomStream random(1, RandomPurpose::kImageTokenizer);
    VectorQuantizer quantizer = VectorQuantizer::fitted(data, 24, {}, random);
    for (int round = 0; round < 30; ++round) (void)quantizer.update(data, quantizer.nearest(data), random);
    const at::Tensor code = quantizer.nearest(data);
    const at::Tensor cosine = (quantizer.codebook().index_select(0, code) * data).sum(1);
    EXPECT_GT(cosine.min().item<double>(), 0.95) << "every vector has a code near it";
    std::set<std::int64_t> first, second;
    for (std::int64_t i = 0; i < code.numel(); ++i) (i % 6 == 0 ? first : second).insert(code[i].item<std::int64_t>());
    for (const std::int64_t one : first) EXPECT_FALSE(second.contains(one)) << "clusters do not share codes";
    EXPECT_TRUE(at::allclose(quantizer.codebook().square().sum(1), at::ones({24}), 1e-5, 1e-5));
}

TEST(VectorQuantizer, MovesByTheMovingAverage) {
    const at::Tensor book = at::eye(2);
    VectorQuantizer quantizer(book, {.decay = 0.75, .revive_below = 0});
    const at::Tensor z = at::tensor({0.6F, 0.8F}).view({1, 2});
    RandomStream random(1, RandomPurpose::kImageTokenizer);
    EXPECT_EQ(quantizer.update(z, at::ones({1}, at::kLong), random), 0);
    // m_1 = 0.75 (0, 1) + 0.25 (0.6, 0.8); code 0 shrinks and keeps its direction.
    const double x = 0.25 * 0.6, y = 0.75 + 0.25 * 0.8, norm = std::sqrt(x * x + y * y);
    EXPECT_NEAR(quantizer.codebook()[1][0].item<double>(), x / norm, 1e-6);
    EXPECT_NEAR(quantizer.codebook()[1][1].item<double>(), y / norm, 1e-6);
    EXPECT_TRUE(at::equal(quantizer.codebook()[0], book[0]));
}

TEST(VectorQuantizer, DeadCodesStartAgainAsVectorsOfTheData) {
    // Three codes; the data lie at one of them.
    const at::Tensor data = clusters(at::eye(3).narrow(0, 0, 1), 40, 0.02, 2);
    for (const double below : {0.05, 0.0}) {
        VectorQuantizer quantizer(at::eye(3), {.decay = 0.8, .revive_below = below});
        RandomStream random(3, RandomPurpose::kImageTokenizer);
        std::int64_t revived = 0;
        for (int round = 0; round < 30; ++round) revived += quantizer.update(data, quantizer.nearest(data), random);
        EXPECT_EQ(revived > 0, below > 0);
        const double used = countCodes(quantizer.nearest(data), 3).gt(0).sum().item<double>();
        if (below > 0) EXPECT_EQ(used, 3);
        else EXPECT_EQ(used, 1) << "left alone, codes die";
    }
}

TEST(VectorQuantizer, IsTheSameToTheBitEachTime) {
    const at::Tensor data = clusters(at::eye(4), 30, 0.3, 5);
    const auto run = [&] {
        RandomStream random(9, RandomPurpose::kImageTokenizer);
        VectorQuantizer quantizer = VectorQuantizer::fitted(data, 16, {}, random);
        for (int round = 0; round < 5; ++round) (void)quantizer.update(data, quantizer.nearest(data), random);
        return quantizer.codebook();
    };
    EXPECT_TRUE(at::equal(run(), run()));
}

TEST(VectorQuantizer, TakesFewerVectorsThanCodes) {
    RandomStream random(1, RandomPurpose::kImageTokenizer);
    const at::Tensor one = at::tensor({1.0F, 0.0F, 0.0F}).view({1, 3});
    VectorQuantizer quantizer = VectorQuantizer::fitted(one, 5, {}, random);
    EXPECT_EQ(quantizer.codebook().size(0), 5);
    EXPECT_TRUE(at::isfinite(quantizer.codebook()).all().item<bool>());
    EXPECT_NEAR((quantizer.codebook()[quantizer.nearest(one)[0].item<std::int64_t>()] * one[0]).sum().item<double>(), 1, 1e-6);
    EXPECT_EQ(quantizer.update(at::zeros({0, 3}), at::zeros({0}, at::kLong), random), 0);
}

TEST(CodePerplexity, IsTheNumberOfCodesUsedAlike) {
    EXPECT_NEAR(codePerplexity(at::full({8}, 3.0)), 8, 1e-9);
    EXPECT_NEAR(codePerplexity(at::tensor({5.0, 0.0, 0.0})), 1, 1e-9);
    EXPECT_NEAR(codePerplexity(at::tensor({2.0, 2.0, 0.0})), 2, 1e-9);
    EXPECT_EQ(codePerplexity(at::zeros({3})), 0);
}

}  // namespace
}  // namespace es::engine
