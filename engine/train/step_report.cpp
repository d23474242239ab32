// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/step_report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "engine/train/run_provenance.h"

namespace es::engine {

namespace {

/// Mean of those that are defined; undefined when none is.
at::Tensor meanOfDefined(const std::vector<at::Tensor>& values) {
    std::vector<at::Tensor> defined;
    for (const at::Tensor& value : values)
        if (value.defined()) defined.push_back(value.detach());
    return defined.empty() ? at::Tensor() : at::stack(defined).mean();
}

/// Values under the same key, in order of first appearance.
template <class Key>
struct Collected {
    std::vector<std::pair<Key, std::vector<at::Tensor>>> all;
    std::vector<at::Tensor>& operator[](const Key& key) {
        const auto found = std::ranges::find(all, key, &std::pair<Key, std::vector<at::Tensor>>::first);
        if (found != all.end()) return found->second;
        return all.emplace_back(key, std::vector<at::Tensor>()).second;
    }
};

}  // namespace

ModelOutput meanOf(const std::vector<ModelOutput>& outputs) {
    if (outputs.size() == 1) return outputs.front();
    ModelOutput mean;
    std::vector<at::Tensor> losses;
    std::array<std::vector<at::Tensor>, kObjectiveCount> objectives;
    Collected<std::string> figures;
    std::map<RouterId, Collected<std::string_view>> of_routers;
    std::map<RouterId, RouterLosses> routers;
    for (const ModelOutput& output : outputs) {
        losses.push_back(output.loss);
        for (std::size_t o = 0; o < kObjectiveCount; ++o) objectives[o].push_back(output.objective_loss[o]);
        for (const auto& [name, value] : output.figures) figures[name].push_back(value);
        for (const RouterLosses& router : output.routers) {
            for (const RouterLoss& loss : router.losses) of_routers[router.router][loss.name].push_back(loss.value);
            RouterLosses& sum = routers[router.router];
            sum.router = router.router;
            if (router.counts_E.defined()) sum.counts_E = sum.counts_E.defined() ? sum.counts_E + router.counts_E : router.counts_E;
        }
    }
    mean.loss = meanOfDefined(losses);
    for (std::size_t o = 0; o < kObjectiveCount; ++o) mean.objective_loss[o] = meanOfDefined(objectives[o]);
    for (const auto& [name, values] : figures.all) mean.figures.emplace_back(name, meanOfDefined(values));
    for (auto& [id, router] : routers) {
        for (const auto& [name, values] : of_routers[id].all) router.losses.push_back({name, meanOfDefined(values), 0});
        mean.routers.push_back(std::move(router));
    }
    return mean;
}

DeviceNumbers::DeviceNumbers(const ModelOutput& output, const GradientNorms& norms) {
    std::vector<at::Tensor> parts{output.loss.detach(), norms.all};
    for (std::size_t o = 0; o < kObjectiveCount; ++o) {
        has_objective_[o] = output.objective_loss[o].defined();
        if (has_objective_[o]) parts.push_back(output.objective_loss[o]);
    }
    for (const auto& [name, value] : output.figures) {
        figures_.push_back(name);
        parts.push_back(value);
    }
    for (const RouterLosses& router : output.routers) {
        routers_.push_back({router.router, {}});
        for (const RouterLoss& loss : router.losses) {
            routers_.back().losses.push_back({loss.name, 0});
            parts.push_back(loss.value.detach());
        }
    }
    groups_ = norms.groups_G.numel();
    for (at::Tensor& part : parts) part = part.to(at::kFloat).reshape({1});
    parts.push_back(norms.groups_G.to(at::kFloat).reshape({groups_}));
    packed_ = at::cat(parts);
}

double DeviceNumbers::Values::Router::value(std::string_view name) const {
    const auto found = std::ranges::find(losses, name, &RouterLossValue::name);
    return found == losses.end() ? std::numeric_limits<double>::quiet_NaN() : found->value;
}

DeviceNumbers::Values DeviceNumbers::read() const {
    const at::Tensor cpu = packed_.to(at::kCPU).contiguous();
    const float* next = cpu.const_data_ptr<float>();
    Values out;
    out.loss = *next++;
    out.gradient_norm = *next++;
    for (std::size_t o = 0; o < kObjectiveCount; ++o)
        if (has_objective_[o]) out.objective[o] = *next++;
    for (const std::string& name : figures_) out.figures.emplace_back(name, *next++);
    out.routers = routers_;
    for (Values::Router& router : out.routers)
        for (Values::RouterLossValue& loss : router.losses) loss.value = *next++;
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
    for (const auto& [name, value] : values.figures) out.push_back({"train/" + name, value});
    out.push_back({"grad_norm/all", values.gradient_norm});
    for (std::size_t g = 0; g < groups.size(); ++g) out.push_back({"grad_norm/" + groups[g], values.gradient_groups[g]});
    out.push_back({"learning_rate", timing.learning_rate});
    out.push_back({"time/step_ms", timing.step_ms});
    out.push_back({"throughput/samples_per_s", timing.samples_per_s});
    out.push_back({"throughput/tokens_per_s", timing.tokens_per_s});
    out.push_back({"memory/resident_mb", residentMegabytes()});
    for (const auto& router : values.routers) {
        const std::string name = routerName(routers[static_cast<std::size_t>(router.router.value)]);
        for (const auto& loss : router.losses) out.push_back({"train/" + std::string(loss.name) + "/" + name, loss.value});
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
    for (auto& record : load) {
        record.balance_loss = record.z_loss = std::numeric_limits<float>::quiet_NaN();
        for (const auto& router : values.routers)
            if (router.router == record.router) {
                record.balance_loss = static_cast<float>(router.value("balance"));
                record.z_loss = static_cast<float>(router.value("z"));
            }
    }
}

namespace {

/// "the weight 'layers.1.v.moe.experts.w1' (expert 3)": one of the experts' tensors at the first expert with a number that is not finite.
std::string nameBad(const char* what, const std::string& name, const at::Tensor& tensor) {
    std::string out = std::string(what) + " '" + name + "'";
    if (name.find(".moe.experts.") == std::string::npos) return out;
    const at::Tensor bad_E = at::isfinite(tensor).reshape({tensor.size(0), -1}).all(1).logical_not();
    return out + " (expert " + std::to_string(bad_E.to(at::kInt).argmax().item<std::int64_t>()) + ")";
}

bool isFinite(const at::Tensor& tensor) { return at::isfinite(tensor).all().item<bool>(); }

}  // namespace

std::string locateNonFinite(const DeviceNumbers::Values& values, const VlMoe& model, const std::string& part) {
    const auto parameters = model.named_parameters();
    for (const auto& parameter : parameters)
        if (!isFinite(parameter.value())) return nameBad("the weight", parameter.key(), parameter.value()) + " is not finite";
    if (!part.empty()) return (part.ends_with(".router") ? "a logit of '" : "the output of '") + part + "' is not finite";
    for (std::size_t o = 0; o < kObjectiveCount; ++o)
        if (values.objective[o] && !std::isfinite(*values.objective[o]))
            return "the loss '" + std::string(toString(static_cast<Objective>(o))) + "' is not finite";
    for (const auto& router : values.routers)
        for (const auto& loss : router.losses)
            if (!std::isfinite(loss.value))
                return "the " + std::string(loss.name) + " loss of router " + routerName(model.routers()[static_cast<std::size_t>(router.router.value)]) +
                       " is not finite";
    const auto& items = parameters.items();
    for (auto parameter = items.rbegin(); parameter != items.rend(); ++parameter)
        if (const at::Tensor& gradient = parameter->value().grad(); gradient.defined() && !isFinite(gradient))
            return nameBad("the gradient of", parameter->key(), gradient) + " is not finite";
    return "the sum of finite losses or gradients overflows";
}

}  // namespace es::engine
