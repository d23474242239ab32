// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <memory>
#include <optional>

#include "views/export/sankey_geometry.h"
#include "views/plots/plot_style.h"

namespace es::views {

/// Columns of nodes with bands between them. Click or Return chooses a node; arrow keys walk: up and down within a column, left and right between
/// them. The mouse reads nodes and bands. GUI thread only.
class SankeyPlot : public QWidget {
    Q_OBJECT
public:
    explicit SankeyPlot(Theme* theme, QWidget* parent = nullptr);
    void setPanel(std::shared_ptr<const analysis::SankeyPanel> panel);
    [[nodiscard]] const analysis::SankeyPanel* panel() const { return panel_.get(); }
    void setSelected(int column, int node);  ///< -1, -1: none; its bands come out, the others step back
    [[nodiscard]] QRectF nodeRect(int column, int node) const;
    /// Words for a node or band under a point; empty where there is none.
    [[nodiscard]] QString textAt(const QPointF& point) const;
    [[nodiscard]] QSize sizeHint() const override { return {420, 240}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {180, 100}; }

Q_SIGNALS:
    void nodeClicked(int column, int node);

protected:
    bool event(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    using Node = std::pair<int, int>;  ///< column, node; -1, -1: none
    void relayout();
    [[nodiscard]] Node nodeAt(const QPointF& point) const;
    [[nodiscard]] int bandAt(const QPointF& point) const;
    [[nodiscard]] bool has(Node node) const;
    [[nodiscard]] QString nodeText(Node node) const;
    [[nodiscard]] QString bandText(int band) const;
    Theme* theme_;
    std::shared_ptr<const analysis::SankeyPanel> panel_;
    page::SankeyGeometry geometry_;
    Node selected_{-1, -1}, cursor_{-1, -1};
    std::optional<QPointF> mouse_;
    int band_ = -1;
    bool ring_ = false;
};

}  // namespace es::views
