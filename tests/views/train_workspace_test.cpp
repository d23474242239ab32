// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/train/train_workspace.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QPushButton>

#include "engine/session/fake_engine_session.h"
#include "gui_test.h"
#include "support/scratch_folder.h"
#include "support/synthetic_run.h"
#include "views/train/alarm_list.h"
#include "views/train/control_bar.h"
#include "views/train/new_run_dialog.h"
#include "views/train/run_panel.h"

namespace es::views {
namespace {

using test::gui;
using test::QueuedJobs;
using test::waitFor;

/// Two seeds with a dead expert and a spike, and a dense run; written once for all tests of the program.
const es::test::ScratchFolder& folderOfRuns() {
    static const es::test::ScratchFolder scratch;
    static const bool written = [] {
        es::test::SyntheticRunOptions options;
        options.name = "sparse";
        options.samples = 16;
        options.spikes = {400};
        options.dead_expert = 3;
        for (const std::int64_t seed : {1, 2}) {
            options.seed = seed;
            if (auto status = es::test::writeSyntheticRun(scratch / ("sparse-" + std::to_string(seed)), options); !status)
                ADD_FAILURE() << status.error().message();
        }
        options = {};
        options.name = "dense";
        options.ffn = "dense";
        options.samples = 16;
        options.finish = false;
        if (auto status = es::test::writeSyntheticRun(scratch / "dense", options); !status) ADD_FAILURE() << status.error().message();
        return true;
    }();
    (void)written;
    return scratch;
}

QString folder(const char* name) { return QString::fromStdString((folderOfRuns() / name).string()); }

/// A workspace with everything around it that a window would give.
struct Stage {
    SelectionModel selection;
    QueuedJobs jobs;
    RunFeedHub feeds{&jobs};
    session::FakeEngineSession session;
    WorkspaceContext context;
    std::vector<QString> said;
    std::vector<analysis::PanelQuery> sent;
    std::unique_ptr<TrainWorkspace> workspace;

    explicit Stage(bool with_runs = true, QSize size = {1280, 728}) {
        context.theme = gui->theme.get();
        context.selection = &selection;
        context.jobs = &jobs;
        context.feeds = &feeds;
        context.trainer = &session;
        context.say = [this](const QString& words) { said.push_back(words); };
        context.sayError = [this](const Error& error) { said.push_back(QString::fromStdString(error.message())); };
        context.sendToFigures = [this](const analysis::PanelQuery& query) { sent.push_back(query); };
        if (with_runs) feeds.setFolders({QString::fromStdString(folderOfRuns().path().string())});
        workspace = std::make_unique<TrainWorkspace>(context);
        workspace->setAttribute(Qt::WA_StyledBackground);
        workspace->resize(size);
        workspace->show();
    }
    void choose(const QString& run) {
        Selection next = selection.current();
        next.run = run;
        selection.change(next, QStringLiteral("Select run"));
    }
    bool settle() {
        return waitFor([this] { return workspace->settled() && jobs.idle(); }, 10000);
    }
    QJsonObject panel(const char* name) const {
        for (const QJsonValue& panel : workspace->dump().value(QStringLiteral("panels")).toArray())
            if (panel.toObject().value(QStringLiteral("name")).toString() == QLatin1String(name)) return panel.toObject();
        return {};
    }
    QString state(const char* name) const { return panel(name).value(QStringLiteral("state")).toString(); }
    /// With ES_PICTURES=folder the test leaves pictures there to be looked at.
    void picture(const char* name) {
        const QString target = qEnvironmentVariable("ES_PICTURES");
        if (target.isEmpty()) return;
        QTest::qWait(60);
        workspace->grab().save(target + QLatin1Char('/') + QLatin1String(name) + QStringLiteral(".png"));
    }
};

constexpr const char* kPlots[] = {"loss", "load", "max_vio", "entropy", "gradients", "throughput"};

TEST(TrainWorkspace, WithoutRunsEveryPanelSaysWhatWouldFillIt) {
    Stage stage(false);
    ASSERT_TRUE(stage.settle());
    for (const char* name : kPlots) EXPECT_EQ(stage.state(name), QStringLiteral("empty")) << name;
    EXPECT_EQ(stage.state("runs"), QStringLiteral("empty"));
    stage.picture("train-empty");
}

TEST(TrainWorkspace, ShowsARunAndItsData) {
    Stage stage;
    stage.choose(folder("sparse-1"));
    ASSERT_TRUE(stage.settle());
    for (const char* name : kPlots)
        EXPECT_EQ(stage.state(name), QStringLiteral("ready")) << name << ": " << QJsonDocument(stage.panel(name)).toJson().left(300).toStdString();
    // What is drawn is what the store says.
    auto run = store::RunReader::open(folder("sparse-1").toStdString());
    ASSERT_TRUE(run);
    ASSERT_TRUE((*run)->refresh());
    const auto stored = (*run)->scalars("train/loss");
    ASSERT_TRUE(stored);
    const QJsonArray curves = stage.panel("loss").value(QStringLiteral("data")).toObject().value(QStringLiteral("curves")).toArray();
    ASSERT_FALSE(curves.isEmpty());
    const QJsonArray raw = curves.at(0).toObject().value(QStringLiteral("raw_y")).toArray();
    ASSERT_FALSE(raw.isEmpty());
    EXPECT_DOUBLE_EQ(raw.last().toDouble(), stored->value.back());
    const QJsonObject load = stage.panel("load").value(QStringLiteral("data")).toObject();
    EXPECT_EQ(load.value(QStringLiteral("rows")).toInt(), 8);
    EXPECT_EQ(stage.panel("runs").value(QStringLiteral("data")).toObject().value(QStringLiteral("runs")).toArray().size(), 3);
    EXPECT_FALSE(stage.panel("runs").value(QStringLiteral("data")).toObject().value(QStringLiteral("facts")).toArray().isEmpty());
    stage.picture("train-1280-light");
}

TEST(TrainWorkspace, BothThemesAndSizesForTheEye) {
    if (qEnvironmentVariableIsEmpty("ES_PICTURES")) GTEST_SKIP() << "pictures are only made when ES_PICTURES names a folder";
    for (const bool dark : {false, true}) {
        gui->theme->setMode(dark ? ThemeMode::kDark : ThemeMode::kLight);
        for (const QSize size : {QSize(1280, 728), QSize(1680, 928)}) {
            Stage stage(true, size);
            stage.choose(folder("sparse-1"));
            ASSERT_TRUE(stage.settle());
            stage.workspace->runs()->table()->selectAll();
            ASSERT_TRUE(stage.settle());
            stage.picture(qPrintable(QStringLiteral("train-%1-%2-overlaid").arg(size.width()).arg(dark ? QStringLiteral("dark") : QStringLiteral("light"))));
        }
        Stage stage;
        NewRunDialog dialog(stage.context);
        dialog.show();
        QTest::qWait(50);
        dialog.grab().save(qEnvironmentVariable("ES_PICTURES") + (dark ? QStringLiteral("/new-run-dark.png") : QStringLiteral("/new-run-light.png")));
    }
    gui->theme->setMode(ThemeMode::kLight);
}

TEST(TrainWorkspace, ADenseRunHasNoExpertPanelsAndSaysSo) {
    Stage stage;
    stage.choose(folder("dense"));
    ASSERT_TRUE(stage.settle());
    EXPECT_EQ(stage.state("loss"), QStringLiteral("ready"));
    for (const char* name : {"load", "max_vio", "entropy"}) {
        EXPECT_EQ(stage.state(name), QStringLiteral("empty")) << name;
        EXPECT_FALSE(stage.panel(name).value(QStringLiteral("words")).toString().isEmpty()) << name;
    }
    stage.picture("train-dense");
}

TEST(TrainWorkspace, ChosenRunsAreLaidOverEachOther) {
    Stage stage;
    stage.choose(folder("sparse-1"));
    ASSERT_TRUE(stage.settle());
    const auto curves = [&] { return stage.panel("loss").value(QStringLiteral("data")).toObject().value(QStringLiteral("curves")).toArray().size(); };
    const auto alone = curves();
    stage.workspace->runs()->table()->selectAll();
    ASSERT_TRUE(waitFor([&] { return curves() >= 3 * alone; }, 10000)) << curves();
    EXPECT_EQ(stage.workspace->runs()->chosenRuns().size(), 3);
    stage.picture("train-1280-overlaid");
}

TEST(TrainWorkspace, SelectionMovesTheHeatMapAndComesBack) {
    Stage stage;
    stage.choose(folder("sparse-1"));
    ASSERT_TRUE(stage.settle());
    HeatmapPlot* map = stage.workspace->panel(QStringLiteral("load"))->heatmapPlot();
    ASSERT_NE(map, nullptr);
    QTest::mouseClick(map, Qt::LeftButton, {}, map->cellRect(2, 3).center().toPoint());
    EXPECT_EQ(stage.selection.current().expert, ExpertIndex(2));
    EXPECT_TRUE(stage.selection.current().router.valid());
    stage.selection.undoStack()->undo();
    EXPECT_FALSE(stage.selection.current().expert.valid());

    Selection next = stage.selection.current();
    next.router = RouterId(2);
    stage.selection.change(next, QStringLiteral("Select router"));
    ASSERT_TRUE(stage.settle());
    EXPECT_TRUE(stage.panel("load").value(QStringLiteral("data")).toObject().value(QStringLiteral("title")).toString().contains(QLatin1Char('2')));
}

TEST(TrainWorkspace, AlarmsAreListedChosenAndSilenced) {
    Stage stage;
    stage.choose(folder("sparse-1"));
    ASSERT_TRUE(stage.settle());
    AlarmPanel* alarms = stage.workspace->alarms();
    ASSERT_GT(alarms->model()->rowCount(), 0);
    int dead = -1;
    for (int row = 0; row < alarms->model()->rowCount(); ++row)
        if (alarms->model()->alarm(row).kind == analysis::AlarmKind::kDeadExpert) dead = row;
    ASSERT_GE(dead, 0);
    const QModelIndex index = alarms->model()->index(dead);
    QTest::mouseClick(alarms->list()->viewport(), Qt::LeftButton, {}, alarms->list()->visualRect(index).center());
    EXPECT_EQ(stage.selection.current().expert, ExpertIndex(3));
    EXPECT_EQ(stage.selection.current().router, RouterId(0));
    stage.picture("train-alarm");
    const int before = alarms->model()->rowCount();
    QTest::keyClick(alarms->list(), Qt::Key_S);
    EXPECT_EQ(alarms->model()->rowCount(), before - 1);
    // A silenced alarm stays silenced on the next start.
    const QJsonObject state = stage.workspace->saveState();
    Stage again;
    again.choose(folder("sparse-1"));
    again.workspace->restoreState(state);
    ASSERT_TRUE(again.settle());
    EXPECT_EQ(again.workspace->alarms()->model()->rowCount(), before - 1);
}

TEST(TrainWorkspace, SendsItsPanelsToFigures) {
    Stage stage;
    stage.choose(folder("sparse-1"));
    ASSERT_TRUE(stage.settle());
    for (const char* name : kPlots) {
        PlotPanel* panel = stage.workspace->panel(QLatin1String(name));
        for (QAction* action : panel->panelMenu()->actions())
            if (action->text() == QStringLiteral("Send to Figures")) action->trigger();
    }
    ASSERT_EQ(stage.sent.size(), std::size(kPlots));
    EXPECT_EQ(stage.sent[0].kind, "loss");
    EXPECT_EQ(stage.sent[1].parameters.at("router"), "1.v");
    for (const auto& query : stage.sent) EXPECT_EQ(query.runs.front(), folder("sparse-1").toStdString());
}

TEST(ControlBar, SteersTheSessionAndSaysWhyNot) {
    Stage stage;
    stage.choose(folder("sparse-1"));
    ASSERT_TRUE(stage.settle());
    ControlBar* bar = stage.workspace->runs()->controls();
    EXPECT_TRUE(bar->newButton()->isEnabled());
    EXPECT_FALSE(bar->pauseButton()->isEnabled());
    EXPECT_FALSE(bar->stopButton()->toolTip().isEmpty());
    EXPECT_TRUE(bar->stopButton()->toolTip().contains(QStringLiteral("Nothing")));

    session::TrainRequest request;
    request.out = folderOfRuns() / "new";
    ASSERT_TRUE(stage.session.start(request));
    ASSERT_TRUE(waitFor([bar] { return bar->pauseButton()->isEnabled(); }, 2000));
    EXPECT_FALSE(bar->newButton()->isEnabled());
    EXPECT_TRUE(bar->newButton()->toolTip().contains(QStringLiteral("new")));
    QTest::mouseClick(bar->pauseButton(), Qt::LeftButton);
    EXPECT_EQ(stage.session.calls().back(), "pause");
    EXPECT_EQ(bar->pauseButton()->text(), QStringLiteral("Resume"));
    QTest::mouseClick(bar->pauseButton(), Qt::LeftButton);
    EXPECT_EQ(stage.session.calls().back(), "resume");
    QTest::mouseClick(bar->checkpointButton(), Qt::LeftButton);
    EXPECT_EQ(stage.session.calls().back(), "checkpoint");
    QTest::mouseClick(bar->stopButton(), Qt::LeftButton);
    EXPECT_EQ(stage.session.calls().back(), "stop");
    EXPECT_FALSE(bar->stopButton()->isEnabled());
}

TEST(ControlBar, AnInterruptedRunCanGoOn) {
    Stage stage;
    stage.choose(folder("dense"));
    ASSERT_TRUE(stage.settle());
    ControlBar* bar = stage.workspace->runs()->controls();
    ASSERT_TRUE(waitFor([bar] { return bar->pauseButton()->isEnabled(); }, 2000)) << bar->pauseButton()->toolTip().toStdString();
    EXPECT_EQ(bar->pauseButton()->text(), QStringLiteral("Resume"));
    QTest::mouseClick(bar->pauseButton(), Qt::LeftButton);
    ASSERT_EQ(stage.session.calls().back(), "start");
    EXPECT_TRUE(stage.session.lastRequest().resume);
    EXPECT_EQ(QString::fromStdString(stage.session.lastRequest().out.string()), folder("dense"));
}

TEST(NewRunDialog, MakesARequestFromTheForm) {
    Stage stage;
    ASSERT_TRUE(stage.settle());
    NewRunDialog dialog(stage.context);
    EXPECT_TRUE(dialog.problem().isEmpty()) << dialog.problem().toStdString();
    EXPECT_TRUE(dialog.form()->setValue(QStringLiteral("train.steps"), QStringLiteral("123")));
    EXPECT_TRUE(dialog.form()->setValue(QStringLiteral("moe.k"), QStringLiteral("2")));
    EXPECT_TRUE(dialog.form()->setValue(QStringLiteral("run.name"), QStringLiteral("12 \"quoted\"")));
    EXPECT_EQ(dialog.form()->changedKeys(), (QStringList{QStringLiteral("run.name"), QStringLiteral("moe.k"), QStringLiteral("train.steps")}));
    EXPECT_EQ(dialog.request().config.train.steps, 123);
    EXPECT_EQ(dialog.request().config.run.name, "12 \"quoted\"");
    EXPECT_FALSE(dialog.form()->setValue(QStringLiteral("train.steps"), QStringLiteral("many")));
    EXPECT_TRUE(dialog.problem().contains(QStringLiteral("train.steps"))) << dialog.problem().toStdString();
    EXPECT_EQ(dialog.request().config.train.steps, 123) << "a bad entry changes nothing";
    EXPECT_TRUE(dialog.form()->setValue(QStringLiteral("train.steps"), QStringLiteral("50")));
    EXPECT_TRUE(dialog.form()->setValue(QStringLiteral("moe.k"), QStringLiteral("9")));
    EXPECT_FALSE(dialog.problem().isEmpty()) << "9 of 8 experts";
}

TEST(NewRunDialog, ATypedValueReachesTheConfiguration) {
    Stage stage;
    NewRunDialog dialog(stage.context);
    dialog.show();
    dialog.form()->showSection(QStringLiteral("train"));
    auto* steps = qobject_cast<QLineEdit*>(dialog.form()->editor(QStringLiteral("train.steps")));
    ASSERT_NE(steps, nullptr);
    ASSERT_TRUE(steps->isVisible());
    steps->selectAll();
    QTest::keyClicks(steps, QStringLiteral("77"));
    EXPECT_EQ(dialog.form()->config().train.steps, 77);
    dialog.take("[train]\nstepz = 3\n", "my.toml");
    EXPECT_TRUE(dialog.problem().contains(QStringLiteral("stepz"))) << dialog.problem().toStdString();
    EXPECT_TRUE(dialog.problem().contains(QStringLiteral("my.toml")));
}

}  // namespace
}  // namespace es::views
