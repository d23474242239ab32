// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/series_store.h"

#include "engine/store/load_store.h"
#include "store_fixture.h"

namespace es::store {
namespace {

constexpr double kAll = 1e300;

class Series : public ::testing::Test {
protected:
    void SetUp() override { open(); }
    void open() {
        series_.reset();
        SeriesStore::createTables(database_);
        series_ = std::make_unique<SeriesStore>(database_);
        series_->load();
    }
    void fill(std::int64_t journal, std::int64_t first, std::int64_t count, const std::function<double(std::int64_t)>& value) {
        const std::int64_t id = series_->seriesId("loss");
        for (std::int64_t step = first; step < first + count; ++step) series_->append(id, journal, step, value(step));
    }
    ScalarSeries query(std::int64_t maxPoints, double first = -kAll, double last = kAll) { return series_->query("loss", maxPoints, first, last, sources_); }

    Database database_{":memory:"};
    std::unique_ptr<SeriesStore> series_;
    std::vector<SeriesStore::Source> sources_{{0, {0, 0}, std::numeric_limits<std::int64_t>::max()}};
};

TEST_F(Series, EveryPointComesBack) {
    fill(0, 0, 10000, [](std::int64_t step) { return 0.5 * static_cast<double>(step); });
    const auto all = query(-1);
    ASSERT_EQ(all.points, 10000);
    ASSERT_EQ(all.step.size(), 10000u);
    for (std::size_t i = 0; i < 10000; ++i) {
        ASSERT_EQ(all.step[i], static_cast<double>(i));
        ASSERT_EQ(all.value[i], 0.5 * static_cast<double>(i));
        ASSERT_EQ(all.low[i], all.value[i]);
        ASSERT_EQ(all.high[i], all.value[i]);
    }
    const auto window = query(-1, 4000, 4100);
    ASSERT_EQ(window.points, 101);
    EXPECT_EQ(window.step.front(), 4000);
    EXPECT_EQ(window.step.back(), 4100);
    EXPECT_EQ(series_->query("unknown", 10, -kAll, kAll, sources_).points, 0);
}

// Fewer points, same extremes: down-sampling never hides a spike, at any level of the pyramid.
TEST_F(Series, ReductionKeepsExtremesAndTheLastPoint) {
    constexpr std::int64_t kCount = 100000;
    const auto value = [](std::int64_t step) { return step == 31415 ? 1000.0 : step == 70707 ? -1000.0 : std::sin(static_cast<double>(step)); };
    fill(0, 0, kCount, value);
    for (const std::int64_t points : {1, 2, 7, 10, 100, 500, 1000, 5000, 99999}) {
        const auto reduced = query(points);
        ASSERT_LE(static_cast<std::int64_t>(reduced.step.size()), points);
        ASSERT_GE(static_cast<std::int64_t>(reduced.step.size()), std::max<std::int64_t>(1, points / 2)) << points;
        EXPECT_EQ(reduced.points, kCount);
        EXPECT_EQ(*std::max_element(reduced.high.begin(), reduced.high.end()), 1000.0) << points;
        EXPECT_EQ(*std::min_element(reduced.low.begin(), reduced.low.end()), -1000.0) << points;
        EXPECT_EQ(reduced.step.back(), kCount - 1);
        EXPECT_EQ(reduced.value.back(), value(kCount - 1));
        EXPECT_TRUE(std::is_sorted(reduced.step.begin(), reduced.step.end()));
        // The spike stands in the bucket it belongs to.
        const auto spike = static_cast<std::size_t>(std::max_element(reduced.high.begin(), reduced.high.end()) - reduced.high.begin());
        EXPECT_GE(reduced.step[spike], 31415);
        if (spike > 0) {
            EXPECT_LT(reduced.step[spike - 1], 31415);
        }
    }
    const auto zoomed = query(50, 31000, 32000);
    EXPECT_EQ(zoomed.points, 1001);
    EXPECT_LE(zoomed.step.size(), 50u);
    EXPECT_EQ(*std::max_element(zoomed.high.begin(), zoomed.high.end()), 1000.0);
}

TEST_F(Series, NonFiniteValuesAreCountedAndNeverZero) {
    const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
    fill(0, 0, 5000, [&](std::int64_t step) { return step == 10 ? nan : step == 20 ? inf : step == 4095 ? nan : 2.0; });
    open();  // from the stored blocks
    fill(0, 5000, 1, [&](std::int64_t) { return nan; });
    const auto all = query(-1);
    EXPECT_EQ(all.non_finite, 4);
    EXPECT_TRUE(std::isnan(all.value[10]) && std::isnan(all.low[10]) && std::isnan(all.high[10]));
    EXPECT_EQ(all.value[20], inf);
    const auto one = query(1);
    EXPECT_EQ(one.non_finite, 4);
    EXPECT_EQ(one.low[0], 2.0);
    EXPECT_EQ(one.high[0], 2.0);
}

TEST_F(Series, SavedTailsGoOnGrowing) {
    fill(0, 0, 5000, [](std::int64_t step) { return static_cast<double>(step); });
    series_->save();
    open();
    EXPECT_EQ(query(-1).points, 5000);
    fill(0, 5000, 5000, [](std::int64_t step) { return static_cast<double>(step); });
    series_->save();
    open();
    const auto all = query(-1);
    ASSERT_EQ(all.points, 10000);
    for (std::size_t i = 0; i < 10000; ++i) ASSERT_EQ(all.value[i], static_cast<double>(i));
}

TEST_F(Series, RepeatedAndUnorderedStepsAreAllKeptInOrder) {
    const std::int64_t id = series_->seriesId("loss");
    for (std::int64_t i = 0; i < 9000; ++i) series_->append(id, 0, 8999 - i, static_cast<double>(i));
    series_->append(id, 0, 5, -1);
    series_->append(id, 0, 5, -2);
    const auto all = query(-1);
    ASSERT_EQ(all.points, 9002);
    EXPECT_TRUE(std::is_sorted(all.step.begin(), all.step.end()));
    EXPECT_EQ(all.value[5], 8994.0);
    EXPECT_EQ(all.value[6], -1.0);
    EXPECT_EQ(all.value[7], -2.0);
    const auto few = query(100);
    EXPECT_LE(few.step.size(), 100u);
    EXPECT_EQ(*std::min_element(few.low.begin(), few.low.end()), -2.0);
    EXPECT_TRUE(std::is_sorted(few.step.begin(), few.step.end()));
}

TEST_F(Series, SupersededPointsAreLeftOut) {
    fill(0, 0, 10000, [](std::int64_t) { return 1.0; });
    fill(1, 7000, 2000, [](std::int64_t) { return 2.0; });
    sources_ = {{0, {0, 0}, 7000}, {1, {1, 0}, std::numeric_limits<std::int64_t>::max()}};
    for (const std::int64_t points : {-1, 50}) {
        const auto all = query(points);
        EXPECT_EQ(all.points, 9000) << points;
        EXPECT_TRUE(std::is_sorted(all.step.begin(), all.step.end()));
        EXPECT_EQ(all.value.back(), 2.0);
        EXPECT_EQ(all.step.back(), 8999);
    }
}

TEST_F(Series, OfSeveralRanksTheLowestCounts) {
    fill(0, 0, 10, [](std::int64_t) { return 1.0; });
    fill(1, 0, 10, [](std::int64_t) { return 2.0; });
    sources_.push_back({1, {0, 1}, std::numeric_limits<std::int64_t>::max()});
    EXPECT_EQ(query(-1).points, 10);
    EXPECT_EQ(query(-1).value[3], 1.0);
}

TEST(LoadHistory, SharesAreMeansOverBuckets) {
    const RouterInfo router = test::routerInfo(0, 2, 1);
    std::vector<LoadRecord> records;
    for (std::int64_t step = 1; step <= 4; ++step) {
        LoadRecord record;
        record.step = step;
        record.modality = Modality::kVision;
        record.tokens = 10;
        record.counts_E = step <= 2 ? std::vector<std::uint32_t>{10, 0} : std::vector<std::uint32_t>{5, 5};
        record.dropped = step == 1 ? 5 : 0;
        record.entropy_nats = static_cast<float>(step);
        record.max_abs_logit = static_cast<float>(step);
        records.push_back(record);
    }
    const auto history = loadHistoryOf(router, Modality::kVision, records, 2);
    ASSERT_EQ(history.step, (std::vector<double>{1, 3}));
    EXPECT_EQ(history.share_ES, (std::vector<float>{1, 0.5f, 0, 0.5f}));
    EXPECT_EQ(history.max_vio, (std::vector<float>{1, 0}));
    EXPECT_EQ(history.entropy_nats, (std::vector<float>{1.5f, 3.5f}));
    EXPECT_EQ(history.dropped_share, (std::vector<float>{0.25f, 0}));
    EXPECT_EQ(history.max_abs_logit, (std::vector<float>{2, 4}));
    EXPECT_EQ(history.steps, 4);
    EXPECT_EQ(loadHistoryOf(router, Modality::kText, records, 2).steps, 0);

    records[1].counts_E = {0, 0};
    records[1].tokens = 0;
    const auto holes = loadHistoryOf(router, Modality::kVision, records, -1);
    EXPECT_TRUE(std::isnan(holes.share_ES[1]) && std::isnan(holes.max_vio[1]) && std::isnan(holes.entropy_nats[1]));
}

TEST(LoadHistory, UnknownModalityAddsUpAll) {
    LoadRecord vision = test::loadRecord(1, 0, Modality::kVision), text = test::loadRecord(1, 0, Modality::kText);
    text.counts_E.assign(8, 0);
    text.counts_E[0] = 1000;
    text.tokens = 300;
    text.entropy_nats = 0.5f;
    const auto history = loadHistoryOf(test::routerInfo(0), Modality::kUnknown, {vision, text}, -1);
    ASSERT_EQ(history.steps, 1);
    const double total = 1000 + 8 * 11 + 28;
    EXPECT_NEAR(history.share_ES[0], 1011 / total, 1e-6);
    EXPECT_NEAR(history.entropy_nats[0], (1.5 * 100 + 0.5 * 300) / 400, 1e-6);
    text.tokens = 0;
    text.counts_E.assign(8, 0);
    text.entropy_nats = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(loadHistoryOf(test::routerInfo(0), Modality::kUnknown, {vision, text}, -1).entropy_nats[0], 1.5f);
}

}  // namespace
}  // namespace es::store
