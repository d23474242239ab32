// SPDX-License-Identifier: GPL-3.0-or-later
// What `expertscope open` is asked to show, against the run: found, or refused with the names of what there is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/cli/open_state.h"
#include "engine/base/hash.h"
#include "engine/store/annotations.h"
#include "support/scratch_folder.h"
#include "support/synthetic_run.h"

namespace es::app {
namespace {

using ::testing::HasSubstr;

class OpenStateOfARun : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(test::writeSyntheticRun(scratch_ / "runs" / "made"));
        auto reader = store::RunReader::open(scratch_ / "runs" / "made");
        ASSERT_TRUE(reader) << reader.error().message();
        reader_ = *reader;
    }
    ResolvedState resolved(const OpenState& wanted) {
        const auto state = resolveState(wanted, *reader_);
        EXPECT_TRUE(state) << state.error().message();
        return state.value_or(ResolvedState{});
    }
    std::string refused(const OpenState& wanted) {
        const auto state = resolveState(wanted, *reader_);
        EXPECT_FALSE(state);
        return state ? std::string() : state.error().message();
    }
    std::uint64_t probed(std::size_t place) { return reader_->probeSamples().value().at(place - 1); }
    test::ScratchFolder scratch_;
    std::shared_ptr<store::RunReader> reader_;
};

TEST_F(OpenStateOfARun, FindsWhatIsNamed) {
    OpenState wanted;
    wanted.layer = "2.t";
    wanted.expert = "5";
    wanted.sample = "3";
    wanted.token = "word 1";
    const auto state = resolved(wanted);
    EXPECT_EQ(state.selection.router, RouterId(3));
    EXPECT_EQ(state.selection.expert, ExpertIndex(5));
    EXPECT_EQ(state.selection.sample, probed(3));
    EXPECT_EQ(state.selection.token_modality, Modality::kText);
    EXPECT_EQ(state.selection.token, TokenIndex(1));
    EXPECT_EQ(state.selection.step, -1);
    EXPECT_TRUE(state.inspect.isEmpty());
}

TEST_F(OpenStateOfARun, ALayerAloneIsItsVisionRouter) {
    OpenState wanted;
    wanted.layer = "2";
    EXPECT_EQ(resolved(wanted).selection.router, RouterId(2));
}

TEST_F(OpenStateOfARun, SamplesAreFoundByTheBeginningOfTheirHash) {
    OpenState wanted;
    wanted.sample = hashText(probed(7)).substr(0, 10);
    EXPECT_EQ(resolved(wanted).selection.sample, probed(7));
}

TEST_F(OpenStateOfARun, PatchesAreNamedByRowAndColumnOrNumber) {
    const auto sample = reader_->sample(probed(1));
    ASSERT_TRUE(sample);
    OpenState wanted;
    wanted.token = "patch 1,2";
    EXPECT_EQ(resolved(wanted).selection.token.value, sample->grid_width + 2);
    wanted.token = "patch:4";
    EXPECT_EQ(resolved(wanted).selection.token.value, 4);
    // Without one: the middle, so that the panel beside the picture has something to say.
    EXPECT_EQ(resolved({}).selection.token.value, sample->grid_height / 2 * sample->grid_width + sample->grid_width / 2);
}

TEST_F(OpenStateOfARun, ComparesWithAStepOrARun) {
    const auto probes = reader_->probes();
    std::int64_t middle = -1;
    for (const auto& probe : probes)
        if (probe.variant == "trained" && probe.step > 0 && probe.step < 600) middle = probe.step;
    ASSERT_GT(middle, 0);
    OpenState wanted;
    wanted.against = std::to_string(middle);
    auto inspect = resolved(wanted).inspect;
    EXPECT_EQ(inspect.value(QStringLiteral("compared")).toString(), QStringLiteral("step %1").arg(middle));
    EXPECT_TRUE(inspect.value(QStringLiteral("side_by_side")).toBool());
    wanted.mode = "changed";  // compares by itself
    inspect = resolved(wanted).inspect;
    EXPECT_FALSE(inspect.value(QStringLiteral("side_by_side")).toBool());
    EXPECT_EQ(inspect.value(QStringLiteral("mode")).toString(), QStringLiteral("changed"));
    ASSERT_TRUE(test::writeSyntheticRun(scratch_ / "runs" / "other", {.name = "other", .seed = 2, .spikes = {}}));
    wanted.against = (scratch_ / "runs" / "other").string();
    EXPECT_EQ(resolved(wanted).inspect.value(QStringLiteral("compared")).toString(), QStringLiteral("run ") + QString::fromStdString(wanted.against));
    wanted.against = (scratch_ / "runs" / "made").string();
    EXPECT_THAT(refused(wanted), HasSubstr("the run itself"));
    wanted.against = (scratch_ / "runs" / "none").string();
    EXPECT_THAT(refused(wanted), HasSubstr("steps"));
}

TEST_F(OpenStateOfARun, RefusesWhatIsNotThereAndNamesWhatIs) {
    const auto with = [](auto member, const char* value) {
        OpenState wanted;
        wanted.*member = value;
        return wanted;
    };
    EXPECT_THAT(refused(with(&OpenState::layer, "9")), HasSubstr("1.v, 1.t, 2.v, 2.t"));
    EXPECT_THAT(refused(with(&OpenState::layer, "1.all")), HasSubstr("1.v"));
    EXPECT_THAT(refused(with(&OpenState::expert, "8")), HasSubstr("0 to 7"));
    EXPECT_THAT(refused(with(&OpenState::expert, "-1")), HasSubstr("0 to 7"));
    EXPECT_THAT(refused(with(&OpenState::sample, "0")), HasSubstr("1 to 64"));
    EXPECT_THAT(refused(with(&OpenState::sample, "65")), HasSubstr("1 to 64"));
    EXPECT_THAT(refused(with(&OpenState::sample, "zzzz")), HasSubstr("no sample"));
    EXPECT_THAT(refused(with(&OpenState::token, "patch 99,0")), HasSubstr("row, column"));
    EXPECT_THAT(refused(with(&OpenState::token, "word 99")), HasSubstr("word 0 to"));
    EXPECT_THAT(refused(with(&OpenState::token, "middle")), HasSubstr("neither"));
    EXPECT_THAT(refused(with(&OpenState::step, "7")), HasSubstr("600"));
    EXPECT_THAT(refused(with(&OpenState::step, "last")), HasSubstr("600"));
    EXPECT_THAT(refused(with(&OpenState::mode, "heat")), HasSubstr("entropy"));
    EXPECT_THAT(refused(with(&OpenState::mode, "one-expert")), HasSubstr("--expert 0 to 7"));
    EXPECT_THAT(refused(with(&OpenState::rank, "0")), HasSubstr("all"));
    EXPECT_THAT(refused(with(&OpenState::kept, "3")), HasSubstr("none yet"));
    auto first = with(&OpenState::mode, "changed");
    first.step = "0";
    EXPECT_THAT(refused(first), HasSubstr("--against"));
}

TEST_F(OpenStateOfARun, AModeThatTheRecordsCannotShowIsRefused) {
    OpenState wanted;
    wanted.mode = "dropped";
    const auto state = resolveState(wanted, *reader_);
    ASSERT_FALSE(state) << "the synthetic run drops nothing";
    EXPECT_THAT(state.error().message(), HasSubstr("expert, weight"));
}

TEST_F(OpenStateOfARun, AKeptResultBringsItsSampleAndStep) {
    store::KeptResult kept;
    kept.purpose = "panel";
    kept.checkpoint = 600;
    kept.interventions = {"ban 1.v:3"};
    kept.sample = probed(5);
    const auto id = store::Annotations(reader_->folder()).keepResult(kept);
    ASSERT_TRUE(id) << id.error().message();
    OpenState wanted;
    wanted.kept = std::to_string(*id);
    const auto state = resolved(wanted);
    EXPECT_EQ(state.selection.intervention, *id);
    EXPECT_EQ(state.selection.sample, probed(5));
    EXPECT_EQ(state.selection.step, 600);
}

TEST_F(OpenStateOfARun, ADenseRunHasNoLayerToChoose) {
    ASSERT_TRUE(test::writeSyntheticRun(scratch_ / "runs" / "dense", {.name = "dense", .ffn = "dense", .spikes = {}}));
    const auto dense = store::RunReader::open(scratch_ / "runs" / "dense");
    ASSERT_TRUE(dense);
    OpenState wanted;
    wanted.expert = "1";
    const auto state = resolveState(wanted, **dense);
    ASSERT_FALSE(state);
    EXPECT_THAT(state.error().message(), HasSubstr("dense"));
    wanted = {};
    wanted.sample = "2";
    EXPECT_TRUE(resolveState(wanted, **dense));
}

TEST_F(OpenStateOfARun, TheRunIsTheFirstThatIsNamed) {
    const auto run = stateRun({(scratch_ / "runs" / "made").string()});
    ASSERT_TRUE(run);
    EXPECT_EQ(run->filename(), "made");
    EXPECT_EQ(stateRun({(scratch_ / "runs").string()}).value().filename(), "made") << "the only one of the folder";
    ASSERT_TRUE(test::writeSyntheticRun(scratch_ / "runs" / "other", {.name = "other", .spikes = {}}));
    const auto several = stateRun({(scratch_ / "runs").string()});
    ASSERT_FALSE(several);
    EXPECT_THAT(several.error().message(), ::testing::AllOf(HasSubstr("other"), HasSubstr("Name one run's directory")));
}

}  // namespace
}  // namespace es::app
