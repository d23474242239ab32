// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/overlay/overlay_widget.h"

#include <QAccessible>
#include <QApplication>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QNativeGestureEvent>
#include <QPainter>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

#include "views/overlay/picture_image.h"

namespace es::views {
namespace {

constexpr double kLargestPixel = 40;  // zooming in ends when one pixel of the picture is this wide on screen
constexpr double kCrispPixel = 14;    // from here on single pixels are shown instead of interpolated
constexpr double kWheelNotch = 1.25;  // zoom factor of one notch (15 degrees) of a wheel

}  // namespace

OverlayWidget::OverlayWidget(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    setObjectName(QStringLiteral("overlay"));
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setAccessibleName(tr("Experts on the picture's patches"));
    connect(theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
    describe();
}

void OverlayWidget::setPanel(analysis::OverlayPanel panel) {
    const bool same_shape = panel.grid_width == panel_.grid_width && panel.grid_height == panel_.grid_height && panel.picture.width == panel_.picture.width &&
                            panel.picture.height == panel_.picture.height;
    const bool same_picture = same_shape && panel.picture.rgba == panel_.picture.rgba;
    panel_ = std::move(panel);
    if (!same_picture) image_ = toImage(panel_.picture);
    if (kept_view_ && panel_.grid_width > 0) {
        zoom_ = std::max(1.0, kept_view_->first);
        center_ = kept_view_->second;
        kept_view_.reset();
        Q_EMIT viewChanged();
    } else if (!same_shape) {
        zoom_ = 1;
        center_ = {0.5, 0.5};
        Q_EMIT viewChanged();
    }
    const int cells = panel_.grid_width * panel_.grid_height;
    if (style_.hovered >= cells) style_.hovered = -1;
    if (style_.selected >= cells) style_.selected = -1;
    describe();
    update();
}

void OverlayWidget::setSelected(int patch) {
    const int wanted = patch >= 0 && patch < panel_.grid_width * panel_.grid_height ? patch : -1;
    if (wanted == style_.selected) return;
    style_.selected = wanted;
    describe();
    update();
}

void OverlayWidget::setAlso(std::vector<int> patches) {
    if (patches == style_.also) return;
    style_.also = std::move(patches);
    update();
}

void OverlayWidget::setOpacity(double opacity) {
    style_.opacity = std::clamp(opacity, 0.0, 1.0);
    update();
}

void OverlayWidget::setHighlightedExpert(int expert) {
    if (style_.highlighted_expert == expert) return;
    style_.highlighted_expert = expert;
    update();
}

void OverlayWidget::setView(double zoom, const QPointF& center) {
    zoom_ = std::clamp(std::isfinite(zoom) ? zoom : 1.0, 1.0, maxZoom());
    const double half = 0.5 / zoom_;
    center_ = QPointF(std::clamp(center.x(), half, 1 - half), std::clamp(center.y(), half, 1 - half));
    update();
    Q_EMIT viewChanged();
}

void OverlayWidget::keepView(double zoom, const QPointF& center) {
    if (panel_.grid_width > 0) setView(zoom, center);
    else kept_view_ = {zoom, center};
}

QRectF OverlayWidget::viewport() const { return fitPicture(panel_, QRectF(rect()).adjusted(2, 2, -2, -2)); }

OverlayGrid OverlayWidget::grid() const {
    const QRectF frame = viewport();
    const QSizeF size = frame.size() * zoom_;
    const QPointF corner(frame.center().x() - center_.x() * size.width(), frame.center().y() - center_.y() * size.height());
    return {QRectF(corner, size), panel_.grid_width, panel_.grid_height};
}

QRectF OverlayWidget::patchRect(int patch) const { return grid().cell(patch); }

double OverlayWidget::maxZoom() const {
    const double pixels = std::max(1, std::max(panel_.picture.width, panel_.grid_width));
    const double fitted = std::max(1.0, viewport().width() / pixels);
    return std::max(1.0, kLargestPixel / fitted);
}

void OverlayWidget::zoomAt(const QPointF& point, double factor) {
    const QRectF frame = viewport();
    if (frame.isEmpty()) return;
    const QRectF before = grid().picture;
    const QPointF held((point.x() - before.left()) / before.width(), (point.y() - before.top()) / before.height());
    const double zoom = std::clamp(zoom_ * factor, 1.0, maxZoom());
    const QSizeF size = frame.size() * zoom;
    setView(zoom, QPointF(held.x() + (frame.center().x() - point.x()) / size.width(), held.y() + (frame.center().y() - point.y()) / size.height()));
}

void OverlayWidget::panBy(const QPointF& pixels) {
    const QRectF drawn = grid().picture;
    if (drawn.isEmpty()) return;
    setView(zoom_, center_ - QPointF(pixels.x() / drawn.width(), pixels.y() / drawn.height()));
}

void OverlayWidget::reveal(int patch) {
    const QRectF cell = grid().cell(patch), frame = viewport();
    QPointF shift;
    if (cell.left() < frame.left()) shift.setX(frame.left() - cell.left());
    else if (cell.right() > frame.right()) shift.setX(frame.right() - cell.right());
    if (cell.top() < frame.top()) shift.setY(frame.top() - cell.top());
    else if (cell.bottom() > frame.bottom()) shift.setY(frame.bottom() - cell.bottom());
    if (!shift.isNull()) panBy(shift);
}

void OverlayWidget::walk(int dx, int dy, bool add) {
    if (panel_.patches.empty()) return;
    const int from = style_.selected;
    int column = from < 0 ? 0 : from % panel_.grid_width, row = from < 0 ? 0 : from / panel_.grid_width;
    if (from >= 0) {
        column = std::clamp(column + dx, 0, panel_.grid_width - 1);
        row = std::clamp(row + dy, 0, panel_.grid_height - 1);
    }
    const int next = row * panel_.grid_width + column;
    if (next == from) return;
    reveal(next);
    if (add && from >= 0) Q_EMIT patchAdded(next);
    else Q_EMIT patchClicked(next);
}

void OverlayWidget::hover(int patch) {
    if (patch == style_.hovered) return;
    style_.hovered = patch;
    update();
    Q_EMIT patchHovered(patch);
}

void OverlayWidget::describe() {
    QString text = panel_.patches.empty() ? tr("No routed picture") : tr("%1 by %2 patches").arg(panel_.grid_width).arg(panel_.grid_height);
    if (style_.selected >= 0 && readout_) text += tr("; selected: %1").arg(readout_(style_.selected));
    if (text == accessibleDescription()) return;
    setAccessibleDescription(text);
    QAccessibleEvent changed(this, QAccessible::DescriptionChanged);
    QAccessible::updateAccessibility(&changed);
}

void OverlayWidget::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const QRectF frame = viewport();
    if (frame.isEmpty()) return;
    style_.colors = theme_->colors();
    style_.font = theme_->font(Theme::FontRole::kTabular);
    style_.font.setWeight(QFont::DemiBold);
    const OverlayGrid now = grid();
    style_.image = &image_;
    style_.smooth = panel_.picture.width <= 0 || now.picture.width() / panel_.picture.width < kCrispPixel;
    painter.save();
    painter.setClipRect(frame);
    paintOverlay(painter, now.picture, panel_, style_);
    painter.restore();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setBrush(Qt::NoBrush);
    painter.setPen(hasFocus() ? QPen(theme_->colors().accent, 2) : QPen(theme_->colors().line, 1));
    painter.drawRect(hasFocus() ? frame : frame.adjusted(-0.5, -0.5, 0.5, 0.5));
    if (style_.hovered < 0 || !readout_ || dragging_) return;
    const QString text = readout_(style_.hovered);
    if (text.isEmpty()) return;
    painter.setFont(theme_->font(Theme::FontRole::kSecondary));
    const double widest = std::max(80.0, std::min(300.0, width() - 24.0));
    const QRectF bounds = painter.fontMetrics().boundingRect(QRect(0, 0, static_cast<int>(widest), 200), Qt::AlignLeft | Qt::TextWordWrap, text);
    QRectF plate(0, 0, bounds.width() + 18, bounds.height() + 8);
    const QRectF cell = now.cell(style_.hovered);
    plate.moveTopLeft(QPointF(cell.left(), cell.bottom() + 4));
    if (plate.bottom() > height() - 2) plate.moveBottom(cell.top() - 4);
    plate.moveLeft(std::clamp(plate.left(), 2.0, std::max(2.0, width() - plate.width() - 2)));
    plate.moveTop(std::clamp(plate.top(), 2.0, std::max(2.0, height() - plate.height() - 2)));
    painter.setPen(QPen(theme_->colors().line, 1));
    painter.setBrush(theme_->colors().panel);
    painter.drawRoundedRect(plate, 4, 4);
    painter.setPen(theme_->colors().text);
    painter.drawText(plate.adjusted(8, 4, -8, -4), Qt::AlignLeft | Qt::AlignVCenter | Qt::TextWordWrap, text);
}

void OverlayWidget::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return QWidget::mousePressEvent(event);
    press_ = last_ = event->position();
    pressed_ = true;
    dragging_ = false;
}

void OverlayWidget::mouseMoveEvent(QMouseEvent* event) {
    if (pressed_ && (dragging_ || (event->position() - press_).manhattanLength() >= QApplication::startDragDistance())) {
        if (!dragging_ && zoom_ > 1) setCursor(Qt::ClosedHandCursor);
        dragging_ = true;
        panBy(event->position() - last_);
        last_ = event->position();
        return;
    }
    hover(viewport().contains(event->position()) ? grid().at(event->position()) : -1);
}

void OverlayWidget::mouseReleaseEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || !pressed_) return QWidget::mouseReleaseEvent(event);
    const bool clicked = !dragging_;
    pressed_ = dragging_ = false;
    unsetCursor();
    if (!clicked || !viewport().contains(event->position())) return;
    const int patch = grid().at(event->position());
    if (patch < 0 || patch >= static_cast<int>(panel_.patches.size())) return;
    if (event->modifiers() & Qt::ShiftModifier) Q_EMIT patchAdded(patch);
    else Q_EMIT patchClicked(patch);
}

void OverlayWidget::mouseDoubleClickEvent(QMouseEvent* event) {
    if (event->button() == Qt::LeftButton && zoom_ > 1) setView(1, {0.5, 0.5});
}

void OverlayWidget::leaveEvent(QEvent*) { hover(-1); }

void OverlayWidget::wheelEvent(QWheelEvent* event) {
    const QPoint pixels = event->pixelDelta(), angle = event->angleDelta();
    if (!pixels.isNull() && !(event->modifiers() & Qt::ControlModifier) && zoom_ > 1) panBy(pixels);  // a touch pad's two fingers
    else if (angle.y() != 0) zoomAt(event->position(), std::pow(kWheelNotch, angle.y() / 120.0));
    event->accept();
}

void OverlayWidget::keyPressEvent(QKeyEvent* event) {
    const QPointF middle = viewport().center();
    const bool add = event->modifiers() & Qt::ShiftModifier;
    switch (event->key()) {
        case Qt::Key_Left: walk(-1, 0, add); break;
        case Qt::Key_Right: walk(1, 0, add); break;
        case Qt::Key_Up: walk(0, -1, add); break;
        case Qt::Key_Down: walk(0, 1, add); break;
        case Qt::Key_Plus:
        case Qt::Key_Equal: zoomAt(style_.selected >= 0 ? patchRect(style_.selected).center() : middle, kWheelNotch); break;
        case Qt::Key_Minus: zoomAt(middle, 1 / kWheelNotch); break;
        case Qt::Key_0: setView(1, {0.5, 0.5}); break;
        case Qt::Key_Escape: Q_EMIT highlightCleared(); break;
        default: QWidget::keyPressEvent(event); return;
    }
    event->accept();
}

void OverlayWidget::focusInEvent(QFocusEvent* event) {
    QWidget::focusInEvent(event);
    update();
}

void OverlayWidget::focusOutEvent(QFocusEvent* event) {
    QWidget::focusOutEvent(event);
    update();
}

bool OverlayWidget::event(QEvent* event) {
    if (event->type() == QEvent::NativeGesture) {
        const auto* gesture = static_cast<QNativeGestureEvent*>(event);
        if (gesture->gestureType() == Qt::ZoomNativeGesture) {
            zoomAt(gesture->position(), 1 + gesture->value());
            return true;
        }
    }
    return QWidget::event(event);
}

}  // namespace es::views
