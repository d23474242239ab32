// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/page_fonts.h"

#include <QFontDatabase>
#include <QFontMetricsF>
#include <mutex>

#include "views/theme/theme.h"

namespace es::views::page {

const QStringList& pageFontFamilies() {
    static const QStringList families{QStringLiteral("Latin Modern Roman"), QStringLiteral("Inter")};
    return families;
}

void loadPageFonts() {
    static std::once_flag once;
    std::call_once(once, [] { Theme::loadResources(); });
}

Result<PageFonts> PageFonts::make(const QString& family) {
    loadPageFonts();
    if (!pageFontFamilies().contains(family) || !QFontDatabase::families().contains(family))
        return badInput("Cannot set the page in the font '" + family.toStdString() + "'", "it is not one of the fonts that ship with the program",
                        "Use " + pageFontFamilies().join(QStringLiteral(" or ")).toStdString());
    return PageFonts(family);
}

QFont PageFonts::font(double pt, bool bold, bool italic, bool fallback) const {
    QFont font;
    font.setFamilies(fallback ? QStringList{QStringLiteral("Inter")} : QStringList{family_, QStringLiteral("Inter")});
    font.setPixelSize(qMax(1, qRound(pt * kUnitsPerPoint)));
    font.setBold(bold);
    font.setItalic(italic);
    font.setHintingPreference(QFont::PreferNoHinting);
    font.setStyleStrategy(QFont::StyleStrategy(QFont::PreferAntialias | QFont::PreferOutline));
    // Qt 6.4 forms no ligatures where letters are spaced; a PDF with an "fi" glyph is searched in vain for "final".
    font.setLetterSpacing(QFont::AbsoluteSpacing, 0.05);
    return font;
}

double PageFonts::width(const QString& text, double pt, bool bold, bool italic) const {
    double sum = 0;
    for (const TextRun& run : runs(text)) sum += QFontMetricsF(font(pt, bold, italic, run.fallback)).horizontalAdvance(run.text);
    return sum / kUnitsPerPoint;
}

std::vector<TextRun> PageFonts::runs(const QString& text) const {
    static const QString lacking = QStringLiteral("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺₀₁₂₃₄₅₆₇₈₉≥≤≈≠");
    std::vector<TextRun> found;
    const bool complete = family_ == QStringLiteral("Inter");
    for (const QChar c : text) {
        const bool fallback = !complete && lacking.contains(c);
        if (found.empty() || found.back().fallback != fallback) found.push_back({QString(), fallback});
        found.back().text += c;
    }
    return found;
}

double PageFonts::ascent(double pt) const { return 0.75 * pt; }
double PageFonts::descent(double pt) const { return 0.22 * pt; }

double PageFonts::digitHeight(double pt) const { return QFontMetricsF(font(pt)).tightBoundingRect(QStringLiteral("0")).height() / kUnitsPerPoint; }

QStringList PageFonts::wrap(const QString& text, double pt, double limit, bool bold) const {
    QStringList lines;
    QString line;
    const auto words = text.split(QLatin1Char(' '), Qt::SkipEmptyParts);
    for (QString word : words) {
        const QString joined = line.isEmpty() ? word : line + QLatin1Char(' ') + word;
        if (width(joined, pt, bold) <= limit) {
            line = joined;
            continue;
        }
        if (!line.isEmpty()) lines.append(line);
        while (word.size() > 1 && width(word, pt, bold) > limit) {
            qsizetype fits = 1;
            while (fits + 1 < word.size() && width(word.left(fits + 1), pt, bold) <= limit) ++fits;
            lines.append(word.left(fits));
            word = word.mid(fits);
        }
        line = word;
    }
    if (!line.isEmpty()) lines.append(line);
    return lines;
}

}  // namespace es::views::page
