// SPDX-License-Identifier: GPL-3.0-or-later
// What the user chooses in Inspect: each a named step of the shared selection; and what follows from it for the panels.
#include <algorithm>

#include "views/inspect/inspect_model.h"
#include "views/inspect/token_words.h"

namespace es::views {

void InspectModel::change(const Selection& next, const QString& what, int merge_id) { context_->selection->change(next, what, merge_id); }

void InspectModel::chooseSample(std::uint64_t hash) {
    if (shown_.sample == hash && context_->selection->current().sample == hash) return;
    Selection next = shown_;
    next.sample = hash;
    next.more_tokens.clear();
    const OwnSample* own = own_.find(shown_.run, hash);
    const store::SampleRecord* sample = own ? &own->record : contents_.find(hash);
    const QString name = sample && !sample->caption.empty() ? QString::fromStdString(sample->caption) : tr("without caption");
    change(next, tr("Show sample “%1”").arg(name.size() > 40 ? name.left(39) + QChar(0x2026) : name));
}

void InspectModel::chooseToken(Modality modality, int index) {
    Selection next = shown_;
    next.token = index < 0 ? TokenIndex() : TokenIndex(index);
    next.token_modality = index < 0 ? Modality::kUnknown : modality;
    next.more_tokens.clear();
    if (const auto* through = index < 0 ? nullptr : router(modality); through && through->id != next.router) {
        next.router = through->id;
        next.expert = {};
    }
    change(next, index < 0 ? tr("Let go of the token") : tr("Select %1").arg(tokenName(record(), modality, index)));
}

void InspectModel::addToken(Modality modality, int index) {
    if (index < 0 || !shown_.token.valid() || shown_.token_modality != modality) return chooseToken(modality, index);
    Selection next = shown_;
    auto& more = next.more_tokens;
    const TokenIndex token(index);
    const auto at = std::find(more.begin(), more.end(), token);
    if (token == next.token) {
        if (more.empty()) return chooseToken(modality, -1);
        next.token = more.back();
        more.pop_back();
    } else if (at != more.end()) {
        more.erase(at);
    } else {
        more.insert(std::upper_bound(more.begin(), more.end(), next.token), next.token);
        next.token = token;
    }
    change(next, tr("Select %n patches or words", nullptr, static_cast<int>(more.size()) + 1));
}

void InspectModel::chooseTokenOf(std::uint64_t sample, Modality modality, int index, RouterId through) {
    Selection next = shown_;
    next.sample = sample;
    next.token = TokenIndex(index);
    next.token_modality = modality;
    next.more_tokens.clear();
    const store::RouterInfo* wanted = contents_.router(through);
    if (!wanted) wanted = router(modality);
    if (wanted && wanted->id != next.router) {
        next.router = wanted->id;
        next.expert = {};
    }
    const OwnSample* own = own_.find(shown_.run, sample);
    change(next, tr("Select %1 of another sample").arg(tokenName(own ? &own->record : contents_.find(sample), modality, index)));
}

void InspectModel::chooseLayer(LayerIndex layer) {
    const auto* now = currentRouter();
    const bool text = now && now->branch == Branch::kText;
    const auto* next_router = contents_.routerOf(layer, text ? Modality::kText : Modality::kVision);
    if (!next_router) next_router = contents_.routerOf(layer, text ? Modality::kVision : Modality::kText);
    if (next_router) chooseRouter(next_router->id);
}

void InspectModel::chooseRouter(RouterId id, ExpertIndex expert) {
    const auto* wanted = contents_.router(id);
    if (!wanted) return;
    Selection next = shown_;
    next.router = id;
    next.expert = expert;
    const QString name = QString::fromStdString(longName(*wanted));
    change(next, expert.valid() ? tr("Select expert %1, %2").arg(expert.value).arg(name) : tr("Select %1").arg(name));
}

void InspectModel::toggleExpert(RouterId id, int expert) {
    if (shown_.router == id && shown_.expert.value == expert) return clearExpert();
    chooseRouter(id, ExpertIndex(expert));
}

void InspectModel::clearExpert() {
    if (!shown_.expert.valid()) return;
    Selection next = shown_;
    next.expert = {};
    change(next, tr("Let go of expert %1").arg(shown_.expert.value));
}

void InspectModel::chooseStep(std::int64_t step, int merge_id) {
    Selection next = shown_;
    const auto all = steps();
    next.step = !all.empty() && step == all.back() ? -1 : step;  // the newest follows the run as it grows
    change(next, tr("Show step %1").arg(step), merge_id);
}

void InspectModel::restoreOwn(const QJsonArray& kept) {
    own_.addFrom(kept);
    Q_EMIT samplesChanged();
}

void InspectModel::setListed(std::vector<std::uint64_t> samples) {
    if (samples == listed_) return;
    listed_ = std::move(samples);
    Q_EMIT listedChanged();
}

void InspectModel::setOverlayChoices(const OverlayChoices& choices) {
    if (choices == choices_) return;
    choices_ = choices;
    loadOther();
    loadAttention();
    Q_EMIT overlayChanged();
}

ExpertIndex InspectModel::suggestedExpert() const {
    const auto* now = currentRouter();
    if (!now) return {};
    if (shown_.expert.valid() && shown_.expert.value < now->experts) return shown_.expert;
    for (const analysis::TokenReading& reading : path())
        if (reading.router.id == now->id && !reading.choices.empty() && reading.choices.front().expert >= 0) return ExpertIndex(reading.choices.front().expert);
    return {};
}

std::vector<analysis::TokenReading> InspectModel::path() const {
    if (!drawnRouting() || !sampleOnScreen() || !shown_.token.valid()) return {};
    return pathOf(*drawnRouting(), shown_.token_modality, shown_.token);
}

}  // namespace es::views
