// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/shortcut_sheet.h"

#include <QDialogButtonBox>
#include <QGridLayout>
#include <QLabel>

#include "views/theme/theme.h"

namespace es::app {
namespace {

/// Keys that views handle themselves.
const std::vector<ShortcutSheet::Row>& viewRows() {
    static const std::vector<ShortcutSheet::Row> rows{
        {QStringLiteral("Tab / Shift+Tab"), QStringLiteral("Next or previous control")},
        {QStringLiteral("Arrow keys"), QStringLiteral("Walk patches, words, cells, steps and choices")},
        {QStringLiteral("+ / − / 0"), QStringLiteral("Zoom a picture or plot, or show all of it")},
        {QStringLiteral("Wheel, drag, double click"), QStringLiteral("Zoom, pan and reset a plot")},
        {QStringLiteral("Menu key"), QStringLiteral("What can be done with a panel: copy, send to Figures")},
        {QStringLiteral("Esc"), QStringLiteral("Close a dialog")},
    };
    return rows;
}

}  // namespace

ShortcutSheet::ShortcutSheet(std::vector<Row> rows, views::Theme* theme, QWidget* parent) : QDialog(parent) {
    setAttribute(Qt::WA_DeleteOnClose);
    setWindowTitle(QStringLiteral("Keyboard shortcuts"));
    rows.insert(rows.end(), viewRows().begin(), viewRows().end());
    auto* grid = new QGridLayout(this);
    grid->setHorizontalSpacing(theme->metrics().space5);
    grid->setVerticalSpacing(theme->metrics().space2);
    int line = 0;
    for (const Row& row : rows) {
        auto* keys = new QLabel(row.keys, this);
        keys->setFont(theme->font(views::Theme::FontRole::kStrong));
        grid->addWidget(keys, line, 0);
        grid->addWidget(new QLabel(row.what, this), line++, 1);
    }
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);
    grid->addWidget(buttons, line, 0, 1, 2);
}

}  // namespace es::app
