// SPDX-License-Identifier: GPL-3.0-or-later
// data tokenizer: a picture tokenizer made, found again, used by train, refused where it does not fit.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "program/program.h"
#include "support/scratch_folder.h"

namespace es::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

TEST(DataTokenizer, IsMadeOnceAndUsedByTrain) {
    ScratchFolder scratch;
    const fs::path config = writeTinyConfig(scratch.path());
    const std::vector<std::string> settings{"--set", "tokenizer.codes=24", "--set", "tokenizer.steps=30",
                                            "--set", "tokenizer.width=32", "--set", "tokenizer.seed=4242"};
    std::vector<std::string> arguments{"data", "tokenizer", "--config", config.string(), "--json"};
    arguments.insert(arguments.end(), settings.begin(), settings.end());
    const Outcome made = runProgram(arguments, scratch.path());
    ASSERT_EQ(made.exit_code, 0) << made.err;
    const json report = json::parse(made.out, nullptr, false);
    ASSERT_TRUE(report.is_object()) << made.out;
    EXPECT_EQ(report["schema"], "expertscope.data_tokenizer.1");
    EXPECT_EQ(report["codes"], 24);
    EXPECT_EQ(report["steps"], 30);
    EXPECT_LT(report["reconstruction"].get<double>(), report["variance"].get<double>());
    EXPECT_GT(report["perplexity"].get<double>(), 2);
    const fs::path file = report["file"].get<std::string>();
    EXPECT_TRUE(fs::exists(file));

    const json again = json::parse(runProgram(arguments, scratch.path()).out, nullptr, false);
    EXPECT_EQ(again["trained"], false);
    EXPECT_EQ(again["hash"], report["hash"]);

    std::vector<std::string> training{"train", config.string(), "--out", (scratch.path() / "coded").string(), "--set", "model.image_target=codes",
                                      "--set", "train.steps=2"};
    training.insert(training.end(), settings.begin(), settings.end());
    const Outcome trained = runProgram(training, scratch.path());
    EXPECT_EQ(trained.exit_code, 0) << trained.err;
    EXPECT_EQ(trained.err.find("Training the picture tokenizer"), std::string::npos) << "it is there already";
    fs::path copy;
    for (const auto& entry : fs::recursive_directory_iterator(scratch.path() / "coded"))
        if (entry.path().filename() == "image_tokenizer.safetensors") copy = entry.path();
    ASSERT_FALSE(copy.empty());
    EXPECT_EQ(*readFile(copy), *readFile(file));

    const Outcome refused = runProgram({"train", config.string(), "--out", (scratch.path() / "refused").string(), "--set", "model.image_target=codes", "--set",
                                        "data.image_tokenizer=" + config.string()},
                                       scratch.path());
    EXPECT_EQ(refused.exit_code, 3);
    EXPECT_NE(refused.err.find("Cannot use the picture tokenizer"), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find(config.filename().string()), std::string::npos) << refused.err;
    EXPECT_FALSE(fs::exists(scratch.path() / "refused" / "run.toml"));
    fs::remove(file);
    fs::remove(fs::path(file).replace_extension(".json"));
}

}  // namespace
}  // namespace es::test
