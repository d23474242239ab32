// SPDX-License-Identifier: GPL-3.0-or-later
// Router -> dispatcher -> experts -> combine, each a part chosen by name. T tokens, D width.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>

#include "engine/model/combine.h"
#include "engine/model/forward_context.h"
#include "engine/model/grouped_experts.h"
#include "engine/model/router.h"
#include "engine/model/token_dispatcher.h"

namespace es::engine {

struct MoeOptions {
    std::int64_t experts = 8, k = 1, expert_width = 256;
    std::string router = "softmax_topk", dispatch = "dropless", combine = "weighted_sum";
    bool renormalize = false;
};

/// Where a router sits in the model.
struct RouterPlace {
    RouterId id;
    LayerIndex layer;
    Branch branch = Branch::kAll;
};

class MoeLayer : public torch::nn::Module {
public:
    MoeLayer(std::int64_t width, const MoeOptions& options, const RouterPlace& place);
    /// y (T x D) of normalised tokens. Appends the router's losses to the context and tells the observer when it wants this layer and
    /// step. Without tokens the input comes back, nothing is appended and nobody is told.
    [[nodiscard]] at::Tensor forward(const BranchTokens& tokens, ForwardContext& context) const;

private:
    void tell(RoutingObserver& observer, const RouterOutput& routing, const DispatchPlan& plan, const BranchTokens& tokens) const;

    RouterPlace place_;
    std::shared_ptr<Router> router_;
    std::unique_ptr<TokenDispatcher> dispatcher_;
    std::shared_ptr<GroupedExperts> experts_;
    std::unique_ptr<Combiner> combiner_;
};

}  // namespace es::engine
