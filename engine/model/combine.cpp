// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/combine.h"

#include <torch/csrc/autograd/custom_function.h>

#include "engine/kernels/combine_cpu.h"

namespace es::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

kernels::CombineShape shapeOf(const at::Tensor& y_SD, const at::Tensor& slot_of_TK) {
    return {slot_of_TK.size(0), slot_of_TK.size(1), y_SD.size(1), slot_of_TK.const_data_ptr<std::int64_t>()};
}

class WeightedSumFunction : public torch::autograd::Function<WeightedSumFunction> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& y_SD_in, const at::Tensor& weights_TK_in, const at::Tensor& slot_of_TK) {
        const at::Tensor y_SD = y_SD_in.contiguous(), weights_TK = weights_TK_in.contiguous();
        at::Tensor out_TD = at::empty({slot_of_TK.size(0), y_SD.size(1)}, y_SD.options());
        AT_DISPATCH_FLOATING_TYPES(y_SD.scalar_type(), "combine", [&] {
            kernels::combineForward<scalar_t>(shapeOf(y_SD, slot_of_TK), y_SD.const_data_ptr<scalar_t>(), weights_TK.const_data_ptr<scalar_t>(),
                                              out_TD.data_ptr<scalar_t>());
        });
        context->save_for_backward({y_SD, weights_TK, slot_of_TK});
        return out_TD;
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &y_SD = saved[0], &weights_TK = saved[1], &slot_of_TK = saved[2];
        const at::Tensor dout_TD = gradients[0].contiguous();
        at::Tensor dy_SD = at::empty_like(y_SD), dweights_TK = at::empty_like(weights_TK);
        AT_DISPATCH_FLOATING_TYPES(y_SD.scalar_type(), "combine", [&] {
            kernels::combineBackward<scalar_t>(shapeOf(y_SD, slot_of_TK), y_SD.const_data_ptr<scalar_t>(), weights_TK.const_data_ptr<scalar_t>(),
                                               dout_TD.const_data_ptr<scalar_t>(), dy_SD.data_ptr<scalar_t>(), dweights_TK.data_ptr<scalar_t>());
        });
        return {dy_SD, dweights_TK, at::Tensor()};
    }
};

/// The slots' rows of each token (T x K x D), zeros where a choice has none. For devices without a kernel.
at::Tensor rowsOfChoices(const at::Tensor& y_SD, const at::Tensor& slot_of_TK) {
    const std::int64_t tokens = slot_of_TK.size(0), choices = slot_of_TK.size(1);
    if (y_SD.size(0) == 0) return at::zeros({tokens, choices, y_SD.size(1)}, y_SD.options());
    const at::Tensor y_TKD = y_SD.index_select(0, slot_of_TK.clamp_min(0).reshape({-1})).view({tokens, choices, -1});
    return y_TKD.masked_fill(slot_of_TK.lt(0).unsqueeze(2), 0);
}

bool hasKernel(const at::Tensor& y_SD) { return y_SD.is_cpu() && (y_SD.scalar_type() == at::kFloat || y_SD.scalar_type() == at::kDouble); }

}  // namespace

at::Tensor sumSlots(const at::Tensor& y_SD_in, const at::Tensor& slot_of_TK) {
    if (!hasKernel(y_SD_in)) return rowsOfChoices(y_SD_in, slot_of_TK).sum(1);
    const at::Tensor y_SD = y_SD_in.contiguous();
    at::Tensor out_TD = at::empty({slot_of_TK.size(0), y_SD.size(1)}, y_SD.options());
    AT_DISPATCH_FLOATING_TYPES(y_SD.scalar_type(), "sum_slots", [&] {
        kernels::combineForward<scalar_t>(shapeOf(y_SD, slot_of_TK), y_SD.const_data_ptr<scalar_t>(), nullptr, out_TD.mutable_data_ptr<scalar_t>());
    });
    return out_TD;
}

at::Tensor WeightedSumCombiner::combine(const at::Tensor& y_SD, const at::Tensor& weights_TK, const DispatchPlan& plan) const {
    if (hasKernel(y_SD) && y_SD.scalar_type() == weights_TK.scalar_type()) return WeightedSumFunction::apply(y_SD, weights_TK, plan.slot_of_TK);
    return (rowsOfChoices(y_SD, plan.slot_of_TK) * weights_TK.unsqueeze(2)).sum(1).to(y_SD.scalar_type());
}

std::unique_ptr<Combiner> makeCombiner(std::string_view kind) {
    TORCH_CHECK(kind == "weighted_sum", "unknown combine '", std::string(kind), "'");
    return std::make_unique<WeightedSumCombiner>();
}

}  // namespace es::engine
