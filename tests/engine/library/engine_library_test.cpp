// SPDX-License-Identifier: GPL-3.0-or-later
// The engine as the program uses it: loaded at run time, through the door alone.
#include "engine/session/engine_library.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "support/scratch_folder.h"
#include "support/tiny_pictures.h"

namespace es::session {
namespace {

using namespace std::chrono_literals;

class Engine : public testing::Test {
protected:
    static void SetUpTestSuite() {
        folder_ = new test::ScratchFolder;
        test::writeTinyPictures(*folder_ / "pictures");
        auto library = loadEngineLibrary(std::filesystem::path(ES_BINARY_DIR) / "lib" / "libes_engine.so");
        ASSERT_TRUE(library) << library.error().message();
        library_ = *library;
    }
    static void TearDownTestSuite() {
        library_.reset();
        delete folder_;
    }
    static TrainRequest request(const std::string& name) {
        std::filesystem::create_directories(*folder_ / "runs");
        return {test::tinyConfig(*folder_ / "pictures"), *folder_ / "runs" / name, false};
    }
    template <class Condition>
    static bool waitFor(Condition&& condition) {
        for (int i = 0; i < 6000 && !condition(); ++i) std::this_thread::sleep_for(5ms);
        return condition();
    }
    static inline test::ScratchFolder* folder_ = nullptr;
    static inline std::shared_ptr<EngineLibrary> library_;
};

TEST_F(Engine, BringsOneOpenMpRuntimeAndItIsTorchs) {
    std::set<std::string> runtimes;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
        if (const auto at = line.find('/'); at != std::string::npos && (line.find("libgomp") != std::string::npos || line.find("libiomp") != std::string::npos))
            runtimes.insert(line.substr(at));
    ASSERT_EQ(runtimes.size(), 1u);
    EXPECT_NE(runtimes.begin()->find("torch/lib"), std::string::npos) << *runtimes.begin();
}

TEST_F(Engine, KnowsItsMachineAndItsData) {
    const auto report = library_->doctor();
    EXPECT_FALSE(report.lines.empty());
    EXPECT_EQ(report.lines.front().item, "LibTorch");
    bool emoji = false;
    for (const auto& set : library_->listDatasets(*folder_ / "cache")) emoji = emoji || set.name == "emoji";
    EXPECT_TRUE(emoji);
}

TEST_F(Engine, ASessionTrainsAndIsSteered) {
    auto session = library_->makeSession();
    EXPECT_EQ(session->snapshot().state, SessionState::kIdle);
    EXPECT_FALSE(session->pause());
    auto asked = request("steered");
    asked.config.train.steps = 4000;
    ASSERT_TRUE(session->start(asked));
    EXPECT_FALSE(session->start(asked));
    ASSERT_TRUE(waitFor([&] { return session->snapshot().step > 5; }));
    ASSERT_TRUE(session->pause());
    ASSERT_TRUE(waitFor([&] { return session->snapshot().state == SessionState::kPaused; }));
    ASSERT_TRUE(session->checkpointNow());
    ASSERT_TRUE(session->resume());
    const auto step = session->snapshot().step;
    ASSERT_TRUE(waitFor([&] { return session->snapshot().step > step; }));
    ASSERT_TRUE(session->stop());
    ASSERT_TRUE(waitFor([&] { return session->snapshot().state == SessionState::kFinished; }));
    EXPECT_EQ(session->snapshot().activity, "Stopped");
}

TEST_F(Engine, AFailureArrivesAsAnError) {
    auto session = library_->makeSession();
    auto asked = request("failing");
    asked.config.data.set = "/nonexistent/pictures";
    ASSERT_TRUE(session->start(asked));
    ASSERT_TRUE(waitFor([&] { return session->snapshot().state == SessionState::kFailed; }));
    EXPECT_EQ(session->snapshot().error.kind, ErrorKind::kBadInput);
}

TEST_F(Engine, TheSecondSampleIsQuick) {
    auto session = library_->makeSession();
    ASSERT_TRUE(session->start(request("samples")));
    ASSERT_TRUE(waitFor([&] { return session->snapshot().state == SessionState::kFinished; }));
    SampleRequest sample;
    sample.run = *folder_ / "runs" / "samples";
    sample.image_file = *folder_ / "pictures" / "picture1.ppm";
    sample.caption = "a red bar";
    const auto first = session->runSample(sample, {});
    ASSERT_TRUE(first) << first.error().message();
    const auto begin = std::chrono::steady_clock::now();
    const auto second = library_->runSample(sample, {});
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
    ASSERT_TRUE(second);
    EXPECT_EQ(first->routing[0].probs_TE, second->routing[0].probs_TE);
}

TEST_F(Engine, DestroyingASessionEndsItsTraining) {
    auto session = library_->makeSession();
    auto asked = request("left");
    asked.config.train.steps = 100'000;
    ASSERT_TRUE(session->start(asked));
    ASSERT_TRUE(waitFor([&] { return session->snapshot().step > 2; }));
    session.reset();
    EXPECT_TRUE(std::filesystem::exists(*folder_ / "runs" / "left" / "checkpoints"));
}

}  // namespace
}  // namespace es::session
