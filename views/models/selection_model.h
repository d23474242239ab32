// SPDX-License-Identifier: GPL-3.0-or-later
// What is selected, for the whole window: choosing a thing in one view moves every other. Undo and redo cover it.
#pragma once

#include <QObject>
#include <QStringList>
#include <QUndoStack>
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/base/strong_ids.h"

namespace es::views {

/// A value: compare and copy freely. Empty fields mean "not chosen".
struct Selection {
    QString run;                      ///< run directory that Train and Inspect show
    QStringList baseline, candidate;  ///< run directories of Compare
    RouterId router;                  ///< of `run`
    ExpertIndex expert;
    std::optional<std::uint64_t> sample;
    Modality token_modality = Modality::kUnknown;
    TokenIndex token;                     ///< patch or word of `sample`
    std::vector<TokenIndex> more_tokens;  ///< chosen besides it (Shift-click): of the same modality, ascending, without `token`
    std::int64_t step = -1;               ///< checkpoint step; -1: newest
    std::int64_t intervention = 0;        ///< result of interventions that is shown (store::KeptResult::id); 0: the model as it is
    QString workspace = QStringLiteral("train");
    bool operator==(const Selection&) const = default;
};

/// GUI thread only.
class SelectionModel : public QObject {
    Q_OBJECT
public:
    explicit SelectionModel(QObject* parent = nullptr);
    [[nodiscard]] const Selection& current() const { return current_; }
    /// Makes `next` current as one undoable step named `what` ("Select expert 5"). Steps of the same `merge_id` (>= 0) in a row become
    /// one (dragging a slider). Nothing happens when it equals the current selection.
    void change(const Selection& next, const QString& what, int merge_id = -1);
    /// Makes `next` current without a step to undo (restoring a session, a run that vanished).
    void reset(const Selection& next);
    [[nodiscard]] QUndoStack* undoStack() { return &undo_; }

Q_SIGNALS:
    void changed(const es::views::Selection& now, const es::views::Selection& before);

private:
    friend class SelectionCommand;
    void apply(const Selection& next);
    Selection current_;
    QUndoStack undo_;
};

}  // namespace es::views
