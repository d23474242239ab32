// SPDX-License-Identifier: GPL-3.0-or-later
// The overlay of Inspect: its panel, what it is compared with, and what the engine is asked for besides the routing.
#include <algorithm>
#include <utility>

#include "views/inspect/inspect_model.h"
#include "views/inspect/token_words.h"

namespace es::views {
namespace {

constexpr std::size_t kKeptAnswers = 256;  // of the engine: a few KB each

/// One rank at a time: no split cells.
void dropSplits(analysis::OverlayPanel& content) {
    for (auto& cell : content.patches) cell.choices.clear();
    for (auto& chip : content.words) chip.cell.choices.clear();
}

template <class Map>
void makeRoom(Map& answers) {
    if (answers.size() >= kKeptAnswers) answers.clear();
}

}  // namespace

bool InspectModel::comparing() const {
    return choices_.side_by_side || choices_.mode == analysis::OverlayMode::kChanged || choices_.mode == analysis::OverlayMode::kDifference;
}

analysis::OverlayOptions InspectModel::overlayOptions(analysis::OverlayMode mode) const {
    analysis::OverlayOptions options;
    if (const auto* now = currentRouter()) {
        options.layer = now->layer;
        options.expert_router = now->id;
    }
    options.expert = shown_.expert;
    options.mode = mode;
    options.rank = std::max(0, choices_.rank);
    const bool compares = mode == analysis::OverlayMode::kChanged || mode == analysis::OverlayMode::kDifference || choices_.side_by_side;
    if (intervened_) options.other = analysis::OverlayOther{beforeIntervention(), intervened_by_.toStdString(), true};
    else if (compares && other_) options.other = analysis::OverlayOther{other_.get(), other_name_.toStdString()};
    return options;
}

std::optional<analysis::Panel> InspectModel::overlay() const {
    if (!routing_ || !currentRouter()) return {};
    auto panel = analysis::overlay(intervened_ ? *intervened_ : *routing_, overlayOptions(choices_.mode));
    if (!panel) return {};
    if (choices_.rank >= 0) dropSplits(std::get<analysis::OverlayPanel>(panel->content));
    const auto tell = [&](Part part, const Error& error, const QString& loading) {
        if (part == Part::kLoading) panel->notes.push_back(loading.toStdString());
        else if (!error.what.empty()) panel->notes.push_back(error.message());
    };
    if (comparing() && !intervened_) tell(other_part_, other_error_, tr("reading what it is compared with…"));
    if (choices_.mode == analysis::OverlayMode::kAttention && routing_->attention.empty())
        tell(pending_.contains(QStringLiteral("attention")) ? Part::kLoading : Part::kFailed, attention_error_, tr("computing attention…"));
    return std::move(*panel);
}

std::optional<analysis::Panel> InspectModel::otherOverlay() const {
    if (!routing_ || !currentRouter()) return {};
    analysis::OverlayOptions options = overlayOptions(choices_.mode);
    if (!options.other) return {};
    const analysis::SampleRouting& before = *options.other->routing;
    options.other->routing = intervened_ ? intervened_.get() : routing_.get();
    if (options.mode == analysis::OverlayMode::kDifference) options.mode = analysis::OverlayMode::kProbability;  // the difference is on the other side
    auto panel = analysis::overlay(before, options);
    if (!panel) return {};
    // What became of a token stands in the other picture; "4→3" here would read backwards.
    auto& content = std::get<analysis::OverlayPanel>(panel->content);
    for (auto& cell : content.patches) cell.before = -1;
    for (auto& word : content.words) word.cell.before = -1;
    if (choices_.rank >= 0) dropSplits(std::get<analysis::OverlayPanel>(panel->content));
    return std::move(*panel);
}

QString InspectModel::missing(analysis::OverlayMode mode) const {
    if (!routing_ || !currentRouter()) return tr("There is no routing to show");
    if (mode == analysis::OverlayMode::kAttention && routing_->attention.empty()) {
        if (!context_->runSample) return tr("Attention is not recorded, and this program was started without an engine that could compute it");
        if (!checkpointShown()) return tr("Attention is not recorded, and the checkpoint of step %1 is gone").arg(stepText(routing_->step));
        return {};
    }
    const bool compares = mode == analysis::OverlayMode::kChanged || mode == analysis::OverlayMode::kDifference;
    if (compares && !intervened_) {
        if (choices_.compared.kind != OverlayComparison::Kind::kRun && !otherStep())
            return steps().size() < 2 ? tr("There is one checkpoint only") : tr("This is the first checkpoint: choose another one to compare with");
        analysis::OverlayOptions options = overlayOptions(mode == analysis::OverlayMode::kDifference ? analysis::OverlayMode::kProbability : mode);
        if (mode == analysis::OverlayMode::kChanged) return {};
        return QString::fromStdString(analysis::overlayMissing(*routing_, options));
    }
    return QString::fromStdString(analysis::overlayMissing(*routing_, overlayOptions(mode)));
}

void InspectModel::showIntervened(std::shared_ptr<const analysis::SampleRouting> routing, const QString& what,
                                  std::shared_ptr<const analysis::SampleRouting> before) {
    if (!routing && !intervened_) return;
    intervened_ = std::move(routing);
    intervened_before_ = std::move(before);
    intervened_by_ = what;
    Q_EMIT overlayChanged();
}

std::optional<std::int64_t> InspectModel::checkpointShown() const {
    if (!routing_) return {};
    for (const auto& checkpoint : contents_.checkpoints)
        if (checkpoint.present && checkpoint.step == routing_->step) return checkpoint.step;
    return {};
}

std::optional<std::int64_t> InspectModel::otherStep() const {
    if (!routing_) return {};
    const auto all = steps();
    if (choices_.compared.kind == OverlayComparison::Kind::kStep) {
        const bool there = std::find(all.begin(), all.end(), choices_.compared.step) != all.end();
        return there && choices_.compared.step != routing_->step ? std::optional(choices_.compared.step) : std::nullopt;
    }
    const auto here = std::lower_bound(all.begin(), all.end(), routing_->step);
    return here == all.begin() ? std::nullopt : std::optional(*std::prev(here));
}

session::SampleRequest InspectModel::requestFor(std::int64_t checkpoint) const {
    session::SampleRequest request;
    if (const OwnSample* own = shown_.sample ? ranSample(*shown_.sample) : nullptr) request = own->request;
    else if (record_) {
        request.caption = record_->caption;
        request.picture = record_->picture;
    }
    request.run = std::filesystem::path(shown_.run.toStdString());
    request.checkpoint = checkpoint;
    return request;
}

void InspectModel::takeOther(Result<analysis::SampleRouting> routing) {
    other_.reset();
    other_error_ = {};
    if (routing) other_ = std::make_shared<const analysis::SampleRouting>(std::move(*routing));
    else other_error_ = routing.error();
    other_part_ = routing ? Part::kReady : Part::kFailed;
    Q_EMIT overlayChanged();
}

void InspectModel::loadOther() {
    if (!comparing() || !routing_ || !shown_.sample || !record_) return;
    const std::int64_t step_here = routing_->step;
    const bool elsewhere = choices_.compared.kind == OverlayComparison::Kind::kRun;
    const auto step = elsewhere ? std::optional(step_here) : otherStep();
    const auto wanted = std::tuple(Place{shown_.run, *shown_.sample, step_here}, choices_.compared, step.value_or(-1));
    if (other_of_ == wanted) return;
    other_of_ = wanted;
    other_.reset();
    other_error_ = {};
    other_part_ = Part::kLoading;
    other_name_ = elsewhere ? choices_.compared.run.section(QLatin1Char('/'), -1) : tr("step %1").arg(stepText(step.value_or(0)));
    if (!step) {
        other_part_ = Part::kFailed;
        other_error_ =
            Error{ErrorKind::kBadInput, "Nothing to compare with", missing(analysis::OverlayMode::kChanged).toStdString(), "Choose another checkpoint", {}};
        return;
    }
    if (elsewhere) {
        RunFeed* feed = context_->feeds->feed(choices_.compared.run);
        if (feed->state() == RunFeed::State::kFailed) return takeOther(tl::unexpected(feed->error()));
        if (feed->state() == RunFeed::State::kOpening) {
            connect(
                feed, &RunFeed::opened, this,
                [this] {
                    other_of_.reset();
                    loadOther();
                },
                Qt::SingleShotConnection);
            return;
        }
        job<analysis::SampleRouting>(
            QStringLiteral("other"), tr("Reading the sample in %1").arg(other_name_),
            [here = cache_, there = feed->reader(), sample = *shown_.sample, step_here](JobContext& context) {
                return analysis::routingElsewhere(*here, step_here, *there, step_here, sample, context);
            },
            [this, wanted](Result<analysis::SampleRouting> routing) {
                if (other_of_ == wanted) takeOther(std::move(routing));
            });
        return;
    }
    if (const OwnSample* own = ranSample(*shown_.sample)) {
        if (const auto kept = own->by_step.find(*step); kept != own->by_step.end()) return takeOther(analysis::SampleRouting(*kept->second));
        runAt(requestFor(*step), QStringLiteral("other"), [this, wanted, step = *step](Result<session::SampleResult> result) {
            if (other_of_ != wanted) return;
            if (!result) return takeOther(tl::unexpected(result.error()));
            analysis::SampleRouting routing;
            routing.sample = *record_;
            routing.routing = std::move(result->routing);
            routing.step = step;
            routing.source = "run";
            takeOther(std::move(routing));
        });
        return;
    }
    job<analysis::SampleRouting>(
        QStringLiteral("other"), tr("Reading the sample at step %1").arg(*step),
        [reader = cache_, sample = *shown_.sample, step = *step](JobContext&) { return analysis::sampleRouting(*reader, sample, step); },
        [this, wanted](Result<analysis::SampleRouting> routing) {
            if (other_of_ == wanted) takeOther(std::move(routing));
        });
}

void InspectModel::attachAttention() {
    if (!routing_ || !shown_.sample || !routing_->attention.empty()) return;
    const auto known = attention_.find(Place{shown_.run, *shown_.sample, routing_->step});
    if (known == attention_.end()) return;
    auto with = std::make_shared<analysis::SampleRouting>(*routing_);
    with->attention = known->second;
    routing_ = std::move(with);
}

void InspectModel::loadAttention() {
    if (choices_.mode != analysis::OverlayMode::kAttention || !routing_ || !sampleOnScreen() || !routing_->attention.empty()) return;
    const auto checkpoint = checkpointShown();
    if (!checkpoint || !context_->runSample) return;
    const Place wanted{shown_.run, *shown_.sample, *checkpoint};
    if (attention_of_ == wanted) return;
    attention_of_ = wanted;
    attention_error_ = {};
    session::SampleRequest request = requestFor(*checkpoint);
    request.attention = true;
    runAt(request, QStringLiteral("attention"), [this, wanted](Result<session::SampleResult> result) {
        if (attention_of_ != wanted) return;
        attention_of_.reset();
        if (result && result->attention.empty())
            result = tl::unexpected(Error{ErrorKind::kJobFailed, "No attention", "the engine did not tell it", "Build engine and window of one version", {}});
        if (!result) attention_error_ = result.error();
        else {
            makeRoom(attention_);
            auto& kept = attention_[wanted];
            for (auto& layer : result->attention) kept.push_back({layer.layer, std::move(layer.patches), std::move(layer.words)});
            attachAttention();
        }
        Q_EMIT overlayChanged();
    });
}

bool InspectModel::wordHidden(int word) const {
    if (!routing_) return false;
    for (const auto& reading : pathOf(*routing_, Modality::kText, TokenIndex(word)))
        if (reading.masked) return true;
    return false;
}

QString InspectModel::predictionMissing() const {
    if (!routing_ || !record_ || record_->token_texts.empty()) return tr("There is no word to predict");
    if (!context_->runSample) return tr("Prediction needs the engine");
    if (!checkpointShown()) return tr("The checkpoint of step %1 is gone: no word can be predicted").arg(stepText(routing_->step));
    return QString::fromStdString(prediction_error_.what.empty() ? std::string() : prediction_error_.message());
}

const session::WordPrediction* InspectModel::prediction(int word, bool ask) {
    if (!routing_ || !sampleOnScreen() || word < 0 || word >= static_cast<int>(record_->token_texts.size())) return nullptr;
    const auto checkpoint = checkpointShown();
    if (!checkpoint || !context_->runSample) return nullptr;
    const std::pair wanted{Place{shown_.run, *shown_.sample, *checkpoint}, word};
    if (const auto known = predictions_.find(wanted); known != predictions_.end()) return &known->second;
    if (!ask || predicting_ == wanted) return nullptr;
    predicting_ = wanted;
    prediction_error_ = {};
    session::SampleRequest request = requestFor(*checkpoint);
    request.masked_words.clear();
    if (wordHidden(word)) {
        for (int i = 0; i < static_cast<int>(record_->token_texts.size()); ++i)
            if (wordHidden(i)) request.masked_words.push_back(i);
    } else {
        request.masked_words.push_back(word);
    }
    runAt(request, QStringLiteral("words"), [this, wanted](Result<session::SampleResult> result) {
        if (predicting_ != wanted) return;
        predicting_.reset();
        if (!result) prediction_error_ = result.error();
        else {
            makeRoom(predictions_);
            if (result->predictions.empty())
                prediction_error_ =
                    Error{ErrorKind::kJobFailed, "No prediction", "this model was not trained to predict words", "Choose a run with a text objective", {}};
            for (auto& one : result->predictions) predictions_[{wanted.first, one.position}] = one;
        }
        Q_EMIT predictionsChanged();
    });
    return nullptr;
}

}  // namespace es::views
