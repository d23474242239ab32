// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/page_renderer.h"

#include <algorithm>
#include <cmath>

#include "views/export/panel_painters.h"

namespace es::views::page {

namespace {

constexpr double kMargin = 3;  // points: keeps strokes and letters off the cut

struct Words {
    QStringList lines;
    bool cut = false;
};

/// Notes as lines of `width`; at most `height` of them.
Words noteLines(const PageCanvas& canvas, const PageStyle& style, const QStringList& notes, double width, double height) {
    Words words;
    words.lines = canvas.fonts().wrap(notes.join(QStringLiteral(" · ")), style.note_pt, width);
    const auto most = std::max<qsizetype>(1, static_cast<qsizetype>(height / canvas.fonts().lineHeight(style.note_pt)));
    if (words.lines.size() <= most) return words;
    words.cut = true;
    words.lines = words.lines.mid(0, most);
    QString& last = words.lines.last();
    while (!last.isEmpty() && canvas.fonts().width(last + QChar(0x2026), style.note_pt) > width) last.chop(1);
    last += QChar(0x2026);
    return words;
}

void paintError(PageCanvas& canvas, const PageStyle& style, const QRectF& target, const Error& error) {
    canvas.rect(target, QColor(0xFA, 0xFA, 0xFA), {style.colors.line, 0.5, analysis::LineStyle::kDashed}, 2);
    QStringList lines = canvas.fonts().wrap(QString::fromStdString(error.what), style.text_pt, target.width() - 12, true);
    const qsizetype strong = lines.size();
    lines += canvas.fonts().wrap(QString::fromStdString(error.why + "."), style.small_pt, target.width() - 12);
    if (!error.remedy.empty()) lines += canvas.fonts().wrap(QString::fromStdString(error.remedy + "."), style.small_pt, target.width() - 12);
    if (!error.path.empty()) lines += canvas.fonts().wrap(QString::fromStdString(error.path), style.note_pt, target.width() - 12);
    double y = target.top() + std::max(style.text_pt * 1.6, (target.height() - style.text_pt * 1.3 * static_cast<double>(lines.size())) / 2);
    for (qsizetype i = 0; i < lines.size() && y < target.bottom() - 2; ++i) {
        TextStyle text = i < strong ? style.text(Anchor::kMiddle) : style.small(Anchor::kMiddle);
        text.bold = i < strong;
        text.color = i < strong ? style.colors.bad : style.colors.muted;
        canvas.text({target.center().x(), y}, lines[i], text);
        y += style.text_pt * 1.3;
    }
}

}  // namespace

QString panelLetter(std::size_t index) {
    QString letters;
    for (std::size_t n = index + 1; n > 0; n = (n - 1) / 26) letters.prepend(QChar(static_cast<char16_t>(u'a' + (n - 1) % 26)));
    return letters;
}

QSizeF pageSize(const analysis::PageSettings& settings) { return {settings.width_mm * kPointsPerMm, settings.height_mm * kPointsPerMm}; }

std::vector<QRectF> layOut(const analysis::PageSettings& settings, std::size_t panels) {
    const QSizeF size = pageSize(settings);
    const int columns = std::clamp(settings.columns, 1, static_cast<int>(std::max<std::size_t>(1, panels)));
    const int rows = static_cast<int>((panels + static_cast<std::size_t>(columns) - 1) / static_cast<std::size_t>(columns));
    const double gap_x = settings.font_pt * 1.6, gap_y = settings.font_pt * 1.1;
    const double width = (size.width() - 2 * kMargin - gap_x * (columns - 1)) / columns;
    const double height = rows > 0 ? (size.height() - 2 * kMargin - gap_y * (rows - 1)) / rows : 0;
    std::vector<QRectF> cells;
    for (std::size_t i = 0; i < panels; ++i) {
        const auto column = static_cast<double>(i % static_cast<std::size_t>(columns)), row = static_cast<double>(i / static_cast<std::size_t>(columns));
        cells.emplace_back(kMargin + column * (width + gap_x), kMargin + row * (height + gap_y), width, height);
    }
    return cells;
}

PageReport paintPage(PageCanvas& canvas, const Page& page) {
    const PageStyle style = PageStyle::of(page.settings);
    PageReport report;
    report.cells = layOut(page.settings, page.panels.size());
    canvas.rect(QRectF(QPointF(0, 0), pageSize(page.settings)), Qt::white);
    for (std::size_t i = 0; i < page.panels.size(); ++i) {
        const PagePanel& entry = page.panels[i];
        QRectF cell = report.cells[i];
        canvas.setPanel(static_cast<int>(i));
        canvas.beginGroup(QStringLiteral("panel-") + panelLetter(i));

        QString heading = QString::fromStdString(entry.panel.title);
        if (page.settings.panel_letters) heading = QLatin1Char('(') + panelLetter(i) + QStringLiteral(") ") + heading;
        heading = heading.trimmed();
        QStringList notes;
        QString context = QString::fromStdString(entry.panel.context);
        if (!heading.isEmpty()) {
            const QStringList lines = canvas.fonts().wrap(heading, style.title_pt, cell.width(), true);
            TextStyle bold = style.text();
            bold.pt = style.title_pt;
            bold.bold = true;
            double baseline = cell.top() + canvas.fonts().ascent(style.title_pt);
            for (const QString& line : lines) {
                canvas.text({cell.left(), baseline}, line, bold);
                baseline += canvas.fonts().lineHeight(style.title_pt);
            }
            const double taken = canvas.fonts().width(lines.last(), style.title_pt, true) + style.title_pt;
            if (!context.isEmpty() && taken + canvas.fonts().width(context, style.small_pt) <= cell.width()) {
                TextStyle muted = style.small(Anchor::kEnd);
                muted.color = style.colors.muted;
                canvas.text({cell.right(), baseline - canvas.fonts().lineHeight(style.title_pt)}, context, muted);
                context.clear();
            }
            cell.setTop(cell.top() + canvas.fonts().lineHeight(style.title_pt) * static_cast<double>(lines.size()) + style.gap * 0.7);
        }
        if (entry.error) {
            paintError(canvas, style, cell, *entry.error);
            report.notes.emplace_back();
            canvas.endGroup();
            continue;
        }
        if (!context.isEmpty()) notes.append(context);
        for (const std::string& note : entry.panel.notes) notes.append(QString::fromStdString(note));

        // The painters' own notes are known only once they have tried: measure first, then leave the room that the notes need.
        MeasuringCanvas trial(canvas.fonts());
        const QStringList own = paintPanel(trial, style, cell, entry.panel.content);
        const double most = cell.height() * 0.3, line = canvas.fonts().lineHeight(style.note_pt);
        const Words reserved = noteLines(canvas, style, notes + own, cell.width(), most);
        QRectF body = cell;
        if (!reserved.lines.isEmpty()) body.setBottom(cell.bottom() - line * static_cast<double>(reserved.lines.size()) - 2);
        notes += paintPanel(canvas, style, body, entry.panel.content);
        const Words words = noteLines(canvas, style, notes, cell.width(), cell.bottom() - body.bottom());
        if (!notes.isEmpty()) {
            TextStyle muted = style.small();
            muted.pt = style.note_pt;
            muted.color = style.colors.muted;
            double baseline = cell.bottom() - line * static_cast<double>(words.lines.size()) + canvas.fonts().ascent(style.note_pt);
            for (const QString& text : words.lines) {
                canvas.text({cell.left(), baseline}, text, muted);
                baseline += line;
            }
            if (words.cut) report.notes_cut.push_back(static_cast<int>(i));
        }
        report.notes.push_back(notes);
        canvas.endGroup();
    }
    report.texts = canvas.placedTexts();
    report.color_keys = canvas.colorKeys();
    return report;
}

}  // namespace es::views::page
