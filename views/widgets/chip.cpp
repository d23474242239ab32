// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/widgets/chip.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

#include "views/theme/color_math.h"

namespace es::views {
namespace {

constexpr int kHeight = 24, kPadding = 10, kDot = 8, kGap = 6, kClose = 16;

}  // namespace

Chip::Chip(Theme* theme, const QString& text, std::optional<analysis::ColorRole> dot, QWidget* parent) : QAbstractButton(parent), theme_(theme), dot_(dot) {
    setText(text);
    setFont(theme->font(Theme::FontRole::kSecondary));
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    setCursor(Qt::PointingHandCursor);
    setAttribute(Qt::WA_Hover);
    connect(theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void Chip::setDot(std::optional<analysis::ColorRole> dot) {
    if (dot == dot_) return;
    const bool same_width = dot.has_value() == dot_.has_value();
    dot_ = dot;
    if (!same_width) updateGeometry();
    update();
}

void Chip::setRemovable(bool removable) {
    if (removable == removable_) return;
    removable_ = removable;
    updateGeometry();
    update();
}

void Chip::setReadOnly(bool read_only) {
    read_only_ = read_only;
    setFocusPolicy(read_only ? Qt::NoFocus : Qt::StrongFocus);
    setCursor(read_only ? Qt::ArrowCursor : Qt::PointingHandCursor);
}

QSize Chip::sizeHint() const {
    const int text = fontMetrics().horizontalAdvance(this->text()) + 1;  // advances are rounded down
    return {2 * kPadding + text + (dot_ ? kDot + kGap : 0) + (removable_ ? kClose : 0), kHeight};
}

QSize Chip::minimumSizeHint() const { return {std::min(sizeHint().width(), 2 * kPadding + 48), kHeight}; }

QRect Chip::closeRect() const { return removable_ ? QRect(width() - kClose - 6, (height() - kClose) / 2, kClose, kClose) : QRect(); }

void Chip::mousePressEvent(QMouseEvent* event) {
    if (removable_ && closeRect().contains(event->pos())) {
        Q_EMIT removeRequested();
        return;
    }
    QAbstractButton::mousePressEvent(event);
}

void Chip::keyPressEvent(QKeyEvent* event) {
    if (removable_ && (event->key() == Qt::Key_Delete || event->key() == Qt::Key_Backspace)) {
        Q_EMIT removeRequested();
        return;
    }
    QAbstractButton::keyPressEvent(event);
}

void Chip::paintEvent(QPaintEvent*) {
    const ThemeColors& c = theme_->colors();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QColor plain = c.dark ? mix(c.panel, c.text, 0.09) : mix(c.ground, c.line, 0.3);
    QColor fill = isChecked() ? c.accentGround : plain;
    if (!read_only_ && underMouse() && isEnabled()) fill = mix(fill, c.text, 0.06);
    const QRectF body = QRectF(rect()).adjusted(1, 1, -1, -1);
    painter.setPen(hasFocus() ? QPen(c.accent, 2) : QPen(Qt::NoPen));
    painter.setBrush(fill);
    painter.drawRoundedRect(body, body.height() / 2, body.height() / 2);
    int x = kPadding;
    if (dot_) {
        painter.setPen(Qt::NoPen);
        painter.setBrush(Theme::color(*dot_, c));
        painter.drawEllipse(QRectF(x, (height() - kDot) / 2.0, kDot, kDot));
        x += kDot + kGap;
    }
    const int right = width() - kPadding - (removable_ ? kClose - 2 : 0);
    painter.setPen(!isEnabled() ? c.faint : isChecked() ? Theme::legible(c.accent, fill) : c.text);
    painter.setFont(font());
    painter.drawText(QRect(x, 0, right - x, height()), Qt::AlignVCenter | Qt::AlignLeft, fontMetrics().elidedText(text(), Qt::ElideMiddle, right - x));
    if (removable_) painter.drawPixmap(closeRect().topLeft() + QPoint(2, 2), theme_->icon(QStringLiteral("close"), c.muted, 12));
}

}  // namespace es::views
