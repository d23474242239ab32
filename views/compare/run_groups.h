// SPDX-License-Identifier: GPL-3.0-or-later
// Runs sorted into groups: the seeds of one configuration stand together. Pure functions.
#pragma once

#include <QString>
#include <QStringList>
#include <vector>

#include "engine/store/run_reader.h"

namespace es::views {

/// Seeds of one configuration, as a side of a comparison.
struct RunChoice {
    QString name;                         ///< "dense"
    QString ffn;                          ///< "moe", "dense", "scaled_dense"
    QStringList runs;                     ///< run directories, seeds ascending
    bool evaluated = false;               ///< some run has a held-out loss
    double created_s = 0;                 ///< of the newest
    [[nodiscard]] QString words() const;  ///< "dense · 3 seeds"
};

/// Groups of the runs that can be opened: dense first, then scaled dense, then experts, newest first within each.
[[nodiscard]] std::vector<RunChoice> groupRuns(const std::vector<store::RunSummary>& runs);

/// The sides to start with: the dense group (else scaled dense, else the older one) against the experts (else the newest other). Indices into
/// `groups`; -1 where there is none.
struct DefaultSides {
    int baseline = -1, candidate = -1;
};
[[nodiscard]] DefaultSides defaultSides(const std::vector<RunChoice>& groups);

/// The group that holds exactly these runs (order does not count), or shares most with them; -1: none shares any.
[[nodiscard]] int groupOf(const std::vector<RunChoice>& groups, const QStringList& runs);

}  // namespace es::views
