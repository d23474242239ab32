// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/sheet/sheet_grid.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollArea>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "views/overlay/overlay_chips.h"
#include "views/overlay/overlay_painter.h"

namespace es::views {
namespace {

constexpr int kRoomyCell = 24;  // side of a patch that a number does not hide
constexpr int kSheetGap = 10, kCaptionLine = 16, kShareLine = 16, kChipRows = 44, kRing = 3;

}  // namespace

SheetGrid::SheetGrid(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    setObjectName(QStringLiteral("sheetGrid"));
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setAccessibleName(tr("Samples with their experts"));
    QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Minimum);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    connect(theme_, &Theme::changed, this, &SheetGrid::forgetDrawn);
}

void SheetGrid::forgetDrawn() {
    drawn_.clear();
    update();
}

void SheetGrid::setSheet(std::shared_ptr<const analysis::ContactSheet> sheet, bool words) {
    sheet_ = std::move(sheet);
    words_ = words;
    current_ = std::clamp(current_, 0, std::max(0, count() - 1));
    hovered_ = -1;
    setMinimumHeight(heightForWidth(width()));
    updateGeometry();
    describe();
    forgetDrawn();
}

void SheetGrid::setOpacity(double opacity) {
    if (opacity == opacity_) return;
    opacity_ = opacity;
    forgetDrawn();
}

void SheetGrid::setHighlightedExpert(int expert) {
    if (expert == highlighted_) return;
    highlighted_ = expert;
    if (!brings_out_) forgetDrawn();  // else the sheet's own expert is the one brought out
}

void SheetGrid::setBringsOutItsExpert(bool brings_out) {
    if (brings_out == brings_out_) return;
    brings_out_ = brings_out;
    forgetDrawn();
}

void SheetGrid::setShownSample(std::uint64_t sample) {
    if (sample == shown_) return;
    shown_ = sample;
    update();
}

void SheetGrid::setSide(int pixels) {
    if (pixels == side_) return;
    side_ = pixels;
    setMinimumHeight(heightForWidth(width()));
    updateGeometry();
    forgetDrawn();
}

QSize SheetGrid::cellSize() const { return {side_, side_ + kCaptionLine + kShareLine + (words_ ? kChipRows : 0)}; }

int SheetGrid::columns(int width) const { return std::max(1, (width - 2 * kRing + kSheetGap) / (side_ + kSheetGap)); }

int SheetGrid::heightForWidth(int width) const {
    const int rows = (count() + columns(width) - 1) / columns(width);
    return std::max(60, rows * (cellSize().height() + kSheetGap) + 2 * kRing);
}

QRectF SheetGrid::cellRect(int index) const {
    const int across = columns(width());
    const QSize size = cellSize();
    return QRectF(QPointF(kRing + index % across * (side_ + kSheetGap), kRing + index / across * (size.height() + kSheetGap)), QSizeF(size));
}

int SheetGrid::cellAt(const QPointF& point) const {
    for (int i = 0; i < count(); ++i)
        if (cellRect(i).contains(point)) return i;
    return -1;
}

QString SheetGrid::words(int index) const {
    if (index < 0 || index >= count()) return {};
    const auto& item = sheet_->items[static_cast<std::size_t>(index)];
    if (!std::isfinite(item.share)) return tr("no token through this router");
    if (sheet_->router.layout == store::RoutingLayout::kDenseMass) return tr("expert %1: mean %2 %").arg(sheet_->expert.value).arg(item.share * 100, 0, 'f', 1);
    return tr("expert %1: %2 % of %3").arg(sheet_->expert.value).arg(item.share * 100, 0, 'f', 0).arg(item.tokens);
}

void SheetGrid::describe() {
    setAccessibleDescription(count() == 0 ? tr("no samples") : tr("%1 of %2: %3").arg(current_ + 1).arg(count()).arg(words(current_)));
}

const QPixmap& SheetGrid::drawn(int index) {
    if (const auto found = drawn_.constFind(index); found != drawn_.constEnd()) return *found;
    const qreal ratio = devicePixelRatioF();
    const QSize size = cellSize();
    QPixmap pixmap(size * ratio);
    pixmap.setDevicePixelRatio(ratio);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    const auto& item = sheet_->items[static_cast<std::size_t>(index)];
    const auto& panel = std::get<analysis::OverlayPanel>(item.panel.content);
    OverlayStyle style;
    style.colors = theme_->colors();
    style.font = theme_->font(Theme::FontRole::kTabular);
    style.font.setWeight(QFont::DemiBold);
    style.opacity = opacity_;
    style.highlighted_expert = brings_out_ ? sheet_->expert.value : highlighted_;
    // On small patches the numbers of the others would hide the picture.
    if (brings_out_ && panel.grid_width * kRoomyCell > side_) style.numbered_expert = sheet_->expert.value;
    const QRectF square(0, 0, side_, side_);
    if (const QRectF picture = fitPicture(panel, square); !picture.isEmpty()) {
        painter.setClipRect(picture);
        paintOverlay(painter, picture, panel, style);
        painter.setClipping(false);
    } else {
        painter.fillRect(square, style.colors.panelHeader);
        painter.setPen(style.colors.muted);
        painter.setFont(theme_->font(Theme::FontRole::kSecondary));
        painter.drawText(square, Qt::AlignCenter, tr("no picture"));
    }
    painter.setFont(theme_->font(Theme::FontRole::kSecondary));
    const QFontMetrics metrics(painter.font());
    double top = side_;
    painter.setPen(style.colors.text);
    const QString title = QString::fromStdString(item.panel.title);
    const qsizetype dot = title.indexOf(QStringLiteral(" · "));
    const QString caption = dot < 0 ? tr("without caption") : title.mid(dot + 3);
    painter.drawText(QRectF(0, top, side_, kCaptionLine), Qt::AlignLeft | Qt::AlignVCenter, metrics.elidedText(caption, Qt::ElideRight, side_));
    top += kCaptionLine;
    painter.setPen(style.colors.muted);
    painter.drawText(QRectF(0, top, side_, kShareLine), Qt::AlignLeft | Qt::AlignVCenter, metrics.elidedText(words(index), Qt::ElideRight, side_));
    top += kShareLine;
    if (words_ && !panel.words.empty()) {
        OverlayStyle chips = style;
        chips.font = theme_->font(Theme::FontRole::kSecondary);
        chips.word_px = 11;
        chips.number_px = 11;
        painter.setClipRect(QRectF(0, top, side_, kChipRows));
        paintChips(painter, layoutChips(panel, QPointF(0, top + 2), side_, chips), panel, chips);
    }
    painter.end();
    return *drawn_.insert(index, pixmap);
}

void SheetGrid::paintEvent(QPaintEvent* event) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const ThemeColors& colors = theme_->colors();
    for (int i = 0; i < count(); ++i) {
        const QRectF cell = cellRect(i);
        if (!event->rect().intersects(cell.adjusted(-kRing, -kRing, kRing, kRing).toAlignedRect())) continue;
        painter.drawPixmap(cell.topLeft(), drawn(i));
        const bool here = sheet_->items[static_cast<std::size_t>(i)].sample == shown_;
        const bool focused = hasFocus() && i == current_;
        if (!here && !focused && i != hovered_) continue;
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(here || focused ? colors.accent : colors.faint, here || focused ? 2 : 1));
        painter.drawRoundedRect(QRectF(cell.topLeft(), QSizeF(side_, side_)).adjusted(-1, -1, 1, 1), 2, 2);
    }
}

void SheetGrid::mousePressEvent(QMouseEvent* event) {
    const int cell = event->button() == Qt::LeftButton ? cellAt(event->position()) : -1;
    if (cell < 0) return QWidget::mousePressEvent(event);
    current_ = cell;
    describe();
    Q_EMIT sampleOpened(sheet_->items[static_cast<std::size_t>(cell)].sample);
}

void SheetGrid::mouseMoveEvent(QMouseEvent* event) {
    const int cell = cellAt(event->position());
    if (cell == hovered_) return;
    hovered_ = cell;
    setCursor(cell >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
    update();
}

void SheetGrid::leaveEvent(QEvent*) {
    hovered_ = -1;
    update();
}

void SheetGrid::keyPressEvent(QKeyEvent* event) {
    const int across = columns(width());
    int next = current_;
    switch (event->key()) {
        case Qt::Key_Left: next -= 1; break;
        case Qt::Key_Right: next += 1; break;
        case Qt::Key_Up: next -= across; break;
        case Qt::Key_Down: next += across; break;
        case Qt::Key_Home: next = 0; break;
        case Qt::Key_End: next = count() - 1; break;
        case Qt::Key_Return:
        case Qt::Key_Space:
            if (current_ < count()) Q_EMIT sampleOpened(sheet_->items[static_cast<std::size_t>(current_)].sample);
            return;
        default: QWidget::keyPressEvent(event); return;
    }
    event->accept();
    if (next < 0 || next >= count() || next == current_) return;
    current_ = next;
    for (QWidget* parent = parentWidget(); parent; parent = parent->parentWidget())
        if (auto* scroll = qobject_cast<QScrollArea*>(parent)) {
            const QPoint middle = cellRect(current_).center().toPoint();
            scroll->ensureVisible(middle.x(), middle.y(), cellSize().width() / 2 + kRing, cellSize().height() / 2 + kRing);
            break;
        }
    describe();
    update();
}

void SheetGrid::focusInEvent(QFocusEvent* event) {
    QWidget::focusInEvent(event);
    update();
}

void SheetGrid::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    setMinimumHeight(heightForWidth(width()));
}

bool SheetGrid::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        if (const int cell = cellAt(help->pos()); cell >= 0) {
            const QString title = QString::fromStdString(sheet_->items[static_cast<std::size_t>(cell)].panel.title);
            QToolTip::showText(help->globalPos(), title + QLatin1Char('\n') + words(cell), this, cellRect(cell).toRect());
        } else {
            QToolTip::hideText();
        }
        return true;
    }
    if (event->type() == QEvent::FocusOut) update();
    return QWidget::event(event);
}

}  // namespace es::views
