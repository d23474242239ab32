// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/panel_queries.h"

#include "views/inspect/inspect_dump.h"

namespace es::views {
namespace {

std::string routerText(const store::RouterInfo& router) { return std::to_string(router.layer.value) + "." + std::string(toString(router.branch)); }

std::optional<analysis::PanelQuery> query(const InspectModel& model, const char* kind, bool needs_sample) {
    if (model.shown().run.isEmpty() || !model.currentRouter()) return {};
    if (needs_sample && (model.runsAgain() || !model.routing() || !model.shown().sample)) return {};
    analysis::PanelQuery made;
    made.kind = kind;
    made.runs = {model.shown().run.toStdString()};
    if (needs_sample) {
        made.parameters["sample"] = sampleText(*model.shown().sample).toStdString();
        made.parameters["step"] = std::to_string(model.step());
    }
    return made;
}

}  // namespace

std::optional<analysis::PanelQuery> overlayQuery(const InspectModel& model) {
    auto made = query(model, "overlay", true);
    if (!made) return made;
    made->parameters["layer"] = std::to_string(model.currentRouter()->layer.value);
    const OverlayChoices& choices = model.overlayChoices();
    // Attention and another run's routing are in no record of this run, and an intervention is kept elsewhere.
    if (choices.mode == analysis::OverlayMode::kAttention || model.intervened()) return {};
    made->parameters["mode"] = std::string(analysis::toString(choices.mode));
    made->parameters["router"] = routerText(*model.currentRouter());
    if (model.shown().expert.valid()) made->parameters["expert"] = std::to_string(model.shown().expert.value);
    if (model.comparing()) {
        if (choices.compared.kind == OverlayComparison::Kind::kRun || !model.otherRouting()) return {};
        made->parameters["since"] = std::to_string(model.otherRouting()->step);
    }
    if (choices.rank > 0) made->parameters["rank"] = std::to_string(model.overlayChoices().rank);
    return made;
}

std::optional<analysis::PanelQuery> mapQuery(const InspectModel& model) { return query(model, "layer_expert_map", true); }

std::optional<analysis::PanelQuery> distributionQuery(const InspectModel& model) {
    const Selection& shown = model.shown();
    const auto* router = shown.token.valid() ? model.router(shown.token_modality) : nullptr;
    auto made = router ? query(model, "token_distribution", true) : std::nullopt;
    if (!made) return made;
    made->parameters["router"] = routerText(*router);
    made->parameters["modality"] = std::string(toString(shown.token_modality));
    made->parameters["token"] = std::to_string(shown.token.value);
    return made;
}

std::optional<analysis::PanelQuery> changeQuery(const InspectModel& model) {
    auto made = query(model, "routing_change", false);
    if (!made || model.contents().steps.empty()) return {};
    made->parameters["router"] = routerText(*model.currentRouter());
    made->parameters["measure"] = "churn";
    return made;
}

}  // namespace es::views
