// SPDX-License-Identifier: GPL-3.0-or-later
// The other experts of the router: those active beside this one and those most alike, as chips to go to, and all of them as a table.
#pragma once

#include <QLabel>

#include "views/inspect/expert/expert_model.h"
#include "views/plots/table_view.h"
#include "views/widgets/flow_layout.h"
#include "views/widgets/panel_frame.h"

namespace es::views {

/// GUI thread only.
class OtherExpertsPanel : public PanelFrame {
    Q_OBJECT
public:
    explicit OtherExpertsPanel(ExpertModel* model, QWidget* parent = nullptr);
    void refresh();
    [[nodiscard]] const analysis::Panel& shownPanel() const { return panel_; }

private:
    void fill(QLabel* title, const QString& words, FlowLayout* row, QWidget* box, const std::vector<std::pair<int, double>>& experts);
    ExpertModel* model_;
    analysis::Panel panel_;
    QLabel *active_title_, *alike_title_, *kept_title_;
    QWidget *active_, *alike_, *kept_;
    FlowLayout *active_row_, *alike_row_, *kept_row_;
    TableView* table_;
};

}  // namespace es::views
