// SPDX-License-Identifier: GPL-3.0-or-later
// What tests of routing rules and router losses share.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/engine/model/gradient_check.h"

namespace es::engine::test {

inline at::Tensor matrix(std::int64_t columns, const std::vector<float>& values) {
    return at::tensor(values).view({static_cast<std::int64_t>(values.size()) / columns, columns});
}
inline at::Tensor whole(std::int64_t columns, const std::vector<std::int64_t>& values) {
    return at::tensor(values, at::kLong).view({static_cast<std::int64_t>(values.size()) / columns, columns});
}

/// The gradient of the 0-d `loss` to a copy of `at` (fp64) against differences, at every place up to 60.
inline void expectLossGradient(const std::string& name, const at::Tensor& at, const std::function<at::Tensor(const at::Tensor&)>& loss) {
    at::Tensor leaf = at.detach().clone().contiguous().set_requires_grad(true);
    loss(leaf).backward();
    at::Tensor plain = leaf.detach();
    plain.mutable_grad() = leaf.grad();
    expectGradient(
        name, plain, [&] { return loss(plain).item<double>(); }, 60);
}

/// Whether `a` and `b` differ by at most `tolerance` everywhere.
inline void expectNear(const at::Tensor& a, const at::Tensor& b, double tolerance, const std::string& name = "") {
    ASSERT_EQ(a.sizes(), b.sizes()) << name;
    if (a.numel() > 0) {
        EXPECT_LE((a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>(), tolerance) << name;
    }
}

}  // namespace es::engine::test
