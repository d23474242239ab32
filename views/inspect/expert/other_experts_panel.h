// SPDX-License-Identifier: GPL-3.0-or-later
// The other experts of the router: those active beside this one and those most alike, as chips to go to, and all of them as a table.
#pragma once

#include <QLabel>
#include <memory>
#include <vector>

#include "views/inspect/expert/expert_model.h"
#include "views/plots/table_view.h"
#include "views/widgets/chip.h"
#include "views/widgets/panel_frame.h"
#include "views/widgets/reused_widgets.h"

namespace es::views {

/// GUI thread only.
class OtherExpertsPanel : public PanelFrame {
    Q_OBJECT
public:
    explicit OtherExpertsPanel(ExpertModel* model, QWidget* parent = nullptr);
    void refresh();
    [[nodiscard]] const analysis::Panel& shownPanel() const { return panel_; }

private:
    /// A line of words and the experts it speaks of.
    struct Row {
        QLabel* title = nullptr;
        QWidget* box = nullptr;
        std::unique_ptr<ReusedWidgets<Chip>> chips;
        std::vector<int> experts;  ///< one a chip
    };
    void makeRow(Row& row, QWidget* body);
    static void fill(Row& row, const QString& words, const std::vector<std::pair<int, double>>& experts);
    ExpertModel* model_;
    analysis::Panel panel_;
    Row active_, alike_, kept_;
    TableView* table_;
};

}  // namespace es::views
