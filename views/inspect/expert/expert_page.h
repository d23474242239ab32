// SPDX-License-Identifier: GPL-3.0-or-later
// The page "expert" of Inspect: what one expert does, in context and beside chance.
#pragma once

#include <QComboBox>
#include <QLabel>
#include <QSplitter>
#include <QStackedWidget>

#include "views/inspect/expert/colour_strip.h"
#include "views/inspect/expert/expert_gallery_panel.h"
#include "views/inspect/expert/expert_model.h"
#include "views/inspect/expert/label_table.h"
#include "views/inspect/expert/other_experts_panel.h"
#include "views/inspect/inspect_part.h"
#include "views/plots/plot_panel.h"
#include "views/widgets/elided_label.h"

namespace es::views {

/// GUI thread only.
class ExpertPage : public InspectPart {
    Q_OBJECT
public:
    ExpertPage(ExpertModel* model, SamplePictures* pictures, QWidget* parent = nullptr);
    [[nodiscard]] bool settled() const override;
    [[nodiscard]] QJsonArray dump() const override;
    [[nodiscard]] QJsonObject saveState() const override;
    void restoreState(const QJsonObject& state) override;
    [[nodiscard]] ExpertGalleryPanel* galleryPanel() const { return gallery_; }
    [[nodiscard]] LabelTable* labels() const { return labels_; }
    [[nodiscard]] QComboBox* kinds() const { return kinds_; }

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    void makeHeader();
    void refresh();
    void refreshHeader();
    void refreshDetails();
    void refreshLabels();
    void tellQueries();              ///< what "Send to Figures" of each panel sends
    [[nodiscard]] bool showWhole();  ///< the state of the page as a whole, when there is no expert to show
    [[nodiscard]] const analysis::LabelShares* chosenShares(QString& title) const;
    ExpertModel* model_;
    SamplePictures* pictures_;
    QStackedWidget* stack_;
    PanelFrame* whole_;
    QWidget* header_;
    QLabel *swatch_, *name_;
    ElidedLabel* facts_;
    ExpertGalleryPanel* gallery_;
    PanelFrame *labels_panel_, *colours_panel_;
    QComboBox* kinds_;
    QString wanted_kind_;
    LabelTable* labels_;
    PlotPanel *position_, *load_;
    ColourStrip* colours_;
    OtherExpertsPanel* others_;
    QSplitter *rows_, *upper_, *lower_;
};

}  // namespace es::views
