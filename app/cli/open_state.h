// SPDX-License-Identifier: GPL-3.0-or-later
// What `expertscope open` brings up: a run, layer, expert, sample, token, step and how the overlay is drawn, checked against the run before any
// window opens.
#pragma once

#include <QJsonObject>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/store/run_reader.h"
#include "views/models/selection_model.h"

namespace es::app {

/// As given on the command line; empty where nothing was.
struct OpenState {
    std::string layer;    ///< "1", or "1.v" where a layer has several routers
    std::string expert;   ///< number
    std::string sample;   ///< place in the list of samples, from 1, or (the beginning of) its hash
    std::string token;    ///< "patch 3,4" (row, column), "patch 28", "word 2"; also with a colon instead of the space
    std::string step;     ///< number, or "newest"
    std::string mode;     ///< analysis::OverlayMode's name, or "one-expert"
    std::string rank;     ///< "1" ..., or "all"
    std::string against;  ///< a step, a run directory, or "before"
    std::string search;   ///< in the list of samples
    std::string kept;     ///< number of a kept result of interventions
    bool side_by_side = false;

    [[nodiscard]] bool empty() const;
    bool operator==(const OpenState&) const = default;
};

/// What the window takes: a selection, and what of the layout of Inspect is to be other than remembered.
struct ResolvedState {
    views::Selection selection;
    QJsonObject inspect;  ///< as Workspace::restoreState() takes it
};

/// The run that state options are about: the first of `paths` when that is a run, else the only run below it. Errors name the runs there are.
[[nodiscard]] Result<std::filesystem::path> stateRun(const std::vector<std::string>& paths);

/// Checks every option against the run. Errors say what was asked for and name what there is: layers, experts, samples, steps, modes.
[[nodiscard]] Result<ResolvedState> resolveState(const OpenState& wanted, const store::RunReader& run);

}  // namespace es::app
