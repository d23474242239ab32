// SPDX-License-Identifier: GPL-3.0-or-later
// Which panels the Train workspace has, what makes each, and where they stand.
#include <QLabel>
#include <QSlider>
#include <QToolButton>
#include <QVBoxLayout>

#include "analysis/figures/train_panels.h"
#include "views/train/alarm_list.h"
#include "views/train/control_bar.h"
#include "views/train/run_panel.h"
#include "views/train/train_workspace.h"
#include "views/widgets/choice_box.h"

namespace es::views {
namespace {

using analysis::Panel;
using Work = LatestJob<Panel>::Work;

QSplitter* splitter(Qt::Orientation orientation, QWidget* parent) {
    auto* made = new QSplitter(orientation, parent);
    made->setHandleWidth(6);
    made->setChildrenCollapsible(false);
    return made;
}

}  // namespace

int TrainWorkspace::plotColumns(const Plot& plot) const { return std::max(200, plot.panel->width() - 60); }

analysis::PanelQuery TrainWorkspace::baseQuery(const char* kind) const {
    analysis::PanelQuery query;
    query.kind = kind;
    if (feed_) query.runs = {feed_->folder().toStdString()};
    return query;
}

void TrainWorkspace::addPlot(const QString& kind, const QString& title, const QString& hint) {
    auto plot = std::make_unique<Plot>();
    plot->kind = kind;
    plot->hint = hint;
    plot->panel = new PlotPanel(context_->theme, kind, title, this);
    Plot* self = plot.get();
    plot->job = std::make_unique<LatestJob<Panel>>(context_->jobs, this, kind, tr("Drawing %1").arg(title),
                                                   [this, self](Result<Panel> result) { showResult(*self, result); });
    connect(plot->panel, &PlotPanel::plotMade, this, [this, self] { connectPlot(*self); });
    connect(plot->panel, &PanelFrame::sendToFiguresRequested, this, [this](const analysis::PanelQuery& query) {
        if (context_->sendToFigures) context_->sendToFigures(query);
    });
    plots_.push_back(std::move(plot));
}

void TrainWorkspace::connectPlot(Plot& plot) {
    if (LinePlot* line = plot.panel->linePlot()) {
        if (const QVariant zoom = plot.panel->property("es_zoom"); zoom.isValid()) line->restoreViewState(zoom.toJsonValue().toObject());
        if (plot.kind == QLatin1String("throughput")) return;
        connect(line, &LinePlot::clicked, this, [this, &plot](double x) {
            if (plot.kind == QLatin1String("loss") && x_axis_->value() != QLatin1String("step")) return;
            chooseStep(x);
        });
    }
    if (HeatmapPlot* map = plot.panel->heatmapPlot())
        connect(map, &HeatmapPlot::cellClicked, this, [this, map](int row, int column) {
            Selection next = context_->selection->current();
            next.router = shownRouter();
            next.expert = ExpertIndex(row);
            if (const auto at = static_cast<std::size_t>(column); at < map->panel()->x_values.size()) cursor_step_ = map->panel()->x_values[at];
            updateCursor();
            context_->selection->change(next, tr("Select expert %1").arg(row));
        });
}

void TrainWorkspace::buildLossControls() {
    PlotPanel* loss = plots_[0]->panel;
    metric_ = new ChoiceBox(tr("Loss that is drawn"), true, loss);
    metric_->setChoices({tr("total loss")}, {QStringLiteral("train/loss")});
    x_axis_ = new ChoiceBox(tr("Horizontal axis"), true, loss);
    x_axis_->setChoices({tr("x: step"), tr("x: samples"), tr("x: tokens"), tr("x: time"), tr("x: active FLOPs"), tr("x: total FLOPs")},
                        {QStringLiteral("step"), QStringLiteral("samples"), QStringLiteral("tokens"), QStringLiteral("time"), QStringLiteral("active-flops"),
                         QStringLiteral("total-flops")});
    log_ = new QToolButton(loss);
    log_->setText(tr("log y"));
    log_->setCheckable(true);
    log_->setProperty("toggle", true);
    log_->setFixedHeight(22);
    log_->setToolTip(tr("Logarithmic loss axis"));
    smoothing_ = new QSlider(Qt::Horizontal, loss);
    smoothing_->setRange(0, 99);
    smoothing_->setValue(60);
    smoothing_->setFixedWidth(76);
    smoothing_->setAccessibleName(tr("Smoothing"));
    const auto tip = [this] {
        smoothing_->setToolTip(tr("Smoothing %1: debiased exponential mean; the raw line stays, faint").arg(smoothing_->value() / 100.0, 0, 'f', 2));
    };
    tip();
    for (QWidget* widget : std::initializer_list<QWidget*>{metric_, x_axis_, log_, smoothing_}) loss->addHeaderWidget(widget);
    loss->hideContext();
    const auto again = [this] { refresh(*plots_[0], true); };
    connect(metric_, &ChoiceBox::chosen, this, again);
    connect(x_axis_, &ChoiceBox::chosen, this, again);
    connect(log_, &QToolButton::toggled, this, again);
    connect(smoothing_, &QSlider::valueChanged, this, [this, tip] {
        tip();
        refresh(*plots_[0], false);
    });
}

void TrainWorkspace::buildLayout() {
    runs_ = new RunPanel(*context_, this);
    alarms_ = new AlarmPanel(context_->theme, this);
    addPlot(QStringLiteral("loss"), tr("Loss"), tr("Training and held-out loss, of one run or several"));
    addPlot(QStringLiteral("load"), tr("Expert load"), tr("Which share of the tokens each expert gets"));
    addPlot(QStringLiteral("max_vio"), tr("Load imbalance (MaxVio) by layer"), tr("How far the busiest expert is above an even share"));
    addPlot(QStringLiteral("entropy"), tr("Router entropy and dropped tokens"), tr("How sure the routers are, and what they drop"));
    addPlot(QStringLiteral("gradients"), tr("Stability"), tr("Gradient norms, with spikes marked"));
    addPlot(QStringLiteral("throughput"), tr("Device and throughput"), tr("Samples per second over the last ten minutes"));
    buildLossControls();
    router_ = new ChoiceBox(tr("Router whose load is drawn"), true, plots_[1]->panel);
    router_->hide();
    plots_[1]->panel->addHeaderWidget(router_);
    connect(router_, &ChoiceBox::chosen, this, [this](const QString& id) {
        Selection next = context_->selection->current();
        next.router = RouterId(id.toInt());
        next.expert = {};
        context_->selection->change(next, tr("Select router %1").arg(router_->currentText()));
    });

    plots_[0]->work = [this]() -> Work {
        analysis::CurveOptions options;
        options.metrics = {metric_->value().toStdString()};
        options.smoothing = smoothing_->value() / 100.0;
        options.x = analysis::xAxisFromString(x_axis_->value().toStdString()).value_or(analysis::XAxis::kStep);
        options.y_scale = log_->isChecked() ? analysis::Scale::kLog : analysis::Scale::kLinear;
        options.mark_events = true;
        options.max_points = 2 * plotColumns(*plots_[0]);
        return [sources = lossSources(), options](JobContext&) { return analysis::lossCurves(sources, options); };
    };
    plots_[0]->query = [this] {
        analysis::PanelQuery query = baseQuery("loss");
        query.runs.clear();
        for (const analysis::RunSource& source : lossSources()) query.runs.push_back(source.run->folder().string());
        query.parameters = {{"metric", metric_->value().toStdString()},
                            {"x", x_axis_->value().toStdString()},
                            {"smoothing", QString::number(smoothing_->value() / 100.0).toStdString()}};
        return query;
    };
    plots_[1]->work = [this]() -> Work {
        return [run = reader(), router = shownRouter(), columns = plotColumns(*plots_[1])](JobContext&) -> Result<Panel> {
            RouterId shown = router;
            const std::vector<store::RouterInfo> routers = run->routers();
            if (!shown.valid() && !routers.empty()) shown = routers.front().id;
            if (!shown.valid()) return jobFailed("This run has no experts", "it is a dense model", "Choose a sparse run to see how its experts are loaded");
            return analysis::loadHeatmap(*run, shown, Modality::kUnknown, columns);
        };
    };
    plots_[1]->query = [this] {
        analysis::PanelQuery query = baseQuery("load");
        for (const store::RouterInfo& router : routers_)
            if (router.id == shownRouter()) query.parameters = {{"router", analysis::routerName(router)}};
        return query;
    };
    plots_[2]->work = [this]() -> Work {
        return [run = reader(), points = plotColumns(*plots_[2])](JobContext&) { return analysis::maxVioByLayer(*run, 0.6, points); };
    };
    plots_[2]->query = [this] { return baseQuery("max_vio"); };
    plots_[3]->work = [this]() -> Work {
        return [run = reader(), points = plotColumns(*plots_[3])](JobContext&) { return analysis::entropyAndDrops(*run, {}, 0.6, points); };
    };
    plots_[3]->query = [this] { return baseQuery("entropy"); };
    plots_[4]->work = [this]() -> Work {
        return [run = reader(), points = plotColumns(*plots_[4])](JobContext&) { return analysis::gradientNorms(*run, 0, points); };
    };
    plots_[4]->query = [this] { return baseQuery("gradients"); };
    plots_[5]->work = [this]() -> Work {
        return [run = reader(), points = plotColumns(*plots_[5])](JobContext&) { return analysis::throughput(*run, 10, points); };
    };
    plots_[5]->query = [this] { return baseQuery("throughput"); };

    outer_ = splitter(Qt::Horizontal, this);
    left_ = splitter(Qt::Vertical, outer_);
    middle_ = splitter(Qt::Vertical, outer_);
    right_ = splitter(Qt::Vertical, outer_);
    left_->addWidget(runs_);
    left_->addWidget(alarms_);
    for (const int i : {0, 2, 4}) middle_->addWidget(plots_[static_cast<std::size_t>(i)]->panel);
    for (const int i : {1, 3, 5}) right_->addWidget(plots_[static_cast<std::size_t>(i)]->panel);
    left_->setStretchFactor(0, 2);
    left_->setStretchFactor(1, 1);
    left_->setSizes({500, 260});
    outer_->setStretchFactor(0, 0);
    outer_->setStretchFactor(1, 1);
    outer_->setStretchFactor(2, 1);
    outer_->setSizes({352, 470, 470});
    left_->setMinimumWidth(292);
    auto* all = new QVBoxLayout(this);
    const int gutter = context_->theme->metrics().gutter;
    all->setContentsMargins(gutter, gutter, gutter, gutter);
    all->addWidget(outer_);
    setFocusProxy(runs_->table());
}

}  // namespace es::views
