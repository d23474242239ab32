// SPDX-License-Identifier: GPL-3.0-or-later
// The panels of an expert as figures ask for them: the same numbers as the report's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/experts/expert_details.h"
#include "analysis/experts/expert_panels.h"
#include "analysis/experts/expert_part.h"
#include "support/scratch_folder.h"
#include "support/synthetic_run.h"

namespace es::analysis {
namespace {

class ExpertPart : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        scratch_ = new test::ScratchFolder;
        ASSERT_TRUE(test::writeSyntheticRun(*scratch_ / "run", {.steps = 120, .samples = 32, .spikes = {}}));
        auto reader = store::RunReader::open(*scratch_ / "run");
        ASSERT_TRUE(reader) << reader.error().message();
        run_ = *reader;
    }
    static void TearDownTestSuite() {
        run_.reset();
        delete scratch_;
    }
    static ExpertPartRequest of(const std::string& part) {
        ExpertPartRequest request;
        request.expert.router = RouterId(0);
        request.expert.expert = ExpertIndex(3);
        request.part = part;
        return request;
    }
    inline static test::ScratchFolder* scratch_ = nullptr;
    inline static std::shared_ptr<store::RunReader> run_;
};

TEST_F(ExpertPart, EveryPartIsAPanelOfThatExpert) {
    for (const std::string& part : expertPartNames()) {
        const auto panel = expertPart(*run_, of(part));
        ASSERT_TRUE(panel) << part << ": " << panel.error().message();
        EXPECT_FALSE(panel->title.empty()) << part;
    }
}

TEST_F(ExpertPart, LabelsAreThoseOfTheDetails) {
    const auto panel = expertPart(*run_, of("labels"));
    ASSERT_TRUE(panel) << panel.error().message();
    const auto tokens = expertTokens(*run_, of("labels").expert);
    ASSERT_TRUE(tokens);
    const auto facts = probeFacts(*run_, tokens->samples);
    const auto details = expertDetails(*run_, *tokens, *facts);
    ASSERT_TRUE(details);
    const auto* shares = details->find(LabelKind::kCategory, Modality::kVision);
    ASSERT_NE(shares, nullptr);
    EXPECT_EQ(std::get<TablePanel>(panel->content).rows, std::get<TablePanel>(labelPanel(*tokens, *shares, "", "").content).rows);
}

TEST_F(ExpertPart, SaysWhatThereIsNot) {
    auto request = of("colours");
    EXPECT_THAT(expertPart(*run_, request).error().message(), ::testing::HasSubstr("no part 'colours'"));
    request = of("labels");
    request.label = LabelKind::kTokenId;
    request.modality = Modality::kText;
    EXPECT_THAT(expertPart(*run_, request).error().message(), ::testing::HasSubstr("category of vision")) << "patches have no words";
    request.expert.expert = ExpertIndex(99);
    EXPECT_FALSE(expertPart(*run_, request));
}

}  // namespace
}  // namespace es::analysis
