// SPDX-License-Identifier: GPL-3.0-or-later
// Calls the real program as a user's shell would.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace es::test {

struct Outcome {
    int exit_code = -1;  ///< 128 + signal when killed
    std::string out, err;
};

/// Starts `expertscope` with these arguments; output goes to files in `folder`.
class Program {
public:
    Program(const std::vector<std::string>& arguments, const std::filesystem::path& folder);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    [[nodiscard]] bool running();
    void signal(int number);
    [[nodiscard]] Outcome wait();

private:
    pid_t pid_ = -1;
    int status_ = 0;
    bool ended_ = false;
    std::filesystem::path out_, err_;
};

[[nodiscard]] Outcome runProgram(const std::vector<std::string>& arguments, const std::filesystem::path& folder);

/// A configuration of a model so small that a step takes a few milliseconds, on the emoji set at 16 pixels (converted once per build folder).
[[nodiscard]] std::filesystem::path writeTinyConfig(const std::filesystem::path& folder, const std::string& extraTrain = {},
                                                    const std::string& extraRecord = {});

/// Everything of a run that two equal trainings must agree on: scalars that are no times, load, trace and the newest checkpoint's files.
/// One line per part, with its hash: a difference names itself.
[[nodiscard]] std::string digest(const std::filesystem::path& run);

}  // namespace es::test
