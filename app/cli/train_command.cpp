// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt_watch.h"
#include "app/cli/output.h"
#include "app/cli/train_estimate.h"
#include "engine/base/logging.h"
#include "engine/base/memory_reuse.h"
#include "engine/base/priority.h"
#include "engine/config/config_io.h"
#include "engine/session/control_link.h"
#include "engine/session/engine_library.h"

namespace es::app {
namespace {

namespace fs = std::filesystem;

struct TrainArguments {
    std::string config, out, control;
    std::vector<std::string> overrides;
    bool resume = false, background = false, dry_run = false, json = false;
};

std::string snapshotText(const session::SessionSnapshot& s) {
    if (s.step <= 0 && !s.activity.empty()) return s.activity;
    return fmt::format("step {} / {} · loss {:.4f} · {:.0f} ms a step · {:.0f} samples/s · ETA {}{}", s.step, s.steps, s.loss, s.step_ms, s.samples_per_s,
                       durationText(s.eta_s), s.activity.empty() ? "" : " · " + s.activity);
}

fs::path runFolder(const TrainArguments& arguments, const config::RunConfig& config) {
    return arguments.out.empty() ? fs::path("runs") / config.run.name : fs::path(arguments.out);
}

/// What the run would cost; nothing is made or trained.
int estimate(const TrainArguments& arguments) {
    auto config = config::loadConfig(arguments.config, arguments.overrides);
    if (!config) return report(config.error(), arguments.json);
    auto library = session::loadEngineLibrary();
    if (!library) return report(library.error(), arguments.json);
    const auto found = (*library)->estimateTraining({*config, runFolder(arguments, *config), false});
    if (!found) return report(found.error(), arguments.json);
    if (arguments.json) printJson(estimateJson(*found));
    else fmt::print("{}", estimateText(*found));
    return 0;
}

int train(const TrainArguments& arguments) {
    if (arguments.background) giveWayToInteractiveWork();  // before there are threads: they inherit it
    keepFreedMemory();
    InterruptWatch interrupt;
    auto config = config::loadConfig(arguments.config, arguments.overrides);
    if (!config) return report(config.error());
    const fs::path out = runFolder(arguments, *config);
    auto library = session::loadEngineLibrary();
    if (!library) return report(library.error());

    std::unique_ptr<session::ControlLink> window;
    if (!arguments.control.empty()) {
        auto connected = session::ControlLink::connect(arguments.control);
        if (!connected) return report(connected.error());
        window = std::move(*connected);
    }
    const session::TrainHooks steering = window ? window->hooks() : session::TrainHooks{};
    ProgressLine line;
    session::TrainHooks hooks;
    const std::stop_token stop = interrupt.token();
    hooks.poll = [&] {
        session::TrainControl wanted = steering.poll ? steering.poll() : session::TrainControl{};
        wanted.stop = wanted.stop || stop.stop_requested();
        return wanted;
    };
    hooks.onSnapshot = [&](const session::SessionSnapshot& snapshot) {
        if (steering.onSnapshot) steering.onSnapshot(snapshot);
        line.show(snapshotText(snapshot));
    };
    const Status status = (*library)->train({*config, out, arguments.resume}, hooks, line.context(stop));
    if (window) window->finish(status);
    if (!status) return report(status.error());
    fmt::print("{}\n", out.string());
    return 0;
}

}  // namespace

void addTrainCommand(CLI::App& program, Action& action) {
    auto arguments = std::make_shared<TrainArguments>();
    CLI::App* command = program.add_subcommand("train", "Train a model and record its routing");
    command->add_option("config", arguments->config, "Configuration (TOML); examples in resources/experiments")->required();
    command->add_option("--set", arguments->overrides, "Change one key: section.key=value; may be repeated")->allow_extra_args(false);
    command->add_option("--out", arguments->out, "Run directory; runs/NAME unless given");
    command->add_flag("--resume", arguments->resume, "Go on from the newest complete checkpoint");
    command->add_flag("--background", arguments->background, "Give way to other programs, so that a window on the same machine stays smooth");
    command->add_option("--control", arguments->control, "Local socket of a window that steers this training")->group("");
    CLI::Option* dry_run =
        command->add_flag("--dry-run", arguments->dry_run, "Print what the run would take: parameters and FLOPs by part, memory, disk; train nothing");
    command->add_flag("--json", arguments->json, "Print JSON")->needs(dry_run);
    command->callback([arguments, &action] { action = [arguments] { return arguments->dry_run ? estimate(*arguments) : train(*arguments); }; });
}

}  // namespace es::app
