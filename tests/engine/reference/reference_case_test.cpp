// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/reference/reference_case.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <new>
#include <set>

#include "engine/base/files.h"
#include "engine/base/random.h"
#include "engine/reference/compare.h"
#include "support/scratch_folder.h"

namespace es::reference {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

NumberArray real(std::vector<std::int64_t> shape, std::vector<double> values) { return {ElementType::kF32, std::move(shape), std::move(values), {}}; }
NumberArray whole(std::vector<std::int64_t> shape, std::vector<std::int64_t> values) { return {ElementType::kI64, std::move(shape), {}, std::move(values)}; }

Case routerCase() {
    Case test;
    test.name = "made_up";
    test.op = "router.softmax_topk";
    test.params = R"({"k": 2, "renormalize": true})";
    test.atol = 1e-6;
    test.rtol = 1e-5;
    test.inputs["logits_TE"] = real({2, 3}, {1, 2, 3, 6, 5, 4});
    test.outputs["indices_TK"] = whole({2, 2}, {2, 1, 0, 1});
    test.outputs["weights_TK"] = real({2, 2}, {0.75, 0.25, 0.5, 0.5});
    return test;
}

std::string reason(const Case& test) {
    const auto call = checkCase(test);
    return call ? "" : call.error().why;
}

NamedArrays expected(const Case& test) {
    NamedArrays out;
    for (const auto& [name, array] : test.outputs) out["out." + name] = array;
    return out;
}

TEST(ReferenceTable, IsSoundItself) {
    std::set<std::string> names;
    for (const Operation& operation : operations()) {
        EXPECT_TRUE(names.insert(operation.name).second) << operation.name;
        EXPECT_EQ(findOperation(operation.name), &operation);
        std::set<char> known;
        for (const Parameter& p : operation.parameters)
            if (p.size) known.insert(p.size);
        for (const TensorForm& form : operation.inputs) known.insert(form.letters.begin(), form.letters.end());
        for (const TensorForm& form : operation.outputs)
            for (const char letter : form.letters) EXPECT_TRUE(known.count(letter)) << operation.name << " does not know " << letter << " of " << form.name;
        for (const Parameter& p : operation.parameters) EXPECT_TRUE(!p.at_most || known.count(p.at_most)) << operation.name << " " << p.name;
    }
    EXPECT_EQ(names.size(), 46u);
    EXPECT_EQ(findOperation("router.nonesuch"), nullptr);
}

TEST(CheckCase, ASoundCaseBecomesACall) {
    const auto call = checkCase(routerCase());
    ASSERT_TRUE(call) << call.error().why;
    EXPECT_EQ(call->integer("k"), 2);
    EXPECT_TRUE(call->flag("renormalize"));
    EXPECT_EQ(call->size('T'), 2);
    EXPECT_EQ(call->size('E'), 3);
    EXPECT_FALSE(call->gradients);
    EXPECT_TRUE(call->has("logits_TE"));
}

TEST(CheckCase, SaysWhatIsWrong) {
    const auto changed = [](auto&& change) {
        Case test = routerCase();
        change(test);
        return reason(test);
    };
    EXPECT_EQ(changed([](Case&) {}), "");
    const std::pair<std::string, const char*> faults[] = {
        {changed([](Case& c) { c.params = "{"; }), "params are not a JSON object"},
        {changed([](Case& c) { c.params = "[1]"; }), "params are not a JSON object"},
        {changed([](Case& c) { c.params = R"({"k": 2})"; }), "'renormalize' is missing"},
        {changed([](Case& c) { c.params = R"({"k": 2.5, "renormalize": true})"; }), "k is 2.5"},
        {changed([](Case& c) { c.params = R"({"k": "2", "renormalize": true})"; }), "k is \"2\""},
        {changed([](Case& c) { c.params = R"({"k": 0, "renormalize": true})"; }), "k is 0"},
        {changed([](Case& c) { c.params = R"({"k": 4, "renormalize": true})"; }), "k = 4 is more than E = 3"},
        {changed([](Case& c) { c.params = R"({"k": 99999999999999999999, "renormalize": true})"; }), "k is"},
        {changed([](Case& c) { c.params = R"({"k": 2, "renormalize": 1})"; }), "renormalize is 1"},
        {changed([](Case& c) { c.params = R"({"k": 2, "renormalize": true, "tau": 1})"; }), "unknown parameter 'tau'"},
        {changed([](Case& c) { c.params = "{\"k\": " + std::string(50'000, '[') + std::string(50'000, ']') + ", \"renormalize\": true}"; }), "k is an array"},
        {changed([](Case& c) { c.inputs.clear(); }), "in.logits_TE is missing"},
        {changed([](Case& c) {
             c.inputs["noise_TE"] = real({2, 3}, {0, 0, 0, 0, 0, 0});
         }),
         "unknown input in.noise_TE"},
        {changed([](Case& c) { c.outputs["loss"] = real({}, {0}); }), "unknown output out.loss"},
        {changed([](Case& c) { c.gradients["logits_TE"] = c.inputs["logits_TE"]; }), "unknown gradient grad.logits_TE"},
        {changed([](Case& c) { c.inputs["logits_TE"].shape = {6}; }), "in.logits_TE has shape [6], expected [T, E]"},
        {changed([](Case& c) {
             c.inputs["logits_TE"] = whole({1, 3}, {1, 2, 3});
         }),
         "type I64, expected F32"},
        {changed([](Case& c) {
             c.inputs["logits_TE"] = real({0, 3}, {});
         }),
         "there are no tokens"},
        {changed([](Case& c) { c.inputs["logits_TE"].reals[4] = kNaN; }), "in.logits_TE is not finite"},
        {changed([](Case& c) { c.inputs["logits_TE"].reals[4] = -kInfinity; }), "in.logits_TE is not finite"},
        {changed([](Case& c) {
             c.outputs["weights_TK"] = real({2, 3}, {0, 0, 0, 0, 0, 0});
         }),
         "out.weights_TK has shape [2, 3], expected [T, K] with K = 2 (by parameter k)"},
        {changed([](Case& c) {
             c.outputs["indices_TK"] = real({2, 2}, {0, 0, 0, 0});
         }),
         "out.indices_TK is of type F32, expected I64"},
        {changed([](Case& c) { c.outputs.clear(); }), "nothing to compare"},
        {changed([](Case& c) { c.op = "router.nonesuch"; }), "unknown operation 'router.nonesuch'"},
    };
    for (const auto& [said, wanted] : faults) EXPECT_NE(said.find(wanted), std::string::npos) << "expected '" << wanted << "', said '" << said << "'";
}

TEST(CheckCase, IndicesStayWithinTheExperts) {
    Case test;
    test.op = "loss.balance";
    test.inputs["logits_TE"] = real({2, 2}, {1, 2, 3, 4});
    test.inputs["indices_TK"] = whole({2, 1}, {-1, 1});
    test.outputs["loss"] = real({}, {1});
    test.gradients["logits_TE"] = real({2, 2}, {0, 0, 0, 0});
    ASSERT_EQ(reason(test), "");
    EXPECT_TRUE(checkCase(test)->gradients);
    test.inputs["indices_TK"].integers[1] = 2;
    EXPECT_EQ(reason(test), "in.indices_TK holds 2, but E = 2");
    test.inputs["indices_TK"].integers[1] = -2;
    EXPECT_NE(reason(test).find("holds -2"), std::string::npos);
    test.inputs["indices_TK"] = whole({2, 3}, {0, 1, 0, 0, 1, 0});
    EXPECT_NE(reason(test).find("k = 3 choices"), std::string::npos);
    test.inputs["indices_TK"] = whole({1, 1}, {0});
    EXPECT_NE(reason(test).find("in.indices_TK has shape [1, 1], expected [T, K] with T = 2 (by in.logits_TE)"), std::string::npos);
}

TEST(Compare, HoldsEveryNumberToItsTolerance) {
    Case test = routerCase();
    EXPECT_EQ(compare(test, expected(test)).verdict, Verdict::kOk);
    NamedArrays computed = expected(test);
    computed["out.weights_TK"].reals[3] = 0.5 + 1e-6 + 0.49e-5;
    Outcome outcome = compare(test, computed);
    EXPECT_EQ(outcome.verdict, Verdict::kOk);
    EXPECT_EQ(outcome.tensor, "out.weights_TK");
    EXPECT_NEAR(outcome.absolute, 5.9e-6, 1e-9);
    EXPECT_NEAR(outcome.relative, 1.18e-5, 1e-9);
    computed["out.weights_TK"].reals[3] = 0.5 - 1e-6 - 0.51e-5;
    outcome = compare(test, computed);
    EXPECT_EQ(outcome.verdict, Verdict::kFail);
    EXPECT_NE(outcome.reason.find("out.weights_TK[1, 1] is 0.4999939, expected 0.5"), std::string::npos) << outcome.reason;
    computed["out.weights_TK"].reals[3] = kNaN;
    EXPECT_EQ(compare(test, computed).verdict, Verdict::kFail);
    test.outputs["weights_TK"].reals[3] = kNaN;
    EXPECT_EQ(compare(test, computed).verdict, Verdict::kFail) << "NaN is never equal";
}

TEST(Compare, WholeNumbersAreEqualOrNot) {
    Case test = routerCase();
    test.atol = 100;
    NamedArrays computed = expected(test);
    computed["out.indices_TK"].integers[0] = 1;
    const Outcome outcome = compare(test, computed);
    EXPECT_EQ(outcome.verdict, Verdict::kFail);
    EXPECT_EQ(outcome.tensor, "out.indices_TK");
    EXPECT_EQ(outcome.absolute, 1);
}

TEST(Compare, WhatWasNotComputedFails) {
    const Case test = routerCase();
    NamedArrays computed = expected(test);
    computed.erase("out.weights_TK");
    EXPECT_EQ(compare(test, computed).verdict, Verdict::kFail);
    computed = expected(test);
    computed["out.weights_TK"].shape = {4};
    EXPECT_EQ(compare(test, computed).verdict, Verdict::kFail);
}

ArrayFile fileOf(const Case& test) {
    ArrayFile file;
    file.metadata = {{"op", test.op}, {"params", test.params}, {"atol", "1e-06"}, {"rtol", "1e-05"}, {"source", "made up"}};
    for (const auto& [name, array] : test.inputs) file.arrays["in." + name] = array;
    for (const auto& [name, array] : test.outputs) file.arrays["out." + name] = array;
    return file;
}

class CaseFile : public testing::Test {
protected:
    Outcome run() {
        return runCase(
            path_, [](const Call&) -> Result<NamedArrays> { return expected(routerCase()); },
            [](const Call&) -> Result<NamedArrays> { throw std::bad_alloc(); });
    }
    Outcome run(const ArrayFile& file) {
        EXPECT_TRUE(writeArrayFile(path_, file));
        return run();
    }
    test::ScratchFolder folder_;
    std::filesystem::path path_ = folder_ / "some.case.safetensors";
};

TEST_F(CaseFile, RunsFromEndToEnd) {
    const Outcome outcome = run(fileOf(routerCase()));
    EXPECT_EQ(outcome.verdict, Verdict::kOk) << outcome.reason;
    EXPECT_EQ(outcome.name, "some.case");
    EXPECT_EQ(outcome.op, "router.softmax_topk");
}

TEST_F(CaseFile, FaultyMetadataAreBadCases) {
    for (const auto& [key, value] :
         std::vector<std::pair<std::string, std::string>>{{"atol", "-1"}, {"atol", "nan"}, {"rtol", "inf"}, {"rtol", "1e-5x"}, {"rtol", ""}}) {
        ArrayFile file = fileOf(routerCase());
        file.metadata[key] = value;
        const Outcome outcome = run(file);
        EXPECT_EQ(outcome.verdict, Verdict::kBadCase);
        EXPECT_NE(outcome.reason.find(key), std::string::npos) << outcome.reason;
    }
    for (const char* key : {"op", "atol", "rtol"}) {
        ArrayFile file = fileOf(routerCase());
        file.metadata.erase(key);
        EXPECT_EQ(run(file).verdict, Verdict::kBadCase) << key;
    }
    ArrayFile file = fileOf(routerCase());
    file.arrays["input.logits_TE"] = real({}, {1});
    EXPECT_NE(run(file).reason.find("input.logits_TE"), std::string::npos);
}

TEST_F(CaseFile, AnUnknownOperationIsSaidToBeOne) {
    ArrayFile file = fileOf(routerCase());
    file.metadata = {{"op", "router.nonesuch"}};
    const Outcome outcome = run(file);
    EXPECT_EQ(outcome.verdict, Verdict::kUnknownOp);
    EXPECT_NE(outcome.reason.find("router.nonesuch"), std::string::npos);
}

TEST_F(CaseFile, AnExceptionOfTheRunnerFailsTheCase) {
    Case test;
    test.op = "metric.jsd";
    test.inputs["p_E"] = test.inputs["q_E"] = real({1}, {1});
    test.outputs["jsd"] = real({}, {0});
    test.params = "{}";
    EXPECT_EQ(run(fileOf(test)).verdict, Verdict::kFail);
}

TEST_F(CaseFile, FlippedBytesNeverCrash) {
    ASSERT_TRUE(writeArrayFile(path_, fileOf(routerCase())));
    const std::string whole_file = *readFile(path_);
    RandomStream random(3, RandomPurpose::kSynthetic);
    int refused = 0;
    for (int i = 0; i < 800; ++i) {
        std::string other = whole_file;
        for (int flips = 0; flips < 1 + i % 3; ++flips) other[random.below(static_cast<std::uint32_t>(other.size()))] = static_cast<char>(random.below(256));
        if (i % 7 == 0) other.resize(random.below(static_cast<std::uint32_t>(other.size())));
        std::ofstream(path_, std::ios::binary) << other;
        refused += run().verdict == Verdict::kBadCase;
    }
    EXPECT_GT(refused, 200);
}

}  // namespace
}  // namespace es::reference
