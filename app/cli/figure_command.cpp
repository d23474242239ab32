// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>
#include <QGuiApplication>

#include <filesystem>
#include <memory>

#include "analysis/figures/figure_recipe.h"
#include "app/cli/commands.h"
#include "app/cli/interrupt_watch.h"
#include "app/cli/output.h"
#include "views/export/recipe_renderer.h"

namespace es::app {
namespace {

namespace fs = std::filesystem;
namespace page = views::page;

struct FigureArguments {
    std::string name, recipe, out;
    std::vector<std::string> runs, formats{"pdf", "svg", "csv"};
    double dpi = 600;
};

int listFigures() {
    fmt::print("panels\n");
    for (const analysis::PanelKind& kind : analysis::panelKinds()) {
        fmt::print("  {:<22} {}\n", kind.name, kind.help);
        if (!kind.parameters.empty()) fmt::print("  {:<22} parameters: {}\n", "", fmt::join(kind.parameters, ", "));
    }
    fmt::print("pages\n");
    for (const analysis::PagePreset& preset : analysis::pagePresets())
        fmt::print("  {:<22} {} · {:.1f} mm wide · {} {:.0f} pt\n", preset.name, preset.title, preset.width_mm, preset.font, preset.font_pt);
    return 0;
}

int make(const FigureArguments& arguments) {
    InterruptWatch interrupt;
    ProgressLine line;
    const std::vector<fs::path> runs(arguments.runs.begin(), arguments.runs.end());
    auto recipe = page::defaultRecipe(arguments.name, runs, line.context(interrupt.token()));
    if (!recipe) return report(recipe.error());
    const fs::path file = arguments.out.empty() ? fs::path("figures") / (page::fileNameOf(arguments.name) + ".json") : fs::path(arguments.out);
    std::error_code error;
    if (file.has_parent_path()) fs::create_directories(file.parent_path(), error);
    if (Status saved = page::saveRecipe(std::move(*recipe), fs::current_path(), file); !saved) return report(saved.error());
    fmt::print("{}\n", file.string());
    return 0;
}

int render(const FigureArguments& arguments, int& argc, char** argv) {
    InterruptWatch interrupt;
    // Text is measured and embedded by Qt, which needs a platform but no screen.
    qputenv("QT_QPA_PLATFORM", "offscreen");
    const QGuiApplication application(argc, argv);
    ProgressLine line;
    page::RenderOptions options;
    options.formats = arguments.formats;
    options.png_dpi = arguments.dpi;
    const auto files = page::renderRecipe(arguments.recipe, arguments.out, options, line.context(interrupt.token()));
    if (!files) return report(files.error());
    for (const fs::path& file : *files) fmt::print("{}\n", file.string());
    return 0;
}

}  // namespace

void addFigureCommand(CLI::App& program, Action& action, int& argc, char** argv) {
    auto arguments = std::make_shared<FigureArguments>();
    CLI::App* command = program.add_subcommand("figure", "Figures for papers: pages of panels, each a stored query");
    command->require_subcommand(1);
    CLI::App* listing = command->add_subcommand("list", "The kinds of panels and pages");
    CLI::App* making = command->add_subcommand("new", "Write a recipe for a first figure of some runs");
    making->add_option("name", arguments->name, "Name of the figure")->required();
    making->add_option("runs", arguments->runs, "Run directories")->required();
    making->add_option("--out", arguments->out, "Recipe file; figures/NAME.json unless given");
    CLI::App* rendering = command->add_subcommand("render", "Draw a recipe: the same runs and recipe give the same bytes");
    rendering->add_option("recipe", arguments->recipe, "Recipe (JSON)")->required();
    rendering->add_option("--out", arguments->out, "Folder for the files")->required();
    rendering->add_option("--format", arguments->formats, "Formats, separated by commas")->delimiter(',')->check(CLI::IsMember(page::renderFormats()));
    rendering->add_option("--dpi", arguments->dpi, "Resolution of PNG")->check(CLI::Range(30.0, 2400.0));
    listing->callback([&action] { action = listFigures; });
    making->callback([arguments, &action] { action = [arguments] { return make(*arguments); }; });
    rendering->callback([arguments, &action, &argc, argv] { action = [arguments, &argc, argv] { return render(*arguments, argc, argv); }; });
}

}  // namespace es::app
