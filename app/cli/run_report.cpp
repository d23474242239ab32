// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/run_report.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "analysis/figures/inspect_panels.h"
#include "analysis/figures/wording.h"
#include "app/cli/routing_json.h"
#include "engine/store/routing_view.h"

namespace es::app {
namespace {

constexpr std::size_t kTokensNamed = 24;
constexpr std::size_t kClassesShown = 8;

std::string unitOf(Objective objective) { return objective == Objective::kImage || objective == Objective::kPairImage ? "" : "nats"; }

std::string tableText(const store::RoutingTable& table, const store::SampleRecord& sample) {
    const store::RoutingView view(table);
    std::string text = fmt::format("layer {} · {}-router · {} experts\n", table.router.layer.value, toString(table.router.branch), table.router.experts);
    for (std::int64_t token = 0; token < table.tokens; ++token) {
        const auto at = static_cast<std::size_t>(token);
        const ExpertIndex expert = view.firstChoice(token);
        if (table.modality_T[at] == Modality::kVision) {
            const auto width = static_cast<std::uint16_t>(std::max(1, sample.grid_width));
            text += fmt::format("{:>4}{}", expert.value, (table.position_T[at] + 1) % width == 0 ? "\n" : "");
        } else {
            const std::size_t position = table.position_T[at];
            text += fmt::format("  {:<16} {:>4}\n", position < sample.token_texts.size() ? sample.token_texts[position] : "?", expert.value);
        }
    }
    return text;
}

std::vector<float> gatesOf(const store::RoutingTable& table, std::int64_t token) {
    std::vector<float> gates;
    store::RoutingView(table).forEachAssignmentOf(token, [&](std::int64_t, ExpertIndex, float gate, bool) { gates.push_back(gate); });
    return gates;
}

/// "3 of 36 tokens re-routed: patch 4, patch 5, word 2; gates of 33 others changed"
std::string reroutedText(const store::RoutingTable& table, const store::RoutingTable& baseline, const session::Rerouted& rerouted) {
    std::string text = fmt::format("  {} of {} tokens re-routed", rerouted.tokens.size(), table.tokens);
    for (std::size_t i = 0; i < std::min(kTokensNamed, rerouted.tokens.size()); ++i) {
        const auto at = static_cast<std::size_t>(rerouted.tokens[i]);
        text += fmt::format("{} {} {}", i ? "," : ":", table.modality_T[at] == Modality::kVision ? "patch" : "word", table.position_T[at]);
    }
    if (rerouted.tokens.size() > kTokensNamed) text += ", ...";
    std::int64_t others = 0;
    for (std::int64_t token = 0; token < table.tokens; ++token)
        if (!std::ranges::binary_search(rerouted.tokens, token) && gatesOf(table, token) != gatesOf(baseline, token)) ++others;
    return text + (others > 0 ? fmt::format("; gates of {} others changed\n", others) : "\n");
}

std::string predictionText(const session::WordPrediction& prediction) {
    std::string text = fmt::format("word {}:", prediction.position);
    for (std::size_t i = 0; i < prediction.words.size(); ++i) text += fmt::format(" {} {:.2f}", prediction.words[i], prediction.probabilities[i]);
    return text + "\n";
}

const session::HiddenLoss* lossOf(const session::SampleReading& reading, Objective objective) {
    const auto found = std::ranges::find(reading.losses, objective, &session::HiddenLoss::objective);
    return found == reading.losses.end() ? nullptr : &*found;
}

nlohmann::json readingJson(const session::SampleReading& reading) {
    nlohmann::json routing = nlohmann::json::array(), predictions = nlohmann::json::array(), losses = nlohmann::json::array();
    for (const auto& table : reading.routing) routing.push_back(toJson(table));
    for (const auto& p : reading.predictions) predictions.push_back({{"position", p.position}, {"words", p.words}, {"probabilities", p.probabilities}});
    for (const auto& loss : reading.losses) losses.push_back({{"objective", toString(loss.objective)}, {"loss", loss.loss}, {"targets", loss.targets}});
    nlohmann::json document{{"routing", std::move(routing)}, {"predictions", std::move(predictions)}, {"losses", std::move(losses)}};
    for (const auto& layer : reading.attention)
        document["attention"].push_back({{"layer", layer.layer.value}, {"patches", layer.patches}, {"words", layer.words}});
    return document;
}

nlohmann::json namesJson(const std::vector<session::Intervention>& interventions) {
    nlohmann::json names = nlohmann::json::array();
    for (const auto& intervention : interventions) names.push_back({{"kind", toString(intervention.kind)}, {"of", toText(intervention)}});
    return names;
}

}  // namespace

std::string sampleText(const session::SampleResult& result) {
    std::string text = result.caption_cut ? analysis::cutNote(result.sample.token_texts.size()) + "\n" : std::string();
    for (std::size_t i = 0; i < result.routing.size(); ++i) {
        text += tableText(result.routing[i], result.sample);
        if (result.baseline) text += reroutedText(result.routing[i], result.baseline->routing.at(i), result.rerouted.at(i));
    }
    for (const auto& prediction : result.predictions) text += predictionText(prediction);
    if (result.baseline && !result.baseline->predictions.empty()) {
        text += "without the interventions\n";
        for (const auto& prediction : result.baseline->predictions) text += predictionText(prediction);
    }
    for (const auto& loss : result.losses) {
        const session::HiddenLoss* before = result.baseline ? lossOf(*result.baseline, loss.objective) : nullptr;
        text += fmt::format("{} loss {:.4f}{} over {}", toString(loss.objective), loss.loss, unitOf(loss.objective).empty() ? "" : " nats",
                            analysis::plural(loss.targets, "target"));
        text += before ? fmt::format(", {:.4f} without, {:+.4f}\n", before->loss, loss.loss - before->loss) : std::string("\n");
    }
    return text;
}

nlohmann::json sampleJson(const session::SampleResult& result, const std::vector<session::Intervention>& interventions) {
    nlohmann::json document = readingJson(result);
    document["schema"] = "expertscope.run.1";
    document["caption"] = result.sample.caption;
    document["words"] = result.sample.token_texts;
    document["grid"] = {{"width", result.sample.grid_width}, {"height", result.sample.grid_height}};
    document["elapsed_ms"] = result.elapsed_ms;
    document["caption_cut"] = result.caption_cut;
    document["interventions"] = namesJson(interventions);
    if (!result.baseline) return document;
    document["baseline"] = readingJson(*result.baseline);
    nlohmann::json rerouted = nlohmann::json::array();
    for (const auto& router : result.rerouted) rerouted.push_back({{"router", router.router.value}, {"tokens", router.tokens}});
    document["rerouted"] = std::move(rerouted);
    return document;
}

std::string interventionText(const session::InterventionResult& result, const std::vector<analysis::LossEffect>& changes,
                             const analysis::ClassEffects& classes) {
    std::string text = fmt::format("step {}, held-out samples under the masks of the run's evaluations\n", result.baseline.step);
    const auto line = [&](const std::string& name, const analysis::LossEffect& c) {
        text += fmt::format("{:<24} {:>10.4f} {:>10.4f} {:>+10.4f}   {:<22} {}, 1 seed\n", name, c.without, c.with, c.difference,
                            fmt::format("[{:+.4f}, {:+.4f}]", c.low, c.high), analysis::overWords(c));
    };
    text += fmt::format("{:<24} {:>10} {:>10} {:>10}   {:<22} {}\n", "loss", "without", "with", "difference", "95 % interval", "over");
    for (const auto& c : changes)
        if (c.samples > 1) line(c.loss, c);
    if (!classes.classes.empty())
        text += fmt::format("total loss by class, those that changed most of {}; intervals hold for all classes together\n", classes.classes.size());
    for (std::size_t i = 0; i < std::min(kClassesShown, classes.classes.size()); ++i) line(classes.classes[i].category, classes.classes[i]);
    for (const auto& router : result.routers)
        text += fmt::format("layer {} · {}-router: {} of {} tokens re-routed\n", router.router.layer.value, toString(router.router.branch), router.rerouted,
                            router.tokens);
    return text;
}

nlohmann::json interventionJson(const session::InterventionResult& result, const std::vector<analysis::LossEffect>& changes,
                                const analysis::ClassEffects& classes, const std::vector<session::Intervention>& interventions) {
    nlohmann::json losses = nlohmann::json::array(), by_class = nlohmann::json::array(), routers = nlohmann::json::array();
    const auto effect = [](const analysis::LossEffect& c) {
        return nlohmann::json{{"loss", c.loss},
                              {"unit", c.unit},
                              {"without", c.without},
                              {"with", c.with},
                              {"difference", c.difference},
                              {"low", c.low},
                              {"high", c.high},
                              {"p", c.p},
                              {"confidence", c.confidence},
                              {"samples", c.samples},
                              {"families", c.units},
                              {"over", analysis::overWords(c) + ", 1 seed"}};
    };
    for (const auto& c : changes)
        if (c.samples > 1) losses.push_back(effect(c));
    for (const auto& c : classes.classes) {
        nlohmann::json one = effect(c);
        one["category"] = c.category;
        by_class.push_back(std::move(one));
    }
    for (const auto& r : result.routers)
        routers.push_back({{"router", r.router.id.value},
                           {"layer", r.router.layer.value},
                           {"branch", toString(r.router.branch)},
                           {"kind", r.router.kind},
                           {"tokens", r.tokens},
                           {"rerouted", r.rerouted}});
    return {{"schema", "expertscope.interventions.1"},   {"step", result.baseline.step},  {"confidence", 0.95},
            {"interventions", namesJson(interventions)}, {"losses", std::move(losses)},   {"classes", std::move(by_class)},
            {"small_classes_left_out", classes.small},   {"routers", std::move(routers)}, {"elapsed_ms", result.elapsed_ms}};
}

}  // namespace es::app
