// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/checkpoint_store.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "support/scratch_folder.h"

namespace es::engine {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Checkpoint sample(std::int64_t step, double loss = kNaN) {
    Checkpoint out;
    out.state.step = step;
    out.state.validation_loss = loss;
    out.state.config_hash = "c";
    out.state.data_hash = "d";
    out.state.scale.mean = {0.1f, 0.2f, 0.3f};
    out.state.vocabulary = 99;
    out.model["w"] = at::full({3}, static_cast<double>(step));
    out.optimizer["w.step"] = at::scalar_tensor(static_cast<double>(step));
    return out;
}

TEST(CheckpointStore, ComesBackAsItWas) {
    test::ScratchFolder run;
    const CheckpointStore store(run.path());
    EXPECT_TRUE(store.steps().empty());
    EXPECT_FALSE(store.loadNewest(true));
    ASSERT_TRUE(store.save(sample(5, 2.5)));
    ASSERT_TRUE(store.save(sample(1'000'000'000)));
    EXPECT_EQ(store.steps(), (std::vector<std::int64_t>{5, 1'000'000'000}));
    const auto got = store.load(5, true);
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->state.validation_loss, 2.5);
    EXPECT_EQ(got->state.scale, sample(5).state.scale);
    EXPECT_EQ(got->state.vocabulary, 99);
    EXPECT_TRUE(at::equal(got->model.at("w"), at::full({3}, 5.0)));
    EXPECT_TRUE(got->optimizer.contains("w.step"));
    EXPECT_TRUE(std::isnan(store.loadState(1'000'000'000)->validation_loss));
    EXPECT_FALSE(store.load(7, true));
}

TEST(CheckpointStore, ReplacesAndSweeps) {
    test::ScratchFolder run;
    const CheckpointStore store(run.path());
    ASSERT_TRUE(store.save(sample(5, 2.5)));
    ASSERT_TRUE(store.save(sample(5, 1.5)));
    EXPECT_EQ(store.loadState(5)->validation_loss, 1.5);
    std::filesystem::create_directories(run / "checkpoints/.part-123-step-000000006");
    EXPECT_EQ(store.steps(), (std::vector<std::int64_t>{5}));
    store.removeLeftovers();
    EXPECT_FALSE(std::filesystem::exists(run / "checkpoints/.part-123-step-000000006"));
}

TEST(CheckpointStore, DamagedFilesAreNamed) {
    for (const char* file : {"model.safetensors", "optimizer.safetensors", "state.json"}) {
        test::ScratchFolder run;
        const CheckpointStore store(run.path());
        ASSERT_TRUE(store.save(sample(5)));
        ASSERT_TRUE(store.save(sample(10)));
        const auto path = run / CheckpointStore::folderName(10) / file;
        std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
        const auto newest = store.loadNewest(true);
        ASSERT_TRUE(newest);
        EXPECT_EQ(newest->checkpoint.state.step, 5);
        ASSERT_EQ(newest->damaged.size(), 1u);
        EXPECT_EQ(newest->damaged.front().path, path.string());
    }
}

TEST(Retention, KeepsTheLastTheMultiplesAndTheBest) {
    const std::vector<std::pair<std::int64_t, double>> all{{100, 3.0}, {200, 1.0}, {300, 2.0}, {400, kNaN}, {500, 2.5}, {600, 2.4}};
    EXPECT_EQ(retired(all, {.keep_last = 2, .keep_every = 0, .keep_best = false}), (std::vector<std::int64_t>{100, 200, 300, 400}));
    EXPECT_EQ(retired(all, {.keep_last = 2, .keep_every = 0, .keep_best = true}), (std::vector<std::int64_t>{100, 300, 400}));
    EXPECT_EQ(retired(all, {.keep_last = 1, .keep_every = 300, .keep_best = true}), (std::vector<std::int64_t>{100, 400, 500}));
    EXPECT_TRUE(retired(all, {.keep_last = 10, .keep_every = 0, .keep_best = false}).empty());
}

TEST(Retention, RemovesWholeFolders) {
    test::ScratchFolder run;
    const CheckpointStore store(run.path());
    for (const std::int64_t step : {1, 2, 3, 4}) ASSERT_TRUE(store.save(sample(step, static_cast<double>(step))));
    EXPECT_EQ(*store.retire({.keep_last = 1, .keep_every = 0, .keep_best = true}), (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(store.steps(), (std::vector<std::int64_t>{1, 4}));
    std::size_t entries = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(run / "checkpoints")) ++entries;
    EXPECT_EQ(entries, 2u);
}

}  // namespace
}  // namespace es::engine
