// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/figures/page_view.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>

namespace es::views {

namespace {
constexpr double kAround = 28, kFoot = 26;
constexpr double kLargestScale = 3.2;  // of the size on paper, at 96 pixels an inch: beyond that nothing more is to be seen
}  // namespace

PageView::PageView(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Page of the figure"));
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    connect(theme_, &Theme::changed, this, [this] { update(); });
}

void PageView::setPage(const QSizeF& size_mm, std::vector<QRectF> cells) {
    const bool resized = size_mm != size_mm_;
    size_mm_ = size_mm;
    cells_ = std::move(cells);
    if (selected_ >= static_cast<int>(cells_.size())) selected_ = -1;
    if (resized) Q_EMIT imageWanted();
    update();
}

void PageView::setImage(const QImage& image) {
    image_ = image;
    update();
}

void PageView::setSelected(int panel) {
    selected_ = panel;
    update();
}

QRectF PageView::paper() const {
    if (size_mm_.isEmpty()) return {};
    const QSizeF room(std::max(10.0, width() - 2 * kAround), std::max(10.0, height() - 2 * kAround - kFoot));
    const QSizeF natural = size_mm_ / 25.4 * 96;
    const double scale = std::min({room.width() / natural.width(), room.height() / natural.height(), kLargestScale});
    const QSizeF size = natural * scale;
    return {QPointF((width() - size.width()) / 2, (height() - kFoot - size.height()) / 2), size};
}

double PageView::dpi() const { return size_mm_.isEmpty() ? 0 : paper().width() * devicePixelRatioF() / (size_mm_.width() / 25.4); }

QRectF PageView::cellRect(int panel) const {
    if (panel < 0 || panel >= static_cast<int>(cells_.size())) return {};
    const QRectF sheet = paper();
    const double scale = sheet.width() / (size_mm_.width() * page::kPointsPerMm);
    const QRectF cell = cells_[static_cast<std::size_t>(panel)];
    return {sheet.topLeft() + cell.topLeft() * scale, cell.size() * scale};
}

void PageView::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::SmoothPixmapTransform);
    painter.fillRect(rect(), theme_->colors().ground);
    const QRectF sheet = paper();
    if (sheet.isEmpty()) return;
    painter.setPen(QPen(theme_->colors().line, 1));
    painter.setBrush(Qt::white);
    painter.drawRect(sheet.adjusted(-0.5, -0.5, 0.5, 0.5));
    if (!image_.isNull()) painter.drawImage(sheet, image_);
    if (selected_ >= 0) {
        // The accent of the light theme: the paper is white in both.
        painter.setPen(QPen(Theme::lightColors().accent, 1.5));
        painter.setBrush(Qt::NoBrush);
        painter.drawRoundedRect(cellRect(selected_).adjusted(-4, -4, 4, 4), 3, 3);
    }
    painter.setFont(theme_->font(Theme::FontRole::kSecondary));
    painter.setPen(theme_->colors().muted);
    const double zoom = sheet.width() / (size_mm_.width() / 25.4 * 96) * 100;
    painter.drawText(QRectF(0, sheet.bottom() + 6, width(), kFoot), Qt::AlignHCenter | Qt::AlignTop,
                     tr("%1 × %2 mm · shown at %3 %").arg(size_mm_.width(), 0, 'f', 1).arg(size_mm_.height(), 0, 'f', 1).arg(qRound(zoom)));
    if (hasFocus() && selected_ < 0) {
        painter.setPen(QPen(theme_->colors().accent, 2));
        painter.setBrush(Qt::NoBrush);
        painter.drawRoundedRect(sheet.adjusted(-4, -4, 4, 4), 3, 3);
    }
}

void PageView::resizeEvent(QResizeEvent*) { Q_EMIT imageWanted(); }

void PageView::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return;
    for (int i = 0; i < static_cast<int>(cells_.size()); ++i)
        if (cellRect(i).contains(event->position())) {
            Q_EMIT panelClicked(i);
            return;
        }
    Q_EMIT panelClicked(-1);
}

void PageView::keyPressEvent(QKeyEvent* event) {
    const int panels = static_cast<int>(cells_.size());
    const bool forward = event->key() == Qt::Key_Right || event->key() == Qt::Key_Down, back = event->key() == Qt::Key_Left || event->key() == Qt::Key_Up;
    if (panels == 0 || (!forward && !back)) {
        QWidget::keyPressEvent(event);
        return;
    }
    Q_EMIT panelClicked(selected_ < 0 ? 0 : std::clamp(selected_ + (forward ? 1 : -1), 0, panels - 1));
}

}  // namespace es::views
