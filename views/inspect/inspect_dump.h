// SPDX-License-Identifier: GPL-3.0-or-later
// What the panels of Inspect show beside figures, as JSON: the same values, unrounded. null where nothing was recorded.
#pragma once

#include <QJsonObject>
#include <QString>

#include "analysis/figures/inspect_panels.h"

namespace es::views {

/// A sample's hash as hexadecimal digits: JSON numbers hold 53 bits only.
[[nodiscard]] QString sampleText(std::uint64_t hash);
[[nodiscard]] QJsonObject toJson(const analysis::TokenReading& reading);
[[nodiscard]] QJsonObject toJson(const analysis::TokenHistory& history);

}  // namespace es::views
