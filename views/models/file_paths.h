// SPDX-License-Identifier: GPL-3.0-or-later
// Between Qt's text and the standard library's paths.
#pragma once

#include <QString>
#include <filesystem>

namespace es::views {

inline std::filesystem::path toPath(const QString& text) { return std::filesystem::path(text.toStdString()); }

}  // namespace es::views
