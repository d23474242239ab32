// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/widgets/segmented_control.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QPainter>
#include <QPainterPath>
#include <QToolTip>

#include "views/theme/color_math.h"

namespace es::views {
namespace {

QFont labelFont(const Theme* theme, bool strong) {
    QFont font = theme->font(Theme::FontRole::kSecondary);
    if (strong) font.setWeight(QFont::DemiBold);
    return font;
}

}  // namespace

SegmentedControl::SegmentedControl(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
    connect(theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void SegmentedControl::setChoices(const QStringList& labels, const QStringList& values) {
    const QStringList next = values.isEmpty() ? labels : values;
    if (labels == labels_ && next == values_) return;
    const QString before = value();
    labels_ = labels;
    values_ = next;
    disabled_why_ = QStringList(labels.size(), QString());
    current_ = static_cast<int>(values_.indexOf(before));
    if (current_ < 0 && !values_.isEmpty()) current_ = 0;
    describe();
    updateGeometry();
    update();
}

void SegmentedControl::setValue(const QString& value) { setIndex(static_cast<int>(values_.indexOf(value))); }

void SegmentedControl::setIndex(int index) {
    if (index < 0 || index >= labels_.size() || index == current_) return;
    current_ = index;
    describe();
    update();
}

void SegmentedControl::clearChoice() {
    if (current_ == -1) return;
    current_ = -1;
    describe();
    update();
}

void SegmentedControl::setChoiceDisabled(const QString& value, const QString& why) {
    if (const auto at = values_.indexOf(value); at >= 0 && disabled_why_[at] != why) {
        disabled_why_[at] = why;
        update();
    }
}

void SegmentedControl::setCompact(bool compact) {
    compact_ = compact;
    updateGeometry();
}

int SegmentedControl::segmentWidth(int index) const {
    const int padding = compact_ ? 6 : 10;
    return std::max(QFontMetrics(labelFont(theme_, true)).horizontalAdvance(labels_[index]) + 2 * padding, compact_ ? 22 : 26);
}

QSize SegmentedControl::sizeHint() const {
    int width = 2;
    for (int i = 0; i < labels_.size(); ++i) width += segmentWidth(i);
    return {width, compact_ ? 22 : theme_->metrics().control};
}

QRect SegmentedControl::segmentRect(int index) const {
    int x = 1;
    for (int i = 0; i < index; ++i) x += segmentWidth(i);
    return {x, 1, segmentWidth(index), height() - 2};
}

int SegmentedControl::segmentAt(const QPoint& point) const {
    for (int i = 0; i < labels_.size(); ++i)
        if (segmentRect(i).contains(point)) return i;
    return -1;
}

void SegmentedControl::describe() { setAccessibleDescription(tr("%1 of %2: %3").arg(current_ + 1).arg(labels_.size()).arg(labels_.value(current_))); }

void SegmentedControl::choose(int index) {
    if (index < 0 || index >= labels_.size() || index == current_ || !disabled_why_[index].isEmpty()) return;
    setIndex(index);
    Q_EMIT chosen(values_[index]);
}

void SegmentedControl::mousePressEvent(QMouseEvent* event) {
    if (event->button() == Qt::LeftButton) choose(segmentAt(event->pos()));
}

void SegmentedControl::mouseMoveEvent(QMouseEvent* event) {
    if (const int at = segmentAt(event->pos()); at != hovered_) {
        hovered_ = at;
        update();
    }
}

void SegmentedControl::leaveEvent(QEvent*) {
    hovered_ = -1;
    update();
}

void SegmentedControl::keyPressEvent(QKeyEvent* event) {
    const int count = static_cast<int>(labels_.size());
    int step = 0, at = current_;
    switch (event->key()) {
        case Qt::Key_Left:
        case Qt::Key_Up: step = -1; break;
        case Qt::Key_Right:
        case Qt::Key_Down: step = 1; break;
        case Qt::Key_Home:
            step = 1;
            at = -1;
            break;
        case Qt::Key_End:
            step = -1;
            at = count;
            break;
        default: return QWidget::keyPressEvent(event);
    }
    for (at += step; at >= 0 && at < count; at += step)
        if (disabled_why_[at].isEmpty()) return choose(at);
}

bool SegmentedControl::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        auto* help = static_cast<QHelpEvent*>(event);
        const int at = segmentAt(help->pos());
        const QString why = at >= 0 ? disabled_why_[at] : QString();
        if (!why.isEmpty()) {
            QToolTip::showText(help->globalPos(), why, this, segmentRect(at));
            return true;
        }
    }
    if (event->type() == QEvent::EnabledChange || event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut) update();
    return QWidget::event(event);
}

void SegmentedControl::paintEvent(QPaintEvent*) {
    const ThemeColors& c = theme_->colors();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QRectF frame = QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5);
    QPainterPath outline;
    outline.addRoundedRect(frame, 5, 5);
    painter.fillPath(outline, c.panel);
    painter.setClipPath(outline);
    for (int i = 0; i < labels_.size(); ++i) {
        const QRect area = segmentRect(i);
        const bool on = i == current_, available = isEnabled() && disabled_why_[i].isEmpty();
        if (on) painter.fillRect(area.adjusted(i == 0 ? -1 : 0, -1, i + 1 == labels_.size() ? 1 : 0, 1), c.accentGround);
        else if (i == hovered_ && available) painter.fillRect(area, mix(c.panel, c.accentGround, 0.4));
        if (i > 0) {
            painter.setPen(QPen(c.line, 1));
            painter.drawLine(QPointF(area.left() - 0.5, 0), QPointF(area.left() - 0.5, height()));
        }
        painter.setFont(labelFont(theme_, on));
        const QColor ink = on ? Theme::legible(c.accent, c.accentGround) : c.text;
        painter.setPen(available ? ink : c.faint);
        painter.drawText(area, Qt::AlignCenter, labels_[i]);
    }
    painter.setClipping(false);
    painter.setPen(QPen(c.line, 1));
    painter.drawPath(outline);
    if (hasFocus()) {
        painter.setPen(QPen(c.accent, 2));
        painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), 5, 5);
    }
}

}  // namespace es::views
