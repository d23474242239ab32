// SPDX-License-Identifier: GPL-3.0-or-later
// Everyday objects from the installed packages. Counts are lower bounds: other releases hold others.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "datasets/convert.h"
#include "datasets/dataset.h"
#include "datasets/known_sets.h"
#include "datasets/objects/looks.h"
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

/// Looks that are too coarse would tie everything together, and one split would hold it.
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
    EXPECT_GE(stamps.report.found, 948);
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
    EXPECT_GE(clipart.report.found, 3480);
    EXPECT_GE(clipart.report.pairs, 3300);
    EXPECT_GE(clipart.report.distinct_captions, 2700);
    EXPECT_LE(clipart.report.problems.size(), 5u);
    EXPECT_GE(categoriesOf(clipart).size(), 17u);
    expectSplitsNearEightyTenTen(clipart);
    std::set<std::string> captions;
    std::map<std::string, int> licences;
    for (const auto& sample : clipart.samples) {
        captions.insert(sample.item->caption);
        EXPECT_EQ(sample.item->caption.find("gramastar"), std::string::npos);
        EXPECT_EQ(sample.item->caption.find("hash("), std::string::npos);
        ++licences[sample.item->license];
    }
    EXPECT_GE(licences["public domain"], 3200);
    EXPECT_EQ(licences.count("CC-BY-2.0"), 1u) << "the flag of Kernow says so in a comment";
    EXPECT_TRUE(captions.contains("a simple pig, mammal, animal") || captions.contains("a simple pig, animal, mammal"));
}

TEST(LooksOfPackages, TieFewPicturesTogether) {
    if (!missingPackages("clipart").empty()) GTEST_SKIP() << installRemedy(missingPackages("clipart"));
    config::DataOptions options;
    options.set = "clipart";
    const auto source = *openSource(options, {});
    const auto content = *source->read({});
    const auto reader = *source->makeReader();
    std::map<std::uint64_t, std::int64_t> alike;
    for (std::int64_t i = 0; i < content.pictures; i += 2)
        if (const auto picture = reader->read(i, kLooksSide); picture && picture->alike != 0) ++alike[picture->alike];
    std::int64_t largest = 0, tied = 0, all = 0;
    for (const auto& [looks, count] : alike) {
        largest = std::max(largest, count);
        tied += count > 1 ? count : 0;
        all += count;
    }
    std::printf("of %lld drawings %lld look like another, %lld in the largest group\n", static_cast<long long>(all), static_cast<long long>(tied),
                static_cast<long long>(largest));
    EXPECT_LE(largest, 30);
    EXPECT_LE(tied, all / 10);
}

TEST(ObjectsAndSprites, HoldOutTheSameThings) {
    if (!missingPackages("objects").empty()) GTEST_SKIP() << installRemedy(missingPackages("objects"));
    config::DataOptions options;
    options.set = "objects+scenes+sprites";
    options.keywords = false;  // so that captions are names
    options.scenes = 2000;
    const auto source = openSource(options, {});
    ASSERT_TRUE(source) << source.error().message();
    const auto done = convert(**source, 48, 0, nullptr, {});
    ASSERT_TRUE(done) << done.error().message();
    // By set and name: of a drawing filed in two folders, the sets keep the first.
    const auto setOf = [](const std::string& category) { return category.substr(0, category.find(':')); };
    std::map<std::pair<std::string, std::string>, std::set<Split>> owned;
    for (const auto& sample : done->samples)
        if (sample.truth.empty()) owned[{setOf(sample.item->category), sample.item->caption}].insert(sample.split);
    std::set<std::pair<std::string, std::string>> seen[3];
    std::set<std::string> absent;
    for (const auto& sample : done->samples) {
        if (sample.item->domain != "sprites") continue;
        const auto truth = sceneTruthFromJson(sample.truth);
        ASSERT_TRUE(truth);
        for (const SceneObject& object : truth->objects) {
            const auto& own = owned[{setOf(object.category), object.name}];
            if (own.empty()) {  // so small that it shows one colour: left out there, so that nothing can leak
                absent.insert(object.name);
                continue;
            }
            EXPECT_EQ(own, std::set<Split>{sample.split}) << object.category << ", " << object.name;
            seen[static_cast<std::size_t>(sample.split)].insert({object.category, object.name});
        }
    }
    std::printf("cut-outs seen in training %zu, validation %zu, test %zu\n", seen[0].size(), seen[1].size(), seen[2].size());
    EXPECT_LE(absent.size(), 20u);
    EXPECT_GE(seen[0].size(), 900u);
    EXPECT_GE(seen[1].size() + seen[2].size(), 150u);
    ASSERT_EQ(done->report.parts.size(), 5u);
}

}  // namespace
}  // namespace es::datasets
