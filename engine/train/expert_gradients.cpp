// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/expert_gradients.h"

#include "engine/train/step_report.h"

namespace es::engine {

ExpertGradients::ExpertGradients(const VlMoe& model) {
    const auto parameters = model.named_parameters();
    for (const store::RouterInfo& router : model.routers()) {
        const std::string prefix = "layers." + std::to_string(router.layer.value) + "." + std::string(toString(router.branch)) + ".moe.experts.";
        Group group{router.experts, {}};
        for (const auto& parameter : parameters)
            if (parameter.key().starts_with(prefix)) group.parameters.push_back(parameter.value());
        TORCH_CHECK(!group.parameters.empty(), "router ", routerName(router), " has no experts named ", prefix);
        groups_.push_back(std::move(group));
        for (std::int32_t e = 0; e < router.experts; ++e) names_.push_back(routerName(router) + "/" + std::to_string(e));
    }
}

at::Tensor ExpertGradients::norms() const {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> of_routers;
    for (const Group& group : groups_) {
        at::Tensor squares_E = at::zeros({group.experts}, group.parameters.front().options().dtype(at::kFloat).requires_grad(false));
        for (const at::Tensor& parameter : group.parameters)
            if (parameter.grad().defined()) squares_E += at::linalg_vector_norm(parameter.grad().reshape({group.experts, -1}), 2, at::IntArrayRef{1}).square();
        of_routers.push_back(squares_E.sqrt_());
    }
    return of_routers.empty() ? at::empty({0}) : at::cat(of_routers);
}

}  // namespace es::engine
