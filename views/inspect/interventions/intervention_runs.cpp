// SPDX-License-Identifier: GPL-3.0-or-later
// What interventions run: the held-out samples or the sample on screen, in jobs; what comes of it is kept with the run and shown.
#include <algorithm>

#include "analysis/query/named_sets.h"
#include "engine/store/annotations.h"
#include "views/inspect/interventions/intervention_model.h"
#include "views/inspect/interventions/intervention_words.h"

namespace es::views {
namespace {

constexpr const char* kPanelPurpose = "panel";
constexpr int kPatchLattice = 5;
constexpr double kConfidence = 0.95;

}  // namespace

JobContext SharedProgress::heard(const JobContext& context, std::shared_ptr<SharedProgress> by) {
    JobContext mine = context;
    mine.onProgress = [outer = context.onProgress, by = std::move(by)](const Progress& progress) {
        by->set(progress);
        if (outer) outer(progress);
    };
    return mine;
}

HiddenTokens hiddenTokens(const store::SampleRecord& sample, const Selection& selection) {
    HiddenTokens hidden;
    const auto words = static_cast<std::int32_t>(sample.token_texts.size());
    if (selection.token_modality == Modality::kText && selection.token.valid()) {
        hidden.words.push_back(selection.token.value);
        for (const TokenIndex more : selection.more_tokens) hidden.words.push_back(more.value);
        std::erase_if(hidden.words, [&](std::int32_t word) { return word >= words; });
    } else if (words > 0) {
        const auto longest = std::max_element(sample.token_texts.begin(), sample.token_texts.end(),
                                              [](const std::string& a, const std::string& b) { return a.size() < b.size(); });
        hidden.words.push_back(static_cast<std::int32_t>(longest - sample.token_texts.begin()));
    }
    // A knight's-move lattice: spread evenly, the same on every run.
    for (std::int32_t y = 0; y < sample.grid_height; ++y)
        for (std::int32_t x = 0; x < sample.grid_width; ++x)
            if ((x + 2 * y) % kPatchLattice == 0) hidden.patches.push_back(y * sample.grid_width + x);
    return hidden;
}

session::SampleRequest InterventionModel::requestFor(const std::vector<session::Intervention>& interventions, std::int64_t checkpoint) const {
    session::SampleRequest request;
    request.run = std::filesystem::path(model_->shown().run.toStdString());
    request.checkpoint = checkpoint;
    request.caption = model_->record()->caption;
    request.picture = model_->record()->picture;
    request.interventions = interventions;
    return request;
}

void InterventionModel::keep(Outcome& outcome, const store::RunReader& run) {
    outcome.kept.purpose = kPanelPurpose;
    outcome.kept.run_uuid = run.provenance().run_uuid;
    const auto id = store::Annotations(run.folder()).keepResult(outcome.kept);
    if (id) outcome.kept.id = *id;
    else outcome.unkept = id.error();
    auto effects = effectsOf(outcome.kept, run);
    if (effects) outcome.effects = std::move(*effects);
    else outcome.unkept = effects.error();
}

Result<std::shared_ptr<const ResultEffects>> InterventionModel::effectsOf(const store::KeptResult& result, const store::RunReader& run) {
    auto effects = std::make_shared<ResultEffects>();
    if (result.sample) {
        effects->losses = analysis::lossEffects(result, run.config());
        return effects;
    }
    const auto families = analysis::SampleFamilies::of(run);
    if (!families) return tl::unexpected(families.error());
    effects->losses = analysis::lossEffects(result, run.config(), kConfidence, *families);
    effects->classes = analysis::classEffects(result, run.config(), "total", kConfidence, analysis::kLeastClassSamples, *families);
    effects->samples = analysis::sampleEffects(result, run.config());
    return effects;
}

InterventionModel::Routings InterventionModel::routingsOf(session::SampleResult& result, const store::SampleRecord& sample, std::int64_t step) {
    const auto made = [&](std::vector<store::RoutingTable>& tables) {
        auto routing = std::make_shared<analysis::SampleRouting>();
        routing->sample = sample;
        routing->routing = std::move(tables);
        routing->step = step;
        routing->source = "run";
        return routing;
    };
    return {result.baseline ? made(result.baseline->routing) : nullptr, made(result.routing)};
}

InterventionModel::Work InterventionModel::heldOutWork(const std::vector<session::Intervention>& wanted, std::int64_t checkpoint) const {
    const session::VariantRequest request{std::filesystem::path(run_.toStdString()), checkpoint, {wanted}, 0};
    return [request, set = choice_.set.toStdString(), reader = model_->reader(), run = model_->context().runVariants,
            progress = progress_](JobContext& job) -> Result<Outcome> {
        JobContext mine = SharedProgress::heard(job, progress);
        auto chosen = analysis::chooseSet(*reader, set, {-1, analysis::queryCacheFolder()}, mine);
        if (!chosen) return tl::unexpected(chosen.error());
        Outcome outcome;
        const session::VariantSink take = [&](std::size_t, const session::InterventionResult& result) -> Status {
            outcome.kept = session::keptResult(result, request.variants.front(), request.samples);
            return {};
        };
        if (Status done = run(request, take, mine); !done) return tl::unexpected(done.error());
        auto kept = analysis::narrowedTo(std::move(outcome.kept), *chosen);
        if (!kept) return tl::unexpected(kept.error());
        outcome.kept = std::move(*kept);
        keep(outcome, *reader);
        return outcome;
    };
}

InterventionModel::Work InterventionModel::sampleWork(const std::vector<session::Intervention>& wanted, std::int64_t checkpoint) const {
    const session::SampleRequest plain = requestFor(wanted, checkpoint);
    session::SampleRequest masked = plain;
    const HiddenTokens hidden = hiddenTokens(*model_->record(), model_->shown());
    masked.masked_words = hidden.words;
    masked.masked_patches = hidden.patches;
    return [plain, masked, sample = *model_->record(), reader = model_->reader(), run = model_->context().runSample,
            progress = progress_](JobContext& job) -> Result<Outcome> {
        JobContext mine = SharedProgress::heard(job, progress);
        // Routing is compared with nothing hidden, as everywhere in Inspect; losses need something to predict.
        auto routed = run(plain, mine);
        if (!routed) return tl::unexpected(routed.error());
        if (mine.stopRequested()) return stopped("The intervention");
        auto predicted = run(masked, mine);
        if (!predicted) return tl::unexpected(predicted.error());
        Outcome outcome;
        outcome.kept = session::keptResult(*predicted, masked, sample.hash);
        outcome.kept.routers = session::keptResult(*routed, plain, sample.hash).routers;
        outcome.kept.names = {{sample.hash, sample.category, sample.caption}};
        outcome.kept.checkpoint = plain.checkpoint;
        outcome.routings = routingsOf(*routed, sample, plain.checkpoint);
        keep(outcome, *reader);
        return outcome;
    };
}

void InterventionModel::run() {
    if (running_ || !unavailable().isEmpty()) return;
    const auto wanted = interventions();
    const auto checkpoint = checkpointFor(model_->contents().checkpoints, model_->shown().step);
    running_ = true;
    error_.reset();
    progress_ = std::make_shared<SharedProgress>();
    const QUndoStack* stack = model_->context().selection->undoStack();
    const Begun begun{model_->shown().sample, model_->shown().step, stack->index(), stack->canRedo()};
    model_->context().jobs->run<Outcome>(
        runner_, QStringLiteral("run"), tr("Running with interventions"),
        choice_.scope == InterventionChoice::Scope::kHeldOut ? heldOutWork(*wanted, *checkpoint) : sampleWork(*wanted, *checkpoint),
        [this, begun, run = run_](Result<Outcome> outcome) {
            running_ = false;
            if (run == run_) take(std::move(outcome), begun);
        });
    Q_EMIT changed();
}

void InterventionModel::cancel() {
    if (!running_) return;
    model_->context().jobs->cancel(runner_);
    running_ = false;
    Q_EMIT changed();
}

void InterventionModel::take(Result<Outcome> outcome, const Begun& begun) {
    if (!outcome) {
        if (outcome.error().kind != ErrorKind::kStopped) error_ = outcome.error();
        Q_EMIT changed();
        return;
    }
    error_ = outcome->unkept;
    if (outcome->kept.id == 0) outcome->kept.id = --unkept_;
    const store::KeptResult kept = std::move(outcome->kept);
    if (outcome->routings.after) routings_[kept.id] = std::move(outcome->routings);
    if (outcome->effects) effects_[kept.id] = std::move(outcome->effects);
    ++changes_;
    if (!find(kept.id)) results_.push_back(kept);
    Q_EMIT resultsChanged();
    // Whoever went on meanwhile is not taken back, and what was undone meanwhile can still be done again.
    const QUndoStack* stack = model_->context().selection->undoStack();
    const bool here = !kept.sample || (model_->shown().sample == begun.sample && model_->shown().step == begun.step);
    if (here && (!stack->canRedo() || (begun.could_redo && stack->index() == begun.undo_index))) show(kept.id);
    else model_->context().say(tr("“%1” is done and in the list of kept results").arg(recipeWords(kept)));
    Q_EMIT changed();
}

void InterventionModel::askEffects() {
    const store::KeptResult* result = shown();
    if (!result || effects_.contains(result->id) || effects_of_ == result->id || !model_->reader()) return;
    effects_of_ = result->id;
    effects_job_.request(
        [kept = *result, reader = model_->reader()](JobContext&) -> Result<std::pair<std::int64_t, std::shared_ptr<const ResultEffects>>> {
            return effectsOf(kept, *reader).map([&](auto&& effects) { return std::pair(kept.id, std::move(effects)); });
        },
        true);
}

void InterventionModel::reopen(const store::KeptResult& kept) {
    if (reopening_ || !model_->context().runSample) return;
    auto read = session::interventionsOf(kept.interventions);
    if (!read) {
        error_ = read.error();
        return;
    }
    reopening_ = true;
    const session::SampleRequest request = requestFor(*read, kept.checkpoint);
    // Not one of the jobs that cancel() ends: that ends what the user began.
    model_->context().jobs->run<session::SampleResult>(
        this, QStringLiteral("reopen"), tr("Running the sample again"),
        [request, run = model_->context().runSample](JobContext& job) { return run(request, job); },
        [this, id = kept.id, sample = *model_->record(), run = run_, step = kept.checkpoint](Result<session::SampleResult> again) {
            reopening_ = false;
            if (run != run_) return;
            if (again) {
                routings_[id] = routingsOf(*again, sample, step);
                return follow();
            }
            if (again.error().kind != ErrorKind::kStopped) error_ = again.error();
            // Another one may have been chosen meanwhile; the same again would fail again.
            if (const store::KeptResult* now = shown(); now && now->id != id) return follow();
            Q_EMIT changed();
        });
}

}  // namespace es::views
