// SPDX-License-Identifier: GPL-3.0-or-later
// Codes, contrastive learning, matching and whole words through whole runs: logged, judged, resumed to the same bits.
#include <cmath>
#include <filesystem>
#include <map>

#include "engine/infer/sample_runner.h"
#include "engine/objective/contrastive.h"
#include "engine/objective/matching.h"
#include "engine/store/run_reader.h"
#include "training_fixture.h"

namespace es::engine {
namespace {

class ObjectivesTraining : public TrainingFixture {
protected:
    static config::RunConfig everything() {
        config::RunConfig made = config();
        made.loss.contrastive = 0.5;
        made.loss.matching = 0.5;
        made.loss.schedule = {"contrastive 0@2 1@6"};
        made.train.mask_whole_words = true;
        made.model.image_target = "codes";
        made.tokenizer.codes = 16;
        made.tokenizer.code_width = 4;
        made.tokenizer.width = 24;
        made.tokenizer.steps = 20;
        made.tokenizer.batch_pictures = 16;
        return made;
    }
    static std::vector<double> series(const store::RunReader& run, const std::string& name) {
        const auto got = run.scalars(name);
        return got ? got->value : std::vector<double>();
    }
};

TEST_F(ObjectivesTraining, AStoppedAndResumedRunEqualsOneThatWasNot) {
    const config::RunConfig wanted = everything();
    ASSERT_GOOD(train("whole", wanted));
    EXPECT_FALSE(train("halved", wanted, {.stop_before = 6}));
    // The run's own codes count, not the cache's.
    std::size_t removed = 0;
    for (const auto& entry : std::filesystem::directory_iterator(wanted.data.cache))
        if (entry.path().filename().string().find("-codes-") != std::string::npos) removed += std::filesystem::remove(entry.path()) ? 1 : 0;
    EXPECT_EQ(removed, 2u) << "the tokenizer and its report";
    ASSERT_GOOD(train("halved", wanted, {.resume = true}));
    for (const std::int64_t step : {5, 10}) {
        EXPECT_EQ(weights("whole", step), weights("halved", step)) << step;
        EXPECT_EQ(moments("whole", step), moments("halved", step)) << step;
    }
    for (const auto& entry : std::filesystem::directory_iterator(wanted.data.cache))
        EXPECT_EQ(entry.path().filename().string().find("-codes-"), std::string::npos) << "nothing was trained again";

    const auto run = *store::RunReader::open(path("whole"));
    EXPECT_EQ(series(*run, "train/loss/contrastive").size(), 8u) << "from step 3 on";
    EXPECT_EQ(series(*run, "train/loss/matching").size(), 10u);
    EXPECT_EQ(series(*run, "train/contrastive/temperature").size(), 8u);
    EXPECT_EQ(series(*run, "train/contrastive/accuracy_image_to_text").size(), 8u);
    EXPECT_EQ(series(*run, "train/matching/accuracy").size(), 10u);
    for (const char* name : {"image", "text", "pair_image", "pair_text", "contrastive", "matching"}) {
        const auto losses = series(*run, std::string("eval/loss/") + name), trivial = series(*run, std::string("eval/trivial/") + name);
        ASSERT_EQ(losses.size(), 3u) << name;
        ASSERT_EQ(trivial.size(), 3u) << name;
        for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(std::isfinite(losses[i]) && trivial[i] > 0 && trivial[i] == trivial[0]) << name;
    }
    EXPECT_NEAR(series(*run, "eval/trivial/matching").front(), matchingTrivialLoss(), 1e-9);
    EXPECT_LE(series(*run, "eval/trivial/image").front(), std::log(16.0)) << "frequencies of codes are no worse than guessing";
}

TEST_F(ObjectivesTraining, ResumesToTheSameBitsWithMicroBatchesAverageAndRecomputation) {
    config::RunConfig wanted = everything();
    wanted.train.accumulate = 2;
    wanted.train.ema_decay = 0.9;
    wanted.train.checkpoint_activations = true;
    wanted.train.steps = 4;
    wanted.train.evaluate_every = wanted.train.checkpoint_every = 2;
    wanted.loss.schedule = {};
    ASSERT_GOOD(train("parts", wanted));
    EXPECT_FALSE(train("parts_halved", wanted, {.stop_before = 4}));
    ASSERT_GOOD(train("parts_halved", wanted, {.resume = true}));
    EXPECT_EQ(weights("parts", 4), weights("parts_halved", 4));
    EXPECT_EQ(moments("parts", 4), moments("parts_halved", 4));
    wanted.train.checkpoint_activations = false;
    ASSERT_GOOD(train("parts_kept", wanted));
    EXPECT_EQ(weights("parts", 4), weights("parts_kept", 4)) << "computing activations again changes nothing";
}

TEST_F(ObjectivesTraining, RowsOfTheEvaluationAddUp) {
    config::RunConfig wanted = everything();
    wanted.loss.schedule = {};
    wanted.train.steps = 2;
    ASSERT_GOOD(train("rows", wanted));
    const auto run = *store::RunReader::open(path("rows"));
    const auto evaluation = run->evaluation(2);
    ASSERT_TRUE(evaluation);
    std::map<Objective, double> loss, targets, right, trivial;
    for (const auto& row : evaluation->rows) {
        if (!row.variant.empty()) continue;
        loss[row.objective] += row.loss * row.targets;
        trivial[row.objective] += row.trivial_loss * row.targets;
        targets[row.objective] += row.targets;
        EXPECT_TRUE(std::isfinite(row.accuracy)) << "codes, words and pairs are right or wrong";
    }
    double total = 0;
    for (const auto& [objective, sum] : loss) {
        const double mean = sum / targets[objective];
        EXPECT_NEAR(series(*run, "eval/loss/" + std::string(toString(objective))).back(), mean, 1e-6);
        total += mean * (objective == Objective::kContrastive || objective == Objective::kMatching ? 0.5 : 1.0);
    }
    EXPECT_EQ(loss.size(), 6u);
    EXPECT_NEAR(series(*run, "eval/loss/total").back(), total, 1e-6);
    EXPECT_EQ(targets[Objective::kMatching], 3 * targets[Objective::kContrastive]);
    EXPECT_NEAR(trivial[Objective::kContrastive] / targets[Objective::kContrastive], std::log(4.0), 0.3) << "batches of about four pairs";
}

TEST_F(ObjectivesTraining, TracesNameTheTokensOfEveryObjective) {
    config::RunConfig wanted = everything();
    wanted.loss.schedule = {};
    wanted.train.steps = 2;
    ASSERT_GOOD(train("traced", wanted));
    const auto run = *store::RunReader::open(path("traced"));
    for (const store::RouterInfo& router : run->routers()) {
        store::TraceQuery query;
        query.router = router.id;
        query.first_step = query.last_step = 2;
        const auto trace = run->trace(query);
        ASSERT_TRUE(trace) << trace.error().message();
        std::map<Objective, std::int64_t> tokens;
        for (std::size_t t = 0; t < trace->objective_T.size(); ++t) {
            ++tokens[trace->objective_T[t]];
            const bool unmasked = trace->objective_T[t] == Objective::kContrastive || trace->objective_T[t] == Objective::kMatching;
            EXPECT_TRUE(!unmasked || trace->masked_T[t] == 0);
            EXPECT_TRUE(run->sample(trace->sample_T[t]));
        }
        if (router.branch == Branch::kVision) {
            EXPECT_EQ(tokens[Objective::kContrastive], 4 * 16);
            EXPECT_EQ(tokens[Objective::kMatching], 12 * 16);
        } else {
            EXPECT_GT(tokens[Objective::kMatching], 2 * tokens[Objective::kContrastive]);
        }
    }
}

TEST_F(ObjectivesTraining, EachObjectiveIsLearnt) {
    config::RunConfig wanted = config();
    wanted.loss.contrastive = wanted.loss.matching = 1;
    wanted.train.steps = 150;
    wanted.train.batch_images = wanted.train.batch_texts = 0;
    wanted.train.batch_pairs = 12;
    wanted.train.evaluate_every = wanted.train.checkpoint_every = 150;
    wanted.train.learning_rate = 1e-2;
    wanted.record.trace_every = 0;
    ASSERT_GOOD(train("learning", wanted));
    const auto run = *store::RunReader::open(path("learning"));
    const auto mean = [&](const std::string& name, std::size_t first, std::size_t count) {
        const auto values = series(*run, name);
        double sum = 0;
        for (std::size_t i = first; i < first + count; ++i) sum += values.at(i);
        return sum / static_cast<double>(count);
    };
    EXPECT_LT(mean("train/loss/contrastive", 130, 20), 0.7 * contrastiveTrivialLoss(12)) << "captions name the colours of their pictures";
    EXPECT_GT(mean("train/contrastive/accuracy_image_to_text", 130, 20), 3.0 / 12);
    EXPECT_LT(mean("train/loss/matching", 130, 20), mean("train/loss/matching", 0, 10));
}

TEST_F(ObjectivesTraining, ARunWithCodesCanBeAsked) {
    config::RunConfig wanted = everything();
    wanted.train.steps = 2;
    ASSERT_GOOD(train("asked", wanted));
    SampleRunner runner;
    session::SampleRequest request;
    request.run = path("asked");
    request.image_file = *folder_ / "pictures" / "picture3.ppm";
    request.caption = "a red square on blue ground";
    request.masked_words = {1};
    request.masked_patches = {0, 1};
    const auto got = runner.run(request, {});
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->predictions.size(), 1u);
    EXPECT_EQ(got->routing.size(), 2u);
}

TEST_F(ObjectivesTraining, ATokenizerByPathIsUsedAndAnotherIsRefused) {
    config::RunConfig wanted = everything();
    wanted.train.steps = 4;
    wanted.train.checkpoint_every = 2;
    ASSERT_GOOD(train("first", wanted));
    const auto copy = path("first") / checkpointName(4) / "image_tokenizer.safetensors";
    ASSERT_TRUE(std::filesystem::exists(copy));
    config::RunConfig by_path = wanted;
    by_path.data.image_tokenizer = copy.string();
    by_path.tokenizer.codes = 99;  // the file's count
    ASSERT_GOOD(train("second", by_path));
    EXPECT_EQ(weights("first", 4), weights("second", 4));

    by_path.model.patch = 8;
    const Status refused = train("third", by_path);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("model.patch is 8"), std::string::npos) << refused.error().message();
    EXPECT_FALSE(std::filesystem::exists(path("third"))) << "refused before anything is written";
}

TEST_F(ObjectivesTraining, WhatTheDataDoNotHaveIsRefusedBeforeTraining) {
    // Captions alone, as a folder: pictures are asked for and not there.
    const auto folder = *folder_ / "one_word";
    std::filesystem::create_directories(folder);
    test::writeTinyPictures(folder, 12);
    std::filesystem::remove(folder / "metadata.csv");
    config::RunConfig wanted = config();
    wanted.data.set = folder.string();
    const Status refused = train("empty", wanted);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("training split has no captions"), std::string::npos) << refused.error().message();
    EXPECT_NE(refused.error().message().find("train.batch_texts"), std::string::npos);
}

TEST_F(ObjectivesTraining, AnotherVocabularyIsRefused) {
    config::RunConfig wanted = config();
    wanted.train.steps = 4;
    EXPECT_FALSE(train("words", wanted, {.stop_before = 3}));
    const auto state = path("words") / checkpointName(2) / "state.json";
    std::string text = *readFile(state);
    const auto at = text.find("\"vocabulary\": ");
    ASSERT_NE(at, std::string::npos);
    text.replace(at, text.find(',', at) - at, "\"vocabulary\": 31");
    ASSERT_GOOD(writeFileAtomically(state, text));
    const Status refused = train("words", wanted, {.resume = true});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("the checkpoint was trained with 31"), std::string::npos) << refused.error().message();
    EXPECT_NE(refused.error().path.find(".model"), std::string::npos);
}

}  // namespace
}  // namespace es::engine
