// SPDX-License-Identifier: GPL-3.0-or-later
#include <vector>

#include "engine/model/routing_rules.h"

namespace es::engine {
namespace {

/// Tokens in the order in which they are served: their numbers, or none for "as they come".
at::Tensor servingOrder(const at::Tensor& probs_TE, CapacityPolicy policy) {
    if (policy == CapacityPolicy::kPosition) return {};
    const at::Tensor largest_T = std::get<0>(probs_TE.detach().max(1)).cpu();
    return std::get<1>(largest_T.sort(/*stable=*/true, 0, /*descending=*/true)).contiguous();
}

}  // namespace

at::Tensor keptWithinCapacity(const at::Tensor& indices_TK, const at::Tensor& probs_TE, std::int64_t experts, std::int64_t capacity, CapacityPolicy policy) {
    TORCH_CHECK(indices_TK.dim() == 2 && capacity >= 0, "capacity ", capacity, " for indices ", indices_TK.sizes());
    const std::int64_t tokens = indices_TK.size(0), choices = indices_TK.size(1);
    TORCH_CHECK(policy == CapacityPolicy::kPosition || (probs_TE.dim() == 2 && probs_TE.size(0) == tokens), "batch priority for ", tokens,
                " tokens needs as many rows of probabilities");
    const at::Tensor indices = indices_TK.cpu().contiguous(), order = servingOrder(probs_TE, policy);
    at::Tensor kept_TK = at::zeros({tokens, choices}, at::kByte);
    const std::int64_t* expert_of = indices.const_data_ptr<std::int64_t>();
    const std::int64_t* nth = order.defined() ? order.const_data_ptr<std::int64_t>() : nullptr;
    std::uint8_t* kept = kept_TK.mutable_data_ptr<std::uint8_t>();
    std::vector<std::int64_t> room(static_cast<std::size_t>(experts), capacity);
    for (std::int64_t choice = 0; choice < choices; ++choice) {
        for (std::int64_t i = 0; i < tokens; ++i) {
            const std::int64_t at = (nth ? nth[i] : i) * choices + choice, expert = expert_of[at];
            TORCH_CHECK_INDEX(expert < experts, "expert ", expert, " of ", experts);
            if (expert < 0 || room[static_cast<std::size_t>(expert)] == 0) continue;
            --room[static_cast<std::size_t>(expert)];
            kept[at] = 1;
        }
    }
    return kept_TK.to(indices_TK.device());
}

at::Tensor servingPlaces(const at::Tensor& indices_TK, const at::Tensor& probs_TE, std::int64_t experts, CapacityPolicy policy) {
    const at::Tensor indices = indices_TK.cpu().contiguous(), order = servingOrder(probs_TE, policy);
    const std::int64_t tokens = indices.size(0), choices = indices.size(1);
    at::Tensor place_TK = at::full_like(indices, -1);
    const std::int64_t* expert_of = indices.const_data_ptr<std::int64_t>();
    const std::int64_t* nth = order.defined() ? order.const_data_ptr<std::int64_t>() : nullptr;
    std::int64_t* place = place_TK.mutable_data_ptr<std::int64_t>();
    std::vector<std::int64_t> served(static_cast<std::size_t>(experts), 0);
    for (std::int64_t choice = 0; choice < choices; ++choice)
        for (std::int64_t i = 0; i < tokens; ++i)
            if (const std::int64_t at = (nth ? nth[i] : i) * choices + choice; expert_of[at] >= 0)
                place[at] = served.at(static_cast<std::size_t>(expert_of[at]))++;
    return place_TK;
}

}  // namespace es::engine
