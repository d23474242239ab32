// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>
#include <QPushButton>
#include <functional>

#include "views/theme/theme.h"

namespace es::views {

/// What a panel shows instead of data: an icon, what is (not) there, what would fill it, and a button that does it.
class EmptyState : public QWidget {
    Q_OBJECT
public:
    explicit EmptyState(Theme* theme, QWidget* parent = nullptr);
    /// `action` empty: no button.
    void show(const QString& icon, const QString& headline, const QString& words, const QString& action = {}, std::function<void()> run = {},
              analysis::ColorRole tint = {analysis::ColorRole::Kind::kMuted, 0});
    using QWidget::show;
    [[nodiscard]] QString headline() const { return headline_->text(); }
    [[nodiscard]] QString words() const { return words_->text(); }

private:
    void tint();
    Theme* theme_;
    QLabel *icon_, *headline_, *words_;
    QPushButton* button_;
    QString icon_name_;
    analysis::ColorRole role_{analysis::ColorRole::Kind::kMuted, 0};
    std::function<void()> run_;
};

}  // namespace es::views
