// SPDX-License-Identifier: GPL-3.0-or-later
// The type of a page: one family at exact sizes in points, measured the same way whatever the page is painted on.
#pragma once

#include <QFont>
#include <QString>
#include <QStringList>
#include <vector>

#include "engine/base/result.h"

namespace es::views::page {

/// Painters of pages count in this many units a point, so that whole-number font sizes are fine enough (0.05 pt).
inline constexpr double kUnitsPerPoint = 20;
inline constexpr double kPointsPerMm = 72.0 / 25.4;

/// Families that a page may be set in: they ship with the program and may be embedded.
[[nodiscard]] const QStringList& pageFontFamilies();

/// Makes the shipped families known to Qt. Cheap after the first call. Needs a QGuiApplication. Any thread.
void loadPageFonts();

/// A stretch of text that is set in one family.
struct TextRun {
    QString text;
    bool fallback = false;  ///< in Inter, because the page's family lacks (some of) these signs
};

/// Fonts and their measures in points. A value; any thread.
class PageFonts {
public:
    /// An error names the families there are when `family` is not one of them or cannot be loaded.
    [[nodiscard]] static Result<PageFonts> make(const QString& family);
    [[nodiscard]] const QString& family() const { return family_; }

    /// For a painter in units of kUnitsPerPoint. No hinting and no ligatures: text can be searched letter by letter.
    [[nodiscard]] QFont font(double pt, bool bold = false, bool italic = false, bool fallback = false) const;
    /// Superscripts and relation signs that Latin Modern lacks are set in Inter, whole numbers together so that their digits match.
    [[nodiscard]] std::vector<TextRun> runs(const QString& text) const;
    [[nodiscard]] double width(const QString& text, double pt, bool bold = false, bool italic = false) const;
    [[nodiscard]] double ascent(double pt) const;
    [[nodiscard]] double descent(double pt) const;
    [[nodiscard]] double digitHeight(double pt) const;  ///< of a numeral above the baseline: centres labels on ticks
    [[nodiscard]] double lineHeight(double pt) const { return 1.2 * pt; }
    /// Breaks at spaces so that no line is wider than `width` points; a word that alone is wider is broken anywhere.
    [[nodiscard]] QStringList wrap(const QString& text, double pt, double width, bool bold = false) const;

private:
    explicit PageFonts(QString family) : family_(std::move(family)) {}
    QString family_;
};

}  // namespace es::views::page
