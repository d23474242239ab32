// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/theme/theme.h"

#include <QApplication>
#include <QFile>
#include <QFontDatabase>
#include <QPainter>
#include <QPalette>
#include <QStyleFactory>
#include <QSvgRenderer>
#include <QToolTip>

#include "views/theme/color_math.h"
#include "views/theme/style_sheet.h"

// Q_INIT_RESOURCE must stand outside any namespace.
static void initExpertScopeResources() { Q_INIT_RESOURCE(resources); }

namespace es::views {

void Theme::loadResources() {
    static bool loaded = false;
    if (loaded) return;
    loaded = true;
    initExpertScopeResources();
    for (const char* file : {"Inter-Regular.otf", "Inter-Medium.otf", "Inter-SemiBold.otf", "Inter-Bold.otf", "Inter-Italic.otf", "InterTabular-Regular.otf",
                             "InterTabular-SemiBold.otf", "JetBrainsMono-Regular.ttf", "JetBrainsMono-Bold.ttf", "lmroman10-regular.otf", "lmroman10-bold.otf",
                             "lmroman10-italic.otf"})
        QFontDatabase::addApplicationFont(QStringLiteral(":/fonts/") + QString::fromLatin1(file));
}

Theme::Theme(QObject* parent) : QObject(parent) {
    loadResources();
    system_dark_ = luminance(QApplication::palette().color(QPalette::Window)) < 0.2;
    QApplication::setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
    dark_ = system_dark_;
    restyle();
}

void Theme::setMode(ThemeMode mode) {
    mode_ = mode;
    const bool dark = mode == ThemeMode::kDark || (mode == ThemeMode::kSystem && system_dark_);
    if (dark == dark_) return;
    dark_ = dark;
    restyle();
    Q_EMIT changed();
}

ThemeMode Theme::mode() const { return mode_; }
const ThemeColors& Theme::colors() const { return dark_ ? darkColors() : lightColors(); }
const ThemeMetrics& Theme::metrics() const { return metrics_; }

void Theme::restyle() {
    const ThemeColors& c = colors();
    QPalette palette;
    palette.setColor(QPalette::Window, c.ground);
    palette.setColor(QPalette::WindowText, c.text);
    palette.setColor(QPalette::Base, c.panel);
    palette.setColor(QPalette::AlternateBase, c.panelHeader);
    palette.setColor(QPalette::Text, c.text);
    palette.setColor(QPalette::PlaceholderText, c.faint);
    palette.setColor(QPalette::Button, c.panelHeader);
    palette.setColor(QPalette::ButtonText, c.text);
    palette.setColor(QPalette::BrightText, c.bad);
    palette.setColor(QPalette::Highlight, c.accent);
    palette.setColor(QPalette::HighlightedText, c.textOnAccent);
    palette.setColor(QPalette::Link, c.accent);
    palette.setColor(QPalette::LinkVisited, c.accent);
    palette.setColor(QPalette::ToolTipBase, c.text);
    palette.setColor(QPalette::ToolTipText, c.panel);
    palette.setColor(QPalette::Light, c.panel);
    palette.setColor(QPalette::Midlight, c.panelHeader);
    palette.setColor(QPalette::Mid, c.line);
    palette.setColor(QPalette::Dark, c.faint);
    palette.setColor(QPalette::Shadow, c.line);
    for (const QPalette::ColorRole role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText}) palette.setColor(QPalette::Disabled, role, c.faint);
    QApplication::setPalette(palette);
    QToolTip::setPalette(palette);
    QApplication::setFont(font(FontRole::kBody));
    qApp->setStyleSheet(makeStyleSheet(c, metrics_));
}

QFont Theme::font(FontRole role) const {
    const auto make = [](const QString& family, int pixels, QFont::Weight weight) {
        QFont font(family);
        font.setPixelSize(pixels);
        font.setWeight(weight);
        font.setHintingPreference(QFont::PreferVerticalHinting);
        return font;
    };
    const QString inter = QStringLiteral("Inter"), tabular = QStringLiteral("Inter Tabular");
    switch (role) {
        case FontRole::kBody: return make(inter, 13, QFont::Normal);
        case FontRole::kSecondary: return make(inter, 12, QFont::Normal);
        case FontRole::kTitle: return make(inter, 14, QFont::DemiBold);
        case FontRole::kStrong: return make(inter, 13, QFont::DemiBold);
        case FontRole::kMono: return make(QStringLiteral("JetBrains Mono"), 12, QFont::Normal);
        case FontRole::kTabular: return make(tabular, 13, QFont::Normal);
        case FontRole::kAxis: return make(tabular, 11, QFont::Normal);
    }
    return make(inter, 13, QFont::Normal);
}

QPixmap Theme::icon(const QString& name, const QColor& color, int size) const {
    const QColor ink = color.isValid() ? color : colors().text;
    const double ratio = qApp->devicePixelRatio();
    const QString key = QStringLiteral("%1|%2|%3|%4").arg(name, ink.name()).arg(size).arg(ratio);
    if (const auto found = icons_.constFind(key); found != icons_.constEnd()) return *found;
    QFile file(QStringLiteral(":/icons/") + name + QStringLiteral(".svg"));
    QPixmap pixmap(QSize(size, size) * ratio);
    pixmap.setDevicePixelRatio(ratio);
    pixmap.fill(Qt::transparent);
    if (file.open(QIODevice::ReadOnly)) {
        QByteArray svg = file.readAll();
        svg.replace("#000", ink.name().toLatin1());
        QSvgRenderer renderer(svg);
        QPainter painter(&pixmap);
        painter.setRenderHint(QPainter::Antialiasing);
        renderer.render(&painter, QRectF(0, 0, size, size));
    } else {
        qWarning("There is no icon named '%s'", qUtf8Printable(name));
    }
    icons_.insert(key, pixmap);
    return pixmap;
}

}  // namespace es::views
