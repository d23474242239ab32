// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/expert/expert_model.h"

#include <algorithm>
#include <utility>

#include "views/inspect/token_words.h"

namespace es::views {
namespace {

/// What the job of the details brings back: the facts too, to be used for the next expert.
struct ReadDetails {
    std::shared_ptr<const analysis::ExpertDetails> details;
    std::shared_ptr<const analysis::ProbeFacts> facts;
};

}  // namespace

template <class T>
void ExpertModel::job(const QString& slot, const QString& label, std::function<Result<T>(JobContext&)> work, std::function<void(Result<T>)> done) {
    pending_.insert(slot);
    model_->context().jobs->run<T>(this, slot, label, std::move(work), [this, slot, done = std::move(done)](Result<T> result) {
        pending_.remove(slot);
        done(std::move(result));
    });
}

ExpertModel::ExpertModel(InspectModel* model, QObject* parent) : QObject(parent), model_(model) {
    connect(model_, &InspectModel::runChanged, this, [this] {
        indexSamples();
        follow();
    });
    connect(model_, &InspectModel::choiceChanged, this, &ExpertModel::follow);
    connect(model_, &InspectModel::sampleChanged, this, &ExpertModel::follow);
    connect(model_, &InspectModel::similaritiesChanged, this, [this] {
        details_of_.reset();
        load();
    });
    connect(model_, &InspectModel::chosenSetChanged, this, [this] {
        target_.reset();  // all that was read was of other tokens
        follow();
    });
    indexSamples();
    follow();
}

void ExpertModel::indexSamples() {
    place_.clear();
    const auto& samples = model_->contents().samples;
    for (std::size_t i = 0; i < samples.size(); ++i) place_.emplace(samples[i].hash, i);
}

const store::SampleRecord* ExpertModel::record(std::uint64_t sample) const {
    const auto found = place_.find(sample);
    const auto& samples = model_->contents().samples;
    return found == place_.end() || found->second >= samples.size() ? nullptr : &samples[found->second];
}

ExpertIndex ExpertModel::likelyExpert() const {
    const auto* now = router();
    if (!now) return {};
    if (const ExpertIndex suggested = model_->suggestedExpert(); suggested.valid()) return suggested;
    // Rather the one that was looked at than one that jumps while a sample loads.
    if (expert_.valid() && expert_.value < now->experts && target_ && std::get<1>(*target_) == now->id.value) return expert_;
    return ExpertIndex(0);
}

void ExpertModel::follow() {
    const bool ready = model_->runPart() == InspectModel::Part::kReady;
    const auto* now = ready ? router() : nullptr;
    const auto step = now ? model_->contents().probedStep(model_->shown().step) : std::nullopt;
    expert_ = now ? likelyExpert() : ExpertIndex();
    step_ = step;
    std::optional<Target> target;
    if (now && step) target = Target{model_->shown().run, now->id.value, expert_.value, *step, model_->contents().attempts};
    if (target == target_ && target) return;
    const bool another_run = !target || !target_ || std::get<0>(*target) != std::get<0>(*target_);
    target_ = target;
    if (another_run) {
        model_->context().jobs->cancel(this);
        pending_.clear();
        gallery_.reset();
        details_.reset();
        gallery_of_.reset();
        details_of_.reset();
        facts_.reset();
        facts_of_ = {};
        gallery_part_ = details_part_ = Part::kNone;
    }
    details_.reset();  // numbers of another expert must not stand below this one's name
    details_of_.reset();
    if (details_part_ != Part::kNone) details_part_ = Part::kLoading;
    Q_EMIT expertChanged();
    Q_EMIT detailsChanged();
    load();
}

void ExpertModel::setWatched(const QObject* viewer, bool watched) {
    watched ? (void)watchers_.insert(viewer) : (void)watchers_.erase(viewer);
    if (watched) load();
}

void ExpertModel::load() {
    if (watchers_.empty() || !target_) return;
    if (gallery_of_ != target_) loadGallery();
    if (gallery_of_ == target_ && details_of_ != target_ && gallery_part_ == Part::kReady) loadDetails();
}

void ExpertModel::setOptions(const analysis::GalleryOptions& options) {
    const auto same = [](const analysis::GalleryOptions& a, const analysis::GalleryOptions& b) {
        return a.count == b.count && a.one_per_sample == b.one_per_sample && a.modality == b.modality && a.seed == b.seed;
    };
    if (same(options, options_)) return;
    options_ = options;
    gallery_of_.reset();
    load();
}

void ExpertModel::loadGallery() {
    const Target target = *target_;
    gallery_of_ = target;
    // Another expert of the same probe needs no reading: the table is at hand.
    std::shared_ptr<const store::RoutingTable> table;
    if (gallery_ && gallery_->tokens.router().id == RouterId(std::get<1>(target)) && gallery_->tokens.query.step == std::get<3>(target))
        table = gallery_->tokens.table;
    gallery_part_ = Part::kLoading;
    Q_EMIT galleryChanged();
    analysis::ExpertQuery query;
    query.router = RouterId(std::get<1>(target));
    query.expert = ExpertIndex(std::get<2>(target));
    query.step = std::get<3>(target);
    job<std::shared_ptr<const ExpertGalleryData>>(
        QStringLiteral("gallery"), tr("Choosing what expert %1 takes").arg(query.expert.value),
        [reader = model_->analysisReader(), query, table, options = options_](JobContext&) -> Result<std::shared_ptr<const ExpertGalleryData>> {
            auto tokens = table ? analysis::expertTokens(table, query) : analysis::expertTokens(*reader, query);
            if (!tokens) return tl::unexpected(tokens.error());
            auto data = std::make_shared<ExpertGalleryData>();
            data->tokens = std::move(*tokens);
            const auto& modality_T = data->tokens.table->modality_T;
            data->patches = std::find(modality_T.begin(), modality_T.end(), Modality::kVision) != modality_T.end();
            data->words = std::find(modality_T.begin(), modality_T.end(), Modality::kText) != modality_T.end();
            analysis::GalleryOptions wanted = options;
            // Patches and words do not go into one grid; where there is one kind only, that one is meant.
            if (data->patches != data->words) wanted.modality = Modality::kUnknown;
            else if (data->patches && wanted.modality == Modality::kUnknown) wanted.modality = Modality::kVision;
            data->gallery = analysis::expertGallery(data->tokens, wanted);
            return std::shared_ptr<const ExpertGalleryData>(std::move(data));
        },
        [this, target](Result<std::shared_ptr<const ExpertGalleryData>> result) {
            if (target_ != target) return;
            if (result) {
                gallery_ = std::move(*result);
                gallery_part_ = Part::kReady;
                has_patches_ = gallery_->patches;
                has_words_ = gallery_->words;
            } else {
                gallery_.reset();
                gallery_error_ = result.error();
                gallery_part_ = Part::kFailed;
                // What could not be read cannot be looked at more closely either.
                details_error_ = result.error();
                details_part_ = Part::kFailed;
                Q_EMIT detailsChanged();
            }
            Q_EMIT galleryChanged();
            load();
        });
}

void ExpertModel::loadDetails() {
    const Target target = *target_;
    details_of_ = target;
    const std::tuple facts_key{std::get<0>(target), std::get<4>(target), model_->contents().samples.size()};
    const auto known = facts_of_ == facts_key ? facts_ : nullptr;
    details_part_ = Part::kLoading;
    Q_EMIT detailsChanged();
    job<ReadDetails>(
        QStringLiteral("details"), tr("Looking at expert %1").arg(std::get<2>(target)),
        [reader = model_->analysisReader(), data = gallery_, known](JobContext& context) -> Result<ReadDetails> {
            ReadDetails read;
            read.facts = known;
            if (!read.facts) {
                auto facts = analysis::probeFacts(*reader, data->tokens.samples, context);
                if (!facts) return tl::unexpected(facts.error());
                read.facts = std::make_shared<const analysis::ProbeFacts>(std::move(*facts));
            } else if (std::any_of(data->tokens.samples.begin(), data->tokens.samples.end(),
                                   [&](std::uint64_t sample) { return !known->asked.contains(sample); })) {
                // Routers of words may know captions that no router of patches saw.
                std::vector<std::uint64_t> all = data->tokens.samples;
                all.insert(all.end(), known->asked.begin(), known->asked.end());
                auto facts = analysis::probeFacts(*reader, all, context);
                if (!facts) return tl::unexpected(facts.error());
                read.facts = std::make_shared<const analysis::ProbeFacts>(std::move(*facts));
            }
            auto details = analysis::expertDetails(*reader, data->tokens, *read.facts, {}, context);
            if (!details) return tl::unexpected(details.error());
            read.details = std::make_shared<const analysis::ExpertDetails>(std::move(*details));
            return read;
        },
        [this, target, facts_key](Result<ReadDetails> result) {
            if (target_ != target) return;
            if (result) {
                details_ = std::move(result->details);
                facts_ = std::move(result->facts);
                facts_of_ = facts_key;
                details_part_ = Part::kReady;
            } else {
                details_.reset();
                details_error_ = result.error();
                details_part_ = Part::kFailed;
            }
            Q_EMIT detailsChanged();
        });
}

void ExpertModel::chooseItem(const analysis::GalleryItem& item) {
    Selection next = model_->shown();
    next.sample = item.sample;
    next.token = item.token;
    next.token_modality = item.modality;
    next.more_tokens.clear();
    // A suggestion becomes a choice, so that the page stays with its expert when the token's first choice is another.
    next.expert = expert_;
    model_->context().selection->change(next,
                                        tr("Show %1 of expert %2").arg(tokenName(record(item.sample), item.modality, item.token.value)).arg(expert_.value));
}

void ExpertModel::chooseExpert(int expert) {
    if (const auto* now = router()) model_->chooseRouter(now->id, ExpertIndex(expert));
}

void ExpertModel::chooseExpertBy(int steps) {
    const auto* now = router();
    if (!now || now->experts <= 0) return;
    chooseExpert(((expert_.value + steps) % now->experts + now->experts) % now->experts);
}

}  // namespace es::views
