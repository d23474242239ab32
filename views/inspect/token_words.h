// SPDX-License-Identifier: GPL-3.0-or-later
// How patches, words and their routing are called on screen.
#pragma once

#include <QString>

#include "analysis/figures/inspect_panels.h"
#include "engine/session/engine_session.h"

namespace es::views {

/// "patch (6, 7)" (row, column, from 0) or "word “goat”"; by number when the record does not know it.
[[nodiscard]] QString tokenName(const store::SampleRecord* record, Modality modality, int index);

/// "expert 5 (weight 0.58), 2 (0.21)": what a token chose, best first.
[[nodiscard]] QString choicesText(const analysis::TokenReading& reading);

/// "3 of 16 · none, 18 in line for 16": the slot of each choice, best first, where experts have so many. Only for readings with slots.
[[nodiscard]] QString slotsText(const analysis::TokenReading& reading);

/// One line for hovering: "patch (6, 7) · expert 5 (weight 0.58) · entropy 1.31 nats". Without a reading the name alone.
[[nodiscard]] QString readoutText(const QString& name, const analysis::TokenReading* reading);

/// "predicted, when hidden: goat 0.61, sheep 0.12, horse 0.05": the best few.
[[nodiscard]] QString predictionText(const session::WordPrediction& prediction, int most = 5);

/// A number with so many decimals, with a true minus and never a minus zero; "–" when not recorded.
[[nodiscard]] QString numberText(double value, int decimals = 2);

/// 24000 as "24 000", with a narrow no-break space.
[[nodiscard]] QString stepText(std::int64_t step);

}  // namespace es::views
