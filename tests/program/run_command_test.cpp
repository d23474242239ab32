// SPDX-License-Identifier: GPL-3.0-or-later
// `expertscope run`: a sample and the held-out split through a trained model, with and without interventions.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "program/program.h"
#include "support/scratch_folder.h"

namespace es::test {
namespace {

using nlohmann::json;

class RunCommand : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        scratch_ = new ScratchFolder;
        const Outcome trained = runProgram(
            {"train", writeTinyConfig(scratch_->path(), "steps = 6\nevaluate_samples = 20\nevaluate_every = 0\n").string(), "--out", run()}, scratch_->path());
        ASSERT_EQ(trained.exit_code, 0) << trained.err;
    }
    static void TearDownTestSuite() { delete scratch_; }
    static std::string run() { return (*scratch_ / "run").string(); }
    static Outcome call(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"run", run()});
        return runProgram(arguments, scratch_->path());
    }
    static json answer(std::vector<std::string> arguments) {
        arguments.emplace_back("--json");
        const Outcome outcome = call(arguments);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        return json::parse(outcome.out, nullptr, false);
    }
    static inline ScratchFolder* scratch_ = nullptr;
};

TEST_F(RunCommand, ABannedExpertIsNotChosenAndTheBaselineIsThere) {
    const json got = answer({"--caption", "grinning face with big eyes", "--mask-words", "1-2", "--ban", "1.t:0,1", "--ban", "0:3@word 0"});
    EXPECT_EQ(got.at("schema"), "expertscope.run.1");
    ASSERT_EQ(got.at("routing").size(), got.at("baseline").at("routing").size());
    bool seen = false;
    for (const json& router : got.at("routing")) {
        if (router.at("layer") != 1 || router.at("branch") != "t") continue;
        for (const json& token : router.at("tokens"))
            for (const json& choice : token.at("chosen")) {
                EXPECT_GE(choice.at("expert"), 2);
                seen = true;
            }
    }
    EXPECT_TRUE(seen);
    EXPECT_EQ(got.at("interventions").at(0).at("of"), "1.t:0,1");
    ASSERT_EQ(got.at("losses").size(), 1u);
    EXPECT_EQ(got.at("losses").at(0).at("targets"), 2);
    EXPECT_NE(got.at("losses").at(0).at("loss"), got.at("baseline").at("losses").at(0).at("loss"));
    EXPECT_EQ(got.at("predictions").size(), 2u);
    // Which tokens were re-routed is what the two routings say.
    for (std::size_t r = 0; r < got.at("rerouted").size(); ++r) {
        std::vector<int> differ;
        const json &with = got.at("routing").at(r).at("tokens"), &without = got.at("baseline").at("routing").at(r).at("tokens");
        for (std::size_t t = 0; t < with.size(); ++t)
            if (with.at(t).at("chosen").at(0).at("expert") != without.at(t).at("chosen").at(0).at("expert")) differ.push_back(static_cast<int>(t));
        EXPECT_EQ(got.at("rerouted").at(r).at("tokens").get<std::vector<int>>(), differ);
    }
    const Outcome text = call({"--caption", "grinning face", "--mask-words", "1", "--silence", "all:0"});
    EXPECT_EQ(text.exit_code, 0) << text.err;
    EXPECT_NE(text.out.find("0 of "), std::string::npos) << "silence re-routes nothing in its own layer\n" << text.out;
    EXPECT_NE(text.out.find("without the interventions"), std::string::npos) << text.out;
}

TEST_F(RunCommand, HeldOutLossesComeWithTheirInterval) {
    const json got = answer({"--probe", "--random", "all"});
    EXPECT_EQ(got.at("schema"), "expertscope.interventions.1");
    ASSERT_FALSE(got.at("losses").empty());
    for (const json& loss : got.at("losses")) {
        EXPECT_NEAR(loss.at("with").get<double>() - loss.at("without").get<double>(), loss.at("difference").get<double>(), 1e-9);
        EXPECT_LE(loss.at("low"), loss.at("difference"));
        EXPECT_GE(loss.at("high"), loss.at("difference"));
        EXPECT_NE(loss.at("over").get<std::string>().find("samples, 1 seed"), std::string::npos);
    }
    EXPECT_EQ(got.at("routers").size(), 4u);
    const json none = answer({"--probe", "4"});
    for (const json& loss : none.at("losses")) {
        EXPECT_EQ(loss.at("difference"), 0.0);
        EXPECT_LE(loss.at("samples"), 12);
    }
    const Outcome text = call({"--probe", "4", "--ban", "1.v:0"});
    EXPECT_EQ(text.exit_code, 0) << text.err;
    EXPECT_NE(text.out.find("95 % interval"), std::string::npos) << text.out;
    EXPECT_NE(text.out.find("1 seed"), std::string::npos) << text.out;
}

TEST_F(RunCommand, ASetNarrowsTheHeldOutSamples) {
    const json all = answer({"--probe", "--ban", "1.t:0"}), people = answer({"--probe", "--set", "category 'People & Body'", "--ban", "1.t:0"});
    EXPECT_EQ(all.at("set"), "");
    EXPECT_EQ(people.at("set"), "category 'People & Body'");
    ASSERT_FALSE(people.at("losses").empty());
    EXPECT_LT(people.at("losses").at(0).at("samples"), all.at("losses").at(0).at("samples"));
    EXPECT_GT(people.at("losses").at(0).at("samples"), 1);
    EXPECT_EQ(people.at("routers"), all.at("routers")) << "re-routed tokens are of all samples";
    EXPECT_NE(call({"--probe", "--set", "no such set"}).exit_code, 0);
    EXPECT_NE(call({"--caption", "a face", "--set", "category 'People & Body'"}).exit_code, 0) << "a set is of held-out samples";
}

TEST_F(RunCommand, EveryExpertIsBannedOnceAndKept) {
    const json got = answer({"--causal", "--probe", "6"});
    EXPECT_EQ(got.at("schema"), "expertscope.causal.1");
    ASSERT_EQ(got.at("experts").size(), 16u) << "four experts of four routers";
    for (const json& expert : got.at("experts")) {
        const json& effect = expert.at("text");
        ASSERT_FALSE(effect.is_null());
        EXPECT_NEAR(effect.at("with").get<double>() - effect.at("without").get<double>(), effect.at("difference").get<double>(), 1e-9);
        EXPECT_EQ(effect.at("samples"), 6);
    }
    EXPECT_EQ(got.at("routers").size(), 4u);
    for (const json& one : got.at("most_specialised")) {
        EXPECT_EQ(one.at("others"), 3);
        EXPECT_NEAR(one.at("above_random").at("difference").get<double>(),
                    one.at("effect").at("difference").get<double>() - one.at("random_effect").at("difference").get<double>(), 1e-9);
    }
    // One expert of the batch is what banning it by itself gives.
    const json alone = answer({"--probe", "6", "--ban", "1.v:2"});
    std::size_t compared = 0;
    for (const json& expert : got.at("experts")) {
        if (expert.at("layer") != 1 || expert.at("branch") != "v" || expert.at("expert") != 2) continue;
        for (const json& loss : alone.at("losses")) {
            if (loss.at("loss") != expert.at("text").at("loss")) continue;
            EXPECT_EQ(loss.at("difference"), expert.at("text").at("difference"));
            ++compared;
        }
    }
    EXPECT_EQ(compared, 1u);
    // The same again costs nothing, and analyze reads it without an engine.
    const json again = answer({"--causal", "--probe", "6"});
    EXPECT_EQ(again.at("experts"), got.at("experts"));
    const Outcome rows = runProgram({"analyze", run(), "--metric", "causal", "--json"}, scratch_->path());
    ASSERT_EQ(rows.exit_code, 0) << rows.err;
    std::size_t deltas = 0;
    const json analysed = json::parse(rows.out);
    for (const json& row : analysed.at("rows")) deltas += row.at("name").get<std::string>().rfind("delta_text", 0) == 0 ? 1 : 0;
    EXPECT_EQ(deltas, 16u);
    const Outcome text = call({"--causal", "silence", "--probe", "6", "--layer", "1"});
    EXPECT_EQ(text.exit_code, 0) << text.err;
    EXPECT_NE(text.out.find("causal specialisation by modality S"), std::string::npos) << text.out;
}

TEST_F(RunCommand, ResultsAreKeptListedAndForgotten) {
    ASSERT_EQ(call({"--probe", "4", "--ban", "1.v:0", "--keep"}).exit_code, 0);
    ASSERT_EQ(call({"--caption", "grinning face", "--mask-words", "1", "--ban", "1.t:0", "--keep"}).exit_code, 0);
    const json kept = answer({"--kept"});
    ASSERT_EQ(kept.at("results").size(), 2u);
    EXPECT_EQ(kept.at("results").at(0).at("interventions"), json::array({"ban 1.v:0"}));
    EXPECT_TRUE(kept.at("results").at(0).at("sample").is_null());
    EXPECT_FALSE(kept.at("results").at(1).at("sample").is_null());
    EXPECT_EQ(call({"--forget", std::to_string(kept.at("results").at(0).at("id").get<int>())}).exit_code, 0);
    EXPECT_EQ(answer({"--kept"}).at("results").size(), 1u);
    EXPECT_EQ(call({"--forget", "9999"}).exit_code, 2);
}

TEST_F(RunCommand, ExpertsAreComparedAndTheNumbersKept) {
    const json got = answer({"--similarity"});
    EXPECT_EQ(got.at("schema"), "expertscope.similarity.1");
    ASSERT_EQ(got.at("similarities").size(), 16u) << "four measures of four routers";
    for (const json& one : got.at("similarities")) EXPECT_NEAR(one.at("values").at(0).get<double>(), 1, 1e-6);
    const Outcome rows = runProgram({"analyze", run(), "--metric", "similarity", "--csv"}, scratch_->path());
    EXPECT_EQ(rows.exit_code, 0) << rows.err;
    EXPECT_NE(rows.out.find("with expert 3"), std::string::npos) << rows.out;
}

TEST_F(RunCommand, MistakesAreNamed) {
    const auto wrong = [](const std::vector<std::string>& arguments, const std::string& part) {
        const Outcome outcome = call(arguments);
        EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
        EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    };
    wrong({}, "--probe");
    wrong({"--caption", "a cat", "--ban", "1.v"}, "no expert is named");
    wrong({"--caption", "a cat", "--ban", "1.v:9"}, "experts from 0 to 3");
    wrong({"--caption", "a cat", "--ban", "2.v:0"}, "0.v, 0.t, 1.v, 1.t");
    wrong({"--caption", "a cat", "--k", "1.v:5"}, "Use 1 to 4");
    wrong({"--caption", "a cat", "--ban", "1.t:0@word 40"}, "no word 40");
    wrong({"--caption", "a cat", "--mask-words", "x"}, "--mask-words x");
    wrong({"--caption", "a cat", "--probe"}, "Give one of the two");
    wrong({"--probe", "few"}, "--probe few");
    const Outcome help = runProgram({"run", "--help"}, scratch_->path());
    for (const char* word : {"--ban", "--force", "--silence", "--swap", "--random", "--k", "--drop-best", "LAYER[.BRANCH]"})
        EXPECT_NE(help.out.find(word), std::string::npos) << word;
}

}  // namespace
}  // namespace es::test
