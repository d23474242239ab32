// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <vector>

namespace es::views {
class Theme;
}

namespace es::app {

/// F1: every shortcut on one sheet.
class ShortcutSheet : public QDialog {
    Q_OBJECT
public:
    struct Row {
        QString keys, what;
    };
    ShortcutSheet(std::vector<Row> rows, views::Theme* theme, QWidget* parent);
};

}  // namespace es::app
