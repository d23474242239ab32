// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QJsonObject>

#include "views/models/selection_model.h"

namespace es::app {

/// The selection as it is remembered between starts and dumped. Samples are hexadecimal: JSON numbers cannot hold 64 bits.
[[nodiscard]] QJsonObject toJson(const views::Selection& selection);
/// Unknown or missing fields stay unchosen.
[[nodiscard]] views::Selection selectionFromJson(const QJsonObject& json);

}  // namespace es::app
