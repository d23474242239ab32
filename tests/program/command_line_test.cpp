// SPDX-License-Identifier: GPL-3.0-or-later
// What users do wrong at the command line: each gets the right exit code and an error that names the thing and the remedy.
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "program/program.h"
#include "support/scratch_folder.h"

namespace es::test {
namespace {

namespace fs = std::filesystem;

class CommandLine : public ::testing::Test {
protected:
    Outcome call(const std::vector<std::string>& arguments) { return runProgram(arguments, scratch_.path()); }
    fs::path write(const std::string& name, const std::string& text) {
        EXPECT_TRUE(writeFileAtomically(scratch_ / name, text));
        return scratch_ / name;
    }
    void expectBadInput(const std::vector<std::string>& arguments, const std::string& part) {
        const Outcome outcome = call(arguments);
        EXPECT_EQ(outcome.exit_code, 3) << fmt::format("{}", fmt::join(arguments, " ")) << "\n" << outcome.err;
        EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
        EXPECT_EQ(outcome.err.find("terminate called"), std::string::npos);
    }
    ScratchFolder scratch_;
};

TEST_F(CommandLine, HelpAndVersionSayThemselves) {
    EXPECT_EQ(call({"--help"}).exit_code, 0);
    EXPECT_NE(call({"--help"}).out.find("train"), std::string::npos);
    EXPECT_NE(call({"--version"}).out.find("expertscope 0."), std::string::npos);
    for (const char* command : {"open", "train", "run", "analyze", "compare", "figure", "data", "index", "doctor"})
        EXPECT_EQ(call({command, "--help"}).exit_code, 0) << command;
}

TEST_F(CommandLine, AWrongCallExitsWithTwo) {
    EXPECT_EQ(call({"train"}).exit_code, 2);
    EXPECT_EQ(call({"train", "x.toml", "--nonsense"}).exit_code, 2);
    EXPECT_EQ(call({"data"}).exit_code, 2);
    EXPECT_EQ(call({"run", scratch_.path().string()}).exit_code, 2);
    EXPECT_EQ(call({"compare", "--axis", "nonsense", "--baseline", "a", "--candidate", "b"}).exit_code, 2);
}

TEST_F(CommandLine, ABadConfigurationIsNamedWithItsPlace) {
    expectBadInput({"train", (scratch_ / "none.toml").string()}, "none.toml");
    expectBadInput({"train", write("a.toml", "[train]\nstesp = 3\n").string()}, "'steps'");
    expectBadInput({"train", write("b.toml", "[train]\nsteps = \"x\"\n").string()}, "b.toml:2");
    expectBadInput({"train", write("c.toml", "[moe]\nk = 99\n").string()}, "moe.k");
    expectBadInput({"train", write("d.toml", "").string(), "--set", "train.steps=-1"}, "train.steps");
    EXPECT_FALSE(fs::exists(scratch_ / "runs"));
}

TEST_F(CommandLine, AFolderThatIsNoRunIsRefused) {
    fs::create_directory(scratch_ / "empty");
    for (const std::vector<std::string>& call :
         std::vector<std::vector<std::string>>{{"analyze", (scratch_ / "empty").string()},
                                               {"index", (scratch_ / "empty").string()},
                                               {"run", (scratch_ / "empty").string(), "--caption", "a cat"},
                                               {"analyze", (scratch_ / "none").string()},
                                               {"compare", "--baseline", (scratch_ / "empty").string(), "--candidate", (scratch_ / "empty").string()}})
        expectBadInput(call, "(");
    EXPECT_TRUE(fs::is_empty(scratch_ / "empty"));
    expectBadInput({"open", (scratch_ / "none").string()}, "no such folder");
}

TEST_F(CommandLine, BadDataFoldersAreRefusedOrReported) {
    const std::string cache = "data.cache=" + (scratch_ / "cache").string();
    expectBadInput({"data", "check", (scratch_ / "none").string(), "--set", cache}, "none");
    fs::create_directory(scratch_ / "empty");
    expectBadInput({"data", "prepare", (scratch_ / "empty").string(), "--set", cache}, "empty");
    fs::create_directory(scratch_ / "html");
    write("html/cat.jpg", "<html>404</html>");
    write("html/cat.txt", "a cat");
    const Outcome check = call({"data", "check", (scratch_ / "html").string(), "--set", cache, "--json"});
    EXPECT_EQ(check.exit_code, 3);
}

TEST_F(CommandLine, JsonHasItsSchema) {
    const Outcome list = call({"data", "list", "--json", "--set", "data.cache=" + (scratch_ / "cache").string()});
    ASSERT_EQ(list.exit_code, 0) << list.err;
    EXPECT_EQ(nlohmann::json::parse(list.out).at("schema"), "expertscope.data_list.1");
    const Outcome doctor = call({"doctor", "--json"});
    EXPECT_EQ(nlohmann::json::parse(doctor.out).at("schema"), "expertscope.doctor.1") << doctor.err;
}

TEST_F(CommandLine, AReadOnlyHomeAndNoDisplayAreSaid) {
    // Without QT_QPA_PLATFORM and displays there is no window to open; a picture still works.
    unsetenv("QT_QPA_PLATFORM");
    unsetenv("DISPLAY");
    unsetenv("WAYLAND_DISPLAY");
    const Outcome window = call({"open"});
    EXPECT_EQ(window.exit_code, 1);
    EXPECT_NE(window.err.find("--screenshot"), std::string::npos) << window.err;
    setenv("HOME", "/nonexistent", 1);
    setenv("XDG_CONFIG_HOME", "/nonexistent/config", 1);
    setenv("XDG_CACHE_HOME", "/nonexistent/cache", 1);
    fs::create_directory(scratch_ / "none");
    const Outcome picture =
        call({"open", (scratch_ / "none").string(), "--screenshot", (scratch_ / "window.png").string(), "--dump", (scratch_ / "window.json").string()});
    EXPECT_EQ(picture.exit_code, 0) << picture.err;
    EXPECT_TRUE(fs::exists(scratch_ / "window.png"));
    EXPECT_EQ(nlohmann::json::parse(readFile(scratch_ / "window.json").value_or("{}")).at("schema"), "expertscope.window.1");
}

}  // namespace
}  // namespace es::test
