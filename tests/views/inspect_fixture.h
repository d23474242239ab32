// SPDX-License-Identifier: GPL-3.0-or-later
// An Inspect workspace on a made-up run, with jobs on real threads and an engine that answers from a script.
#pragma once

#include <gtest/gtest.h>

#include <QApplication>
#include <QElapsedTimer>
#include <QJsonArray>
#include <QMouseEvent>
#include <QPointer>
#include <QTest>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>

#include "engine/base/random.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/synthetic_routing.h"
#include "tests/support/synthetic_run.h"
#include "views/inspect/inspect_workspace.h"

namespace es::views::test {

/// Warnings that Qt printed since the program began.
inline QStringList& qtWarnings() {
    static QStringList warnings;
    return warnings;
}

/// Runs all tests with a QApplication; a test during which Qt warns fails.
inline int runGuiTests(int argc, char** argv) {
    qputenv("QT_QPA_PLATFORM", "offscreen");
    const es::test::ScratchFolder cache;  // what is kept of made-up runs goes with the program
    qputenv("XDG_CACHE_HOME", QByteArray::fromStdString(cache.path().string()));
    QApplication application(argc, argv);
    testing::InitGoogleTest(&argc, argv);
    qInstallMessageHandler([](QtMsgType type, const QMessageLogContext&, const QString& message) {
        if (type == QtDebugMsg || type == QtInfoMsg) return;
        // Of the offscreen plugin, about itself.
        if (message.contains(QLatin1String("propagateSizeHints")) || message.contains(QLatin1String("This plugin does not support"))) return;
        qtWarnings() << message;
        fprintf(stderr, "Qt: %s\n", qPrintable(message));
    });
    class NoWarnings : public testing::EmptyTestEventListener {
        void OnTestStart(const testing::TestInfo&) override { qtWarnings().clear(); }
        void OnTestEnd(const testing::TestInfo&) override { EXPECT_TRUE(qtWarnings().isEmpty()) << qtWarnings().join(QLatin1Char('\n')).toStdString(); }
    };
    testing::UnitTest::GetInstance()->listeners().Append(new NoWarnings);
    return RUN_ALL_TESTS();
}

/// Each job on a thread of its own; the newest of an owner and slot wins. Jobs of a slot that is held wait before they begin.
class ThreadJobs : public JobRunner {
public:
    ~ThreadJobs() override {
        for (auto& job : jobs_) job->stop.request_stop();
        for (auto& job : jobs_)
            if (job->thread.joinable()) job->thread.join();
    }
    void cancel(QObject* owner) override {
        for (auto& job : jobs_)
            if (job->owner == owner) drop(*job);
    }
    [[nodiscard]] bool idle() const override { return running_ == 0; }
    /// From now on jobs of this slot wait until it is released. One that is asked to stop waits no longer.
    void hold(const QString& slot) {
        const std::lock_guard lock(gate_);
        held_.insert(slot);
    }
    void release(const QString& slot) {
        {
            const std::lock_guard lock(gate_);
            held_.erase(slot);
        }
        opened_.notify_all();
    }
    [[nodiscard]] int waiting() const { return waiting_; }               ///< jobs that are held
    [[nodiscard]] bool allHeld() const { return running_ == waiting_; }  ///< no job is under way but those
    int started = 0;

protected:
    void start(QObject* owner, const QString& slot, const QString&, std::function<void(JobContext&)> work, std::function<void(const Error*)> done) override {
        for (auto& job : jobs_)
            if (job->owner == owner && job->slot == slot) drop(*job);
        ++running_;
        ++started;
        auto job = std::make_shared<Job>();
        job->owner = owner;
        job->slot = slot;
        jobs_.push_back(job);
        job->thread = std::thread([this, job, work = std::move(work), done = std::move(done)] {
            JobContext context;
            context.stop = job->stop.get_token();
            {
                std::unique_lock lock(gate_);
                ++waiting_;
                opened_.wait(lock, context.stop, [&] { return !held_.contains(job->slot); });
                --waiting_;
            }
            work(context);
            QMetaObject::invokeMethod(this, [this, job, done] {
                --running_;
                if (job->owner && !job->dropped) done(nullptr);
                job->owner = nullptr;
                if (running_ == 0) Q_EMIT becameIdle();
            });
        });
    }

private:
    struct Job {
        QPointer<QObject> owner;
        QString slot;
        std::stop_source stop;
        bool dropped = false;
        std::thread thread;
    };
    static void drop(Job& job) {
        job.dropped = true;
        job.stop.request_stop();
    }
    std::vector<std::shared_ptr<Job>> jobs_;
    int running_ = 0;
    std::mutex gate_;
    std::condition_variable_any opened_;
    std::set<QString> held_;
    std::atomic<int> waiting_ = 0;
};

/// A picture and caption through a model that does not exist: routing follows the planted rule of `caption`'s first letter.
inline session::SampleResult scriptedAnswer(const session::SampleRequest& request, const es::test::SyntheticRunOptions& options) {
    session::SampleResult result;
    result.step = request.checkpoint;
    result.sample = es::test::syntheticSample(1, options);
    result.sample.hash = 0xE5000000u + std::hash<std::string>{}(request.caption) % 1000;
    result.sample.caption = request.caption;
    result.sample.dataset = "own";
    if (!request.picture.empty()) result.sample.picture = request.picture;
    for (std::int32_t id = 0; id < 4; ++id) {
        const auto router = es::test::syntheticRouter(id, options);
        const bool vision = router.branch == Branch::kVision;
        std::vector<es::test::PlantedToken> tokens;
        const auto count = vision ? result.sample.grid_width * result.sample.grid_height : static_cast<std::int32_t>(result.sample.token_ids.size());
        for (std::int32_t i = 0; i < count; ++i)
            tokens.push_back({result.sample.hash, static_cast<std::uint16_t>(i), vision ? Modality::kVision : Modality::kText,
                              vision ? Objective::kPairImage : Objective::kPairText, vision ? -1 : result.sample.token_ids[static_cast<std::size_t>(i)], false,
                              static_cast<std::int32_t>(request.checkpoint / 100 + i / 6)});
        RandomStream random(7, RandomPurpose::kSynthetic, static_cast<std::uint64_t>(request.checkpoint), 0);
        result.routing.push_back(es::test::routeTokens(router, request.checkpoint, tokens, 6, -1, true, random));
    }
    // Patch 7 receives twice what every other token does; hidden words are taken for "goat".
    const auto patches = static_cast<std::size_t>(result.sample.grid_width * result.sample.grid_height), words = result.sample.token_ids.size();
    for (const int layer : {1, 2}) {
        if (!request.attention) break;
        const float share = 1.0f / static_cast<float>(patches + words + 1);
        result.attention.push_back({LayerIndex(layer), std::vector<float>(patches, share), std::vector<float>(words, share)});
        result.attention.back().patches[7] *= 2;
    }
    for (const std::int32_t word : request.masked_words) result.predictions.push_back({word, {"goat", "sheep"}, {0.61f, 0.125f}});
    return result;
}

/// Everything a workspace needs, on one run. The run is written once a program for each set of options.
class InspectBench {
public:
    explicit InspectBench(std::filesystem::path run, QSize size = {1280, 720}) : hub(&jobs) {
        context.theme = &theme;
        context.selection = &selection;
        context.jobs = &jobs;
        context.feeds = &hub;
        context.runSample = [this](const session::SampleRequest& request, JobContext&) -> Result<session::SampleResult> {
            ++engine_calls;
            {
                const std::lock_guard lock(asked_mutex);
                asked = request;
            }
            if (engine_error) return tl::unexpected(*engine_error);
            return scriptedAnswer(request, options);
        };
        context.say = [this](const QString& words) { said << words; };
        context.sayError = [this](const Error& error) { said << QString::fromStdString(error.message()); };
        context.sendToFigures = [this](const analysis::PanelQuery& query) { sent.push_back(query); };
        theme.setMode(ThemeMode::kLight);
        if (!run.empty()) {
            Selection first;
            first.run = QString::fromStdString(run.string());
            first.workspace = QStringLiteral("inspect");
            selection.reset(first);
        }
        workspace = std::make_unique<InspectWorkspace>(&context);
        workspace->resize(size);
        workspace->show();
        settle();
    }
    ~InspectBench() { workspace.reset(); }

    /// Lets everything load but what is held; fails the test after 20 s.
    void settleButHeld() {
        ASSERT_TRUE(QTest::qWaitFor([this] { return jobs.allHeld(); }, 20000));
        QTest::qWait(30);  // what a held job of later has asked for
        ASSERT_TRUE(QTest::qWaitFor([this] { return jobs.allHeld(); }, 20000));
    }
    /// Another run, as the user chooses one.
    void openRun(const std::filesystem::path& run) {
        Selection next;
        next.run = QString::fromStdString(run.string());
        next.workspace = QStringLiteral("inspect");
        selection.change(next, QStringLiteral("Open a run"));
    }
    /// Lets everything load; fails the test after 20 s.
    void settle() {
        QElapsedTimer clock;
        clock.start();
        int calm = 0;
        while (calm < 3) {
            QCoreApplication::processEvents(QEventLoop::AllEvents, 20);
            QCoreApplication::sendPostedEvents(nullptr, QEvent::DeferredDelete);
            calm = workspace->settled() && jobs.idle() ? calm + 1 : 0;
            if (clock.elapsed() > 20000) {
                ADD_FAILURE() << "the workspace did not settle in 20 s";
                return;
            }
            if (calm == 0) QThread::msleep(2);
        }
    }
    template <class T>
    [[nodiscard]] T* find(const char* name = "") const {
        T* found = workspace->findChild<T*>(*name ? QString::fromLatin1(name) : QString());
        EXPECT_NE(found, nullptr) << name;
        return found;
    }
    void click(QWidget* widget, const QPointF& at) {
        QTest::mouseClick(widget, Qt::LeftButton, {}, at.toPoint());
        settle();
    }
    void key(QWidget* widget, Qt::Key which) {
        QTest::keyClick(widget, which);
        settle();
    }
    [[nodiscard]] QJsonObject panel(const char* name) const {
        for (const auto& value : workspace->dump().value(QStringLiteral("panels")).toArray())
            if (value.toObject().value(QStringLiteral("name")).toString() == QLatin1String(name)) return value.toObject();
        ADD_FAILURE() << "no panel " << name;
        return {};
    }
    [[nodiscard]] QJsonObject data(const char* name) const { return panel(name).value(QStringLiteral("data")).toObject(); }

    es::test::SyntheticRunOptions options;
    Theme theme;
    SelectionModel selection;
    ThreadJobs jobs;
    RunFeedHub hub;
    WorkspaceContext context;
    QStringList said;
    std::vector<analysis::PanelQuery> sent;
    std::atomic<int> engine_calls = 0;
    std::mutex asked_mutex;
    session::SampleRequest asked;  ///< the last one
    std::optional<Error> engine_error;
    std::unique_ptr<InspectWorkspace> workspace;
};

/// A made-up run of these options, written once a program.
inline std::filesystem::path madeRun(const std::string& name, const es::test::SyntheticRunOptions& options) {
    static es::test::ScratchFolder folder;
    const auto path = folder / name;
    if (!std::filesystem::exists(path)) {
        const auto written = es::test::writeSyntheticRun(path, options);
        EXPECT_TRUE(written) << written.error().message();
    }
    return path;
}

inline es::test::SyntheticRunOptions smallRun() {
    es::test::SyntheticRunOptions options;
    options.samples = 24;
    options.steps = 600;
    return options;
}

}  // namespace es::views::test
