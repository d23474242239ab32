// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>
#include <algorithm>
#include <cstdlib>
#include <exception>

#include "app/cli/commands.h"
#include "engine/base/logging.h"
#include "engine/base/result.h"

namespace es::app {

int runCommandLine(int argc, char** argv) {
    // Waiting compute threads sleep instead of spinning: on a busy machine that is several times faster. Read by libgomp when the engine loads.
    setenv("OMP_WAIT_POLICY", "passive", 0);
    setUpLogging();
    CLI::App program{"ExpertScope: train, record and see sparse mixture-of-experts vision-language models"};
    program.set_version_flag("--version", std::string("expertscope ") + ES_VERSION);
    program.require_subcommand(0, 1);
    Action action;
    addOpenCommand(program, action, argc, argv);
    addTrainCommand(program, action);
    addRunCommand(program, action);
    addAnalyzeCommand(program, action);
    addQueryCommand(program, action);
    addCompareCommand(program, action);
    addFigureCommand(program, action, argc, argv);
    addDataCommand(program, action);
    addIndexCommand(program, action);
    addDoctorCommand(program, action);
    // "expertscope" and "expertscope RUN" open the window, as a file manager would call it.
    std::vector<std::string> arguments(argv + 1, argv + argc);
    const auto commands = program.get_subcommands([](const CLI::App*) { return true; });
    const bool named =
        !arguments.empty() && std::any_of(commands.begin(), commands.end(), [&](const CLI::App* c) { return c->get_name() == arguments.front(); });
    const bool asksForHelp = !arguments.empty() && (arguments.front() == "--help" || arguments.front() == "-h" || arguments.front() == "--version");
    if (!named && !asksForHelp) arguments.insert(arguments.begin(), "open");
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11's order
        program.parse(std::move(reversed));
        return action ? action() : 0;
    } catch (const CLI::ParseError& error) {
        const int code = program.exit(error);
        return code == 0 ? 0 : static_cast<int>(ErrorKind::kWrongCall);
    } catch (const std::exception& error) {
        fmt::print(stderr, "expertscope: The command failed: {}. Please report this.\n", error.what());
        return static_cast<int>(ErrorKind::kJobFailed);
    }
}

}  // namespace es::app
