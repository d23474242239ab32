// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/initialization.h"

#include <cmath>

#include "engine/base/hash.h"

namespace es::engine {
namespace {

bool endsWith(const std::string& text, std::string_view end) { return text.size() >= end.size() && text.ends_with(end); }

/// Norms, biases and layer scales keep their constants.
bool isConstant(const std::string& name) {
    return endsWith(name, ".bias") || endsWith(name, ".b1") || endsWith(name, ".b2") || name.find(".norm") != std::string::npos ||
           endsWith(name, ".attention_scale") || endsWith(name, ".ffn_scale") || endsWith(name, ".router.scale") || endsWith(name, ".log_scale");
}

bool isEmbedding(const std::string& name) { return name.starts_with("embed.") && name != "embed.patch.weight"; }

double deviationOf(const std::string& name, const at::Tensor& parameter, const InitializationOptions& options) {
    // Of these the directions alone count: lengths of about 1 keep the steps of the optimiser small angles.
    if (endsWith(name, ".router.projection") || endsWith(name, ".router.centroid") || endsWith(name, ".router.phi"))
        return 1.0 / std::sqrt(static_cast<double>(parameter.size(-1)));
    if (name.find(".router.") != std::string::npos) {
        for (const auto& [beginning, deviation] : options.router_std_of)
            if (name.starts_with(beginning)) return deviation;
        return options.router_std;
    }
    if (isEmbedding(name)) return 0.02;
    const double deviation = 1.0 / std::sqrt(3.0 * static_cast<double>(parameter.size(-1)));
    const bool writes_residual = endsWith(name, ".out.weight") || endsWith(name, ".w2");
    return writes_residual ? deviation / std::sqrt(2.0 * static_cast<double>(options.layers)) : deviation;
}

}  // namespace

void fillNormal(at::Tensor tensor, RandomStream& random, double deviation, double cut) {
    TORCH_CHECK(tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous(), "fillNormal needs a plain fp32 tensor");
    float* data = tensor.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
        double value = random.normal();
        while (cut > 0 && std::fabs(value) > cut) value = random.normal();
        data[i] = static_cast<float>(value * deviation);
    }
}

void initialize(torch::nn::Module& model, std::uint64_t seed, const InitializationOptions& options) {
    const at::NoGradGuard no_grad;
    for (const auto& item : model.named_parameters()) {
        if (isConstant(item.key())) continue;
        RandomStream random(seed, RandomPurpose::kWeights, hash64(item.key()));
        const bool router = item.key().find(".router.") != std::string::npos;
        at::Tensor drawn = at::empty(item.value().sizes(), at::kFloat);
        fillNormal(drawn, random, deviationOf(item.key(), item.value(), options), router ? 0.0 : 2.0);
        item.value().copy_(drawn);
    }
}

}  // namespace es::engine
