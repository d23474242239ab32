// SPDX-License-Identifier: GPL-3.0-or-later
// Runs and samples that lack something: each opens in Inspect and every page shows what can still be seen, or says why there is nothing.
#include <gtest/gtest.h>

#include <QListView>
#include <fstream>

#include "engine/store/run_writer.h"
#include "tests/views/inspect_fixture.h"
#include "views/inspect/sample_list_model.h"

namespace es::views {
namespace {

namespace fs = std::filesystem;
using test::InspectBench;

/// What an odd run has.
struct Odd {
    std::vector<std::int32_t> experts = {8, 8, 8, 8};  ///< of routers 1.v, 1.t, 2.v, 2.t
    std::vector<std::int64_t> probes = {0, 60};
    bool trace = true, checkpoint = true, evaluation = true, finish = true;
    std::vector<store::SampleRecord> samples = {};  ///< empty: twelve plain ones
};

store::RoutingTable tableOf(const store::RouterInfo& router, std::int64_t step, const std::vector<store::SampleRecord>& samples, bool probs) {
    std::vector<es::test::PlantedToken> tokens;
    const bool vision = router.branch == Branch::kVision;
    for (const store::SampleRecord& sample : samples) {
        const auto count = vision ? sample.grid_width * sample.grid_height : static_cast<std::int32_t>(sample.token_ids.size());
        for (std::int32_t i = 0; i < count; ++i)
            tokens.push_back({sample.hash, static_cast<std::uint16_t>(i), vision ? Modality::kVision : Modality::kText,
                              vision ? Objective::kPairImage : Objective::kPairText, vision ? -1 : sample.token_ids[static_cast<std::size_t>(i)], false,
                              i % 5});
    }
    RandomStream random(3, RandomPurpose::kSynthetic, static_cast<std::uint64_t>(step), static_cast<std::uint32_t>(router.id.value));
    return es::test::routeTokens(router, step, tokens, 3, -1, probs, random);
}

/// Writes the run; the writer is handed back where the run is to be left open.
std::unique_ptr<store::RunWriter> writeOdd(const fs::path& folder, const Odd& odd) {
    es::test::SyntheticRunOptions options;
    options.steps = 60;
    std::vector<store::SampleRecord> samples = odd.samples;
    if (samples.empty())
        for (std::int64_t i = 0; i < 12; ++i) samples.push_back(es::test::syntheticSample(i, options));
    std::vector<store::RouterInfo> routers;
    for (std::size_t i = 0; i < odd.experts.size(); ++i) {
        routers.push_back(es::test::syntheticRouter(static_cast<std::int32_t>(i), options));
        routers.back().experts = odd.experts[i];
    }
    store::Provenance provenance;
    provenance.run_uuid = "22222222-0000-4000-8000-" + std::string(12, '0');
    provenance.created_s = 1.75e9;
    auto writer = store::RunWriter::create(folder, es::test::syntheticConfig(options), provenance, routers);
    EXPECT_TRUE(writer) << writer.error().message();
    const auto must = [](const Status& status) { EXPECT_TRUE(status) << status.error().message(); };
    must((*writer)->samples(samples));
    for (std::int64_t step = 10; step <= 60; step += 10) {
        must((*writer)->scalars(step, {{"train/loss", 8.0 - static_cast<double>(step) / 20}}));
        std::vector<store::TraceUnit> units;
        std::vector<store::LoadRecord> loads;
        for (const store::RouterInfo& router : routers) {
            units.push_back(tableOf(router, step, samples, false));
            store::LoadRecord load;
            load.step = step;
            load.router = router.id;
            load.modality = router.branch == Branch::kVision ? Modality::kVision : Modality::kText;
            load.tokens = units.back().tokens;
            load.counts_E.assign(static_cast<std::size_t>(router.experts), 3);
            load.mass_E.assign(static_cast<std::size_t>(router.experts), 3);
            loads.push_back(load);
        }
        must((*writer)->load(loads));
        if (odd.trace) must((*writer)->trace(step, std::move(units)));
    }
    for (const std::int64_t step : odd.probes) {
        store::Probe probe{{step, "trained"}, {}};
        for (const store::RouterInfo& router : routers) probe.tables.push_back(tableOf(router, step, samples, true));
        must((*writer)->probe(std::move(probe)));
    }
    if (odd.evaluation) {
        store::Evaluation evaluation{60, Split::kValidation, {}};
        for (const store::SampleRecord& sample : samples) evaluation.rows.push_back({sample.hash, Objective::kPairText, 0, 2.5, 4, 2, 0.5, ""});
        must((*writer)->evaluation(std::move(evaluation)));
    }
    if (odd.checkpoint) must((*writer)->checkpoint({60, 0, 2.5, "checkpoints/step-000000060", true}));
    must((*writer)->flush());
    if (!odd.finish) return std::move(*writer);
    must((*writer)->finish(true, "The run finished."));
    return nullptr;
}

const QStringList kStates{QStringLiteral("empty"), QStringLiteral("ready"), QStringLiteral("partial"), QStringLiteral("failed")};

/// Shows every page and looks at every panel: nothing keeps loading, nothing is blank without a word. Returns states by "page/panel".
std::map<QString, QString> lookAtEveryPage(InspectBench& bench) {
    std::map<QString, QString> states;
    for (const char* key : {"sample", "expert", "structure", "sheet", "causal"}) {
        if (!bench.workspace->showPage(QString::fromLatin1(key))) continue;
        bench.settle();
        EXPECT_FALSE(bench.workspace->grab().isNull());
        for (const auto& value : bench.workspace->dump().value(QStringLiteral("panels")).toArray()) {
            const QJsonObject panel = value.toObject();
            const QString name = panel.value(QStringLiteral("name")).toString(), state = panel.value(QStringLiteral("state")).toString();
            states[QString::fromLatin1(key) + QLatin1Char('/') + name] = state;
        }
        for (PanelFrame* frame : bench.workspace->findChildren<PanelFrame*>()) {
            if (!frame->isVisible()) continue;
            EXPECT_TRUE(kStates.contains(frame->stateName())) << key << ", " << frame->title().toStdString() << ": " << frame->stateName().toStdString();
            if (frame->state() == PanelFrame::State::kEmpty || frame->state() == PanelFrame::State::kFailed) {
                EXPECT_FALSE(frame->stateWords().isEmpty()) << key << ", " << frame->title().toStdString();
            }
        }
    }
    EXPECT_TRUE(states.contains(QStringLiteral("expert/samples"))) << "no expert page";
    EXPECT_TRUE(states.contains(QStringLiteral("structure/samples"))) << "no structure page";
    EXPECT_TRUE(states.contains(QStringLiteral("sheet/samples"))) << "no contact sheet";
    return states;
}
QString stateOf(const std::map<QString, QString>& states, const char* name) {
    const auto found = states.find(QString::fromLatin1(name));
    return found == states.end() ? QStringLiteral("not there") : found->second;
}

class BadInput : public testing::Test {
protected:
    es::test::ScratchFolder scratch_;
};

TEST_F(BadInput, ARunWithoutProbeShowsItsSamplesAndTheirTrace) {
    (void)writeOdd(scratch_ / "run", {.probes = {}});
    InspectBench bench(scratch_ / "run");
    const auto states = lookAtEveryPage(bench);
    EXPECT_EQ(stateOf(states, "sample/samples"), QStringLiteral("ready"));
    EXPECT_EQ(bench.find<QListView>("sampleList")->model()->rowCount(), 12);
    EXPECT_NE(stateOf(states, "sample/overlay"), QStringLiteral("failed"));
}

TEST_F(BadInput, ARunWithNeitherProbeNorTraceStillShowsItsSamples) {
    (void)writeOdd(scratch_ / "run", {.probes = {}, .trace = false, .checkpoint = false, .evaluation = false});
    InspectBench bench(scratch_ / "run");
    const auto states = lookAtEveryPage(bench);
    EXPECT_EQ(stateOf(states, "sample/samples"), QStringLiteral("ready"));
}

TEST_F(BadInput, OneCheckpointIsEnough) {
    (void)writeOdd(scratch_ / "run", {.probes = {60}});
    InspectBench bench(scratch_ / "run");
    const auto states = lookAtEveryPage(bench);
    EXPECT_EQ(stateOf(states, "sample/overlay"), QStringLiteral("ready"));
    EXPECT_NE(stateOf(states, "sample/scrubber"), QStringLiteral("failed"));
    EXPECT_EQ(bench.workspace->model()->steps(), std::vector<std::int64_t>{60});
}

TEST_F(BadInput, LayersMayHaveDifferentNumbersOfExperts) {
    (void)writeOdd(scratch_ / "run", {.experts = {4, 8, 16, 2}});
    InspectBench bench(scratch_ / "run");
    bench.workspace->model()->chooseRouter(RouterId(2), ExpertIndex(15));
    bench.settle();
    for (const auto& [panel, state] : lookAtEveryPage(bench)) EXPECT_NE(state, QStringLiteral("failed")) << panel.toStdString();
    // Expert 15 is not in the other routers: choosing one of them lets go of it instead of failing.
    bench.workspace->model()->chooseRouter(RouterId(3));
    bench.settle();
    for (const auto& [panel, state] : lookAtEveryPage(bench)) EXPECT_NE(state, QStringLiteral("failed")) << panel.toStdString();
}

TEST_F(BadInput, DenseRunsSayThatNothingIsRouted) {
    es::test::SyntheticRunOptions options;
    options.steps = 60;
    options.samples = 12;
    options.ffn = "dense";
    ASSERT_TRUE(es::test::writeSyntheticRun(scratch_ / "run", options));
    InspectBench bench(scratch_ / "run");
    const auto states = lookAtEveryPage(bench);
    EXPECT_EQ(stateOf(states, "sample/samples"), QStringLiteral("ready"));
    for (const auto& [panel, state] : states) EXPECT_NE(state, QStringLiteral("failed")) << panel.toStdString();
}

TEST_F(BadInput, ARunThatIsStillWrittenGrowsOnScreen) {
    auto writer = writeOdd(scratch_ / "run", {.probes = {60}, .finish = false});
    ASSERT_NE(writer, nullptr);
    InspectBench bench(scratch_ / "run");
    const auto states = lookAtEveryPage(bench);
    EXPECT_EQ(stateOf(states, "sample/overlay"), QStringLiteral("ready"));
    EXPECT_TRUE(bench.workspace->model()->training());
    ASSERT_TRUE(writer->finish(true, "The run finished."));
}

TEST_F(BadInput, ADamagedSegmentOrProbeCostsItselfAlone) {
    (void)writeOdd(scratch_ / "run", {});
    for (const auto& file : fs::directory_iterator(scratch_ / "run" / "routing")) {
        const std::string name = file.path().filename().string();
        // The trace, and the probe of step 0.
        if (name.starts_with("trace-") || name.find("000000000") != std::string::npos) std::ofstream(file.path(), std::ios::trunc) << "damaged";
    }
    InspectBench bench(scratch_ / "run");
    const auto states = lookAtEveryPage(bench);
    EXPECT_EQ(stateOf(states, "sample/overlay"), QStringLiteral("ready")) << "the newest probe is whole";
    bench.workspace->model()->chooseStep(0);
    bench.settle();
    const auto damaged = lookAtEveryPage(bench);
    EXPECT_EQ(stateOf(damaged, "sample/samples"), QStringLiteral("ready"));
}

TEST_F(BadInput, SamplesMayLackACaptionOrAPicture) {
    es::test::SyntheticRunOptions options;
    Odd odd;
    odd.samples.push_back(es::test::syntheticSample(0, options));
    store::SampleRecord wordless = es::test::syntheticSample(1, options);
    wordless.caption.clear();
    wordless.token_ids.clear();
    wordless.token_texts.clear();
    store::SampleRecord pictureless = es::test::syntheticSample(2, options);
    pictureless.picture = {};
    pictureless.grid_width = pictureless.grid_height = 0;
    store::SampleRecord strange = es::test::syntheticSample(3, options);
    strange.caption = "שלום 🦊\u202E " + std::string(3000, 'x');
    strange.category.clear();
    odd.samples.push_back(wordless);
    odd.samples.push_back(pictureless);
    odd.samples.push_back(strange);
    (void)writeOdd(scratch_ / "run", odd);
    InspectBench bench(scratch_ / "run");
    for (const store::SampleRecord& sample : odd.samples) {
        bench.workspace->model()->chooseSample(sample.hash);
        bench.settle();
        const auto states = lookAtEveryPage(bench);
        EXPECT_EQ(stateOf(states, "sample/overlay"), QStringLiteral("ready")) << sample.caption.substr(0, 20);
        for (const auto& [panel, state] : states) EXPECT_NE(state, QStringLiteral("failed")) << panel.toStdString() << " of " << sample.caption.substr(0, 20);
    }
    auto* list = bench.find<QListView>("sampleList")->model();
    QStringList captions;
    for (int row = 0; row < list->rowCount(); ++row) captions << list->index(row, 0).data().toString();
    EXPECT_TRUE(captions.contains(QStringLiteral("(no caption)")));
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
