// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/soft_moe.h"

#include <algorithm>
#include <map>
#include <vector>

namespace es::engine {

TokenGroups groupTokens(const at::Tensor& label_T, at::Device device) {
    const at::Tensor labels = label_T.to(at::kCPU, at::kLong).contiguous();
    const std::int64_t tokens = labels.size(0);
    TORCH_CHECK(labels.dim() == 1 && tokens > 0, "groups of tokens of labels ", labels.sizes());
    std::map<std::int64_t, std::vector<std::int64_t>> members;
    for (std::int64_t t = 0; t < tokens; ++t) members[labels.const_data_ptr<std::int64_t>()[t]].push_back(t);
    std::size_t longest = 0;
    for (const auto& [label, rows] : members) longest = std::max(longest, rows.size());
    const auto length = static_cast<std::int64_t>(longest), count = static_cast<std::int64_t>(members.size());
    at::Tensor row_GL = at::zeros({count, length}, at::kLong), valid_GL = at::zeros({count, length}, at::kBool), place_T = at::empty({tokens}, at::kLong);
    std::int64_t begin = 0;
    for (const auto& [label, rows] : members) {
        for (std::size_t l = 0; l < rows.size(); ++l) {
            const std::int64_t place = begin + static_cast<std::int64_t>(l);
            row_GL.mutable_data_ptr<std::int64_t>()[place] = rows[l];
            valid_GL.mutable_data_ptr<bool>()[place] = true;
            place_T.mutable_data_ptr<std::int64_t>()[rows[l]] = place;
        }
        begin += length;
    }
    return {row_GL.to(device), valid_GL.to(device), place_T.to(device)};
}

at::Tensor softMixture(const at::Tensor& x_TD, const GroupedSoftRouting& routing, const TokenGroups& groups, const GroupedExperts& experts,
                       std::int64_t expert_count) {
    const std::int64_t count = groups.row_GL.size(0), length = groups.row_GL.size(1), width = x_TD.size(1);
    const std::int64_t all_slots = routing.combine_TS.size(1), slots = all_slots / expert_count;
    const at::Tensor rows = groups.row_GL.reshape({-1});
    const at::Tensor x_GLD = x_TD.index_select(0, rows).view({count, length, width});
    const at::Tensor mixed_GSD = at::bmm(routing.dispatch_GLS.to(x_TD.scalar_type()).transpose(1, 2), x_GLD);
    const at::Tensor by_expert_SD = mixed_GSD.view({count, expert_count, slots, width}).transpose(0, 1).reshape({-1, width});
    std::vector<std::int64_t> offsets;
    for (std::int64_t e = 0; e <= expert_count; ++e) offsets.push_back(e * count * slots);
    const at::Tensor y_GSD =
        experts.forward(by_expert_SD, offsets).view({expert_count, count, slots, width}).transpose(0, 1).reshape({count, all_slots, width});
    const at::Tensor combine_GLS = routing.combine_TS.to(x_TD.scalar_type()).index_select(0, rows).view({count, length, all_slots});
    return at::bmm(combine_GLS, y_GSD).view({count * length, width}).index_select(0, groups.place_T);
}

SoftRouter::SoftRouter(const RouterOptions& options, std::int64_t slots) : options_(options) {
    TORCH_CHECK(options.experts >= 1 && slots >= 1, "soft routing to ", options.experts, " experts of ", slots, " slots");
    phi_SD_ = register_parameter("phi", at::zeros({options.experts * slots, options.width}));
    scale_1_ = register_parameter("scale", at::ones({1}));
    if (options.modalities) modality_MD_ = register_parameter("modality", at::zeros({kModalities, options.width}));
}

GroupedSoftRouting SoftRouter::forward(const at::Tensor& hidden_TD, const TokenGroups& groups, const RouterCall& call) const {
    const at::ScalarType precision = hidden_TD.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const at::Tensor input_TD = routerInput(hidden_TD.to(precision), modality_MD_, options_, call);
    const at::Tensor phi_SD = call.weight_override_ED.defined() ? call.weight_override_ED : phi_SD_;
    return softRoutingInGroups(input_TD, phi_SD.to(hidden_TD.device(), precision).t(), scale_1_.to(precision).squeeze(0), groups);
}

}  // namespace es::engine
