// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/session/kept_results.h"

#include <algorithm>
#include <set>

#include "engine/store/causal_batch.h"

namespace es::session {
namespace {

std::vector<store::RouterInfo> causalRouters(const store::RunReader& run, const CausalRequest& request) {
    std::vector<store::RouterInfo> routers = run.routers();
    if (!request.routers.empty())
        std::erase_if(routers, [&](const store::RouterInfo& router) { return std::ranges::find(request.routers, router.id) == request.routers.end(); });
    return routers;
}

Intervention causalIntervention(InterventionKind kind, const store::RouterInfo& router, std::int32_t expert) {
    Intervention one;
    one.kind = kind;
    one.layer = router.layer;
    one.branch = router.branch;
    one.experts = {expert};
    return one;
}

}  // namespace

std::string recipeOf(const Intervention& intervention) { return std::string(toString(intervention.kind)) + " " + toText(intervention); }

std::vector<std::string> recipeOf(const std::vector<Intervention>& interventions) {
    std::vector<std::string> recipe;
    for (const Intervention& one : interventions) recipe.push_back(recipeOf(one));
    return recipe;
}

Result<std::vector<Intervention>> interventionsOf(const std::vector<std::string>& recipe) {
    std::vector<Intervention> all;
    for (const std::string& text : recipe) {
        const auto space = text.find(' ');
        const auto kind = interventionKindFromString(std::string_view(text).substr(0, space));
        if (!kind || space == std::string::npos)
            return badInput("Cannot read the intervention", "\"" + text + "\" does not begin with a kind and a space", "Write for example \"ban 1.v:3\"");
        auto one = parseIntervention(*kind, std::string_view(text).substr(space + 1));
        if (!one) return tl::unexpected(one.error());
        all.push_back(std::move(*one));
    }
    return all;
}

store::KeptResult keptResult(const InterventionResult& result, const std::vector<Intervention>& interventions, std::int64_t samples) {
    store::KeptResult kept;
    kept.checkpoint = result.baseline.step;
    kept.interventions = recipeOf(interventions);
    kept.samples = samples;
    kept.program_version = result.program_version;
    const std::size_t rows = std::min(result.baseline.rows.size(), result.changed.rows.size());
    for (std::size_t i = 0; i < rows; ++i) {
        const store::EvaluationRow &before = result.baseline.rows[i], &after = result.changed.rows[i];
        if (!before.variant.empty()) continue;
        kept.rows.push_back({before.sample, before.objective, before.mask_seed, before.targets, before.loss, after.loss});
    }
    for (const auto& router : result.routers) kept.routers.push_back({router.router, router.tokens, router.rerouted, {}});
    for (const SampleName& name : result.names) kept.names.push_back({name.hash, name.category, name.caption});
    return kept;
}

store::KeptResult keptResult(const SampleResult& result, const SampleRequest& request, std::uint64_t sample) {
    store::KeptResult kept;
    kept.checkpoint = result.step;
    if (!request.image_file.empty()) {
        std::error_code error;
        kept.picture_file = std::filesystem::absolute(request.image_file, error).string();
    }
    kept.interventions = recipeOf(request.interventions);
    kept.sample = sample;
    kept.masked_words = request.masked_words;
    kept.masked_patches = request.masked_patches;
    kept.program_version = result.program_version;
    const SampleReading& before = result.baseline ? *result.baseline : result;
    for (const HiddenLoss& loss : before.losses) {
        const auto after = std::ranges::find(result.losses, loss.objective, &HiddenLoss::objective);
        if (after == result.losses.end()) continue;
        kept.rows.push_back({sample, loss.objective, 0, static_cast<std::int32_t>(loss.targets), loss.loss, after->loss});
    }
    for (const store::RoutingTable& table : result.routing) {
        store::EffectRouter router{table.router, table.tokens, 0, {}};
        const auto moved = std::ranges::find(result.rerouted, table.router.id, &Rerouted::router);
        if (moved != result.rerouted.end()) {
            router.rerouted = static_cast<std::int64_t>(moved->tokens.size());
            for (const std::int64_t token : moved->tokens) router.rows.push_back(static_cast<std::int32_t>(token));
        }
        kept.routers.push_back(std::move(router));
    }
    for (const WordPrediction& word : before.predictions) {
        const auto after = std::ranges::find(result.predictions, word.position, &WordPrediction::position);
        if (after == result.predictions.end() || word.words.empty() || after->words.empty()) continue;
        // The word that stood there where it is among the guesses; else the best guess: what the reader wants to see fall or rise.
        std::size_t told = 0;
        if (word.position >= 0 && static_cast<std::size_t>(word.position) < result.sample.token_texts.size())
            for (std::size_t i = 0; i < word.words.size(); ++i)
                if (word.words[i] == result.sample.token_texts[static_cast<std::size_t>(word.position)]) told = i;
        const auto still = std::ranges::find(after->words, word.words[told]);
        const double p = still == after->words.end() ? -1.0 : after->probabilities[static_cast<std::size_t>(still - after->words.begin())];
        kept.words.push_back({word.position, word.words[told], after->words.front(), word.probabilities[told], p});
    }
    kept.names.push_back({sample, result.sample.category, result.sample.caption});
    return kept;
}

Result<std::int64_t> newestCheckpoint(const store::RunReader& run) {
    std::int64_t newest = -1;
    for (const auto& checkpoint : run.checkpoints())
        if (checkpoint.present) newest = std::max(newest, checkpoint.step);
    if (newest < 0)
        return badInput("Cannot use the run's weights", "it has no checkpoint", "Wait for its first checkpoint, or make one now", run.folder().string());
    return newest;
}

Result<std::vector<store::KeptResult>> causalResults(const store::RunReader& run, const CausalRequest& request) {
    auto all = store::Annotations(run.folder()).results(kCausalPurpose);
    if (!all) return tl::unexpected(all.error());
    for (store::CausalBatch& batch : store::causalBatches(std::move(*all), run.provenance().run_uuid, causalRouters(run, request)))
        if (batch.checkpoint == request.checkpoint && batch.samples == request.samples && batch.kind == toString(request.kind)) return std::move(batch.results);
    return std::vector<store::KeptResult>{};
}

std::int64_t causalCount(const store::RunReader& run, const CausalRequest& request) {
    std::int64_t count = 0;
    for (const store::RouterInfo& router : causalRouters(run, request)) count += router.experts;
    return count;
}

Result<std::vector<store::KeptResult>> runCausal(const store::RunReader& run, CausalRequest request, const VariantRunner& runner, const JobContext& context) {
    const std::vector<store::RouterInfo> routers = causalRouters(run, request);
    if (routers.empty())
        return wrongCall("Cannot ban experts one by one", request.routers.empty() ? "the model is dense: no layer has experts" : "there is no such router",
                         "Choose a run or layer with experts");
    if (request.checkpoint < 0) {
        const auto step = newestCheckpoint(run);
        if (!step) return tl::unexpected(step.error());
        request.checkpoint = *step;
    }
    const auto there = causalResults(run, request);
    if (!there) return tl::unexpected(there.error());
    std::set<std::string> done;
    for (const store::KeptResult& result : *there) done.insert(result.interventions.front());
    VariantRequest missing{run.folder(), request.checkpoint, {}, request.samples};
    for (const store::RouterInfo& router : routers)
        for (std::int32_t expert = 0; expert < router.experts; ++expert) {
            const Intervention one = causalIntervention(request.kind, router, expert);
            if (!done.contains(recipeOf(one))) missing.variants.push_back({one});
        }
    if (missing.variants.empty()) return *there;
    const store::Annotations annotations(run.folder());
    const std::string uuid = run.provenance().run_uuid;
    const VariantSink keep = [&](std::size_t variant, const InterventionResult& result) -> Status {
        store::KeptResult kept = keptResult(result, missing.variants[variant], request.samples);
        kept.purpose = kCausalPurpose;
        kept.run_uuid = uuid;
        return annotations.keepResult(kept).map([](std::int64_t) {});
    };
    if (Status ran = runner(missing, keep, context); !ran) return tl::unexpected(ran.error());
    return causalResults(run, request);
}

}  // namespace es::session
