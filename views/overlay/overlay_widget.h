// SPDX-License-Identifier: GPL-3.0-or-later
// An overlay to look into: zoom and pan to single pixels, read by hovering, choose by click or arrow keys.
#pragma once

#include <QWidget>
#include <functional>
#include <optional>
#include <utility>

#include "analysis/figures/panel_data.h"
#include "views/overlay/overlay_painter.h"
#include "views/theme/theme.h"

namespace es::views {

/// GUI thread only. Keys: arrows walk patches (with Shift: add), + and - zoom, 0 fits, Escape clears the highlight. Wheel
/// zooms at the pointer, drag pans, Shift-click adds.
class OverlayWidget : public QWidget {
    Q_OBJECT
public:
    explicit OverlayWidget(Theme* theme, QWidget* parent = nullptr);

    /// Shows another panel. The zoom stays while picture size and grid stay.
    void setPanel(analysis::OverlayPanel panel);
    [[nodiscard]] const analysis::OverlayPanel& panel() const { return panel_; }
    /// Text of the read-out over patch i; without it nothing is shown on hover.
    void setReadout(std::function<QString(int)> readout) { readout_ = std::move(readout); }
    void setSelected(int patch);
    [[nodiscard]] int selected() const { return style_.selected; }
    void setAlso(std::vector<int> patches);  ///< selected besides
    void setOpacity(double opacity);
    [[nodiscard]] double opacity() const { return style_.opacity; }
    void setHighlightedExpert(int expert);  ///< -1: none

    [[nodiscard]] double zoom() const { return zoom_; }  ///< 1: the whole picture fits
    [[nodiscard]] QPointF center() const { return center_; }
    /// center: picture coordinates in [0, 1].
    void setView(double zoom, const QPointF& center);
    /// The same for the next panel that comes, whose picture is not there yet.
    void keepView(double zoom, const QPointF& center);
    /// Where patch i is drawn now, in widget coordinates.
    [[nodiscard]] QRectF patchRect(int patch) const;
    [[nodiscard]] QSize sizeHint() const override { return {420, 420}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {160, 160}; }

Q_SIGNALS:
    void patchClicked(int patch);  ///< by mouse or key
    void patchAdded(int patch);    ///< the same with Shift: besides those selected
    void patchHovered(int patch);  ///< -1: none
    void highlightCleared();       ///< Escape
    void viewChanged();

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    bool event(QEvent* event) override;

private:
    [[nodiscard]] QRectF viewport() const;
    [[nodiscard]] OverlayGrid grid() const;
    [[nodiscard]] double maxZoom() const;
    void zoomAt(const QPointF& point, double factor);
    void panBy(const QPointF& pixels);
    void walk(int dx, int dy, bool add);
    void hover(int patch);
    void reveal(int patch);
    void describe();

    Theme* theme_;
    analysis::OverlayPanel panel_;
    OverlayStyle style_;
    QImage image_;  ///< of panel_.picture
    std::function<QString(int)> readout_;
    double zoom_ = 1;
    QPointF center_{0.5, 0.5};
    std::optional<std::pair<double, QPointF>> kept_view_;
    QPointF press_, last_;
    bool pressed_ = false, dragging_ = false;
};

}  // namespace es::views
