// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/interventions/intervention_model.h"

#include <QPointer>
#include <algorithm>

#include "engine/store/annotations.h"
#include "engine/store/run_state.h"
#include "views/inspect/interventions/intervention_words.h"

namespace es::views {

namespace {

using session::InterventionKind;
constexpr int kNumberSteps = 0x1E57;  // commands that differ in the number alone are merged

Error sayWhy(const QString& why) { return {ErrorKind::kWrongCall, why.toStdString(), {}, {}, {}}; }

}  // namespace

class ChoiceCommand : public QUndoCommand {
public:
    ChoiceCommand(InterventionModel* model, QString run, InterventionChoice before, InterventionChoice after, const QString& what)
        : QUndoCommand(what), model_(model), run_(std::move(run)), before_(std::move(before)), after_(std::move(after)) {}
    void redo() override {
        if (model_) model_->setChoice(run_, after_);
    }
    void undo() override {
        if (model_) model_->setChoice(run_, before_);
    }
    /// A spin box whose arrow is held down says many numbers, and one is meant.
    [[nodiscard]] int id() const override {
        InterventionChoice numbered = before_;
        numbered.number = after_.number;
        return numbered == after_ ? kNumberSteps : -1;
    }
    bool mergeWith(const QUndoCommand* next) override {
        const auto* other = static_cast<const ChoiceCommand*>(next);
        if (other->run_ != run_) return false;
        after_ = other->after_;
        setText(other->text());
        setObsolete(after_ == before_);
        return true;
    }

private:
    QPointer<InterventionModel> model_;
    QString run_;
    InterventionChoice before_, after_;
};

class RemoveCommand : public QUndoCommand {
public:
    RemoveCommand(InterventionModel* model, QString run, store::KeptResult kept, const QString& what)
        : QUndoCommand(what), model_(model), run_(std::move(run)), kept_(std::move(kept)) {}
    void redo() override {
        if (model_) model_->erase(run_, kept_.id);
    }
    void undo() override {
        if (model_) model_->restore(run_, kept_);
    }

private:
    QPointer<InterventionModel> model_;
    QString run_;
    store::KeptResult kept_;
};

InterventionModel::InterventionModel(InspectModel* model, QObject* parent)
    : QObject(parent), model_(model), runner_(new QObject(this)), writer_(new QObject(this)), files_(model->context().jobs, writer_, QStringLiteral("kept")),
      effects_job_(model->context().jobs, this, QStringLiteral("effects"), tr("Comparing losses"),
                   [this](Result<std::pair<std::int64_t, std::shared_ptr<const ResultEffects>>> made) {
                       effects_of_ = 0;
                       if (made) effects_[made->first] = std::move(made->second);
                       else if (made.error().kind != ErrorKind::kStopped) error_ = made.error();
                       Q_EMIT changed();
                   }) {
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
    model_->context().selection->undoStack()->push(new ChoiceCommand(this, run_, choice_, choice, what));
}

void InterventionModel::setChoice(const QString& run, const InterventionChoice& choice) {
    if (run != run_) {
        choices_[run] = choice;
        return;
    }
    choice_ = choice;
    Q_EMIT changed();
}

void InterventionModel::setSets(const QStringList& names) {
    if (names == sets_) return;
    sets_ = names;
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
    const bool held_out = choice_.scope == InterventionChoice::Scope::kHeldOut;
    if (!held_out && !model_->sampleOnScreen())
        return model_->shown().sample && model_->samplePart() != InspectModel::Part::kFailed ? tr("The sample is being read") : tr("Choose a sample first");
    const auto& context = model_->context();
    if (held_out ? !context.runVariants : !context.runSample) return tr("This program was started without an engine");
    if (held_out && !choice_.set.isEmpty() && !sets_.contains(choice_.set))
        return tr("The run has no set “%1” any longer: choose another one").arg(choice_.set);
    const auto ready = interventions();
    return ready ? QString() : QString::fromStdString(ready.error().what);
}

const store::KeptResult* InterventionModel::find(std::int64_t id) const {
    const auto found = std::find_if(results_.begin(), results_.end(), [&](const auto& result) { return result.id == id; });
    return found == results_.end() ? nullptr : &*found;
}

const store::KeptResult* InterventionModel::shown() const {
    const store::KeptResult* result = find(model_->context().selection->current().intervention);
    if (!result || (result->sample && (!model_->sampleOnScreen() || model_->record()->hash != *result->sample))) return nullptr;
    return result;
}

const ResultEffects* InterventionModel::effects() const {
    const store::KeptResult* result = shown();
    const auto found = result ? effects_.find(result->id) : effects_.end();
    return found == effects_.end() ? nullptr : found->second.get();
}

bool InterventionModel::drawable(const store::KeptResult& result) const {
    const auto* routing = model_->routing();
    // A traced sample is shown as it was in training, between two checkpoints.
    return result.sample && routing && model_->sampleOnScreen() && (routing->step == result.checkpoint || routing->source == "trace");
}

void InterventionModel::show(std::int64_t id) {
    const store::KeptResult* result = find(id);
    Selection next = model_->shown();
    next.intervention = result ? id : 0;
    if (result && result->sample && next.sample != result->sample) {
        next.sample = *result->sample;
        next.token = {};
        next.token_modality = Modality::kUnknown;
        next.more_tokens.clear();
    }
    const auto& checkpoints = model_->contents().checkpoints;
    const auto there = [&](std::int64_t step) { return result && checkpointFor(checkpoints, step) == result->checkpoint; };
    if (result && result->sample && !drawable(*result) && there(result->checkpoint)) next.step = there(-1) ? -1 : result->checkpoint;
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
    stack->push(new RemoveCommand(this, run_, kept, what));
    stack->endMacro();
}

void InterventionModel::failed(const QString& run, const Error& error) {
    if (run != run_) return model_->context().sayError(error);
    error_ = error;
    load();  // what the file says now
    Q_EMIT changed();
}

void InterventionModel::erase(const QString& run, std::int64_t id) {
    ++changes_;
    if (run == run_) {
        std::erase_if(results_, [&](const auto& result) { return result.id == id; });
        Q_EMIT resultsChanged();
        Q_EMIT changed();
    }
    if (id <= 0) return;
    files_.add<bool>(
        tr("Removing a result"), [folder = std::filesystem::path(run.toStdString()), id](JobContext&) { return store::Annotations(folder).removeResult(id); },
        [this, run](Result<bool> done) {
            if (!done) return failed(run, done.error());
            Q_EMIT changed();
        });
}

void InterventionModel::restore(const QString& run, const store::KeptResult& kept) {
    ++changes_;
    if (run == run_ && !find(kept.id)) {
        const auto place = std::find_if(results_.begin(), results_.end(), [&](const auto& result) { return result.id > kept.id; });
        results_.insert(place, kept);
        Q_EMIT resultsChanged();
        follow();
    }
    if (kept.id <= 0) return;
    files_.add<std::int64_t>(
        tr("Bringing a result back"),
        [folder = std::filesystem::path(run.toStdString()), kept](JobContext&) { return store::Annotations(folder).keepResult(kept); },
        [this, run](Result<std::int64_t> done) {
            if (!done) return failed(run, done.error());
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
        choices_[run_] = choice_;
        run_ = model_->shown().run;
        model_->context().jobs->cancel(runner_);
        model_->context().jobs->cancel(this);
        effects_job_.drop();
        running_ = reopening_ = false;
        results_.clear();
        routings_.clear();
        effects_.clear();
        effects_of_ = 0;
        error_.reset();
        if (const auto before = choices_.find(run_); before != choices_.end()) {
            choice_ = before->second;
        } else {
            choice_.experts.clear();
            choice_.set.clear();
        }
        Q_EMIT resultsChanged();
        if (!run_.isEmpty()) load();
    }
    Q_EMIT changed();
}

void InterventionModel::load() {
    const std::filesystem::path folder(run_.toStdString());
    files_.add<std::vector<store::KeptResult>>(
        tr("Reading kept results"),
        [folder](JobContext&) -> Result<std::vector<store::KeptResult>> {
            const auto run = store::describeRun(folder);
            if (!run) return tl::unexpected(run.error());
            return store::Annotations(folder).kept({{}, session::kCausalPurpose, run->provenance.run_uuid}).map([](auto&& kept) {
                return std::move(kept.results);
            });
        },
        [this, run = run_, changes = changes_](Result<std::vector<store::KeptResult>> read) {
            if (run != run_) return;
            if (changes != changes_) return load();  // something was kept or removed since: what was read is old
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
    askEffects();
    const auto known = result ? routings_.find(result->id) : routings_.end();
    if (!result || !drawable(*result) || shows_before_) {
        model_->showIntervened(nullptr, {});
    } else if (known != routings_.end()) {
        if (model_->intervened() != known->second.after.get()) model_->showIntervened(known->second.after, recipeWords(*result), known->second.before);
    } else {
        model_->showIntervened(nullptr, {});
        reopen(*result);
    }
    applying_ = false;
}

}  // namespace es::views
