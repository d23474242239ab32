// SPDX-License-Identifier: GPL-3.0-or-later
// The table of routers: a name, where its logits come from, and its rule.
#pragma once

#include <span>
#include <string_view>

#include "engine/model/router.h"

namespace es::engine {

enum class LogitSource {
    kLinear,  ///< hidden · Wᵀ
    kCosine,  ///< of a projection to centroids
    kNone,    ///< nothing is learned: logits are 0
};

struct RouterKind {
    std::string_view name;
    LogitSource source = LogitSource::kLinear;
    bool uneven = false;     ///< tokens may have fewer than k choices
    bool biased = false;     ///< the choice can take a bias
    bool names = false;      ///< the rule asks for ids and positions of the tokens
    bool quantiles = false;  ///< the rule can choose by logits minus a bias
    RouterOutput (*rule)(const at::Tensor& logits_TE, const RouterOptions& options, const RouterCall& call);
};

[[nodiscard]] std::span<const RouterKind> routerKindTable();
/// Throws c10::Error for an unknown name.
[[nodiscard]] const RouterKind& routerKindNamed(std::string_view name);

}  // namespace es::engine
