// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>

#include <memory>

#include "app/cli/commands.h"
#include "app/cli/interrupt_watch.h"
#include "app/cli/output.h"
#include "engine/store/run_reader.h"

namespace es::app {
namespace {

struct IndexArguments {
    std::string run;
    bool stateOnly = false;
};

int index(const IndexArguments& arguments) {
    InterruptWatch interrupt;
    ProgressLine line;
    const JobContext context = line.context(interrupt.token());
    if (!arguments.stateOnly)
        if (Status status = store::rebuildIndex(arguments.run, context); !status) return report(status.error());
    auto reader = store::RunReader::open(arguments.run, context);
    if (!reader) return report(reader.error());
    const store::RunStatus status = (*reader)->status();
    if (arguments.stateOnly) {
        fmt::print("{}\n", store::toString(status.state));
        return 0;
    }
    fmt::print("{}: {}, step {} of {}, {} series, {} routers\n", arguments.run, store::toString(status.state), status.step, status.steps,
               (*reader)->scalarNames().size(), (*reader)->routers().size());
    for (const std::string& warning : status.warnings) fmt::print("warning: {}\n", warning);
    return 0;
}

}  // namespace

void addIndexCommand(CLI::App& program, Action& action) {
    auto arguments = std::make_shared<IndexArguments>();
    CLI::App* command = program.add_subcommand("index", "Rebuild a run's index from its journals");
    command->add_option("run", arguments->run, "Run directory")->required();
    command->add_flag("--state", arguments->stateOnly, "Rebuild nothing; print the run's state in one word");
    command->callback([arguments, &action] { action = [arguments] { return index(*arguments); }; });
}

}  // namespace es::app
