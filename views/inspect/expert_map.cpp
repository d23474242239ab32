// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/expert_map.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "views/overlay/overlay_legend.h"

namespace es::views {
namespace {

constexpr double kRowLabel = 34, kColumnLabel = 16, kGroupGap = 5, kTallest = 17, kBar = 26;  // rows so low that the parts below stay in sight

}  // namespace

ExpertMap::ExpertMap(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    setObjectName(QStringLiteral("expertMap"));
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setAccessibleName(tr("Experts by layer for this sample"));
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    connect(theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ExpertMap::setPanel(analysis::HeatmapPanel panel, std::vector<RouterId> routers) {
    panel_ = std::move(panel);
    routers_ = std::move(routers);
    hovered_ = {-1, -1};
    current_ = {std::clamp(current_.first, 0, std::max(0, panel_.rows - 1)), std::clamp(current_.second, 0, std::max(0, panel_.columns - 1))};
    path_.clear();
    updateGeometry();
    describe();
    update();
}

void ExpertMap::setSelected(RouterId router, ExpertIndex expert) {
    router_ = router;
    expert_ = expert;
    describe();
    update();
}

void ExpertMap::setPath(std::vector<std::pair<int, int>> path) {
    path_ = std::move(path);
    update();
}

ExpertMap::Measures ExpertMap::measures(double width) const {
    const double cell = (width - kRowLabel - 2) / std::max(1, panel_.columns);
    return {kRowLabel, kColumnLabel, cell, std::clamp(cell, 12.0, kTallest), 1};
}

int ExpertMap::heightForWidth(int width) const {
    if (panel_.rows <= 0) return 0;
    const Measures m = measures(width);
    double height = m.top + panel_.rows * m.cell_height + kBar + 4;
    for (std::size_t row = 1; row < panel_.row_group_start.size(); ++row) height += panel_.row_group_start[row] ? kGroupGap : 0;
    return static_cast<int>(std::ceil(height));
}

QRectF ExpertMap::cellRect(int row, int column) const {
    const Measures m = measures(width());
    double top = m.top + row * m.cell_height;
    for (int above = 1; above <= row && above < static_cast<int>(panel_.row_group_start.size()); ++above)
        top += panel_.row_group_start[static_cast<std::size_t>(above)] ? kGroupGap : 0;
    return QRectF(m.left + column * m.cell_width, top, m.cell_width - m.gap, m.cell_height - m.gap);
}

std::pair<int, int> ExpertMap::cellAt(const QPointF& point) const {
    const Measures m = measures(width());
    const int column = static_cast<int>(std::floor((point.x() - m.left) / m.cell_width));
    if (column < 0 || column >= panel_.columns) return {-1, -1};
    for (int row = 0; row < panel_.rows; ++row)
        if (const QRectF cell = cellRect(row, column); point.y() >= cell.top() && point.y() <= cell.bottom()) return {row, column};
    return {-1, -1};
}

bool ExpertMap::routed(int row, int column) const {
    return row >= 0 && column >= 0 && row < panel_.rows && column < panel_.columns &&
           std::isfinite(panel_.values[static_cast<std::size_t>(row) * static_cast<std::size_t>(panel_.columns) + static_cast<std::size_t>(column)]);
}

QString ExpertMap::readout(int row, int column) const {
    if (row < 0 || row >= panel_.rows) return {};
    const QString label = QString::fromStdString(panel_.y.categories[static_cast<std::size_t>(row)]);
    if (!routed(row, column)) return tr("%1 · no expert %2").arg(label).arg(column);
    const double share = panel_.values[static_cast<std::size_t>(row) * static_cast<std::size_t>(panel_.columns) + static_cast<std::size_t>(column)];
    return tr("%1 · expert %2 · %3 % of this sample's tokens").arg(label).arg(column).arg(share * 100, 0, 'f', 1);
}

void ExpertMap::hover(std::pair<int, int> cell) {
    if (cell == hovered_) return;
    hovered_ = cell;
    setCursor(routed(cell.first, cell.second) ? Qt::PointingHandCursor : Qt::ArrowCursor);
    update();
}

void ExpertMap::describe() {
    const auto row = std::find(routers_.begin(), routers_.end(), router_);
    setAccessibleDescription(row == routers_.end() || !expert_.valid()
                                 ? tr("%1 routers by %2 experts").arg(panel_.rows).arg(panel_.columns)
                                 : tr("selected: %1").arg(readout(static_cast<int>(row - routers_.begin()), expert_.value)));
}

void ExpertMap::paintEvent(QPaintEvent*) {
    if (panel_.rows <= 0 || panel_.columns <= 0) return;
    QPainter painter(this);
    const ThemeColors& colors = theme_->colors();
    const Measures m = measures(width());
    painter.setFont(theme_->font(Theme::FontRole::kAxis));
    painter.setPen(colors.muted);
    const QFontMetrics metrics(painter.font());
    const int every = std::max(1, static_cast<int>(std::ceil((metrics.horizontalAdvance(QString::number(panel_.columns)) + 5) / m.cell_width)));
    for (int column = 0; column < panel_.columns; column += every) {
        const QRectF cell = cellRect(0, column);
        painter.drawText(QRectF(cell.center().x() - 20, 0, 40, kColumnLabel - 2), Qt::AlignHCenter | Qt::AlignVCenter, QString::number(column));
    }
    const double span = panel_.value_max - panel_.value_min;
    for (int row = 0; row < panel_.rows; ++row) {
        const bool current_row = routers_[static_cast<std::size_t>(row)] == router_;
        const QRectF first = cellRect(row, 0);
        painter.setRenderHint(QPainter::Antialiasing, true);
        if (current_row) {
            painter.setPen(Qt::NoPen);
            painter.setBrush(colors.accentGround);
            painter.drawRoundedRect(QRectF(0, first.top(), m.left - 4, first.height()), 3, 3);
        }
        QFont label_font = theme_->font(Theme::FontRole::kAxis);
        if (current_row) label_font.setWeight(QFont::DemiBold);
        painter.setFont(label_font);
        painter.setPen(current_row ? colors.text : colors.muted);
        painter.drawText(QRectF(0, first.top(), m.left - 8, first.height()), Qt::AlignRight | Qt::AlignVCenter,
                         QString::fromStdString(panel_.y.categories[static_cast<std::size_t>(row)]));
        painter.setRenderHint(QPainter::Antialiasing, false);
        for (int column = 0; column < panel_.columns; ++column) {
            const QRectF cell = cellRect(row, column);
            if (!routed(row, column)) {
                paintHatching(painter, cell, colors.gridLine, 5, 1);
                continue;
            }
            const double value = panel_.values[static_cast<std::size_t>(row) * static_cast<std::size_t>(panel_.columns) + static_cast<std::size_t>(column)];
            painter.fillRect(cell, Theme::mapColor(panel_.map, span > 0 ? std::clamp((value - panel_.value_min) / span, 0.0, 1.0) : 0));
        }
    }
    painter.setRenderHint(QPainter::Antialiasing, true);
    const double radius = std::min(m.cell_width, m.cell_height) / 2 - 1;
    for (const auto& [row, column] : path_) {
        painter.setPen(QPen(Qt::black, 1));
        painter.setBrush(Qt::white);
        painter.drawEllipse(cellRect(row, column).center(), std::min(2.5, radius * 0.5), std::min(2.5, radius * 0.5));
    }
    const auto ring = [&](int row, int column, const QColor& color, double width) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(colors.panel, width + 2));
        painter.drawRect(cellRect(row, column));
        painter.setPen(QPen(color, width));
        painter.drawRect(cellRect(row, column));
    };
    for (int row = 0; row < panel_.rows; ++row) {
        if (routers_[static_cast<std::size_t>(row)] != router_ || !routed(row, expert_.value)) continue;
        painter.setPen(QPen(Qt::black, 1.5));
        painter.setBrush(Qt::white);
        painter.drawEllipse(cellRect(row, expert_.value).center(), std::min(5.0, radius), std::min(5.0, radius));
    }
    if (hovered_.first >= 0) ring(hovered_.first, hovered_.second, colors.faint, 1);
    if (hasFocus()) ring(current_.first, current_.second, colors.accent, 2);
    OverlayStyle style;
    style.colors = colors;
    style.font = theme_->font(Theme::FontRole::kAxis);
    analysis::OverlayPanel scale;
    scale.value_title = panel_.value_title;
    scale.value_min = panel_.value_min;
    scale.value_max = panel_.value_max;
    paintValueBar(painter, QRectF(m.left, cellRect(panel_.rows - 1, 0).bottom() + 6, width() - m.left, kBar - 6), scale, style);
}

void ExpertMap::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return QWidget::mousePressEvent(event);
    const auto cell = cellAt(event->position());
    if (!routed(cell.first, cell.second)) return;
    current_ = cell;
    Q_EMIT cellClicked(routers_[static_cast<std::size_t>(cell.first)], cell.second);
}

void ExpertMap::mouseMoveEvent(QMouseEvent* event) { hover(cellAt(event->position())); }

void ExpertMap::leaveEvent(QEvent*) { hover({-1, -1}); }

void ExpertMap::keyPressEvent(QKeyEvent* event) {
    auto& [row, column] = current_;
    switch (event->key()) {
        case Qt::Key_Left: column = std::max(0, column - 1); break;
        case Qt::Key_Right: column = std::min(panel_.columns - 1, column + 1); break;
        case Qt::Key_Up: row = std::max(0, row - 1); break;
        case Qt::Key_Down: row = std::min(panel_.rows - 1, row + 1); break;
        case Qt::Key_Space:
        case Qt::Key_Return:
            if (routed(row, column)) Q_EMIT cellClicked(routers_[static_cast<std::size_t>(row)], column);
            break;
        default: QWidget::keyPressEvent(event); return;
    }
    event->accept();
    update();
}

bool ExpertMap::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const auto [row, column] = cellAt(help->pos());
        if (row >= 0) QToolTip::showText(help->globalPos(), readout(row, column), this, cellRect(row, column).toAlignedRect());
        else QToolTip::hideText();
        return true;
    }
    if (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut) update();
    return QWidget::event(event);
}

}  // namespace es::views
