// SPDX-License-Identifier: GPL-3.0-or-later
// What this machine offers the engine.
#pragma once

#include "engine/session/engine_library.h"

namespace es::engine {

/// Versions, devices, precision support, threads. Slow: asks the hardware.
[[nodiscard]] session::DoctorReport inspectMachine();

}  // namespace es::engine
