// SPDX-License-Identifier: GPL-3.0-or-later
// Causal tables as panels and as text.
#include <spdlog/fmt/fmt.h>

#include <cmath>

#include "analysis/figures/wording.h"
#include "analysis/interventions/causal.h"

namespace es::analysis {
namespace {

std::string effectWords(const LossEffect& effect, int decimals = 4) {
    if (effect.samples == 0) return "–";
    if (!std::isfinite(effect.low)) return signedFixed(effect.difference, decimals) + ", too few samples for an interval";
    return fmt::format("{} [{}, {}]", signedFixed(effect.difference, decimals), signedFixed(effect.low, decimals), signedFixed(effect.high, decimals));
}

/// Of one percent of the tokens: a hundredth of what banning everything would cost.
std::string eachPercent(const LossEffect& effect) { return effectWords(effect, 6); }

/// "134", or "134 (118)" where they are fewer families.
std::string samplesWords(const LossEffect& effect) {
    return effect.units < effect.samples ? fmt::format("{} ({})", grouped(effect.samples), grouped(effect.units)) : grouped(effect.samples);
}

std::string shareWords(std::int64_t part, std::int64_t whole) { return whole > 0 ? percent(static_cast<double>(part) / static_cast<double>(whole)) : "–"; }

std::string specialisationWords(const RouterCausal& r, const CausalTable& table) {
    std::string text = routerWords(r.router) + ": causal specialisation by modality ";
    if (r.experts == 0) text += fmt::format("S is not given: of none of {} an effect is shown", plural(r.router.experts, "expert"));
    else
        text += fmt::format("S = {} over the {} of {} with an effect ({} to {} while all Δ are in their intervals)", fixed(r.specialisation, 2), r.experts,
                            plural(r.router.experts, "expert"), fixed(r.least, 2), fixed(r.most, 2));
    if (r.every_experts > 0)
        text += fmt::format("; over all with a positive Δ, noise included, {}, by chance {} (95 % below {})", fixed(r.every, 2), fixed(r.chance, 2),
                            fixed(r.chance_high, 2));
    return text + fmt::format("; {}{}", plural(r.samples, "sample"), table.relative ? ", of relative differences" : "");
}

std::string comparedWith(const BanComparison& c) { return c.label == "category" ? "category" : "word"; }

std::string rankWords(const BanComparison& c) { return fmt::format("{} of {} others (p = {})", c.smaller, c.others, fixed(c.rankP(), 2)); }

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
        content.rows.push_back({routerLabel(e.router), std::to_string(e.expert.value), shareWords(e.rerouted, e.tokens), effectWords(e.vision),
                                samplesWords(e.vision), effectWords(e.text), samplesWords(e.text), e.shown ? fixed(e.selectivity, 2) : "no effect shown"});
    Panel panel;
    panel.title = "What each expert is needed for";
    panel.context = fmt::format("step {} · each {} alone · intervals of all {} Δ hold together with {:.0f} %", grouped(table.step), doneTo(table),
                                table.comparisons, 100 * table.confidence);
    for (const RouterCausal& r : table.routers) panel.notes.push_back(specialisationWords(r, table));
    panel.content = std::move(content);
    return panel;
}

Panel comparisonPanel(const std::vector<BanComparison>& comparison, const std::vector<std::string>& notes) {
    TablePanel content;
    content.columns = {"router",           "specialised on",
                       "expert",           "costs more than",
                       "Δ loss",           "Δ of the others, mean",
                       "above the others", "per 1 % re-routed",
                       "of the others",    "above, per 1 %",
                       "random one",       "its Δ",
                       "above it",         "n"};
    content.right_aligned = {0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    for (const BanComparison& c : comparison)
        content.rows.push_back({routerLabel(c.router), fmt::format("{}, {:.2f} nats, {:.1f} sd", comparedWith(c), c.information, c.deviations),
                                std::to_string(c.expert.value), rankWords(c), effectWords(c.effect), effectWords(c.others_effect), effectWords(c.above_others),
                                eachPercent(c.per_rerouted), eachPercent(c.others_per_rerouted), eachPercent(c.above_per_rerouted),
                                std::to_string(c.random.value), effectWords(c.random_effect), effectWords(c.above_random), samplesWords(c.effect)});
    Panel panel;
    panel.title = "The most specialised expert, banned, against the others";
    panel.context = "total held-out loss · chosen on one half of the samples, measured on the other · 95 % intervals over paired samples, 1 seed";
    panel.notes = notes;
    if (!comparison.empty())
        panel.notes.push_back(
            "Read the rank and the mean of the others: the random one is a single draw. More tokens re-routed cost more whatever an expert is for: "
            "see the columns per 1 % re-routed.");
    panel.content = std::move(content);
    return panel;
}

std::string toText(const CausalTable& table) {
    std::string text =
        fmt::format("step {}, each expert {} alone; difference of held-out losses, over paired samples, 1 seed; all {} intervals hold together with {:.0f} %\n",
                    table.step, doneTo(table), table.comparisons, 100 * table.confidence);
    text +=
        fmt::format("{:<18} {:>6} {:>10} {:<30} {:>10} {:<30} {:>10} {:>8}\n", "router", "expert", "re-routed", table.vision, "n", table.text, "n", "|Δ|/Σ");
    for (const ExpertCausal& e : table.experts)
        text += fmt::format("{:<18} {:>6} {:>10} {:<30} {:>10} {:<30} {:>10} {:>8}\n", routerWords(e.router), e.expert.value, shareWords(e.rerouted, e.tokens),
                            effectWords(e.vision), samplesWords(e.vision), effectWords(e.text), samplesWords(e.text), e.shown ? fixed(e.selectivity, 2) : "–");
    for (const RouterCausal& r : table.routers) text += specialisationWords(r, table) + "\n";
    return text;
}

std::string toText(const std::vector<BanComparison>& comparison) {
    std::string text;
    for (const BanComparison& c : comparison) {
        text += fmt::format(
            "{}: most specialised on {} is expert {} ({:.3f} nats above chance, {:.1f} standard deviations of it, in {}); measured on the other half, n = {}\n",
            routerWords(c.router), comparedWith(c), c.expert.value, c.information, c.deviations, plural(c.chosen_on, "sample"), samplesWords(c.effect));
        text += fmt::format("  banned                    {}, {} of its router's tokens re-routed\n", effectWords(c.effect), percent(c.rerouted));
        text +=
            fmt::format("  costs more than           {}; the others {} to {}\n", rankWords(c), signedFixed(c.others_least, 4), signedFixed(c.others_most, 4));
        text += fmt::format("  mean of the {:<2} others     {}, {} re-routed\n", c.others, effectWords(c.others_effect), percent(c.others_rerouted));
        text += fmt::format("  more than their mean      {}\n", effectWords(c.above_others));
        text += fmt::format("  per 1 % re-routed         {}, others {}, more {}; more than {} of {}\n", eachPercent(c.per_rerouted),
                            eachPercent(c.others_per_rerouted), eachPercent(c.above_per_rerouted), c.smaller_per_rerouted, c.others);
        text += fmt::format("  one drawn at random: {:<4} {}, {} re-routed; banned above this one {}\n", c.random.value, effectWords(c.random_effect),
                            percent(c.random_rerouted), effectWords(c.above_random));
    }
    return text;
}

}  // namespace es::analysis
