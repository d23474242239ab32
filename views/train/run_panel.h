// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTableView>

#include "views/models/run_table_model.h"
#include "views/models/workspace_context.h"
#include "views/widgets/key_value_table.h"
#include "views/widgets/panel_frame.h"

namespace es::views {

class ControlBar;
class SearchField;

/// The runs: control bar, table (sort, filter, several chosen to lay their curves over each other), facts of the current one.
class RunPanel : public PanelFrame {
    Q_OBJECT
public:
    explicit RunPanel(const WorkspaceContext& context, QWidget* parent = nullptr);
    [[nodiscard]] ControlBar* controls() const { return controls_; }
    [[nodiscard]] QTableView* table() const { return table_; }
    [[nodiscard]] const RunTableModel* model() const { return model_; }
    [[nodiscard]] QStringList chosenRuns() const;    ///< folders of the selected rows, the current one first
    void setCurrentRun(const QString& folder);       ///< no signal
    void setChosenRuns(const QStringList& folders);  ///< no signal; those not listed are left out
    void setFacts(const QString& headline, const analysis::TablePanel& facts);
    void setFactsWords(const QString& words);  ///< instead of facts: opening, unreadable, warnings
    [[nodiscard]] QJsonObject dump() const;

Q_SIGNALS:
    void currentRunChosen(const QString& folder);
    void chosenRunsChanged();

private:
    void refresh();
    void fitTable();
    const WorkspaceContext* context_;
    ControlBar* controls_;
    SearchField* search_;
    RunTableModel* model_;
    RunFilterModel* filter_;
    QTableView* table_;
    ElidedLabel* headline_;
    QLabel* words_;
    KeyValueTable* facts_;
    QString current_;
    bool quiet_ = false;
};

}  // namespace es::views
