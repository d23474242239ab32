// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/router.h"

#include "engine/base/random.h"
#include "engine/model/router_kinds.h"

namespace es::engine {

Router::Router(const RouterKind& kind, const RouterOptions& options) : kind_(kind), options_(options) {
    TORCH_CHECK(options.k >= 1 && options.k <= options.experts, "a router of ", options.experts, " experts cannot choose ", options.k);
    TORCH_CHECK(kind.source != LogitSource::kCosine || options.cosine_width >= 1, "a cosine router cannot project to ", options.cosine_width);
    switch (kind.source) {
        case LogitSource::kLinear: weight_ED_ = register_parameter("weight", at::zeros({options.experts, options.width})); break;
        case LogitSource::kCosine:
            projection_PD_ = register_parameter("projection", at::zeros({options.cosine_width, options.width}));
            centroid_EP_ = register_parameter("centroid", at::zeros({options.experts, options.cosine_width}));
            break;
        case LogitSource::kNone: break;
    }
    if (options.modalities && kind.source != LogitSource::kNone) modality_MD_ = register_parameter("modality", at::zeros({kModalities, options.width}));
    if (kind.biased && options.bias_rate > 0) bias_E_ = register_buffer("bias", at::zeros({options.experts}));
    TORCH_CHECK(!options.quantile_balance || kind.quantiles, "a ", std::string(kind.name), " router cannot balance by quantiles");
    if (options.quantile_balance) quantile_E_ = register_buffer("quantile", at::zeros({options.experts}));
}

std::string_view Router::kind() const { return kind_.name; }

at::Tensor Router::logits(const at::Tensor& hidden_TD, const RouterCall& call) const {
    const at::ScalarType precision = hidden_TD.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const auto ready = [&](const at::Tensor& weight) { return weight.to(hidden_TD.device(), precision); };
    if (kind_.source == LogitSource::kNone) return at::zeros({hidden_TD.size(0), options_.experts}, hidden_TD.options().dtype(precision));
    const at::Tensor hidden = routerInput(hidden_TD.to(precision), modality_MD_, options_, call);
    if (call.weight_override_ED.defined()) return at::linear(hidden, ready(call.weight_override_ED));
    if (kind_.source == LogitSource::kLinear) return at::linear(hidden, ready(weight_ED_));
    return cosineLogits(hidden, ready(projection_PD_), ready(centroid_EP_), options_.temperature);
}

RouterOutput Router::forward(const at::Tensor& hidden_TD, const RouterCall& call) const { return route(logits(hidden_TD, call), call); }

RouterOutput Router::route(const at::Tensor& logits_TE, const RouterCall& call) const {
    if (!bias_E_.defined() && !quantile_E_.defined() && !call.choice_TE.defined() && call.k == 0) return kind_.rule(logits_TE, options_, call);
    RouterCall own = call;
    if (bias_E_.defined()) own.bias_E = bias_E_;
    if (quantile_E_.defined()) own.quantile_E = quantile_E_;
    if (call.choice_TE.defined()) own.bias_E = own.bias_E.defined() ? call.choice_TE + own.bias_E : call.choice_TE;
    RouterOptions options = options_;
    if (call.k > 0) options.k = call.k;
    return kind_.rule(logits_TE, options, own);
}

void Router::balance(const at::Tensor& counts_E, const at::Tensor& logits_TE) {
    const at::NoGradGuard no_grad;
    if (bias_E_.defined()) bias_E_.copy_(updatedBias(counts_E.to(bias_E_.device()), bias_E_, options_.bias_rate));
    if (!quantile_E_.defined()) return;
    TORCH_CHECK(logits_TE.defined(), "balancing by quantiles needs the step's logits");
    quantile_E_.copy_(quantile_E_ * options_.quantile_ema + quantileBias(logits_TE, quantile_E_, options_.k) * (1 - options_.quantile_ema));
}

at::Tensor routerInput(const at::Tensor& hidden_TD, const at::Tensor& modality_MD, const RouterOptions& options, const RouterCall& call) {
    at::Tensor input_TD = hidden_TD;
    if (modality_MD.defined()) {
        TORCH_CHECK(call.modality_T.defined(), "a router with embeddings of modalities needs those of its tokens");
        input_TD = input_TD + modality_MD.to(input_TD.scalar_type()).index_select(0, call.modality_T.to(input_TD.device()));
    }
    if (!call.training || options.input_jitter == 0) return input_TD;
    // Drawn on the host, so that every device gets the same.
    RandomStream random(options.seed, RandomPurpose::kRouterJitter, static_cast<std::uint64_t>(call.step), static_cast<std::uint32_t>(call.micro_batch));
    at::Tensor factor_TD = at::empty(input_TD.sizes(), at::kFloat);
    float* factor = factor_TD.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < factor_TD.numel(); ++i) factor[i] = static_cast<float>(1 + options.input_jitter * (2 * random.uniform() - 1));
    return input_TD * factor_TD.to(input_TD.device(), input_TD.scalar_type());
}

std::shared_ptr<Router> makeRouter(std::string_view kind, const RouterOptions& options) { return std::make_shared<Router>(routerKindNamed(kind), options); }

std::vector<std::string> routerKinds() {
    std::vector<std::string> names;
    for (const RouterKind& kind : routerKindTable()) names.emplace_back(kind.name);
    return names;
}

std::int64_t routerWeights(std::string_view kind, std::int64_t width, std::int64_t outputs, std::int64_t cosine_width) {
    if (isSoft(kind)) return width * outputs;
    switch (routerKindNamed(kind).source) {
        case LogitSource::kLinear: return width * outputs;
        case LogitSource::kCosine: return cosine_width * (width + outputs);
        case LogitSource::kNone: return 0;
    }
    return 0;
}

bool choosesUnevenly(std::string_view kind) { return !isSoft(kind) && routerKindNamed(kind).uneven; }

bool needsTokenNames(std::string_view kind) { return isSoft(kind) || routerKindNamed(kind).names; }

}  // namespace es::engine
