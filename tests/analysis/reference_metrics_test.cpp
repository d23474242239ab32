// SPDX-License-Identifier: GPL-3.0-or-later
// The cases of tests/reference that the analysis computes, without the engine and the program.
#include "analysis/reference/reference_metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <vector>

#include "engine/reference/compare.h"

namespace es::analysis {
namespace {

namespace fs = std::filesystem;

Result<NamedArrays> noEngine(const reference::Call&) { return jobFailed("Cannot compute the case", "there is no engine here", ""); }

std::vector<fs::path> casesOfAnalysis(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (entry.path().extension() == ".safetensors" && (name.starts_with("metric.") || name.starts_with("stat."))) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

const fs::path kCases = fs::path(ES_SOURCE_DIR) / "tests" / "reference";

TEST(ReferenceMetrics, EverySoundCasePasses) {
    std::map<std::string, int> passed;
    for (const fs::path& file : casesOfAnalysis(kCases)) {
        const reference::Outcome outcome = reference::runCase(file, noEngine, runReferenceMetric);
        EXPECT_EQ(reference::nameOf(outcome.verdict), "ok") << outcome.name << ": " << outcome.reason;
        ++passed[outcome.op];
    }
    for (const reference::Operation& operation : reference::operations()) {
        if (operation.home != reference::Home::kAnalysis) continue;
        EXPECT_GE(passed[operation.name], 5) << operation.name;
    }
}

TEST(ReferenceMetrics, EveryMalformedCaseIsRefusedWithItsReason) {
    const std::vector<fs::path> files = casesOfAnalysis(kCases / "malformed");
    EXPECT_GT(files.size(), 100u);
    for (const fs::path& file : files) {
        const auto content = readArrayFile(file);
        ASSERT_TRUE(content) << file;
        const reference::Outcome outcome = reference::runCase(file, noEngine, runReferenceMetric);
        EXPECT_EQ(reference::nameOf(outcome.verdict), content->metadata.at("status")) << outcome.name << ": " << outcome.reason;
        EXPECT_NE(outcome.reason.find(content->metadata.at("expect")), std::string::npos)
            << outcome.name << " should name " << content->metadata.at("expect") << ": " << outcome.reason;
    }
}

TEST(ReferenceMetrics, LargeNumbersOfExpertsAreRefusedNotComputed) {
    reference::Case test;
    test.op = "metric.saturation";
    test.params = "{}";
    test.inputs["a_TK"] = test.inputs["b_TK"] = {ElementType::kI64, {1, 1}, {}, {70'000}};
    test.outputs["overlap"] = {ElementType::kF32, {}, {1}, {}};
    const auto call = reference::checkCase(test);
    ASSERT_TRUE(call) << call.error().why;
    const auto result = runReferenceMetric(*call);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::kBadInput);
    test.op = "metric.coactivation";
    test.inputs = {{"indices_TK", {ElementType::kI64, {1, 1}, {}, {3}}}};
    test.params = R"({"experts": 60000})";
    test.outputs = {{"conditional_EE", {ElementType::kF32, {1, 1}, {1}, {}}}};
    const auto large = reference::checkCase(test);
    ASSERT_FALSE(large);
    EXPECT_NE(large.error().why.find("would hold"), std::string::npos) << large.error().why;
    test.op = "metric.match_experts";
    test.inputs = {{"a_T", {ElementType::kI64, {1}, {}, {3}}}, {"b_T", {ElementType::kI64, {1}, {}, {3}}}};
    test.outputs = {{"agreement", {ElementType::kF32, {}, {1}, {}}}};
    const auto many = reference::checkCase(test);
    ASSERT_FALSE(many);
    EXPECT_NE(many.error().why.find("pairs"), std::string::npos) << many.error().why;
}

}  // namespace
}  // namespace es::analysis
