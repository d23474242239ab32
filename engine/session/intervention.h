// SPDX-License-Identifier: GPL-3.0-or-later
// What a person may change inside the routers of a trained model, to see what follows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/strong_ids.h"

namespace es::session {

/// How an intervention acts on a token. All but kSilence act on the router's logits z (or its k) before it selects, and the router's own
/// rule does the rest. Several on one router apply in this order, those of one kind in the order given; probabilities, choices and gates
/// follow from what is left.
enum class InterventionKind : std::uint8_t {
    kRandomRouter,  ///< z = h · W with weights W of this router drawn anew from their initial distribution
    kSwap,          ///< the logits of two experts are exchanged
    kBan,           ///< z_e = -infinity: the expert after the last chosen one takes over
    kDropBest,      ///< z = -infinity for the r experts of largest logit (DeepSeekMoE, arXiv:2401.06066 figure 4)
    kForce,         ///< z_e just above the token's largest other logit: e comes first, with the gate that the rule gives for such a logit. Of
                    ///< several experts the first named comes first. Where a bias takes part in the choice, e comes first all the same
    kOtherK,        ///< so many experts are chosen instead of the k of training
    kSilence,       ///< gate 0 where the expert was chosen; nobody takes over, other gates stay
};
inline constexpr int kInterventionKinds = 7;

/// Which tokens of every sample. Without positions all of the modality; kUnknown: all tokens.
struct TokenSet {
    Modality modality = Modality::kUnknown;
    std::vector<std::int32_t> positions;  ///< patches row by row, or words in order, from 0
    [[nodiscard]] bool all() const { return modality == Modality::kUnknown; }
    bool operator==(const TokenSet&) const = default;
};

struct Intervention {
    InterventionKind kind = InterventionKind::kBan;
    LayerIndex layer;                   ///< not valid: all layers with experts
    std::optional<Branch> branch;       ///< none: every router of those layers
    std::vector<std::int32_t> experts;  ///< ban, force, silence: any number; swap: two; else none
    std::int64_t number = 0;            ///< kOtherK: k; kDropBest: r; kRandomRouter: which draw, keyed by the run's seed as random-router probes are
    TokenSet tokens;
    bool operator==(const Intervention&) const = default;
};

/// "ban", "force", "silence", "swap", "random", "k", "drop-best": as the options of `expertscope run` are called.
[[nodiscard]] std::string_view toString(InterventionKind kind);
[[nodiscard]] std::optional<InterventionKind> interventionKindFromString(std::string_view text);

/// Reads `LAYER[.BRANCH][:ARGUMENT][@TOKENS]`. LAYER: a number or "all". BRANCH: v, t, vl or all; without it every router of the layer.
/// ARGUMENT: experts "3,5-7" (ban, force, silence), two experts "2,5" (swap), a number (k, drop-best; random: the draw, 0 unless given).
/// TOKENS: "patch" or "word", and positions "7-12,20" unless all of that modality are meant. Checks the form only: whether there is such a
/// layer or expert, the model knows.
[[nodiscard]] Result<Intervention> parseIntervention(InterventionKind kind, std::string_view text);
/// The same back: "1.v:3,5@patch 7,8".
[[nodiscard]] std::string toText(const Intervention& intervention);

/// Whole numbers and ranges: "0,2-5" is 0 2 3 4 5. `what` begins the error.
[[nodiscard]] Result<std::vector<std::int32_t>> parseNumbers(std::string_view text, const std::string& what);

}  // namespace es::session
