// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/bar_plot.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <algorithm>
#include <cmath>

#include "views/plots/readout_box.h"

namespace es::views {
namespace {

QString interval(double low, double high) {
    return std::isfinite(low) && std::isfinite(high) ? QStringLiteral("  [%1, %2]").arg(readout(low), readout(high)) : QString();
}

}  // namespace

BarPlot::BarPlot(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Bars"));
    connect(theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void BarPlot::setPanel(std::shared_ptr<const analysis::BarPanel> panel) {
    panel_ = std::move(panel);
    hovered_ = -1;
    if (panel_) setAccessibleDescription(tr("%1 bars of %2").arg(panel_->bars.size()).arg(QString::fromStdString(panel_->y.title)));
    update();
}

int BarPlot::barAt(const QPointF& point) const {
    if (!panel_) return -1;
    const BarGeometry g = layoutBars(QRectF(rect()).adjusted(4, 2, -4, -2), *panel_, PlotStyle::screen(*theme_));
    for (std::size_t i = 0; i < g.columns.size(); ++i)
        if (g.columns[i].adjusted(0, 0, 0, 20).contains(point)) return static_cast<int>(i);
    return -1;
}

void BarPlot::hover(int index) {
    if (index == hovered_) return;
    hovered_ = index;
    update();
}

void BarPlot::mouseMoveEvent(QMouseEvent* event) { hover(barAt(event->position())); }
void BarPlot::leaveEvent(QEvent*) { hover(-1); }
void BarPlot::focusOutEvent(QFocusEvent* event) {
    hover(-1);
    QWidget::focusOutEvent(event);
    update();
}

void BarPlot::mousePressEvent(QMouseEvent* event) {
    if (const int at = barAt(event->position()); at >= 0 && event->button() == Qt::LeftButton) Q_EMIT barClicked(at);
}

void BarPlot::keyPressEvent(QKeyEvent* event) {
    const int count = panel_ ? static_cast<int>(panel_->bars.size()) : 0;
    if (count == 0) return QWidget::keyPressEvent(event);
    switch (event->key()) {
        case Qt::Key_Left: return hover(std::max(0, hovered_ - 1));
        case Qt::Key_Right: return hover(std::min(count - 1, hovered_ + 1));
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (hovered_ >= 0) Q_EMIT barClicked(hovered_);
            return;
        default: QWidget::keyPressEvent(event);
    }
}

void BarPlot::paintEvent(QPaintEvent*) {
    if (!panel_) return;
    const PlotStyle style = PlotStyle::screen(*theme_);
    QPainter painter(this);
    const BarGeometry g = layoutBars(QRectF(rect()).adjusted(4, 2, -4, -2), *panel_, style);
    if (g.area.width() < 10 || g.area.height() < 10) return;
    paintBars(painter, *panel_, g, style);
    if (hovered_ >= 0 && hovered_ < static_cast<int>(g.columns.size())) {
        const auto& bar = panel_->bars[static_cast<std::size_t>(hovered_)];
        const QRectF& column = g.columns[static_cast<std::size_t>(hovered_)];
        const QString words = QStringLiteral("%1 %2\n%3 %4")
                                  .arg(QString::fromStdString(panel_->x.title), QString::fromStdString(bar.label), QString::fromStdString(panel_->y.title),
                                       std::isfinite(bar.value) ? readout(bar.value) + interval(bar.low, bar.high) : tr("not recorded"));
        paintReadoutBox(painter, style, QRectF(rect()), QPointF(column.center().x(), column.center().y()), words.trimmed());
    }
    if (hasFocus()) {
        painter.setPen(QPen(style.colors.accent, 2));
        painter.setBrush(Qt::NoBrush);
        painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), 4, 4);
    }
}

ForestPlot::ForestPlot(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Effects with intervals"));
    connect(theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ForestPlot::setPanel(std::shared_ptr<const analysis::ForestPanel> panel) {
    panel_ = std::move(panel);
    hovered_ = -1;
    if (panel_) setAccessibleDescription(tr("%1 rows of %2").arg(panel_->rows.size()).arg(QString::fromStdString(panel_->x.title)));
    updateGeometry();
    update();
}

QSize ForestPlot::sizeHint() const { return {260, panel_ ? static_cast<int>(forestHeight(*panel_)) + 8 : 160}; }

ForestGeometry ForestPlot::layoutRows() const { return layoutForest(QRectF(rect()).adjusted(4, 2, -4, -2), *panel_, PlotStyle::screen(*theme_)); }

void ForestPlot::hover(int index) {
    if (index == hovered_) return;
    hovered_ = index;
    update();
}

void ForestPlot::mouseMoveEvent(QMouseEvent* event) {
    if (!panel_) return;
    const ForestGeometry g = layoutRows();
    const double y = event->position().y() - g.area.top();
    const int at = y < 0 ? -1 : static_cast<int>(y / g.row_height);
    hover(at < static_cast<int>(panel_->rows.size()) ? at : -1);
}

void ForestPlot::mousePressEvent(QMouseEvent* event) {
    mouseMoveEvent(event);
    if (hovered_ >= 0 && event->button() == Qt::LeftButton) Q_EMIT rowClicked(hovered_);
}

void ForestPlot::leaveEvent(QEvent*) { hover(-1); }
void ForestPlot::focusOutEvent(QFocusEvent* event) {
    hover(-1);
    QWidget::focusOutEvent(event);
    update();
}

void ForestPlot::keyPressEvent(QKeyEvent* event) {
    const int count = panel_ ? static_cast<int>(panel_->rows.size()) : 0;
    if (count == 0) return QWidget::keyPressEvent(event);
    switch (event->key()) {
        case Qt::Key_Up: return hover(std::max(0, hovered_ - 1));
        case Qt::Key_Down: return hover(std::min(count - 1, hovered_ + 1));
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (hovered_ >= 0) Q_EMIT rowClicked(hovered_);
            return;
        default: QWidget::keyPressEvent(event);
    }
}

void ForestPlot::paintEvent(QPaintEvent*) {
    if (!panel_) return;
    const PlotStyle style = PlotStyle::screen(*theme_);
    QPainter painter(this);
    const ForestGeometry g = layoutRows();
    if (g.area.width() < 10) return;
    paintForest(painter, *panel_, g, style);
    if (hovered_ >= 0 && hovered_ < static_cast<int>(panel_->rows.size())) {
        const auto& row = panel_->rows[static_cast<std::size_t>(hovered_)];
        QString words = QString::fromStdString(row.label) + QLatin1Char('\n') + readout(row.mean) + interval(row.low, row.high);
        if (row.n > 0) words += QStringLiteral("  n ") + readout(static_cast<double>(row.n));
        const QRectF slot = g.row(hovered_);
        paintReadoutBox(painter, style, QRectF(rect()), QPointF(g.area.left() + g.x.fraction(row.mean) * g.area.width(), slot.center().y()), words);
    }
    if (hasFocus()) {
        painter.setPen(QPen(style.colors.accent, 2));
        painter.setBrush(Qt::NoBrush);
        painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), 4, 4);
    }
}

}  // namespace es::views
