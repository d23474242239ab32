// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/run_reader.h"
#include "views/export/recipe_renderer.h"

namespace es::views::page {

namespace {

struct Known {
    std::string path, ffn;
    bool evaluated = false;
    bool routed = false;
};

std::string hexadecimal(std::uint64_t hash) {
    static const char* digits = "0123456789abcdef";
    std::string text(16, '0');
    for (std::size_t i = 0; i < 16; ++i) text[15 - i] = digits[(hash >> (4 * i)) & 15];
    return text;
}

/// The probe sample that shows most: with a picture, and words enough to see them differ.
std::string sampleToShow(const store::RunReader& run) {
    const auto samples = run.probeSamples();
    if (!samples) return {};
    std::string best;
    std::size_t most = 0;
    for (const std::uint64_t hash : *samples) {
        const auto sample = run.sample(hash);
        if (!sample || sample->picture.empty() || sample->token_texts.size() <= most || sample->token_texts.size() > 12) continue;
        most = sample->token_texts.size();
        best = hexadecimal(hash);
    }
    return best;
}

}  // namespace

Result<analysis::FigureRecipe> defaultRecipe(const std::string& name, const std::vector<std::filesystem::path>& runs, const JobContext& context) {
    if (runs.empty()) return wrongCall("Cannot make the figure '" + name + "'", "no run was named", "Name one run or more: expertscope figure new NAME RUN...");
    analysis::FigureRecipe recipe;
    recipe.name = name;
    for (const auto& preset : analysis::pagePresets())
        if (preset.name == recipe.page.preset) {
            recipe.page.width_mm = preset.width_mm;
            recipe.page.font = preset.font;
            recipe.page.font_pt = preset.font_pt;
        }
    std::vector<std::string> dense, scaled, sparse, all;
    std::string routed, sample;
    for (const auto& path : runs) {
        if (context.stopRequested()) return stopped("Making the figure");
        auto run = store::RunReader::open(path, context);
        if (!run) return tl::unexpected(run.error());
        const std::string text = path.string(), ffn = (*run)->config().model.ffn;
        all.push_back(text);
        if (!(*run)->evaluations().empty()) (ffn == "dense" ? dense : ffn == "scaled_dense" ? scaled : sparse).push_back(text);
        if (sample.empty() && !(*run)->routers().empty()) {
            sample = sampleToShow(**run);
            if (!sample.empty()) routed = text;
        }
    }
    if (!sample.empty()) {
        analysis::PanelQuery overlay;
        overlay.kind = "overlay";
        overlay.runs = {routed};
        overlay.parameters = {{"sample", sample}};
        recipe.panels.push_back(overlay);
    }
    const std::vector<std::string>& baseline = dense.empty() ? scaled : dense;
    analysis::PanelQuery curves;
    if (!baseline.empty() && !sparse.empty()) {
        curves.kind = "compare_curves";
        curves.parameters = {
            {"baseline", std::to_string(baseline.size())}, {"baseline_name", dense.empty() ? "scaled dense" : "dense"}, {"candidate_name", "sparse"}};
        curves.runs = baseline;
        curves.runs.insert(curves.runs.end(), sparse.begin(), sparse.end());
    } else {
        curves.kind = "loss";
        curves.runs = all;
    }
    recipe.panels.push_back(curves);
    return recipe;
}

}  // namespace es::views::page
