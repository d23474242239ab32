// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/library/reference_case_tensors.h"

#include <algorithm>

namespace es::engine {
namespace {

bool wantsDouble(const reference::Call& call) {
    return std::any_of(call.inputs.begin(), call.inputs.end(), [](const auto& input) { return input.second.type == ElementType::kF64; });
}

at::Tensor tensorOf(const NumberArray& array, at::ScalarType real) {
    if (isReal(array.type)) return at::tensor(array.reals, at::kDouble).reshape(array.shape).to(real);
    const at::Tensor whole = at::tensor(array.integers, at::kLong).reshape(array.shape);
    return array.type == ElementType::kU8 || array.type == ElementType::kBool ? whole.ne(0) : whole;
}

}  // namespace

CaseTensors::CaseTensors(const reference::Call& call, const at::Device& device) : call_(call) {
    const at::ScalarType real = wantsDouble(call) ? at::kDouble : at::kFloat;
    for (const auto& [name, array] : call.inputs) {
        at::Tensor tensor = tensorOf(array, real).to(device);
        if (call.gradients && call.operation->differentiates(name)) tensor.requires_grad_(true);
        tensors_[name] = tensor;
    }
}

at::Tensor CaseTensors::operator()(const std::string& name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? at::Tensor() : found->second;
}

NumberArray arrayOf(const at::Tensor& tensor) {
    NumberArray array;
    array.shape = tensor.sizes().vec();
    const at::Tensor here = tensor.detach().to(at::kCPU);
    if (at::isFloatingType(here.scalar_type())) {
        const at::Tensor wide = here.to(at::kDouble).contiguous();
        array.type = here.scalar_type() == at::kDouble ? ElementType::kF64 : ElementType::kF32;
        array.reals.assign(wide.const_data_ptr<double>(), wide.const_data_ptr<double>() + wide.numel());
        return array;
    }
    const at::Tensor wide = here.to(at::kLong).contiguous();
    array.type = here.scalar_type() == at::kLong ? ElementType::kI64 : ElementType::kU8;
    array.integers.assign(wide.const_data_ptr<std::int64_t>(), wide.const_data_ptr<std::int64_t>() + wide.numel());
    return array;
}

void requireFinite(const at::Tensor& tensor, const std::string& what) {
    if (!tensor.detach().isfinite().all().item<bool>()) throw BadReferenceCase{what + " are not finite"};
}

}  // namespace es::engine
