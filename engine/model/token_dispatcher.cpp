// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/token_dispatcher.h"

#include <torch/csrc/autograd/custom_function.h>

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
        const at::Tensor& gradient_SD = gradients[0];
        const std::int64_t tokens = slot_of_TK.size(0), choices = slot_of_TK.size(1);
        at::Tensor rows = gradient_SD.index_select(0, slot_of_TK.reshape({-1}));
        if (choices > 1) rows = rows.view({tokens, choices, -1}).sum(1);
        return {rows, at::Tensor(), at::Tensor()};
    }
};

DispatchPlan planOnCpu(const at::Tensor& indices_TK, std::int64_t experts) {
    const at::Tensor indices = indices_TK.contiguous();
    const std::int64_t assignments = indices.numel(), choices = indices.size(1);
    DispatchPlan plan;
    plan.offsets.assign(static_cast<std::size_t>(experts) + 1, 0);
    plan.token_of_slot_S = at::empty({assignments}, indices.options());
    plan.slot_of_TK = at::empty_like(indices);
    plan.counts_E = at::empty({experts}, indices.options());
    const std::int64_t* expert = indices.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < assignments; ++i) {
        TORCH_CHECK_INDEX(expert[i] >= 0 && expert[i] < experts, "expert ", expert[i], " of ", experts);
        ++plan.offsets[static_cast<std::size_t>(expert[i]) + 1];
    }
    std::int64_t* counts = plan.counts_E.data_ptr<std::int64_t>();
    for (std::int64_t e = 0; e < experts; ++e) {
        counts[e] = plan.offsets[static_cast<std::size_t>(e) + 1];
        plan.offsets[static_cast<std::size_t>(e) + 1] += plan.offsets[static_cast<std::size_t>(e)];
    }
    std::vector<std::int64_t> next(plan.offsets.begin(), plan.offsets.end() - 1);
    std::int64_t* token_of_slot = plan.token_of_slot_S.data_ptr<std::int64_t>();
    std::int64_t* slot_of = plan.slot_of_TK.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < assignments; ++i) {
        const std::int64_t slot = next[static_cast<std::size_t>(expert[i])]++;
        slot_of[i] = slot;
        token_of_slot[slot] = i / choices;
    }
    return plan;
}

}  // namespace

DispatchPlan droplessPlanReference(const at::Tensor& indices_TK, std::int64_t experts) {
    const at::Tensor flat = indices_TK.reshape({-1});
    const at::Tensor order = std::get<1>(flat.sort(/*stable=*/true, 0, /*descending=*/false));
    DispatchPlan plan;
    plan.token_of_slot_S = order.div(indices_TK.size(1), "floor");
    plan.slot_of_TK = at::empty_like(flat).index_copy_(0, order, at::arange(flat.numel(), flat.options())).view(indices_TK.sizes());
    plan.counts_E = at::bincount(flat, {}, experts);
    const at::Tensor counts = plan.counts_E.cpu();
    plan.offsets.assign(static_cast<std::size_t>(experts) + 1, 0);
    for (std::int64_t e = 0; e < experts; ++e)
        plan.offsets[static_cast<std::size_t>(e) + 1] = plan.offsets[static_cast<std::size_t>(e)] + counts.const_data_ptr<std::int64_t>()[e];
    return plan;
}

DispatchPlan DroplessDispatcher::plan(const at::Tensor& indices_TK, const at::Tensor& /*probs_TE*/, std::int64_t experts) const {
    const at::NoGradGuard no_grad;
    return indices_TK.is_cpu() ? planOnCpu(indices_TK, experts) : droplessPlanReference(indices_TK, experts);
}

std::unique_ptr<TokenDispatcher> makeDispatcher(std::string_view kind) {
    TORCH_CHECK(kind == "dropless", "unknown dispatch '", std::string(kind), "'");
    return std::make_unique<DroplessDispatcher>();
}

at::Tensor gatherSlots(const at::Tensor& x_TD, const DispatchPlan& plan) {
    return GatherSlotsFunction::apply(x_TD, plan.token_of_slot_S, plan.slot_of_TK);
}

}  // namespace es::engine
