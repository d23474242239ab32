// SPDX-License-Identifier: GPL-3.0-or-later
// A reference case as tensors on a device, and what its operation gives.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <string>

#include "engine/base/safetensors_file.h"
#include "engine/reference/operation.h"

namespace es::engine {

/// A mistake of the case that only the computation meets.
struct BadReferenceCase {
    std::string why;
};

/// The inputs of a call. Real ones are fp32, or fp64 when one of the case's is; those that the operation differentiates ask for gradients
/// when the call does.
class CaseTensors {
public:
    CaseTensors(const reference::Call& call, const at::Device& device);
    /// Undefined when the case leaves an optional one out.
    [[nodiscard]] at::Tensor operator()(const std::string& name) const;
    [[nodiscard]] const reference::Call& call() const { return call_; }
    [[nodiscard]] const std::map<std::string, at::Tensor>& all() const { return tensors_; }

private:
    const reference::Call& call_;
    std::map<std::string, at::Tensor> tensors_;
};

/// By name, without "out.".
using CaseOutputs = std::map<std::string, at::Tensor>;
using ReferenceOperation = CaseOutputs (*)(const CaseTensors&);

/// Of every device; int64, uint8 and bool become whole numbers, the rest real ones.
[[nodiscard]] NumberArray arrayOf(const at::Tensor& tensor);

/// Throws BadReferenceCase unless every number is finite.
void requireFinite(const at::Tensor& tensor, const std::string& what);

/// The operations of the engine, by name.
[[nodiscard]] std::map<std::string, ReferenceOperation> referenceRouters();
[[nodiscard]] std::map<std::string, ReferenceOperation> referenceLosses();
[[nodiscard]] std::map<std::string, ReferenceOperation> referenceLayers();

}  // namespace es::engine
