// SPDX-License-Identifier: GPL-3.0-or-later
// What the user chooses in Inspect: each a named step of the shared selection; and what follows from it for the panels.
#include "views/inspect/inspect_model.h"
#include "views/inspect/token_words.h"

namespace es::views {

void InspectModel::change(const Selection& next, const QString& what, int merge_id) { context_->selection->change(next, what, merge_id); }

void InspectModel::chooseSample(std::uint64_t hash) {
    if (shown_.sample == hash && context_->selection->current().sample == hash) return;
    Selection next = shown_;
    next.sample = hash;
    const OwnSample* own = own_.find(shown_.run, hash);
    const store::SampleRecord* sample = own ? &own->record : contents_.find(hash);
    const QString name = sample && !sample->caption.empty() ? QString::fromStdString(sample->caption) : tr("without caption");
    change(next, tr("Show sample “%1”").arg(name.size() > 40 ? name.left(39) + QChar(0x2026) : name));
}

void InspectModel::chooseToken(Modality modality, int index) {
    Selection next = shown_;
    next.token = index < 0 ? TokenIndex() : TokenIndex(index);
    next.token_modality = index < 0 ? Modality::kUnknown : modality;
    if (const auto* through = index < 0 ? nullptr : router(modality); through && through->id != next.router) {
        next.router = through->id;
        next.expert = {};
    }
    change(next, index < 0 ? tr("Let go of the token") : tr("Select %1").arg(tokenName(record(), modality, index)));
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

void InspectModel::setOverlayChoices(const OverlayChoices& choices) {
    if (choices == choices_) return;
    choices_ = choices;
    Q_EMIT overlayChanged();
}

std::optional<analysis::Panel> InspectModel::overlay() const {
    const auto* now = currentRouter();
    if (!routing_ || !now) return {};
    analysis::OverlayOptions options;
    options.layer = now->layer;
    options.mode = choices_.mode;
    options.rank = std::max(0, choices_.rank);
    auto panel = analysis::overlay(*routing_, options);
    if (!panel) return {};
    auto& content = std::get<analysis::OverlayPanel>(panel->content);
    if (choices_.rank >= 0) {  // one rank at a time: no split cells
        for (auto& cell : content.patches) cell.choices.clear();
        for (auto& chip : content.words) chip.cell.choices.clear();
    }
    return std::move(*panel);
}

std::vector<analysis::TokenReading> InspectModel::path() const {
    if (!routing_ || !shown_.token.valid()) return {};
    return pathOf(*routing_, shown_.token_modality, shown_.token);
}

}  // namespace es::views
