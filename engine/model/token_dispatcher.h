// SPDX-License-Identifier: GPL-3.0-or-later
// Which assignment sits in which slot of which expert, and the copies to and from that order. T tokens, K choices, E experts, S slots.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/model/routing_rules.h"

namespace es::engine {

/// Slots are sorted by expert. Index tensors are int64 on the tokens' device.
struct DispatchPlan {
    std::vector<std::int64_t> offsets;  ///< E + 1, on the host: expert e owns the slots [offsets[e], offsets[e + 1])
    at::Tensor token_of_slot_S;
    at::Tensor slot_of_TK;  ///< -1: dropped, or no choice
    at::Tensor counts_E;    ///< n_e: tokens that chose expert e, dropped ones too
    at::Tensor kept_TK;     ///< bool; undefined: all kept
};

/// How far each choice stood from being dropped. On the CPU.
struct SlotPlaces {
    at::Tensor place_TK;  ///< int64: servingPlaces among the tokens that compete for the same slots
    at::Tensor slots_T;   ///< int64: slots of each expert for those tokens
};

/// Slots for the kept choices alone: a stable counting sort by expert, so an expert's slots are in token order. `indices_TK` int64 below
/// `experts` (anything else is a c10::Error), -1: no choice; `kept_TK` bool or uint8, undefined: all. Any device; off the CPU the counts are
/// copied to the host, which waits for the device.
[[nodiscard]] DispatchPlan planSlots(const at::Tensor& indices_TK, const at::Tensor& kept_TK, std::int64_t experts);

/// The same from ATen operations: what the CPU's counting sort is checked against.
[[nodiscard]] DispatchPlan planSlotsReference(const at::Tensor& indices_TK, const at::Tensor& kept_TK, std::int64_t experts);

class TokenDispatcher {
public:
    virtual ~TokenDispatcher() = default;
    /// `indices_TK` int64 in [0, experts), -1: no choice; `probs_TE` (T x E) is for policies that prefer confident tokens; `training`
    /// decides where training and evaluation differ.
    [[nodiscard]] virtual DispatchPlan plan(const at::Tensor& indices_TK, const at::Tensor& probs_TE, std::int64_t experts, bool training) const = 0;
    /// Who was served when in the plan of the same arguments; nothing where every choice gets a slot.
    [[nodiscard]] virtual std::optional<SlotPlaces> places(const at::Tensor& indices_TK, const at::Tensor& probs_TE, std::int64_t experts, bool training) const;
};

/// Every choice gets a slot (MegaBlocks, arXiv:2211.15841).
class DroplessDispatcher : public TokenDispatcher {
public:
    [[nodiscard]] DispatchPlan plan(const at::Tensor& indices_TK, const at::Tensor& probs_TE, std::int64_t experts, bool training) const override;
};

struct CapacityOptions {
    double factor_train = 1.25, factor_eval = 2.0;
    CapacityPolicy policy = CapacityPolicy::kPosition;
    std::int64_t group_size = 0;  ///< tokens, in order, that compete for slots among themselves alone; 0: all. The last group may be smaller
};

/// Slots of one expert for `tokens` tokens of k choices: ceil(factor · k · tokens / experts), at least 1 and at most `tokens`. Not rounded up to
/// a multiple of anything, as some libraries do for their hardware.
[[nodiscard]] std::int64_t capacityOf(double factor, std::int64_t k, std::int64_t tokens, std::int64_t experts);

/// Each expert takes at most capacityOf() tokens of a group; which ones, the policy says (keptWithinCapacity). Later choices get no slot:
/// they add nothing to the output and no compute (GShard, arXiv:2006.16668; V-MoE, arXiv:2106.05974).
class CapacityDispatcher : public TokenDispatcher {
public:
    explicit CapacityDispatcher(const CapacityOptions& options) : options_(options) {}
    [[nodiscard]] DispatchPlan plan(const at::Tensor& indices_TK, const at::Tensor& probs_TE, std::int64_t experts, bool training) const override;
    [[nodiscard]] std::optional<SlotPlaces> places(const at::Tensor& indices_TK, const at::Tensor& probs_TE, std::int64_t experts,
                                                   bool training) const override;

private:
    CapacityOptions options_;
};

struct DispatchOptions {
    std::string kind = "dropless";
    CapacityOptions capacity = {};
};

/// The policy of that name ("position", "batch_priority"); throws c10::Error for an unknown one.
[[nodiscard]] CapacityPolicy capacityPolicyNamed(const std::string& name);

/// The dispatcher of that kind ("dropless", "capacity"); throws c10::Error for an unknown one, which the configuration's check excludes.
[[nodiscard]] std::unique_ptr<TokenDispatcher> makeDispatcher(const DispatchOptions& options);

/// Rows of `x_TD` in the order of the slots, with gradient: the backward pass sums each token's slots in order of choice, so it is
/// deterministic on every device.
[[nodiscard]] at::Tensor gatherSlots(const at::Tensor& x_TD, const DispatchPlan& plan);

}  // namespace es::engine
