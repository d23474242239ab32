// SPDX-License-Identifier: GPL-3.0-or-later
// train --dry-run: what a run would take, with nothing made.
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/config/presets.h"
#include "program/program.h"
#include "support/scratch_folder.h"

namespace es::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class DryRun : public ::testing::Test {
protected:
    /// A configuration of nothing but a preset, on data that are not prepared.
    fs::path writePreset(std::string_view preset) {
        const fs::path path = scratch_ / fmt::format("{}.toml", preset);
        EXPECT_TRUE(writeFileAtomically(path, fmt::format("[data]\ncache = \"{}\"\n[model]\npreset = \"{}\"\n", (scratch_ / "none").string(), preset)));
        return path;
    }
    Outcome call(const fs::path& config, std::vector<std::string> more = {}) {
        std::vector<std::string> arguments{"train", config.string(), "--dry-run", "--out", (scratch_ / "deep" / "run").string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return runProgram(arguments, scratch_.path());
    }
    json estimate(const fs::path& config, std::vector<std::string> more = {}) {
        more.push_back("--json");
        const Outcome outcome = call(config, more);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        return json::parse(outcome.out, nullptr, false);
    }
    ScratchFolder scratch_;
};

TEST_F(DryRun, EveryPresetHasItsAccount) {
    for (const std::string_view preset : config::presetNames()) {
        const json e = estimate(writePreset(preset));
        ASSERT_TRUE(e.is_object()) << preset;
        EXPECT_EQ(e["schema"], "expertscope.estimate.1");
        EXPECT_EQ(e["preset"], preset);
        std::int64_t sum = 0;
        for (const json& part : e["parts"]) sum += part["parameters_total"].get<std::int64_t>();
        const json& model = e["model"];
        EXPECT_EQ(sum, model["parameters_total"]) << preset;
        const bool sparse = e["ffn"] == "moe";
        EXPECT_EQ(model["parameters_total"] > model["parameters_active"], sparse) << preset;
        EXPECT_EQ(e["data"]["vocabulary_from"], "configuration");
        EXPECT_GT(e["flops_per_sample"]["pair"], e["flops_per_sample"]["text"]);
        EXPECT_NEAR(e["memory_bytes"]["weights"].get<double>(), 4.0 * static_cast<double>(sum), 1);
        EXPECT_GE(e["disk_bytes"]["checkpoint"].get<double>(), 12.0 * static_cast<double>(sum));
        const auto published = config::publishedCount(preset);
        ASSERT_EQ(e["published"].is_object(), published.has_value()) << preset;
        if (published) {
            EXPECT_NEAR(e["published"]["ours"].get<double>() / e["published"]["parameters"].get<double>(), 1, 0.01) << preset;
        }
    }
    EXPECT_FALSE(fs::exists(scratch_ / "deep"));
    EXPECT_FALSE(fs::exists(scratch_ / "none"));
}

TEST_F(DryRun, APersonReadsTheSame) {
    const Outcome outcome = call(writePreset("vlmo-base"));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    for (const char* part : {"V-FFN", "T-FFN", "VL-FFN", "attention", "embeddings", "norms", "word head", "Published for vlmo-base: 175.0 M",
                             "assumed from data.vocabulary", "Memory, about", "checkpoints of", "available:", "free:"})
        EXPECT_NE(outcome.out.find(part), std::string::npos) << part << "\n" << outcome.out;
}

TEST_F(DryRun, ARunThatCannotFitIsToldSo) {
    const json e = estimate(writePreset("beit3-large-32e"), {"--set", "train.batch_images=1000000"});
    EXPECT_GT(e["memory_bytes"]["total"].get<double>(), 1e12);
    ASSERT_TRUE(e["memory_bytes"]["available"].is_number());
    ASSERT_FALSE(e["warnings"].empty());
    EXPECT_EQ(e["warnings"][0]["kind"], "memory_short");
    EXPECT_TRUE(estimate(writePreset("tiny"))["warnings"].empty());
}

TEST_F(DryRun, BadCallsAreRefused) {
    EXPECT_EQ(runProgram({"train", writePreset("tiny").string(), "--json"}, scratch_.path()).exit_code, 2);
    const Outcome unknown = call(writePreset("vlmo-huge"));
    EXPECT_EQ(unknown.exit_code, 3);
    EXPECT_NE(unknown.err.find("vlmo-base"), std::string::npos) << unknown.err;
    EXPECT_EQ(call(writePreset("tiny"), {"--set", "model.heads=3"}).exit_code, 3);
}

TEST_F(DryRun, PreparedDataGiveTheirVocabularyAndTheRunKeepsTheAccount) {
    const fs::path config = writeTinyConfig(scratch_.path(), "steps = 2\n");
    const fs::path run = scratch_ / "trained";
    const Outcome trained = runProgram({"train", config.string(), "--out", run.string()}, scratch_.path());
    ASSERT_EQ(trained.exit_code, 0) << trained.err;
    const json e = estimate(config);
    EXPECT_EQ(e["data"]["vocabulary_from"], "prepared data");
    const json provenance = json::parse(readFile(run / "provenance.json").value_or(""), nullptr, false);
    ASSERT_TRUE(provenance.is_object());
    EXPECT_EQ(provenance["parameters_total"], e["model"]["parameters_total"]);
    const json account = json::parse(provenance["extra"]["account"].get<std::string>(), nullptr, false);
    ASSERT_EQ(account.size(), e["parts"].size());
    for (const json& part : e["parts"]) {
        const json& kept = account[part["part"].get<std::string>()];
        for (const char* key : {"parameters_total", "parameters_active", "flops_per_step_active", "flops_per_step_total"})
            EXPECT_EQ(kept[key], part[key]) << part["part"] << key;
    }
    // The checkpoint is as large as was said, but for headers and the vocabulary's file.
    double bytes = 0;
    for (const char* file : {"model.safetensors", "optimizer.safetensors"})
        bytes += static_cast<double>(fs::file_size(run / "checkpoints/step-000000002" / file));
    EXPECT_NEAR(bytes / e["disk_bytes"]["checkpoint"].get<double>(), 1, 0.1);
}

}  // namespace
}  // namespace es::test
