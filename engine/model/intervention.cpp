// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/intervention.h"

#include <algorithm>
#include <limits>

#include "engine/model/selection.h"

namespace es::engine {
namespace {

using Kind = session::InterventionKind;

constexpr double kForbidden = -std::numeric_limits<double>::infinity();
/// Added to what a forced expert is chosen by where logits alone do not decide: beyond every score and bias.
constexpr double kFirst = 1e6;

at::Tensor indexTensor(const std::vector<std::int64_t>& indices, at::Device device) { return at::tensor(indices, at::kLong).to(device); }

/// bool T; undefined: every token.
at::Tensor tokensOf(const session::TokenSet& set, const TokenNames& names, at::Device device) {
    if (set.all()) return {};
    TORCH_CHECK(names.modality_N.defined() && names.position_N.defined(), "an intervention on some tokens needs to know which they are");
    at::Tensor chosen_T = names.modality_N.eq(static_cast<std::int64_t>(set.modality));
    if (!set.positions.empty()) {
        const std::vector<std::int64_t> positions(set.positions.begin(), set.positions.end());
        chosen_T = chosen_T.logical_and(at::isin(names.position_N, indexTensor(positions, names.position_N.device())));
    }
    return chosen_T.to(device);
}

at::Tensor whereNamed(const at::Tensor& chosen_T, const at::Tensor& changed_TX, const at::Tensor& own_TX) {
    return chosen_T.defined() ? at::where(chosen_T.unsqueeze(1), changed_TX, own_TX) : changed_TX;
}

/// The logit of each of `experts` just above all others of its token, the first named on top. One that is there already stays as it is.
at::Tensor forcedLogits(at::Tensor z_TE, const std::vector<std::int64_t>& experts) {
    const at::Tensor above = at::scalar_tensor(std::numeric_limits<double>::infinity(), z_TE.options());
    for (auto expert = experts.rbegin(); expert != experts.rend(); ++expert) {
        const at::Tensor own_T = z_TE.select(1, *expert), here = indexTensor({*expert}, z_TE.device());
        const at::Tensor others_T = z_TE.index_fill(1, here, kForbidden).amax(1);
        const at::Tensor forced_T = at::where(own_T.gt(others_T), own_T, at::nextafter(others_T, above));
        z_TE = z_TE.index_copy(1, here, forced_T.unsqueeze(1));
    }
    return z_TE;
}

/// All but a random router, whose logits are not made from these.
at::Tensor changedLogits(const at::Tensor& z_TE, const RouterChange& change) {
    switch (change.kind) {
        case Kind::kSwap: {
            std::vector<std::int64_t> order;
            for (std::int64_t e = 0; e < z_TE.size(1); ++e) order.push_back(e);
            std::swap(order.at(static_cast<std::size_t>(change.experts.at(0))), order.at(static_cast<std::size_t>(change.experts.at(1))));
            return z_TE.index_select(1, indexTensor(order, z_TE.device()));
        }
        case Kind::kBan: return z_TE.index_fill(1, indexTensor(change.experts, z_TE.device()), kForbidden);
        case Kind::kDropBest: return z_TE.scatter(1, selectTopK(z_TE, change.number), kForbidden);
        case Kind::kForce: return forcedLogits(z_TE, change.experts);
        case Kind::kRandomRouter:
        case Kind::kOtherK:
        case Kind::kSilence: break;
    }
    return z_TE;
}

/// Rows padded with what is no choice.
at::Tensor widenedTo(const at::Tensor& values_TK, std::int64_t k, double filling) {
    return values_TK.size(1) == k ? values_TK : at::constant_pad_nd(values_TK, {0, k - values_TK.size(1)}, filling);
}

/// Token by token one routing or the other.
RouterOutput mixed(const at::Tensor& chosen_T, RouterOutput changed, const RouterOutput& own) {
    if (!chosen_T.defined()) return changed;
    const std::int64_t k = std::max(changed.indices_TK.size(1), own.indices_TK.size(1));
    changed.indices_TK = whereNamed(chosen_T, widenedTo(changed.indices_TK, k, -1), widenedTo(own.indices_TK, k, -1));
    changed.weights_TK = whereNamed(chosen_T, widenedTo(changed.weights_TK, k, 0), widenedTo(own.weights_TK, k, 0));
    changed.probs_TE = whereNamed(chosen_T, changed.probs_TE, own.probs_TE);
    changed.softmax = changed.softmax && own.softmax;
    return changed;
}

}  // namespace

const std::vector<RouterChange>* InterventionPlan::find(RouterId router) const {
    const auto found = by_router.find(router.value);
    return found == by_router.end() ? nullptr : &found->second;
}

RouterOutput routeChanged(const Router& router, const BranchTokens& tokens, RouterCall call, const std::vector<RouterChange>& changes) {
    const at::Device device = tokens.x_TD.device();
    at::Tensor z_TE = router.logits(tokens.x_TD, call);
    at::Tensor first_TE = at::zeros(z_TE.sizes(), z_TE.options().dtype(at::kDouble));
    bool acts_on_logits = false;
    for (const RouterChange& change : changes) {
        if (change.kind == Kind::kOtherK || change.kind == Kind::kSilence) continue;
        acts_on_logits = true;
        const at::Tensor chosen_T = tokensOf(change.tokens, tokens.names, device);
        RouterCall drawn = call;
        if (change.kind == Kind::kRandomRouter) drawn.weight_override_ED = change.weight_ED;
        const at::Tensor changed_TE = change.kind == Kind::kRandomRouter ? router.logits(tokens.x_TD, drawn) : changedLogits(z_TE, change);
        z_TE = whereNamed(chosen_T, changed_TE, z_TE);
        if (change.kind != Kind::kForce) continue;
        at::Tensor bonus_TE = first_TE.clone();
        for (std::size_t i = 0; i < change.experts.size(); ++i)
            bonus_TE.select(1, change.experts[i]).fill_(kFirst * static_cast<double>(1 + change.experts.size() - i));
        first_TE = whereNamed(chosen_T, bonus_TE, first_TE);
    }
    if (acts_on_logits) call.choice_TE = first_TE.masked_fill(z_TE.isneginf(), kForbidden);

    RouterOutput routing = router.route(z_TE, call);
    for (const RouterChange& change : changes) {
        if (change.kind != Kind::kOtherK) continue;
        call.k = change.number;
        routing = mixed(tokensOf(change.tokens, tokens.names, device), router.route(z_TE, call), routing);
    }
    for (const RouterChange& change : changes) {
        if (change.kind != Kind::kSilence) continue;
        at::Tensor silent_TK = at::isin(routing.indices_TK, indexTensor(change.experts, device));
        const at::Tensor chosen_T = tokensOf(change.tokens, tokens.names, device);
        if (chosen_T.defined()) silent_TK = silent_TK.logical_and(chosen_T.unsqueeze(1));
        routing.weights_TK = routing.weights_TK.masked_fill(silent_TK, 0);
    }
    return routing;
}

}  // namespace es::engine
