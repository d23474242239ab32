// SPDX-License-Identifier: GPL-3.0-or-later
// The program's log: to stderr, so that results on stdout stay clean. Thread-safe.
#pragma once

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "engine/base/logging_setup.h"
