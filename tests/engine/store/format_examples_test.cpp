// SPDX-License-Identifier: GPL-3.0-or-later
// Runs the Python examples of FORMAT.md on a real run and compares what they print with what the reader says.
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/base/files.h"
#include "engine/store/annotations.h"
#include "store_fixture.h"
#include "support/python.h"
#include "support/synthetic_run.h"

namespace es::store {
namespace {

using test::must;
namespace fs = std::filesystem;

/// The fenced Python blocks, by the first words of their first line.
std::map<std::string, std::string> examples() {
    std::map<std::string, std::string> blocks;
    std::istringstream text(must(readFile(fs::path(ES_SOURCE_DIR) / "engine/store/FORMAT.md")));
    std::string line, block, name;
    bool inside = false;
    while (std::getline(text, line)) {
        if (line == "```python") {
            inside = true;
            block.clear();
            continue;
        }
        if (inside && line == "```") {
            name = block.substr(2, block.find_first_of(" \n", block.find(' ', 2) + 1) - 2);
            blocks[name] = block;
            inside = false;
        }
        if (inside) block += line + "\n";
    }
    return blocks;
}

class FormatExamples : public test::StoreTest {
protected:
    nlohmann::json result(const std::string& name, const fs::path& folder) {
        const auto blocks = examples();
        EXPECT_EQ(blocks.size(), 6u);
        const auto block = blocks.find(name);
        if (block == blocks.end()) {
            ADD_FAILURE() << "FORMAT.md has no example that starts with '" << name << "'";
            return {};
        }
        const auto [code, output] = test::runPython(scratch_.path(), block->second, "'" + folder.string() + "'");
        EXPECT_EQ(code, 0) << output;
        const auto json = nlohmann::json::parse(output, nullptr, false);
        EXPECT_FALSE(json.is_discarded()) << output;
        return json;
    }
    static bool have(const std::string& module) { return test::runShell(test::python() + " -c 'import " + module + "'").first == 0; }

    /// Two attempts, all layouts, a finished segment and one that is open.
    std::unique_ptr<RunWriter> makeRun() {
        routers_ = {test::routerInfo(0, 8, 2), test::routerInfo(1, 5, 0, RoutingLayout::kRagged), test::routerInfo(2, 6, 0, RoutingLayout::kDenseMass)};
        RunWriterOptions options;
        options.segment_bytes = 20000;
        auto writer = must(RunWriter::create(folder_, {}, {}, routers_, options));
        fill(*writer, 1, 30);
        must(writer->flush());
        writer.reset();
        writer = must(RunWriter::resume(folder_, 31, {}, options));
        fill(*writer, 31, 40);
        must(writer->evaluation(test::evaluation(40)));
        must(writer->flush());
        return writer;
    }
    void fill(RunWriter& writer, std::int64_t first, std::int64_t last) {
        for (std::int64_t step = first; step <= last; ++step) {
            must(writer.scalars(step, {{"train/loss", 100.0 / static_cast<double>(step)}, {"learning_rate", 1e-3}}));
            must(writer.load({test::loadRecord(step, 0), test::loadRecord(step, 1)}));
            must(writer.samples({test::sampleRecord(static_cast<std::uint64_t>(step))}));
            std::vector<TraceUnit> units;
            for (const RouterInfo& router : routers_) units.push_back(test::randomTable(router, step, 90, 4, false));
            must(writer.trace(step, units));
        }
        must(writer.probe({{last, "trained"}, {test::randomTable(routers_[0], last, 90, 4), test::randomTable(routers_[1], last, 90, 4)}}));
    }
    fs::path folder_ = scratch_ / "run ä";
    std::vector<RouterInfo> routers_;
};

TEST_F(FormatExamples, JournalInPlainPython) {
    if (!have("json")) GTEST_SKIP() << "no Python at " << test::python() << ": set EXPERTSCOPE_PYTHON or run './run test --python'";
    const auto writer = makeRun();
    const auto json = result("A journal", folder_);
    const auto reader = must(RunReader::open(folder_));
    EXPECT_EQ(json.at("points"), 40);
    EXPECT_EQ(json.at("last_loss"), must(reader->scalars("train/loss")).value.back());
    EXPECT_EQ(json.at("events"), (std::vector<std::string>{"run_started", "run_resumed"}));
    std::uint64_t assignments = 0;
    for (const std::int32_t router : {0, 1})
        for (const LoadRecord& record : must(reader->loadRecords(RouterId(router))))
            for (const std::uint32_t count : record.counts_E) assignments += count;
    EXPECT_EQ(json.at("assignments"), assignments);
}

TEST_F(FormatExamples, RoutingSamplesAndEvaluationsWithH5py) {
    if (!have("h5py")) GTEST_SKIP() << "no h5py at " << test::python() << ": set EXPERTSCOPE_PYTHON or run './run test --python'";
    const auto writer = makeRun();  // still open: the newest segment and the samples are in SWMR mode
    const auto reader = must(RunReader::open(folder_));
    const auto routing = result("Routing with", folder_);
    std::int64_t tokens = 0, experts = 0;
    double gates = 0, probability = 0;
    for (const RouterInfo& router : routers_) {
        const RoutingTable table = must(reader->trace({router.id, 0, -1, {}, -1}));
        tokens += table.tokens;
        for (const std::uint16_t expert : table.expert_ids) experts += expert;
        for (const float gate : table.gates) gates += gate;
    }
    for (const ProbeKey& key : reader->probes())
        for (const std::int32_t router : {0, 1})
            for (const float p : must(reader->probe(key, RouterId(router))).probs_TE) probability += p;
    EXPECT_EQ(routing.at("tokens"), tokens);
    EXPECT_EQ(tokens, 3 * 40 * 90);
    EXPECT_EQ(routing.at("expert_sum"), experts);
    EXPECT_NEAR(routing.at("gate_sum").get<double>(), gates, 1e-3 * gates);
    EXPECT_NEAR(routing.at("probability").get<double>(), probability, 1e-3 * probability);
    EXPECT_EQ(routing.at("probes"), (nlohmann::json{{"30 trained", 2}, {"40 trained", 2}}));

    const auto samples = result("Samples with", folder_);
    std::uint64_t pixels = 0;
    std::vector<std::string> captions;
    for (const SampleRecord& sample : must(reader->sampleList())) {
        captions.push_back(sample.caption);
        for (const std::uint8_t value : must(reader->sample(sample.hash)).picture.rgba) pixels += value;
    }
    std::sort(captions.begin(), captions.end());
    EXPECT_EQ(samples.at("samples"), 40);
    EXPECT_EQ(samples.at("captions"), captions);
    EXPECT_EQ(samples.at("pixels"), pixels);

    const auto means = result("Mean losses", folder_);
    double sum = 0;
    int rows = 0;
    for (const EvaluationRow& row : must(reader->evaluation(40)).rows)
        if (row.variant.empty()) {
            sum += row.loss;
            ++rows;
        }
    EXPECT_NEAR(means.at("40").get<double>(), sum / rows, 1e-12);
}

TEST_F(FormatExamples, IndexWithSqlite) {
    if (!have("sqlite3")) GTEST_SKIP() << "no Python with sqlite3 at " << test::python() << ": set EXPERTSCOPE_PYTHON or run './run test --python'";
    must(test::writeSyntheticRun(folder_));
    const auto reader = must(RunReader::open(folder_));  // keeps the index open meanwhile
    const auto json = result("A curve", folder_);
    const auto loss = must(reader->scalars("train/loss"));
    EXPECT_EQ(json.at("points"), loss.points);
    EXPECT_EQ(json.at("last_loss"), loss.value.back());
    EXPECT_EQ(json.at("low"), *std::min_element(loss.low.begin(), loss.low.end()));
    EXPECT_EQ(json.at("high"), *std::max_element(loss.high.begin(), loss.high.end()));
    EXPECT_EQ(json.at("events").size(), reader->events().size());
    // The examples for HDF5 and the journal hold for such a run too.
    if (have("h5py")) {
        EXPECT_EQ(result("Samples with", folder_).at("samples"), 64);
        EXPECT_EQ(result("Routing with", folder_).at("probes").size(), 12u);
    }
    EXPECT_EQ(result("A journal", folder_).at("points"), 600);
}

TEST_F(FormatExamples, AnnotationsWithSqlite) {
    if (!have("sqlite3")) GTEST_SKIP() << "no Python with sqlite3 at " << test::python() << ": set EXPERTSCOPE_PYTHON or run './run test --python'";
    fs::create_directories(folder_);
    EXPECT_EQ(result("Kept results", folder_), nlohmann::json::array());
    KeptResult kept;
    kept.interventions = {"ban 1.v:3", "force 1.t:0"};
    kept.rows = {{1, Objective::kPairText, -1, 3, 1.0, 1.5}, {0xFFFFFFFFFFFFFFFFu, Objective::kImage, 1, 2, 0.5, 0.25}};
    must(Annotations(folder_).keepResult(kept));
    kept.sample = 7;
    must(Annotations(folder_).keepResult(kept));
    EXPECT_EQ(result("Kept results", folder_), nlohmann::json::array({{{"recipe", {"ban 1.v:3", "force 1.t:0"}}, {"before", 0.75}, {"after", 0.875}}}));
}

}  // namespace
}  // namespace es::store
