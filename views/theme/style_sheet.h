// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include "views/theme/theme.h"

namespace es::views {

/// The application's style sheet, made from the tokens. Buttons choose a look by the dynamic property "kind": "primary", "danger", "quiet";
/// none is the plain look. Labels choose by "role": "muted", "faint", "strong", "title", "mono", "good", "warn", "bad".
[[nodiscard]] QString makeStyleSheet(const ThemeColors& colors, const ThemeMetrics& metrics);

}  // namespace es::views
