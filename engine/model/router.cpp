// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/router.h"

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
    if (kind.biased && options.bias_rate > 0) bias_E_ = register_buffer("bias", at::zeros({options.experts}));
}

std::string_view Router::kind() const { return kind_.name; }

RouterOutput Router::forward(const at::Tensor& hidden_TD, const RouterCall& call) const {
    const at::ScalarType precision = hidden_TD.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const auto ready = [&](const at::Tensor& weight) { return weight.to(hidden_TD.device(), precision); };
    if (kind_.source == LogitSource::kNone) return route(at::zeros({hidden_TD.size(0), options_.experts}, hidden_TD.options().dtype(precision)), call);
    const at::Tensor hidden = hidden_TD.to(precision);
    if (call.weight_override_ED.defined()) return route(at::linear(hidden, ready(call.weight_override_ED)), call);
    if (kind_.source == LogitSource::kLinear) return route(at::linear(hidden, ready(weight_ED_)), call);
    return route(cosineLogits(hidden, ready(projection_PD_), ready(centroid_EP_), options_.temperature), call);
}

RouterOutput Router::route(const at::Tensor& logits_TE, const RouterCall& call) const {
    if (!bias_E_.defined()) return kind_.rule(logits_TE, options_, call);
    RouterCall biased = call;
    biased.bias_E = bias_E_;
    return kind_.rule(logits_TE, options_, biased);
}

void Router::balance(const at::Tensor& counts_E) {
    if (!bias_E_.defined()) return;
    const at::NoGradGuard no_grad;
    bias_E_.copy_(updatedBias(counts_E.to(bias_E_.device()), bias_E_, options_.bias_rate));
}

std::shared_ptr<Router> makeRouter(std::string_view kind, const RouterOptions& options) { return std::make_shared<Router>(routerKindNamed(kind), options); }

std::vector<std::string> routerKinds() {
    std::vector<std::string> names;
    for (const RouterKind& kind : routerKindTable()) names.emplace_back(kind.name);
    return names;
}

std::int64_t routerParameters(std::string_view kind, std::int64_t width, std::int64_t experts, std::int64_t cosine_width) {
    switch (routerKindNamed(kind).source) {
        case LogitSource::kLinear: return width * experts;
        case LogitSource::kCosine: return cosine_width * (width + experts);
        case LogitSource::kNone: return 0;
    }
    return 0;
}

bool choosesUnevenly(std::string_view kind) { return routerKindNamed(kind).uneven; }

bool needsTokenNames(std::string_view kind) { return routerKindNamed(kind).names; }

}  // namespace es::engine
