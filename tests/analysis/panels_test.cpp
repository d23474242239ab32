// SPDX-License-Identifier: GPL-3.0-or-later
// Panels of a whole recorded run (made up, but written and read through the store), checked against queries of the store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "analysis/figures/figure_recipe.h"
#include "analysis/figures/inspect_panels.h"
#include "analysis/figures/series.h"
#include "analysis/figures/train_panels.h"
#include "analysis/query/query_index.h"
#include "analysis/report/analyze.h"
#include "engine/base/hash.h"
#include "support/scratch_folder.h"
#include "support/synthetic_run.h"

namespace es::analysis {
namespace {

using testing::HasSubstr;

class Panels : public testing::Test {
protected:
    static void SetUpTestSuite() {
        scratch_ = new test::ScratchFolder;
        const auto write = [](const char* name, const test::SyntheticRunOptions& options) {
            const auto written = test::writeSyntheticRun(*scratch_ / name, options);
            ASSERT_TRUE(written.has_value()) << written.error().message();
        };
        write("sparse", {.name = "sparse", .steps = 240, .samples = 12, .spikes = {200}, .dead_expert = 6});
        write("dense", {.name = "dense", .ffn = "dense", .steps = 240, .samples = 12, .spikes = {}});
        auto sparse = store::RunReader::open(*scratch_ / "sparse");
        ASSERT_TRUE(sparse.has_value()) << sparse.error().message();
        sparse_ = *sparse;
        dense_ = *store::RunReader::open(*scratch_ / "dense");
    }
    static void TearDownTestSuite() {
        sparse_.reset();
        dense_.reset();
        delete scratch_;
    }
    static inline test::ScratchFolder* scratch_ = nullptr;
    static inline std::shared_ptr<store::RunReader> sparse_, dense_;
    static std::vector<RunSource> both() { return {{sparse_, "", 0}, {dense_, "", 1}}; }
};

TEST_F(Panels, LossCurvesHoldEveryRecordedValue) {
    const auto panel = lossCurves(both(), {});
    ASSERT_TRUE(panel.has_value()) << panel.error().message();
    const auto& lines = std::get<LinePanel>(panel->content);
    ASSERT_EQ(lines.curves.size(), 4u) << "a line and held-out points for each run";
    const auto stored = *sparse_->scalars("train/loss");
    EXPECT_EQ(lines.curves[0].x, stored.step);
    EXPECT_EQ(lines.curves[0].y, stored.value);
    EXPECT_EQ(lines.curves[0].label, "sparse · seed 1");
    EXPECT_TRUE(lines.curves[1].points);
    EXPECT_EQ(lines.curves[1].y, sparse_->scalars("eval/loss/total")->value);
    EXPECT_TRUE(panel->notes.empty()) << panel->notes.front();
}

TEST_F(Panels, SmoothingKeepsTheRawLine) {
    CurveOptions options;
    options.smoothing = 0.9;
    options.evaluations = false;
    options.x = XAxis::kSamples;
    const auto panel = lossCurves(both(), options);
    const Curve& curve = std::get<LinePanel>(panel->content).curves[0];
    const auto stored = *sparse_->scalars("train/loss");
    EXPECT_EQ(curve.raw_y, stored.value);
    EXPECT_EQ(curve.y.front(), stored.value.front()) << "debiased: the first value is its own mean";
    EXPECT_NE(curve.y, stored.value);
    EXPECT_EQ(curve.x.back(), 240 * 64);
    EXPECT_EQ(panel->context, "smoothing 0.9 (raw kept) · x: samples");
}

TEST_F(Panels, ReductionKeepsTheExtremesAndSaysSo) {
    for (const double smoothing : {0.0, 0.5}) {
        CurveOptions options;
        options.evaluations = false;
        options.max_points = 40;
        options.smoothing = smoothing;
        const auto panel = lossCurves(std::vector<RunSource>{{sparse_, "", 0}}, options);
        const Curve& curve = std::get<LinePanel>(panel->content).curves[0];
        const std::vector<double>& drawn = smoothing > 0 ? curve.raw_y : curve.y;
        const auto stored = *sparse_->scalars("train/loss");
        EXPECT_LE(drawn.size(), 80u);
        EXPECT_EQ(*std::max_element(drawn.begin(), drawn.end()), *std::max_element(stored.value.begin(), stored.value.end()));
        EXPECT_EQ(*std::min_element(drawn.begin(), drawn.end()), *std::min_element(stored.value.begin(), stored.value.end()));
        EXPECT_THAT(panel->notes, testing::Contains(HasSubstr("240 points drawn as")));
    }
}

TEST_F(Panels, TimeIsTheSumOfStepTimes) {
    const auto axis = AxisMap::make(*sparse_, XAxis::kTime);
    ASSERT_TRUE(axis.has_value());
    const auto times = *sparse_->scalars("time/step_ms");
    double total = 0;
    for (const double ms : times.value) total += ms / 1000;
    EXPECT_NEAR((*axis)(240), total, 1e-9);
    EXPECT_EQ((*axis)(0), 0);
    EXPECT_FALSE(AxisMap::make(*sparse_, XAxis::kMemory).has_value()) << "no memory was recorded";
}

TEST_F(Panels, MissingScalarsAreSaid) {
    CurveOptions options;
    options.metrics = {"train/loss", "train/nothing"};
    const auto panel = scalarCurves(both(), options);
    EXPECT_THAT(panel->notes, testing::Contains(HasSubstr("train/nothing")));
    options.metrics = {"train/nothing"};
    EXPECT_FALSE(scalarCurves(both(), options).has_value());
}

TEST_F(Panels, LoadHeatmapIsShareOverEvenShare) {
    const auto panel = loadHeatmap(*sparse_, RouterId(0));
    ASSERT_TRUE(panel.has_value()) << panel.error().message();
    const auto& map = std::get<HeatmapPanel>(panel->content);
    ASSERT_EQ(map.rows, 8);
    ASSERT_EQ(map.columns, 240);
    const auto records = *sparse_->loadRecords(RouterId(0), 100, 100);
    ASSERT_EQ(records.size(), 1u);
    double total = 0;
    for (const auto n : records[0].counts_E) total += n;
    for (std::size_t e = 0; e < 8; ++e) EXPECT_NEAR(map.values[e * 240 + 99], records[0].counts_E[e] / total * 8, 1e-5);
    EXPECT_EQ(map.values[6 * 240 + 239], 0) << "the dead expert";
    const auto reduced = loadHeatmap(*sparse_, RouterId(0), Modality::kUnknown, 60);
    EXPECT_LE(std::get<HeatmapPanel>(reduced->content).columns, 60);
    EXPECT_THAT(reduced->notes, testing::Contains(HasSubstr("240 steps shown as")));
    const auto dense = loadHeatmap(*dense_, RouterId(0));
    ASSERT_FALSE(dense.has_value());
    EXPECT_THAT(dense.error().why, HasSubstr("dense"));
}

TEST_F(Panels, ImbalanceEntropyGradientsThroughput) {
    const auto imbalance = maxVioByLayer(*sparse_);
    const auto& lines = std::get<LinePanel>(imbalance->content);
    ASSERT_EQ(lines.curves.size(), 4u);
    EXPECT_EQ(lines.curves[0].label, "V 1");
    EXPECT_EQ(lines.curves[1].style, LineStyle::kDashed);
    EXPECT_EQ(lines.curves[0].color, lines.curves[1].color) << "one colour a layer";
    const auto entropy = entropyAndDrops(*sparse_);
    const auto& curves = std::get<LinePanel>(entropy->content);
    ASSERT_EQ(curves.curves.size(), 2u);
    ASSERT_EQ(curves.lines.size(), 1u);
    EXPECT_NEAR(curves.lines[0].y, std::log(8.0), 1e-12);
    EXPECT_EQ(curves.lines[0].label, "uniform: ln 8");
    EXPECT_THAT(entropy->notes, testing::Contains("no assignment was dropped"));
    const auto gradients = gradientNorms(*sparse_);
    EXPECT_FALSE(std::get<LinePanel>(gradients->content).markers.empty());
    EXPECT_NEAR(std::get<LinePanel>(gradients->content).markers.front().x, 200, 1);
    EXPECT_EQ(std::get<LinePanel>(gradients->content).curves[0].label, "all");
    const auto speed = throughput(*sparse_);
    const auto& drawn = std::get<LinePanel>(speed->content).curves[0];
    EXPECT_EQ(drawn.x.back(), 0) << "now";
    EXPECT_LT(drawn.x.front(), 0);
}

TEST_F(Panels, OverlayShowsTheProbesChoices) {
    const std::uint64_t hash = sparse_->sampleList()->front().hash;
    const auto routing = sampleRouting(*sparse_, hash);
    ASSERT_TRUE(routing.has_value()) << routing.error().message();
    EXPECT_EQ(routing->source, "probe");
    EXPECT_EQ(routing->step, 240);
    const auto panel = overlay(*routing, {.layer = LayerIndex(2)});
    const auto& shown = std::get<OverlayPanel>(panel->content);
    ASSERT_EQ(shown.patches.size(), 36u);
    ASSERT_EQ(shown.words.size(), 4u);
    EXPECT_FALSE(shown.picture.empty());
    const auto table = *sparse_->probe({240, "trained"}, RouterId(2));
    std::size_t compared = 0;
    for (std::size_t t = 0; t < table.sample_T.size(); ++t) {
        if (table.sample_T[t] != hash || table.objective_T[t] != Objective::kPairImage) continue;
        EXPECT_EQ(shown.patches[table.position_T[t]].expert, table.expert_ids[t]);
        ++compared;
    }
    EXPECT_EQ(compared, 36u);
    EXPECT_THAT(panel->context, HasSubstr("pair_image"));
    for (const OverlayMode mode : {OverlayMode::kWeight, OverlayMode::kEntropy, OverlayMode::kMargin, OverlayMode::kDropped}) {
        const auto values = overlay(*routing, {.layer = LayerIndex(1), .mode = mode});
        const auto& content = std::get<OverlayPanel>(values->content);
        EXPECT_TRUE(content.show_values);
        for (const auto& cell : content.patches) {
            EXPECT_GE(cell.value, content.value_min);
            EXPECT_LE(cell.value, content.value_max + 1e-6);
        }
    }
    const auto none = overlay(*routing, {.layer = LayerIndex(0)});
    EXPECT_THAT(none->notes, testing::Contains("layer 0 has no router for patches"));
    EXPECT_EQ(std::get<OverlayPanel>(none->content).patches[0].expert, -1);
    EXPECT_FALSE(sampleRouting(*sparse_, 12345).has_value());
    EXPECT_TRUE(overlay(*sampleRouting(*dense_, dense_->sampleList()->front().hash)).has_value()) << "a dense run still shows its picture";
}

TEST_F(Panels, SampleRoutingFallsBackToTheNearestTrace) {
    const std::uint64_t hash = sparse_->sampleList()->front().hash;
    const auto traced = sampleRouting(*sparse_, hash, 101);
    ASSERT_TRUE(traced.has_value()) << traced.error().message();
    EXPECT_EQ(traced->source, "trace");
    EXPECT_LE(std::abs(traced->step - 101), 60);
    EXPECT_THAT(traced->notes, testing::Contains(HasSubstr("some tokens were masked")));
    for (std::size_t r = 0; r < traced->routing.size(); ++r) EXPECT_EQ(traced->routing[r].router.id.value, static_cast<std::int32_t>(r));
    const auto variant = sampleRouting(*sparse_, hash, 240, "random-router-2");
    EXPECT_EQ(variant->source, "probe");
}

TEST_F(Panels, TokenDistributionSumsToOne) {
    const auto routing = sampleRouting(*sparse_, sparse_->sampleList()->front().hash);
    const auto panel = tokenDistribution(*routing, RouterId(0), Modality::kVision, TokenIndex(14));
    ASSERT_TRUE(panel.has_value()) << panel.error().message();
    const auto& bars = std::get<BarPanel>(panel->content);
    ASSERT_EQ(bars.bars.size(), 8u);
    double sum = 0;
    int chosen = 0;
    for (const auto& bar : bars.bars) {
        sum += bar.value;
        chosen += bar.emphasised;
    }
    EXPECT_NEAR(sum, 1, 1e-3);
    EXPECT_EQ(chosen, 1);
    EXPECT_EQ(panel->title, "Patch (2, 2)");
    EXPECT_EQ(tokenPath(*routing, Modality::kVision, TokenIndex(14), Objective::kImage).size(), 2u) << "two V-routers";
    EXPECT_FALSE(tokenDistribution(*routing, RouterId(1), Modality::kVision, TokenIndex(14)).has_value()) << "patches do not pass the T-router";
    const auto history = tokenHistory(*sparse_, routing->sample.hash, RouterId(0), Modality::kVision, TokenIndex(14));
    EXPECT_EQ(history->step.size(), 7u);
    const auto map = layerExpertMap(*routing);
    const auto& shares = std::get<HeatmapPanel>(map->content);
    EXPECT_EQ(shares.rows, 4);
    for (std::int32_t r = 0; r < 4; ++r) {
        double total = 0;
        for (std::int32_t e = 0; e < 8; ++e) total += shares.values[static_cast<std::size_t>(r * 8 + e)];
        EXPECT_NEAR(total, 1, 1e-9);
    }
}

TEST_F(Panels, ChangeEndsAtTheLastCheckpoint) {
    const auto saturation = routingChange(*sparse_, ChangeMeasure::kSaturation);
    ASSERT_TRUE(saturation.has_value()) << saturation.error().message();
    const auto& lines = std::get<LinePanel>(saturation->content);
    ASSERT_EQ(lines.curves.size(), 4u);
    EXPECT_EQ(lines.curves[0].y.back(), 1);
    EXPECT_LT(lines.curves[0].y.front(), 0.5) << "untrained";
    EXPECT_NEAR(lines.lines[0].y, 1.0 / 8, 1e-12);
    const auto churn = routingChange(*sparse_, ChangeMeasure::kChurn, sparse_->sampleList()->front().hash, RouterId(0));
    EXPECT_EQ(std::get<LinePanel>(churn->content).curves.size(), 1u);
    EXPECT_EQ(std::get<LinePanel>(churn->content).curves[0].x.size(), 6u) << "from the second probe on";
}

TEST_F(Panels, ADamagedProbeIsLeftOutAndTheOthersAreShown) {
    const auto folder = *scratch_ / "damaged";
    std::filesystem::copy(*scratch_ / "sparse", folder, std::filesystem::copy_options::recursive);
    const auto damage = [&](std::int64_t step) {
        for (const auto& file : std::filesystem::directory_iterator(folder / "routing"))
            if (file.path().filename().string().starts_with("probe-" + std::string(9 - std::to_string(step).size(), '0') + std::to_string(step) + "-trained"))
                std::filesystem::resize_file(file.path(), file.file_size() / 3);
    };
    damage(sparse_->probes().back().step);
    const auto run = *store::RunReader::open(folder);
    const std::uint64_t sample = sparse_->sampleList()->front().hash;
    const auto history = tokenHistory(*run, sample, RouterId(0), Modality::kVision, TokenIndex(14));
    ASSERT_TRUE(history) << history.error().message();
    EXPECT_EQ(history->step.size(), 6u);
    ASSERT_EQ(history->notes.size(), 1u);
    EXPECT_THAT(history->notes[0], HasSubstr("step 240 is left out: probe-000000240-trained.h5"));
    const auto saturation = routingChange(*run, ChangeMeasure::kSaturation, {}, RouterId(0));
    ASSERT_TRUE(saturation) << saturation.error().message();
    EXPECT_THAT(saturation->notes, testing::Contains(HasSubstr("step 240 is left out")));
    const auto& curve = std::get<LinePanel>(saturation->content).curves.front();
    EXPECT_EQ(curve.y[curve.y.size() - 2], 1) << "with the last that can be read";
    EXPECT_TRUE(std::isnan(curve.y.back()));
    EXPECT_TRUE(routingChange(*run, ChangeMeasure::kChurn, {}, RouterId(0)));
    // A search goes to the newest probe that can be read, and says so.
    const auto index = QueryIndex::make(*run);
    ASSERT_TRUE(index) << index.error().message();
    const auto answer = (*index)->answer(*readQuery("expert 0"));
    EXPECT_GT(answer->found_tokens, 0);
    EXPECT_THAT(answer->notes, testing::Contains(HasSubstr("the probe of step 240 is left out")));
    EXPECT_FALSE(QueryIndex::make(*run, {240, {}})) << "this one was asked for";
    for (const store::ProbeKey& key : sparse_->probes()) damage(key.step);
    const auto nothing = *store::RunReader::open(folder);
    EXPECT_FALSE(tokenHistory(*nothing, sample, RouterId(0), Modality::kVision, TokenIndex(14)));
    const auto blind = QueryIndex::make(*nothing);
    ASSERT_TRUE(blind) << "samples can still be searched";
    EXPECT_FALSE((*blind)->answer(*readQuery("split validation"))->samples.empty());
    EXPECT_FALSE((*blind)->answer(*readQuery("expert 0"))) << "none found would be taken for an answer";
}

TEST_F(Panels, EveryKindCanBeMadeFromARecipe) {
    const std::string sample = hashText(sparse_->sampleList()->front().hash);
    for (const PanelKind& kind : panelKinds()) {
        SCOPED_TRACE(kind.name);
        PanelQuery query;
        query.kind = kind.name;
        query.runs = kind.name == "match"                 ? std::vector<std::string>{"sparse", "sparse"}
                     : kind.name.rfind("compare", 0) == 0 ? std::vector<std::string>{"dense", "sparse"}
                                                          : std::vector<std::string>{"sparse"};
        const auto& known = kind.parameters;
        if (std::find(known.begin(), known.end(), "sample") != known.end() && kind.name != "routing_change") query.parameters["sample"] = sample;
        if (kind.name == "token_distribution") query.parameters["token"] = "3";
        if (kind.name == "flow") query.parameters.insert({{"from", "1.v"}, {"to", "2.v"}});
        const auto panel = makePanel(query, scratch_->path());
        if (kind.name == "coactivation") {
            EXPECT_FALSE(panel.has_value()) << "k = 1";
            continue;
        }
        ASSERT_TRUE(panel.has_value()) << panel.error().message();
        EXPECT_FALSE(panel->title.empty());
        query.title = "My title";
        query.parameters["nonsense"] = "1";
        EXPECT_FALSE(makePanel(query, scratch_->path()).has_value());
        query.parameters.erase("nonsense");
        EXPECT_EQ(makePanel(query, scratch_->path())->title, "My title");
    }
}

TEST_F(Panels, BadParametersAreNamed) {
    const auto why = [&](const std::string& kind, const std::string& name, const std::string& value) {
        PanelQuery query{kind, {{name, value}}, {"sparse"}, ""};
        const auto panel = makePanel(query, scratch_->path());
        return panel ? std::string("made") : panel.error().message();
    };
    EXPECT_THAT(why("loss", "smoothing", "1.5"), HasSubstr("'smoothing' is '1.5'"));
    EXPECT_THAT(why("loss", "x", "flops"), HasSubstr("active-flops"));
    EXPECT_THAT(why("load", "router", "9.v"), HasSubstr("1.v, 1.t, 2.v, 2.t"));
    EXPECT_THAT(why("overlay", "mode", "expert"), HasSubstr("'sample' is missing"));
    EXPECT_THAT(why("overlay", "sample", "xyz"), HasSubstr("16 hexadecimal digits"));
    EXPECT_THAT(why("losses", "x", "step"), HasSubstr("Did you mean 'loss'"));
    PanelQuery gone{"loss", {}, {"nowhere"}, ""};
    EXPECT_FALSE(makePanel(gone, scratch_->path()).has_value());
}

TEST_F(Panels, AnalyzeReportsEverythingAsJsonCsvAndText) {
    const auto result = analyzeRun(*sparse_, {});
    ASSERT_TRUE(result.has_value()) << result.error().message();
    std::set<std::string> metrics;
    for (const MetricRow& row : result->rows) metrics.insert(row.metric);
    // What needs two experts a token, a batch over all experts, the engine, another run.
    const std::set<std::string> others = {"coactivation", "causal", "similarity", "seed_match"};
    for (const MetricInfo& info : metricInfos())
        if (!others.contains(info.name)) {
            EXPECT_TRUE(metrics.contains(info.name)) << info.name;
        }
    std::set<std::pair<std::int32_t, LabelKind>> rows;
    for (const Specialisation& row : result->specialisation) rows.insert({row.router.id.value, row.label});
    for (const std::int32_t router : {0, 2})
        for (const LabelKind kind : {LabelKind::kCategory, LabelKind::kSubcategory, LabelKind::kPosition, LabelKind::kBlank})
            EXPECT_TRUE(rows.contains({router, kind})) << router << " " << toString(kind);
    for (const std::int32_t router : {1, 3})
        for (const LabelKind kind : {LabelKind::kTokenId, LabelKind::kPosition}) EXPECT_TRUE(rows.contains({router, kind})) << router << " " << toString(kind);
    EXPECT_EQ(rows.size(), result->specialisation.size());
    EXPECT_FALSE(result->verdict.empty());
    const auto find = [&](const std::string& name, const std::string& label) {
        for (const MetricRow& row : result->rows)
            if (row.name == name && row.label == label && row.step == 240) return row;
        return MetricRow{};
    };
    EXPECT_NEAR(find("loss_nats", "text").value, sparse_->scalars("eval/loss/text")->value.back(), 1e-4);
    EXPECT_GT(find("standard_errors_below_trivial", "text").value, 5);
    EXPECT_GT(find("wrong_picture_minus_right_nats", "pair_text").low, 0);
    EXPECT_THAT(toJson(*result), HasSubstr("expertscope-analyze"));
    EXPECT_THAT(toText(*result), HasSubstr(result->verdict));
    EXPECT_THAT(toText(*result), testing::ContainsRegex("share .*e0 [0-9.]+  e1 [0-9.]+  e2")) << "one line for all experts";
    EXPECT_EQ(toJson(*result), toJson(*analyzeRun(*sparse_, {}))) << "same input, same bytes";
    const std::string csv = toCsv(*result);
    EXPECT_EQ(static_cast<std::size_t>(std::count(csv.begin(), csv.end(), '\n')), result->rows.size());

    const auto layer = analyzeRun(*sparse_, {.metrics = {"load"}, .layer = LayerIndex(2), .checkpoint = 40});
    ASSERT_TRUE(layer.has_value());
    for (const MetricRow& row : layer->rows) {
        EXPECT_EQ(row.metric, "load");
        EXPECT_EQ(row.layer, LayerIndex(2));
    }
    EXPECT_EQ(layer->step, 40);
    EXPECT_FALSE(analyzeRun(*sparse_, {.layer = LayerIndex(7)}).has_value());
    EXPECT_FALSE(analyzeRun(*sparse_, {.checkpoint = 41}).has_value());
    EXPECT_THAT(analyzeRun(*sparse_, {.metrics = {"lod"}}).error().message(), HasSubstr("'load'"));
    const auto dense = analyzeRun(*dense_, {});
    ASSERT_TRUE(dense.has_value()) << dense.error().message();
    EXPECT_THAT(dense->notes, testing::Contains(HasSubstr("dense")));
}

}  // namespace
}  // namespace es::analysis
