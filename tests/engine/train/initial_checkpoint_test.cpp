// SPDX-License-Identifier: GPL-3.0-or-later
// Runs that start from another run's weights: what they begin as, what they remember, and what is refused before training starts.
#include <gmock/gmock.h>

#include <fstream>

#include "engine/base/files.h"
#include "engine/config/config_io.h"
#include "engine/store/run_reader.h"
#include "engine/train/safetensors.h"
#include "training_fixture.h"

namespace es::engine {
namespace {

using testing::HasSubstr;

class InitialCheckpoint : public TrainingFixture {
protected:
    static void SetUpTestSuite() {
        TrainingFixture::SetUpTestSuite();
        ASSERT_GOOD(train("dense", dense()));
    }
    static config::RunConfig dense() {
        config::RunConfig made = config();
        made.model.ffn = "dense";
        made.record.probe_samples = 0;
        return made;
    }
    /// Two steps from the dense run's weights, the first evaluation before them.
    static config::RunConfig sparse(const std::string& from = path("dense").string()) {
        config::RunConfig made = config();
        made.moe.renormalize = true;
        made.model.init_from = from;
        made.train.steps = 2;
        made.train.checkpoint_every = 1;
        made.record.probe_samples = 0;
        return made;
    }
    static void refused(const config::RunConfig& wanted, const std::vector<std::string>& words) {
        const Status got = train("refused", wanted);
        ASSERT_FALSE(got) << words.front();
        for (const std::string& word : words) EXPECT_THAT(got.error().message(), HasSubstr(word));
        EXPECT_EQ(got.error().kind, ErrorKind::kBadInput);
        EXPECT_FALSE(std::filesystem::exists(path("refused") / "journal")) << "nothing was started";
    }
    static double firstLoss(const std::string& run, const char* name = "eval/loss/total") {
        const auto opened = *store::RunReader::open(path(run));
        return opened->scalars(name)->value.front();
    }
};

TEST_F(InitialCheckpoint, AnUpcycledRunBeginsWhereTheDenseOneEnded) {
    ASSERT_GOOD(train("upcycled", sparse()));
    const auto dense_run = *store::RunReader::open(path("dense"));
    EXPECT_NEAR(firstLoss("upcycled"), dense_run->scalars("eval/loss/total")->value.back(), 1e-4);
    const auto run = *store::RunReader::open(path("upcycled"));
    const auto extra = run->provenance().extra;
    EXPECT_EQ(extra.at("init_from"), std::filesystem::absolute(path("dense")).string());
    EXPECT_EQ(extra.at("init_step"), "10");
    EXPECT_EQ(extra.at("init_config_hash"), config::configHash(dense()));
    EXPECT_THAT(extra.at("init_report"), HasSubstr("experts made of dense networks"));
    EXPECT_EQ(extra.at("init_weights_hash").size(), 16u);
    bool told = false;
    const auto events = run->events();
    for (const auto& event : events) told = told || (event.kind == "initialised" && event.message.find("step 10") != std::string::npos);
    EXPECT_TRUE(told);
}

TEST_F(InitialCheckpoint, ItIsResumedToTheBitWithoutTheOtherRun) {
    ASSERT_GOOD(train("moved", dense()));
    ASSERT_GOOD(train("whole", sparse(path("moved").string() + ":5")));
    Go go;
    go.stop_before = 2;
    const Status stopped = train("halves", sparse(path("moved").string() + ":5"), go);
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().kind, ErrorKind::kStopped);
    std::filesystem::rename(path("moved"), path("away"));
    ASSERT_GOOD(train("halves", sparse(path("moved").string() + ":5"), {.resume = true}));
    EXPECT_EQ(weights("halves", 2), weights("whole", 2));
    EXPECT_EQ(moments("halves", 2), moments("whole", 2));
    refused(sparse(path("moved").string()), {"run.toml", "moved"});
}

TEST_F(InitialCheckpoint, OtherPictureAndCaptionSizesTrain) {
    config::RunConfig larger = sparse();
    larger.data.image_size = 24;
    larger.data.max_words = 14;
    ASSERT_GOOD(train("larger", larger));
    EXPECT_THAT((*store::RunReader::open(path("larger")))->provenance().extra.at("init_report"),
                HasSubstr("from 4 x 4 to 6 x 6, positions of words from 12 on are new"));
    EXPECT_LT(firstLoss("larger"), firstLoss("dense")) << "better than an untrained model";
}

TEST_F(InitialCheckpoint, WhatDoesNotFitIsRefusedBeforeTraining) {
    refused(sparse((*folder_ / "pictures").string()), {"run.toml", "pictures"});
    refused(sparse(path("dense").string() + ":7"), {"no such checkpoint", "5, 10"});
    config::RunConfig other = sparse();
    other.model.heads = 4;
    refused(other, {"model.heads is 4", "is 2", "Set model.heads = 2"});
    other = sparse();
    other.moe.expert_width = 20;
    refused(other, {"layers.1.v", "[32, 16]", "[4, 20, 16]", "32 wide are allowed"});
    other = sparse();
    other.model.patch = 8;
    refused(other, {"embed.patch.weight", "[16, 48]", "[16, 192]", "model.patch"});
    other = sparse();
    other.data.vocabulary = 80;
    refused(other, {"vocabulary", "96 tokens", "80"});
    other = sparse();
    other.model.init_from.clear();
    other.model.upcycle_noise = 0.5;
    refused(other, {"model.upcycle_noise", "model.init_from"});
    other = sparse();
    other.model.upcycle_shared = true;
    refused(other, {"model.upcycle_shared", "moe.shared_experts"});
}

TEST_F(InitialCheckpoint, ADamagedFileIsNamed) {
    std::filesystem::copy(path("dense"), path("damaged"), std::filesystem::copy_options::recursive);
    const auto file = path("damaged") / checkpointName(10) / "model.safetensors";
    const std::string whole = *readFile(file);
    const auto write = [&](const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; };
    write(whole.substr(0, whole.size() - 100));
    refused(sparse(path("damaged").string()), {"Cannot read the weights", file.string()});
    write(whole.substr(0, 5));
    refused(sparse(path("damaged").string()), {"Cannot read the weights", file.string()});
    write("");
    refused(sparse(path("damaged").string()), {"Cannot read the weights", file.string()});
    write(whole);
    const auto vocabulary = path("damaged") / checkpointName(10) / "vocabulary.model";
    std::ofstream(vocabulary, std::ios::binary) << "nonsense";
    refused(sparse(path("damaged").string()), {vocabulary.string()});
    std::filesystem::remove(file);
    std::filesystem::copy_file(path("dense") / checkpointName(10) / "vocabulary.model", vocabulary, std::filesystem::copy_options::overwrite_existing);
    refused(sparse(path("damaged").string()), {"model.safetensors"});
}

TEST_F(InitialCheckpoint, AScaledTwinIsNoBeginningOfAnother) {
    config::RunConfig scaled = dense();
    scaled.model.ffn = "scaled_dense";
    scaled.model.ffn_scales = {0.5, 0.25};
    scaled.train.steps = 1;
    ASSERT_GOOD(train("scaled", scaled));
    refused(sparse(path("scaled").string()), {"scaled_dense", "model.ffn = \"dense\""});
    config::RunConfig again = scaled;
    again.model.init_from = path("scaled").string();
    ASSERT_GOOD(train("again", again));
    again.model.ffn_scales = {0.5, 0.5};
    refused(again, {"model.ffn_scales is [0.5, 0.5]", "[0.5, 0.25]"});
}

}  // namespace
}  // namespace es::engine
