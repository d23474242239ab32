// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/step_report.h"

#include <cmath>

#include "engine/train/run_provenance.h"

namespace es::engine {

DeviceNumbers::DeviceNumbers(const ModelOutput& output, const GradientNorms& norms) {
    std::vector<at::Tensor> parts{output.loss.detach(), norms.all};
    for (std::size_t o = 0; o < kObjectiveCount; ++o) {
        has_objective_[o] = output.objective_loss[o].defined();
        if (has_objective_[o]) parts.push_back(output.objective_loss[o]);
    }
    for (const RouterLosses& router : output.routers) {
        routers_.push_back(router.router);
        parts.push_back(router.balance.detach());
        parts.push_back(router.z.detach());
    }
    groups_ = norms.groups_G.numel();
    for (at::Tensor& part : parts) part = part.to(at::kFloat).reshape({1});
    parts.push_back(norms.groups_G.to(at::kFloat).reshape({groups_}));
    packed_ = at::cat(parts);
}

DeviceNumbers::Values DeviceNumbers::read() const {
    const at::Tensor cpu = packed_.to(at::kCPU).contiguous();
    const float* next = cpu.const_data_ptr<float>();
    Values out;
    out.loss = *next++;
    out.gradient_norm = *next++;
    for (std::size_t o = 0; o < kObjectiveCount; ++o)
        if (has_objective_[o]) out.objective[o] = *next++;
    for (const RouterId router : routers_) {
        const double balance = *next++;
        out.routers.push_back({router, balance, *next++});
    }
    out.gradient_groups.assign(next, next + groups_);
    return out;
}

std::string routerName(const store::RouterInfo& router) { return "l" + std::to_string(router.layer.value) + "." + std::string(toString(router.branch)); }

std::vector<store::Scalar> scalarsOf(const DeviceNumbers::Values& values, const std::vector<std::string>& groups, const std::vector<store::RouterInfo>& routers,
                                     const std::vector<RouterStatistics>& statistics, const StepTiming& timing) {
    std::vector<store::Scalar> out;
    out.reserve(24 + 7 * routers.size());
    out.push_back({"train/loss", values.loss});
    for (std::size_t o = 0; o < kObjectiveCount; ++o)
        if (values.objective[o]) out.push_back({"train/loss/" + std::string(toString(static_cast<Objective>(o))), *values.objective[o]});
    out.push_back({"grad_norm/all", values.gradient_norm});
    for (std::size_t g = 0; g < groups.size(); ++g) out.push_back({"grad_norm/" + groups[g], values.gradient_groups[g]});
    out.push_back({"learning_rate", timing.learning_rate});
    out.push_back({"time/step_ms", timing.step_ms});
    out.push_back({"throughput/samples_per_s", timing.samples_per_s});
    out.push_back({"throughput/tokens_per_s", timing.tokens_per_s});
    out.push_back({"memory/resident_mb", residentMegabytes()});
    for (const auto& router : values.routers) {
        const std::string name = routerName(routers[static_cast<std::size_t>(router.router.value)]);
        out.push_back({"train/balance/" + name, router.balance});
        out.push_back({"train/z/" + name, router.z});
    }
    for (const RouterStatistics& router : statistics) {
        const std::string name = "router/" + routerName(routers[static_cast<std::size_t>(router.router.value)]) + "/";
        out.push_back({name + "max_vio", router.max_vio});
        out.push_back({name + "entropy_nats", router.entropy_nats});
        out.push_back({name + "mean_gate", router.mean_gate});
        out.push_back({name + "dead_experts", router.dead_experts});
        out.push_back({name + "dropped_share", router.dropped_share});
    }
    return out;
}

void addLosses(std::vector<store::LoadRecord>& load, const DeviceNumbers::Values& values) {
    for (auto& record : load)
        for (const auto& router : values.routers)
            if (router.router == record.router) {
                record.balance_loss = static_cast<float>(router.balance);
                record.z_loss = static_cast<float>(router.z);
            }
}

std::string locateNonFinite(const DeviceNumbers::Values& values, const VlMoe& model, const std::vector<store::LoadRecord>& load) {
    for (const auto& parameter : model.named_parameters())
        if (!at::isfinite(parameter.value()).all().item<bool>()) return "weight '" + parameter.key() + "' is not finite";
    for (const auto& record : load)
        if (!std::isfinite(record.max_abs_logit)) {
            const auto& router = model.routers()[static_cast<std::size_t>(record.router.value)];
            return "the logits of router " + routerName(router) + " (layer " + std::to_string(router.layer.value) + ") are not finite";
        }
    for (std::size_t o = 0; o < kObjectiveCount; ++o)
        if (values.objective[o] && !std::isfinite(*values.objective[o]))
            return "the loss '" + std::string(toString(static_cast<Objective>(o))) + "' is not finite";
    for (const auto& parameter : model.named_parameters())
        if (parameter.value().grad().defined() && !at::isfinite(parameter.value().grad()).all().item<bool>())
            return "the gradient of '" + parameter.key() + "' is not finite";
    for (const auto& router : values.routers)
        if (!std::isfinite(router.balance) || !std::isfinite(router.z))
            return "the balance or z loss of router " + routerName(model.routers()[static_cast<std::size_t>(router.router.value)]) + " is not finite";
    return "the sum of finite losses overflows";
}

}  // namespace es::engine
