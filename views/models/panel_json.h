// SPDX-License-Identifier: GPL-3.0-or-later
// A panel's data as JSON: what --dump writes and "Copy data" offers. Missing values are null.
#pragma once

#include <QJsonObject>

#include "analysis/figures/panel_data.h"

namespace es::views {

/// {"kind": "line|heatmap|bar|forest|overlay|table", "title", "context", "notes", ...the content's fields by name}.
[[nodiscard]] QJsonObject toJson(const analysis::Panel& panel);
/// Tab-separated values with a header line, for pasting into a spreadsheet; several tables are set apart by an empty line.
[[nodiscard]] QString toTabSeparated(const analysis::Panel& panel);

}  // namespace es::views
