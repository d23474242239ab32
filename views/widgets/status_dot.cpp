// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/widgets/status_dot.h"

#include <QPainter>

namespace es::views {

StatusDot::StatusDot(Theme* theme, analysis::ColorRole role, const QString& word, QWidget* parent) : QWidget(parent), theme_(theme) {
    setFont(theme->font(Theme::FontRole::kSecondary));
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
    connect(theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
    setStatus(role, word);
}

void StatusDot::setStatus(analysis::ColorRole role, const QString& word) {
    role_ = role;
    word_ = word;
    setAccessibleName(word);
    updateGeometry();
    update();
}

QSize StatusDot::sizeHint() const { return {word_.isEmpty() ? 10 : 16 + fontMetrics().horizontalAdvance(word_), 20}; }

void StatusDot::paintEvent(QPaintEvent*) {
    const ThemeColors& c = theme_->colors();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    const QColor color = Theme::color(role_, c);
    painter.setBrush(color);
    painter.drawEllipse(QRectF(1, height() / 2.0 - 4, 8, 8));
    painter.setPen(Theme::legible(color, c.panel));
    painter.drawText(rect().adjusted(15, 0, 0, 0), Qt::AlignVCenter | Qt::AlignLeft, word_);
}

}  // namespace es::views
