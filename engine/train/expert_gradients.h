// SPDX-License-Identifier: GPL-3.0-or-later
// The gradient norm of each single expert of each router.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "engine/model/vl_moe.h"

namespace es::engine {

/// Looks at the routed experts of a model; shared ones are not among them.
class ExpertGradients {
public:
    explicit ExpertGradients(const VlMoe& model);
    /// L2 norm of the gradients of all of an expert's tensors together, fp32 on the device, in the order of names(); 0 for an expert
    /// whose gradients are zero or missing. Call it before the optimizer's step, which may clip.
    [[nodiscard]] at::Tensor norms() const;
    /// "l1.v/3": router and expert.
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

private:
    struct Group {
        std::int64_t experts = 0;
        std::vector<at::Tensor> parameters;  ///< E x ...
    };
    std::vector<Group> groups_;  ///< by router
    std::vector<std::string> names_;
};

}  // namespace es::engine
