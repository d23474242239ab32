// SPDX-License-Identifier: GPL-3.0-or-later
// Buttons and helpers of the house: icons that follow the theme, disabled controls that say why.
#pragma once

#include <QPushButton>
#include <QToolButton>

#include "views/theme/theme.h"

namespace es::views {

/// A quiet 24 px button with an icon; tooltip and accessible name are the same sentence.
class IconButton : public QToolButton {
    Q_OBJECT
public:
    IconButton(Theme* theme, QString icon, const QString& tip, QWidget* parent = nullptr);
    void setIconName(const QString& icon);

private:
    void tint();
    Theme* theme_;
    QString icon_;
};

enum class ButtonKind { kPlain, kPrimary, kDanger, kQuiet };
/// A 28 px push button. `icon` may be empty.
[[nodiscard]] QPushButton* makeButton(Theme* theme, const QString& text, ButtonKind kind = ButtonKind::kPlain, const QString& icon = {},
                                      QWidget* parent = nullptr);
/// Changes the icon of a button that makeButton() made.
void setButtonIcon(QPushButton* button, const QString& icon);

/// Disables the widget and shows `why` as its tooltip; an empty `why` enables it and brings its own tooltip back.
void setDisabledReason(QWidget* widget, const QString& why);

}  // namespace es::views
