// SPDX-License-Identifier: GPL-3.0-or-later
// The list of samples with its search, and the way in for own pictures.
#pragma once

#include <QComboBox>
#include <QJsonObject>
#include <QListView>

#include "views/inspect/inspect_model.h"
#include "views/inspect/own_picture_bar.h"
#include "views/inspect/query_field.h"
#include "views/inspect/sample_list_model.h"
#include "views/inspect/thumbnail_cache.h"
#include "views/widgets/panel_frame.h"

namespace es::views {

/// GUI thread only.
class SamplePanel : public PanelFrame {
    Q_OBJECT
public:
    explicit SamplePanel(InspectModel* model, QWidget* parent = nullptr);
    void openPicture();                    ///< asks for a file
    void offerFile(const QString& path);   ///< asks for its caption
    void offerImage(const QImage& image);  ///< null: a caption alone
    [[nodiscard]] bool settled() const { return thumbnails_->settled() && asked_->settled(); }
    [[nodiscard]] SampleSearch* search() const { return asked_; }
    [[nodiscard]] QJsonObject dumpData() const;
    [[nodiscard]] QJsonObject saveState() const;
    void restoreState(const QJsonObject& state);

private:
    void refresh();
    void followChoice();
    void applyFilter();
    InspectModel* model_;
    ThumbnailCache* thumbnails_;
    SampleListModel* list_;
    SampleSearch* asked_;
    QueryField* search_;
    QComboBox* category_;
    OwnPictureBar* own_;
    QListView* view_;
    QLabel* nothing_;
    bool following_ = false;
};

}  // namespace es::views
