// SPDX-License-Identifier: GPL-3.0-or-later
// Calls Python as a researcher's script would, for formats that other programs must be able to read.
#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace es::test {

/// EXPERTSCOPE_PYTHON, else the environment that ./run test --python makes, else the system's (set-up installs its h5py, and safetensors into
/// .deps/python).
inline std::string python() {
    if (const char* named = std::getenv("EXPERTSCOPE_PYTHON"); named && *named) return named;
    const auto environment = std::filesystem::path(ES_SOURCE_DIR) / ".venv" / "bin" / "python";
    if (std::filesystem::exists(environment)) return environment.string();
    return "PYTHONPATH='" + (std::filesystem::path(ES_SOURCE_DIR) / ".deps" / "python").string() + "' /usr/bin/python3";
}

/// Exit status and everything the command said; status -1 when it was killed or could not be started.
inline std::pair<int, std::string> runShell(const std::string& command) {
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    std::string output;
    char buffer[4096];
    for (std::size_t got = 0; pipe && (got = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) output.append(buffer, got);
    const int status = pipe ? pclose(pipe) : -1;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

/// Runs a script with arguments; the script is written into `folder`.
inline std::pair<int, std::string> runPython(const std::filesystem::path& folder, const std::string& script, const std::string& arguments) {
    const auto file = folder / "script.py";
    std::ofstream(file) << script;
    return runShell(python() + " '" + file.string() + "' " + arguments);
}

}  // namespace es::test
