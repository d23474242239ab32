// SPDX-License-Identifier: GPL-3.0-or-later
// Draws analysis::LinePanel on the screen: QCustomPlot underneath, labels, markers and the read-out above it.
#pragma once

#include <QJsonObject>
#include <QWidget>
#include <memory>
#include <optional>
#include <vector>

#include "analysis/figures/panel_data.h"
#include "views/plots/axis_text.h"
#include "views/plots/plot_style.h"

class QCustomPlot;
class QCPGraph;

namespace es::views {

/// Wheel: zoom along x (with Ctrl along y); drag: pan; double click: everything again. Keys: Left and Right move the read-out (with Shift the
/// plot), + and - zoom, 0 or Home shows everything, Escape hides the read-out, Return is a click. y follows what is visible unless zoomed.
/// Curves are reduced to the plot's width with their extremes kept. GUI thread only.
class LinePlot : public QWidget {
    Q_OBJECT
public:
    explicit LinePlot(Theme* theme, QWidget* parent = nullptr);
    ~LinePlot() override;
    /// Takes new data; a zoom the user chose stays as long as the axes' titles and scales do.
    void setPanel(std::shared_ptr<const analysis::LinePanel> panel);
    [[nodiscard]] const analysis::LinePanel* panel() const { return panel_.get(); }
    /// A vertical line at the selected x (a step); empty: none.
    void setCursorX(std::optional<double> x);
    [[nodiscard]] bool zoomed() const { return x_view_.has_value(); }
    void showAll();
    /// False while new data wait to be drawn.
    [[nodiscard]] bool settled() const { return !scheduled_; }
    [[nodiscard]] QJsonObject viewState() const;
    void restoreViewState(const QJsonObject& state);
    /// The data area in this widget's coordinates, and where a value lies in it.
    [[nodiscard]] QRectF dataArea() const;
    [[nodiscard]] QPointF toPixel(double x, double y) const;
    [[nodiscard]] QSize sizeHint() const override { return {360, 220}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {140, 90}; }

Q_SIGNALS:
    void clicked(double x);
    void viewChanged();

protected:
    bool event(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    class Overlay;
    friend class Overlay;
    struct Drawn;  ///< one curve and its graphs

    void build();
    void redraw();
    void applyStyle();
    /// Widens an axis of `length` pixels so that no point on its edge is cut in half.
    void makeRoomForPoints(page::AxisRange& range, double length, std::vector<double> Drawn::*values) const;
    void layoutAxes();
    void fillGraphs();
    void planLabels();
    void zoomX(double factor, double centre);
    void panX(double pixels);
    void setXView(double low, double high);
    [[nodiscard]] page::AxisRange wholeX() const;
    [[nodiscard]] std::pair<double, double> visibleY(double low, double high) const;
    void schedule();

    Theme* theme_;
    PlotStyle style_;
    QCustomPlot* plot_;
    Overlay* overlay_;
    std::shared_ptr<const analysis::LinePanel> panel_;
    std::vector<std::unique_ptr<Drawn>> drawn_;
    std::optional<page::AxisRange> x_view_, y_view_;  ///< what the user zoomed to
    page::AxisRange x_, y_;
    std::optional<double> cursor_x_, hover_x_;
    double hover_y_px_ = 0;
    QString cut_;  ///< said where the panel's own limits cut data off
    bool dragging_ = false, moved_ = false, ring_ = false;
    QPointF pressed_;
    bool scheduled_ = false;

    enum class Naming { kNone, kDirect, kLegend } naming_ = Naming::kNone;
    struct Name {
        QString text;
        const analysis::Curve* curve;
    };
    std::vector<Name> names_;
    QString point_key_;  ///< what the points beside lines of the same name are: "held out"
    int right_room_ = 0, top_room_ = 0;
    bool lines_beside_ = false;  ///< names of horizontal lines stand at the right, among those of curves
};

}  // namespace es::views
