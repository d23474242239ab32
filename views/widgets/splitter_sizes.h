// SPDX-License-Identifier: GPL-3.0-or-later
// Where a splitter's handles stand, as a session keeps it.
#pragma once

#include <QJsonArray>
#include <QSplitter>

namespace es::views {

/// Pixels of each part. GUI thread.
[[nodiscard]] QJsonArray sizesOf(const QSplitter* splitter);
/// What sizesOf() gave. Changes nothing when it is of another number of parts, or no list. GUI thread.
void restoreSizes(QSplitter* splitter, const QJsonValue& value);

}  // namespace es::views
