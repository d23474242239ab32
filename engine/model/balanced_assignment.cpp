// SPDX-License-Identifier: GPL-3.0-or-later
#include <limits>
#include <vector>

#include "engine/base/assignment.h"
#include "engine/model/routing_rules.h"

namespace es::engine {

at::Tensor balancedAssignment(const at::Tensor& scores_TE) {
    TORCH_CHECK(scores_TE.dim() == 2 && scores_TE.size(1) >= 1, "scores have shape ", scores_TE.sizes());
    const std::int64_t tokens = scores_TE.size(0), experts = scores_TE.size(1);
    TORCH_CHECK(tokens % experts == 0 && tokens <= std::numeric_limits<std::int32_t>::max(), tokens, " tokens are not divisible among ", experts, " experts");
    const std::int64_t places = tokens / experts;
    // Every expert stands for T / E places of equal score, which makes it a plain assignment of tokens to places.
    const at::Tensor expanded = scores_TE.detach().to(at::kCPU, at::kDouble).repeat_interleave(places, 1).contiguous();
    const std::vector<std::int32_t> place_of =
        bestAssignment({expanded.const_data_ptr<double>(), static_cast<std::size_t>(expanded.numel())}, static_cast<std::int32_t>(tokens));
    at::Tensor expert_T = at::empty({tokens}, at::kLong);
    for (std::int64_t t = 0; t < tokens; ++t) expert_T.mutable_data_ptr<std::int64_t>()[t] = place_of[static_cast<std::size_t>(t)] / places;
    return expert_T;
}

}  // namespace es::engine
