// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/infer/intervention_runner.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/base/hash.h"
#include "engine/data/data_source.h"
#include "engine/infer/checkpoint_model.h"
#include "engine/infer/intervention_plan.h"
#include "engine/train/build_info.h"
#include "engine/train/device.h"
#include "engine/train/evaluator.h"

namespace es::engine {
namespace {

/// Which experts each token chose, by router, in the order of the forwards. A token's choice is kept as a hash: a split has many tokens.
class ChoiceCollector final : public RoutingObserver {
public:
    [[nodiscard]] bool wants(LayerIndex, std::int64_t) override { return true; }
    void onRouting(const RoutingEvent& event) override {
        if (!event.indices_TK.defined()) return;
        // Sets are compared, so the order of choices must not matter.
        const at::Tensor sorted_TK = std::get<0>(event.indices_TK.to(at::kCPU, at::kLong).sort(1)).contiguous();
        const std::int64_t tokens = sorted_TK.size(0), k = sorted_TK.size(1);
        const std::int64_t* chosen = sorted_TK.const_data_ptr<std::int64_t>();
        std::vector<std::uint64_t>& hashes = hashes_[event.router.value];
        for (std::int64_t t = 0; t < tokens; ++t) {
            const std::int64_t *row = chosen + t * k, *first = std::find_if(row, row + k, [](std::int64_t expert) { return expert >= 0; });
            hashes.push_back(hash64(std::as_bytes(std::span(first, static_cast<std::size_t>(row + k - first)))));
        }
    }
    [[nodiscard]] const std::vector<std::uint64_t>& of(RouterId router) { return hashes_[router.value]; }

private:
    std::map<std::int32_t, std::vector<std::uint64_t>> hashes_;
};

Status checkData(const DataSource& source, const CheckpointModel& checkpoint) {
    const std::string hash = hashText(source.dataset().contentHash());
    if (hash == checkpoint.state.data_hash) return {};
    return badInput("Cannot evaluate on other data", "the data have the hash " + hash + ", the run was trained on " + checkpoint.state.data_hash,
                    "Bring the run's data back: start the program where the run was trained, or name their folder as data.cache does",
                    source.dataset().file().string());
}

double millisecondsSince(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

std::string describe(const std::vector<session::Intervention>& interventions) {
    std::string text;
    for (const auto& one : interventions) text += (text.empty() ? "" : ", ") + std::string(toString(one.kind)) + " " + toText(one);
    return text;
}

/// What the data say of the samples that an evaluation judged.
std::vector<session::SampleName> namesOf(const DataSource& source, const store::Evaluation& evaluation) {
    std::set<std::uint64_t> wanted;
    for (const auto& row : evaluation.rows) wanted.insert(row.sample);
    std::vector<session::SampleName> names;
    for (const std::int64_t index : source.dataset().indices(Split::kValidation)) {
        const auto& sample = source.dataset().sample(index);
        if (wanted.erase(sample.hash) > 0) names.push_back({sample.hash, std::string(sample.category), std::string(sample.caption)});
    }
    return names;
}

}  // namespace

Status evaluateVariants(const session::VariantRequest& request, const session::VariantSink& sink, const JobContext& context) try {
    const auto step = findCheckpoint(request.run, request.checkpoint);
    if (!step) return tl::unexpected(step.error());
    auto checkpoint = openCheckpoint(request.run, *step);
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    config::RunConfig& config = checkpoint->config;
    VlMoe& model = *checkpoint->model;
    const std::int64_t grid = checkpoint->state.image_size / config.model.patch;
    std::vector<InterventionPlan> plans;
    for (const auto& interventions : request.variants) {
        auto plan = planInterventions(interventions, model, {grid * grid, checkpoint->state.max_words}, static_cast<std::uint64_t>(config.run.seed));
        if (!plan) return tl::unexpected(plan.error());
        plans.push_back(std::move(*plan));
    }
    const auto place = choosePlace(config.run);
    if (!place) return tl::unexpected(place.error());
    auto source = DataSource::open(config, context, CheckpointStore(request.run).imageTokenizerFile(*step));
    if (!source) return tl::unexpected(source.error());
    if (Status same = checkData(**source, *checkpoint); !same) return tl::unexpected(same.error());
    model.to(place->device);

    if (request.samples > 0) config.train.evaluate_samples = request.samples;
    const Evaluator evaluator(*source, config);
    const auto passes = static_cast<std::int64_t>(plans.size()) + 1;
    context.progress(0, passes, "Evaluating the model as it is");
    auto begin = std::chrono::steady_clock::now();
    ChoiceCollector before;
    auto baseline = evaluator.run(model, place->device, *step, context, {nullptr, &before, /*controls=*/false});
    if (!baseline) return tl::unexpected(baseline.error());
    const double baseline_ms = millisecondsSince(begin);
    const std::vector<session::SampleName> names = namesOf(**source, baseline->evaluation);
    for (std::size_t variant = 0; variant < plans.size(); ++variant) {
        context.progress(static_cast<std::int64_t>(variant) + 1, passes,
                         plans.size() == 1 ? std::string("Evaluating with the interventions") : "Evaluating " + describe(request.variants[variant]));
        begin = std::chrono::steady_clock::now();
        ChoiceCollector after;
        auto changed = evaluator.run(model, place->device, *step, context, {&plans[variant], &after, /*controls=*/false});
        if (!changed) return tl::unexpected(changed.error());
        session::InterventionResult out;
        out.baseline = baseline->evaluation;
        out.changed = std::move(changed->evaluation);
        out.names = names;
        out.program_version = programVersion();
        for (const store::RouterInfo& router : model.routers()) {
            const auto &own = before.of(router.id), &other = after.of(router.id);
            session::InterventionResult::RouterChange change{router, static_cast<std::int64_t>(own.size()), 0};
            for (std::size_t t = 0; t < std::min(own.size(), other.size()); ++t) change.rerouted += own[t] != other[t] ? 1 : 0;
            out.routers.push_back(std::move(change));
        }
        out.elapsed_ms = millisecondsSince(begin) + baseline_ms;
        if (Status taken = sink(variant, out); !taken) return taken;
    }
    context.progress(passes, passes, "Evaluated");
    return {};
} catch (const std::exception& problem) {
    return jobFailed("Cannot evaluate the interventions", problem.what(), "Report this with the run and the command", request.run.string());
}

Result<session::InterventionResult> evaluateInterventions(const session::InterventionRequest& request, const JobContext& context) {
    session::InterventionResult out;
    const session::VariantSink take = [&](std::size_t, const session::InterventionResult& result) -> Status {
        out = result;
        return {};
    };
    if (Status done = evaluateVariants({request.run, request.checkpoint, {request.interventions}, request.samples}, take, context); !done)
        return tl::unexpected(done.error());
    return out;
}

}  // namespace es::engine
