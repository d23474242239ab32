// SPDX-License-Identifier: GPL-3.0-or-later
// A scratch folder with tiny pictures, and short words for training on them.
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "engine/base/files.h"
#include "engine/session/engine_library.h"
#include "engine/train/trainer.h"
#include "support/scratch_folder.h"
#include "support/tiny_pictures.h"

namespace es::engine {

struct Go {
    bool resume = false;
    std::int64_t stop_before = -1;  ///< asks to stop instead of taking this step
    std::function<session::TrainControl(std::int64_t poll)> poll = {};
    TrainerOptions options = {};
};

class TrainingFixture : public testing::Test {
protected:
    static void SetUpTestSuite() {
        folder_ = new test::ScratchFolder;
        test::writeTinyPictures(*folder_ / "pictures");
    }
    static void TearDownTestSuite() { delete folder_; }

    static config::RunConfig config() { return test::tinyConfig(*folder_ / "pictures"); }
    static std::filesystem::path path(const std::string& name) { return *folder_ / "runs" / name; }

    /// Polls are counted from 1: in an undisturbed run from the start, poll n comes before step n.
    static Status train(const std::string& name, const config::RunConfig& config, const Go& go = {}) {
        std::filesystem::create_directories(path("").parent_path());
        session::TrainRequest request{config, path(name), go.resume};
        session::TrainHooks hooks;
        std::int64_t polls = 0;
        bool training = false;  // before, data are prepared, as long as that takes
        hooks.onSnapshot = [&](const session::SessionSnapshot& snapshot) { training = training || snapshot.state == session::SessionState::kTraining; };
        hooks.poll = [&] {
            if (!training) return session::TrainControl{};
            ++polls;
            session::TrainControl control = go.poll ? go.poll(polls) : session::TrainControl{};
            if (polls == go.stop_before) control.stop = true;
            return control;
        };
        return engine::train(request, hooks, {}, go.options);
    }
    static std::string weights(const std::string& run, std::int64_t step) { return *readFile(path(run) / checkpointName(step) / "model.safetensors"); }
    static std::string moments(const std::string& run, std::int64_t step) { return *readFile(path(run) / checkpointName(step) / "optimizer.safetensors"); }
    static std::string checkpointName(std::int64_t step) {
        std::string digits = std::to_string(step);
        return "checkpoints/step-" + std::string(9 - digits.size(), '0') + digits;
    }
    static inline test::ScratchFolder* folder_ = nullptr;
};

#define ASSERT_GOOD(expression)                            \
    do {                                                   \
        const auto result_ = (expression);                 \
        ASSERT_TRUE(result_) << result_.error().message(); \
    } while (false)

}  // namespace es::engine
