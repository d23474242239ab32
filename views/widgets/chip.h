// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractButton>
#include <optional>

#include "views/theme/theme.h"

namespace es::views {

/// A rounded label with a dot in a role's colour, for runs and experts. Can be clicked, checked, and removed when told so.
class Chip : public QAbstractButton {
    Q_OBJECT
public:
    explicit Chip(Theme* theme, const QString& text = {}, std::optional<analysis::ColorRole> dot = {}, QWidget* parent = nullptr);
    void setDot(std::optional<analysis::ColorRole> dot);
    void setRemovable(bool removable);
    /// A chip that is only read takes no focus and shows no hand.
    void setReadOnly(bool read_only);
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override;

Q_SIGNALS:
    void removeRequested();

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    [[nodiscard]] QRect closeRect() const;
    Theme* theme_;
    std::optional<analysis::ColorRole> dot_;
    bool removable_ = false, read_only_ = false;
};

}  // namespace es::views
