// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/grouped_experts.h"

#include <torch/csrc/autograd/custom_function.h>

#include "engine/kernels/grouped_ffn.h"

namespace es::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class T>
kernels::FfnWeights<const T> pointers(const at::Tensor& w1, const at::Tensor& b1, const at::Tensor& w2, const at::Tensor& b2) {
    return {w1.const_data_ptr<T>(), b1.const_data_ptr<T>(), w2.const_data_ptr<T>(), b2.const_data_ptr<T>()};
}

/// Forward into new tensors; activation and slope are what the backward pass needs.
struct FfnResult {
    at::Tensor y_SD, activation_SH, slope_SH;
};

FfnResult runForward(const at::Tensor& x_SD, const at::Tensor& w1, const at::Tensor& b1, const at::Tensor& w2, const at::Tensor& b2,
                     const std::vector<std::int64_t>& offsets, bool keep_slope) {
    FfnResult result;
    const std::int64_t rows = x_SD.size(0), width = x_SD.size(1), hidden = w1.size(1);
    result.y_SD = at::empty({rows, width}, x_SD.options());
    result.activation_SH = at::empty({rows, hidden}, x_SD.options());
    if (keep_slope) result.slope_SH = at::empty({rows, hidden}, x_SD.options());
    AT_DISPATCH_FLOATING_TYPES(x_SD.scalar_type(), "grouped_ffn", [&] {
        kernels::groupedFfnForward<scalar_t>({width, hidden, offsets}, pointers<scalar_t>(w1, b1, w2, b2), x_SD.const_data_ptr<scalar_t>(),
                                             result.activation_SH.data_ptr<scalar_t>(),
                                             keep_slope ? result.slope_SH.data_ptr<scalar_t>() : nullptr, result.y_SD.data_ptr<scalar_t>());
    });
    return result;
}

class GroupedFfnFunction : public torch::autograd::Function<GroupedFfnFunction> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x_SD, const at::Tensor& w1, const at::Tensor& b1, const at::Tensor& w2,
                              const at::Tensor& b2, const std::vector<std::int64_t>& offsets) {
        FfnResult result = runForward(x_SD, w1, b1, w2, b2, offsets, /*keep_slope=*/true);
        context->save_for_backward({x_SD, w1, b1, w2, b2, result.activation_SH, result.slope_SH});
        context->saved_data["offsets"] = offsets;
        return result.y_SD;
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &w1 = saved[1], &b1 = saved[2], &w2 = saved[3], &b2 = saved[4];
        const std::vector<std::int64_t> offsets = context->saved_data["offsets"].toIntVector();
        const at::Tensor dy = gradients[0].contiguous();
        at::Tensor dx = context->needs_input_grad(0) ? at::empty_like(x) : at::Tensor();
        at::Tensor dw1 = at::empty_like(w1), db1 = at::empty_like(b1), dw2 = at::empty_like(w2), db2 = at::empty_like(b2);
        at::Tensor scratch = at::empty_like(saved[5]);
        AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "grouped_ffn_backward", [&] {
            kernels::groupedFfnBackward<scalar_t>(
                {x.size(1), w1.size(1), offsets}, pointers<scalar_t>(w1, b1, w2, b2), x.const_data_ptr<scalar_t>(),
                saved[5].const_data_ptr<scalar_t>(), saved[6].const_data_ptr<scalar_t>(), dy.const_data_ptr<scalar_t>(),
                scratch.data_ptr<scalar_t>(), dx.defined() ? dx.data_ptr<scalar_t>() : nullptr,
                {dw1.data_ptr<scalar_t>(), db1.data_ptr<scalar_t>(), dw2.data_ptr<scalar_t>(), db2.data_ptr<scalar_t>()});
        });
        return {dx, dw1, db1, dw2, db2, at::Tensor()};
    }
};

}  // namespace

at::Tensor groupedFfnReference(const at::Tensor& x_SD, const at::Tensor& w1, const at::Tensor& b1, const at::Tensor& w2, const at::Tensor& b2,
                               const std::vector<std::int64_t>& offsets) {
    std::vector<at::Tensor> parts;
    for (std::int64_t e = 0; e < w1.size(0); ++e) {
        const auto index = static_cast<std::size_t>(e);
        const std::int64_t begin = offsets[index], rows = offsets[index + 1] - begin;
        if (rows == 0) continue;
        const at::Tensor hidden = at::gelu(at::linear(x_SD.narrow(0, begin, rows), w1[e], b1[e]));
        parts.push_back(at::linear(hidden, w2[e], b2[e]));
    }
    return parts.empty() ? x_SD : at::cat(parts);
}

at::Tensor groupedFfn(const at::Tensor& x_SD, const at::Tensor& w1_EHD, const at::Tensor& b1_EH, const at::Tensor& w2_EDH,
                      const at::Tensor& b2_ED, const std::vector<std::int64_t>& offsets) {
    TORCH_CHECK(static_cast<std::int64_t>(offsets.size()) == w1_EHD.size(0) + 1 && offsets.back() == x_SD.size(0), "offsets do not span the rows");
    const bool fused = x_SD.is_cpu() && x_SD.scalar_type() == w1_EHD.scalar_type() &&
                       (x_SD.scalar_type() == at::kFloat || x_SD.scalar_type() == at::kDouble);
    if (!fused) return groupedFfnReference(x_SD, w1_EHD, b1_EH, w2_EDH, b2_ED, offsets);
    const at::Tensor x = x_SD.contiguous(), w1 = w1_EHD.contiguous(), b1 = b1_EH.contiguous(), w2 = w2_EDH.contiguous(), b2 = b2_ED.contiguous();
    if (at::GradMode::is_enabled()) return GroupedFfnFunction::apply(x, w1, b1, w2, b2, offsets);
    return runForward(x, w1, b1, w2, b2, offsets, /*keep_slope=*/false).y_SD;
}

GroupedExperts::GroupedExperts(std::int64_t experts, std::int64_t width, std::int64_t hidden) {
    w1_EHD_ = register_parameter("w1", at::zeros({experts, hidden, width}));
    b1_EH_ = register_parameter("b1", at::zeros({experts, hidden}));
    w2_EDH_ = register_parameter("w2", at::zeros({experts, width, hidden}));
    b2_ED_ = register_parameter("b2", at::zeros({experts, width}));
}

at::Tensor GroupedExperts::forward(const at::Tensor& x_SD, const std::vector<std::int64_t>& offsets) const {
    return groupedFfn(x_SD, w1_EHD_, b1_EH_, w2_EDH_, b2_ED_, offsets);
}

std::int64_t GroupedExperts::parametersOfOne() const {
    return w1_EHD_.size(1) * w1_EHD_.size(2) * 2 + b1_EH_.size(1) + b2_ED_.size(1);
}

}  // namespace es::engine
