// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/train/train_workspace.h"

#include <QFileInfo>
#include <QJsonArray>
#include <QSlider>
#include <algorithm>
#include <cmath>
#include <mutex>

#include "analysis/figures/train_panels.h"
#include "views/train/alarm_list.h"
#include "views/train/control_bar.h"
#include "views/train/run_panel.h"
#include "views/widgets/choice_box.h"

namespace es::views {
namespace {

/// A live run is drawn anew at most this often.
constexpr int kRefreshMs = 500;

QString text(const std::string& s) { return QString::fromStdString(s); }

}  // namespace

struct TrainWorkspace::Watch {
    std::mutex mutex;
    analysis::AlarmMonitor monitor;
};

TrainWorkspace::TrainWorkspace(const WorkspaceContext& context, QWidget* parent) : Workspace(parent), context_(&context) {
    buildLayout();
    basics_job_ = std::make_unique<LatestJob<Basics>>(context.jobs, this, QStringLiteral("basics"), tr("Reading the run"),
                                                      [this](Result<Basics> result) { showBasics(std::move(result)); });
    alarm_job_ = std::make_unique<LatestJob<std::vector<analysis::Alarm>>>(context.jobs, this, QStringLiteral("alarms"), tr("Looking for alarms"),
                                                                           [this](Result<std::vector<analysis::Alarm>> result) {
                                                                               if (result) alarms_->setAlarms(std::move(*result));
                                                                               else alarms_->showFailed(result.error());
                                                                           });
    refresh_timer_.setSingleShot(true);
    refresh_timer_.setInterval(kRefreshMs);
    connect(&refresh_timer_, &QTimer::timeout, this, [this] { refreshAll(false); });
    connect(context.selection, &SelectionModel::changed, this, &TrainWorkspace::followSelection);
    connect(context.feeds, &RunFeedHub::runsChanged, this, [this] {
        if (feed_) updateControls();
        else explainNoRun();
    });
    connect(runs_, &RunPanel::currentRunChosen, this, [this](const QString& folder) {
        Selection next = context_->selection->current();
        if (next.run == folder) return;
        next.run = folder;
        next.router = {};
        next.expert = {};
        next.sample.reset();
        next.token = {};
        next.step = -1;
        context_->selection->change(next, tr("Select run %1").arg(QFileInfo(folder).fileName()));
    });
    connect(runs_, &RunPanel::chosenRunsChanged, this, [this] {
        for (const QString& folder : runs_->chosenRuns()) {
            RunFeed* feed = context_->feeds->feed(folder);
            connect(feed, &RunFeed::opened, this, &TrainWorkspace::refreshLoss, Qt::UniqueConnection);
            connect(feed, &RunFeed::changed, this, &TrainWorkspace::refreshLoss, Qt::UniqueConnection);
        }
        refreshLoss();
    });
    connect(runs_->controls(), &ControlBar::started, this, [this](const QString& folder) {
        context_->feeds->addRun(folder);
        Selection next = context_->selection->current();
        next.run = folder;
        next.router = {};
        next.step = -1;
        context_->selection->change(next, tr("Select run %1").arg(QFileInfo(folder).fileName()));
    });
    connect(alarms_, &AlarmPanel::alarmChosen, this, [this](const analysis::Alarm& alarm) {
        Selection next = context_->selection->current();
        if (alarm.router.valid()) next.router = alarm.router;
        if (alarm.expert.valid()) next.expert = alarm.expert;
        cursor_step_ = static_cast<double>(alarm.start_step);
        updateCursor();
        context_->selection->change(next, tr("Select alarm: %1").arg(text(alarm.title)));
    });
    connect(alarms_, &AlarmPanel::silencedChanged, this, [this](const QSet<QString>& keys) { silenced_[context_->selection->current().run] = keys; });
    openRun(context.selection->current().run);
}

TrainWorkspace::~TrainWorkspace() { context_->jobs->cancel(this); }

PlotPanel* TrainWorkspace::panel(const QString& name) const {
    for (const auto& plot : plots_)
        if (plot->kind == name) return plot->panel;
    return nullptr;
}

void TrainWorkspace::followSelection(const Selection& now, const Selection& before) {
    if (now.run != before.run) return openRun(now.run);
    if (now.router != before.router) {
        for (const auto& plot : plots_)
            if (plot->kind == QLatin1String("load")) refresh(*plot, true);
        router_->setValue(QString::number(shownRouter().value));
    }
    updateCursor();
}

void TrainWorkspace::openRun(const QString& folder) {
    if (feed_) {
        disconnect(feed_, &RunFeed::opened, this, &TrainWorkspace::onFeedOpened);
        disconnect(feed_, &RunFeed::changed, this, &TrainWorkspace::onFeedChanged);
    }
    runs_->setCurrentRun(folder);
    cursor_step_.reset();
    routers_.clear();
    checkpoints_.clear();
    watch_ = std::make_shared<Watch>();
    alarms_->setAlarms({});
    feed_ = folder.isEmpty() ? nullptr : context_->feeds->feed(folder);
    if (!feed_) {
        runs_->controls()->setSelected({}, nullptr);
        return explainNoRun();
    }
    alarms_->setSilenced(silenced_.value(folder));
    connect(feed_, &RunFeed::opened, this, &TrainWorkspace::onFeedOpened);
    connect(feed_, &RunFeed::changed, this, &TrainWorkspace::onFeedChanged);
    onFeedOpened();
}

void TrainWorkspace::onFeedChanged() {
    updateControls();
    if (!isVisible()) stale_ = true;
    else if (!refresh_timer_.isActive()) refresh_timer_.start();
}

void TrainWorkspace::refreshLoss() { refresh(*plots_.front(), false); }

void TrainWorkspace::updateControls() {
    std::optional<store::RunSummary> summary;
    for (const store::RunSummary& run : context_->feeds->runs())
        if (text(run.folder.string()) == feed_->folder()) summary = run;
    if (summary && feed_->state() == RunFeed::State::kOpen) summary->state = feed_->status().state;
    runs_->controls()->setSelected(summary, reader());
}

bool TrainWorkspace::startingHere() const {
    const session::SessionSnapshot snapshot = context_->trainer->snapshot();
    const bool active = snapshot.state == session::SessionState::kStarting || snapshot.state == session::SessionState::kTraining;
    return active && feed_ && text(snapshot.run.string()) == feed_->folder();
}

void TrainWorkspace::onFeedOpened() {
    if (!feed_) return;
    updateControls();
    switch (feed_->state()) {
        case RunFeed::State::kOpening:
            for (const auto& plot : plots_) plot->panel->showLoading(tr("Opening the run…"));
            runs_->setFactsWords(tr("Opening the run…"));
            return;
        case RunFeed::State::kFailed:
            if (startingHere()) {
                const QString activity = text(context_->trainer->snapshot().activity);
                for (const auto& plot : plots_) plot->panel->showLoading(activity.isEmpty() ? tr("Training is starting…") : activity + QStringLiteral("…"));
                runs_->setFactsWords(tr("Training is starting…"));
                return;
            }
            for (const auto& plot : plots_)
                plot->panel->showFailed(feed_->error(), {tr("Try again"), [this] {
                                                             if (feed_) feed_->refreshNow();
                                                         }});
            runs_->setFactsWords(text(feed_->error().message()));
            return;
        case RunFeed::State::kOpen: refreshAll(true);
    }
}

void TrainWorkspace::explainNoRun() {
    const bool any = !context_->feeds->runs().empty();
    for (const auto& plot : plots_) {
        if (any) plot->panel->showEmpty(tr("No run chosen"), plot->hint + tr(". Choose a run in the list"), {}, QStringLiteral("chart"));
        else
            plot->panel->showEmpty(tr("No run to draw yet"), plot->hint + tr(". It fills while a run is trained"),
                                   {tr("New run"), [this] { runs_->controls()->newRun(); }}, QStringLiteral("chart"));
    }
}

void TrainWorkspace::showEvent(QShowEvent* event) {
    Workspace::showEvent(event);
    if (stale_) refreshAll(false);
}

void TrainWorkspace::refreshAll(bool urgent) {
    if (!reader()) return;
    if (!isVisible()) {
        stale_ = true;
        return;
    }
    stale_ = false;
    basics_job_->request(
        [run = reader()](JobContext&) -> Result<Basics> {
            Basics basics{analysis::runFacts(*run), run->routers(), run->scalarNames(), {}};
            for (const store::CheckpointInfo& checkpoint : run->checkpoints())
                if (checkpoint.present) basics.checkpoints.push_back(static_cast<double>(checkpoint.step));
            return basics;
        },
        urgent);
    alarm_job_->request(
        [run = reader(), watch = watch_](JobContext& job) -> Result<std::vector<analysis::Alarm>> {
            const std::scoped_lock lock(watch->mutex);
            if (auto updated = watch->monitor.update(*run, job); !updated) return tl::unexpected(updated.error());
            return watch->monitor.alarms();
        },
        urgent);
    for (const auto& plot : plots_) refresh(*plot, urgent);
}

void TrainWorkspace::refresh(Plot& plot, bool urgent) {
    if (!reader() || !isVisible()) {
        stale_ = true;
        return;
    }
    if (urgent) plot.panel->showLoading();
    plot.job->request(plot.work(), urgent);
}

void TrainWorkspace::showResult(Plot& plot, const Result<analysis::Panel>& result) {
    if (result) {
        plot.panel->showPanel(std::make_shared<const analysis::Panel>(*result));
        plot.panel->setPanelQuery(plot.query());
        return updateCursor();
    }
    const Error& error = result.error();
    if (error.kind == ErrorKind::kJobFailed) {
        QString words = text(error.why);
        if (!error.remedy.empty()) words += (words.isEmpty() ? QString() : QStringLiteral(". ")) + text(error.remedy);
        if (!words.isEmpty()) words[0] = words[0].toUpper();
        plot.panel->showEmpty(text(error.what), words, {}, QStringLiteral("chart"));
    } else if (error.kind != ErrorKind::kStopped) {
        plot.panel->showFailed(error, {tr("Try again"), [this, &plot] { refresh(plot, true); }});
    }
}

void TrainWorkspace::showBasics(Result<Basics> result) {
    if (!result) return runs_->setFactsWords(text(result.error().message()));
    const bool new_routers = result->routers != routers_;
    routers_ = std::move(result->routers);
    checkpoints_ = std::move(result->checkpoints);
    if (const auto* facts = std::get_if<analysis::TablePanel>(&result->facts.content)) runs_->setFacts(text(result->facts.title), *facts);
    QStringList warnings;
    if (feed_)
        for (const std::string& warning : feed_->status().warnings) warnings << text(warning);
    runs_->setFactsWords(warnings.join(QLatin1Char('\n')));

    QStringList names{tr("total loss")}, values{QStringLiteral("train/loss")};
    for (const std::string& name : result->scalars) {
        if (name.rfind("train/loss/", 0) == 0) names << text(name.substr(11)).replace(QLatin1Char('_'), QLatin1Char(' '));
        else if (name == "learning_rate") names << tr("learning rate");
        else if (name.starts_with("train/") && std::ranges::count(name, '/') == 2)  // of one router
            names << tr("%1, router %2")
                         .arg(text(name).section(QLatin1Char('/'), 1, 1).replace(QLatin1Char('_'), QLatin1Char(' ')), text(name).section(QLatin1Char('/'), 2));
        else continue;
        values << text(name);
    }
    if (std::find(result->scalars.begin(), result->scalars.end(), "train/loss") == result->scalars.end() && values.size() > 1) {
        names.removeFirst();
        values.removeFirst();
    }
    const QString before = metric_->value();
    metric_->setChoices(names, values);
    QStringList routers, ids;
    for (const store::RouterInfo& router : routers_) {
        routers << tr("layer %1 · %2")
                       .arg(router.layer.value)
                       .arg(QString::fromUtf8(toString(router.branch).data(), static_cast<qsizetype>(toString(router.branch).size())).toUpper());
        ids << QString::number(router.id.value);
    }
    router_->setChoices(routers, ids);
    router_->setVisible(!routers.isEmpty());
    router_->setValue(QString::number(shownRouter().value));
    if (metric_->value() != before) refresh(*plots_[0], true);
    if (new_routers) refresh(*plots_[1], true);
}

RouterId TrainWorkspace::shownRouter() const {
    const RouterId wanted = context_->selection->current().router;
    for (const store::RouterInfo& router : routers_)
        if (router.id == wanted) return wanted;
    return routers_.empty() ? RouterId{} : routers_.front().id;
}

std::vector<analysis::RunSource> TrainWorkspace::lossSources() const {
    QStringList folders = runs_->chosenRuns();
    if (feed_ && !folders.contains(feed_->folder())) folders.prepend(feed_->folder());
    std::vector<analysis::RunSource> sources;
    for (const QString& folder : folders)
        if (const auto run = context_->feeds->feed(folder)->reader()) sources.push_back({run, {}, context_->feeds->colorGroup(folder)});
    return sources;
}

void TrainWorkspace::chooseStep(double step) {
    cursor_step_ = step;
    Selection next = context_->selection->current();
    if (!checkpoints_.empty()) {
        const double nearest =
            *std::min_element(checkpoints_.begin(), checkpoints_.end(), [step](double a, double b) { return std::abs(a - step) < std::abs(b - step); });
        next.step = static_cast<std::int64_t>(nearest);
    }
    updateCursor();
    context_->selection->change(next, tr("Select step %1").arg(next.step));
}

void TrainWorkspace::updateCursor() {
    const Selection& now = context_->selection->current();
    std::optional<double> step = cursor_step_;
    if (!step && now.step >= 0) step = static_cast<double>(now.step);
    for (const auto& plot : plots_) {
        const bool steps = plot->kind == QLatin1String("loss") ? x_axis_->value() == QLatin1String("step") : plot->kind != QLatin1String("throughput");
        if (LinePlot* line = plot->panel->linePlot()) line->setCursorX(steps ? step : std::nullopt);
        if (HeatmapPlot* map = plot->panel->heatmapPlot()) {
            map->setCursorX(step);
            map->setSelectedRow(now.expert.valid() && shownRouter() == (now.router.valid() ? now.router : shownRouter()) ? now.expert.value : -1);
        }
    }
}

bool TrainWorkspace::settled() const {
    if (!context_->feeds->folders().isEmpty() && !context_->feeds->listed()) return false;
    if (!feed_) return true;
    if (feed_->state() == RunFeed::State::kOpening) return false;
    if (!isVisible()) return true;
    return basics_job_->idle() && alarm_job_->idle() && !refresh_timer_.isActive() &&
           std::all_of(plots_.begin(), plots_.end(), [](const auto& plot) { return plot->job->idle() && plot->panel->settled(); });
}

QJsonObject TrainWorkspace::dump() const {
    QJsonArray panels{runs_->dump()};
    for (const auto& plot : plots_) panels.append(plot->panel->dump());
    panels.append(alarms_->dump());
    return {{QStringLiteral("workspace"), QStringLiteral("train")},
            {QStringLiteral("run"), context_->selection->current().run},
            {QStringLiteral("panels"), panels}};
}

std::vector<PaletteEntry> TrainWorkspace::paletteEntries() {
    std::vector<PaletteEntry> entries;
    entries.push_back({tr("New run…"), tr("Choose a configuration and train it"), [this] { runs_->controls()->newRun(); }});
    for (const store::RouterInfo& router : routers_) {
        const QString name = QString::fromStdString(analysis::routerName(router));
        const QString experts = tr("%1 experts").arg(router.experts);
        entries.push_back({tr("Router %1").arg(name), router.k > 0 ? tr("%1, k = %2").arg(experts).arg(router.k) : experts, [this, id = router.id, name] {
                               Selection next = context_->selection->current();
                               next.router = id;
                               context_->selection->change(next, tr("Select router %1").arg(name));
                           }});
    }
    return entries;
}

QJsonObject TrainWorkspace::saveState() const {
    const auto splitter = [](const QSplitter* s) {
        QJsonArray sizes;
        for (const int size : s->sizes()) sizes.append(size);
        return sizes;
    };
    QJsonObject silenced;
    for (auto it = silenced_.begin(); it != silenced_.end(); ++it)
        if (!it->isEmpty()) silenced.insert(it.key(), QJsonArray::fromStringList(it->values()));
    QJsonObject views;
    for (const auto& plot : plots_)
        if (const LinePlot* line = plot->panel->linePlot(); line && line->zoomed()) views.insert(plot->kind, line->viewState());
    return {{QStringLiteral("outer"), splitter(outer_)},
            {QStringLiteral("left"), splitter(left_)},
            {QStringLiteral("middle"), splitter(middle_)},
            {QStringLiteral("right"), splitter(right_)},
            {QStringLiteral("x"), x_axis_->value()},
            {QStringLiteral("log"), log_->isChecked()},
            {QStringLiteral("smoothing"), smoothing_->value()},
            {QStringLiteral("metric"), metric_->value()},
            {QStringLiteral("silenced"), silenced},
            {QStringLiteral("zoom"), views},
            {QStringLiteral("chosen"), QJsonArray::fromStringList(runs_->chosenRuns())}};
}

void TrainWorkspace::restoreState(const QJsonObject& state) {
    const auto splitter = [&](QSplitter* s, const char* key) {
        QList<int> sizes;
        for (const QJsonValue& size : state.value(QLatin1String(key)).toArray()) sizes << size.toInt();
        if (sizes.size() == s->count()) s->setSizes(sizes);
    };
    splitter(outer_, "outer");
    splitter(left_, "left");
    splitter(middle_, "middle");
    splitter(right_, "right");
    if (state.contains(QLatin1String("x"))) x_axis_->setValue(state.value(QLatin1String("x")).toString());
    log_->setChecked(state.value(QLatin1String("log")).toBool());
    if (state.contains(QLatin1String("smoothing"))) smoothing_->setValue(state.value(QLatin1String("smoothing")).toInt());
    if (const QString metric = state.value(QLatin1String("metric")).toString(); !metric.isEmpty()) {
        // The choices are not known before the run is read; showBasics() keeps this value when the run has it.
        metric_->setChoices({metric.section(QLatin1Char('/'), -1)}, {metric});
    }
    const QJsonObject silenced = state.value(QLatin1String("silenced")).toObject();
    for (auto it = silenced.begin(); it != silenced.end(); ++it)
        for (const QJsonValue& key : it->toArray()) silenced_[it.key()].insert(key.toString());
    alarms_->setSilenced(silenced_.value(context_->selection->current().run));
    const QJsonObject views = state.value(QLatin1String("zoom")).toObject();
    for (const auto& plot : plots_)
        if (views.contains(plot->kind)) plot->panel->setProperty("es_zoom", views.value(plot->kind));
    QStringList chosen;
    for (const QJsonValue& folder : state.value(QLatin1String("chosen")).toArray()) chosen << folder.toString();
    if (chosen.size() > 1) runs_->setChosenRuns(chosen);
}

}  // namespace es::views
