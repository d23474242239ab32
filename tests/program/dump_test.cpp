// SPDX-License-Identifier: GPL-3.0-or-later
// What the window shows is what the store holds: the panels' data of --dump against queries of the run.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/store/routing_view.h"
#include "engine/store/run_reader.h"
#include "program/program.h"
#include "support/scratch_folder.h"
#include "support/synthetic_run.h"

namespace es::test {
namespace {

using nlohmann::json;

class Dump : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(writeSyntheticRun(scratch_ / "runs" / "made", {}));
        auto reader = store::RunReader::open(scratch_ / "runs" / "made");
        ASSERT_TRUE(reader) << reader.error().message();
        reader_ = *reader;
    }
    json dump(const std::string& workspace) {
        const auto file = scratch_ / (workspace + ".json");
        const Outcome outcome =
            runProgram({"open", (scratch_ / "runs").string(), "--workspace", workspace, "--size", "1280x800", "--dump", file.string()}, scratch_.path());
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        return json::parse(readFile(file).value_or("{}"));
    }
    static json panel(const json& document, const std::string& name) {
        for (const json& one : document.at("panels"))
            if (one.at("name") == name) return one;
        ADD_FAILURE() << "no panel " << name << " in " << document.dump().substr(0, 400);
        return {};
    }
    ScratchFolder scratch_;
    std::shared_ptr<store::RunReader> reader_;
};

TEST_F(Dump, TheLossCurveIsTheRecordedOne) {
    const json data = panel(dump("train"), "loss").at("data");
    const json curve = data.at("curves").at(0);
    const auto series = reader_->scalars("train/loss");
    ASSERT_TRUE(series);
    // The raw line below the smoothed one: every point shown must be a recorded one.
    const json& x = curve.contains("raw_x") && !curve.at("raw_x").empty() ? curve.at("raw_x") : curve.at("x");
    const json& y = curve.contains("raw_y") && !curve.at("raw_y").empty() ? curve.at("raw_y") : curve.at("y");
    ASSERT_GT(x.size(), 10u);
    std::size_t compared = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const auto at = std::find(series->step.begin(), series->step.end(), x[i].get<double>());
        if (at == series->step.end() || y[i].is_null()) continue;
        const auto index = static_cast<std::size_t>(at - series->step.begin());
        EXPECT_NEAR(y[i].get<double>(), series->value[index], 1e-9 + 1e-6 * std::abs(series->value[index])) << "step " << x[i];
        ++compared;
    }
    EXPECT_GT(compared, 10u);
}

TEST_F(Dump, TheOverlayShowsTheProbesExperts) {
    const json document = dump("inspect");
    const std::uint64_t sample = std::stoull(panel(document, "samples").at("data").at("selected").get<std::string>(), nullptr, 16);
    const json data = panel(document, "overlay").at("data");
    const auto probes = reader_->probes();
    ASSERT_FALSE(probes.empty());
    store::ProbeKey newest{-1, "trained"};
    for (const auto& key : probes)
        if (key.variant == "trained" && key.step > newest.step) newest = key;
    std::size_t compared = 0;
    for (const auto& router : reader_->routers()) {
        if (router.branch != Branch::kVision || router.layer.value != reader_->routers().front().layer.value) continue;
        const auto table = reader_->probe(newest, router.id);
        ASSERT_TRUE(table);
        const store::RoutingView view(*table);
        for (std::int64_t token = 0; token < table->tokens; ++token) {
            const auto at = static_cast<std::size_t>(token);
            if (table->sample_T[at] != sample) continue;
            const json& cell = data.at("patches").at(table->position_T[at]);
            EXPECT_EQ(cell.at("expert").get<int>(), view.firstChoice(token).value) << "patch " << table->position_T[at];
            ++compared;
        }
    }
    EXPECT_GT(compared, 0u);
}

TEST_F(Dump, ShowsTheStateThatIsAskedFor) {
    const auto file = scratch_ / "asked.json", settings = scratch_ / "settings.json";
    const std::string kept = R"({"workspace.inspect": {"opacity": 0.9, "mode": "weight"}, "window": {"theme": 2}})";
    ASSERT_TRUE(writeFileAtomically(settings, kept));
    const auto probed = reader_->probeSamples();
    ASSERT_TRUE(probed);
    const Outcome outcome = runProgram({"open", (scratch_ / "runs" / "made").string(), "--layer", "2.v", "--expert", "3", "--sample", "4", "--token",
                                        "patch 0,1", "--step", "600", "--mode", "one-expert", "--settings", settings.string(), "--dump", file.string()},
                                       scratch_.path());
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const json document = json::parse(readFile(file).value_or("{}"));
    EXPECT_EQ(document.at("workspace"), "inspect");
    const json selection = document.at("selection");
    EXPECT_EQ(selection.at("router"), 2);
    EXPECT_EQ(selection.at("expert"), 3);
    EXPECT_EQ(selection.at("token"), 1);
    EXPECT_EQ(std::stoull(selection.at("sample").get<std::string>(), nullptr, 16), probed->at(3));
    const json overlay = panel(document, "overlay").at("data");
    EXPECT_EQ(overlay.at("mode"), "probability") << "an option wins over the file";
    EXPECT_EQ(overlay.at("layer"), 2);
    EXPECT_EQ(std::stoull(overlay.at("sample").get<std::string>(), nullptr, 16), probed->at(3));
    EXPECT_EQ(readFile(settings).value_or(""), kept) << "the file is read, never written";
}

TEST_F(Dump, RefusesAStateThatIsNotThere) {
    const auto call = [&](const std::vector<std::string>& more) {
        std::vector<std::string> words{"open", (scratch_ / "runs" / "made").string(), "--dump", (scratch_ / "no.json").string()};
        words.insert(words.end(), more.begin(), more.end());
        return runProgram(words, scratch_.path());
    };
    const Outcome expert = call({"--expert", "12"});
    EXPECT_EQ(expert.exit_code, 3);
    EXPECT_NE(expert.err.find("0 to 7"), std::string::npos) << expert.err;
    const Outcome missing = call({"--settings", (scratch_ / "none.json").string()});
    EXPECT_EQ(missing.exit_code, 3) << missing.err;
    ASSERT_TRUE(writeFileAtomically(scratch_ / "broken.json", "{"));
    const Outcome broken = call({"--settings", (scratch_ / "broken.json").string()});
    EXPECT_EQ(broken.exit_code, 3) << broken.err;
    EXPECT_EQ(readFile(scratch_ / "broken.json").value_or(""), "{") << "left as it is";
}

}  // namespace
}  // namespace es::test
