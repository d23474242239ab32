// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/heatmap_plot.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <algorithm>
#include <cmath>

#include "views/plots/readout_box.h"

namespace es::views {

HeatmapPlot::HeatmapPlot(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Heat map"));
    connect(theme_, &Theme::changed, this, [this] { relayout(); });
}

void HeatmapPlot::setPanel(std::shared_ptr<const analysis::HeatmapPanel> panel) {
    panel_ = std::move(panel);
    if (panel_) {
        row_ = std::min(row_, panel_->rows - 1);
        column_ = std::min(column_, panel_->columns - 1);
        setAccessibleDescription(tr("%1 rows by %2 columns of %3").arg(panel_->rows).arg(panel_->columns).arg(QString::fromStdString(panel_->value_title)));
    }
    relayout();
}

void HeatmapPlot::setSelectedRow(int row) {
    if (row == selected_row_) return;
    selected_row_ = row;
    update();
}

void HeatmapPlot::setSelectedCell(int row, int column) {
    if (row == cell_row_ && column == cell_column_) return;
    cell_row_ = row;
    cell_column_ = column;
    update();
}

void HeatmapPlot::setCursorX(std::optional<double> x) {
    if (x == cursor_x_) return;
    cursor_x_ = x;
    update();
}

void HeatmapPlot::relayout() {
    cache_ = QPixmap();
    if (panel_) geometry_ = layoutHeatmap(QRectF(rect()).adjusted(4, 2, -4, -2), *panel_, PlotStyle::screen(*theme_));
    update();
}

void HeatmapPlot::resizeEvent(QResizeEvent*) { relayout(); }

QString HeatmapPlot::cellText(int row, int column) const {
    if (!panel_ || row < 0 || column < 0) return {};
    if (cell_text_) return cell_text_(row, column);
    const double value = panel_->values[static_cast<std::size_t>(row) * static_cast<std::size_t>(panel_->columns) + static_cast<std::size_t>(column)];
    const auto at = static_cast<std::size_t>(column);
    const QString x = at < panel_->x_values.size() ? readout(panel_->x_values[at]) : axisEntry(panel_->x, column);
    const QString y_title = QString::fromStdString(panel_->y.title), x_title = QString::fromStdString(panel_->x.title);
    return tr("%1 %2 · %3 %4\n%5 %6")
        .arg(y_title, axisEntry(panel_->y, row), x_title, x, QString::fromStdString(panel_->value_title),
             std::isfinite(value) ? readout(value) : tr("not recorded"))
        .trimmed();
}

void HeatmapPlot::hover(int row, int column) {
    if (row == row_ && column == column_) return;
    row_ = row;
    column_ = column;
    Q_EMIT cellHovered(row, column);
    update();
}

bool HeatmapPlot::event(QEvent* event) {
    if (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut) {
        const Qt::FocusReason reason = static_cast<QFocusEvent*>(event)->reason();
        ring_ = event->type() == QEvent::FocusIn && (reason == Qt::TabFocusReason || reason == Qt::BacktabFocusReason || reason == Qt::ShortcutFocusReason);
        if (event->type() == QEvent::FocusOut) hover(-1, -1);
        update();
    }
    return QWidget::event(event);
}

void HeatmapPlot::mouseMoveEvent(QMouseEvent* event) {
    const auto [row, column] = geometry_.at(event->position());
    hover(row, column);
}

void HeatmapPlot::leaveEvent(QEvent*) { hover(-1, -1); }

void HeatmapPlot::mousePressEvent(QMouseEvent* event) {
    const auto [row, column] = geometry_.at(event->position());
    if (event->button() == Qt::LeftButton && row >= 0) Q_EMIT cellClicked(row, column);
}

void HeatmapPlot::keyPressEvent(QKeyEvent* event) {
    if (!panel_ || panel_->rows == 0 || panel_->columns == 0) return QWidget::keyPressEvent(event);
    int row = std::max(row_, 0), column = std::max(column_, 0);
    const bool fresh = row_ < 0;
    switch (event->key()) {
        case Qt::Key_Left: column -= fresh ? 0 : 1; break;
        case Qt::Key_Right: column += fresh ? 0 : 1; break;
        case Qt::Key_Up: row -= fresh ? 0 : 1; break;
        case Qt::Key_Down: row += fresh ? 0 : 1; break;
        case Qt::Key_PageUp: column -= 10; break;
        case Qt::Key_PageDown: column += 10; break;
        case Qt::Key_Home: column = 0; break;
        case Qt::Key_End: column = panel_->columns - 1; break;
        case Qt::Key_Return:
        case Qt::Key_Enter:
        case Qt::Key_Space:
            if (!fresh) Q_EMIT cellClicked(row_, column_);
            return;
        case Qt::Key_Escape:
            if (fresh) return QWidget::keyPressEvent(event);
            return hover(-1, -1);
        default: return QWidget::keyPressEvent(event);
    }
    hover(std::clamp(row, 0, panel_->rows - 1), std::clamp(column, 0, panel_->columns - 1));
    setAccessibleDescription(cellText(row_, column_));
}

void HeatmapPlot::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    if (!panel_ || geometry_.row_top.size() < 2) return;
    const PlotStyle style = PlotStyle::screen(*theme_);
    const ThemeColors& c = style.colors;
    if (cache_.isNull() || cache_.devicePixelRatio() != devicePixelRatioF()) {
        cache_ = QPixmap(size() * devicePixelRatioF());
        cache_.setDevicePixelRatio(devicePixelRatioF());
        cache_.fill(Qt::transparent);
        QPainter inside(&cache_);
        paintHeatmap(inside, *panel_, geometry_, style);
    }
    painter.drawPixmap(0, 0, cache_);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setBrush(Qt::NoBrush);
    if (selected_row_ >= 0 && selected_row_ < panel_->rows) {
        QRectF row = geometry_.cell(selected_row_, 0);
        row.setRight(geometry_.area.right());
        painter.setPen(QPen(c.panel, 4));
        painter.drawRoundedRect(row.adjusted(-1.5, -1.5, 1.5, 1.5), 2, 2);
        painter.setPen(QPen(c.accent, 2));
        painter.drawRoundedRect(row.adjusted(-1.5, -1.5, 1.5, 1.5), 2, 2);
    }
    if (cursor_x_ && panel_->x_values.size() == static_cast<std::size_t>(panel_->columns)) {
        const double x = geometry_.xOf(*cursor_x_);
        if (x >= geometry_.area.left() - 1 && x <= geometry_.area.right() + 1) {
            painter.setPen(QPen(c.panel, 3.5));
            painter.drawLine(QPointF(x, geometry_.area.top()), QPointF(x, geometry_.area.bottom()));
            painter.setPen(QPen(c.accent, 1.5));
            painter.drawLine(QPointF(x, geometry_.area.top()), QPointF(x, geometry_.area.bottom()));
        }
    }
    if (cell_row_ >= 0 && cell_row_ < panel_->rows && cell_column_ >= 0 && cell_column_ < panel_->columns) {
        const QRectF cell = geometry_.cell(cell_row_, cell_column_);
        const double radius = std::clamp(std::min(cell.width(), cell.height()) / 4, 3.0, 5.0);
        painter.setPen(QPen(QColor(Qt::black), 1.5));
        painter.setBrush(QColor(Qt::white));
        painter.drawEllipse(cell.center(), radius, radius);
        painter.setBrush(Qt::NoBrush);
    }
    if (row_ >= 0 && column_ >= 0 && row_ < panel_->rows && column_ < panel_->columns) {
        const QRectF cell = geometry_.cell(row_, column_);
        painter.setPen(QPen(c.panel, 3));
        painter.drawRect(cell);
        painter.setPen(QPen(c.text, 1.5));
        painter.drawRect(cell);
        paintReadoutBox(painter, style, QRectF(rect()), cell.center(), cellText(row_, column_));
    }
    if (ring_) {
        painter.setPen(QPen(c.accent, 2));
        painter.setBrush(Qt::NoBrush);
        painter.drawRoundedRect(QRectF(rect()).adjusted(2, 2, -2, -2), 4, 4);
    }
}

}  // namespace es::views
