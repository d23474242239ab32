// SPDX-License-Identifier: GPL-3.0-or-later
// How tokens choose experts. A router turns hidden vectors into a fixed number of (expert, weight) pairs per token; it keeps no state of a
// forward pass. T tokens, E experts, K choices, D width.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace es::engine {

struct RouterOptions {
    std::int64_t width = 0;
    std::int64_t experts = 0;
    std::int64_t k = 1;
    bool renormalize = false;  ///< divide the gates of the chosen experts by their sum
};

/// Always fp32, whatever the precision of the model (fp64 for fp64 models, which gradient checks use).
struct RouterOutput {
    at::Tensor logits_TE;
    at::Tensor probs_TE;
    at::Tensor indices_TK;  ///< int64, best first
    at::Tensor weights_TK;  ///< gates; gradient flows through them
};

class Router : public torch::nn::Module {
public:
    explicit Router(const RouterOptions& options);
    /// Logits hidden · Wᵀ, then route(). `weight_override_ED`, when defined, stands in for W (random-router baseline).
    [[nodiscard]] RouterOutput forward(const at::Tensor& hidden_TD, const at::Tensor& weight_override_ED = {}) const;
    /// The rule itself, on logits. Pure: equal logits, equal routing.
    [[nodiscard]] virtual RouterOutput route(const at::Tensor& logits_TE) const = 0;
    [[nodiscard]] const RouterOptions& options() const { return options_; }
    [[nodiscard]] const at::Tensor& weight_ED() const { return weight_ED_; }

protected:
    RouterOptions options_;
    at::Tensor weight_ED_;
};

/// Softmax, then the k largest (V-MoE's order, arXiv:2106.05974): the weights are the raw probabilities of the chosen experts, divided by
/// their sum if options.renormalize. The choice is made on the logits, because small fp32 probabilities underflow to false ties.
class SoftmaxTopKRouter : public Router {
public:
    using Router::Router;
    [[nodiscard]] RouterOutput route(const at::Tensor& logits_TE) const override;
};

/// The router of that name ("softmax_topk"); throws c10::Error for an unknown one, which the configuration's check excludes.
[[nodiscard]] std::shared_ptr<Router> makeRouter(std::string_view kind, const RouterOptions& options);
[[nodiscard]] std::vector<std::string> routerKinds();

}  // namespace es::engine
