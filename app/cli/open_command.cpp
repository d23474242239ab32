// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>
#include <QFile>
#include <QFileInfo>
#include <QJsonDocument>
#include <QTimer>

#include <chrono>
#include <cstdlib>
#include <memory>

#include "app/cli/commands.h"
#include "app/cli/open_state.h"
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
    OpenState state;
    int patience = 60;  ///< seconds
    bool watchdog = false, closeWhenFinished = false, fewColors = false;
};

constexpr int kFinishedPollMs = 200;

bool hasDisplay() {
    const auto set = [](const char* name) {
        const char* value = std::getenv(name);
        return value && *value;
    };
    return set("DISPLAY") || set("WAYLAND_DISPLAY") || set("QT_QPA_PLATFORM");
}

/// A picture is taken as the file says, or not at all.
Status checkSettings(const std::string& file) {
    QFile in(QString::fromStdString(file));
    if (!in.open(QIODevice::ReadOnly)) return badInput("Cannot read the settings", in.errorString().toStdString(), "Name a file that the window saved", file);
    QJsonParseError problem;
    if (QJsonDocument::fromJson(in.readAll(), &problem).isObject()) return {};
    const std::string why = problem.error == QJsonParseError::NoError ? "it is no JSON object" : problem.errorString().toStdString();
    return badInput("Cannot read the settings", why, "Name a file that the window saved", file);
}

Status bringUp(const OpenArguments& arguments, WindowOptions& options) {
    if (arguments.state.empty()) return {};
    const auto folder = stateRun(arguments.runs);
    if (!folder) return tl::unexpected(folder.error());
    const auto reader = store::RunReader::open(*folder);
    if (!reader) return tl::unexpected(reader.error());
    auto state = resolveState(arguments.state, **reader);
    if (!state) return tl::unexpected(state.error());
    options.selection = std::move(state->selection);
    options.inspect = std::move(state->inspect);
    if (options.workspace.isEmpty()) options.workspace = QStringLiteral("inspect");
    return {};
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
    // A picture is of the runs asked for, not of what somebody looked at last; a file that is named is asked for, and stays as it is.
    options.read_only = !arguments.screenshot.empty() || !arguments.dump.empty();
    options.remember = !options.read_only || !arguments.settings.empty();
    if (options.read_only && !arguments.settings.empty())
        if (Status readable = checkSettings(arguments.settings); !readable) return tl::unexpected(readable.error());
    if (Status shown = bringUp(arguments, options); !shown) return tl::unexpected(shown.error());
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
        shot = std::make_unique<Screenshot>(&window, QString::fromStdString(arguments.screenshot), QString::fromStdString(arguments.dump), arguments.fewColors,
                                            arguments.patience);
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
    command->add_option("--page", arguments->page, "Page of the workspace inspect to show")
        ->check(CLI::IsMember({"sample", "expert", "structure", "sheet", "causal"}));
    command->add_option("--theme", arguments->theme, "light or dark")->check(CLI::IsMember({"light", "dark", "system"}));
    command->add_option("--size", arguments->size, "Size of the window: 1280x800");
    command->add_option("--screenshot", arguments->screenshot, "Wait until the window is idle, save its picture (PNG) and leave; needs no display");
    command->add_flag("--few-colors", arguments->fewColors, "A picture of at most 256 colours: a third of the size, for documents");
    command->add_option("--dump", arguments->dump, "With --screenshot or alone: write each panel's data as JSON");
    command->add_option("--patience", arguments->patience, "Seconds that --screenshot and --dump wait for the window, 60 unless given")
        ->check(CLI::Range(1, 86400));
    command->add_option("--settings", arguments->settings,
                        "File that remembers layout and selection, instead of the user's own; with --screenshot or --dump it is read and never written");
    OpenState& state = arguments->state;
    const auto show = [command](const char* name, std::string& value, const char* help) { command->add_option(name, value, help)->group("What to show"); };
    show("--layer", state.layer, "Layer: 1, or 1.v (v vision, t text, vl, all) for one of its routers");
    show("--expert", state.expert, "Expert of that router, by number");
    show("--sample", state.sample, "Sample: its place in the list, from 1, or the beginning of its hash");
    show("--token", state.token, "'patch ROW,COLUMN', 'patch NUMBER' or 'word NUMBER' of the sample, from 0");
    show("--step", state.step, "Step of a probe or checkpoint, or newest");
    show("--mode", state.mode, "What the overlay shows: expert, weight, entropy, margin, dropped, attention, one-expert, changed, difference");
    show("--rank", state.rank, "Which choice of a token: 1 to 4, or all");
    show("--against", state.against, "Compare with a STEP, another RUN's directory, or 'before'; side by side unless the mode compares by itself");
    show("--kept", state.kept, "A kept result of interventions, by its number: its sample, step and re-routed tokens");
    show("--search", state.search, "Words or a query, as in the line above the samples");
    command->add_flag("--side-by-side", state.side_by_side, "Both at once: what is compared with at the left")->group("What to show");
    command->footer(
        "With an option of 'What to show' the first of RUNS is the run shown.\n"
        "  expertscope open runs/mine --layer 3.v --expert 5 --sample 12 --token 'patch 3,4' --mode one-expert --screenshot out.png\n"
        "  expertscope open runs/mine --page expert --expert 5 --theme dark --size 1680x1000 --screenshot out.png\n"
        "  expertscope open runs/mine --step 400 --against 100 --screenshot out.png");
    command->add_flag("--watchdog", arguments->watchdog, "On leaving, print how long the window kept events waiting, and what its first paint took");
    command->add_flag("--close-when-finished", arguments->closeWhenFinished, "Leave once no run is in training any more");
    command->callback([arguments, &action, &argc, argv] { action = [arguments, &argc, argv] { return open(*arguments, argc, argv); }; });
}

}  // namespace es::app
