// SPDX-License-Identifier: GPL-3.0-or-later
// Asks for the caption of a picture that was dropped, pasted or opened, and runs both.
#pragma once

#include <QImage>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>

#include "views/inspect/inspect_model.h"

namespace es::views {

/// Hidden until something is offered. GUI thread only.
class OwnPictureBar : public QFrame {
    Q_OBJECT
public:
    explicit OwnPictureBar(InspectModel* model, QWidget* parent = nullptr);
    /// A file, decoded by the engine when it runs.
    void offerFile(const QString& path);
    /// Pixels at hand. A null image offers a caption alone.
    void offerImage(const QImage& image);
    [[nodiscard]] QLineEdit* captionField() const { return caption_; }
    [[nodiscard]] QPushButton* runButton() const { return run_; }

protected:
    void keyPressEvent(QKeyEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

private:
    void offer(session::SampleRequest request, const QString& name);
    void showPreview(const QImage& image);
    void submit();
    void refresh();
    InspectModel* model_;
    session::SampleRequest request_;
    QLabel *preview_, *name_, *problem_;
    QLineEdit* caption_;
    QPushButton *run_, *dismiss_;
};

}  // namespace es::views
