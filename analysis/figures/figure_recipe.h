// SPDX-License-Identifier: GPL-3.0-or-later
// A figure is a page of panels, each a stored query. The recipe is what is saved; rendering asks the runs again.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "analysis/figures/panel_data.h"
#include "analysis/figures/run_source.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"

namespace es::analysis {

/// A query that makes a panel. `kind` names it, `parameters` are its arguments as text; both are stable across versions. panelKinds() lists
/// them: "loss" "scalars" "load" "max_vio" "entropy" "gradients" "throughput" "facts" "alarms" | "overlay" "layer_expert_map" "token_distribution"
/// "routing_change" "category" "specialisation" "specialisation_bars" "modality" "coactivation" "flow" "preferences" "probe_expert_map" "path_flow"
/// "paths" "router_similarity" "expert_similarity" | "compare_curves" "compare_reach"
/// "compare_losses" "compare_categories" "compare_cost" "compare_config" "compare_checks" "speed_quality" "results" "match".
/// Common parameters: "router" "1.v", "layer" "1", "step" "600" (empty or -1: newest), "sample" 16 hexadecimal digits, "modality" vision|text,
/// "token" index, "metric" names separated by commas, "smoothing" 0..0.99, "x" and "axis" as toString(XAxis), "baseline" how many of `runs`
/// (from the first) are the baseline, the rest being the candidate.
struct PanelQuery {
    std::string kind;                               ///< see panelKinds()
    std::map<std::string, std::string> parameters;  ///< "router": "1.v", "step": "600", "metric": "eval/loss/total"
    std::vector<std::string> runs;                  ///< run directories, relative to the recipe where possible
    std::string title;                              ///< empty: the query's own
    bool operator==(const PanelQuery&) const = default;
};

struct PageSettings {
    std::string preset = "neurips";  ///< see pagePresets()
    double width_mm = 139.7, height_mm = 80;
    std::string font = "Latin Modern Roman";
    double font_pt = 8;
    std::int32_t columns = 2;
    bool panel_letters = true;
    bool operator==(const PageSettings&) const = default;
};

struct FigureRecipe {
    std::int32_t version = 1;
    std::string name;
    PageSettings page;
    std::vector<PanelQuery> panels;
    std::map<std::string, std::string> provenance;  ///< run uuid -> configuration hash and data hash at the time of saving
    std::string program_version;
};

struct PagePreset {
    std::string name, title;
    double width_mm = 0, max_height_mm = 0;
    std::string font;
    double font_pt = 0, min_font_pt = 0;
};
[[nodiscard]] const std::vector<PagePreset>& pagePresets();

/// A kind of panel that a recipe may ask for.
struct PanelKind {
    std::string name, title, help;
    std::vector<std::string> parameters;
    std::int32_t min_runs = 1;
};
[[nodiscard]] const std::vector<PanelKind>& panelKinds();

[[nodiscard]] std::string toJson(const FigureRecipe& recipe);
/// Errors name the key and `path`. Unknown kinds and parameters are errors.
[[nodiscard]] Result<FigureRecipe> recipeFromJson(const std::string& json, const std::string& path);
[[nodiscard]] Result<FigureRecipe> loadRecipe(const std::filesystem::path& path);

/// Runs the query against its runs (paths relative to `base`). Pure: the same runs and query give the same panel.
[[nodiscard]] Result<Panel> makePanel(const PanelQuery& query, const std::filesystem::path& base, const JobContext& context = {});
/// The same on runs that are open already, in the order of query.runs.
[[nodiscard]] Result<Panel> makePanel(const PanelQuery& query, std::span<const RunSource> runs, const JobContext& context = {});

/// Empty when kind, parameter names and the number of runs are right; else what is wrong. Values are checked by makePanel.
[[nodiscard]] Status checkQuery(const PanelQuery& query);

}  // namespace es::analysis
