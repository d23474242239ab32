// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/overlay/token_chips.h"

#include <QAccessible>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

namespace es::views {
namespace {
constexpr int kMargin = 2;  // room for the outline of the chosen chip
}

TokenChips::TokenChips(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    setObjectName(QStringLiteral("tokenChips"));
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setAccessibleName(tr("Experts on the caption's words"));
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    connect(theme_, &Theme::changed, this, &TokenChips::restyle);
    restyle();
    describe();
}

void TokenChips::restyle() {
    style_.colors = theme_->colors();
    style_.font = theme_->font(Theme::FontRole::kBody);
    relayout();
    update();
}

ChipLayout TokenChips::layoutFor(double width) const { return layoutChips(panel_, QPointF(kMargin, kMargin), std::max(40.0, width - 2 * kMargin), style_); }

void TokenChips::relayout() { layout_ = layoutFor(width()); }

int TokenChips::heightForWidth(int width) const {
    const double height = width == this->width() ? layout_.height : layoutFor(width).height;  // layouts ask for the width at hand again and again
    return static_cast<int>(std::ceil(height)) + 2 * kMargin;
}

QSize TokenChips::minimumSizeHint() const { return {120, 2 * kMargin}; }

void TokenChips::setPanel(analysis::OverlayPanel panel) {
    panel_ = std::move(panel);
    const int words = static_cast<int>(panel_.words.size());
    if (style_.selected >= words) style_.selected = -1;
    if (style_.hovered >= words) style_.hovered = -1;
    relayout();
    updateGeometry();
    describe();
    update();
}

void TokenChips::setSelected(int word) {
    const int wanted = word >= 0 && word < static_cast<int>(panel_.words.size()) ? word : -1;
    if (wanted == style_.selected) return;
    style_.selected = wanted;
    describe();
    update();
}

void TokenChips::setAlso(std::vector<int> words) {
    if (words == style_.also) return;
    style_.also = std::move(words);
    update();
}

void TokenChips::refreshReadout() {
    describe();
    if (style_.hovered >= 0 && readout_ && QToolTip::isVisible())
        QToolTip::showText(mapToGlobal(chipRect(style_.hovered).bottomLeft().toPoint()), readout_(style_.hovered), this, chipRect(style_.hovered).toRect());
}

void TokenChips::setHighlightedExpert(int expert) {
    if (style_.highlighted_expert == expert) return;
    style_.highlighted_expert = expert;
    update();
}

QRectF TokenChips::chipRect(int word) const {
    return word >= 0 && word < static_cast<int>(layout_.boxes.size()) ? layout_.boxes[static_cast<std::size_t>(word)] : QRectF();
}

void TokenChips::hover(int word) {
    if (word == style_.hovered) return;
    style_.hovered = word;
    setCursor(word >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
    update();
    Q_EMIT wordHovered(word);
}

void TokenChips::describe() {
    QString text = panel_.words.empty() ? tr("No words") : tr("%n words", nullptr, static_cast<int>(panel_.words.size()));
    if (style_.selected >= 0 && readout_) text += tr("; selected: %1").arg(readout_(style_.selected));
    if (text == accessibleDescription()) return;
    setAccessibleDescription(text);
    QAccessibleEvent changed(this, QAccessible::DescriptionChanged);
    QAccessible::updateAccessibility(&changed);
}

void TokenChips::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    paintChips(painter, layout_, panel_, style_);
    if (!hasFocus()) return;
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(theme_->colors().accent, 2));
    painter.setBrush(Qt::NoBrush);
    const QRectF ring = style_.selected >= 0 ? chipRect(style_.selected) : QRectF(rect()).adjusted(1, 1, -1, -1);
    painter.drawRoundedRect(ring, 4, 4);
}

void TokenChips::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return QWidget::mousePressEvent(event);
    const int word = layout_.at(event->position());
    if (word < 0) return;
    if (event->modifiers() & Qt::ShiftModifier) Q_EMIT wordAdded(word);
    else Q_EMIT wordClicked(word);
}

void TokenChips::mouseMoveEvent(QMouseEvent* event) { hover(layout_.at(event->position())); }

void TokenChips::leaveEvent(QEvent*) { hover(-1); }

void TokenChips::keyPressEvent(QKeyEvent* event) {
    const int words = static_cast<int>(panel_.words.size()), from = style_.selected;
    int next = from;
    switch (event->key()) {
        case Qt::Key_Left: next = std::max(0, from - 1); break;
        case Qt::Key_Right: next = std::min(words - 1, from + 1); break;
        case Qt::Key_Up: next = from < 0 ? 0 : layout_.lineStep(from, -1); break;
        case Qt::Key_Down: next = from < 0 ? 0 : layout_.lineStep(from, 1); break;
        case Qt::Key_Home: next = 0; break;
        case Qt::Key_End: next = words - 1; break;
        case Qt::Key_Escape: Q_EMIT highlightCleared(); return;
        default: QWidget::keyPressEvent(event); return;
    }
    event->accept();
    if (words == 0 || next == from) return;
    if ((event->modifiers() & Qt::ShiftModifier) && from >= 0) Q_EMIT wordAdded(next);
    else Q_EMIT wordClicked(next);
}

void TokenChips::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    relayout();
}

bool TokenChips::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const int word = layout_.at(help->pos());
        if (word >= 0 && readout_) QToolTip::showText(help->globalPos(), readout_(word), this, chipRect(word).toRect());
        else QToolTip::hideText();
        return true;
    }
    return QWidget::event(event);
}

}  // namespace es::views
