// SPDX-License-Identifier: GPL-3.0-or-later
// A session whose training runs on a thread of this process.
#pragma once

#include <memory>

#include "engine/session/engine_session.h"

namespace es::engine {

class SampleRunner;

/// `samples` is shared with the library: one cache of models.
[[nodiscard]] std::unique_ptr<session::EngineSession> makeInProcessSession(std::shared_ptr<SampleRunner> samples);

}  // namespace es::engine
