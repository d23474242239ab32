// SPDX-License-Identifier: GPL-3.0-or-later
// A run in words: what it is, and what went wrong in it.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "analysis/alarms/alarms.h"
#include "analysis/figures/series.h"
#include "analysis/figures/train_panels.h"
#include "analysis/figures/wording.h"

namespace es::analysis {
namespace {

/// "balance 0.01 · z 0.001": the two that every run has, and others that count.
std::string routerLossWords(const config::LossOptions& loss) {
    std::string words = fmt::format("balance {} · z {}", number(loss.balance), number(loss.z));
    const std::pair<const char*, double> others[] = {{"balance over tokens", loss.balance_unnormalized},
                                                     {"GShard", loss.gshard},
                                                     {"importance", loss.importance},
                                                     {"load", loss.load},
                                                     {"local entropy", loss.local_entropy},
                                                     {"global entropy", loss.global_entropy},
                                                     {"sequence balance", loss.sequence_balance}};
    for (const auto& [name, weight] : others)
        if (weight != 0) words += fmt::format(" · {} {}", name, number(weight));
    return words;
}

}  // namespace

Panel runFacts(const store::RunReader& run) {
    const config::RunConfig& config = run.config();
    const store::Provenance provenance = run.provenance();
    const std::vector<store::RouterInfo> routers = run.routers();
    TablePanel table;
    table.columns = {"", ""};
    table.right_aligned = {0, 1};
    const auto add = [&](std::string name, std::string value) { table.rows.push_back({std::move(name), std::move(value)}); };
    if (provenance.parameters_total > 0)
        add("parameters", fmt::format("{} total · {} active", abbreviated(static_cast<double>(provenance.parameters_total)),
                                      abbreviated(static_cast<double>(provenance.parameters_active))));
    if (routers.empty()) {
        add("feed-forward", config.model.ffn == "scaled_dense" ? "dense, output scaled" : "dense");
    } else {
        std::vector<std::int32_t> layers;
        std::string branches;
        std::vector<std::string> kinds, choices;
        const auto once = [](std::vector<std::string>& list, std::string word) {
            if (std::find(list.begin(), list.end(), word) == list.end()) list.push_back(std::move(word));
        };
        for (const store::RouterInfo& router : routers) {
            once(kinds, router.kind);
            once(choices, router.k > 0 ? fmt::format("top-{}", router.k) : "all");
            if (std::find(layers.begin(), layers.end(), router.layer.value) == layers.end()) layers.push_back(router.layer.value);
            const std::string part = fmt::format("{} {}", router.experts, branchLetter(router.branch));
            if (branches.find(part) == std::string::npos) branches += (branches.empty() ? "" : " + ") + part;
        }
        std::sort(layers.begin(), layers.end());
        std::string listed;
        for (const std::int32_t layer : layers) listed += " " + std::to_string(layer);
        add("experts", fmt::format("{}, {}, layers{}", branches, fmt::join(choices, " or "), listed));
        const bool soft = kinds == std::vector<std::string>{"soft"};  // it drops nothing and balances nothing
        add("router", soft ? "soft" : fmt::format("{} · {}", fmt::join(kinds, ", "), config.moe.dispatch));
        if (!soft) add("losses", routerLossWords(config.loss));
    }
    std::string objectives;
    const auto objective = [&](double weight, std::int64_t batch, const char* name) {
        if (weight != 0 && batch > 0) objectives += (objectives.empty() ? "" : " + ") + std::string(name);
    };
    objective(config.loss.image, config.train.batch_images, config.model.image_target == "codes" ? "masked image as codes" : "masked image");
    objective(config.loss.text, config.train.batch_texts, "masked word");
    objective(std::max(config.loss.pair_image, config.loss.pair_text), config.train.batch_pairs, "masked pair");
    objective(config.loss.contrastive, config.train.batch_pairs, "contrastive");
    objective(config.loss.matching, config.train.batch_pairs, "matching");
    add("objective", objectives.empty() ? "none" : objectives);
    add("data", config.data.set);
    add("batch", fmt::format("{} images · {} texts · {} pairs", config.train.batch_images, config.train.batch_texts, config.train.batch_pairs));
    add("precision", fmt::format("{} · fp32 router", provenance.precision.empty() ? config.run.precision : provenance.precision));
    if (!provenance.device.empty()) add("device", fmt::format("{} · {}", provenance.device, plural(provenance.threads, "thread")));
    if (provenance.flops_per_step_active > 0) add("compute per step", fmt::format("{}FLOPs active", abbreviated(provenance.flops_per_step_active)));
    Panel panel;
    panel.title = fmt::format("{} · seed {}", config.run.name, config.run.seed);
    const store::RunStatus status = run.status();
    panel.context = fmt::format("{} · step {} of {}", store::toString(status.state), grouped(status.step), grouped(status.steps));
    panel.notes = status.warnings;
    panel.content = std::move(table);
    return panel;
}

Result<Panel> alarmTable(const store::RunReader& run) {
    auto alarms = findAlarms(run);
    if (!alarms) return tl::unexpected(alarms.error());
    TablePanel table;
    table.columns = {"alarm", "detail", "from step", "to step"};
    table.right_aligned = {0, 0, 1, 1};
    std::int64_t active = 0;
    for (const Alarm& alarm : *alarms) {
        active += alarm.active();
        table.rows.push_back({alarm.title, alarm.detail, grouped(alarm.start_step), alarm.end_step ? grouped(*alarm.end_step) : "active"});
    }
    Panel panel;
    panel.title = "Alarms";
    panel.context = fmt::format("{} active · {} resolved", active, static_cast<std::int64_t>(alarms->size()) - active);
    panel.notes.push_back(fmt::format("routing is not judged before step {} (warm-up)", grouped(warmupSteps(run.config()))));
    if (const std::string note = partialNote(run); !note.empty()) panel.notes.push_back(note);
    panel.content = std::move(table);
    return panel;
}

}  // namespace es::analysis
