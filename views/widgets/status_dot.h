// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "views/theme/theme.h"

namespace es::views {

/// A coloured dot and its word: colour alone never carries the meaning.
class StatusDot : public QWidget {
    Q_OBJECT
public:
    explicit StatusDot(Theme* theme, analysis::ColorRole role = {}, const QString& word = {}, QWidget* parent = nullptr);
    void setStatus(analysis::ColorRole role, const QString& word);
    [[nodiscard]] QString word() const { return word_; }
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override { return sizeHint(); }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    Theme* theme_;
    analysis::ColorRole role_;
    QString word_;
};

}  // namespace es::views
