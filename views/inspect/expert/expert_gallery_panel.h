// SPDX-License-Identifier: GPL-3.0-or-later
// What the expert takes: with most weight, and as much drawn at random, side by side; with the credits of the pictures.
#pragma once

#include <QCheckBox>
#include <QImage>
#include <QJsonObject>
#include <QLabel>

#include "views/inspect/expert/expert_model.h"
#include "views/inspect/expert/gallery_grid.h"
#include "views/inspect/expert/sample_pictures.h"
#include "views/widgets/elided_label.h"
#include "views/widgets/panel_frame.h"
#include "views/widgets/segmented_control.h"

namespace es::views {

/// GUI thread only.
class ExpertGalleryPanel : public PanelFrame {
    Q_OBJECT
public:
    ExpertGalleryPanel(ExpertModel* model, SamplePictures* pictures, QWidget* parent = nullptr);
    void refresh();
    [[nodiscard]] GalleryGrid* top() const { return top_; }
    [[nodiscard]] GalleryGrid* random() const { return random_; }
    [[nodiscard]] QJsonObject dumpData() const;
    [[nodiscard]] QJsonObject saveState() const;
    void restoreState(const QJsonObject& state);

    /// Data set, licence and source of everything shown, one a line.
    [[nodiscard]] QString credits() const;
    /// Both halves as they are shown, with all credits below: what is copied and saved.
    [[nodiscard]] QImage picture() const;
    /// Writes picture() as PNG.
    [[nodiscard]] Status savePicture(const QString& file) const;
    /// The gallery as a table with licence and source in each row; null before there is one.
    [[nodiscard]] std::shared_ptr<const analysis::Panel> table() const;

private:
    void applyShown();
    void showCredits();
    [[nodiscard]] std::vector<analysis::GalleryItem> shownItems() const;
    [[nodiscard]] std::vector<store::SampleRecord> shownRecords() const;
    void copyPicture();
    void askAndSave();
    ExpertModel* model_;
    std::shared_ptr<const ExpertGalleryData> drawn_;
    SegmentedControl *halves_, *kinds_;
    QCheckBox* one_per_sample_;
    IconButton* draw_again_;
    GalleryGrid *top_, *random_;
    QLabel *top_title_, *random_title_;
    ElidedLabel* credits_;
    QWidget *top_half_, *random_half_;
};

}  // namespace es::views
