// SPDX-License-Identifier: GPL-3.0-or-later
// Gradients by central differences in fp64.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "engine/base/random.h"

namespace es::engine::test {

/// Compares the gradient that autograd left in `parameter` (fp64, contiguous) with differences of `loss` at up to `places` random places.
inline void expectGradient(const std::string& name, at::Tensor parameter, const std::function<double()>& loss, std::int64_t places, double tolerance = 2e-6) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    const at::Tensor gradient = parameter.grad().contiguous();
    RandomStream random(3, RandomPurpose::kSynthetic, static_cast<std::uint64_t>(parameter.numel()));
    double* data = parameter.data_ptr<double>();
    for (std::int64_t i = 0; i < std::min(places, parameter.numel()); ++i) {
        const std::int64_t place = places >= parameter.numel() ? i : random.below(static_cast<std::uint32_t>(parameter.numel()));
        const double kept = data[place], step = 1e-5;
        data[place] = kept + step;
        const double above = loss();
        data[place] = kept - step;
        const double below = loss();
        data[place] = kept;
        const double expected = (above - below) / (2 * step), got = gradient.data_ptr<double>()[place];
        EXPECT_NEAR(got, expected, tolerance * std::max(1.0, std::fabs(expected))) << name << "[" << place << "]";
    }
}

}  // namespace es::engine::test
