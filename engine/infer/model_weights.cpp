// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/infer/model_weights.h"

#include <ATen/core/grad_mode.h>

#include <sstream>
#include <utility>
#include <vector>

namespace es::engine {
namespace {

std::string shapeText(const at::Tensor& tensor) {
    std::ostringstream out;
    out << tensor.sizes();
    return out.str();
}

}  // namespace

Status loadWeights(VlMoe& model, const std::map<std::string, at::Tensor>& weights, const std::string& path) {
    const auto fails = [&](std::string why) {
        return badInput("The checkpoint does not fit the model", std::move(why), "Check that run.toml is the one that this checkpoint was trained with", path);
    };
    std::vector<std::pair<at::Tensor, at::Tensor>> pairs;
    const auto match = [&](const std::string& name, const at::Tensor& target) -> Status {
        const auto found = weights.find(name);
        if (found == weights.end()) return fails("it has no tensor '" + name + "'");
        if (found->second.sizes() != target.sizes())
            return fails("tensor '" + name + "' has the shape " + shapeText(found->second) + ", the model needs " + shapeText(target));
        pairs.emplace_back(target, found->second);
        return {};
    };
    for (const auto& parameter : model.named_parameters())
        if (Status done = match(parameter.key(), parameter.value()); !done) return done;
    for (const auto& buffer : model.named_buffers())
        if (Status done = match(buffer.key(), buffer.value()); !done) return done;
    if (pairs.size() != weights.size()) return fails("it has " + std::to_string(weights.size() - pairs.size()) + " tensors that the model does not know");
    const at::NoGradGuard no_gradient;
    for (auto& [target, value] : pairs) target.copy_(value);
    return {};
}

}  // namespace es::engine
