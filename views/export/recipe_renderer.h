// SPDX-License-Identifier: GPL-3.0-or-later
// Recipes into files, with or without a window. Needs a QGuiApplication (offscreen is enough); may be called from any thread.
#pragma once

#include <QByteArray>
#include <filesystem>
#include <string>
#include <vector>

#include "analysis/figures/figure_recipe.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "views/export/page_renderer.h"

namespace es::views::page {

struct RenderOptions {
    /// Of "pdf", "svg", "png", "csv" (one file a panel: NAME-a.csv) and "json" (the recipe itself).
    std::vector<std::string> formats = {"pdf", "svg", "csv"};
    double png_dpi = 600;
};

[[nodiscard]] const std::vector<std::string>& renderFormats();

/// Asks the runs for the panels. `base` is what run paths are relative to. A run that is gone is an error that names it. With
/// `keep_errors` a panel that fails becomes a panel with an error instead of failing the page (the preview).
[[nodiscard]] Result<Page> makePage(const analysis::FigureRecipe& recipe, const std::filesystem::path& base, bool keep_errors = false,
                                    const JobContext& context = {});

/// Writes a page in the formats asked for into `out` (made when missing). Every file appears whole or not at all. Returns what was written.
[[nodiscard]] Result<std::vector<std::filesystem::path>> writePage(const Page& page, const analysis::FigureRecipe& recipe, const std::filesystem::path& out,
                                                                   const RenderOptions& options = {}, const JobContext& context = {});

/// Loads the recipe, asks the runs, writes the files: `expertscope figure render RECIPE.json --out DIR --format LIST`.
[[nodiscard]] Result<std::vector<std::filesystem::path>> renderRecipe(const std::filesystem::path& recipe, const std::filesystem::path& out,
                                                                      const RenderOptions& options = {}, const JobContext& context = {});

/// A first figure of some runs, two panels: experts on a picture and its caption, and the runs compared (dense runs as the baseline), or
/// the loss curve when there is nothing to compare. Run paths are kept as given. Errors: no run; a run that cannot be opened.
[[nodiscard]] Result<analysis::FigureRecipe> defaultRecipe(const std::string& name, const std::vector<std::filesystem::path>& runs,
                                                           const JobContext& context = {});

/// Fills in what a recipe remembers of its runs (configuration and data hashes, program version) and writes run paths relative to the
/// recipe's folder where they lie near it, then saves it as `file`.
[[nodiscard]] Status saveRecipe(analysis::FigureRecipe recipe, const std::filesystem::path& base, const std::filesystem::path& file);

/// `path` as seen from the folder `from`: relative when at most four levels up, else absolute.
[[nodiscard]] std::string relativeRunPath(const std::filesystem::path& path, const std::filesystem::path& from);

/// A name that is safe as a file name on every system: letters, digits, "-", "_" and "."; anything else becomes "-".
[[nodiscard]] std::string fileNameOf(const std::string& name);

}  // namespace es::views::page
