// SPDX-License-Identifier: GPL-3.0-or-later
// What was built.
#pragma once

#include <string_view>

namespace es::engine {

[[nodiscard]] std::string_view programVersion();  ///< "0.1.0"
[[nodiscard]] std::string_view sourceCommit();    ///< of the tree when it was configured; empty outside a repository

}  // namespace es::engine
