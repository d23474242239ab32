// SPDX-License-Identifier: GPL-3.0-or-later
// Relations between keys, which no single range can say.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <set>

#include "engine/config/config_io.h"
#include "engine/config/fields.h"
#include "engine/config/rate_bumps.h"

namespace es::config {
namespace {

/// The first relation that does not hold: (why, remedy); empty why when all do.
struct Finding {
    std::string why, remedy;
};

Finding findModelProblem(const RunConfig& c) {
    const ModelOptions& m = c.model;
    if (m.width % m.heads != 0)
        return {fmt::format("model.width {} is not divisible by model.heads {}", m.width, m.heads), "Choose heads that divide the width"};
    if (c.data.image_size % m.patch != 0)
        return {fmt::format("data.image_size {} is not divisible by model.patch {}", c.data.image_size, m.patch),
                "Choose a patch side that divides the picture's"};
    if (m.vl_layers > m.layers) return {fmt::format("model.vl_layers {} is more than model.layers {}", m.vl_layers, m.layers), "Use fewer"};
    const std::set<std::int64_t> layers(m.moe_layers.begin(), m.moe_layers.end());
    if (layers.size() != m.moe_layers.size()) return {"model.moe_layers names a layer twice", "Name each once"};
    if (!std::ranges::is_sorted(m.moe_layers)) return {"model.moe_layers is not in ascending order", "Sort it"};
    for (const std::int64_t layer : m.moe_layers) {
        if (layer >= m.layers)
            return {fmt::format("model.moe_layers names layer {}, but there are layers 0 to {}", layer, m.layers - 1), "Name layers that exist"};
        if (layer >= m.layers - m.vl_layers)
            return {fmt::format("layer {} of model.moe_layers is one of the top {} vision-language layers", layer, m.vl_layers),
                    "Lower model.vl_layers, or leave the layer out"};
    }
    const std::set<std::string> branches(m.moe_branches.begin(), m.moe_branches.end());
    if (branches.size() != m.moe_branches.size()) return {"model.moe_branches names a branch twice", "Name each once"};
    if (m.ffn != "dense" && (m.moe_layers.empty() || m.moe_branches.empty()))
        return {fmt::format("model.ffn is '{}', but no layer or branch is sparse", m.ffn),
                "Set model.moe_layers and model.moe_branches, or model.ffn = \"dense\""};
    const std::size_t scales = m.moe_layers.size() * m.moe_branches.size();
    if (m.ffn == "scaled_dense" && m.ffn_scales.size() != scales)
        return {fmt::format("model.ffn_scales has {} entries, but {} MoE networks stand in its place", m.ffn_scales.size(), scales),
                fmt::format("Give {} factors", scales)};
    return {};
}

Finding findMoeProblem(const RunConfig& c) {
    const MoeOptions& m = c.moe;
    if (c.model.ffn == "moe" && m.k > m.experts) return {fmt::format("moe.k {} is more than moe.experts {}", m.k, m.experts), "Lower k, or add experts"};
    if (c.model.ffn == "moe" && m.router == "hash" && m.k != 1)
        return {fmt::format("moe.k is {}, but a hash router chooses one expert", m.k), "Set moe.k = 1, or another moe.router"};
    if (c.model.ffn == "moe" && m.router == "group_limited") {
        if (m.experts % m.groups != 0)
            return {fmt::format("moe.experts {} is not divisible by moe.groups {}", m.experts, m.groups), "Choose groups that divide the experts"};
        if (m.groups_kept > m.groups) return {fmt::format("moe.groups_kept {} is more than moe.groups {}", m.groups_kept, m.groups), "Keep at most all groups"};
        const std::int64_t allowed = m.groups_kept * (m.experts / m.groups);
        if (m.k > allowed)
            return {fmt::format("moe.k {} is more than the {} experts of moe.groups_kept {} groups", m.k, allowed, m.groups_kept),
                    "Lower k, or keep more groups"};
    }
    if (c.moe.shared_gate && c.moe.shared_experts == 0) return {"moe.shared_gate is true, but moe.shared_experts is 0", "Add shared experts, or drop the gate"};
    return {};
}

Finding findTrainProblem(const RunConfig& c) {
    const TrainOptions& t = c.train;
    const bool images = t.batch_images > 0 && c.loss.image > 0, texts = t.batch_texts > 0 && c.loss.text > 0;
    const bool pairs = t.batch_pairs > 0 && (c.loss.pair_image > 0 || c.loss.pair_text > 0);
    if (!images && !texts && !pairs)
        return {"there is nothing to learn: every batch is empty or every objective has weight 0", "Raise a train.batch_... and its loss weight"};
    for (const std::string& text : t.learning_rate_bumps) {
        const auto bump = parseRateBump(text);
        if (!bump)
            return {fmt::format("train.learning_rate_bumps has '{}', which is not steps and a factor", text), "Write it as \"70-71 x100\" or \"70 x0.5\""};
        if (bump->last > t.steps)
            return {fmt::format("train.learning_rate_bumps has '{}', but train.steps is {}", text, t.steps), "Name steps that the run has"};
    }
    if (c.run.name.empty() || c.run.name.find('/') != std::string::npos || c.run.name == "." || c.run.name == "..")
        return {fmt::format("run.name '{}' cannot be the name of a folder", c.run.name), "Choose a name without '/'"};
    return {};
}

}  // namespace

Status validate(const RunConfig& config, const std::string& path) {
    Finding finding;
    forEachField(config, [&](std::string_view section, std::string_view name, const auto& field, const OptionInfo& info) {
        if (!finding.why.empty()) return;
        if (std::string problem = rangeProblem(field, info); !problem.empty())
            finding = {fmt::format("{}.{} {}", section, name, problem), "See docs/configuration.md"};
    });
    for (const auto find : {findModelProblem, findMoeProblem, findTrainProblem})
        if (finding.why.empty()) finding = find(config);
    if (finding.why.empty()) return {};
    return badInput("Cannot use the configuration", finding.why, finding.remedy, path);
}

}  // namespace es::config
