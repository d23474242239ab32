// SPDX-License-Identifier: GPL-3.0-or-later
// A figure as the command line makes it: the same bytes from two processes in different surroundings, fonts embedded, text that is text.
#include <gtest/gtest.h>

#include <cstdlib>

#include "engine/base/files.h"
#include "program/program.h"
#include "support/python.h"
#include "support/scratch_folder.h"
#include "support/synthetic_run.h"

namespace es::test {
namespace {

namespace fs = std::filesystem;

TEST(FigureCommand, EveryProcessWritesTheSameBytes) {
    const ScratchFolder scratch;
    ASSERT_TRUE(writeSyntheticRun(scratch / "runs" / "made", {}));
    const fs::path recipe = scratch / "figure.json";
    const Outcome made = runProgram({"figure", "new", "two panels", (scratch / "runs" / "made").string(), "--out", recipe.string()}, scratch.path());
    ASSERT_EQ(made.exit_code, 0) << made.err;
    for (const char* place : {"a", "b", "c", "d"}) {
        // Neither the time of day, the zone, the language nor the user's settings may show.
        setenv("TZ", *place == 'a' ? "UTC" : "Asia/Tokyo", 1);
        setenv("LANG", *place == 'a' ? "C" : "de_DE.UTF-8", 1);
        setenv("XDG_CONFIG_HOME", (scratch / place / "config").c_str(), 1);
        const Outcome drawn =
            runProgram({"figure", "render", recipe.string(), "--out", (scratch / place).string(), "--format", "pdf,svg,png,csv"}, scratch.path());
        ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
    }
    int files = 0;
    for (const auto& entry : fs::directory_iterator(scratch / "a")) {
        if (!entry.is_regular_file()) continue;
        for (const char* place : {"b", "c", "d"}) {  // Qt's hash tables have another order in each process
            const auto other = scratch / place / entry.path().filename();
            ASSERT_TRUE(fs::exists(other)) << other;
            EXPECT_TRUE(readFile(entry.path()).value_or("a") == readFile(other).value_or("b")) << entry.path().filename();
        }
        ++files;
    }
    EXPECT_GE(files, 4);

    fs::path pdf;
    for (const auto& entry : fs::directory_iterator(scratch / "a"))
        if (entry.path().extension() == ".pdf") pdf = entry.path();
    ASSERT_FALSE(pdf.empty());
    const auto [fonts_code, fonts] = runShell("pdffonts '" + pdf.string() + "'");
    ASSERT_EQ(fonts_code, 0) << fonts;
    EXPECT_EQ(fonts.find("Type 3"), std::string::npos) << fonts;
    EXPECT_NE(fonts.find("Identity-H       yes yes yes"), std::string::npos) << fonts;  // embedded, a subset, with Unicode
    EXPECT_EQ(fonts.find("Identity-H       no"), std::string::npos) << fonts;
    const auto [text_code, text] = runShell("pdftotext -raw '" + pdf.string() + "' -");
    ASSERT_EQ(text_code, 0) << text;
    EXPECT_NE(text.find("step"), std::string::npos) << text;
}

}  // namespace
}  // namespace es::test
