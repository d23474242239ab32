// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/expert/colour_strip.h"

#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "views/inspect/token_words.h"

namespace es::views {
namespace {
constexpr int kStripHeight = 16, kNameHeight = 15, kFactHeight = 16, kSide = 8;
constexpr double kNamedShare = 0.08;  // a narrower segment has no room for its hue's name

/// "0.32 · 0.17 · 0.153 ± 0.041": of its patches, of all, the difference and the half of its interval; `whole` false: without that of all.
QString lookText(const analysis::LookRow& row, bool whole) {
    // The interval is symmetric, so its half says it in the little room there is.
    const QString range = std::isfinite(row.low) ? QStringLiteral(" ± %1").arg(numberText((row.high - row.low) / 2, 3)) : QString();
    const QString all = whole ? numberText(row.all) + QStringLiteral(" · ") : QString();
    return QStringLiteral("%1 · %2%3%4").arg(numberText(row.expert), all, numberText(row.difference, 3), range);
}

}  // namespace

ColourStrip::ColourStrip(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme) {
    setAccessibleName(tr("Colours of its patches"));
    connect(theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ColourStrip::setLooks(const analysis::ExpertLooks& looks) {
    looks_ = looks;
    order_.clear();
    const auto& names = analysis::hueNames();
    for (const std::string& name : names)
        for (std::size_t i = 0; i < looks_.hues.rows.size(); ++i)
            if (looks_.hues.rows[i].label == name) order_.push_back(i);
    QStringList words;
    for (const auto& row : looks_.rows)
        words << tr("%1 %2 against %3").arg(QString::fromStdString(row.name), numberText(row.expert, 3), numberText(row.all, 3));
    setAccessibleDescription(words.join(QStringLiteral("; ")));
    updateGeometry();
    update();
}

QSize ColourStrip::sizeHint() const { return {220, 2 * (kNameHeight + kStripHeight) + 10 + static_cast<int>(looks_.rows.size() + 1) * kFactHeight}; }

QRectF ColourStrip::strip(int which) const {
    return {kSide, static_cast<double>(kNameHeight + which * (kNameHeight + kStripHeight + 2)), width() - 2.0 * kSide, kStripHeight};
}

QString ColourStrip::readoutAt(const QPointF& point) const {
    for (int which = 0; which < 2; ++which) {
        const QRectF bar = strip(which);
        if (!bar.contains(point)) continue;
        double at = bar.left();
        for (const std::size_t i : order_) {
            const auto& row = looks_.hues.rows[i];
            const double share = which == 0 ? row.share : row.base;
            at += std::isfinite(share) ? share * bar.width() : 0;
            if (point.x() > at) continue;
            return tr("%1: %2 of its patches, %3 of all").arg(QString::fromStdString(row.label), numberText(row.share, 3), numberText(row.base, 3));
        }
    }
    const int row = static_cast<int>(std::floor((point.y() - strip(1).bottom() - 8) / kFactHeight)) - 1;
    if (row < 0 || row >= static_cast<int>(looks_.rows.size())) return {};
    const auto& look = looks_.rows[static_cast<std::size_t>(row)];
    const QString range = std::isfinite(look.low) ? tr(" (%1 to %2)").arg(numberText(look.low, 3), numberText(look.high, 3)) : QString();
    return tr("%1, %2: %3 of its patches, %4 of all, difference %5%6")
        .arg(QString::fromStdString(look.name), QString::fromStdString(look.unit), numberText(look.expert, 3), numberText(look.all, 3),
             numberText(look.difference, 3), range);
}

void ColourStrip::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const ThemeColors& colors = theme_->colors();
    painter.setFont(theme_->font(Theme::FontRole::kSecondary));
    for (int which = 0; which < 2; ++which) {
        const QRectF bar = strip(which);
        painter.setPen(colors.muted);
        painter.drawText(QRectF(bar.left(), bar.top() - kNameHeight, bar.width(), kNameHeight), Qt::AlignLeft | Qt::AlignVCenter,
                         which == 0 ? tr("its patches") : tr("all patches"));
        double left = bar.left();
        for (const std::size_t i : order_) {
            const auto& row = looks_.hues.rows[i];
            const analysis::PatchLook& look = looks_.hue_looks[i];
            const double share = which == 0 ? row.share : row.base;
            if (!(share > 0)) continue;
            const double wide = share * bar.width();
            // The colour is data: what such patches look like on average.
            const QColor color = QColor::fromRgbF(look.red, look.green, look.blue);
            painter.fillRect(QRectF(left, bar.top(), wide, bar.height()), color);
            const QString name = QString::fromStdString(row.label);
            if (share >= kNamedShare && painter.fontMetrics().horizontalAdvance(name) + 4 < wide) {
                painter.setPen(Theme::inkOn(color));
                painter.drawText(QRectF(left, bar.top(), wide, bar.height()), Qt::AlignCenter, name);
            }
            left += wide;
        }
        painter.setPen(QPen(colors.line, 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(bar.adjusted(0.5, 0.5, -0.5, -0.5));
    }
    const QFont font = theme_->font(Theme::FontRole::kSecondary);
    const double top = strip(1).bottom() + 8;
    const double value = width() - kSide;
    painter.setFont(theme_->font(Theme::FontRole::kSecondary));
    painter.setPen(colors.muted);
    const QFontMetrics metrics(font);
    int names = 0, values = 0;
    for (const auto& row : looks_.rows) {
        names = std::max(names, metrics.horizontalAdvance(QString::fromStdString(row.name)));
        values = std::max(values, metrics.horizontalAdvance(lookText(row, true)));
    }
    const bool whole = names + values + 12 < width() - 2 * kSide;
    painter.drawText(QRectF(kSide, top, width() - 2.0 * kSide, kFactHeight), Qt::AlignLeft | Qt::AlignVCenter, tr("0 to 1"));
    painter.drawText(QRectF(kSide, top, width() - 2.0 * kSide, kFactHeight), Qt::AlignRight | Qt::AlignVCenter,
                     whole ? tr("its · all · difference ± 95 %") : tr("its · difference ± 95 %"));
    for (std::size_t i = 0; i < looks_.rows.size(); ++i) {
        const auto& row = looks_.rows[i];
        const double y = top + static_cast<double>(i + 1) * kFactHeight;
        if (y + kFactHeight > height()) break;
        painter.setPen(QPen(colors.gridLine, 1));
        painter.drawLine(QPointF(kSide, y), QPointF(value, y));
        painter.setFont(theme_->font(Theme::FontRole::kSecondary));
        painter.setPen(colors.muted);
        painter.drawText(QRectF(kSide, y, width() - 2.0 * kSide, kFactHeight), Qt::AlignLeft | Qt::AlignVCenter, QString::fromStdString(row.name));
        painter.setFont(font);
        painter.setPen(colors.text);
        painter.drawText(QRectF(kSide, y, width() - 2.0 * kSide, kFactHeight), Qt::AlignRight | Qt::AlignVCenter, lookText(row, whole));
    }
}

bool ColourStrip::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const QString words = readoutAt(help->pos());
        words.isEmpty() ? QToolTip::hideText() : QToolTip::showText(help->globalPos(), words, this);
        return true;
    }
    return QWidget::event(event);
}

}  // namespace es::views
