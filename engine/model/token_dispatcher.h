// SPDX-License-Identifier: GPL-3.0-or-later
// Which assignment sits in which slot of which expert, and the copies to and from that order. T tokens, K choices, E experts, S slots.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace es::engine {

/// Slots are sorted by expert. Index tensors are int64 on the tokens' device.
struct DispatchPlan {
    std::vector<std::int64_t> offsets;  ///< E + 1, on the host: expert e owns the slots [offsets[e], offsets[e + 1])
    at::Tensor token_of_slot_S;
    at::Tensor slot_of_TK;  ///< -1: dropped
    at::Tensor counts_E;    ///< n_e: tokens that chose expert e, dropped ones too
    at::Tensor kept_TK;     ///< bool; undefined: all kept
};

class TokenDispatcher {
public:
    virtual ~TokenDispatcher() = default;
    /// `indices_TK` int64 in [0, experts); `probs_TE` is for policies that prefer confident tokens.
    [[nodiscard]] virtual DispatchPlan plan(const at::Tensor& indices_TK, const at::Tensor& probs_TE, std::int64_t experts) const = 0;
};

/// Every assignment gets a slot: a stable counting sort by expert, so an expert's slots are in token order (MegaBlocks, arXiv:2211.15841).
class DroplessDispatcher : public TokenDispatcher {
public:
    [[nodiscard]] DispatchPlan plan(const at::Tensor& indices_TK, const at::Tensor& probs_TE, std::int64_t experts) const override;
};

/// The dropless plan from ATen operations: any device, and what the CPU's counting sort is checked against. Copies the counts to the host,
/// which waits for the device.
[[nodiscard]] DispatchPlan droplessPlanReference(const at::Tensor& indices_TK, std::int64_t experts);

/// The dispatcher of that name ("dropless").
[[nodiscard]] std::unique_ptr<TokenDispatcher> makeDispatcher(std::string_view kind);

/// Rows of `x_TD` in the order of the slots, with gradient: the backward pass sums each token's slots in order of choice, so it is
/// deterministic on every device.
[[nodiscard]] at::Tensor gatherSlots(const at::Tensor& x_TD, const DispatchPlan& plan);

}  // namespace es::engine
