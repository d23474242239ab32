// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/infer/sample_runner.h"

#include <cmath>
#include <fstream>

#include "engine/infer/intervention_runner.h"
#include "engine/infer/probe_set.h"
#include "engine/store/routing_view.h"
#include "engine/store/run_reader.h"
#include "engine/train/training_fixture.h"

namespace es::engine {
namespace {

class Samples : public TrainingFixture {
protected:
    static void SetUpTestSuite() {
        TrainingFixture::SetUpTestSuite();
        ASSERT_GOOD(train("run", config()));
    }
    static session::SampleRequest request() {
        session::SampleRequest out;
        out.run = path("run");
        out.image_file = *folder_ / "pictures" / "picture3.ppm";
        out.caption = "a red square on blue ground";
        return out;
    }
    static session::Intervention ban(std::int32_t expert, session::TokenSet tokens = {}) {
        return {session::InterventionKind::kBan, LayerIndex(1), std::nullopt, {expert}, 0, std::move(tokens)};
    }
    SampleRunner runner_;
};

std::vector<std::uint16_t> firstChoices(const store::RoutingTable& table) {
    const store::RoutingView view(table);
    std::vector<std::uint16_t> out;
    for (std::int64_t t = 0; t < table.tokens; ++t) out.push_back(static_cast<std::uint16_t>(view.firstChoice(t).value));
    return out;
}

TEST_F(Samples, APictureAndACaptionGiveWholeDistributions) {
    const auto got = runner_.run(request(), {});
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->sample.grid_width, 4);
    EXPECT_EQ(got->sample.picture.width, 16);
    EXPECT_EQ(got->sample.token_ids.size(), got->sample.token_texts.size());
    ASSERT_EQ(got->routing.size(), 2u);
    EXPECT_EQ(got->routing[0].tokens, 16);
    EXPECT_EQ(got->routing[1].tokens, static_cast<std::int64_t>(got->sample.token_ids.size()));
    for (const auto& table : got->routing) {
        ASSERT_EQ(table.probs_TE.size(), static_cast<std::size_t>(table.tokens * 4));
        for (std::int64_t t = 0; t < table.tokens; ++t) {
            const auto at = static_cast<std::size_t>(t);
            double sum = 0;
            float best = 0;
            for (std::size_t e = 0; e < 4; ++e) sum += table.probs_TE[at * 4 + e], best = std::max(best, table.probs_TE[at * 4 + e]);
            EXPECT_NEAR(sum, 1, 1e-5);
            EXPECT_EQ(table.probs_TE[at * 4 + table.expert_ids[at]], best);
            EXPECT_EQ(table.position_T[at], t);
        }
    }
    EXPECT_TRUE(got->predictions.empty()) << "nothing was hidden";
}

TEST_F(Samples, IsWhatTheProbeRecorded) {
    const auto run = *store::RunReader::open(path("run"));
    const auto hash = run->probeSamples()->front();
    const auto sample = *run->sample(hash);
    session::SampleRequest again;
    again.run = path("run");
    again.picture = sample.picture;
    again.caption = sample.caption;
    const auto got = runner_.run(again, {});
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->sample.token_ids, sample.token_ids);
    for (const auto& router : run->routers()) {
        const auto probe = *run->probe({10, "trained"}, router.id);
        const auto& table = got->routing[static_cast<std::size_t>(router.id.value)];
        std::size_t t = 0;
        for (std::size_t row = 0; row < probe.sample_T.size(); ++row) {
            if (probe.sample_T[row] != hash) continue;
            EXPECT_NEAR(probe.probs_TE[row * 4], table.probs_TE[t * 4], 2e-3);
            ++t;
        }
        EXPECT_EQ(t, static_cast<std::size_t>(table.tokens));
    }
}

TEST_F(Samples, AttentionReceivedIsToldWhereItIsAskedFor) {
    const auto plain = runner_.run(request(), {});
    ASSERT_TRUE(plain) << plain.error().message();
    EXPECT_TRUE(plain->attention.empty());
    auto asked = request();
    asked.attention = true;
    asked.interventions = {ban(0)};
    const auto got = runner_.run(asked, {});
    ASSERT_TRUE(got) << got.error().message();
    ASSERT_EQ(got->attention.size(), 3u) << "one a layer";
    for (std::size_t layer = 0; layer < 3; ++layer) {
        const auto& received = got->attention[layer];
        EXPECT_EQ(received.layer.value, static_cast<std::int32_t>(layer));
        EXPECT_EQ(received.patches.size(), 16u);
        EXPECT_EQ(received.words.size(), got->sample.token_ids.size());
        double sum = 0;
        for (const float share : received.patches) sum += share;
        for (const float share : received.words) sum += share;
        EXPECT_NEAR(sum, 1, 1e-5);
    }
    ASSERT_EQ(got->baseline->attention.size(), 3u);
    EXPECT_EQ(got->baseline->attention[1].patches, got->attention[1].patches) << "the ban acts after the attention of its layer";
    for (std::size_t r = 0; r < plain->routing.size(); ++r) EXPECT_EQ(got->baseline->routing[r].probs_TE, plain->routing[r].probs_TE);
}

TEST_F(Samples, HiddenWordsArePredicted) {
    auto asked = request();
    asked.masked_words = {1, 2};
    asked.masked_patches = {0, 5};
    const auto got = runner_.run(asked, {});
    ASSERT_TRUE(got) << got.error().message();
    ASSERT_EQ(got->predictions.size(), 2u);
    EXPECT_EQ(got->predictions[1].position, 2);
    for (const auto& word : got->predictions) {
        ASSERT_EQ(word.words.size(), word.probabilities.size());
        EXPECT_TRUE(std::is_sorted(word.probabilities.rbegin(), word.probabilities.rend()));
        EXPECT_LE(word.probabilities.front(), 1);
        EXPECT_GT(word.probabilities.front(), 0);
    }
    EXPECT_EQ(got->routing[0].masked_T[5], 1);
    EXPECT_EQ(got->routing[0].masked_T[4], 0);
}

TEST_F(Samples, OneModalityAloneIsEnough) {
    auto picture = request();
    picture.caption.clear();
    const auto images = runner_.run(picture, {});
    ASSERT_TRUE(images) << images.error().message();
    EXPECT_TRUE(images->sample.token_ids.empty());
    ASSERT_FALSE(images->routing.empty());
    EXPECT_EQ(images->routing.front().tokens, 16);
    auto text = request();
    text.image_file.clear();
    const auto words = runner_.run(text, {});
    ASSERT_TRUE(words) << words.error().message();
    EXPECT_TRUE(words->sample.picture.empty());
    EXPECT_GT(words->routing.back().tokens, 0);
}

TEST_F(Samples, OlderCheckpointsCanBeAskedFor) {
    auto asked = request();
    asked.checkpoint = 5;
    const auto early = runner_.run(asked, {});
    asked.checkpoint = 10;
    const auto late = runner_.run(asked, {});
    ASSERT_TRUE(early && late);
    EXPECT_NE(early->routing[0].probs_TE, late->routing[0].probs_TE);
    EXPECT_EQ(early->routing[0].step, 5);
    asked.checkpoint = 7;
    const auto none = runner_.run(asked, {});
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().why.find("5, 10"), std::string::npos) << none.error().message();
}

TEST_F(Samples, BadInputIsNamed) {
    const auto fails = [&](session::SampleRequest asked, const char* word) {
        const auto got = runner_.run(asked, {});
        ASSERT_FALSE(got) << word;
        EXPECT_NE(got.error().message().find(word), std::string::npos) << got.error().message();
    };
    auto asked = request();
    asked.image_file = "/nonexistent.png";
    fails(asked, "/nonexistent.png");
    const auto broken = *folder_ / "broken.png";
    std::ofstream(broken) << "<html>not a picture</html>";
    asked.image_file = broken;
    fails(asked, "broken.png");
    asked = request();
    asked.image_file.clear();
    asked.caption.clear();
    fails(asked, "neither a picture nor a caption");
    asked = request();
    asked.masked_words = {99};
    fails(asked, "no word 99");
    asked = request();
    asked.masked_patches = {-1};
    fails(asked, "no patch -1");
    asked = request();
    asked.run = *folder_ / "pictures";
    fails(asked, "run.toml");
    asked = request();
    asked.interventions.push_back(ban(9));
    fails(asked, "no expert 9");
    asked = request();
    asked.caption.clear();
    asked.interventions.push_back(ban(0, {Modality::kText, {2}}));
    fails(asked, "no word 2");
    asked = request();
    asked.picture = {100, 100, {1, 2, 3}};
    asked.image_file.clear();
    EXPECT_FALSE(runner_.run(asked, {})) << "fewer pixels than its size says";
}

TEST_F(Samples, InterventionsAreReadBesideTheModelAsItIs) {
    auto asked = request();
    asked.masked_words = {1, 2};
    asked.masked_patches = {0, 5, 6};
    const auto plain = runner_.run(asked, {});
    ASSERT_TRUE(plain) << plain.error().message();
    EXPECT_FALSE(plain->baseline.has_value());
    EXPECT_TRUE(plain->rerouted.empty());
    ASSERT_EQ(plain->losses.size(), 2u);
    EXPECT_EQ(plain->losses[0].objective, Objective::kPairImage);
    EXPECT_EQ(plain->losses[1].objective, Objective::kPairText);
    EXPECT_EQ(plain->losses[1].targets, 2);

    const std::uint16_t expert = firstChoices(plain->routing[0])[3];
    asked.interventions.push_back(ban(expert));
    const auto got = runner_.run(asked, {});
    ASSERT_TRUE(got) << got.error().message();
    ASSERT_TRUE(got->baseline.has_value());
    EXPECT_EQ(got->baseline->routing[0].expert_ids, plain->routing[0].expert_ids);
    EXPECT_EQ(got->baseline->losses[0].loss, plain->losses[0].loss);
    ASSERT_EQ(got->rerouted.size(), 2u);
    std::vector<std::int64_t> expected;
    const auto before = firstChoices(got->baseline->routing[0]), after = firstChoices(got->routing[0]);
    for (std::size_t t = 0; t < before.size(); ++t) {
        EXPECT_NE(after[t], expert);
        if (before[t] == expert) expected.push_back(static_cast<std::int64_t>(t));
        else EXPECT_EQ(before[t], after[t]);
    }
    EXPECT_FALSE(expected.empty());
    EXPECT_EQ(got->rerouted[0].tokens, expected);
    EXPECT_NE(got->losses[0].loss, got->baseline->losses[0].loss);
    EXPECT_EQ(got->losses[0].targets, got->baseline->losses[0].targets);

    // The model that is kept was not changed.
    asked.interventions.clear();
    EXPECT_EQ(runner_.run(asked, {})->losses[0].loss, plain->losses[0].loss);
    // With more choices the tables are as wide as that.
    asked.interventions = {{session::InterventionKind::kOtherK, LayerIndex(), std::nullopt, {}, 3, {}}};
    const auto wide = runner_.run(asked, {});
    ASSERT_TRUE(wide) << wide.error().message();
    EXPECT_EQ(wide->routing[0].router.k, 3);
    EXPECT_EQ(wide->routing[0].expert_ids.size(), static_cast<std::size_t>(wide->routing[0].tokens * 3));
    asked.interventions[0].tokens = {Modality::kVision, {2}};
    const auto some = runner_.run(asked, {});
    ASSERT_TRUE(some) << some.error().message();
    EXPECT_EQ(some->rerouted[0].tokens, (std::vector<std::int64_t>{2}));
    EXPECT_EQ(some->routing[0].offsets.at(3) - some->routing[0].offsets.at(2), 3);
}

TEST_F(Samples, HeldOutLossesWithoutInterventionsAreThoseOfTheRun) {
    const auto run = *store::RunReader::open(path("run"));
    const auto stored = *run->evaluation(10);
    session::InterventionRequest asked;
    asked.run = path("run");
    asked.interventions = {ban(0), ban(1)};
    const auto got = evaluateInterventions(asked, {});
    ASSERT_TRUE(got) << got.error().message();
    std::size_t plain = 0;
    for (const auto& row : stored.rows) {
        if (!row.variant.empty()) continue;
        ASSERT_LT(plain, got->baseline.rows.size());
        const auto &baseline = got->baseline.rows[plain], &changed = got->changed.rows[plain];
        ++plain;
        EXPECT_EQ(baseline.sample, row.sample);
        EXPECT_EQ(baseline.objective, row.objective);
        EXPECT_NEAR(baseline.loss, row.loss, 1e-6);
        EXPECT_EQ(changed.sample, row.sample);
        EXPECT_EQ(changed.targets, row.targets);
    }
    EXPECT_EQ(plain, got->baseline.rows.size());
    double moved = 0;
    for (std::size_t i = 0; i < plain; ++i) moved += std::abs(got->changed.rows[i].loss - got->baseline.rows[i].loss);
    EXPECT_GT(moved, 0);
    ASSERT_EQ(got->routers.size(), 2u);
    for (const auto& router : got->routers) {
        EXPECT_GT(router.tokens, 0);
        EXPECT_GT(router.rerouted, 0);
        EXPECT_LT(router.rerouted, router.tokens);
    }
    asked.interventions.clear();
    asked.samples = 3;
    const auto few = evaluateInterventions(asked, {});
    ASSERT_TRUE(few) << few.error().message();
    EXPECT_EQ(few->baseline.rows.size(), 12u) << "three pictures, three texts, three pairs with two objectives";
    for (std::size_t i = 0; i < few->baseline.rows.size(); ++i) EXPECT_EQ(few->baseline.rows[i].loss, few->changed.rows[i].loss);
}

TEST_F(Samples, HeldOutLossesNeedTheRunsData) {
    session::InterventionRequest asked;
    asked.run = path("run");
    asked.checkpoint = 3;
    const auto none = evaluateInterventions(asked, {});
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().message().find("5, 10"), std::string::npos);
    asked.checkpoint = -1;
    asked.interventions = {ban(7)};
    const auto wrong = evaluateInterventions(asked, {});
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().message().find("no expert 7"), std::string::npos);
    asked.interventions.clear();
    std::filesystem::copy(path("run"), path("elsewhere"), std::filesystem::copy_options::recursive);
    std::string toml = *readFile(path("run") / "run.toml");
    const std::string cache = (*folder_ / "cache").string();
    toml.replace(toml.find(cache), cache.size(), (*folder_ / "gone").string());
    std::ofstream(path("elsewhere") / "run.toml") << toml;
    asked.run = path("elsewhere");
    const auto unprepared = evaluateInterventions(asked, {});
    ASSERT_FALSE(unprepared);
    EXPECT_NE(unprepared.error().message().find("gone"), std::string::npos) << unprepared.error().message();
}

TEST_F(Samples, CheckpointsThatDoNotFitAreRefused) {
    const auto copied = [&](const std::string& name) {
        std::filesystem::copy(path("run"), path(name), std::filesystem::copy_options::recursive);
        return path(name);
    };
    const auto fails = [&](const std::filesystem::path& run, const std::vector<std::string>& words) {
        auto asked = request();
        asked.run = run;
        const auto got = runner_.run(asked, {});
        ASSERT_FALSE(got) << words.front();
        for (const std::string& word : words) EXPECT_NE(got.error().message().find(word), std::string::npos) << got.error().message();
    };
    const auto other = copied("other-shape");
    std::string toml = *readFile(other / "run.toml");
    toml.replace(toml.find("experts = 4"), 11, "experts = 5");
    std::ofstream(other / "run.toml") << toml;
    fails(other, {"layers.1.v.moe", "[4,", "[5,", "run.toml"});
    const auto cut = copied("cut");
    const auto file = cut / checkpointName(10) / "model.safetensors";
    std::filesystem::resize_file(file, std::filesystem::file_size(file) - 50);
    fails(cut, {"Cannot read the weights", file.string()});
    const auto words = copied("words");
    const auto vocabulary = words / checkpointName(10) / "vocabulary.model";
    std::ofstream(vocabulary, std::ios::binary) << "nonsense";
    fails(words, {vocabulary.string()});
}

TEST_F(Samples, ACaptionOfOddBytesOrManyWordsWorks) {
    auto asked = request();
    asked.caption = "\xff\xfe red \xc3";
    EXPECT_TRUE(runner_.run(asked, {}));
    asked.caption.clear();
    for (int i = 0; i < 10'000; ++i) asked.caption += "red ";
    const auto got = runner_.run(asked, {});
    ASSERT_TRUE(got);
    EXPECT_LE(got->sample.token_ids.size(), 12u);
    EXPECT_TRUE(got->caption_cut);
    asked.caption = "a red square";
    EXPECT_FALSE(runner_.run(asked, {})->caption_cut);
    asked.caption = "\xF0\x9F\x98\x80 \xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D";  // an emoji, and a word that is written from right to left
    const auto odd = runner_.run(asked, {});
    ASSERT_TRUE(odd) << odd.error().message();
    EXPECT_GT(odd->sample.token_ids.size(), 0u);
    EXPECT_EQ(odd->sample.token_ids.size(), odd->sample.token_texts.size());
}

TEST_F(Samples, APictureOfOneByManyPixelsIsFitted) {
    auto asked = request();
    const auto tall = *folder_ / "tall.ppm";
    {
        std::ofstream out(tall, std::ios::binary);
        out << "P6 1 40000 255\n";
        for (int i = 0; i < 40'000; ++i) out.write("\xC0\x20\x20", 3);
    }
    asked.image_file = tall;
    const auto file = runner_.run(asked, {});
    ASSERT_TRUE(file) << file.error().message();
    EXPECT_EQ(file->sample.picture.width, 16);
    EXPECT_EQ(file->routing[0].tokens, 16);
    asked.image_file.clear();
    asked.picture = {1, 40'000, std::vector<std::uint8_t>(4 * 40'000, 255)};
    const auto pasted = runner_.run(asked, {});
    ASSERT_TRUE(pasted) << pasted.error().message();
    asked.picture.rgba.pop_back();
    EXPECT_FALSE(runner_.run(asked, {})) << "pixels that do not fill the picture";
}

}  // namespace
}  // namespace es::engine
