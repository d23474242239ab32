// SPDX-License-Identifier: GPL-3.0-or-later
// Layers by experts for one sample: where its tokens went, which expert is selected, which way the selected token took.
#pragma once

#include <QWidget>
#include <vector>

#include "analysis/figures/panel_data.h"
#include "engine/base/strong_ids.h"
#include "views/theme/theme.h"

namespace es::views {

/// Click or Return chooses a cell, arrow keys move between cells. GUI thread only.
class ExpertMap : public QWidget {
    Q_OBJECT
public:
    explicit ExpertMap(Theme* theme, QWidget* parent = nullptr);
    /// Rows belong to `routers`, one each.
    void setPanel(analysis::HeatmapPanel panel, std::vector<RouterId> routers);
    [[nodiscard]] const analysis::HeatmapPanel& panel() const { return panel_; }
    [[nodiscard]] const std::vector<RouterId>& routers() const { return routers_; }
    void setSelected(RouterId router, ExpertIndex expert);  ///< an invalid expert marks the row alone
    /// Experts of the selected token: (row, expert), marked with a dot.
    void setPath(std::vector<std::pair<int, int>> path);
    [[nodiscard]] QRectF cellRect(int row, int column) const;
    [[nodiscard]] bool hasHeightForWidth() const override { return true; }
    [[nodiscard]] int heightForWidth(int width) const override;
    [[nodiscard]] QSize sizeHint() const override { return {320, heightForWidth(320)}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {160, 40}; }

Q_SIGNALS:
    void cellClicked(es::RouterId router, int expert);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool event(QEvent* event) override;

private:
    struct Measures {
        double left, top, cell_width, cell_height, gap;
    };
    [[nodiscard]] Measures measures(double width) const;
    [[nodiscard]] std::pair<int, int> cellAt(const QPointF& point) const;  ///< row, column; -1 where there is none
    [[nodiscard]] bool routed(int row, int column) const;
    [[nodiscard]] QString readout(int row, int column) const;
    void hover(std::pair<int, int> cell);
    void describe();

    Theme* theme_;
    analysis::HeatmapPanel panel_;
    std::vector<RouterId> routers_;
    std::vector<std::pair<int, int>> path_;
    RouterId router_;
    ExpertIndex expert_;
    std::pair<int, int> hovered_{-1, -1}, current_{0, 0};
};

}  // namespace es::views
