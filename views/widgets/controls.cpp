// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/widgets/controls.h"

#include <QVariant>

#include "views/theme/color_math.h"

namespace es::views {
namespace {

constexpr const char* kOwnTip = "es_own_tip";
constexpr const char* kIcon = "es_icon";

}  // namespace

IconButton::IconButton(Theme* theme, QString icon, const QString& tip, QWidget* parent) : QToolButton(parent), theme_(theme), icon_(std::move(icon)) {
    setToolTip(tip);
    setAccessibleName(tip);
    setIconSize(QSize(16, 16));
    setFixedSize(24, 24);
    setFocusPolicy(Qt::TabFocus);
    connect(theme_, &Theme::changed, this, &IconButton::tint);
    tint();
}

void IconButton::setIconName(const QString& icon) {
    if (icon == icon_) return;
    icon_ = icon;
    tint();
}

void IconButton::tint() {
    QIcon icon(theme_->icon(icon_, theme_->colors().muted));
    icon.addPixmap(theme_->icon(icon_, mix(theme_->colors().panel, theme_->colors().faint, 0.6)), QIcon::Disabled);
    icon.addPixmap(theme_->icon(icon_, theme_->colors().accent), QIcon::Normal, QIcon::On);
    setIcon(icon);
}

QPushButton* makeButton(Theme* theme, const QString& text, ButtonKind kind, const QString& icon, QWidget* parent) {
    auto* button = new QPushButton(text, parent);
    if (kind == ButtonKind::kPrimary) button->setProperty("kind", QStringLiteral("primary"));
    if (kind == ButtonKind::kDanger) button->setProperty("kind", QStringLiteral("danger"));
    if (kind == ButtonKind::kQuiet) button->setProperty("kind", QStringLiteral("quiet"));
    button->setCursor(Qt::PointingHandCursor);
    button->setProperty(kIcon, icon);
    button->setIconSize(QSize(14, 14));
    const auto tint = [button, theme, kind] {
        const QString name = button->property(kIcon).toString();
        if (name.isEmpty()) return button->setIcon(QIcon());
        const ThemeColors& c = theme->colors();
        const QColor ink = kind == ButtonKind::kPrimary ? c.textOnAccent : kind == ButtonKind::kDanger ? c.bad : kind == ButtonKind::kQuiet ? c.muted : c.text;
        QIcon pictures(theme->icon(name, ink, 14));
        pictures.addPixmap(theme->icon(name, mix(c.panel, c.faint, 0.8), 14), QIcon::Disabled);
        button->setIcon(pictures);
    };
    QObject::connect(theme, &Theme::changed, button, tint);
    QObject::connect(button, &QObject::objectNameChanged, button, tint);
    tint();
    return button;
}

void setButtonIcon(QPushButton* button, const QString& icon) {
    if (button->property(kIcon).toString() == icon) return;
    button->setProperty(kIcon, icon);
    button->setObjectName(QStringLiteral("button-") + icon);  // tells the tinting above
}

void setDisabledReason(QWidget* widget, const QString& why) {
    if (!widget->property(kOwnTip).isValid()) widget->setProperty(kOwnTip, widget->toolTip());
    const bool enabled = why.isEmpty();
    if (widget->isEnabled() != enabled) widget->setEnabled(enabled);
    const QString tip = enabled ? widget->property(kOwnTip).toString() : why;
    if (widget->toolTip() != tip) widget->setToolTip(tip);
    if (widget->accessibleDescription() != why) widget->setAccessibleDescription(why);
}

}  // namespace es::views
