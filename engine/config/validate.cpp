// SPDX-License-Identifier: GPL-3.0-or-later
// Relations between keys, which no single range can say.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <set>
#include <utility>

#include "engine/config/config_io.h"
#include "engine/config/fields.h"
#include "engine/config/objectives.h"
#include "engine/config/rate_bumps.h"
#include "engine/config/router_settings.h"

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
    if (c.moe.pool == "shared" && m.moe_branches.size() != 2 && !m.moe_layers.empty())
        return {fmt::format("moe.pool is 'shared', but model.moe_branches names {}", m.moe_branches.empty() ? "no branch" : "only " + m.moe_branches[0]),
                "Name both v and t, or set moe.pool = \"isolated\""};
    const std::size_t scales = routerSites(c).size();
    if (m.ffn == "scaled_dense" && m.ffn_scales.size() != scales)
        return {fmt::format("model.ffn_scales has {} entries, but {} MoE networks stand in its place", m.ffn_scales.size(), scales),
                fmt::format("Give {} factors", scales)};
    if (m.init_from.empty() && (m.upcycle_noise > 0 || m.upcycle_shared))
        return {fmt::format("model.{} is set, but model.init_from is empty", m.upcycle_noise > 0 ? "upcycle_noise" : "upcycle_shared"),
                "Name the checkpoint to start from in model.init_from"};
    if (m.upcycle_shared && c.moe.shared_experts == 0)
        return {"model.upcycle_shared is true, but moe.shared_experts is 0", "Add shared experts, or set model.upcycle_shared = false"};
    return {};
}

bool isOneOf(std::string_view name, std::initializer_list<std::string_view> names) { return std::ranges::find(names, name) != names.end(); }

/// Options of the choice that the router would not obey.
Finding findChoiceProblem(const MoeOptions& m) {
    if (m.input_jitter > 0 && isOneOf(m.router, {"hash", "random"}))
        return {fmt::format("moe.input_jitter is {}, but a {} router has no input", m.input_jitter, m.router), "Set moe.input_jitter = 0"};
    if (m.router == "soft" && m.dispatch == "capacity")
        return {"moe.dispatch is 'capacity', but a soft router drops no token", "Set moe.dispatch = \"dropless\"; moe.slots is what limits its experts"};
    if (!m.quantile_balance) return {};
    if (!isOneOf(m.router, {"softmax_topk", "topk_softmax", "sigmoid_topk"}))
        return {fmt::format("moe.quantile_balance is true, but moe.router is '{}'", m.router), "Use softmax_topk, topk_softmax or sigmoid_topk"};
    if (m.k == m.experts) return {fmt::format("moe.quantile_balance is true, but all {} experts are chosen", m.experts), "Lower moe.k"};
    if (m.bias_rate > 0) return {"moe.quantile_balance and moe.bias_rate both move the choice", "Set moe.bias_rate = 0, or moe.quantile_balance = false"};
    return {};
}

/// Losses that this router does not have.
Finding findRouterLossProblem(const MoeOptions& m, const LossOptions& loss) {
    if (loss.load != 0 && (m.router != "noisy_topk" || m.noise == 0))
        return {
            fmt::format("loss.load is {}, but it needs the noise of moe.router = \"noisy_topk\", which is '{}' with noise {}", loss.load, m.router, m.noise),
            "Set loss.load = 0, or use noisy_topk with moe.noise above 0"};
    if (loss.sequence_balance != 0 && isOneOf(m.router, {"top_p", "expert_choice"}))
        return {fmt::format("loss.sequence_balance is {}, but tokens of a {} router have different numbers of experts", loss.sequence_balance, m.router),
                "Set loss.sequence_balance = 0"};
    if (m.router != "soft") return {};
    const std::pair<const char*, double> others[] = {{"balance_unnormalized", loss.balance_unnormalized},
                                                     {"gshard", loss.gshard},
                                                     {"importance", loss.importance},
                                                     {"local_entropy", loss.local_entropy},
                                                     {"global_entropy", loss.global_entropy},
                                                     {"sequence_balance", loss.sequence_balance}};
    for (const auto& [name, weight] : others)
        if (weight != 0)
            return {fmt::format("loss.{} is {}, but a soft router chooses nothing that it could balance", name, weight), fmt::format("Set loss.{} = 0", name)};
    return {};
}

Finding findRouterProblem(const RouterSettings& router) {
    const MoeOptions& m = router.moe;
    if (m.router != "soft" && m.k > m.experts) return {fmt::format("moe.k {} is more than moe.experts {}", m.k, m.experts), "Lower k, or add experts"};
    if (isOneOf(m.router, {"hash", "base"}) && m.k != 1)
        return {fmt::format("moe.k is {}, but a {} router chooses one expert", m.k, m.router), "Set moe.k = 1, or another moe.router"};
    if (m.router == "group_limited") {
        if (m.experts % m.groups != 0)
            return {fmt::format("moe.experts {} is not divisible by moe.groups {}", m.experts, m.groups), "Choose groups that divide the experts"};
        if (m.groups_kept > m.groups) return {fmt::format("moe.groups_kept {} is more than moe.groups {}", m.groups_kept, m.groups), "Keep at most all groups"};
        const std::int64_t allowed = m.groups_kept * (m.experts / m.groups);
        if (m.k > allowed)
            return {fmt::format("moe.k {} is more than the {} experts of moe.groups_kept {} groups", m.k, allowed, m.groups_kept),
                    "Lower k, or keep more groups"};
    }
    if (m.shared_gate && m.shared_experts == 0) return {"moe.shared_gate is true, but moe.shared_experts is 0", "Add shared experts, or drop the gate"};
    if (Finding finding = findChoiceProblem(m); !finding.why.empty()) return finding;
    return findRouterLossProblem(m, router.loss);
}

Finding findMoeProblem(const RunConfig& c) {
    if (c.model.ffn == "moe") {
        for (const RouterSite& site : routerSites(c)) {
            Finding finding = findRouterProblem(routerSettings(c, site));
            if (!finding.why.empty() && !c.moe.overrides.empty()) finding.why = fmt::format("router {}: {}", site.name(), finding.why);
            if (!finding.why.empty()) return finding;
        }
    }
    if (c.moe.shared_gate && c.moe.shared_experts == 0) return {"moe.shared_gate is true, but moe.shared_experts is 0", "Add shared experts, or drop the gate"};
    return {};
}

Finding findObjectiveProblem(const RunConfig& c) {
    if (const std::string problem = parseSchedules(c.loss.schedule).problem; !problem.empty())
        return {"loss.schedule " + problem, "Write entries such as \"contrastive 0@100 1@200\""};
    for (const auto& [name, weight] : {std::pair("contrastive", c.loss.contrastive), std::pair("matching", c.loss.matching)})
        if (weight > 0 && c.train.batch_pairs < 2)
            return {fmt::format("loss.{} is {}, but train.batch_pairs is {}: a pair is told from others of its batch", name, weight, c.train.batch_pairs),
                    fmt::format("Set train.batch_pairs to at least 2, or loss.{} = 0", name)};
    return {};
}

Finding findTrainProblem(const RunConfig& c) {
    const TrainOptions& t = c.train;
    const bool images = t.batch_images > 0 && c.loss.image > 0, texts = t.batch_texts > 0 && c.loss.text > 0;
    const bool pairs = t.batch_pairs > 0 && (c.loss.pair_image > 0 || c.loss.pair_text > 0 || c.loss.contrastive > 0 || c.loss.matching > 0);
    if (!images && !texts && !pairs)
        return {"there is nothing to learn: every batch is empty or every objective has weight 0", "Raise a train.batch_... and its loss weight"};
    if (t.skip_spikes > 0 && t.spike_window >= t.steps)
        return {fmt::format("train.spike_window is {}, but train.steps is {}: train.skip_spikes would never judge a step", t.spike_window, t.steps),
                "Choose a window shorter than the run, or set train.skip_spikes = 0"};
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
    if (finding.why.empty()) finding = findModelProblem(config);
    if (finding.why.empty())
        if (Status readable = checkOverrides(config, path); !readable) return readable;
    for (const auto find : {findMoeProblem, findObjectiveProblem, findTrainProblem})
        if (finding.why.empty()) finding = find(config);
    if (finding.why.empty()) return {};
    return badInput("Cannot use the configuration", finding.why, finding.remedy, path);
}

}  // namespace es::config
