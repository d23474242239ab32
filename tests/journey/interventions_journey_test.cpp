// SPDX-License-Identifier: GPL-3.0-or-later
// The real window and the real engine: train, choose an expert, ban it on a sample and on the held-out samples, undo, ban all, find it kept.
#include <gtest/gtest.h>

#include <QApplication>
#include <QJsonArray>
#include <QLabel>
#include <QPushButton>
#include <QTest>

#include "app/window/main_window.h"
#include "engine/store/annotations.h"
#include "support/scratch_folder.h"
#include "support/tiny_pictures.h"
#include "views/inspect/expert_map.h"
#include "views/inspect/interventions/causal_page.h"
#include "views/inspect/interventions/intervention_panel.h"

namespace es::app {
namespace {

namespace fs = std::filesystem;
constexpr int kPatience = 120000;

class InterventionJourney : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        qputenv("QT_QPA_PLATFORM", "offscreen");
        static int argc = 1;
        static char name[] = "intervention_journey";
        static char* argv[] = {name, nullptr};
        application_ = new QApplication(argc, argv);
    }
    static void TearDownTestSuite() { delete application_; }

    static bool settle(MainWindow& window) {
        return QTest::qWaitFor([&] { return window.settled(); }, kPatience);
    }
    inline static QApplication* application_ = nullptr;
    test::ScratchFolder scratch_;
};

TEST_F(InterventionJourney, ABanIsRunKeptUndoneAndEveryExpertFollows) {
    test::writeTinyPictures(scratch_ / "pictures");
    const fs::path run = scratch_ / "runs" / "tiny";
    fs::create_directories(run.parent_path());
    {
        auto library = session::loadEngineLibrary(fs::path(ES_BINARY_DIR) / "lib" / "libes_engine.so");
        ASSERT_TRUE(library) << library.error().message();
        const Status trained = (*library)->train({test::tinyConfig(scratch_ / "pictures"), run, false}, {}, {});
        ASSERT_TRUE(trained) << trained.error().message();
    }
    WindowOptions options;
    options.folders << QString::fromStdString(run.string());
    options.workspace = QStringLiteral("inspect");
    options.settings_file = QString::fromStdString((scratch_ / "window.json").string());
    options.size = QSize(1680, 1000);
    options.program = QStringLiteral(ES_BINARY_DIR "/bin/expertscope");
    MainWindow window(options);
    window.show();
    ASSERT_TRUE(QTest::qWaitForWindowActive(&window));
    ASSERT_TRUE(settle(window));
    auto* panel = window.findChild<views::InterventionPanel*>();
    ASSERT_NE(panel, nullptr);
    auto* model = panel->interventions();
    auto* map = window.findChild<views::ExpertMap*>();
    ASSERT_NE(map, nullptr);
    // The expert that takes most patches of the sample.
    int busiest = 0;
    for (int e = 1; e < 4; ++e)
        if (map->panel().values[static_cast<std::size_t>(e)] > map->panel().values[static_cast<std::size_t>(busiest)]) busiest = e;
    QTest::mouseClick(map, Qt::LeftButton, {}, map->cellRect(0, busiest).center().toPoint());
    ASSERT_TRUE(settle(window));
    auto* again = window.findChild<QPushButton*>(QStringLiteral("interventionRun"));
    ASSERT_NE(again, nullptr);
    ASSERT_TRUE(again->isEnabled()) << again->toolTip().toStdString();
    QTest::mouseClick(again, Qt::LeftButton);
    ASSERT_TRUE(QTest::qWaitFor([&] { return !model->running(); }, kPatience));
    ASSERT_TRUE(settle(window));
    ASSERT_FALSE(model->error()) << model->error()->message();
    ASSERT_EQ(model->results().size(), 1u);
    const store::KeptResult& kept = model->results().front();
    EXPECT_GT(kept.routers.front().rerouted, 0) << "the busiest expert had patches";
    EXPECT_FALSE(kept.rows.empty());
    EXPECT_FALSE(kept.words.empty());
    const auto* routing = model->inspect()->intervened();
    ASSERT_NE(routing, nullptr);
    for (const std::uint16_t expert : routing->routing.front().expert_ids) EXPECT_NE(expert, busiest);
    window.selection().undoStack()->undo();
    ASSERT_TRUE(settle(window));
    EXPECT_EQ(model->inspect()->intervened(), nullptr);

    views::InterventionChoice choice = model->choice();
    choice.scope = views::InterventionChoice::Scope::kHeldOut;
    model->choose(choice, QStringLiteral("held-out samples"));
    QTest::keyClick(panel, Qt::Key_Return, Qt::ControlModifier);
    ASSERT_TRUE(QTest::qWaitFor([&] { return !model->running(); }, kPatience));
    ASSERT_TRUE(settle(window));
    ASSERT_FALSE(model->error()) << model->error()->message();
    ASSERT_EQ(model->results().size(), 2u);
    EXPECT_FALSE(model->results().back().sample.has_value());
    EXPECT_TRUE(window.findChild<QWidget*>(QStringLiteral("interventionTable"))->isVisible());

    ASSERT_TRUE(window.workspace(QStringLiteral("inspect"))->showPage(QStringLiteral("causal")));
    ASSERT_TRUE(settle(window));
    QTest::mouseClick(window.findChild<QPushButton*>(QStringLiteral("causalRun")), Qt::LeftButton);
    ASSERT_TRUE(settle(window));
    EXPECT_EQ(store::Annotations(run).results("causal")->size(), 8u) << "four experts of two routers";
    EXPECT_EQ(store::Annotations(run).results("panel")->size(), 2u);
}

}  // namespace
}  // namespace es::app
