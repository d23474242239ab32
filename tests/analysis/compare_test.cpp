// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/compare/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "analysis/compare/loss_curves.h"
#include "analysis/compare/loss_difference.h"
#include "analysis/figures/compare_panels.h"
#include "analysis/memory_run.h"
#include "analysis/report/analyze.h"
#include "analysis/stats/intervals.h"

namespace es::analysis {
namespace {

using testing::HasSubstr;

struct Made {
    std::string name = "run";
    std::int64_t seed = 1;
    double offset = 0;   ///< added to the loss 5 exp(-step / 200) + 1
    double flops = 1e9;  ///< per step
    double step_ms = 100;
    std::int64_t samples = 50;
    double sample_offset = 0;  ///< per-sample losses of this run
};

std::shared_ptr<test::MemoryRun> make(const Made& made) {
    auto run = std::make_shared<test::MemoryRun>();
    run->configuration.run.name = made.name;
    run->configuration.run.seed = made.seed;
    run->configuration.model.ffn = made.name == "dense" ? "dense" : "moe";
    run->configuration.train.steps = 600;
    run->state.steps = 600;
    run->origin.data_hash = "abc";
    run->origin.flops_per_step_active = made.flops;
    run->origin.flops_per_step_total = 3 * made.flops;
    run->origin.samples_per_step = 64;
    run->origin.tokens_per_step = 1600;
    run->origin.parameters_total = 1000;
    for (std::int64_t step = 1; step <= 600; ++step) {
        run->add("time/step_ms", static_cast<double>(step), made.step_ms);
        run->add("throughput/samples_per_s", static_cast<double>(step), 64e3 / made.step_ms);
    }
    for (std::int64_t step = 0; step <= 600; step += 100)
        run->add("eval/loss/total", static_cast<double>(step), 1 + 5 * std::exp(-static_cast<double>(step) / 200) + made.offset);
    store::Evaluation evaluation{600, Split::kValidation, {}};
    double sums[kMaskedObjectiveCount] = {}, targets[kMaskedObjectiveCount] = {};
    for (std::int64_t s = 0; s < made.samples; ++s) {
        for (int o = 0; o < kMaskedObjectiveCount; ++o) {
            const auto n = static_cast<std::int32_t>(1 + (s * 7 + o) % 5);
            const double loss = 1 + 0.1 * static_cast<double>((s * 13 + o) % 11) + made.sample_offset * (1 + 0.2 * std::sin(static_cast<double>(s)));
            evaluation.rows.push_back({static_cast<std::uint64_t>(s), static_cast<Objective>(o), 0, loss, 4, n, 0.5, ""});
            if (o == 3) evaluation.rows.push_back({static_cast<std::uint64_t>(s), Objective::kPairText, 0, loss + 100, 4, n, 0.5, "wrong_picture"});
            sums[o] += loss * n;
            targets[o] += n;
        }
        store::SampleRecord sample;
        sample.hash = static_cast<std::uint64_t>(s);
        sample.category = s % 2 ? "odd" : "even";
        run->samples.push_back(std::move(sample));
    }
    for (int o = 0; o < kMaskedObjectiveCount; ++o) run->add("eval/loss/" + std::string(toString(static_cast<Objective>(o))), 600, sums[o] / targets[o]);
    run->evaluation_list[600] = std::move(evaluation);
    return run;
}

RunGroup group(const std::string& name, const std::vector<Made>& made) {
    RunGroup result{name, {}, 0};
    for (Made one : made) {
        one.name = name;
        result.runs.push_back({make(one), "", 0});
    }
    return result;
}

Result<Comparison> compare(RunGroup a, RunGroup b, CompareOptions options = {}) {
    return compareGroups(Baseline<RunGroup>(std::move(a)), Candidate<RunGroup>(std::move(b)), options);
}

TEST(Compare, OneSeedIsOverSamplesAndSaysSo) {
    const auto c = compare(group("dense", {{}}), group("sparse", {{.sample_offset = -0.1}}));
    ASSERT_TRUE(c.has_value()) << c.error().message();
    ASSERT_EQ(c->losses.size(), 5u);
    const LossDifference& total = c->losses.front();
    EXPECT_EQ(total.replication, Replication::kSamples);
    EXPECT_EQ(total.over, "over 50 samples, 1 seed");
    EXPECT_NEAR(total.mean, -0.4, 0.05) << "four objectives, -0.1 each";
    EXPECT_LT(total.high, 0);
    EXPECT_THAT(c->notes, testing::Contains(HasSubstr("scaled dense")));
    EXPECT_THAT(c->verdict, HasSubstr("is lower by"));
    EXPECT_THAT(c->verdict, HasSubstr("over 50 samples, 1 seed"));
    EXPECT_THAT(c->verdict, HasSubstr("says nothing about other seeds"));
    // The difference over samples is the difference of the recorded losses.
    double recorded = 0;
    for (std::size_t i = 1; i < 5; ++i) recorded += c->losses[i].mean;
    EXPECT_NEAR(total.mean, recorded, 1e-12);
}

TEST(Compare, SeedsArePairedWhereBothSidesHaveThem) {
    const std::vector<double> noise = {0.3, -0.2, 0.1, 0.05}, gain = {-0.10, -0.12, -0.08, -0.11};
    std::vector<Made> a, b;
    for (std::size_t i = 0; i < noise.size(); ++i) {
        a.push_back({.seed = static_cast<std::int64_t>(4 - i), .offset = noise[i]});
        b.insert(b.begin(), {.seed = static_cast<std::int64_t>(4 - i), .offset = noise[i] + gain[i]});
    }
    const auto c = compare(group("dense", a), group("sparse", b));
    ASSERT_TRUE(c.has_value());
    const LossDifference& total = c->losses.front();
    EXPECT_EQ(total.replication, Replication::kPairedSeeds);
    EXPECT_EQ(total.n, 4);
    const Interval expected = meanInterval(gain);
    EXPECT_NEAR(total.mean, expected.mean, 1e-12);
    EXPECT_NEAR(total.low, expected.low, 1e-9) << "the seeds' own noise is taken out by pairing";
    EXPECT_EQ(total.over, "over 4 seeds, paired by seed");
    EXPECT_EQ(c->baseline_curve.low.size(), c->baseline_curve.x.size());
}

TEST(Compare, DifferentSeedsAreNotPaired) {
    const auto c =
        compare(group("dense", {{.seed = 1}, {.seed = 2, .offset = 0.1}}), group("sparse", {{.seed = 3, .offset = -1}, {.seed = 4, .offset = -0.9}}));
    ASSERT_TRUE(c.has_value());
    EXPECT_EQ(c->losses.front().replication, Replication::kSeeds);
    EXPECT_NEAR(c->losses.front().mean, -1, 1e-9);
    const auto seeds =
        std::find_if(c->checks.begin(), c->checks.end(), [](const auto& check) { return check.words.find("seeds differ") != std::string::npos; });
    ASSERT_NE(seeds, c->checks.end());
    EXPECT_FALSE(seeds->ok);
}

TEST(Compare, EqualRunsDoNotDiffer) {
    const auto c = compare(group("dense", {{}}), group("sparse", {{}}));
    EXPECT_EQ(c->losses.front().mean, 0);
    EXPECT_THAT(c->verdict, HasSubstr("cannot be told from equal"));
    for (const ReachRatio& reach : c->reach)
        if (reach.ratio) {
            EXPECT_NEAR(*reach.ratio, 1, 1e-9);
        }
}

TEST(Compare, ComputeToReachTheSameLoss) {
    // The candidate is lower by what the baseline needs about 100 steps for; it costs twice as much a step.
    const auto c = compare(group("dense", {{}}), group("sparse", {{.offset = -0.3, .flops = 2e9, .step_ms = 100}}));
    const auto ratio = [&](XAxis axis) {
        for (const ReachRatio& reach : c->reach)
            if (reach.axis == axis) return reach.ratio.value_or(-1);
        return -2.0;
    };
    EXPECT_GT(ratio(XAxis::kStep), 1.2);
    EXPECT_NEAR(ratio(XAxis::kActiveFlops), ratio(XAxis::kStep) / 2, 1e-9);
    EXPECT_NEAR(ratio(XAxis::kTime), ratio(XAxis::kStep), 1e-9);
    EXPECT_TRUE(c->at_equal_axis.has_value()) << "the candidate used twice the compute";
    EXPECT_NEAR(c->equal_axis_value, 600e9, 1);
    const auto flops =
        std::find_if(c->checks.begin(), c->checks.end(), [](const auto& check) { return check.words.find("active compute") != std::string::npos; });
    EXPECT_FALSE(flops->ok);
    EXPECT_THAT(flops->words, HasSubstr("100 % more"));
}

TEST(Compare, NotReachedIsSaidNotExtrapolated) {
    const auto c = compare(group("dense", {{}}), group("sparse", {{.offset = 2}}));
    EXPECT_FALSE(c->reach.front().ratio.has_value());
    EXPECT_THAT(c->verdict, HasSubstr("does not reach"));
}

TEST(Compare, ChecksNameDifferentDataAndMasks) {
    RunGroup a = group("dense", {{}}), b = group("sparse", {{}});
    auto other = make({.name = "sparse"});
    other->origin.data_hash = "def";
    for (store::EvaluationRow& row : other->evaluation_list[600].rows) row.targets += 1;
    b.runs = {{other, "", 0}};
    const auto c = compare(a, b);
    EXPECT_FALSE(c->checks.front().ok);
    EXPECT_THAT(c->verdict, HasSubstr("different data"));
    EXPECT_THAT(c->verdict, HasSubstr("evaluation masks differ"));
    EXPECT_EQ(c->losses.front().replication, Replication::kNone) << "other masks are not paired";
}

TEST(Compare, CategoriesHaveTheirOwnIntervals) {
    const auto c = compare(group("dense", {{}}), group("sparse", {{.sample_offset = -0.1}}));
    ASSERT_EQ(c->categories.size(), 2u);
    for (const CategoryDifference& category : c->categories) {
        EXPECT_EQ(category.samples, 25);
        EXPECT_LT(category.high, 0);
    }
    EXPECT_LE(c->categories[0].mean, c->categories[1].mean);
}

TEST(Compare, RefusesWhatItCannotCompare) {
    EXPECT_FALSE(compare(group("dense", {}), group("sparse", {{}})).has_value());
    RunGroup unevaluated = group("dense", {{}});
    auto run = std::make_shared<test::MemoryRun>();
    unevaluated.runs = {{run, "", 0}};
    const auto c = compare(unevaluated, group("sparse", {{}}));
    ASSERT_FALSE(c.has_value());
    EXPECT_THAT(c.error().why, HasSubstr("no held-out loss"));
}

TEST(SampleDifference, IsPairedAndWeighsTargets) {
    SampleLosses a, b;
    for (std::uint64_t s = 0; s < 3; ++s) a.values[{s, 0, Objective::kText}] = {static_cast<double>(s), static_cast<std::int32_t>(s + 1)};
    b = a;
    b.values[{2, 0, Objective::kText}].loss += 0.6;
    b.values.erase({0, 0, Objective::kText});
    const SampleDifference d = sampleDifference(Baseline<SampleLosses>(a), Candidate<SampleLosses>(b), {0, 1, 0, 0}, 0.95);
    EXPECT_EQ(d.samples, 2);
    EXPECT_EQ(d.left_out, 1);
    EXPECT_NEAR(d.mean, 0.6 * 3 / 5, 1e-12);
}

TEST(Curves, InterpolateInsideTheirRangeOnly) {
    const std::vector<double> x = {0, 10, 20}, y = {4, 2, 1};
    EXPECT_EQ(valueAt(x, y, 5), 3);
    EXPECT_EQ(valueAt(x, y, 20), 1);
    EXPECT_FALSE(valueAt(x, y, 21).has_value());
    EXPECT_EQ(costToReach(x, y, 3), 5);
    EXPECT_EQ(costToReach(x, y, 4), 0);
    EXPECT_FALSE(costToReach(x, y, 0.5).has_value());
}

TEST(ComparePanels, AreFilledAndJsonParses) {
    const auto c = compare(group("dense", {{}}), group("sparse", {{.offset = -0.1, .sample_offset = -0.1}}));
    const Panel curves = comparisonCurves(*c);
    EXPECT_EQ(std::get<LinePanel>(curves.content).curves.size(), 2u);
    EXPECT_FALSE(std::get<LinePanel>(computeToReach(*c).content).curves.empty());
    EXPECT_EQ(std::get<ForestPanel>(lossForest(*c).content).rows.size(), 5u);
    EXPECT_EQ(std::get<ForestPanel>(categoryForest(*c).content).rows.size(), 2u);
    EXPECT_FALSE(std::get<TablePanel>(costTable(*c).content).rows.empty());
    const TablePanel differences = std::get<TablePanel>(configurationTable(*c).content);
    ASSERT_EQ(differences.rows.size(), 1u) << "the name is no difference";
    EXPECT_EQ(differences.rows[0][0], "model.ffn");
    EXPECT_THAT(toJson(*c), HasSubstr("\"schema\": \"expertscope-compare\""));
    EXPECT_THAT(toText(*c), HasSubstr("over 50 samples, 1 seed"));
    EXPECT_EQ(toJson(*c), toJson(*compare(group("dense", {{}}), group("sparse", {{.offset = -0.1, .sample_offset = -0.1}})))) << "same input, same bytes";
    const std::vector<RunGroup> groups = {group("dense", {{}, {.seed = 2, .offset = 0.1}}), group("sparse", {{.offset = -1}})};
    const auto results = resultsTable(groups);
    ASSERT_TRUE(results.has_value());
    EXPECT_EQ(std::get<TablePanel>(results->content).rows[0][0], "sparse") << "best first";
    EXPECT_EQ(std::get<LinePanel>(speedAgainstQuality(groups)->content).curves.size(), 2u);
}

}  // namespace
}  // namespace es::analysis
