// SPDX-License-Identifier: GPL-3.0-or-later
// The program's log: to stderr, so that results on stdout stay clean. Thread-safe.
#pragma once

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <string_view>

namespace es {

/// Call once at start. Level: trace, debug, info, warn, error, off; the variable EXPERTSCOPE_LOG overrides it.
void setUpLogging(std::string_view level = "info");

}  // namespace es
