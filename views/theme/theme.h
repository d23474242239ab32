// SPDX-License-Identifier: GPL-3.0-or-later
// The only place where colours, type and spacing are written down. One set of tokens feeds the style sheet, the plots and the painters.
#pragma once

#include <QColor>
#include <QFont>
#include <QHash>
#include <QObject>
#include <QPixmap>
#include <QString>

#include "analysis/figures/panel_data.h"

namespace es::views {

enum class ThemeMode { kLight, kDark, kSystem };

/// Colours by what they are for.
struct ThemeColors {
    QColor ground, panel, panelHeader, line, text, muted, faint, accent, accentGround, good, warn, bad;
    QColor gridLine;  ///< line at half strength
    QColor textOnAccent;
    bool dark = false;
};

/// Sizes in logical pixels; Qt scales them with the display.
struct ThemeMetrics {
    int gutter = 6, radius = 6, header = 28, row = 26, rowTall = 34, control = 28;
    int space1 = 4, space2 = 8, space3 = 12, space4 = 16, space5 = 24;
};

/// One per program, owned by the application and handed to views. GUI thread only.
class Theme : public QObject {
    Q_OBJECT
public:
    explicit Theme(QObject* parent = nullptr);
    void setMode(ThemeMode mode);  ///< restyles the application and emits changed()
    [[nodiscard]] ThemeMode mode() const;
    [[nodiscard]] const ThemeColors& colors() const;
    [[nodiscard]] const ThemeMetrics& metrics() const;
    [[nodiscard]] static const ThemeColors& lightColors();  ///< figures are always on white
    [[nodiscard]] static const ThemeColors& darkColors();
    /// Makes the fonts and icons of the program's resources known; done by the constructor, needed alone by exporters without a window.
    static void loadResources();

    enum class FontRole { kBody, kSecondary, kTitle, kStrong, kMono, kTabular, kAxis };
    [[nodiscard]] QFont font(FontRole role) const;

    /// Colour of a role on this theme's ground; `colors` picks the ground (screen or paper).
    [[nodiscard]] static QColor color(const analysis::ColorRole& role, const ThemeColors& colors);
    [[nodiscard]] static QColor expertColor(int expert, const ThemeColors& colors);
    [[nodiscard]] static QColor runColor(int group, const ThemeColors& colors);
    /// Black or white, whichever has contrast >= 4.5 on `ground`.
    [[nodiscard]] static QColor inkOn(const QColor& ground);
    /// `color` made just dark or light enough to be read as text on `ground` (contrast >= 4.5).
    [[nodiscard]] static QColor legible(const QColor& color, const QColor& ground);
    /// Colour of a map at t in [0, 1]; diverging: 0.5 is white (or the panel's colour).
    [[nodiscard]] static QColor mapColor(analysis::ColorMap map, double t);
    /// An outline icon of resources/icons in the theme's text colour, 16 px, sharp at any scale.
    [[nodiscard]] QPixmap icon(const QString& name, const QColor& color = {}, int size = 16) const;

Q_SIGNALS:
    void changed();

private:
    void restyle();
    ThemeMode mode_ = ThemeMode::kSystem;
    bool system_dark_ = false, dark_ = false;
    ThemeMetrics metrics_;
    mutable QHash<QString, QPixmap> icons_;
};

}  // namespace es::views
