// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QWidget>
#include <memory>

#include "views/export/page_renderer.h"
#include "views/theme/theme.h"

namespace es::views {

/// The page in its true proportions on the ground of the theme; the paper stays white. Click a panel to choose it, or use the arrow keys.
/// The picture is painted elsewhere (a job) and handed in. GUI thread only.
class PageView : public QWidget {
    Q_OBJECT
public:
    explicit PageView(Theme* theme, QWidget* parent = nullptr);
    /// Size in millimetres and where the panels are (points).
    void setPage(const QSizeF& size_mm, std::vector<QRectF> cells);
    void setImage(const QImage& image);
    void setSelected(int panel);  ///< -1: none
    [[nodiscard]] int selected() const { return selected_; }
    /// Pixels an inch at which the page now fills the view, device pixels.
    [[nodiscard]] double dpi() const;
    /// A panel's cell in this widget's coordinates.
    [[nodiscard]] QRectF cellRect(int panel) const;
    [[nodiscard]] QSize sizeHint() const override { return {640, 480}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {240, 180}; }

Q_SIGNALS:
    void panelClicked(int panel);  ///< -1: beside the panels
    void imageWanted();            ///< the size on screen changed

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    [[nodiscard]] QRectF paper() const;
    Theme* theme_;
    QSizeF size_mm_;
    std::vector<QRectF> cells_;
    QImage image_;
    int selected_ = -1;
};

}  // namespace es::views
