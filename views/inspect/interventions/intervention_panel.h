// SPDX-License-Identifier: GPL-3.0-or-later
// "Intervene" under the map of experts and layers: what to do to which experts, what came out, and what is kept.
#pragma once

#include <QLabel>
#include <QListWidget>
#include <QPushButton>
#include <QSpinBox>
#include <memory>

#include "views/inspect/inspect_part.h"
#include "views/inspect/interventions/intervention_model.h"
#include "views/plots/table_view.h"
#include "views/widgets/chip.h"
#include "views/widgets/choice_box.h"
#include "views/widgets/controls.h"
#include "views/widgets/elided_label.h"
#include "views/widgets/reused_widgets.h"
#include "views/widgets/segmented_control.h"

namespace es::views {

/// GUI thread only.
class InterventionPanel : public InspectPart {
    Q_OBJECT
public:
    explicit InterventionPanel(InspectModel* model, QWidget* parent = nullptr);
    [[nodiscard]] InterventionModel* interventions() const { return model_; }
    /// What the result that is shown says in short: to be put where it need not be scrolled to. Hidden without a result.
    [[nodiscard]] QWidget* headline() const { return headline_; }
    [[nodiscard]] QWidget* runButton() const { return run_; }
    [[nodiscard]] bool settled() const override { return model_->settled(); }
    [[nodiscard]] QJsonArray dump() const override;
    [[nodiscard]] std::vector<PaletteEntry> paletteEntries() override;

protected:
    void keyPressEvent(QKeyEvent* event) override;

private:
    void makeControls();
    void makeHeadline();
    void makeResult();
    void refresh();
    void refreshChips();
    void refreshResult();
    void refreshList();
    InterventionModel* model_;
    QTimer poll_;  ///< of a run's progress
    ChoiceBox *scope_, *set_;
    SegmentedControl *kinds_, *sides_;
    QWidget *chips_, *controls_, *headline_;
    ElidedLabel* title_;
    QLabel *number_name_, *hint_, *result_, *routers_, *samples_, *error_, *progress_, *kept_title_;
    QSpinBox* number_;
    QPushButton *run_, *cancel_;
    IconButton *plain_, *forget_;
    TableView* table_;
    QListWidget* list_;
    std::vector<std::pair<RouterId, int>> chips_of_, pinned_of_;
    std::unique_ptr<ReusedWidgets<Chip>> chips_made_;  ///< one for each of chips_of_
    std::int64_t drawn_ = 0;
    bool has_effects_ = false;  ///< what is drawn has its losses
};

}  // namespace es::views
