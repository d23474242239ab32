// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/inspect_model.h"

#include <algorithm>
#include <utility>

namespace es::views {
namespace {

constexpr std::size_t kProbeCacheBytes = std::size_t{192} << 20;
constexpr int kReloadMs = 1500;  // traced samples arrive with every traced step: read them together
constexpr int kLateMs = 150;     // shorter than that a panel that empties itself would only flicker

}  // namespace

InspectModel::InspectModel(WorkspaceContext* context, QObject* parent) : QObject(parent), context_(context) {
    connect(context_->selection, &SelectionModel::changed, this, &InspectModel::followSelection);
    connect(context_->feeds, &RunFeedHub::runsChanged, this, [this] {
        if (!feed_) followSelection();
    });
    reload_.setSingleShot(true);
    connect(&reload_, &QTimer::timeout, this, &InspectModel::loadContents);
    late_.setSingleShot(true);
    late_.setInterval(kLateMs);
    connect(&late_, &QTimer::timeout, this, [this] {
        const auto wanted = wanted_;
        forgetSample();
        wanted_ = wanted;
        sample_part_ = Part::kLoading;
        Q_EMIT sampleChanged();
    });
    shown_ = context_->selection->current();
    followRun();
}

void InspectModel::setVisible(bool visible) {
    visible_ = visible;
    if (!visible || !stale_) return;
    stale_ = false;
    loadContents();
}

bool InspectModel::training() const { return feed_ && feed_->status().state == store::RunState::kTraining; }

const OwnSample* InspectModel::ranSample(std::uint64_t hash) const {
    const OwnSample* own = own_.find(shown_.run, hash);
    return own ? own : again_.find(shown_.run, hash);
}

bool InspectModel::isOwn() const { return shown_.sample && own_.find(shown_.run, *shown_.sample); }

const store::RouterInfo* InspectModel::router(Modality modality) const {
    const auto* now = currentRouter();
    return now ? contents_.routerOf(now->layer, modality) : nullptr;
}

std::int64_t InspectModel::step() const { return routing_ ? routing_->step : -1; }

std::vector<std::int64_t> InspectModel::steps() const {
    if (!runsAgain()) return contents_.steps;
    std::vector<std::int64_t> all;
    for (const auto& checkpoint : contents_.checkpoints)
        if (checkpoint.present) all.push_back(checkpoint.step);
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

void InspectModel::followSelection() {
    const Selection before = shown_;
    shown_ = context_->selection->current();
    if (shown_.run.isEmpty() || shown_.run != before.run) followRun();
    if (run_part_ != Part::kReady) return;
    fillShown();
    if (shown_.router != before.router || shown_.expert != before.expert || shown_.token != before.token || shown_.token_modality != before.token_modality ||
        shown_.more_tokens != before.more_tokens || shown_.sample != before.sample)
        Q_EMIT choiceChanged();
    loadSample();
    loadHistory();
    loadCurves();
}

void InspectModel::followRun() {
    QString wanted = context_->selection->current().run;
    if (wanted.isEmpty() && feed_) wanted = feed_->folder();
    if (wanted.isEmpty()) {
        for (const auto& run : context_->feeds->runs()) {
            if (!run.problem.empty()) continue;
            wanted = QString::fromStdString(run.folder.string());
            break;
        }
    }
    RunFeed* feed = wanted.isEmpty() ? nullptr : context_->feeds->feed(wanted);
    shown_.run = wanted;
    if (feed == feed_ && feed) return;
    if (feed_) disconnect(feed_, nullptr, this, nullptr);
    reload_.stop();
    stale_ = false;
    curves_of_ = {};
    history_of_ = {};
    sample_churn_of_.reset();
    sample_churn_ = {};
    attention_of_.reset();
    predicting_.reset();
    context_->jobs->cancel(this);
    pending_.clear();
    running_own_ = false;
    feed_ = feed;
    cache_.reset();
    analysed_.reset();
    const bool had_set = !std::exchange(chosen_set_, {}).everything;
    contents_ = {};
    curves_.reset();
    history_.reset();
    forgetSample();
    run_part_ = feed ? Part::kLoading : Part::kNone;
    if (feed) {
        connect(feed, &RunFeed::opened, this, &InspectModel::loadContents);
        connect(feed, &RunFeed::changed, this, [this](const store::RunChange& change) {
            const bool ended = std::exchange(was_training_, training()) != training();
            const bool moved = change.samples || change.probes || change.checkpoints || change.evaluations;
            if (!moved && !ended) return;
            if (!visible_) stale_ = true;
            else if (!reload_.isActive() || !training()) reload_.start(training() ? kReloadMs : 0);
        });
    }
    Q_EMIT runChanged();
    if (had_set) Q_EMIT chosenSetChanged();
    Q_EMIT sampleChanged();
    Q_EMIT historyChanged();
    if (feed && feed->state() != RunFeed::State::kOpening) loadContents();
}

void InspectModel::loadContents() {
    if (feed_->state() == RunFeed::State::kFailed) {
        run_part_ = Part::kFailed;
        run_error_ = feed_->error();
        Q_EMIT runChanged();
        return;
    }
    if (!cache_) cache_ = std::make_shared<CachingReader>(feed_->reader(), kProbeCacheBytes);
    job<RunContents>(
        QStringLiteral("contents"), tr("Reading the run's samples"), [reader = cache_](JobContext&) { return readContents(*reader); },
        [this](Result<RunContents> result) {
            if (!result) {
                if (run_part_ == Part::kReady) return context_->sayError(result.error());  // what was read stays on screen
                run_part_ = Part::kFailed;
                run_error_ = result.error();
                Q_EMIT runChanged();
                return;
            }
            if (result->attempts != contents_.attempts) {
                cache_->clear();  // a resumed attempt may have superseded probes
                curves_of_ = {};
                history_of_ = {};
                sample_churn_of_.reset();
                if (run_part_ == Part::kReady) wanted_.reset();
            }
            contents_ = std::move(*result);
            run_part_ = Part::kReady;
            was_training_ = training();
            fillShown();
            Q_EMIT runChanged();
            Q_EMIT choiceChanged();
            loadSample();
            loadHistory();
            loadCurves();
        });
}

void InspectModel::chooseSet(analysis::ChosenSet set) {
    if (!cache_ || (set.everything && chosen_set_.everything)) return;
    chosen_set_ = std::move(set);
    analysed_ = chosen_set_.everything ? nullptr : analysis::restrictTo(cache_, chosen_set_);
    Q_EMIT chosenSetChanged();
}

void InspectModel::fillShown() {
    const QString run = shown_.run;
    shown_ = context_->selection->current();
    shown_.run = run;
    const bool known = shown_.sample && (contents_.find(*shown_.sample) || own_.find(run, *shown_.sample));
    if (!known) {
        shown_.sample.reset();
        shown_.token = {};
        shown_.token_modality = Modality::kUnknown;
        shown_.more_tokens.clear();
        if (!contents_.samples.empty()) {
            shown_.sample = contents_.samples.front().hash;
            std::tie(shown_.token_modality, shown_.token) = firstToken(contents_.samples.front());
        }
    }
    if (contents_.router(shown_.router)) return;
    shown_.router = {};
    shown_.expert = {};
    if (contents_.routers.empty()) return;
    const auto* first = contents_.routerOf(contents_.routers.front().layer, Modality::kVision);
    shown_.router = first ? first->id : contents_.routers.front().id;
}

void InspectModel::forgetSample() {
    late_.stop();
    record_.reset();
    routing_.reset();
    wanted_.reset();
    sample_error_ = {};
    sample_part_ = Part::kNone;
    intervened_.reset();
    other_.reset();
    other_of_.reset();
    other_part_ = Part::kNone;
}

void InspectModel::showSample(store::SampleRecord record, std::shared_ptr<const analysis::SampleRouting> routing, const Error& missing) {
    late_.stop();
    record_ = std::move(record);
    routing_ = std::move(routing);
    sample_error_ = routing_ ? Error{} : missing;
    sample_part_ = Part::kReady;
    intervened_.reset();
    attachAttention();
    loadOther();
    loadAttention();
    Q_EMIT sampleChanged();
    loadHistory();
}

void InspectModel::showFailure(const Error& error) {
    late_.stop();
    record_.reset();
    routing_.reset();
    sample_error_ = error;
    sample_part_ = Part::kFailed;
    intervened_.reset();
    Q_EMIT sampleChanged();
}

void InspectModel::loadSample() {
    if (!shown_.sample) {
        if (sample_part_ == Part::kNone) return;
        forgetSample();
        Q_EMIT sampleChanged();
        return;
    }
    const OwnSample* own = ranSample(*shown_.sample);
    const auto step = own ? checkpointFor(contents_.checkpoints, shown_.step) : contents_.probedStep(shown_.step);
    const std::pair wanted{*shown_.sample, step.value_or(shown_.step)};
    if (wanted_ == wanted) return;
    wanted_ = wanted;
    if (own) {
        auto at = own->by_step.find(wanted.second);
        if (at == own->by_step.end() && !step && !own->by_step.empty()) at = std::prev(own->by_step.end());  // its checkpoint is gone; what it answered stays
        if (at != own->by_step.end()) return showSample(own->record, at->second, {});
        if (!step)
            return showSample(
                own->record, nullptr,
                Error{ErrorKind::kBadInput, "No routing to show", "the run has no checkpoint to run this picture through", "Save one in Train", {}});
    }
    if (!record_) {
        sample_part_ = Part::kLoading;
        Q_EMIT sampleChanged();
    } else if (!sampleOnScreen() && !late_.isActive()) {
        late_.start();
    }
    if (own) return runAgain(own->request, isOwn() ? nullptr : &own->record, wanted);
    job<LoadedSample>(
        QStringLiteral("sample"), tr("Reading the sample's routing"),
        [reader = cache_, wanted](JobContext&) { return readSample(*reader, wanted.first, wanted.second); },
        [this, wanted](Result<LoadedSample> result) {
            if (wanted_ != wanted) return;
            if (!result) return showFailure(result.error());
            if (result->routing) return showSample(std::move(result->record), std::make_shared<const analysis::SampleRouting>(std::move(*result->routing)), {});
            const auto checkpoint = checkpointFor(contents_.checkpoints, wanted.second);
            if (contents_.routers.empty() || !checkpoint || !context_->runSample) return showSample(std::move(result->record), nullptr, result->missing);
            wanted_ = {wanted.first, *checkpoint};
            session::SampleRequest request;
            request.run = std::filesystem::path(shown_.run.toStdString());
            request.caption = result->record.caption;
            request.picture = result->record.picture;
            runAgain(std::move(request), &result->record, *wanted_);
        });
}

void InspectModel::runAgain(session::SampleRequest request, const store::SampleRecord* stored, const std::pair<std::uint64_t, std::int64_t>& wanted) {
    request.checkpoint = wanted.second;
    const auto known = stored ? std::optional(*stored) : std::nullopt;
    runAt(request, QStringLiteral("sample"), [this, request, known, wanted, run = shown_.run](Result<session::SampleResult> result) {
        if (wanted_ != wanted) return;  // something already at hand was chosen meanwhile
        if (!result) {
            if (!known) return showFailure(result.error());
            return showSample(*known, nullptr, result.error());
        }
        if (known) result->sample = *known;
        OwnSamples& keeper = known ? again_ : own_;
        const OwnSample* answered = keeper.find(run, keeper.add(run, request, std::move(*result), request.checkpoint));
        showSample(answered->record, answered->by_step.at(request.checkpoint), {});
    });
}

void InspectModel::loadHistory() {
    const auto* router = currentRouter();
    const bool token = shown_.token.valid() && shown_.token_modality != Modality::kUnknown;
    if (!router || !shown_.sample || !token) {
        history_of_ = {};
        if (history_) {
            history_.reset();
            Q_EMIT historyChanged();
        }
        return;
    }
    if (const auto* through = contents_.routerOf(router->layer, shown_.token_modality)) router = through;
    const OwnSample* own = ranSample(*shown_.sample);
    if (own && isOwn()) {
        history_of_ = {};
        history_ = historyOf(*own, *router, shown_.token_modality, shown_.token);
        Q_EMIT historyChanged();
        return;
    }
    const std::tuple wanted{shown_.run, *shown_.sample, router->id.value, shown_.token_modality, shown_.token, contents_.steps.size()};
    if (contents_.steps.empty() || (!own && history_of_ == wanted)) return;
    history_of_ = wanted;
    job<analysis::TokenHistory>(
        QStringLiteral("history"), tr("Reading the token's experts over training"),
        [reader = cache_, sample = *shown_.sample, id = router->id, modality = shown_.token_modality, token_index = shown_.token](JobContext& context) {
            return analysis::tokenHistory(*reader, sample, id, modality, token_index, context);
        },
        [this, wanted, router = *router](Result<analysis::TokenHistory> result) {
            if (history_of_ != wanted) return;
            history_.reset();
            if (result) history_ = std::move(*result);
            // Steps whose probe does not tell are known where the sample ran again.
            if (const OwnSample* again = ranSample(*shown_.sample)) {
                const analysis::TokenHistory ran = historyOf(*again, router, shown_.token_modality, shown_.token);
                if (history_) addSteps(*history_, ran);
                else history_ = ran;
            }
            Q_EMIT historyChanged();
        });
}

void InspectModel::loadSampleChurn() {
    const bool known = shown_.sample && shown_.router.valid() && contents_.steps.size() > 1 && !ranSample(*shown_.sample);
    if (!known) {
        sample_churn_of_.reset();
        sample_churn_ = {};
        return;
    }
    const std::tuple wanted{shown_.run, shown_.router.value, *shown_.sample, contents_.steps.size()};
    if (sample_churn_of_ == wanted) return;
    sample_churn_of_ = wanted;
    job<analysis::Curve>(
        QStringLiteral("sample_churn"), tr("Comparing the sample's probes"),
        [reader = cache_, router = shown_.router, sample = *shown_.sample](JobContext& context) { return readSampleChurn(*reader, router, sample, context); },
        [this, wanted](Result<analysis::Curve> result) {
            if (sample_churn_of_ != wanted) return;
            sample_churn_ = result ? std::move(*result) : analysis::Curve{};
            Q_EMIT historyChanged();
        });
}

void InspectModel::loadCurves() {
    loadSampleChurn();
    const std::tuple wanted{shown_.run, shown_.router.value, contents_.steps.size(), contents_.losses_step};
    if (curves_of_ == wanted) return;
    curves_of_ = wanted;
    job<TrainingCurves>(
        QStringLiteral("curves"), tr("Comparing probes"),
        [reader = cache_, router = shown_.router](JobContext& context) { return readCurves(*reader, router, context); },
        [this](Result<TrainingCurves> result) {
            curves_.reset();
            if (result) curves_ = std::move(*result);
            Q_EMIT historyChanged();
        });
}

void InspectModel::runAt(const session::SampleRequest& request, const QString& slot, std::function<void(Result<session::SampleResult>)> done) {
    job<session::SampleResult>(
        slot, tr("Running the picture through step %1").arg(request.checkpoint),
        [run = context_->runSample, request](JobContext& context) -> Result<session::SampleResult> {
            if (!run) return jobFailed("Cannot run the picture", "this program was started without an engine", "Build with the engine: ./run build");
            return run(request, context);
        },
        std::move(done));
}

void InspectModel::runOwn(session::SampleRequest request) {
    const auto step = checkpointFor(contents_.checkpoints, shown_.step);
    if (!step) {
        Q_EMIT ownRunFailed(
            Error{ErrorKind::kWrongCall, "Cannot run the picture", "this run has no checkpoint yet", "Wait for the first one, or save one in Train", {}});
        return;
    }
    request.run = std::filesystem::path(shown_.run.toStdString());
    request.checkpoint = *step;
    running_own_ = true;
    Q_EMIT ownRunChanged();
    runAt(request, QStringLiteral("own"), [this, request, run = shown_.run](Result<session::SampleResult> result) {
        running_own_ = false;
        Q_EMIT ownRunChanged();
        if (!result) {
            Q_EMIT ownRunFailed(result.error());
            return;
        }
        const auto hash = own_.add(run, request, std::move(*result), request.checkpoint);
        wanted_.reset();
        Q_EMIT samplesChanged();
        chooseSample(hash);
        loadSample();
        Q_EMIT ownRunSucceeded(hash);
    });
}

}  // namespace es::views
