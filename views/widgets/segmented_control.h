// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <QWidget>
#include <vector>

#include "views/theme/theme.h"

namespace es::views {

/// A choice of one among a few, side by side. Mouse, and arrow keys, Home and End when focused; Tab leaves it.
class SegmentedControl : public QWidget {
    Q_OBJECT
public:
    explicit SegmentedControl(Theme* theme, QWidget* parent = nullptr);
    /// `values` are what code deals in; equal to the labels when left out. Keeps the current value when it is still there, else takes the first.
    void setChoices(const QStringList& labels, const QStringList& values = {});
    [[nodiscard]] QStringList values() const { return values_; }
    [[nodiscard]] QString value() const { return values_.value(current_); }
    [[nodiscard]] int index() const { return current_; }
    void setValue(const QString& value);  ///< no signal
    void setIndex(int index);             ///< no signal
    void clearChoice();                   ///< none is chosen: the choice is made in another control. No signal
    /// A choice that cannot be taken now; `why` is its tooltip. An empty `why` makes it available.
    void setChoiceDisabled(const QString& value, const QString& why);
    void setCompact(bool compact);  ///< 24 px high instead of 28, for panel headers
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override { return sizeHint(); }
    [[nodiscard]] QRect segmentRect(int index) const;

Q_SIGNALS:
    void chosen(const QString& value);  ///< by the user

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool event(QEvent* event) override;

private:
    void choose(int index);
    [[nodiscard]] int segmentAt(const QPoint& point) const;
    [[nodiscard]] int segmentWidth(int index) const;
    void describe();
    Theme* theme_;
    QStringList labels_, values_, disabled_why_;
    int current_ = -1, hovered_ = -1;
    bool compact_ = false;
};

}  // namespace es::views
