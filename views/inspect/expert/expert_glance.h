// SPDX-License-Identifier: GPL-3.0-or-later
// "Expert 5 · what it sees most": a small gallery with the words and the category that stand out, below the selected token.
#pragma once

#include <QLabel>
#include <QTimer>

#include "views/inspect/expert/expert_model.h"
#include "views/inspect/expert/gallery_grid.h"
#include "views/inspect/expert/sample_pictures.h"
#include "views/inspect/inspect_part.h"
#include "views/widgets/controls.h"
#include "views/widgets/elided_label.h"

namespace es::views {

/// Shows the selected expert, or without one the selected token's. GUI thread only.
class ExpertGlance : public InspectPart {
    Q_OBJECT
public:
    ExpertGlance(ExpertModel* model, SamplePictures* pictures, QWidget* parent = nullptr);
    [[nodiscard]] bool settled() const override;
    [[nodiscard]] QJsonArray dump() const override;
    [[nodiscard]] GalleryGrid* grid() const { return grid_; }

Q_SIGNALS:
    void pageRequested();  ///< the whole page of this expert

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    void refresh();
    void fill();
    [[nodiscard]] bool reading() const;
    ExpertModel* model_;
    SamplePictures* pictures_;
    std::shared_ptr<const ExpertGalleryData> drawn_;
    ElidedLabel* title_;
    QLabel *state_, *words_, *category_, *credits_;
    GalleryGrid* grid_;
    IconButton* open_;
    QTimer late_;  ///< runs while what is shown is of the expert before
    ExpertIndex shown_expert_;
};

}  // namespace es::views
