// SPDX-License-Identifier: GPL-3.0-or-later
// Everyday objects from the installed packages. Counts are lower bounds: other releases hold others.
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "datasets/convert.h"
#include "datasets/dataset.h"
#include "datasets/known_sets.h"
#include "datasets/source.h"

namespace es::datasets {
namespace {

Conversion converted(const std::string& set) {
    config::DataOptions options;
    options.set = set;
    auto source = openSource(options, {});
    EXPECT_TRUE(source) << source.error().message();
    if (!source) return {};
    auto done = convert(**source, 32, 0, nullptr, {});
    EXPECT_TRUE(done) << done.error().message();
    if (!done) return {};
    const Report& report = done->report;
    std::printf("%s: %lld pairs, %lld distinct captions, %lld duplicates left out, %zu damaged, %zu notes; %lld / %lld / %lld\n", set.c_str(),
                static_cast<long long>(report.pairs), static_cast<long long>(report.distinct_captions), static_cast<long long>(report.duplicates),
                report.problems.size(), report.notes.size(), static_cast<long long>(report.train), static_cast<long long>(report.validation),
                static_cast<long long>(report.test));
    for (const auto& problem : report.problems) std::printf("  damaged: %s: %s\n", problem.path.c_str(), problem.why.c_str());
    return std::move(*done);
}

std::set<std::string> categoriesOf(const Conversion& conversion) {
    std::set<std::string> categories;
    for (const auto& sample : conversion.samples) categories.insert(sample.item->category);
    return categories;
}

/// The share of samples in the largest group that shares a split only because pictures look alike: a signature that is too coarse would tie everything.
void expectSplitsNearEightyTenTen(const Conversion& conversion) {
    const auto n = static_cast<double>(conversion.report.samples);
    EXPECT_NEAR(static_cast<double>(conversion.report.train) / n, 0.8, 0.05);
    EXPECT_NEAR(static_cast<double>(conversion.report.validation) / n, 0.1, 0.04);
    EXPECT_NEAR(static_cast<double>(conversion.report.test) / n, 0.1, 0.04);
}

TEST(StampsPackage, HoldsAtLeastWhatItsNotesCount) {
    if (!missingPackages("stamps").empty()) GTEST_SKIP() << installRemedy(missingPackages("stamps"));
    const Conversion stamps = converted("stamps");
    // 950 stamps have a text; 158 of them are letters, of which 26 stay.
    EXPECT_GE(stamps.report.pairs, 800);
    EXPECT_GE(stamps.report.distinct_captions, 690);
    EXPECT_LE(stamps.report.problems.size(), 2u);
    EXPECT_GE(categoriesOf(stamps).size(), 16u);
    expectSplitsNearEightyTenTen(stamps);
    std::map<std::string, std::string> found;
    for (const auto& sample : stamps.samples) found[sample.item->caption] = sample.item->source;
    EXPECT_THAT(found["a wrench"], testing::HasSubstr("household/tools/wrench.png"));
    EXPECT_THAT(found["a head of red lettuce"], testing::HasSubstr("food/vegetables"));
}

TEST(ClipartPackage, HoldsAtLeastWhatItsNotesCount) {
    if (!missingPackages("clipart").empty()) GTEST_SKIP() << installRemedy(missingPackages("clipart"));
    const Conversion clipart = converted("clipart");
    // 3,493 drawings in 18 folders; copies and pictures of one colour are left out of them.
    EXPECT_GE(clipart.report.pairs, 3300);
    EXPECT_GE(clipart.report.distinct_captions, 2700);
    EXPECT_LE(clipart.report.problems.size(), 5u);
    EXPECT_GE(categoriesOf(clipart).size(), 17u);
    expectSplitsNearEightyTenTen(clipart);
    std::set<std::string> captions;
    for (const auto& sample : clipart.samples) {
        captions.insert(sample.item->caption);
        EXPECT_EQ(sample.item->caption.find("gramastar"), std::string::npos);
        EXPECT_EQ(sample.item->caption.find("hash("), std::string::npos);
        EXPECT_EQ(sample.item->license, "public domain");
    }
    EXPECT_TRUE(captions.contains("a simple pig, mammal, animal") || captions.contains("a simple pig, animal, mammal"));
}

}  // namespace
}  // namespace es::datasets
