// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/infer/sample_runner.h"

#include <cmath>
#include <fstream>

#include "engine/infer/probe_set.h"
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
    SampleRunner runner_;
};

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
    asked.interventions.push_back({});
    fails(asked, "interventions");
    asked = request();
    asked.picture = {100, 100, {1, 2, 3}};
    asked.image_file.clear();
    EXPECT_FALSE(runner_.run(asked, {})) << "fewer pixels than its size says";
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
}

}  // namespace
}  // namespace es::engine
