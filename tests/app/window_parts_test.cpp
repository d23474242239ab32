// SPDX-License-Identifier: GPL-3.0-or-later
#include <gtest/gtest.h>

#include <QApplication>
#include <QFile>
#include <QSignalSpy>
#include <QTest>
#include <atomic>
#include <stdexcept>

#include "app/window/few_colors.h"
#include "app/window/job_controller.h"
#include "app/window/selection_json.h"
#include "app/window/settings.h"
#include "app/window/training_text.h"
#include "support/scratch_folder.h"

namespace es::app {
namespace {

class WindowParts : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        static int argc = 1;
        static char name[] = "test";
        static char* argv[] = {name, nullptr};
        application_ = new QApplication(argc, argv);
    }
    static void TearDownTestSuite() { delete application_; }
    inline static QApplication* application_ = nullptr;
};

TEST_F(WindowParts, OnlyTheNewestJobOfASlotAnswers) {
    JobController jobs;
    QObject owner;
    std::vector<int> answers;
    std::atomic<bool> release = false;
    jobs.run<int>(
        &owner, QStringLiteral("load"), QStringLiteral("first"),
        [&](JobContext& context) -> Result<int> {
            while (!release && !context.stopRequested()) QThread::msleep(1);
            return 1;
        },
        [&](Result<int> answer) { answers.push_back(answer.value_or(-1)); });
    jobs.run<int>(
        &owner, QStringLiteral("load"), QStringLiteral("second"), [](JobContext&) -> Result<int> { return 2; },
        [&](Result<int> answer) { answers.push_back(answer.value_or(-1)); });
    release = true;
    ASSERT_TRUE(QTest::qWaitFor([&] { return jobs.idle(); }, 5000));
    EXPECT_EQ(answers, std::vector<int>{2});
}

TEST_F(WindowParts, AThrowingJobBecomesAnError) {
    JobController jobs;
    QObject owner;
    std::string words;
    jobs.run<int>(
        &owner, QStringLiteral("x"), {}, [](JobContext&) -> Result<int> { throw std::runtime_error("boom"); },
        [&](Result<int> answer) { words = answer ? "none" : answer.error().message(); });
    ASSERT_TRUE(QTest::qWaitFor([&] { return jobs.idle(); }, 5000));
    EXPECT_NE(words.find("boom"), std::string::npos);
}

TEST_F(WindowParts, AJobOfADeadOwnerIsDropped) {
    JobController jobs;
    auto owner = std::make_unique<QObject>();
    bool called = false;
    jobs.run<int>(
        owner.get(), QStringLiteral("x"), {},
        [](JobContext&) -> Result<int> {
            QThread::msleep(30);
            return 1;
        },
        [&](Result<int>) { called = true; });
    owner.reset();
    ASSERT_TRUE(QTest::qWaitFor([&] { return jobs.idle(); }, 5000));
    EXPECT_FALSE(called);
}

TEST_F(WindowParts, LongJobsShowAndCanBeCancelled) {
    JobController jobs;
    QObject owner;
    std::optional<Result<int>> answer;
    jobs.run<int>(
        &owner, QStringLiteral("x"), QStringLiteral("Counting"),
        [](JobContext& context) -> Result<int> {
            for (int i = 0; !context.stopRequested(); ++i) {
                context.progress(i, 1000, "sheep");
                QThread::msleep(1);
            }
            return stopped("Counting stopped");
        },
        [&](Result<int> a) { answer = std::move(a); });
    ASSERT_TRUE(QTest::qWaitFor([&] { return !jobs.visibleJobs().empty(); }, 5000));
    EXPECT_TRUE(jobs.visibleJobs().front().label.contains(QStringLiteral("Counting")));
    EXPECT_GT(jobs.visibleJobs().front().total, 0);
    jobs.cancelJob(jobs.visibleJobs().front().id);
    ASSERT_TRUE(QTest::qWaitFor([&] { return answer.has_value(); }, 5000));
    EXPECT_EQ(answer->error().kind, ErrorKind::kStopped);
}

TEST_F(WindowParts, SelectionSurvivesJson) {
    views::Selection selection;
    selection.run = QStringLiteral("/a/b");
    selection.candidate = {QStringLiteral("/c")};
    selection.router = RouterId(2);
    selection.expert = ExpertIndex(5);
    selection.sample = 0xFEDCBA9876543210ull;
    selection.token_modality = Modality::kText;
    selection.token = TokenIndex(3);
    selection.step = 600;
    selection.workspace = QStringLiteral("inspect");
    EXPECT_EQ(selectionFromJson(toJson(selection)), selection);
    EXPECT_EQ(selectionFromJson(QJsonObject{}), views::Selection{});
}

TEST_F(WindowParts, DamagedSettingsAreSetAside) {
    const test::ScratchFolder scratch;
    const QString file = QString::fromStdString((scratch / "deep" / "window.json").string());
    {
        Settings settings(file);
        settings.setSection(QStringLiteral("a"), {{QStringLiteral("x"), 1}});
        EXPECT_TRUE(settings.save());
    }
    EXPECT_EQ(Settings(file).section(QStringLiteral("a")).value(QStringLiteral("x")).toInt(), 1);
    QFile broken(file);
    ASSERT_TRUE(broken.open(QIODevice::WriteOnly));
    broken.write("{ not json");
    broken.close();
    const Settings fresh(file);
    EXPECT_TRUE(fresh.section(QStringLiteral("a")).isEmpty());
    EXPECT_TRUE(QFile::exists(file + QStringLiteral(".damaged")));
    EXPECT_FALSE(fresh.problem().isEmpty());
}

TEST_F(WindowParts, TrainingTextNamesStepAndState) {
    session::SessionSnapshot snapshot;
    EXPECT_FALSE(trainingText(snapshot).active);
    snapshot.state = session::SessionState::kTraining;
    snapshot.step = 150;
    snapshot.steps = 600;
    snapshot.eta_s = 75;
    snapshot.samples_per_s = 400;
    const TrainingText text = trainingText(snapshot);
    EXPECT_TRUE(text.active);
    EXPECT_DOUBLE_EQ(text.progress, 0.25);
    EXPECT_EQ(text.text, QStringLiteral("step 150 / 600 · ETA 1 min 15 s · 400 samples/s"));
    snapshot.state = session::SessionState::kPaused;
    EXPECT_TRUE(trainingText(snapshot).text.contains(QStringLiteral("paused")));
}

TEST_F(WindowParts, FewColorsKeepWhatIsThere) {
    QImage plain(40, 30, QImage::Format_ARGB32_Premultiplied);
    plain.fill(QColor(0x12, 0x34, 0x56));
    plain.setPixelColor(3, 4, Qt::white);
    const QImage exact = withFewColors(plain);
    EXPECT_EQ(exact.size(), plain.size());
    EXPECT_EQ(exact.colorCount(), 2);
    EXPECT_EQ(exact.pixel(3, 4), qRgb(255, 255, 255));
    EXPECT_EQ(exact.pixel(0, 0), qRgb(0x12, 0x34, 0x56));

    // A large white ground beside a gradient of 4,096 shades: the ground stays white, shades come close.
    QImage many(128, 64, QImage::Format_RGB32);
    many.fill(Qt::white);
    for (int y = 0; y < 64; ++y)
        for (int x = 0; x < 64; ++x) many.setPixelColor(x, y, QColor(4 * x, 4 * y, 128));
    const QImage few = withFewColors(many);
    EXPECT_LE(few.colorCount(), 256);
    EXPECT_EQ(few.pixel(100, 30), qRgb(255, 255, 255));
    int worst = 0;
    for (int y = 0; y < 64; ++y)
        for (int x = 0; x < 64; ++x) worst = std::max({worst, std::abs(qRed(few.pixel(x, y)) - 4 * x), std::abs(qGreen(few.pixel(x, y)) - 4 * y)});
    EXPECT_LE(worst, 24);
    EXPECT_GT(worst, 0) << "4,096 shades do not fit into 256";
    EXPECT_TRUE(withFewColors({}).isNull());
}

}  // namespace
}  // namespace es::app
