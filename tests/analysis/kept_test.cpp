// SPDX-License-Identifier: GPL-3.0-or-later
#include <gtest/gtest.h>

#include "analysis/kept/kept_analyses.h"
#include "analysis/query/named_sets.h"
#include "engine/store/annotations.h"
#include "support/scratch_folder.h"
#include "support/synthetic_run.h"

namespace es::analysis {
namespace {

TEST(Archive, GivesBackWhatWasPutAndNoticesDamage) {
    AnalyzeResult result;
    result.run = "made up";
    result.step = 7;
    MetricRow row;
    row.metric = "load";
    row.layer = LayerIndex(3);
    row.branch = Branch::kText;
    row.value = std::numeric_limits<double>::quiet_NaN();
    row.n = 12;
    row.note = "a note";
    result.rows = {row, row};
    result.notes = {"one", ""};
    Specialisation one;
    one.router.kind = "softmax_topk";
    one.preferences.resize(2);
    one.preferences[1].p = 0.25;
    one.above_untrained = true;
    result.specialisation = {one};
    ArchiveWriter out;
    out.put(result);
    const std::string bytes = out.take();
    AnalyzeResult back;
    ArchiveReader in(bytes);
    in.get(back);
    ASSERT_TRUE(in.ok());
    EXPECT_EQ(back.run, "made up");
    EXPECT_EQ(back.step, 7);
    ASSERT_EQ(back.rows.size(), 2u);
    EXPECT_EQ(back.rows[1].layer, LayerIndex(3));
    EXPECT_TRUE(std::isnan(back.rows[1].value));
    EXPECT_EQ(back.rows[1].note, "a note");
    EXPECT_EQ(back.notes, result.notes);
    ASSERT_EQ(back.specialisation.size(), 1u);
    EXPECT_EQ(back.specialisation[0].preferences[1].p, 0.25);
    EXPECT_TRUE(back.specialisation[0].above_untrained && !back.specialisation[0].above_permutation);
    for (const std::size_t cut : {bytes.size() - 1, bytes.size() / 2, std::size_t{3}, std::size_t{0}}) {
        ArchiveReader damaged(std::string_view(bytes).substr(0, cut));
        AnalyzeResult nothing;
        damaged.get(nothing);
        EXPECT_FALSE(damaged.ok()) << cut;
    }
}

class KeptTest : public testing::Test {
protected:
    static void SetUpTestSuite() {
        folder_ = std::make_unique<test::ScratchFolder>();
        test::SyntheticRunOptions options;
        options.steps = 120;
        ASSERT_TRUE(test::writeSyntheticRun(*folder_ / "run", options));
    }
    static void TearDownTestSuite() { folder_.reset(); }
    inline static std::unique_ptr<test::ScratchFolder> folder_;
};

TEST_F(KeptTest, TheSameQuestionIsAnsweredOnceUntilTheRunOrTheSetChanges) {
    const auto run = *store::RunReader::open(*folder_ / "run");
    KeptAnalyses kept(*folder_ / "kept");
    kept.keepAfterSeconds(0);
    int computed = 0;
    const auto ask = [&](const std::string& question) {
        return *kept.get<std::vector<std::string>>(*run, question,
                                                   [&]() -> Result<std::vector<std::string>> { return std::vector<std::string>{std::to_string(++computed)}; });
    };
    EXPECT_EQ(ask("a"), std::vector<std::string>{"1"});
    EXPECT_EQ(ask("a"), std::vector<std::string>{"1"});
    EXPECT_EQ(ask("b"), std::vector<std::string>{"2"});
    ASSERT_TRUE(saveSet(*run, "some", "masked"));
    EXPECT_EQ(ask("a"), std::vector<std::string>{"3"}) << "annotations are part of what analyses see";
    kept.keepAfterSeconds(1000);
    EXPECT_EQ(ask("c"), std::vector<std::string>{"4"});
    EXPECT_EQ(ask("c"), std::vector<std::string>{"5"}) << "what is quick is not kept";
    const auto failed = kept.get<std::vector<std::string>>(*run, "d", []() -> Result<std::vector<std::string>> { return badInput("x", "y", "z"); });
    EXPECT_FALSE(failed);
}

TEST_F(KeptTest, AnAnalysisComesBackToTheByte) {
    const auto run = *store::RunReader::open(*folder_ / "run");
    KeptAnalyses kept(*folder_ / "kept");
    kept.keepAfterSeconds(0);
    AnalyzeRequest request;
    const auto first = keptAnalysis(kept, *run, request), second = keptAnalysis(kept, *run, request);
    ASSERT_TRUE(first && second);
    EXPECT_EQ(toJson(*first), toJson(*second));
    EXPECT_EQ(toJson(*second), toJson(*analyzeRun(*run, request)));
    const auto bytes = FileCache(*folder_ / "kept", 1u << 30).bytes();
    EXPECT_GT(bytes, 1000u);
    request.set = *chooseSet(*run, "category animal");
    const auto part = keptAnalysis(kept, *run, request);
    ASSERT_TRUE(part) << part.error().message();
    EXPECT_NE(toJson(*part), toJson(*first)) << "a set is another question";
}

TEST_F(KeptTest, ARunBesideAnotherIsAnotherQuestion) {
    test::SyntheticRunOptions options;
    options.steps = 120;
    options.seed = 2;
    const test::ScratchFolder others;
    ASSERT_TRUE(test::writeSyntheticRun(others / "run", options));
    const auto run = *store::RunReader::open(*folder_ / "run");
    KeptAnalyses kept(others / "kept");
    kept.keepAfterSeconds(0);
    AnalyzeRequest request;
    request.metrics = {"seed_match"};
    request.against = *store::RunReader::open(*folder_ / "run");
    const auto itself = keptAnalysis(kept, *run, request);
    request.against = *store::RunReader::open(others / "run");
    const auto other = keptAnalysis(kept, *run, request);
    ASSERT_TRUE(itself && other);
    EXPECT_NE(toJson(*itself), toJson(*other));
}

}  // namespace
}  // namespace es::analysis
