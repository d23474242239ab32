// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/kernels/vector_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

namespace es::engine::kernels {
namespace {

double exactGelu(double x) { return x * 0.5 * std::erfc(-x / std::numbers::sqrt2); }
double exactSlope(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2) + x * std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi); }

TEST(BiasGelu, AgreesWithTheErrorFunctionEverywhere) {
    std::vector<float> h, slope(4001), bias(4001, 0.25f);
    for (int i = 0; i <= 4000; ++i) h.push_back(static_cast<float>(-20 + 0.01 * i));
    const std::vector<float> x = h;
    biasGelu(h.data(), bias.data(), slope.data(), 1, 4001);
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double exact = static_cast<double>(x[i]) + 0.25;
        EXPECT_NEAR(h[i], exactGelu(exact), 5e-7 + 2e-7 * std::fabs(exact)) << exact;
        EXPECT_NEAR(slope[i], exactSlope(exact), 1e-6) << exact;
    }
}

TEST(BiasGelu, KeepsExtremesAndNaN) {
    std::vector<float> h{500, -500, std::numeric_limits<float>::quiet_NaN(), 0}, bias(4, 0), slope(4);
    biasGelu(h.data(), bias.data(), slope.data(), 1, 4);
    EXPECT_EQ(h[0], 500);
    EXPECT_EQ(h[1], 0);
    EXPECT_TRUE(std::isnan(h[2]));
    EXPECT_EQ(h[3], 0);
    EXPECT_NEAR(slope[3], 0.5, 1e-6);
}

TEST(BiasGelu, WithoutBiasIsBiasZero) {
    std::vector<float> a{-3, -0.5f, 0, 0.25f, 7}, b = a, slope_a(5), slope_b(5), zero(5, 0);
    biasGelu(a.data(), nullptr, slope_a.data(), 1, 5);
    biasGelu(b.data(), zero.data(), slope_b.data(), 1, 5);
    EXPECT_EQ(a, b);
    EXPECT_EQ(slope_a, slope_b);
    std::vector<double> c{-3, 2}, d = c, zeros(2, 0);
    biasGelu(c.data(), nullptr, nullptr, 1, 2);
    biasGelu(d.data(), zeros.data(), nullptr, 1, 2);
    EXPECT_EQ(c, d);
}

TEST(Swiglu, AgreesWithDoubleEverywhere) {
    std::vector<float> u, v;
    for (int i = 0; i <= 4002; ++i) u.push_back(static_cast<float>(-120 + 0.06 * i)), v.push_back(static_cast<float>(std::sin(i)));
    std::vector<float> a = u, gate = v, slope(u.size());
    swiglu(a.data(), gate.data(), slope.data(), static_cast<std::int64_t>(u.size()));
    for (std::size_t i = 0; i < u.size(); ++i) {
        const double x = u[i], sigma = 1 / (1 + std::exp(-x)), silu = x * sigma;
        EXPECT_NEAR(a[i], silu * v[i], 4e-7 * (1 + std::fabs(silu))) << x;
        EXPECT_NEAR(gate[i], silu, 4e-7 * (1 + std::fabs(silu))) << x;
        EXPECT_NEAR(slope[i], sigma * (1 + x * (1 - sigma)) * v[i], 1e-6) << x;
    }
    std::vector<float> b = u, untouched = v;
    swiglu(b.data(), untouched.data(), nullptr, static_cast<std::int64_t>(u.size()));
    EXPECT_EQ(a, b);
    EXPECT_EQ(untouched, v);
}

TEST(Swiglu, KeepsExtremesAndNaN) {
    std::vector<float> u{1e4f, -1e4f, std::numeric_limits<float>::quiet_NaN(), 0}, v{2, 2, 2, 3}, slope(4);
    swiglu(u.data(), v.data(), slope.data(), 4);
    EXPECT_EQ(u[0], 2e4f);
    EXPECT_EQ(u[1], 0);
    EXPECT_TRUE(std::isnan(u[2]));
    EXPECT_EQ(u[3], 0);
    EXPECT_EQ(slope[0], 2);
    EXPECT_EQ(slope[1], 0);
    EXPECT_FLOAT_EQ(slope[3], 1.5f);
}

TEST(SoftmaxRows, AgreesWithDoubleAlsoForLargeScores) {
    const std::int64_t rows = 3, columns = 37;
    std::vector<float> s(rows * columns);
    for (std::size_t i = 0; i < s.size(); ++i) s[i] = static_cast<float>(std::sin(static_cast<double>(i)) * (i < 37 ? 1.0 : i < 74 ? 30.0 : 500.0));
    std::vector<double> reference(s.begin(), s.end()), reference_norms(2 * rows);
    std::vector<float> again = s, norms(2 * rows);
    std::vector<double> again_reference = reference;
    softmaxRows(s.data(), 0.7f, rows, columns, norms.data());
    softmaxRows(reference.data(), 0.7, rows, columns, reference_norms.data());
    for (std::size_t i = 0; i < s.size(); ++i) EXPECT_NEAR(s[i], reference[i], 1e-5) << i;
    for (std::size_t r = 0; r < 3; ++r) {
        EXPECT_EQ(norms[2 * r], reference_norms[2 * r]);
        EXPECT_NEAR(norms[2 * r + 1], reference_norms[2 * r + 1], 1e-5);
    }
    softmaxFromNorms(again.data(), 0.7f, rows, columns, norms.data());
    softmaxFromNorms(again_reference.data(), 0.7, rows, columns, reference_norms.data());
    EXPECT_EQ(again, s);
    EXPECT_EQ(again_reference, reference);
}

TEST(Sums, AgreeWithDouble) {
    std::vector<float> x, y;
    for (int i = 0; i < 131; ++i) x.push_back(static_cast<float>(std::cos(i))), y.push_back(static_cast<float>(std::sin(3 * i)));
    double expected = 0;
    for (std::size_t i = 0; i < x.size(); ++i) expected += static_cast<double>(x[i]) * y[i];
    EXPECT_NEAR(dot(x.data(), y.data(), 131), expected, 1e-4);

    std::vector<float> sum(5);
    sumRows(x.data(), 13, 5, 10, sum.data());
    for (std::size_t c = 0; c < 5; ++c) {
        double column = 0;
        for (std::size_t r = 0; r < 13; ++r) column += x[r * 10 + c];
        EXPECT_NEAR(sum[c], column, 1e-5);
    }
}

}  // namespace
}  // namespace es::engine::kernels
