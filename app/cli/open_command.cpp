// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>
#include <QFileInfo>
#include <QTimer>

#include <chrono>
#include <cstdlib>
#include <memory>

#include "app/cli/commands.h"
#include "app/cli/output.h"
#include "app/window/application.h"
#include "app/window/first_paint.h"
#include "app/window/main_window.h"
#include "app/window/screenshot.h"

namespace es::app {
namespace {

struct OpenArguments {
    std::vector<std::string> runs;
    std::string workspace, page, theme, size, screenshot, dump, settings;
    bool watchdog = false, closeWhenFinished = false;
};

constexpr int kFinishedPollMs = 200;

bool hasDisplay() {
    const auto set = [](const char* name) {
        const char* value = std::getenv(name);
        return value && *value;
    };
    return set("DISPLAY") || set("WAYLAND_DISPLAY") || set("QT_QPA_PLATFORM");
}

Result<WindowOptions> windowOptions(const OpenArguments& arguments) {
    WindowOptions options;
    for (const std::string& run : arguments.runs) {
        const QFileInfo info(QString::fromStdString(run));
        if (!info.exists()) return badInput("Cannot open the run", "there is no such folder", "Name a run directory or a folder of runs", run);
        if (!info.isDir()) return badInput("Cannot open the run", "it is not a folder", "Name a run directory or a folder of runs", run);
        options.folders << info.absoluteFilePath();
    }
    if (options.folders.isEmpty() && QFileInfo(QStringLiteral("runs")).isDir()) options.folders << QFileInfo(QStringLiteral("runs")).absoluteFilePath();
    options.page = QString::fromStdString(arguments.page);
    options.workspace = arguments.page.empty() ? QString::fromStdString(arguments.workspace) : QStringLiteral("inspect");
    options.theme_given = !arguments.theme.empty();
    options.theme = arguments.theme == "dark" ? views::ThemeMode::kDark : arguments.theme == "light" ? views::ThemeMode::kLight : views::ThemeMode::kSystem;
    if (!arguments.size.empty()) {
        const QStringList sides = QString::fromStdString(arguments.size).split(QLatin1Char('x'));
        options.size = sides.size() == 2 ? QSize(sides[0].toInt(), sides[1].toInt()) : QSize();
        if (!options.size.isValid() || options.size.isEmpty())
            return wrongCall("Cannot use --size", "'" + arguments.size + "' is not of the form 1280x800", "Give width x height in pixels");
    }
    options.settings_file = QString::fromStdString(arguments.settings);
    // A picture is of the runs asked for, not of what somebody looked at last.
    options.remember = arguments.screenshot.empty() && arguments.dump.empty();
    return options;
}

int open(const OpenArguments& arguments, int& argc, char** argv) {
    const auto options = windowOptions(arguments);
    if (!options) return report(options.error());
    const bool headless = !arguments.screenshot.empty() || !arguments.dump.empty();
    if (headless && !std::getenv("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
    if (!hasDisplay())
        return report({ErrorKind::kJobFailed,
                       "Cannot open the window",
                       "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)",
                       "Start it on a desktop, or take a picture with --screenshot FILE",
                       {}});
    Application application(argc, argv);
    MainWindow window(*options);
    const FirstPaint firstPaint(&window);
    std::unique_ptr<Screenshot> shot;
    if (headless) {
        shot = std::make_unique<Screenshot>(&window, QString::fromStdString(arguments.screenshot), QString::fromStdString(arguments.dump));
        shot->start();
    }
    QTimer finished;
    if (arguments.closeWhenFinished) {
        QObject::connect(&finished, &QTimer::timeout, &window, [&window] {
            if (window.allRunsEnded()) window.close();
        });
        finished.start(kFinishedPollMs);
    }
    window.show();
    const int code = application.exec();
    if (arguments.watchdog) {
        const auto r = application.watchdog().report();
        fmt::print("event loop delay: n {} · p50 {:.2f} ms · p99 {:.2f} ms · p99.9 {:.2f} ms · worst {:.2f} ms; longest handler {:.2f} ms: {}\n", r.samples,
                   r.p50_ms, r.p99_ms, r.p999_ms, r.worst_ms, r.longest_handler_ms, r.longest_handler.toStdString());
        const auto& first = firstPaint.report();
        fmt::print("first paint: monotonic {} ns · resident {:.1f} MB · engine loaded: {}\n", first.monotonic_ns, first.resident_mb,
                   first.engine_mapped ? "yes" : "no");
    }
    return code;
}

}  // namespace

void addOpenCommand(CLI::App& program, Action& action, int& argc, char** argv) {
    auto arguments = std::make_shared<OpenArguments>();
    CLI::App* command = program.add_subcommand("open", "The window, on these runs (the default command)");
    command->add_option("runs", arguments->runs, "Run directories, or folders of runs; ./runs unless given");
    command->add_option("--workspace", arguments->workspace, "Workspace to show")->check(CLI::IsMember({"train", "inspect", "compare", "figures"}));
    command->add_option("--page", arguments->page, "Page of the workspace inspect to show")->check(CLI::IsMember({"sample", "expert", "structure", "sheet", "causal"}));
    command->add_option("--theme", arguments->theme, "light or dark")->check(CLI::IsMember({"light", "dark", "system"}));
    command->add_option("--size", arguments->size, "Size of the window: 1280x800");
    command->add_option("--screenshot", arguments->screenshot, "Wait until the window is idle, save its picture (PNG) and leave; needs no display");
    command->add_option("--dump", arguments->dump, "With --screenshot or alone: write each panel's data as JSON");
    command->add_option("--settings", arguments->settings, "File that remembers layout and selection, instead of the user's own");
    command->add_flag("--watchdog", arguments->watchdog, "On leaving, print how long the window kept events waiting, and what its first paint took");
    command->add_flag("--close-when-finished", arguments->closeWhenFinished, "Leave once no run is in training any more");
    command->callback([arguments, &action, &argc, argv] { action = [arguments, &argc, argv] { return open(*arguments, argc, argv); }; });
}

}  // namespace es::app
