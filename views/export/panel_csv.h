// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>

#include "analysis/figures/panel_data.h"

namespace es::views::page {

/// A panel's data as CSV (RFC 4180, UTF-8, a header line): every point there is, with a column "drawn" that is 1 for those that the page
/// shows. Columns are named after the axes, units included; a value that is missing is an empty field.
[[nodiscard]] QByteArray panelAsCsv(const analysis::Panel& panel);

}  // namespace es::views::page
