// SPDX-License-Identifier: GPL-3.0-or-later
// The training process's end of the socket to the window that started it (`expertscope train CONFIG --control SOCKET`).
#pragma once

#include <filesystem>
#include <memory>

#include "engine/base/result.h"
#include "engine/session/engine_library.h"

namespace es::session {

/// Listens for requests on a thread of its own and hands them to the trainer through hooks().
/// When the window goes away without having said "detach", the link asks the trainer to save and stop.
class ControlLink {
public:
    /// Fails when nobody listens at `socket`.
    [[nodiscard]] static Result<std::unique_ptr<ControlLink>> connect(const std::filesystem::path& socket);
    virtual ~ControlLink() = default;
    /// For EngineLibrary::train. Valid as long as the link.
    [[nodiscard]] virtual TrainHooks hooks() = 0;
    /// Tells the window how training ended. Call once, after it has.
    virtual void finish(const Status& result) = 0;
};

}  // namespace es::session
