// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/token_dispatcher.h"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "engine/model/combine.h"

namespace es::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class GatherSlotsFunction : public torch::autograd::Function<GatherSlotsFunction> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x_TD, const at::Tensor& token_of_slot_S, const at::Tensor& slot_of_TK) {
        context->save_for_backward({slot_of_TK});
        return x_TD.index_select(0, token_of_slot_S);
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const at::Tensor slot_of_TK = context->get_saved_variables()[0];
        return {sumSlots(gradients[0], slot_of_TK), at::Tensor(), at::Tensor()};
    }
};

DispatchPlan planOnCpu(const at::Tensor& indices_TK, const at::Tensor& kept_TK, std::int64_t experts) {
    const at::Tensor indices = indices_TK.contiguous(), kept_bits = kept_TK.defined() ? kept_TK.to(at::kBool).contiguous() : at::Tensor();
    const std::int64_t assignments = indices.numel(), choices = indices.size(1);
    DispatchPlan plan;
    plan.kept_TK = kept_bits;
    plan.offsets.assign(static_cast<std::size_t>(experts) + 1, 0);
    plan.slot_of_TK = at::empty_like(indices);
    plan.counts_E = at::zeros({experts}, indices.options());
    const std::int64_t* expert = indices.const_data_ptr<std::int64_t>();
    const bool* kept = kept_bits.defined() ? kept_bits.const_data_ptr<bool>() : nullptr;
    const auto hasSlot = [&](std::int64_t i) { return expert[i] >= 0 && (!kept || kept[i]); };
    std::int64_t* counts = plan.counts_E.mutable_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < assignments; ++i) {
        TORCH_CHECK_INDEX(expert[i] >= -1 && expert[i] < experts, "expert ", expert[i], " of ", experts);
        if (expert[i] >= 0) ++counts[expert[i]];
        if (hasSlot(i)) ++plan.offsets[static_cast<std::size_t>(expert[i]) + 1];
    }
    for (std::size_t e = 0; e < static_cast<std::size_t>(experts); ++e) plan.offsets[e + 1] += plan.offsets[e];
    std::vector<std::int64_t> next(plan.offsets.begin(), plan.offsets.end() - 1);
    plan.token_of_slot_S = at::empty({plan.offsets.back()}, indices.options());
    std::int64_t* token_of_slot = plan.token_of_slot_S.mutable_data_ptr<std::int64_t>();
    std::int64_t* slot_of = plan.slot_of_TK.mutable_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < assignments; ++i) {
        slot_of[i] = hasSlot(i) ? next[static_cast<std::size_t>(expert[i])]++ : -1;
        if (slot_of[i] >= 0) token_of_slot[slot_of[i]] = i / choices;
    }
    return plan;
}

}  // namespace

DispatchPlan planSlotsReference(const at::Tensor& indices_TK, const at::Tensor& kept_TK, std::int64_t experts) {
    const at::Tensor flat = indices_TK.reshape({-1});
    DispatchPlan plan;
    at::Tensor placed = flat.ge(0);
    plan.counts_E = at::bincount(flat.masked_select(placed), {}, experts);
    TORCH_CHECK_INDEX(plan.counts_E.size(0) == experts, "expert ", plan.counts_E.size(0) - 1, " of ", experts);
    if (kept_TK.defined()) {
        plan.kept_TK = kept_TK.to(at::kBool);
        placed = placed.logical_and(plan.kept_TK.reshape({-1}));
    }
    // What has no slot sorts behind the last expert.
    const at::Tensor keys = flat.masked_fill(placed.logical_not(), experts);
    const at::Tensor counts = at::bincount(keys, {}, experts + 1).cpu();
    plan.offsets.assign(static_cast<std::size_t>(experts) + 1, 0);
    for (std::int64_t e = 0; e < experts; ++e)
        plan.offsets[static_cast<std::size_t>(e) + 1] = plan.offsets[static_cast<std::size_t>(e)] + counts.const_data_ptr<std::int64_t>()[e];
    const at::Tensor order = std::get<1>(keys.sort(/*stable=*/true, 0, /*descending=*/false)).narrow(0, 0, plan.offsets.back());
    plan.token_of_slot_S = order.div(indices_TK.size(1), "floor");
    plan.slot_of_TK = at::full_like(flat, -1).index_copy_(0, order, at::arange(order.numel(), flat.options())).view(indices_TK.sizes());
    return plan;
}

DispatchPlan planSlots(const at::Tensor& indices_TK, const at::Tensor& kept_TK, std::int64_t experts) {
    const at::NoGradGuard no_grad;
    return indices_TK.is_cpu() ? planOnCpu(indices_TK, kept_TK, experts) : planSlotsReference(indices_TK, kept_TK, experts);
}

DispatchPlan DroplessDispatcher::plan(const at::Tensor& indices_TK, const at::Tensor& /*probs_TE*/, std::int64_t experts, bool /*training*/) const {
    return planSlots(indices_TK, {}, experts);
}

std::int64_t capacityOf(double factor, std::int64_t k, std::int64_t tokens, std::int64_t experts) {
    // 1.1 · 10 is 11.000000000000002: such a crumb is no slot.
    const double share = factor * static_cast<double>(k) * static_cast<double>(tokens) / static_cast<double>(experts);
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(share * (1 - 1e-12))), 1, std::max<std::int64_t>(1, tokens));
}

DispatchPlan CapacityDispatcher::plan(const at::Tensor& indices_TK, const at::Tensor& probs_TE, std::int64_t experts, bool training) const {
    const at::NoGradGuard no_grad;
    const std::int64_t tokens = indices_TK.size(0), k = indices_TK.size(1);
    const std::int64_t group = options_.group_size > 0 ? std::min(options_.group_size, tokens) : tokens;
    const double factor = training ? options_.factor_train : options_.factor_eval;
    const at::Tensor probs = probs_TE.detach();
    std::vector<at::Tensor> kept;
    for (std::int64_t begin = 0; begin < tokens; begin += group) {
        const std::int64_t count = std::min(group, tokens - begin);
        kept.push_back(keptWithinCapacity(indices_TK.narrow(0, begin, count), probs.narrow(0, begin, count), experts, capacityOf(factor, k, count, experts),
                                          options_.policy));
    }
    return planSlots(indices_TK, kept.empty() ? at::ones_like(indices_TK, at::kBool) : kept.size() == 1 ? kept[0] : at::cat(kept), experts);
}

std::optional<SlotPlaces> TokenDispatcher::places(const at::Tensor&, const at::Tensor&, std::int64_t, bool) const { return std::nullopt; }

std::optional<SlotPlaces> CapacityDispatcher::places(const at::Tensor& indices_TK, const at::Tensor& probs_TE, std::int64_t experts, bool training) const {
    const at::NoGradGuard no_grad;
    const std::int64_t tokens = indices_TK.size(0), k = indices_TK.size(1);
    const std::int64_t group = options_.group_size > 0 ? std::min(options_.group_size, tokens) : tokens;
    SlotPlaces out{at::empty({tokens, k}, at::kLong), at::empty({tokens}, at::kLong)};
    for (std::int64_t begin = 0; begin < tokens; begin += group) {
        const std::int64_t count = std::min(group, tokens - begin);
        out.place_TK.narrow(0, begin, count)
            .copy_(servingPlaces(indices_TK.narrow(0, begin, count), probs_TE.narrow(0, begin, count), experts, options_.policy));
        out.slots_T.narrow(0, begin, count).fill_(capacityOf(training ? options_.factor_train : options_.factor_eval, k, count, experts));
    }
    return out;
}

CapacityPolicy capacityPolicyNamed(const std::string& name) {
    if (name == "position") return CapacityPolicy::kPosition;
    TORCH_CHECK(name == "batch_priority", "unknown capacity policy '", name, "'");
    return CapacityPolicy::kBatchPriority;
}

std::unique_ptr<TokenDispatcher> makeDispatcher(const DispatchOptions& options) {
    if (options.kind == "dropless") return std::make_unique<DroplessDispatcher>();
    TORCH_CHECK(options.kind == "capacity", "unknown dispatch '", options.kind, "'");
    return std::make_unique<CapacityDispatcher>(options.capacity);
}

at::Tensor gatherSlots(const at::Tensor& x_TD, const DispatchPlan& plan) { return GatherSlotsFunction::apply(x_TD, plan.token_of_slot_S, plan.slot_of_TK); }

}  // namespace es::engine
