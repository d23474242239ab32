// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/sankey_plot.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>

#include "views/plots/axis_text.h"
#include "views/plots/readout_box.h"

namespace es::views {
namespace {

constexpr double kNodeWidth = 12, kNodeGap = 4;

}  // namespace

SankeyPlot::SankeyPlot(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Flow"));
    connect(theme_, &Theme::changed, this, &SankeyPlot::relayout);
}

void SankeyPlot::setPanel(std::shared_ptr<const analysis::SankeyPanel> panel) {
    panel_ = std::move(panel);
    band_ = -1;
    if (!has(cursor_)) cursor_ = {-1, -1};
    if (!has(selected_)) selected_ = {-1, -1};
    if (panel_)
        setAccessibleDescription(
            tr("%1 columns, %2 bands of %3").arg(panel_->columns.size()).arg(panel_->bands.size()).arg(QString::fromStdString(panel_->amount_title)));
    relayout();
}

void SankeyPlot::setSelected(int column, int node) {
    if (selected_ == Node(column, node)) return;
    selected_ = {column, node};
    update();
}

void SankeyPlot::relayout() {
    geometry_ = {};
    if (panel_ && !panel_->columns.empty()) {
        const QFontMetrics metrics(PlotStyle::screen(*theme_).axis_font);
        int widest = 0;
        for (const auto& node : panel_->columns.back().nodes) widest = std::max(widest, metrics.horizontalAdvance(QString::fromStdString(node.label)));
        geometry_ = page::layoutSankey(QRectF(rect()).adjusted(4, kTitleRow + 4, -(widest + 10), -6), *panel_, kNodeWidth, kNodeGap);
    }
    update();
}

void SankeyPlot::resizeEvent(QResizeEvent*) { relayout(); }

bool SankeyPlot::has(Node node) const {
    return panel_ && node.first >= 0 && node.second >= 0 && static_cast<std::size_t>(node.first) < panel_->columns.size() &&
           static_cast<std::size_t>(node.second) < panel_->columns[static_cast<std::size_t>(node.first)].nodes.size();
}

QRectF SankeyPlot::nodeRect(int column, int node) const {
    if (!has({column, node}) || geometry_.nodes.empty()) return {};
    return geometry_.nodes[static_cast<std::size_t>(column)][static_cast<std::size_t>(node)];
}

SankeyPlot::Node SankeyPlot::nodeAt(const QPointF& point) const {
    for (std::size_t c = 0; c < geometry_.nodes.size(); ++c)
        for (std::size_t n = 0; n < geometry_.nodes[c].size(); ++n)
            if (geometry_.nodes[c][n].adjusted(-3, -1, 14, 1).contains(point)) return {static_cast<int>(c), static_cast<int>(n)};
    return {-1, -1};
}

int SankeyPlot::bandAt(const QPointF& point) const {
    for (std::size_t i = geometry_.bands.size(); i-- > 0;)
        if (geometry_.bands[i].containsPoint(point, Qt::OddEvenFill)) return static_cast<int>(i);
    return -1;
}

QString SankeyPlot::nodeText(Node at) const {
    const auto& column = panel_->columns[static_cast<std::size_t>(at.first)];
    const auto& node = column.nodes[static_cast<std::size_t>(at.second)];
    double sum = 0;
    for (const auto& one : column.nodes) sum += one.amount;
    return tr("%1 · expert %2\n%3 %4, %5 %")
        .arg(QString::fromStdString(column.title), QString::fromStdString(node.label), readout(node.amount), QString::fromStdString(panel_->amount_title))
        .arg(sum > 0 ? node.amount / sum * 100 : 0, 0, 'f', 1);
}

QString SankeyPlot::bandText(int index) const {
    const auto& band = panel_->bands[static_cast<std::size_t>(index)];
    const auto &from = panel_->columns[static_cast<std::size_t>(band.column)], &to = panel_->columns[static_cast<std::size_t>(band.column) + 1];
    const auto &a = from.nodes[static_cast<std::size_t>(band.from)], &b = to.nodes[static_cast<std::size_t>(band.to)];
    return tr("%1 expert %2 → %3 expert %4\n%5 %6, %7 % of what leaves")
        .arg(QString::fromStdString(from.title), QString::fromStdString(a.label), QString::fromStdString(to.title), QString::fromStdString(b.label),
             readout(band.amount), QString::fromStdString(panel_->amount_title))
        .arg(a.amount > 0 ? band.amount / a.amount * 100 : 0, 0, 'f', 1);
}

QString SankeyPlot::textAt(const QPointF& point) const {
    if (const Node node = nodeAt(point); node.first >= 0) return nodeText(node);
    if (const int band = bandAt(point); band >= 0) return bandText(band);
    return {};
}

bool SankeyPlot::event(QEvent* event) {
    if (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut) {
        const Qt::FocusReason reason = static_cast<QFocusEvent*>(event)->reason();
        ring_ = event->type() == QEvent::FocusIn && (reason == Qt::TabFocusReason || reason == Qt::BacktabFocusReason || reason == Qt::ShortcutFocusReason);
        if (event->type() == QEvent::FocusOut) cursor_ = {-1, -1};
        update();
    }
    return QWidget::event(event);
}

void SankeyPlot::mouseMoveEvent(QMouseEvent* event) {
    mouse_ = event->position();
    cursor_ = nodeAt(*mouse_);
    band_ = cursor_.first >= 0 ? -1 : bandAt(*mouse_);
    setCursor(cursor_.first >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
    update();
}

void SankeyPlot::leaveEvent(QEvent*) {
    mouse_.reset();
    cursor_ = {-1, -1};
    band_ = -1;
    update();
}

void SankeyPlot::mousePressEvent(QMouseEvent* event) {
    if (const Node node = nodeAt(event->position()); event->button() == Qt::LeftButton && node.first >= 0) Q_EMIT nodeClicked(node.first, node.second);
}

void SankeyPlot::keyPressEvent(QKeyEvent* event) {
    if (!panel_ || panel_->columns.empty()) return QWidget::keyPressEvent(event);
    Node next = has(cursor_) ? cursor_ : Node(0, -1);
    const bool fresh = !has(cursor_);
    switch (event->key()) {
        case Qt::Key_Left: next.first -= fresh ? 0 : 1; break;
        case Qt::Key_Right: next.first += fresh ? 0 : 1; break;
        case Qt::Key_Up: next.second -= 1; break;
        case Qt::Key_Down: next.second += 1; break;
        case Qt::Key_Return:
        case Qt::Key_Enter:
        case Qt::Key_Space:
            if (!fresh) Q_EMIT nodeClicked(cursor_.first, cursor_.second);
            return;
        default: return QWidget::keyPressEvent(event);
    }
    next.first = std::clamp(next.first, 0, static_cast<int>(panel_->columns.size()) - 1);
    next.second = std::clamp(next.second, 0, std::max(0, static_cast<int>(panel_->columns[static_cast<std::size_t>(next.first)].nodes.size()) - 1));
    cursor_ = next;
    mouse_.reset();
    if (has(cursor_)) setAccessibleDescription(nodeText(cursor_));
    update();
}

void SankeyPlot::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    if (!panel_ || geometry_.nodes.empty()) return;
    painter.setRenderHint(QPainter::Antialiasing);
    const PlotStyle style = PlotStyle::screen(*theme_);
    const ThemeColors& c = style.colors;
    const bool chosen = has(selected_);
    painter.setPen(Qt::NoPen);
    for (std::size_t i = 0; i < geometry_.bands.size(); ++i) {
        if (geometry_.bands[i].isEmpty()) continue;
        const auto& band = panel_->bands[i];
        const auto& from = panel_->columns[static_cast<std::size_t>(band.column)].nodes[static_cast<std::size_t>(band.from)];
        const bool touches =
            (selected_.first == band.column && selected_.second == band.from) || (selected_.first == band.column + 1 && selected_.second == band.to);
        QColor fill = Theme::color(from.color, c);
        fill.setAlphaF(static_cast<int>(i) == band_ ? 0.75f : !chosen ? 0.34f : touches ? 0.6f : 0.1f);
        painter.setBrush(fill);
        painter.drawPolygon(geometry_.bands[i]);
    }
    painter.setFont(style.axis_font);
    const QFontMetrics metrics(style.axis_font);
    for (std::size_t column = 0; column < panel_->columns.size(); ++column) {
        const auto& nodes = panel_->columns[column].nodes;
        double last = -1e9;
        for (std::size_t n = 0; n < nodes.size(); ++n) {
            const QRectF& box = geometry_.nodes[column][n];
            painter.setPen(Qt::NoPen);
            painter.setBrush(Theme::color(nodes[n].color, c));
            painter.drawRect(box);
            if (nodes[n].amount <= 0 || box.center().y() - last < 11) continue;
            const QString label = QString::fromStdString(nodes[n].label);
            const QRectF words(box.right() + 3, box.center().y() - 8, metrics.horizontalAdvance(label) + 4, 16);
            painter.setPen(c.text);
            painter.drawText(words, Qt::AlignVCenter | Qt::AlignLeft, label);
            last = box.center().y();
        }
        if (nodes.empty()) continue;
        const double centre = geometry_.nodes[column].front().center().x();
        const QString title = QString::fromStdString(panel_->columns[column].title);
        const double width = metrics.horizontalAdvance(title) + 4;
        painter.setPen(c.muted);
        painter.drawText(QRectF(std::clamp(centre - width / 2, 2.0, std::max(2.0, this->width() - width - 2.0)), 2, width, kTitleRow), Qt::AlignCenter, title);
    }
    const auto outline = [&](Node node, const QColor& color, double width) {
        const QRectF box = nodeRect(node.first, node.second).adjusted(-1.5, -1.5, 1.5, 1.5);
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(c.panel, width + 2));
        painter.drawRect(box);
        painter.setPen(QPen(color, width));
        painter.drawRect(box);
    };
    if (chosen) outline(selected_, c.accent, 2);
    if (has(cursor_)) {
        outline(cursor_, c.text, 1.5);
        paintReadoutBox(painter, style, QRectF(rect()), nodeRect(cursor_.first, cursor_.second).center(), nodeText(cursor_));
    } else if (band_ >= 0 && mouse_) {
        paintReadoutBox(painter, style, QRectF(rect()), *mouse_, bandText(band_));
    }
    if (ring_) {
        painter.setPen(QPen(c.accent, 2));
        painter.setBrush(Qt::NoBrush);
        painter.drawRoundedRect(QRectF(rect()).adjusted(2, 2, -2, -2), 4, 4);
    }
}

}  // namespace es::views
