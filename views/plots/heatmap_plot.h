// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <functional>
#include <memory>
#include <optional>

#include "views/plots/heatmap_painter.h"

namespace es::views {

/// A heat map with a cell cursor. Arrow keys move it (Page keys by ten columns, Home and End to the ends), Return is a click; the mouse shows a
/// read-out and clicks. GUI thread only.
class HeatmapPlot : public QWidget {
    Q_OBJECT
public:
    explicit HeatmapPlot(Theme* theme, QWidget* parent = nullptr);
    void setPanel(std::shared_ptr<const analysis::HeatmapPanel> panel);
    [[nodiscard]] const analysis::HeatmapPanel* panel() const { return panel_.get(); }
    void setSelectedRow(int row);               ///< -1: none; outlined
    void setSelectedCell(int row, int column);  ///< ringed; -1, -1: none
    void setCursorX(std::optional<double> x);   ///< line at a value of the numeric axis
    /// Words for a cell, in place of "row · column · value".
    void setCellText(std::function<QString(int row, int column)> text) { cell_text_ = std::move(text); }
    [[nodiscard]] QRectF cellRect(int row, int column) const { return geometry_.cell(row, column); }
    [[nodiscard]] QString cellText(int row, int column) const;
    [[nodiscard]] QSize sizeHint() const override { return {360, 220}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {160, 90}; }

Q_SIGNALS:
    void cellClicked(int row, int column);
    void cellHovered(int row, int column);  ///< -1, -1: none

protected:
    bool event(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    void relayout();
    void hover(int row, int column);
    Theme* theme_;
    std::shared_ptr<const analysis::HeatmapPanel> panel_;
    HeatmapGeometry geometry_;
    QPixmap cache_;
    std::function<QString(int, int)> cell_text_;
    int row_ = -1, column_ = -1;  ///< under mouse or cursor
    int selected_row_ = -1, cell_row_ = -1, cell_column_ = -1;
    std::optional<double> cursor_x_;
    bool ring_ = false;
};

}  // namespace es::views
