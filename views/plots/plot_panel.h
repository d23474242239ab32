// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QJsonObject>
#include <memory>

#include "views/plots/bar_plot.h"
#include "views/plots/heatmap_plot.h"
#include "views/plots/line_plot.h"
#include "views/plots/sankey_plot.h"
#include "views/plots/table_view.h"
#include "views/widgets/panel_frame.h"

namespace es::views {

/// A panel frame that shows one analysis::Panel with the plot that fits its content (not overlays: those have a widget of their own).
/// Title, context, notes, Copy data and dump() follow the panel. GUI thread only.
class PlotPanel : public PanelFrame {
    Q_OBJECT
public:
    /// `name` is the panel's name in dump().
    PlotPanel(Theme* theme, const QString& name, const QString& title, QWidget* parent = nullptr);
    void showPanel(std::shared_ptr<const analysis::Panel> panel);
    [[nodiscard]] const std::shared_ptr<const analysis::Panel>& shown() const { return panel_; }
    [[nodiscard]] QString name() const { return name_; }
    /// Keeps the title it was made with instead of the panel's.
    void keepTitle(bool keep) { keep_title_ = keep; }
    /// Null unless that kind of content is shown.
    [[nodiscard]] LinePlot* linePlot() const { return line_; }
    [[nodiscard]] HeatmapPlot* heatmapPlot() const { return heatmap_; }
    [[nodiscard]] BarPlot* barPlot() const { return bar_; }
    [[nodiscard]] ForestPlot* forestPlot() const { return forest_; }
    [[nodiscard]] TableView* tableView() const { return table_; }
    [[nodiscard]] SankeyPlot* sankeyPlot() const { return sankey_; }
    /// False while what was shown waits to be drawn: a picture taken now would be of the past.
    [[nodiscard]] bool settled() const { return !line_ || line_->settled(); }
    /// {"name", "state", "data"}; data is null while nothing is shown, and "words" (failed: "error") says why.
    [[nodiscard]] QJsonObject dump() const;

Q_SIGNALS:
    void plotMade();  ///< a plot widget of another kind took the place: connect to its signals now

private:
    template <class Plot>
    Plot* take(Plot*& member);
    Theme* theme_;
    QString name_;
    bool keep_title_ = false;
    std::shared_ptr<const analysis::Panel> panel_;
    LinePlot* line_ = nullptr;
    HeatmapPlot* heatmap_ = nullptr;
    BarPlot* bar_ = nullptr;
    ForestPlot* forest_ = nullptr;
    TableView* table_ = nullptr;
    SankeyPlot* sankey_ = nullptr;
};

/// dump() of a frame that shows something else than a PlotPanel does.
[[nodiscard]] QJsonObject dumpPanel(const QString& name, const PanelFrame& frame, const QJsonValue& data);

}  // namespace es::views
