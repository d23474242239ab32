// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/widgets/elided_label.h"

#include <QEvent>
#include <QTextLayout>
#include <algorithm>

namespace es::views {

ElidedLabel::ElidedLabel(const QString& text, QWidget* parent) : QLabel(parent) {
    setTextFormat(Qt::PlainText);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    setText(text);
}

void ElidedLabel::setText(const QString& text) {
    if (text == full_) return;
    full_ = text;
    setAccessibleName(text);
    updateGeometry();
    elide();
}

void ElidedLabel::setElideMode(Qt::TextElideMode mode) {
    mode_ = mode;
    elide();
}

void ElidedLabel::setMostLines(int lines) {
    most_lines_ = std::max(1, lines);
    QSizePolicy policy = sizePolicy();
    policy.setHeightForWidth(most_lines_ > 1);
    policy.setVerticalPolicy(QSizePolicy::Fixed);
    setSizePolicy(policy);
    elide();
}

int ElidedLabel::heightForWidth(int width) const {
    return static_cast<int>(std::max<qsizetype>(1, linesFor(width).size())) * fontMetrics().lineSpacing() + contentsMargins().top() +
           contentsMargins().bottom();
}

QStringList ElidedLabel::linesFor(int width) const {
    QStringList lines;
    QTextLayout layout(full_, font());
    layout.beginLayout();
    for (int i = 0; i < most_lines_; ++i) {
        QTextLine line = layout.createLine();
        if (!line.isValid()) break;
        line.setLineWidth(std::max(1, width));
        const bool last = i + 1 == most_lines_;
        lines << (last ? fontMetrics().elidedText(full_.mid(line.textStart()), mode_, width) : full_.mid(line.textStart(), line.textLength()).trimmed());
    }
    layout.endLayout();
    return lines;
}

QSize ElidedLabel::minimumSizeHint() const { return {fontMetrics().horizontalAdvance(QStringLiteral("M…")), QLabel::minimumSizeHint().height()}; }

QSize ElidedLabel::sizeHint() const { return {fontMetrics().horizontalAdvance(full_) + 2, QLabel::sizeHint().height()}; }

void ElidedLabel::resizeEvent(QResizeEvent* event) {
    QLabel::resizeEvent(event);
    elide();
}

void ElidedLabel::changeEvent(QEvent* event) {
    QLabel::changeEvent(event);
    if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) elide();
}

void ElidedLabel::elide() {
    // A few letters and dots tell nobody anything.
    const bool hopeless = width() < fontMetrics().averageCharWidth() * 6 && fontMetrics().horizontalAdvance(full_) > width();
    const QString shown = hopeless ? QString() : most_lines_ > 1 ? linesFor(width()).join(QLatin1Char('\n')) : fontMetrics().elidedText(full_, mode_, width());
    if (shown != QLabel::text()) QLabel::setText(shown);
    const QString tip = shown.endsWith(QChar(0x2026)) || shown.isEmpty() ? full_ : QString();
    if (tip != toolTip()) setToolTip(tip);
}

}  // namespace es::views
