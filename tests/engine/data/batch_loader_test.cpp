// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/batch_loader.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "engine/data/batch_builder.h"
#include "engine/data/sample_order.h"
#include "support/scratch_folder.h"
#include "support/tiny_pictures.h"

namespace es::engine {
namespace {

class Loading : public testing::Test {
protected:
    static void SetUpTestSuite() {
        folder_ = new test::ScratchFolder;
        test::writeTinyPictures(*folder_ / "pictures");
        config_ = test::tinyConfig(*folder_ / "pictures");
        const auto report = datasets::prepare(config_.data, {});
        ASSERT_TRUE(report) << report.error().message();
        auto source = DataSource::open(config_, {});
        ASSERT_TRUE(source) << source.error().message();
        source_ = *source;
    }
    static void TearDownTestSuite() {
        source_.reset();
        delete folder_;
    }
    static inline test::ScratchFolder* folder_ = nullptr;
    static inline config::RunConfig config_;
    static inline std::shared_ptr<const DataSource> source_;
};

bool same(const Batch& a, const Batch& b) {
    const auto images = [](const ImageStream& x, const ImageStream& y) {
        return at::equal(x.patches_BPD, y.patches_BPD) && at::equal(x.target_BPD, y.target_BPD) && at::equal(x.masked_BP, y.masked_BP) &&
               at::equal(x.counts_BP, y.counts_BP);
    };
    const auto texts = [](const TextStream& x, const TextStream& y) {
        return at::equal(x.ids_BL, y.ids_BL) && at::equal(x.masked_BL, y.masked_BL) && at::equal(x.valid_BL, y.valid_BL);
    };
    return a.image_samples == b.image_samples && a.text_samples == b.text_samples && a.pair_samples == b.pair_samples && images(*a.images, *b.images) &&
           texts(*a.texts, *b.texts) && images(*a.pair_images, *b.pair_images) && texts(*a.pair_texts, *b.pair_texts);
}

TEST_F(Loading, OneAndFourThreadsGiveTheSameBitsAndAllFourWork) {
    auto four_config = config_;
    four_config.data.threads = 4;
    BatchLoader one(source_, config_, 1, 24), four(source_, four_config, 1, 24);
    for (std::int64_t step = 1; step <= 24; ++step) EXPECT_TRUE(same(one.next(step), four.next(step))) << "step " << step;
    EXPECT_EQ(one.batchesByThread(), (std::vector<std::int64_t>{24}));
    EXPECT_EQ(four.batchesByThread(), (std::vector<std::int64_t>{6, 6, 6, 6}));
}

TEST_F(Loading, ALaterStartGivesTheSameBatches) {
    BatchLoader whole(source_, config_, 1, 9), later(source_, config_, 8, 9);
    std::vector<Batch> batches;
    for (std::int64_t step = 1; step <= 9; ++step) batches.push_back(whole.next(step));
    EXPECT_TRUE(same(batches[7], later.next(8)));
    EXPECT_TRUE(same(batches[8], later.next(9)));
    EXPECT_FALSE(same(batches[7], batches[8]));
}

TEST_F(Loading, AnotherSeedGivesOtherBatches) {
    auto other = config_;
    other.run.seed = 2;
    EXPECT_FALSE(same(BatchBuilder(source_, config_).training(1), BatchBuilder(source_, other).training(1)));
}

TEST_F(Loading, CanBeLeftEarly) {
    BatchLoader loader(source_, config_, 1, 1'000'000);
    (void)loader.next(1);
}

TEST_F(Loading, BatchesFollowTheRules) {
    const Batch batch = BatchBuilder(source_, config_).training(3);
    const auto& images = *batch.images;
    ASSERT_EQ(images.patches_BPD.sizes(), (at::IntArrayRef{4, 16, 48}));
    EXPECT_TRUE(at::equal(images.masked_BP.sum(1), at::full({4}, 8, at::kLong))) << "half of 16 patches";
    EXPECT_TRUE((images.counts_BP <= images.masked_BP).all().item<bool>());
    const auto norm = images.target_BPD.pow(2).mean(2);
    EXPECT_TRUE((norm < 1.0001).all().item<bool>());
    EXPECT_LT(images.target_BPD.mean(2).abs().max().item<float>(), 1e-4);
    const auto& texts = *batch.texts;
    EXPECT_TRUE((texts.masked_BL <= texts.valid_BL).all().item<bool>());
    EXPECT_TRUE((texts.masked_BL.sum(1) >= 1).all().item<bool>());
    EXPECT_FALSE(texts.masked_BL.logical_and(texts.ids_BL == source_->tokenizer().unknownId()).any().item<bool>());
    EXPECT_EQ(batch.pair_images->patches_BPD.size(0), batch.pair_texts->ids_BL.size(0));
    std::set<std::int64_t> train(source_->dataset().indices(Split::kTrain).begin(), source_->dataset().indices(Split::kTrain).end());
    for (const auto sample : batch.pair_samples) EXPECT_TRUE(train.contains(sample));
}

TEST_F(Loading, AStreamOfSizeZeroIsLeftOut) {
    auto config = config_;
    config.train.batch_texts = config.train.batch_pairs = 0;
    const Batch batch = BatchBuilder(source_, config).training(1);
    EXPECT_TRUE(batch.images);
    EXPECT_FALSE(batch.texts || batch.pair_images || batch.pair_texts);
}

TEST_F(Loading, PixelsOfTheTrainingSplitHaveMeanZeroAndDeviationOne) {
    double sum = 0, squares = 0, count = 0;
    const std::int64_t grid = source_->grid();
    for (const std::int64_t sample : source_->samples(Split::kTrain, StreamKind::kImages)) {
        const std::vector<std::int64_t> one{sample};
        const auto images = imagesOf(*source_, one, Objective::kImage,
                                     [&](std::int64_t, Objective) { return std::vector<std::uint8_t>(static_cast<std::size_t>(grid * grid), 0); });
        sum += images.patches_BPD.sum().item<double>();
        squares += images.patches_BPD.pow(2).sum().item<double>();
        count += static_cast<double>(images.patches_BPD.numel());
    }
    EXPECT_NEAR(sum / count, 0, 1e-3);
    EXPECT_NEAR(squares / count, 1, 1e-2);
}

TEST(TrainingGroups, AreThePartsOfAJoinedSetWhateverDomainsAFolderNames) {
    test::ScratchFolder scratch;
    test::writeTinyPictures(scratch / "pictures", 60);
    std::ofstream table(scratch / "pictures" / "metadata.csv");
    table << "file_name,text,domain\n";
    for (int i = 0; i < 60; ++i) table << "picture" << i << ".ppm,thing number " << i << ",domain " << i % 7 << '\n';
    table.close();
    config::RunConfig config = test::tinyConfig(scratch / "pictures");
    const std::string folder = config.data.set;
    config.data.scenes = 160;
    const auto groupsOf = [&](const std::string& set) {
        config.data.set = set;
        const auto report = datasets::prepare(config.data, {});
        EXPECT_TRUE(report) << report.error().message();
        const auto source = DataSource::open(config, {});
        EXPECT_TRUE(source) << source.error().message();
        std::vector<std::size_t> sizes;
        std::size_t all = 0;
        for (const auto& group : (*source)->trainingGroups(StreamKind::kPairs)) all += sizes.emplace_back(group.size());
        EXPECT_EQ(all, (*source)->samples(Split::kTrain, StreamKind::kPairs).size());
        return sizes;
    };
    EXPECT_EQ(groupsOf(folder).size(), 1u);
    const auto groups = groupsOf("scenes+" + folder);
    ASSERT_EQ(groups.size(), 2u) << "seven domains of one folder are one part";
    EXPECT_LT(groups[0], 60u) << "pictures, then scenes, by name";
    EXPECT_GT(groups[1], 80u);
}

TEST(BalancedOrder, GivesEachGroupAnEqualShareWhateverItsSize) {
    std::vector<std::int64_t> large(900), small(30);
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<std::int64_t>(i);
    for (std::size_t i = 0; i < small.size(); ++i) small[i] = 1000 + static_cast<std::int64_t>(i);
    BalancedOrder order({large, {}, small}, 1, RandomPurpose::kImageOrder, 8), fresh({large, {}, small}, 1, RandomPurpose::kImageOrder, 8);
    std::map<std::int64_t, int> seen;
    std::int64_t fromSmall = 0;
    for (std::int64_t step = 1; step <= 225; ++step)
        for (const std::int64_t sample : order.batch(step)) {
            ++seen[sample];
            fromSmall += sample >= 1000;
        }
    EXPECT_EQ(fromSmall, 900) << "half of 1,800";
    for (const std::int64_t sample : large) EXPECT_EQ(seen[sample], 1) << "an epoch of the large group";
    for (const std::int64_t sample : small) EXPECT_EQ(seen[sample], 30) << "thirty of the small one";
    EXPECT_EQ(fresh.batch(100), BalancedOrder({large, small}, 1, RandomPurpose::kImageOrder, 8).batch(100));
    EXPECT_TRUE(BalancedOrder({{}}, 1, RandomPurpose::kImageOrder, 8).batch(1).empty());
}

TEST(BalancedOrder, OfOneGroupIsItsOrder) {
    std::vector<std::int64_t> samples(17);
    for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<std::int64_t>(i);
    SampleOrder plain(samples, 5, RandomPurpose::kPairOrder, 4);
    BalancedOrder balanced({samples}, 5, RandomPurpose::kPairOrder, 4);
    for (std::int64_t step = 1; step <= 20; ++step) EXPECT_EQ(plain.batch(step), balanced.batch(step));
}

TEST(SampleOrder, EachEpochIsAPermutation) {
    std::vector<std::int64_t> samples{3, 5, 8, 13, 21, 34, 55};
    SampleOrder order(samples, 1, RandomPurpose::kImageOrder, 3);
    std::vector<std::int64_t> seen;
    for (std::int64_t step = 1; step <= 7; ++step)
        for (const auto sample : order.batch(step)) seen.push_back(sample);
    ASSERT_EQ(seen.size(), 21u);
    for (int epoch = 0; epoch < 3; ++epoch) {
        std::vector<std::int64_t> part(seen.begin() + epoch * 7, seen.begin() + epoch * 7 + 7);
        std::sort(part.begin(), part.end());
        EXPECT_EQ(part, samples);
    }
    EXPECT_NE(std::vector<std::int64_t>(seen.begin(), seen.begin() + 7), std::vector<std::int64_t>(seen.begin() + 7, seen.begin() + 14));
    SampleOrder fresh(samples, 1, RandomPurpose::kImageOrder, 3);
    EXPECT_EQ(fresh.batch(6), (std::vector<std::int64_t>(seen.begin() + 15, seen.begin() + 18)));
}

}  // namespace
}  // namespace es::engine
