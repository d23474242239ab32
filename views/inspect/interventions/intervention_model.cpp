// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/interventions/intervention_model.h"

#include <QPointer>
#include <algorithm>

#include "engine/store/annotations.h"
#include "views/inspect/interventions/intervention_words.h"

namespace es::views {

namespace {

using session::InterventionKind;
constexpr const char* kPanelPurpose = "panel";
constexpr int kPatchLattice = 5;

Error sayWhy(const QString& why) { return {ErrorKind::kWrongCall, why.toStdString(), {}, {}, {}}; }

}  // namespace

class ChoiceCommand : public QUndoCommand {
public:
    ChoiceCommand(InterventionModel* model, InterventionChoice before, InterventionChoice after, const QString& what)
        : QUndoCommand(what), model_(model), before_(std::move(before)), after_(std::move(after)) {}
    void redo() override {
        if (model_) model_->setChoice(after_);
    }
    void undo() override {
        if (model_) model_->setChoice(before_);
    }

private:
    QPointer<InterventionModel> model_;
    InterventionChoice before_, after_;
};

class RemoveCommand : public QUndoCommand {
public:
    RemoveCommand(InterventionModel* model, store::KeptResult kept, const QString& what) : QUndoCommand(what), model_(model), kept_(std::move(kept)) {}
    void redo() override {
        if (model_) model_->erase(kept_.id);
    }
    void undo() override {
        if (model_) model_->restore(kept_);
    }

private:
    QPointer<InterventionModel> model_;
    store::KeptResult kept_;
};

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

InterventionModel::InterventionModel(InspectModel* model, QObject* parent) : QObject(parent), model_(model), runner_(new QObject(this)) {
    connect(model_, &InspectModel::runChanged, this, &InterventionModel::followRun);
    connect(model_, &InspectModel::sampleChanged, this, &InterventionModel::follow);
    connect(model_, &InspectModel::choiceChanged, this, &InterventionModel::changed);
    connect(model_->context().selection, &SelectionModel::changed, this, [this](const Selection& now, const Selection& before) {
        if (now.intervention == before.intervention) return;
        shows_before_ = false;
        follow();
    });
    followRun();
}

void InterventionModel::choose(const InterventionChoice& choice, const QString& what) {
    if (choice == choice_) return;
    model_->context().selection->undoStack()->push(new ChoiceCommand(this, choice_, choice, what));
}

void InterventionModel::setChoice(const InterventionChoice& choice) {
    choice_ = choice;
    Q_EMIT changed();
}

void InterventionModel::pin(RouterId router, int expert) {
    InterventionChoice next = choice_;
    if (std::find(next.experts.begin(), next.experts.end(), std::pair(router, expert)) != next.experts.end()) return;
    next.experts.emplace_back(router, expert);
    choose(next, tr("Add expert %1 to the intervention").arg(expert));
}

void InterventionModel::unpin(RouterId router, int expert) {
    InterventionChoice next = choice_;
    std::erase(next.experts, std::pair(router, expert));
    choose(next, tr("Take expert %1 out of the intervention").arg(expert));
}

bool InterventionModel::takesExperts() const { return choice_.kind != InterventionKind::kRandomRouter && choice_.kind != InterventionKind::kOtherK; }

std::vector<std::pair<RouterId, int>> InterventionModel::experts() const {
    std::vector<std::pair<RouterId, int>> all;
    for (const auto& [router, expert] : choice_.experts)
        if (const auto* known = model_->contents().router(router); known && expert < known->experts) all.emplace_back(router, expert);
    const Selection& shown = model_->shown();
    const std::pair selected(shown.router, static_cast<int>(shown.expert.value));
    if (shown.expert.valid() && model_->contents().router(shown.router) && std::find(all.begin(), all.end(), selected) == all.end()) all.push_back(selected);
    return all;
}

Result<std::vector<session::Intervention>> InterventionModel::interventions() const {
    std::vector<session::Intervention> made;
    session::TokenSet tokens;
    if (choice_.scope == InterventionChoice::Scope::kTokens) {
        const Selection& shown = model_->shown();
        if (!shown.token.valid() || shown.token_modality == Modality::kUnknown)
            return tl::unexpected(sayWhy(tr("Choose the patches or words first: click them, Shift-click adds")));
        tokens.modality = shown.token_modality;
        tokens.positions.push_back(shown.token.value);
        for (const TokenIndex more : shown.more_tokens) tokens.positions.push_back(more.value);
        std::sort(tokens.positions.begin(), tokens.positions.end());
    }
    const auto add = [&](const store::RouterInfo& router, std::vector<std::int32_t> experts, std::int64_t number) {
        session::Intervention one;
        one.kind = choice_.kind;
        one.layer = router.layer;
        one.branch = router.branch;
        one.experts = std::move(experts);
        one.number = number;
        one.tokens = tokens;
        made.push_back(std::move(one));
    };
    if (!takesExperts()) {
        const auto* router = model_->currentRouter();
        if (!router) return tl::unexpected(sayWhy(tr("Choose a layer with experts first")));
        add(*router, {}, choice_.number);
        return made;
    }
    std::map<RouterId, std::vector<std::int32_t>> by_router;
    for (const auto& [router, expert] : experts()) by_router[router].push_back(expert);
    if (by_router.empty()) return tl::unexpected(sayWhy(tr("Choose an expert first: click it in the map, the legend or the overlay")));
    for (auto& [router, chosen] : by_router) {
        const auto* info = model_->contents().router(router);
        if (choice_.kind == InterventionKind::kSwap && chosen.size() != 2)
            return tl::unexpected(sayWhy(tr("A swap takes two experts of one layer: add one, then choose the other")));
        add(*info, std::move(chosen), 0);
    }
    return made;
}

QString InterventionModel::unavailable() const {
    if (model_->runPart() != InspectModel::Part::kReady) return tr("Open a run first");
    if (model_->contents().routers.empty()) return tr("This run is dense: it has no experts to interfere with");
    if (!checkpointFor(model_->contents().checkpoints, model_->shown().step)) return tr("This run has no checkpoint to run");
    if (choice_.scope != InterventionChoice::Scope::kHeldOut && !model_->record()) return tr("Choose a sample first");
    const auto& context = model_->context();
    if (choice_.scope == InterventionChoice::Scope::kHeldOut ? !context.runVariants : !context.runSample)
        return tr("This program was started without an engine");
    const auto ready = interventions();
    return ready ? QString() : QString::fromStdString(ready.error().what);
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

void InterventionModel::run() {
    if (running_ || !unavailable().isEmpty()) return;
    const auto wanted = interventions();
    const auto checkpoint = checkpointFor(model_->contents().checkpoints, model_->shown().step);
    running_ = true;
    error_.reset();
    progress_ = std::make_shared<SharedProgress>();
    const auto& context = model_->context();
    const std::filesystem::path folder(model_->shown().run.toStdString());
    const std::string uuid = model_->reader() ? model_->reader()->provenance().run_uuid : std::string();
    const auto keep = [folder, uuid](Outcome& outcome) {
        outcome.kept.purpose = kPanelPurpose;
        outcome.kept.run_uuid = uuid;
        const auto id = store::Annotations(folder).keepResult(outcome.kept);
        if (id) outcome.kept.id = *id;
        else outcome.unkept = id.error();
    };
    std::function<Result<Outcome>(JobContext&)> work;
    if (choice_.scope == InterventionChoice::Scope::kHeldOut) {
        session::VariantRequest request{folder, *checkpoint, {*wanted}, 0};
        work = [request, keep, run = context.runVariants, progress = progress_](JobContext& job) -> Result<Outcome> {
            JobContext mine = SharedProgress::heard(job, progress);
            Outcome outcome;
            const session::VariantSink take = [&](std::size_t, const session::InterventionResult& result) -> Status {
                outcome.kept = session::keptResult(result, request.variants.front(), request.samples);
                return {};
            };
            if (Status done = run(request, take, mine); !done) return tl::unexpected(done.error());
            keep(outcome);
            return outcome;
        };
    } else {
        const session::SampleRequest plain = requestFor(*wanted, *checkpoint);
        session::SampleRequest masked = plain;
        const HiddenTokens hidden = hiddenTokens(*model_->record(), model_->shown());
        masked.masked_words = hidden.words;
        masked.masked_patches = hidden.patches;
        work = [plain, masked, keep, sample = *model_->record(), run = context.runSample, progress = progress_](JobContext& job) -> Result<Outcome> {
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
            auto after = std::make_shared<analysis::SampleRouting>();
            after->sample = sample;
            after->routing = std::move(routed->routing);
            after->step = plain.checkpoint;
            after->source = "run";
            outcome.after = std::move(after);
            keep(outcome);
            return outcome;
        };
    }
    context.jobs->run<Outcome>(runner_, QStringLiteral("run"), tr("Running with interventions"), std::move(work), [this, run = run_](Result<Outcome> outcome) {
        running_ = false;
        if (run == run_) take(std::move(outcome));
    });
    Q_EMIT changed();
}

void InterventionModel::cancel() {
    if (!running_) return;
    model_->context().jobs->cancel(runner_);
    running_ = false;
    Q_EMIT changed();
}

void InterventionModel::take(Result<Outcome> outcome) {
    if (!outcome) {
        if (outcome.error().kind != ErrorKind::kStopped) error_ = outcome.error();
        Q_EMIT changed();
        return;
    }
    error_ = outcome->unkept;
    if (outcome->kept.id == 0) outcome->kept.id = --unkept_;
    const std::int64_t id = outcome->kept.id;
    if (outcome->after) after_[id] = outcome->after;
    results_.push_back(std::move(outcome->kept));
    Q_EMIT resultsChanged();
    show(id);
    Q_EMIT changed();
}

const store::KeptResult* InterventionModel::find(std::int64_t id) const {
    const auto found = std::find_if(results_.begin(), results_.end(), [&](const auto& result) { return result.id == id; });
    return found == results_.end() ? nullptr : &*found;
}

const store::KeptResult* InterventionModel::shown() const {
    const store::KeptResult* result = find(model_->context().selection->current().intervention);
    if (!result || (result->sample && (!model_->record() || model_->record()->hash != *result->sample))) return nullptr;
    return result;
}

void InterventionModel::show(std::int64_t id) {
    const store::KeptResult* result = find(id);
    Selection next = model_->shown();
    next.intervention = result ? id : 0;
    if (result && result->sample && (!model_->record() || model_->record()->hash != *result->sample)) {
        next.sample = *result->sample;
        next.token = {};
        next.token_modality = Modality::kUnknown;
        next.more_tokens.clear();
    }
    model_->context().selection->change(next, result ? recipeWords(*result) : tr("Show the routing as it is"));
}

void InterventionModel::remove(std::int64_t id) {
    const store::KeptResult* result = find(id);
    if (!result) return;
    const store::KeptResult kept = *result;
    QUndoStack* stack = model_->context().selection->undoStack();
    const QString what = tr("Remove “%1”").arg(recipeWords(kept));
    stack->beginMacro(what);
    if (model_->context().selection->current().intervention == id) show(0);
    stack->push(new RemoveCommand(this, kept, what));
    stack->endMacro();
}

void InterventionModel::erase(std::int64_t id) {
    std::erase_if(results_, [&](const auto& result) { return result.id == id; });
    Q_EMIT resultsChanged();
    Q_EMIT changed();
    if (id <= 0) return;
    const std::filesystem::path folder(run_.toStdString());
    model_->context().jobs->run<bool>(
        this, QStringLiteral("remove %1").arg(id), tr("Removing a result"),
        [folder, id](JobContext&) -> Result<bool> { return store::Annotations(folder).removeResult(id).map([] { return true; }); },
        [this](Result<bool> done) {
            if (!done) error_ = done.error();
            Q_EMIT changed();
        });
}

void InterventionModel::restore(const store::KeptResult& kept) {
    if (find(kept.id)) return;
    const auto place = std::find_if(results_.begin(), results_.end(), [&](const auto& result) { return result.id > kept.id; });
    results_.insert(place, kept);
    Q_EMIT resultsChanged();
    follow();
    if (kept.id <= 0) return;
    const std::filesystem::path folder(run_.toStdString());
    model_->context().jobs->run<std::int64_t>(
        this, QStringLiteral("remove %1").arg(kept.id), tr("Bringing a result back"),
        [folder, kept](JobContext&) { return store::Annotations(folder).keepResult(kept); },
        [this](Result<std::int64_t> done) {
            if (!done) error_ = done.error();
            Q_EMIT changed();
        });
}

void InterventionModel::setShowsBefore(bool before) {
    if (before == shows_before_) return;
    shows_before_ = before;
    apply();
    Q_EMIT changed();
}

void InterventionModel::followRun() {
    if (model_->shown().run == run_ && model_->runPart() != InspectModel::Part::kReady) return;
    if (model_->shown().run != run_) {
        run_ = model_->shown().run;
        model_->context().jobs->cancel(runner_);
        model_->context().jobs->cancel(this);
        running_ = loading_ = reopening_ = false;
        results_.clear();
        after_.clear();
        error_.reset();
        choice_.experts.clear();
        Q_EMIT resultsChanged();
        if (!run_.isEmpty()) load();
    }
    Q_EMIT changed();
}

void InterventionModel::load() {
    loading_ = true;
    const std::filesystem::path folder(run_.toStdString());
    model_->context().jobs->run<std::vector<store::KeptResult>>(
        this, QStringLiteral("kept"), tr("Reading kept results"),
        [folder](JobContext&) -> Result<std::vector<store::KeptResult>> {
            auto all = store::Annotations(folder).results();
            if (!all) return tl::unexpected(all.error());
            std::erase_if(*all, [](const auto& result) { return result.purpose == session::kCausalPurpose; });
            return all;
        },
        [this, run = run_](Result<std::vector<store::KeptResult>> read) {
            loading_ = false;
            if (run != run_) return;
            if (!read) error_ = read.error();
            else {
                for (auto& result : results_)
                    if (result.id < 0) read->push_back(std::move(result));
                results_ = std::move(*read);
            }
            Q_EMIT resultsChanged();
            follow();
        });
}

void InterventionModel::follow() {
    apply();
    Q_EMIT changed();
}

void InterventionModel::apply() {
    if (applying_) return;
    applying_ = true;
    const store::KeptResult* result = shown();
    if (!result || !result->sample || shows_before_) {
        model_->showIntervened(nullptr, {});
    } else if (const auto known = after_.find(result->id); known != after_.end()) {
        if (model_->intervened() != known->second.get()) model_->showIntervened(known->second, recipeWords(*result));
    } else {
        model_->showIntervened(nullptr, {});
        reopen(*result);
    }
    applying_ = false;
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
    model_->context().jobs->run<session::SampleResult>(
        runner_, QStringLiteral("reopen"), tr("Running the sample again"),
        [request, run = model_->context().runSample](JobContext& job) { return run(request, job); },
        [this, id = kept.id, sample = *model_->record(), run = run_, step = kept.checkpoint](Result<session::SampleResult> again) {
            reopening_ = false;
            if (run != run_) return;
            if (!again) {
                if (again.error().kind != ErrorKind::kStopped) error_ = again.error();
                Q_EMIT changed();
                return;
            }
            auto after = std::make_shared<analysis::SampleRouting>();
            after->sample = sample;
            after->routing = std::move(again->routing);
            after->step = step;
            after->source = "run";
            after_[id] = std::move(after);
            follow();
        });
}

}  // namespace es::views
