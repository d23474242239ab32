// SPDX-License-Identifier: GPL-3.0-or-later
// Causal tables as panels and as text.
#include <spdlog/fmt/fmt.h>

#include "analysis/figures/wording.h"
#include "analysis/interventions/causal.h"

namespace es::analysis {
namespace {

std::string effectWords(const LossEffect& effect) {
    if (effect.samples == 0) return "–";
    return fmt::format("{:+.4f} [{:+.4f}, {:+.4f}]", effect.difference, effect.low, effect.high);
}

std::string shareWords(std::int64_t part, std::int64_t whole) { return whole > 0 ? percent(static_cast<double>(part) / static_cast<double>(whole)) : "–"; }

std::string specialisationWords(const RouterCausal& r, bool relative) {
    return fmt::format("{}: causal specialisation by modality S = {} [{}, {}] over {} of {} experts, {}{}", routerWords(r.router), fixed(r.specialisation, 2),
                       fixed(r.low, 2), fixed(r.high, 2), r.experts, r.router.experts, plural(r.samples, "sample"),
                       relative ? ", of relative differences" : "");
}

const char* doneTo(const CausalTable& table) { return table.kind == "silence" ? "silenced" : "banned"; }

}  // namespace

Panel causalPanel(const CausalTable& table) {
    TablePanel content;
    content.columns = {"router",    "expert",
                       "re-routed", "Δ " + (table.vision.empty() ? "vision" : table.vision),
                       "n",         "Δ " + (table.text.empty() ? "text" : table.text),
                       "n",         "|Δv−Δl| / (Δv+Δl)"};
    content.right_aligned = {0, 1, 1, 1, 1, 1, 1, 1};
    for (const ExpertCausal& e : table.experts)
        content.rows.push_back({routerWords(e.router), std::to_string(e.expert.value), shareWords(e.rerouted, e.tokens), effectWords(e.vision),
                                grouped(e.vision.samples), effectWords(e.text), grouped(e.text.samples), fixed(e.selectivity, 2)});
    Panel panel;
    panel.title = "What each expert is needed for";
    panel.context = fmt::format("step {} · each {} alone · {:.0f} % intervals over samples", grouped(table.step), doneTo(table), 100 * table.confidence);
    for (const RouterCausal& r : table.routers) panel.notes.push_back(specialisationWords(r, table.relative));
    panel.content = std::move(content);
    return panel;
}

Panel comparisonPanel(const std::vector<BanComparison>& comparison, const std::vector<std::string>& notes) {
    TablePanel content;
    content.columns = {"router",       "specialised on",   "expert", "Δ loss",         "random", "Δ loss", "Δ loss of the others",
                       "above random", "above the others", "n",      "costs more than"};
    content.right_aligned = {0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    for (const BanComparison& c : comparison)
        content.rows.push_back({routerWords(c.router), fmt::format("{}, {:.2f} nats", c.label == "category" ? "category" : "word", c.information),
                                std::to_string(c.expert.value), effectWords(c.effect), std::to_string(c.random.value), effectWords(c.random_effect),
                                effectWords(c.others_effect), effectWords(c.above_random), effectWords(c.above_others), grouped(c.effect.samples),
                                fmt::format("{} of {}", c.smaller, c.others)});
    Panel panel;
    panel.title = "The most specialised expert, banned, against the others";
    panel.context = "total held-out loss · 95 % intervals over paired samples, 1 seed";
    panel.notes = notes;
    panel.content = std::move(content);
    return panel;
}

std::string toText(const CausalTable& table) {
    std::string text = fmt::format("step {}, each expert {} alone; difference of held-out losses, {:.0f} % intervals over paired samples, 1 seed\n", table.step,
                                   doneTo(table), 100 * table.confidence);
    text += fmt::format("{:<14} {:>6} {:>10} {:<30} {:>6} {:<30} {:>6} {:>8}\n", "router", "expert", "re-routed", table.vision, "n", table.text, "n", "|Δ|/Σ");
    for (const ExpertCausal& e : table.experts)
        text += fmt::format("{:<14} {:>6} {:>10} {:<30} {:>6} {:<30} {:>6} {:>8}\n", routerWords(e.router), e.expert.value, shareWords(e.rerouted, e.tokens),
                            effectWords(e.vision), e.vision.samples, effectWords(e.text), e.text.samples, fixed(e.selectivity, 2));
    for (const RouterCausal& r : table.routers) text += specialisationWords(r, table.relative) + "\n";
    return text;
}

std::string toText(const std::vector<BanComparison>& comparison) {
    std::string text;
    for (const BanComparison& c : comparison) {
        text += fmt::format("{}: most specialised on {} is expert {} ({:.3f} nats above chance); {} of its router's tokens re-routed\n", routerWords(c.router),
                            c.label == "category" ? "category" : "word", c.expert.value, c.information, percent(c.rerouted));
        text += fmt::format("  banned               {}   n = {}\n", effectWords(c.effect), c.effect.samples);
        text += fmt::format("  random: expert {:<5} {}   n = {}, {} re-routed\n", c.random.value, effectWords(c.random_effect), c.random_effect.samples,
                            percent(c.random_rerouted));
        text += fmt::format("  mean of the other {:<2} {}   n = {}, {} re-routed\n", c.others, effectWords(c.others_effect), c.others_effect.samples,
                            percent(c.others_rerouted));
        text += fmt::format("  more than random     {}\n  more than the others {}, more than {} of {} others\n", effectWords(c.above_random),
                            effectWords(c.above_others), c.smaller, c.others);
    }
    return text;
}

}  // namespace es::analysis
