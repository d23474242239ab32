// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QJsonArray>
#include <QWidget>

namespace es::views {

/// Which panels inside are in windows of their own, and where: [{"panel", "x", "y", "width", "height"}].
[[nodiscard]] QJsonArray detachedPanels(const QWidget* workspace);
/// Opens them again; what is not there any more is left out. A window whose screen is gone is moved onto one that is there.
void restoreDetached(QWidget* workspace, const QJsonArray& panels);

}  // namespace es::views
