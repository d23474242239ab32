// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/readout_box.h"

#include <QStringList>
#include <algorithm>

namespace es::views {

void paintReadoutBox(QPainter& painter, const PlotStyle& style, const QRectF& bounds, const QPointF& beside, const QString& text) {
    const QStringList lines = text.split(QLatin1Char('\n'));
    const QFontMetrics metrics(style.label_font);
    double width = 0;
    for (const QString& line : lines) width = std::max<double>(width, metrics.horizontalAdvance(line));
    width += 16;
    const double row = 17, height = row * static_cast<double>(lines.size()) + 8;
    QRectF box(beside.x() + 12, beside.y() - height - 6, width, height);
    if (box.right() > bounds.right() - 4) box.moveRight(beside.x() - 12);
    if (box.left() < bounds.left() + 4) box.moveLeft(bounds.left() + 4);
    if (box.top() < bounds.top() + 4) box.moveTop(std::min(beside.y() + 12, bounds.bottom() - height - 4));
    painter.setPen(QPen(style.colors.line, 1));
    painter.setBrush(style.colors.panel);
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5);
    painter.setPen(style.colors.text);
    painter.setFont(style.label_font);
    for (int i = 0; i < lines.size(); ++i)
        painter.drawText(QRectF(box.left() + 8, box.top() + 4 + i * row, width - 16, row), Qt::AlignVCenter | Qt::AlignLeft, lines[i]);
}

}  // namespace es::views
