// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/sample_delegate.h"

#include <QPainter>
#include <QPainterPath>
#include <QTextLayout>

#include "views/inspect/sample_list_model.h"

namespace es::views {
namespace {

/// The text in at most two lines of `width`, the second one cut with an ellipsis.
QStringList inTwoLines(const QString& text, const QFont& font, int width) {
    QTextLayout layout(text, font);
    layout.beginLayout();
    QTextLine line = layout.createLine();
    if (!line.isValid()) return {};
    line.setLineWidth(width);
    const int first = line.textLength();
    layout.endLayout();
    if (first >= text.size()) return {text};
    return {text.left(first).trimmed(), QFontMetrics(font).elidedText(text.mid(first), Qt::ElideRight, width)};
}

}  // namespace

QSize SampleDelegate::sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const { return {160, kRow}; }

void SampleDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
    const ThemeColors& colors = theme_->colors();
    const bool selected = option.state & QStyle::State_Selected;
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const QRectF row = QRectF(option.rect).adjusted(2, 1, -2, -1);
    if (selected || (option.state & QStyle::State_MouseOver)) {
        painter->setPen(Qt::NoPen);
        painter->setBrush(selected ? colors.accentGround : colors.panelHeader);
        painter->drawRoundedRect(row, 4, 4);
    }
    if (selected && (option.state & QStyle::State_HasFocus)) {
        painter->setPen(QPen(colors.accent, 2));
        painter->setBrush(Qt::NoBrush);
        painter->drawRoundedRect(row.adjusted(1, 1, -1, -1), 4, 4);
    }
    const QRectF frame(row.left() + 5, row.center().y() - kPicture / 2.0, kPicture, kPicture);
    QPainterPath clip;
    clip.addRoundedRect(frame, 3, 3);
    const auto picture = index.data(Qt::DecorationRole).value<QPixmap>();
    painter->fillPath(clip, picture.isNull() ? colors.panelHeader : QColor(Qt::white));
    if (!picture.isNull()) {
        painter->setClipPath(clip);
        painter->drawPixmap(frame, picture, QRectF(picture.rect()));
        painter->setClipping(false);
    }
    painter->setPen(QPen(colors.line, 1));
    painter->setBrush(Qt::NoBrush);
    painter->drawPath(clip);

    const QRectF text(frame.right() + 9, row.top(), row.right() - frame.right() - 15, row.height());
    const QFont caption_font = theme_->font(selected ? Theme::FontRole::kStrong : Theme::FontRole::kBody),
                detail_font = theme_->font(Theme::FontRole::kSecondary);
    const QStringList lines = inTwoLines(index.data(Qt::DisplayRole).toString(), caption_font, static_cast<int>(text.width()));
    constexpr double kLine = 16;
    double y = text.center().y() - kLine * static_cast<double>(lines.size() + 1) / 2;
    painter->setFont(caption_font);
    painter->setPen(colors.text);
    for (const QString& line : lines) {
        painter->drawText(QRectF(text.left(), y, text.width(), kLine), Qt::AlignLeft | Qt::AlignVCenter | Qt::TextSingleLine, line);
        y += kLine;
    }
    painter->setFont(detail_font);
    painter->setPen(index.data(SampleListModel::kOwn).toBool() ? colors.accent : colors.muted);
    const QString detail =
        QFontMetrics(detail_font).elidedText(index.data(SampleListModel::kDetail).toString(), Qt::ElideRight, static_cast<int>(text.width()));
    painter->drawText(QRectF(text.left(), y, text.width(), kLine), Qt::AlignLeft | Qt::AlignVCenter | Qt::TextSingleLine, detail);
    painter->restore();
}

}  // namespace es::views
