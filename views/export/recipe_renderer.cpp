// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/recipe_renderer.h"

#include <algorithm>

#include "engine/base/files.h"
#include "engine/store/run_reader.h"
#include "views/export/page_writers.h"
#include "views/export/panel_csv.h"

namespace es::views::page {

namespace {

std::filesystem::path resolved(const std::string& run, const std::filesystem::path& base) {
    const std::filesystem::path path = std::filesystem::path(run);
    return (path.is_absolute() ? path : base / path).lexically_normal();
}

/// A run that was moved or deleted is the commonest failure of a stored figure: it gets words of its own.
Status checkRuns(const analysis::PanelQuery& query, const std::filesystem::path& base, std::size_t panel) {
    for (const std::string& run : query.runs) {
        const auto path = resolved(run, base);
        std::error_code ignored;
        if (std::filesystem::exists(path, ignored)) continue;
        return badInput("Cannot draw panel (" + panelLetter(panel).toStdString() + ")", "its run '" + path.filename().string() + "' is not there",
                        "Bring the run back to this place, or choose another run for the panel in the Figures workspace or under \"runs\" in the recipe",
                        path.string());
    }
    return {};
}

}  // namespace

const std::vector<std::string>& renderFormats() {
    static const std::vector<std::string> formats{"pdf", "svg", "png", "csv", "json"};
    return formats;
}

std::string fileNameOf(const std::string& name) {
    std::string safe;
    for (const char c : name) {
        const auto u = static_cast<unsigned char>(c);
        // Bytes above ASCII are kept: names in any language are legal.
        safe += (std::isalnum(u) || c == '-' || c == '_' || c == '.' || u >= 0x80) ? c : '-';
    }
    while (!safe.empty() && safe.front() == '.') safe.erase(safe.begin());
    return safe.empty() ? "figure" : safe;
}

Result<Page> makePage(const analysis::FigureRecipe& recipe, const std::filesystem::path& base, bool keep_errors, const JobContext& context) {
    Page page;
    page.name = QString::fromStdString(recipe.name);
    page.settings = recipe.page;
    if (recipe.panels.empty() && !keep_errors)
        return badInput("Cannot draw the figure '" + recipe.name + "'", "it has no panels",
                        "Add one in the Figures workspace, or send one there from another workspace");
    for (std::size_t i = 0; i < recipe.panels.size(); ++i) {
        if (context.stopRequested()) return stopped("Drawing the figure");
        context.progress(static_cast<std::int64_t>(i), static_cast<std::int64_t>(recipe.panels.size()),
                         "Asking the runs for panel " + panelLetter(i).toStdString());
        const auto& query = recipe.panels[i];
        Result<analysis::Panel> panel = analysis::Panel{};
        if (const auto there = checkRuns(query, base, i); !there) panel = tl::unexpected(there.error());
        else panel = analysis::makePanel(query, base, context);
        if (!panel && !keep_errors) return tl::unexpected(panel.error());
        PagePanel entry;
        if (panel) entry.panel = std::move(*panel);
        else entry.error = panel.error();
        if (!query.title.empty()) entry.panel.title = query.title;
        page.panels.push_back(std::move(entry));
    }
    return page;
}

Result<std::vector<std::filesystem::path>> writePage(const Page& page, const analysis::FigureRecipe& recipe, const std::filesystem::path& out,
                                                     const RenderOptions& options, const JobContext& context) {
    for (const std::string& format : options.formats)
        if (std::find(renderFormats().begin(), renderFormats().end(), format) == renderFormats().end())
            return wrongCall("Cannot write the figure as '" + format + "'", "there is no such format", "Choose of pdf, svg, png, csv and json");
    for (const PagePanel& panel : page.panels)
        if (panel.error) return tl::unexpected(*panel.error);
    std::error_code failure;
    std::filesystem::create_directories(out, failure);
    if (failure || !std::filesystem::is_directory(out))
        return badInput("Cannot write the figure", failure ? failure.message() : "the target is not a folder", "Choose a folder that you may write to",
                        out.string());

    std::vector<std::filesystem::path> written;
    const std::string stem = fileNameOf(recipe.name);
    const auto write = [&](const std::string& name, const Result<QByteArray>& bytes) -> Status {
        if (!bytes) return tl::unexpected(bytes.error());
        const auto path = out / name;
        if (auto done = writeFileAtomically(path, std::string_view(bytes->constData(), static_cast<std::size_t>(bytes->size()))); !done) return done;
        written.push_back(path);
        return {};
    };
    const auto total = static_cast<std::int64_t>(options.formats.size());
    std::int64_t done = 0;
    for (const std::string& format : options.formats) {
        if (context.stopRequested()) return stopped("Writing the figure");
        context.progress(done++, total, "Writing " + format);
        Status status;
        if (format == "pdf") status = write(stem + ".pdf", pageAsPdf(page));
        if (format == "svg") status = write(stem + ".svg", pageAsSvg(page));
        if (format == "png") status = write(stem + ".png", pageAsPng(page, options.png_dpi));
        if (format == "csv")
            for (std::size_t i = 0; i < page.panels.size() && status; ++i)
                status = write(stem + "-" + panelLetter(i).toStdString() + ".csv", panelAsCsv(page.panels[i].panel));
        if (format == "json") status = write(stem + ".json", QByteArray::fromStdString(analysis::toJson(recipe)));
        if (!status) return tl::unexpected(status.error());
    }
    context.progress(total, total, "Written");
    return written;
}

Result<std::vector<std::filesystem::path>> renderRecipe(const std::filesystem::path& file, const std::filesystem::path& out, const RenderOptions& options,
                                                        const JobContext& context) {
    auto recipe = analysis::loadRecipe(file);
    if (!recipe) return tl::unexpected(recipe.error());
    const auto base = std::filesystem::absolute(file).parent_path();
    auto page = makePage(*recipe, base, false, context);
    if (!page) {
        Error error = page.error();
        if (error.path.empty()) error.path = file.string();
        return tl::unexpected(error);
    }
    // The copy beside the files must find the runs from there.
    for (auto& panel : recipe->panels)
        for (std::string& run : panel.runs) run = relativeRunPath(resolved(run, base), std::filesystem::absolute(out));
    return writePage(*page, *recipe, out, options, context);
}

std::string relativeRunPath(const std::filesystem::path& path, const std::filesystem::path& from) {
    const auto relative = path.lexically_normal().lexically_relative(from.lexically_normal());
    const auto up = std::count_if(relative.begin(), relative.end(), [](const auto& part) { return part == ".."; });
    return relative.empty() || up > 4 ? path.lexically_normal().string() : relative.string();
}

Status saveRecipe(analysis::FigureRecipe recipe, const std::filesystem::path& base, const std::filesystem::path& file) {
    const auto folder = std::filesystem::absolute(file).parent_path();
    std::error_code failure;
    std::filesystem::create_directories(folder, failure);
    if (failure) return badInput("Cannot save the figure", failure.message(), "Choose a folder that you may write to", folder.string());
    recipe.program_version = ES_VERSION;
    std::map<std::string, std::string> provenance;
    bool all = true;
    for (auto& panel : recipe.panels)
        for (std::string& run : panel.runs) {
            const auto path = resolved(run, std::filesystem::absolute(base));
            if (auto reader = store::RunReader::open(path)) {
                const store::Provenance made = (*reader)->provenance();
                provenance[made.run_uuid] = "config " + made.config_hash + ", data " + made.data_hash;
            } else {
                all = false;
            }
            run = relativeRunPath(path, folder);
        }
    // What is known of a run that cannot be opened now is kept: it says which run that was.
    if (!all) provenance.insert(recipe.provenance.begin(), recipe.provenance.end());
    recipe.provenance = std::move(provenance);
    return writeFileAtomically(file, analysis::toJson(recipe));
}

}  // namespace es::views::page
