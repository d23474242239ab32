// SPDX-License-Identifier: GPL-3.0-or-later
// The table of subcommands. Each file of this folder registers one; when chosen on the command line it sets the action to run.
#pragma once

#include <CLI/App.hpp>
#include <functional>

namespace es::app {

using Action = std::function<int()>;  ///< returns the exit code (architecture: 0 done, 1 failed, 2 wrong call, 3 bad input, 130 stopped)

void addOpenCommand(CLI::App& program, Action& action, int& argc, char** argv);
void addTrainCommand(CLI::App& program, Action& action);
void addRunCommand(CLI::App& program, Action& action);
void addAnalyzeCommand(CLI::App& program, Action& action);
void addQueryCommand(CLI::App& program, Action& action);
void addCompareCommand(CLI::App& program, Action& action);
void addFigureCommand(CLI::App& program, Action& action, int& argc, char** argv);
void addDataCommand(CLI::App& program, Action& action);
void addIndexCommand(CLI::App& program, Action& action);
void addDoctorCommand(CLI::App& program, Action& action);

/// Parses the command line and runs what it asks for.
int runCommandLine(int argc, char** argv);

}  // namespace es::app
