// SPDX-License-Identifier: GPL-3.0-or-later
// What the scrubber says about the sample over training, against the store.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/views/inspect_fixture.h"

namespace es::views {
namespace {

using test::InspectBench;
using test::madeRun;
using test::smallRun;

es::test::SyntheticRunOptions spiked() {
    auto options = smallRun();
    options.name = "spiked";
    options.spikes = {350};
    return options;
}

/// Share of the sample's tokens of a router whose first choice changed from one probe to the next.
double changedBetween(const store::RunReader& run, RouterId router, std::uint64_t sample, std::int64_t before, std::int64_t after) {
    const auto a = run.probe({before, "trained"}, router), b = run.probe({after, "trained"}, router);
    double changed = 0, all = 0;
    for (std::size_t t = 0; t < static_cast<std::size_t>(a->tokens); ++t) {
        if (a->sample_T[t] != sample) continue;
        all += 1;
        changed += a->expert_ids[t] != b->expert_ids[t];
    }
    return changed / all;
}

TEST(InspectScrubber, TheSamplesOwnChurnIsCounted) {
    InspectBench bench(madeRun("spiked", spiked()));
    const auto& model = *bench.workspace->model();
    const auto& churn = model.sampleChurn();
    ASSERT_FALSE(churn.x.empty());
    int compared = 0;
    for (std::size_t i = 0; i < churn.x.size(); ++i) {
        const auto step = static_cast<std::int64_t>(churn.x[i]);
        if (step < 100 || !std::isfinite(churn.y[i])) continue;
        EXPECT_NEAR(churn.y[i], changedBetween(*model.reader(), RouterId(0), *model.shown().sample, step - 100, step), 1e-9) << step;
        ++compared;
    }
    EXPECT_EQ(compared, 6);
    const auto& saturation = model.curves()->saturation;
    ASSERT_FALSE(saturation.y.empty());
    EXPECT_NEAR(saturation.y.back(), 1, 1e-9) << "the last probe agrees with itself";
}

TEST(InspectScrubber, ASpikeSaysHowManyTokensChanged) {
    InspectBench bench(madeRun("spiked", spiked()));
    const auto& model = *bench.workspace->model();
    const auto& spikes = model.curves()->spikes;
    ASSERT_FALSE(spikes.empty());
    const double changed = changedBetween(*model.reader(), RouterId(0), *model.shown().sample, 300, 400);
    const QString text = bench.find<ScrubberView>()->spikeText(spikes.front());
    EXPECT_TRUE(text.contains(QStringLiteral("%1 % of its tokens changed expert, steps 300 to 400").arg(std::lround(changed * 100)))) << text.toStdString();
    EXPECT_FALSE(bench.workspace->grab().isNull());
    // Another sample, another share.
    const auto other = model.contents().samples[5].hash;
    bench.workspace->model()->chooseSample(other);
    bench.settle();
    const double theirs = changedBetween(*model.reader(), RouterId(0), other, 300, 400);
    EXPECT_TRUE(bench.find<ScrubberView>()->spikeText(spikes.front()).contains(QStringLiteral("%1 % of").arg(std::lround(theirs * 100))));
}

TEST(InspectScrubber, WordsOfSpikesLieAboveTheCurvesAndApart) {
    auto options = spiked();
    options.name = "many-spikes";
    options.spikes = {30, 210, 215, 220, 430, 590};
    InspectBench bench(madeRun("many-spikes", options));
    auto* view = bench.find<ScrubberView>();
    const auto& spikes = bench.workspace->model()->curves()->spikes;
    ASSERT_GE(spikes.size(), 4u);
    for (const int width : {1680, 1000, 520}) {
        view->window()->resize(width, 720);
        bench.settle();
        const auto words = view->spikeWords();
        ASSERT_FALSE(words.empty()) << width;
        double before = view->plotArea().left();
        for (const auto& group : words) {
            EXPECT_LE(group.place.bottom(), view->plotArea().top()) << width;
            EXPECT_GE(group.place.left(), before) << width;
            EXPECT_LE(group.place.right(), view->width()) << width;
            EXPECT_FALSE(group.text.isEmpty());
            before = group.place.right();
        }
        EXPECT_FALSE(view->grab().isNull());
    }
}

TEST(InspectScrubber, PlayAndSideBySideFollowTogether) {
    InspectBench bench(madeRun("spiked", spiked()));
    OverlayChoices choices = bench.workspace->model()->overlayChoices();
    choices.side_by_side = true;
    bench.workspace->model()->setOverlayChoices(choices);
    bench.settle();
    auto* scrubber = bench.find<ScrubberView>();
    scrubber->setFocus();
    for (const std::int64_t step : {500, 400, 300}) {
        bench.key(scrubber, Qt::Key_Left);
        EXPECT_EQ(bench.workspace->model()->step(), step);
        ASSERT_NE(bench.workspace->model()->otherRouting(), nullptr);
        EXPECT_EQ(bench.workspace->model()->otherRouting()->step, step - 100) << "the checkpoint before goes along";
    }
    bench.key(scrubber, Qt::Key_Home);
    EXPECT_EQ(bench.workspace->model()->otherRouting(), nullptr);
    EXPECT_FALSE(bench.find<OverlayWidget>("overlayBefore")->isVisible());
    bool told = false;
    for (const auto& note : bench.data("overlay").value(QStringLiteral("notes")).toArray())
        told = told || note.toString().contains(QStringLiteral("first checkpoint"));
    EXPECT_TRUE(told);
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
