// SPDX-License-Identifier: GPL-3.0-or-later
// The experts of one router as one set of weights. E experts, S slots sorted by expert, D width, H hidden width.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <vector>

namespace es::engine {

/// Feed-forward networks w2 · gelu(w1 · x + b1) + b2 (exact GELU) of many experts over sorted rows, with gradient. `offsets` has E + 1
/// entries and spans all rows of x; experts may have none. On the CPU in fp32 and fp64 one fused pass over (expert, block of rows);
/// otherwise a loop over the experts.
[[nodiscard]] at::Tensor groupedFfn(const at::Tensor& x_SD, const at::Tensor& w1_EHD, const at::Tensor& b1_EH, const at::Tensor& w2_EDH,
                                    const at::Tensor& b2_ED, const std::vector<std::int64_t>& offsets);

/// The same from ATen operations, a loop over the experts: any device and precision, and what the fused pass is checked against.
[[nodiscard]] at::Tensor groupedFfnReference(const at::Tensor& x_SD, const at::Tensor& w1_EHD, const at::Tensor& b1_EH, const at::Tensor& w2_EDH,
                                             const at::Tensor& b2_ED, const std::vector<std::int64_t>& offsets);

class GroupedExperts : public torch::nn::Module {
public:
    GroupedExperts(std::int64_t experts, std::int64_t width, std::int64_t hidden);
    [[nodiscard]] at::Tensor forward(const at::Tensor& x_SD, const std::vector<std::int64_t>& offsets) const;
    /// Parameters of one expert.
    [[nodiscard]] std::int64_t parametersOfOne() const;

private:
    at::Tensor w1_EHD_, b1_EH_, w2_EDH_, b2_ED_;
};

}  // namespace es::engine
