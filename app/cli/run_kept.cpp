// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/run_kept.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/figures/wording.h"
#include "analysis/interventions/causal.h"
#include "app/cli/interrupt_watch.h"
#include "app/cli/output.h"
#include "engine/session/engine_library.h"
#include "engine/session/kept_results.h"

namespace es::app {
namespace {

using nlohmann::json;

/// JSON has no NaN.
json value(double number) { return std::isfinite(number) ? json(number) : json(); }

json effectJson(const analysis::LossEffect& effect) {
    if (effect.samples == 0) return {};
    return {{"loss", effect.loss},
            {"unit", effect.unit},
            {"without", value(effect.without)},
            {"with", value(effect.with)},
            {"difference", value(effect.difference)},
            {"low", value(effect.low)},
            {"high", value(effect.high)},
            {"p", value(effect.p)},
            {"samples", effect.samples},
            {"families", effect.units},
            {"confidence", effect.confidence}};
}

json routerJson(const store::RouterInfo& router) { return {{"router", router.id.value}, {"layer", router.layer.value}, {"branch", toString(router.branch)}}; }

json causalJson(const analysis::CausalTable& table, const std::vector<analysis::BanComparison>& comparison, const std::vector<std::string>& notes) {
    json experts = json::array(), routers = json::array(), compared = json::array();
    for (const auto& e : table.experts) {
        json one = routerJson(e.router);
        one.update({{"expert", e.expert.value},
                    {"tokens", e.tokens},
                    {"rerouted", e.rerouted},
                    {"vision", effectJson(e.vision)},
                    {"text", effectJson(e.text)},
                    {"effect_shown", e.shown},
                    {"selectivity", value(e.selectivity)}});
        experts.push_back(std::move(one));
    }
    for (const auto& r : table.routers) {
        json one = routerJson(r.router);
        one.update({{"causal_specialisation", value(r.specialisation)},
                    {"least", value(r.least)},
                    {"most", value(r.most)},
                    {"experts", r.experts},
                    {"of_all_experts", value(r.every)},
                    {"all_experts", r.every_experts},
                    {"chance", value(r.chance)},
                    {"chance_high", value(r.chance_high)},
                    {"samples", r.samples},
                    {"families", r.units}});
        routers.push_back(std::move(one));
    }
    for (const auto& c : comparison) {
        json one = routerJson(c.router);
        one.update({{"label", c.label},
                    {"expert", c.expert.value},
                    {"information_nats", value(c.information)},
                    {"information_deviations", value(c.deviations)},
                    {"chosen_on", c.chosen_on},
                    {"rerouted_rate", value(c.rerouted)},
                    {"effect", effectJson(c.effect)},
                    {"random", c.random.value},
                    {"random_rerouted_rate", value(c.random_rerouted)},
                    {"random_effect", effectJson(c.random_effect)},
                    {"others", c.others},
                    {"others_rerouted_rate", value(c.others_rerouted)},
                    {"others_effect", effectJson(c.others_effect)},
                    {"above_random", effectJson(c.above_random)},
                    {"above_others", effectJson(c.above_others)},
                    {"others_that_cost_less", c.smaller},
                    {"rank_p", value(c.rankP())},
                    {"others_least", value(c.others_least)},
                    {"others_most", value(c.others_most)},
                    {"per_percent_rerouted", effectJson(c.per_rerouted)},
                    {"others_per_percent_rerouted", effectJson(c.others_per_rerouted)},
                    {"above_others_per_percent_rerouted", effectJson(c.above_per_rerouted)},
                    {"others_that_cost_less_per_rerouted", c.smaller_per_rerouted}});
        compared.push_back(std::move(one));
    }
    return {{"schema", "expertscope.causal.1"},
            {"step", table.step},
            {"kind", table.kind},
            {"confidence", table.confidence},
            {"confidence_each", table.confidence_each},
            {"comparisons", table.comparisons},
            {"relative", table.relative},
            {"experts", std::move(experts)},
            {"routers", std::move(routers)},
            {"most_specialised", std::move(compared)},
            {"notes", notes}};
}

std::string joinedRecipe(const store::KeptResult& result) {
    std::string text;
    for (const std::string& one : result.interventions) text += (text.empty() ? "" : ", ") + one;
    return text.empty() ? "none" : text;
}

/// ", loss 7.9022 -> 7.9034 nats, +0.0012 [-0.0003, +0.0026] over 399 samples": of one sample there is no interval.
std::string lossText(const analysis::LossEffect& effect) {
    std::string text = fmt::format(", {} loss {:.4f} -> {:.4f}{}", effect.loss, effect.without, effect.with, effect.unit.empty() ? "" : " " + effect.unit);
    if (effect.samples < 2) return text;
    return text + fmt::format(", {:+.4f} [{:+.4f}, {:+.4f}] over {}", effect.difference, effect.low, effect.high, analysis::overWords(effect));
}

}  // namespace

int runCausalBatch(const CausalArguments& arguments) {
    InterruptWatch interrupt;
    ProgressLine line;
    const JobContext context = line.context(interrupt.token());
    const auto reader = store::RunReader::open(arguments.run, context);
    if (!reader) return report(reader.error(), arguments.json);
    session::CausalRequest request;
    request.checkpoint = arguments.checkpoint;
    request.kind = arguments.kind;
    request.samples = arguments.samples;
    if (arguments.layer >= 0) {
        for (const auto& router : (*reader)->routers())
            if (router.layer.value == arguments.layer) request.routers.push_back(router.id);
        if (request.routers.empty())
            return report({ErrorKind::kWrongCall, "Cannot ban experts one by one", fmt::format("layer {} has no experts", arguments.layer),
                           "Name a layer with experts, or leave --layer out", arguments.run},
                          arguments.json);
    }
    auto library = session::loadEngineLibrary();
    if (!library) return report(library.error(), arguments.json);
    const session::VariantRunner runner = [&](const session::VariantRequest& wanted, const session::VariantSink& sink, const JobContext& job) {
        return (*library)->evaluateVariants(wanted, sink, job);
    };
    const auto results = session::runCausal(**reader, request, runner, context);
    if (!results) return report(results.error(), arguments.json);
    const auto table = analysis::causalTable(**reader, *results);
    if (!table) return report(table.error(), arguments.json);
    std::vector<std::string> notes;
    const auto comparison = analysis::compareBans(**reader, *results, notes, 0, context);
    if (!comparison) return report(comparison.error(), arguments.json);
    if (arguments.json) printJson(causalJson(*table, *comparison, notes));
    else {
        fmt::print("{}{}", toText(*table), toText(*comparison));
        for (const std::string& note : notes) fmt::print("{}\n", note);
    }
    return 0;
}

int runSimilarity(const std::string& run, std::int64_t checkpoint, bool asJson) {
    InterruptWatch interrupt;
    ProgressLine line;
    const JobContext context = line.context(interrupt.token());
    auto library = session::loadEngineLibrary();
    if (!library) return report(library.error(), asJson);
    session::SimilarityRequest request;
    request.run = run;
    request.checkpoint = checkpoint;
    const auto similar = (*library)->expertSimilarity(request, context);
    if (!similar) return report(similar.error(), asJson);
    const store::Annotations annotations(run);
    if (Status kept = annotations.keepSimilarities(*similar); !kept) return report(kept.error(), asJson);
    if (asJson) {
        json all = json::array();
        for (const auto& one : *similar) {
            json values = json::array();
            for (const double number : one.values_EE) values.push_back(value(number));
            all.push_back(
                {{"router", one.router.value}, {"measure", one.measure}, {"experts", one.experts}, {"tokens", one.tokens}, {"values", std::move(values)}});
        }
        printJson({{"schema", "expertscope.similarity.1"}, {"step", similar->empty() ? -1 : similar->front().step}, {"similarities", std::move(all)}});
        return 0;
    }
    for (const auto& one : *similar) {
        double best = -2;
        std::int32_t a = 0, b = 0;
        for (std::int32_t i = 0; i < one.experts; ++i)
            for (std::int32_t j = i + 1; j < one.experts; ++j)
                if (const double number = one.values_EE[static_cast<std::size_t>(i * one.experts + j)]; number > best) best = number, a = i, b = j;
        const std::string over = one.tokens > 0 ? fmt::format(" over {}", analysis::plural(one.tokens, "token")) : "";
        if (best < -1) fmt::print("router {} {:<12} not defined for any two experts{}\n", one.router.value, one.measure, over);
        else fmt::print("router {} {:<12} most alike: experts {} and {}, {:.3f}{}\n", one.router.value, one.measure, a, b, best, over);
    }
    fmt::print("kept in {}\n", annotations.file().string());
    return 0;
}

int listKept(const std::string& run, bool asJson) {
    const auto reader = store::RunReader::open(run);
    if (!reader) return report(reader.error(), asJson);
    const auto kept = store::Annotations(run).kept();
    if (!kept) return report(kept.error(), asJson);
    const auto families = analysis::SampleFamilies::of(**reader);
    if (!families) return report(families.error(), asJson);
    const std::string uuid = (*reader)->provenance().run_uuid;
    json all = json::array();
    std::int64_t causal = 0;
    for (const auto& result : kept->results) {
        if (result.purpose == session::kCausalPurpose) {
            ++causal;
            continue;
        }
        const auto effects = analysis::lossEffects(result, (*reader)->config(), 0.95, *families);
        if (asJson) {
            json losses = json::array();
            for (const auto& effect : effects) losses.push_back(effectJson(effect));
            all.push_back({{"id", result.id},
                           {"step", result.checkpoint},
                           {"interventions", result.interventions},
                           {"sample", result.sample ? json(fmt::format("{:016x}", *result.sample)) : json()},
                           {"samples", result.samples},
                           {"set", result.set},
                           {"picture", result.picture_file},
                           {"run_uuid", result.run_uuid},
                           {"of_this_training", result.run_uuid == uuid},
                           {"program_version", result.program_version},
                           {"created_s", result.created_s},
                           {"losses", std::move(losses)}});
            continue;
        }
        const std::string scope = result.sample ? fmt::format("sample {:016x}", *result.sample) : "held-out samples";
        const std::string loss = effects.empty() ? "" : lossText(effects.front());
        fmt::print("{:>4}  step {}, {}, {}{}{}\n", result.id, result.checkpoint, joinedRecipe(result), scope, loss,
                   result.run_uuid == uuid ? "" : ", of an earlier training in this folder");
    }
    if (asJson) printJson({{"schema", "expertscope.kept.1"}, {"results", std::move(all)}, {"causal", causal}, {"unreadable", kept->unreadable}});
    else if (causal > 0) fmt::print("and {} of experts banned or silenced one by one: 'expertscope analyze {} --metric causal'\n", causal, run);
    for (const std::int64_t id : kept->unreadable)
        fmt::print(stderr, "result {} cannot be read: it is damaged, or of a later program; --forget {} removes it\n", id, id);
    return 0;
}

int forgetKept(const std::string& run, std::int64_t id, bool asJson) {
    const store::Annotations annotations(run);
    const auto gone = annotations.removeResult(id);
    if (!gone) return report(gone.error(), asJson);
    if (!*gone)
        return report({ErrorKind::kWrongCall, "Cannot forget the result", fmt::format("the run keeps no result {}", id), "List them with --kept", run}, asJson);
    return 0;
}

Status keepWithRun(const std::string& run, store::KeptResult result) {
    const auto reader = store::RunReader::open(run);
    if (!reader) return tl::unexpected(reader.error());
    result.purpose = "run";
    result.run_uuid = (*reader)->provenance().run_uuid;
    const store::Annotations annotations(run);
    const auto id = annotations.keepResult(result);
    if (!id) return tl::unexpected(id.error());
    fmt::print(stderr, "kept as result {} in {}\n", *id, annotations.file().string());
    return {};
}

}  // namespace es::app
