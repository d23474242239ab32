// SPDX-License-Identifier: GPL-3.0-or-later
// `expertscope query` and `analyze --set` as a shell calls them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "program/program.h"
#include "support/scratch_folder.h"
#include "support/synthetic_run.h"

namespace es {
namespace {

class QueryCommand : public testing::Test {
protected:
    void SetUp() override {
        // Kept results and indexes belong to this test.
        setenv("XDG_CACHE_HOME", (scratch_ / "cache").c_str(), 1);
        test::SyntheticRunOptions options;
        options.steps = 120;
        options.samples = 24;
        ASSERT_TRUE(test::writeSyntheticRun(scratch_ / "run", options));
    }
    test::Outcome call(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin() + 1, (scratch_ / "run").string());
        return test::runProgram(arguments, scratch_.path());
    }
    test::ScratchFolder scratch_;
};

TEST_F(QueryCommand, FindsSavesListsAndRemoves) {
    const test::Outcome found = call({"query", "category animal, modality patch", "--json", "--save", "animals"});
    ASSERT_EQ(found.exit_code, 0) << found.err;
    const auto json = nlohmann::json::parse(found.out);
    EXPECT_EQ(json.at("schema"), "expertscope-query");
    EXPECT_EQ(json.at("samples_found"), 8);
    EXPECT_EQ(json.at("tokens"), 8 * 36 * 2);
    EXPECT_EQ(json.at("saved_as"), "animals");
    const test::Outcome listed = call({"query", "--list"});
    EXPECT_NE(listed.out.find("animals: category animal, modality patch"), std::string::npos) << listed.out;
    const test::Outcome csv = call({"query", "animals", "--csv"});
    EXPECT_EQ(std::count(csv.out.begin(), csv.out.end(), '\n'), 8 * 36 * 2 + 1) << csv.err;
    const test::Outcome whole = call({"analyze", "--metric", "load", "--json"}), part = call({"analyze", "--metric", "load", "--json", "--set", "animals"});
    ASSERT_EQ(part.exit_code, 0) << part.err;
    EXPECT_TRUE(nlohmann::json::parse(whole.out).at("set").is_null());
    EXPECT_NE(nlohmann::json::parse(part.out).at("set").get<std::string>().find("'animals'"), std::string::npos);
    EXPECT_NE(nlohmann::json::parse(whole.out).at("rows"), nlohmann::json::parse(part.out).at("rows"));
    EXPECT_EQ(call({"query", "--remove", "animals"}).exit_code, 0);
    EXPECT_EQ(call({"query", "--remove", "animals"}).exit_code, 3);
}

TEST_F(QueryCommand, MistakesNameThePlaceAndTheNearest) {
    const test::Outcome spelled = call({"query", "categry animal"});
    EXPECT_EQ(spelled.exit_code, 2);
    EXPECT_NE(spelled.err.find("'category'"), std::string::npos) << spelled.err;
    const test::Outcome unknown = call({"query", "category animals"});
    EXPECT_EQ(unknown.exit_code, 3);
    EXPECT_NE(unknown.err.find("'animal'"), std::string::npos) << unknown.err;
    EXPECT_EQ(call({"analyze", "--set", "no such set"}).exit_code, 2);
    EXPECT_EQ(call({"analyze", "--set", "margin > 5"}).exit_code, 3) << "nothing fits";
    EXPECT_EQ(call({"query"}).exit_code, 2) << "nothing is asked";
}

}  // namespace
}  // namespace es
