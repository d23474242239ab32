// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/router.h"

#include <array>

#include "engine/model/selection.h"

namespace es::engine {
namespace {

template <class Kind>
std::shared_ptr<Router> make(const RouterOptions& options) {
    return std::make_shared<Kind>(options);
}

struct RouterKind {
    std::string_view name;
    std::shared_ptr<Router> (*make)(const RouterOptions&);
};

constexpr std::array kRouterKinds = {
    RouterKind{"softmax_topk", make<SoftmaxTopKRouter>},
};

}  // namespace

Router::Router(const RouterOptions& options) : options_(options) {
    TORCH_CHECK(options.k >= 1 && options.k <= options.experts, "a router of ", options.experts, " experts cannot choose ", options.k);
    weight_ED_ = register_parameter("weight", at::zeros({options.experts, options.width}));
}

RouterOutput Router::forward(const at::Tensor& hidden_TD, const at::Tensor& weight_override_ED) const {
    const at::Tensor& weight = weight_override_ED.defined() ? weight_override_ED : weight_ED_;
    const at::ScalarType precision = hidden_TD.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    return route(at::linear(hidden_TD.to(precision), weight.to(hidden_TD.device(), precision)));
}

RouterOutput SoftmaxTopKRouter::route(const at::Tensor& logits_TE) const {
    RouterOutput output;
    output.logits_TE = logits_TE;
    output.probs_TE = logits_TE.softmax(1);
    output.indices_TK = selectTopK(logits_TE, options_.k);
    output.weights_TK = output.probs_TE.gather(1, output.indices_TK);
    if (options_.renormalize) {
        // The same quotient from the chosen logits alone: exact even where the probabilities underflow.
        output.weights_TK = logits_TE.gather(1, output.indices_TK).softmax(1);
    }
    return output;
}

std::shared_ptr<Router> makeRouter(std::string_view kind, const RouterOptions& options) {
    for (const RouterKind& known : kRouterKinds)
        if (known.name == kind) return known.make(options);
    TORCH_CHECK(false, "unknown router '", std::string(kind), "'");
}

std::vector<std::string> routerKinds() {
    std::vector<std::string> names;
    for (const RouterKind& kind : kRouterKinds) names.emplace_back(kind.name);
    return names;
}

}  // namespace es::engine
