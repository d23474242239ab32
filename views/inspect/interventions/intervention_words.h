// SPDX-License-Identifier: GPL-3.0-or-later
// Interventions and what they did, as the panel words them.
#pragma once

#include <QString>
#include <memory>

#include "analysis/figures/panel_data.h"
#include "analysis/interventions/effects.h"
#include "engine/session/intervention.h"
#include "engine/store/annotations.h"

namespace es::views {

/// "Ban", "Set k".
[[nodiscard]] QString kindTitle(session::InterventionKind kind);
/// A sentence: what it does to a token.
[[nodiscard]] QString kindHelp(session::InterventionKind kind);
/// "ban 1.v:3 · force 2.t:0".
[[nodiscard]] QString recipeWords(const store::KeptResult& result);
/// "this sample" / "268 held-out samples", with the step.
[[nodiscard]] QString scopeWords(const store::KeptResult& result);
/// Colours of rich text, as Qt writes them.
struct ResultColors {
    QString bad, good, muted;
};
/// What changed, loss by loss, as a table of rich text: before, difference, 95 % interval and the n that it is over; of one sample before, after and
/// difference. A difference that is not 0 for sure has a colour.
[[nodiscard]] QString lossLines(const store::KeptResult& result, const std::vector<analysis::LossEffect>& effects, const ResultColors& colors);
/// "masked word “goat” p 0.61 → 0.34 · 14 tokens re-routed"; rich text.
[[nodiscard]] QString resultLine(const store::KeptResult& result);
/// "n: 392 families of 400 samples, near-copies count once"; empty where each sample counts.
[[nodiscard]] QString familyWords(const std::vector<analysis::LossEffect>& effects);
/// Losses, then the classes that changed most, with intervals and the n that they are over.
[[nodiscard]] std::shared_ptr<const analysis::TablePanel> effectTable(const std::vector<analysis::LossEffect>& effects, const analysis::ClassEffects& classes);
/// "12 re-routed of 196 in layer 1 (V) · ..." one part a router where something moved.
[[nodiscard]] QString routerWordsOf(const store::KeptResult& result);

}  // namespace es::views
