// SPDX-License-Identifier: GPL-3.0-or-later
// A program started by this one, in a process group of its own, whose words are kept for the case that it fails.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/session/line_socket.h"

namespace es::session {

class ChildProcess {
public:
    /// Standard input is empty; standard output and error go to an unlinked file. Fails when the program cannot be started.
    [[nodiscard]] static Result<ChildProcess> start(const std::filesystem::path& program, const std::vector<std::string>& arguments);

    /// The wait status once the child has ended; empty while it runs. Never waits.
    [[nodiscard]] std::optional<int> ended();
    void signal(int number) const;
    /// The last lines it wrote, at most `count`, oldest first, without terminal codes.
    [[nodiscard]] std::string lastWords(int count) const;
    [[nodiscard]] pid_t id() const { return id_; }
    /// Lets it outlive this program's interest: someone else reaps it.
    void abandon();

private:
    pid_t id_ = -1;
    std::optional<int> status_;
    Descriptor words_;
};

/// "it ended with exit code 3", "it was ended by signal 9 (Killed)".
[[nodiscard]] std::string describeWaitStatus(int status);

}  // namespace es::session
