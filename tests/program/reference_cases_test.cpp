// SPDX-License-Identifier: GPL-3.0-or-later
// `doctor --reference` as a shell calls it: every sound case of tests/reference passes, every malformed one is refused with its reason.
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/base/safetensors_file.h"
#include "program/program.h"
#include "support/scratch_folder.h"

namespace es::test {
namespace {

namespace fs = std::filesystem;

const fs::path kCases = fs::path(ES_SOURCE_DIR) / "tests" / "reference";
constexpr int kFewestCases = 5;  ///< of each operation

std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
}

/// The program's list of operations.
std::vector<std::string> operationNames(const fs::path& scratch) {
    std::vector<std::string> names;
    const Outcome list = runProgram({"doctor", "--list", "--json"}, scratch);
    EXPECT_EQ(list.exit_code, 0) << list.err;
    const auto json = nlohmann::json::parse(list.out, nullptr, false);
    EXPECT_EQ(json.value("schema", ""), "expertscope.reference_operations.1");
    for (const auto& operation : json.at("operations")) names.push_back(operation.at("name"));
    return names;
}

std::map<std::string, int> casesOf(const fs::path& folder) {
    std::map<std::string, int> count;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() != ".safetensors") continue;
        const auto file = readArrayFile(entry.path());
        EXPECT_TRUE(file) << entry.path();
        if (file && file->metadata.count("op")) ++count[file->metadata.at("op")];
    }
    return count;
}

TEST(ReferenceCases, EverySoundCasePasses) {
    ScratchFolder scratch;
    const Outcome outcome = runProgram({"doctor", "--reference", kCases.string()}, scratch.path());
    const std::vector<std::string> out = lines(outcome.out);
    ASSERT_FALSE(out.empty()) << outcome.err;
    for (const std::string& line : out)
        if (!line.starts_with("ok ") && line != out.back()) ADD_FAILURE() << line;
    EXPECT_EQ(out.back(), fmt::format("{} passed, 0 failed", out.size() - 1));
    EXPECT_EQ(outcome.exit_code, 0);
}

TEST(ReferenceCases, EveryOperationHasSeveral) {
    ScratchFolder scratch;
    const std::vector<std::string> names = operationNames(scratch.path());
    const std::map<std::string, int> sound = casesOf(kCases), malformed = casesOf(kCases / "malformed");
    EXPECT_GT(names.size(), 40u);
    for (const std::string& name : names) {
        EXPECT_GE(sound.count(name) ? sound.at(name) : 0, kFewestCases) << name;
        EXPECT_GE(malformed.count(name) ? malformed.at(name) : 0, 3) << name;
    }
}

TEST(ReferenceCases, EveryMalformedCaseIsRefusedWithItsReason) {
    ScratchFolder scratch;
    const Outcome outcome = runProgram({"doctor", "--reference", (kCases / "malformed").string(), "--json"}, scratch.path());
    EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
    const auto report = nlohmann::json::parse(outcome.out, nullptr, false);
    ASSERT_EQ(report.value("schema", ""), "expertscope.reference.1");
    EXPECT_EQ(report.at("passed"), 0);
    EXPECT_GT(report.at("cases").size(), 300u);
    for (const auto& row : report.at("cases")) {
        const std::string path = row.at("path"), status = row.at("status"), reason = row.value("reason", nlohmann::json()).is_string() ? row.at("reason") : "";
        const auto file = readArrayFile(path);
        ASSERT_TRUE(file) << path;
        EXPECT_EQ(status, file->metadata.at("status")) << path << ": " << reason;
        EXPECT_NE(reason.find(file->metadata.at("expect")), std::string::npos) << path << " should name '" << file->metadata.at("expect") << "': " << reason;
    }
}

TEST(ReferenceCases, OneLineACaseAndWhatWasComputed) {
    ScratchFolder scratch;
    const fs::path file = kCases / "router.softmax_topk.ties.safetensors", folder = scratch / "computed";
    const Outcome outcome = runProgram({"doctor", "--reference", file.string(), "--write", folder.string()}, scratch.path());
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    const std::vector<std::string> out = lines(outcome.out);
    ASSERT_EQ(out.size(), 2u);
    EXPECT_TRUE(out[0].starts_with("ok ")) << out[0];
    EXPECT_NE(out[0].find("router.softmax_topk.ties"), std::string::npos);
    EXPECT_EQ(out[1], "1 passed, 0 failed");
    const auto written = readArrayFile(folder / file.filename());
    ASSERT_TRUE(written) << written.error().message();
    const auto wanted = readArrayFile(file);
    EXPECT_EQ(written->arrays.at("out.indices_TK").integers, wanted->arrays.at("out.indices_TK").integers);
    EXPECT_EQ(written->arrays.count("out.probs_TE"), 1u);
}

TEST(ReferenceCases, AWrongNumberFails) {
    ScratchFolder scratch;
    auto file = readArrayFile(kCases / "loss.z.plain.safetensors");
    ASSERT_TRUE(file);
    file->arrays.at("grad.logits_TE").reals[3] += 0.01;
    ASSERT_TRUE(writeArrayFile(scratch / "changed.safetensors", *file));
    std::error_code ignored;
    fs::copy_file(kCases / "loss.z.plain.safetensors", scratch / "plain.safetensors", ignored);
    const Outcome outcome = runProgram({"doctor", "--reference", scratch.path().string()}, scratch.path());
    EXPECT_EQ(outcome.exit_code, 1);
    const std::vector<std::string> out = lines(outcome.out);
    ASSERT_EQ(out.size(), 3u) << outcome.out;
    EXPECT_TRUE(out[0].starts_with("FAIL ")) << out[0];
    EXPECT_NE(out[0].find("grad.logits_TE"), std::string::npos) << out[0];
    EXPECT_TRUE(out[1].starts_with("ok ")) << out[1];
    EXPECT_EQ(out[2], "1 passed, 1 failed");
}

TEST(ReferenceCases, ADamagedFileIsABadCase) {
    ScratchFolder scratch;
    fs::copy_file(kCases / "loss.z.plain.safetensors", scratch / "cut.safetensors");
    fs::resize_file(scratch / "cut.safetensors", 300);
    const Outcome outcome = runProgram({"doctor", "--reference", (scratch / "cut.safetensors").string()}, scratch.path());
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_TRUE(outcome.out.starts_with("bad case")) << outcome.out;
}

TEST(ReferenceCases, WhatIsNotThereIsSaid) {
    ScratchFolder scratch;
    fs::create_directory(scratch / "empty");
    EXPECT_EQ(runProgram({"doctor", "--reference", (scratch / "none").string()}, scratch.path()).exit_code, 3);
    EXPECT_EQ(runProgram({"doctor", "--reference", (scratch / "empty").string()}, scratch.path()).exit_code, 3);
    EXPECT_EQ(runProgram({"doctor", "--reference", kCases.string(), "--device", "abacus"}, scratch.path()).exit_code, 2);
    if (!fs::exists("/dev/nvidiactl")) {
        const Outcome outcome = runProgram({"doctor", "--reference", kCases.string(), "--device", "cuda"}, scratch.path());
        EXPECT_EQ(outcome.exit_code, 3);
        EXPECT_NE(outcome.err.find("no GPU"), std::string::npos) << outcome.err;
    }
}

}  // namespace
}  // namespace es::test
