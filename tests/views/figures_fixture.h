// SPDX-License-Identifier: GPL-3.0-or-later
// What a workspace needs, for tests: jobs that run in the event loop, a hub on made-up runs, and what was said.
#pragma once

#include <gtest/gtest.h>

#include <QApplication>
#include <QElapsedTimer>
#include <QPointer>
#include <QTest>
#include <map>

#include "tests/support/scratch_folder.h"
#include "tests/support/synthetic_run.h"
#include "views/models/workspace_context.h"

namespace es::test {

/// Runs each job when the event loop next turns; only the newest of an owner and slot answers.
class LoopJobs : public views::JobRunner {
public:
    void cancel(QObject* owner) override {
        for (auto& [key, number] : newest_)
            if (key.first == owner) ++number;
    }
    [[nodiscard]] bool idle() const override { return waiting_ == 0; }

protected:
    void start(QObject* owner, const QString& slot, const QString&, std::function<void(JobContext&)> work, std::function<void(const Error*)> done) override {
        const auto key = std::pair<QObject*, QString>(owner, slot);
        const int number = ++newest_[key];
        ++waiting_;
        QMetaObject::invokeMethod(
            this,
            [this, key, number, work = std::move(work), done = std::move(done), alive = QPointer<QObject>(owner)] {
                --waiting_;
                if (!alive || newest_[key] != number) return;
                JobContext context;
                work(context);
                done(nullptr);
            },
            Qt::QueuedConnection);
    }

private:
    std::map<std::pair<QObject*, QString>, int> newest_;
    int waiting_ = 0;
};

/// Made-up runs and a window's worth of models around them.
class WorkspaceTest : public testing::Test {
protected:
    void SetUp() override {
        context_.theme = &theme_;
        context_.selection = &selection_;
        context_.jobs = &jobs_;
        context_.feeds = &hub_;
        context_.say = [this](const QString& words) { said_.append(words); };
        context_.sayError = [this](const Error& error) { errors_.append(QString::fromStdString(error.message())); };
        context_.sendToFigures = [this](const analysis::PanelQuery& query) { sent_.push_back(query); };
    }

    std::filesystem::path addRun(const std::string& name, const std::string& ffn, std::int64_t seed) {
        SyntheticRunOptions options;
        options.name = name;
        options.ffn = ffn;
        options.seed = seed;
        options.steps = 120;
        options.samples = 24;
        const auto folder = scratch_ / "runs" / name;
        std::filesystem::create_directories(folder.parent_path());
        const auto written = writeSyntheticRun(folder, options);
        EXPECT_TRUE(written) << written.error().message();
        return folder;
    }

    void openFolder() {
        std::filesystem::create_directories(scratch_ / "runs");
        hub_.setFolders({QString::fromStdString((scratch_ / "runs").string())});
        waitFor([this] { return hub_.listed(); });
    }

    static bool waitFor(const std::function<bool()>& ready, int ms = 15000) {
        QElapsedTimer clock;
        clock.start();
        while (!ready() && clock.elapsed() < ms) QTest::qWait(5);
        EXPECT_TRUE(ready()) << "waited " << ms << " ms";
        return ready();
    }

    template <class Widget>
    static Widget* find(QWidget& in, const char* name) {
        auto* found = in.findChild<Widget*>(QLatin1String(name));
        EXPECT_NE(found, nullptr) << name;
        return found;
    }

    ScratchFolder scratch_;
    views::Theme theme_;
    views::SelectionModel selection_;
    LoopJobs jobs_;
    views::RunFeedHub hub_{&jobs_};
    views::WorkspaceContext context_;
    QStringList said_, errors_;
    std::vector<analysis::PanelQuery> sent_;
};

inline int runWithApplication(int argc, char** argv) {
    qputenv("QT_QPA_PLATFORM", "offscreen");
    QApplication application(argc, argv);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}

}  // namespace es::test
