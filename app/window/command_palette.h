// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <vector>

#include "views/models/workspace_context.h"

class QLineEdit;
class QListWidget;

namespace es::app {

/// Ctrl+K: finds commands, runs, samples and experts by any of their words, in any order.
class CommandPalette : public QDialog {
    Q_OBJECT
public:
    CommandPalette(std::vector<views::PaletteEntry> entries, views::Theme* theme, QWidget* parent);
    /// Entries that match all words, best first: words at the start of a title count more than words within, then shorter titles.
    [[nodiscard]] static std::vector<int> matches(const std::vector<views::PaletteEntry>& entries, const QString& query, int most);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void filter(const QString& query);
    void runCurrent();
    std::vector<views::PaletteEntry> entries_;
    QLineEdit* input_;
    QListWidget* list_;
};

}  // namespace es::app
