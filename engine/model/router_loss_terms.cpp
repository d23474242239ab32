// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/router_loss_terms.h"

#include "engine/objective/router_losses.h"

namespace es::engine {
namespace {

/// E · Σ_e (n_e / Σ n) P_e: 1 at perfect balance, whatever the number of choices of a token.
at::Tensor balancePerChoice(const at::Tensor& shares_TE, const at::Tensor& counts_E) {
    const at::Tensor choices = counts_E.sum().to(shares_TE.scalar_type());
    return unnormalizedBalanceLoss(shares_TE, counts_E) * (static_cast<double>(shares_TE.size(0)) / choices);
}

at::Tensor balanceOf(const RoutedTokens& tokens, const at::Tensor& shares_TE) {
    if (tokens.counts_before_E.defined()) return balancePerChoice(shares_TE, tokens.counts_E + tokens.counts_before_E);
    return tokens.uneven ? balancePerChoice(shares_TE, tokens.counts_E) : balanceLoss(shares_TE, tokens.counts_E, tokens.options.k);
}

at::Tensor unnormalizedBalanceOf(const RoutedTokens& tokens, const at::Tensor& shares_TE) {
    if (!tokens.counts_before_E.defined()) return unnormalizedBalanceLoss(shares_TE, tokens.counts_E);
    const at::Tensor choices_a_token = tokens.counts_E.sum().to(shares_TE.scalar_type()) / static_cast<double>(shares_TE.size(0));
    return balancePerChoice(shares_TE, tokens.counts_E + tokens.counts_before_E) * choices_a_token;
}

/// Without noise, as V-MoE's importance wants it.
at::Tensor cleanSharesOf(const RouterOutput& routing, const at::Tensor& shares_TE) {
    return routing.noise_TE.defined() ? routing.clean_logits_TE.softmax(1) : shares_TE;
}

}  // namespace

bool namesForLosses(const config::LossOptions& weights) { return weights.local_entropy != 0 || weights.global_entropy != 0 || weights.sequence_balance != 0; }

at::Tensor sharesOf(const RouterOutput& routing) {
    if (routing.softmax) return routing.probs_TE;
    return routing.probs_TE / (routing.probs_TE.sum(1, /*keepdim=*/true) + 1e-20);
}

std::vector<RouterLoss> routerLosses(const RoutedTokens& tokens, const RouterLossOptions& options, std::int64_t step) {
    const config::LossOptions& weights = options.weights;
    const RouterOutput& routing = tokens.routing;
    const double share = options.schedule.at(step);
    const at::Tensor shares_TE = sharesOf(routing);
    const auto here = [&](const at::Tensor& column_N) { return column_N.to(shares_TE.device()); };
    std::vector<RouterLoss> losses{{"balance", balanceOf(tokens, shares_TE), weights.balance * share},
                                   {"z", zLoss(routing.clean_logits_TE), weights.z * share}};
    const auto add = [&](std::string_view name, double weight, const auto& value) {
        if (weight != 0) losses.push_back({name, value(), weight * share});
    };
    add("balance_unnormalized", weights.balance_unnormalized, [&] { return unnormalizedBalanceOf(tokens, shares_TE); });
    add("gshard", weights.gshard, [&] { return gshardLoss(shares_TE, routing.indices_TK); });
    add("importance", weights.importance, [&] { return importanceLoss(cleanSharesOf(routing, shares_TE)); });
    if (routing.noise_TE.defined()) {
        const double sigma = tokens.options.noise / static_cast<double>(tokens.options.experts);
        add("load", weights.load, [&] { return loadLoss(routing.clean_logits_TE, routing.noise_TE, tokens.options.k, sigma); });
    }
    add("local_entropy", weights.local_entropy, [&] { return localEntropyLoss(shares_TE, here(tokens.names.modality_N)); });
    add("global_entropy", weights.global_entropy, [&] { return globalEntropyLoss(shares_TE, here(tokens.names.modality_N), weights.global_entropy_tau); });
    add("sequence_balance", weights.sequence_balance, [&] { return sequenceBalanceLoss(shares_TE, routing.indices_TK, here(tokens.names.sequence_N)); });
    return losses;
}

}  // namespace es::engine
