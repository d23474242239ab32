// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <memory>

#include "views/plots/bar_painter.h"

namespace es::views {

/// Bars with a read-out. Left and Right move it, Return is a click. GUI thread only.
class BarPlot : public QWidget {
    Q_OBJECT
public:
    explicit BarPlot(Theme* theme, QWidget* parent = nullptr);
    void setPanel(std::shared_ptr<const analysis::BarPanel> panel);
    [[nodiscard]] const analysis::BarPanel* panel() const { return panel_.get(); }
    [[nodiscard]] QSize sizeHint() const override { return {260, 160}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {120, 80}; }

Q_SIGNALS:
    void barClicked(int index);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    [[nodiscard]] int barAt(const QPointF& point) const;
    void hover(int index);
    Theme* theme_;
    std::shared_ptr<const analysis::BarPanel> panel_;
    int hovered_ = -1;
};

/// Effects with intervals around a reference. GUI thread only.
class ForestPlot : public QWidget {
    Q_OBJECT
public:
    explicit ForestPlot(Theme* theme, QWidget* parent = nullptr);
    void setPanel(std::shared_ptr<const analysis::ForestPanel> panel);
    [[nodiscard]] const analysis::ForestPanel* panel() const { return panel_.get(); }
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override { return {160, 80}; }

Q_SIGNALS:
    void rowClicked(int index);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    [[nodiscard]] ForestGeometry layoutRows() const;
    void hover(int index);
    Theme* theme_;
    std::shared_ptr<const analysis::ForestPanel> panel_;
    int hovered_ = -1;
};

}  // namespace es::views
