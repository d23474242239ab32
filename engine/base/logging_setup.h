// SPDX-License-Identifier: GPL-3.0-or-later
// Apart from logging.h for files that see LibTorch's headers: its copy of fmt is not the one that the log is built with.
#pragma once

#include <string_view>

namespace es {

/// Call once at start. Level: trace, debug, info, warn, error, off; the variable EXPERTSCOPE_LOG overrides it.
void setUpLogging(std::string_view level = "info");

}  // namespace es
