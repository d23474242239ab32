// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/overlay/expert_legend.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

namespace es::views {
namespace {
constexpr int kMargin = 2, kBarHeight = 26;
}

ExpertLegend::ExpertLegend(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    setObjectName(QStringLiteral("expertLegend"));
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setAccessibleName(tr("Experts and their shares of the tokens"));
    setToolTip(tr("Click an expert to bring it out; click again to let it go"));
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    connect(theme_, &Theme::changed, this, &ExpertLegend::restyle);
    restyle();
}

void ExpertLegend::restyle() {
    style_.colors = theme_->colors();
    style_.font = theme_->font(Theme::FontRole::kSecondary);
    layout_ = layoutFor(width());
    update();
}

LegendLayout ExpertLegend::layoutFor(double width) const {
    return layoutLegend(entries_, QPointF(kMargin, kMargin), std::max(40.0, width - 2 * kMargin), style_);
}

int ExpertLegend::heightForWidth(int width) const {
    if (scale_.show_values) return kBarHeight;
    const double height = width == this->width() ? layout_.height : layoutFor(width).height;  // layouts ask for the width at hand again and again
    return static_cast<int>(std::ceil(height)) + 2 * kMargin;
}

QRectF ExpertLegend::entryRect(int entry) const {
    return entry >= 0 && entry < static_cast<int>(layout_.boxes.size()) ? layout_.boxes[static_cast<std::size_t>(entry)] : QRectF();
}

void ExpertLegend::setPanel(const analysis::OverlayPanel& panel) {
    scale_ = {};
    scale_.show_values = panel.show_values;
    scale_.value_title = panel.value_title;
    scale_.value_min = panel.value_min;
    scale_.value_max = panel.value_max;
    scale_.map = panel.map;
    entries_ = panel.show_values ? std::vector<LegendEntry>() : legendOf(panel);
    current_ = std::clamp(current_, 0, std::max(0, static_cast<int>(entries_.size()) - 1));
    style_.hovered = -1;
    layout_ = layoutFor(width());
    QStringList words;
    for (const auto& entry : entries_) words << entry.text;
    setAccessibleDescription(panel.show_values ? QString::fromStdString(panel.value_title) : words.join(QStringLiteral(", ")));
    setVisible(panel.show_values || !entries_.empty());
    updateGeometry();
    update();
}

void ExpertLegend::setHighlightedExpert(int expert) {
    if (style_.highlighted_expert == expert) return;
    style_.highlighted_expert = expert;
    update();
}

void ExpertLegend::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    if (scale_.show_values) {
        paintValueBar(painter, QRectF(rect()), scale_, style_);
        return;
    }
    paintLegend(painter, layout_, entries_, style_);
    if (!hasFocus() || entries_.empty()) return;
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(theme_->colors().accent, 2));
    painter.setBrush(Qt::NoBrush);
    painter.drawRoundedRect(entryRect(current_), 4, 4);
}

void ExpertLegend::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return QWidget::mousePressEvent(event);
    const int entry = layout_.at(event->position());
    if (entry < 0) return;
    current_ = entry;
    Q_EMIT expertClicked(entries_[static_cast<std::size_t>(entry)].expert);
}

void ExpertLegend::mouseMoveEvent(QMouseEvent* event) {
    const int entry = scale_.show_values ? -1 : layout_.at(event->position());
    if (entry == style_.hovered) return;
    style_.hovered = entry;
    setCursor(entry >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
    update();
}

void ExpertLegend::leaveEvent(QEvent*) {
    style_.hovered = -1;
    update();
}

void ExpertLegend::keyPressEvent(QKeyEvent* event) {
    const int last = static_cast<int>(entries_.size()) - 1;
    switch (event->key()) {
        case Qt::Key_Left:
        case Qt::Key_Up: current_ = std::max(0, current_ - 1); break;
        case Qt::Key_Right:
        case Qt::Key_Down: current_ = std::min(std::max(0, last), current_ + 1); break;
        case Qt::Key_Space:
        case Qt::Key_Return:
            if (current_ <= last) Q_EMIT expertClicked(entries_[static_cast<std::size_t>(current_)].expert);
            break;
        default: QWidget::keyPressEvent(event); return;
    }
    event->accept();
    update();
}

void ExpertLegend::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    layout_ = layoutFor(width());
}

}  // namespace es::views
