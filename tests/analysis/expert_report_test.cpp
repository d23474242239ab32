// SPDX-License-Identifier: GPL-3.0-or-later
// What `analyze --expert` prints, on a run in memory.
#include "analysis/report/expert_report.h"

#include <gtest/gtest.h>

#include <sstream>

#include "analysis/memory_run.h"
#include "support/planted_routing.h"

namespace es::analysis {
namespace {

/// One router of four experts over 40 pictures of four categories; half of the patches follow their category.
test::MemoryRun pictures() {
    test::MemoryRun run;
    auto plan = test::planted({.labels = 4, .experts = 4, .per_label = 400, .samples_per_label = 10, .follow = 0.5});
    plan.table.step = 300;
    run.configuration.run.name = "planted";
    run.router_table = {plan.table.router};
    run.probe_tables[{300, "trained"}][0] = plan.table;
    for (std::uint64_t s = 1; s <= 40; ++s) {
        store::SampleRecord sample;
        sample.hash = s;
        sample.dataset = "drawn";
        sample.license = "CC0-1.0";
        sample.source = "here, and \"there\"";
        sample.caption = "number " + std::to_string(s);
        sample.category = "category " + std::to_string((s - 1) / 10);
        run.samples.push_back(std::move(sample));
    }
    for (std::int64_t step = 1; step <= 300; ++step) {
        store::LoadRecord load;
        load.step = step;
        load.router = RouterId(0);
        load.counts_E = {1, 1, 1, 1};
        run.addLoad(load);
    }
    run.state.step = 300;
    return run;
}

ExpertReport reportOf(const store::RunReader& run, ExpertReportRequest request) {
    auto report = expertReport(run, request);
    EXPECT_TRUE(report) << report.error().message();
    return std::move(*report);
}

TEST(ExpertReport, HoldsEveryPart) {
    const test::MemoryRun run = pictures();
    const ExpertReport report = reportOf(run, {.expert = "1.v:2"});
    EXPECT_EQ(report.tokens.query.step, 300);
    const std::string json = toJson(report), text = toText(report), csv = toCsv(report);
    for (const char* part : {"\"gallery\"", "\"modality\"", "\"categories\"", "\"partners\"", "\"load\"", "\"credits\"", "\"base_rate\"", "\"npmi_low\""})
        EXPECT_NE(json.find(part), std::string::npos) << part;
    EXPECT_NE(json.find("\"step\": 300"), std::string::npos);
    EXPECT_NE(json.find("category 2"), std::string::npos);
    EXPECT_NE(text.find("Bonferroni over 4 labels"), std::string::npos);
    EXPECT_NE(text.find("credit: drawn · CC0-1.0"), std::string::npos) << "the credits go along";
    EXPECT_NE(text.find("category 2  0.625"), std::string::npos) << text;
    EXPECT_NE(csv.find("gallery,"), std::string::npos);
    EXPECT_NE(csv.find("\"CC0-1.0 · here, and \"\"there\"\"\""), std::string::npos) << "quoted as RFC 4180 asks";
    std::istringstream lines(csv);
    std::string line;
    std::getline(lines, line);
    EXPECT_EQ(line, "part,label,name,value,low,high,n,note");
    bool found = false;
    while (std::getline(lines, line)) found = found || line.find("category of vision: category 2,share,0.625,") != std::string::npos;
    EXPECT_TRUE(found);
}

TEST(ExpertReport, PartsCanBeChosen) {
    const test::MemoryRun run = pictures();
    const ExpertReport report = reportOf(run, {.expert = "1.v:2", .parts = {"categories"}});
    EXPECT_EQ(toJson(report).find("\"gallery\""), std::string::npos);
    EXPECT_EQ(toCsv(report).find("gallery,"), std::string::npos);
    EXPECT_NE(toText(report).find("category 2"), std::string::npos);
    const auto wrong = expertReport(run, {.expert = "1.v:2", .parts = {"categorys"}});
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().remedy.find("categories"), std::string::npos) << "the nearest is named";
}

TEST(ExpertReport, TheSameRequestPrintsTheSameBytes) {
    const test::MemoryRun run = pictures();
    const ExpertReportRequest request{.expert = "1.v:2"};
    EXPECT_EQ(toJson(reportOf(run, request)), toJson(reportOf(run, request)));
    ExpertReportRequest other = request;
    other.gallery.seed = 9;
    EXPECT_NE(toJson(reportOf(run, request)), toJson(reportOf(run, other)));
}

TEST(ExpertReport, SaysWhatIsWrongWithAName) {
    test::MemoryRun run = pictures();
    for (const char* name : {"", "3", "1.v", "1.v:", "1.v:x", "1.v:-1", "1.v:3 "})
        EXPECT_EQ(expertReport(run, {.expert = name}).error().kind, ErrorKind::kWrongCall) << name;
    EXPECT_FALSE(expertReport(run, {.expert = "7.t:0"})) << "no such router";
    const auto beyond = expertReport(run, {.expert = "1.v:4"});
    ASSERT_FALSE(beyond);
    EXPECT_EQ(beyond.error().remedy, "Its experts are 0 to 3");
    EXPECT_FALSE(expertReport(run, {.expert = "1.v:2", .checkpoint = 7})) << "no probe of that step";
    run.probe_tables.clear();
    EXPECT_FALSE(expertReport(run, {.expert = "1.v:2"})) << "no probe at all";
    run.router_table.clear();
    EXPECT_FALSE(expertReport(run, {.expert = "1.v:2"})) << "a dense run";
}

TEST(ExpertReport, ADamagedProbeIsAnError) {
    test::MemoryRun run = pictures();
    run.probe_tables[{300, "trained"}][0].expert_ids.pop_back();
    const auto report = expertReport(run, {.expert = "1.v:2"});
    ASSERT_FALSE(report);
    EXPECT_NE(report.error().why.find("damaged"), std::string::npos);
}

}  // namespace
}  // namespace es::analysis
