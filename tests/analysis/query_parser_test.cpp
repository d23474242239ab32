// SPDX-License-Identifier: GPL-3.0-or-later
#include <gtest/gtest.h>

#include "analysis/query/query.h"

namespace es::analysis {
namespace {

std::string canonical(const std::string& text) {
    const auto query = parseQuery(text);
    return query ? query->canonical() : "problem: " + query.error().why;
}

TEST(QueryParser, ReadsEveryKindOfCondition) {
    EXPECT_EQ(canonical(""), "");
    EXPECT_EQ(canonical("expert 5"), "expert 5");
    EXPECT_EQ(canonical("expert = 5 in 6.v"), "expert 5 in 6.v");
    EXPECT_EQ(canonical("first 0 in 3"), "first 0 in 3");
    EXPECT_EQ(canonical("router 6.vl"), "layer 6.vl");
    EXPECT_EQ(canonical("margin<0.1"), "margin < 0.1");
    EXPECT_EQ(canonical("weight >= 1e-2"), "weight >= 0.01");
    EXPECT_EQ(canonical("modality vision"), "modality = patch");
    EXPECT_EQ(canonical("split != train"), "split != train");
    EXPECT_EQ(canonical("word 'red'"), canonical("word = \"red\""));
    EXPECT_EQ(canonical("caption ~ 'a dog'"), "caption ~ 'a dog'");
    EXPECT_EQ(canonical("truth color red"), "truth colour = 'red'");
    EXPECT_EQ(canonical("truth background"), "truth background");
    EXPECT_EQ(canonical("loss pair_text > 2"), "loss pair_text > 2");
    EXPECT_EQ(canonical("category café"), "category = 'café'");
}

TEST(QueryParser, CommaBindsAfterOrAndOrAfterAnd) {
    EXPECT_EQ(canonical("masked, dropped"), "(masked) and (dropped)");
    EXPECT_EQ(canonical("masked and dropped or expert 1"), "((masked) and (dropped)) or (expert 1)");
    EXPECT_EQ(canonical("masked or dropped, expert 1"), "((masked) or (dropped)) and (expert 1)");
    EXPECT_EQ(canonical("not (masked or dropped)"), "not ((masked) or (dropped))");
    EXPECT_EQ(canonical("not masked and dropped"), "(not (masked)) and (dropped)");
}

TEST(QueryParser, EveryExampleIsAQuery) {
    for (const std::string& example : queryExamples()) EXPECT_TRUE(parseQuery(example)) << example;
    for (const QueryFieldInfo& field : queryFields()) EXPECT_TRUE(parseQuery(field.example)) << field.example;
}

struct Bad {
    const char* text;
    std::size_t begin;
    const char *why, *remedy;
};

TEST(QueryParser, PointsAtThePlaceAndNamesTheNearest) {
    const Bad cases[] = {
        {"expret 5", 0, "no condition", "'expert'"},
        {"masked, categry animals", 8, "no condition", "'category'"},
        {"expert", 6, "needs a number", "expert 5"},
        {"expert five", 7, "needs a number", "expert 5"},
        {"expert -1", 7, "no number of an expert", "from 0"},
        {"expert 1.5", 7, "no number of an expert", "from 0"},
        {"margin 0.1", 7, "compared", "<"},
        {"margin ~ 0.1", 7, "compared", "<"},
        {"margin < nan", 9, "needs a number", "margin"},
        {"layer 6.x", 6, "no layer or router", "6.v"},
        {"modality pach", 9, "no modality", "'patch'"},
        {"loss pair_txt > 2", 5, "no objective", "'pair_text'"},
        {"truth color", 11, "needs a value", "truth colour red"},
        {"truth colr red", 6, "no 'colr'", "'colour'"},
        {"caption < dog", 8, "no order", "~"},
        {"word ''", 5, "empty", "red"},
        {"masked dropped", 7, "nothing joins", "and"},
        {"masked adn dropped", 7, "nothing joins", "'and'"},
        {"masked and", 10, "missing", "expert 5"},
        {", masked", 0, "missing", "expert 5"},
        {"(masked", 0, "never closed", ")"},
        {"masked)", 6, "never opened", "Remove"},
        {"caption ~ 'dog", 10, "never closed", "same sign"},
        {"expert ! 5", 7, "stands alone", "!="},
        {"masked in 6.v", 7, "same for all routers", "in"},
        {"expert 3 in", 11, "layer or router is missing", "6.v"},
    };
    for (const Bad& bad : cases) {
        const auto query = parseQuery(bad.text);
        ASSERT_FALSE(query) << bad.text << " was read as " << query->canonical();
        const QueryProblem& problem = query.error();
        EXPECT_EQ(problem.begin, bad.begin) << bad.text << ": " << problem.why;
        EXPECT_NE(problem.why.find(bad.why), std::string::npos) << bad.text << ": " << problem.why;
        EXPECT_NE(problem.remedy.find(bad.remedy), std::string::npos) << bad.text << ": " << problem.remedy;
        EXPECT_LE(problem.begin, problem.end);
        const Error error = problem.error(bad.text);
        EXPECT_EQ(error.kind, ErrorKind::kWrongCall);
        EXPECT_NE(error.what.find(bad.text), std::string::npos);
    }
    std::string deep(5000, '(');
    EXPECT_FALSE(parseQuery(deep));
    std::string nots;
    for (int i = 0; i < 3000; ++i) nots += "not ";
    EXPECT_FALSE(parseQuery(nots + "masked"));
}

TEST(QueryParser, TellsSearchWordsFromQueries) {
    for (const char* query : {"expert 5", "not masked", "(masked)", "margin<0.1", "router 1.v", "expert", "category 'unclosed"})
        EXPECT_TRUE(looksLikeQuery(query)) << query;
    for (const char* words : {"", "red circle", "'expert 5'", "\"word\"", "dog's life", "5 experts", "experts agree"})
        EXPECT_FALSE(looksLikeQuery(words)) << words;
}

TEST(QueryParser, CompletesNamesAndValues) {
    QueryVocabulary vocabulary;
    vocabulary.routers = {"1.v", "1.t"};
    vocabulary.layers = {"1"};
    vocabulary.categories = {"animals", "food and drink"};
    vocabulary.truth = {{"colour", {"red", "green"}}};
    const auto complete = [&](const std::string& text) { return completeQuery(text, vocabulary); };
    EXPECT_EQ(complete("cat").candidates, std::vector<std::string>{"category"});
    EXPECT_EQ(complete("cat").begin, 0u);
    EXPECT_EQ(complete("masked, category an").candidates, std::vector<std::string>{"animals"});
    EXPECT_EQ(complete("masked, category an").begin, 17u);
    EXPECT_EQ(complete("category 'foo").candidates, std::vector<std::string>{"'food and drink'"});
    EXPECT_EQ(complete("layer 1.").candidates, (std::vector<std::string>{"1.v", "1.t"}));
    EXPECT_EQ(complete("expert 3 in ").candidates, (std::vector<std::string>{"1.v", "1.t"}));
    EXPECT_EQ(complete("truth col").candidates, std::vector<std::string>{"colour"});
    EXPECT_EQ(complete("truth colour ").candidates, (std::vector<std::string>{"red", "green"}));
    EXPECT_EQ(complete("modality ").candidates, (std::vector<std::string>{"patch", "word"}));
    // Whatever is offered can be read once a value stands behind it.
    for (const std::string& name : complete("").candidates) EXPECT_TRUE(looksLikeQuery(name)) << name;
}

}  // namespace
}  // namespace es::analysis
