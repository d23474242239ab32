// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLineEdit>
#include <QTimer>

#include "views/theme/theme.h"

namespace es::views {

/// A line to search with: a lens, a button to clear, and a signal once typing pauses (150 ms) or on Return.
class SearchField : public QLineEdit {
    Q_OBJECT
public:
    SearchField(Theme* theme, const QString& placeholder, QWidget* parent = nullptr);

Q_SIGNALS:
    void searched(const QString& text);

protected:
    void keyPressEvent(QKeyEvent* event) override;

private:
    void tint();
    Theme* theme_;
    QAction *lens_, *clear_;
    QTimer pause_;
};

}  // namespace es::views
