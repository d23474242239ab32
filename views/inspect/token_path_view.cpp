// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/token_path_view.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "views/inspect/inspect_data.h"
#include "views/inspect/token_words.h"

namespace es::views {

TokenPathView::TokenPathView(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    setObjectName(QStringLiteral("tokenPath"));
    setFocusPolicy(Qt::StrongFocus);
    setCursor(Qt::PointingHandCursor);
    setAccessibleName(tr("Path of the token through the layers"));
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    connect(theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void TokenPathView::setPath(std::vector<analysis::TokenReading> path, RouterId current) {
    path_ = std::move(path);
    current_ = current;
    QStringList words;
    for (const auto& reading : path_) words << QString::fromStdString(shortName(reading.router)) + QStringLiteral(": ") + choicesText(reading);
    setAccessibleDescription(words.join(QStringLiteral("; ")));
    updateGeometry();
    update();
}

int TokenPathView::currentRow() const {
    const auto found = std::find_if(path_.begin(), path_.end(), [this](const analysis::TokenReading& reading) { return reading.router.id == current_; });
    return found == path_.end() ? -1 : static_cast<int>(found - path_.begin());
}

void TokenPathView::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const ThemeColors& colors = theme_->colors();
    const int current = currentRow();
    for (int row = 0; row < static_cast<int>(path_.size()); ++row) {
        const auto& reading = path_[static_cast<std::size_t>(row)];
        const QRectF area = rowRect(row);
        if (row == current) {
            painter.setPen(hasFocus() ? QPen(colors.accent, 2) : QPen(Qt::NoPen));
            painter.setBrush(colors.accentGround);
            painter.drawRoundedRect(area.adjusted(1, 1, -1, -1), 4, 4);
        } else if (row > 0 && row - 1 != current) {
            painter.setPen(QPen(colors.gridLine, 1));
            painter.drawLine(area.topLeft(), area.topRight());
        }
        painter.setFont(theme_->font(row == current ? Theme::FontRole::kStrong : Theme::FontRole::kBody));
        painter.setPen(row == current ? colors.text : colors.muted);
        painter.drawText(QRectF(8, area.top(), 40, area.height()), Qt::AlignLeft | Qt::AlignVCenter, QString::fromStdString(shortName(reading.router)));
        QFont number = theme_->font(Theme::FontRole::kTabular);
        number.setWeight(QFont::DemiBold);
        double x = 52;
        for (const auto& choice : reading.choices) {
            const QColor color = Theme::expertColor(choice.expert, colors);
            painter.setFont(number);
            const QString text = QString::number(choice.expert);
            const double width = std::max(20.0, painter.fontMetrics().horizontalAdvance(text) + 10.0);
            const QRectF plate(x, area.center().y() - 9, width, 18);
            painter.setPen(Qt::NoPen);
            painter.setBrush(color);
            painter.drawRoundedRect(plate, 3, 3);
            painter.setPen(Theme::inkOn(color));
            painter.drawText(plate, Qt::AlignCenter, text);
            if (!choice.kept) {
                painter.setPen(QPen(colors.bad, 2));
                painter.drawLine(plate.bottomLeft(), plate.topRight());
            }
            painter.setFont(theme_->font(Theme::FontRole::kTabular));
            painter.setPen(colors.text);
            const QString weight = numberText(choice.weight);
            const double weight_width = painter.fontMetrics().horizontalAdvance(weight);
            painter.drawText(QRectF(plate.right() + 5, area.top(), weight_width + 2, area.height()), Qt::AlignLeft | Qt::AlignVCenter, weight);
            x = plate.right() + weight_width + 17;
        }
        painter.setFont(theme_->font(Theme::FontRole::kSecondary));
        painter.setPen(colors.muted);
        QString state = std::isfinite(reading.entropy_nats) ? tr("%1 nats").arg(numberText(reading.entropy_nats)) : QString();
        if (reading.dropped) state = tr("dropped");
        if (x + painter.fontMetrics().horizontalAdvance(state) < area.width() - 8)
            painter.drawText(area.adjusted(0, 0, -8, 0), Qt::AlignRight | Qt::AlignVCenter, state);
    }
}

void TokenPathView::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return QWidget::mousePressEvent(event);
    const auto row = static_cast<std::size_t>(std::max(0.0, event->position().y()) / kRow);
    if (row < path_.size()) Q_EMIT routerClicked(path_[row].router.id);
}

void TokenPathView::keyPressEvent(QKeyEvent* event) {
    const int step = event->key() == Qt::Key_Down ? 1 : event->key() == Qt::Key_Up ? -1 : 0;
    if (step == 0 || path_.empty()) return QWidget::keyPressEvent(event);
    const int row = std::clamp(currentRow() + step, 0, static_cast<int>(path_.size()) - 1);
    event->accept();
    if (row != currentRow()) Q_EMIT routerClicked(path_[static_cast<std::size_t>(row)].router.id);
}

}  // namespace es::views
