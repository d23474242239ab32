// SPDX-License-Identifier: GPL-3.0-or-later
// Contrastive learning and matching as pure functions: closed forms, gradients by finite differences, how wrong pairs are drawn.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/objective/contrastive.h"
#include "engine/objective/matching.h"

namespace es::engine {
namespace {

at::Tensor randomDouble(at::IntArrayRef sizes, std::uint64_t seed) {
    RandomStream random(seed, RandomPurpose::kSynthetic);
    at::Tensor out = at::empty(sizes, at::kDouble);
    for (std::int64_t i = 0; i < out.numel(); ++i) out.data_ptr<double>()[i] = random.normal();
    return out;
}

double total(const at::Tensor& vision, const at::Tensor& text, const at::Tensor& scale) {
    return contrastiveLosses(unitRows(vision), unitRows(text), scale).loss_B.sum().item<double>();
}

TEST(Contrastive, EqualsTheDefinition) {
    const at::Tensor vision = unitRows(randomDouble({5, 3}, 1)), text = unitRows(randomDouble({5, 3}, 2));
    const double scale = 7;
    const ContrastiveLosses losses = contrastiveLosses(vision, text, at::full({1}, scale, at::kDouble));
    const at::Tensor z = scale * vision.mm(text.t());
    for (std::int64_t i = 0; i < 5; ++i) {
        double row = 0, column = 0;
        bool row_best = true, column_best = true;
        for (std::int64_t j = 0; j < 5; ++j) {
            row += std::exp(z[i][j].item<double>());
            column += std::exp(z[j][i].item<double>());
            row_best = row_best && z[i][i].item<double>() >= z[i][j].item<double>();
            column_best = column_best && z[i][i].item<double>() >= z[j][i].item<double>();
        }
        EXPECT_NEAR(losses.loss_B[i].item<double>(), 0.5 * (std::log(row) + std::log(column)) - z[i][i].item<double>(), 1e-12);
        EXPECT_EQ(losses.image_to_text_B[i].item<float>(), row_best ? 1 : 0);
        EXPECT_EQ(losses.text_to_image_B[i].item<float>(), column_best ? 1 : 0);
    }
}

TEST(Contrastive, GuessingCostsTheLogarithmOfTheBatch) {
    const at::Tensor same = unitRows(at::ones({6, 4}));
    const ContrastiveLosses losses = contrastiveLosses(same, same, at::full({1}, 14.0));
    EXPECT_NEAR(losses.loss_B.mean().item<double>(), contrastiveTrivialLoss(6), 1e-6);
    EXPECT_EQ(losses.image_to_text_B.sum().item<float>(), 1) << "the first among equals is found";
    const at::Tensor apart = at::eye(6);
    const ContrastiveLosses found = contrastiveLosses(apart, apart, at::full({1}, 100.0));
    EXPECT_NEAR(found.loss_B.max().item<double>(), 0, 1e-6);
    EXPECT_EQ(found.text_to_image_B.sum().item<float>(), 6);
}

TEST(Contrastive, GradientsAreThoseOfFiniteDifferences) {
    at::Tensor vision = randomDouble({4, 3}, 3).requires_grad_(), text = randomDouble({4, 3}, 4).requires_grad_();
    at::Tensor scale = at::full({1}, 3.0, at::kDouble).requires_grad_();
    contrastiveLosses(unitRows(vision), unitRows(text), scale).loss_B.sum().backward();
    const at::NoGradGuard no_grad;
    constexpr double kStep = 1e-6;
    for (at::Tensor* input : {&vision, &text, &scale})
        for (std::int64_t i = 0; i < input->numel(); ++i) {
            double* value = input->mutable_data_ptr<double>() + i;
            const double kept = *value;
            *value = kept + kStep;
            const double high = total(vision, text, scale);
            *value = kept - kStep;
            const double low = total(vision, text, scale);
            *value = kept;
            EXPECT_NEAR(input->grad().const_data_ptr<double>()[i], (high - low) / (2 * kStep), 1e-7);
        }
}

TEST(Contrastive, ARowOfZerosHasAFiniteGradient) {
    at::Tensor x = at::zeros({2, 3}).requires_grad_();
    unitRows(x).sum().backward();
    EXPECT_TRUE(at::isfinite(x.grad()).all().item<bool>());
    EXPECT_EQ(unitRows(x).abs().sum().item<float>(), 0);
}

TEST(Negatives, FollowTheSimilarity) {
    // Picture 0 is alike to caption 2 by log 3 more than to caption 1: three times as often.
    const at::Tensor logits = at::tensor({9.0, 0.0, std::log(3.0), 0.0, 9.0, 0.0, 0.0, 0.0, 9.0}, at::kDouble).view({3, 3});
    int second = 0, other = 0;
    constexpr int kDraws = 4000;
    for (int draw = 0; draw < kDraws; ++draw) {
        RandomStream random(1, RandomPurpose::kHardNegatives, static_cast<std::uint64_t>(draw));
        const NegativePairs got = drawNegatives(logits, 3, {}, random);
        for (std::int64_t i = 0; i < 3; ++i) {
            EXPECT_NE(got.caption_of_picture[static_cast<std::size_t>(i)], i);
            EXPECT_NE(got.picture_of_caption[static_cast<std::size_t>(i)], i);
        }
        second += got.caption_of_picture[0] == 2;
        other += got.picture_of_caption[2] == 0;  // column 2: log 3 against 0
    }
    EXPECT_NEAR(second / static_cast<double>(kDraws), 0.75, 0.03);
    EXPECT_NEAR(other / static_cast<double>(kDraws), 0.75, 0.03);
}

TEST(Negatives, WithoutSimilarityAllAreEquallyLikelyAndTheSameSampleIsLeftOut) {
    const std::vector<std::int64_t> samples{7, 8, 7, 9};
    std::vector<int> taken(4, 0);
    for (int draw = 0; draw < 2000; ++draw) {
        RandomStream random(2, RandomPurpose::kHardNegatives, static_cast<std::uint64_t>(draw));
        const NegativePairs got = drawNegatives({}, 4, samples, random);
        ++taken[static_cast<std::size_t>(got.caption_of_picture[0])];
    }
    EXPECT_EQ(taken[0], 0);
    EXPECT_EQ(taken[2], 0) << "the same sample once more";
    EXPECT_NEAR(taken[1] / 2000.0, 0.5, 0.05);
    RandomStream random(3, RandomPurpose::kHardNegatives);
    const NegativePairs only = drawNegatives({}, 2, std::vector<std::int64_t>{5, 5}, random);
    EXPECT_EQ(only.caption_of_picture, (std::vector<std::int64_t>{1, 0})) << "there is no other";
}

TEST(Negatives, SurviveHugeAndEqualLogits) {
    for (const double size : {500.0, -500.0, 1e30}) {
        RandomStream random(4, RandomPurpose::kHardNegatives);
        const at::Tensor logits = at::full({3, 3}, size, at::kDouble);
        const NegativePairs got = drawNegatives(logits, 3, {}, random);
        for (std::int64_t i = 0; i < 3; ++i) {
            EXPECT_NE(got.caption_of_picture[static_cast<std::size_t>(i)], i);
            EXPECT_GE(got.caption_of_picture[static_cast<std::size_t>(i)], 0);
        }
    }
    EXPECT_EQ(fixedNegatives(5).caption_of_picture, (std::vector<std::int64_t>{2, 3, 4, 0, 1}));
    EXPECT_EQ(fixedNegatives(2).picture_of_caption, (std::vector<std::int64_t>{1, 0}));
    RandomStream random(5, RandomPurpose::kHardNegatives);
    EXPECT_THROW((void)drawNegatives({}, 1, {}, random), c10::Error);
}

TEST(Matching, JudgesRightPairsThenWrongOnes) {
    const JudgedPairs judged = judgedPairs({{1, 0}, {1, 0}});
    EXPECT_EQ(judged.picture_of, (std::vector<std::int64_t>{0, 1, 0, 1, 1, 0}));
    EXPECT_EQ(judged.caption_of, (std::vector<std::int64_t>{0, 1, 1, 0, 0, 1}));
}

TEST(Matching, IsBinaryCrossEntropyWithATrivialEntropy) {
    const at::Tensor logit = at::tensor({2.0, -1.0, 0.5, -0.5, 500.0, -500.0}, at::kDouble);
    const MatchingLosses losses = matchingLosses(logit);
    const double label[] = {1, 1, 0, 0, 0, 0};
    for (std::int64_t i = 0; i < 6; ++i) {
        const double z = logit[i].item<double>();
        const double expected = std::max(z, 0.0) - z * label[i] + std::log1p(std::exp(-std::abs(z)));
        EXPECT_NEAR(losses.loss_M[i].item<double>(), expected, 1e-12);
        EXPECT_EQ(losses.correct_M[i].item<float>(), (z > 0) == (label[i] > 0) ? 1 : 0);
    }
    // The best constant: the log-odds of one in three.
    const at::Tensor constant = at::full({30}, std::log(0.5), at::kDouble);
    EXPECT_NEAR(matchingLosses(constant).loss_M.mean().item<double>(), matchingTrivialLoss(), 1e-12);
    EXPECT_NEAR(matchingTrivialLoss(), std::log(3.0) - 2.0 / 3 * std::log(2.0), 1e-12);
}

}  // namespace
}  // namespace es::engine
