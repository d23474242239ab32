// SPDX-License-Identifier: GPL-3.0-or-later
// Everyday objects: stamps and clip art from small folders laid out as the packages are, cleaned; several sets as one.
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "datasets/convert.h"
#include "datasets/joined_source.h"
#include "datasets/known_sets.h"
#include "datasets/object_files.h"
#include "datasets/objects/clipart_source.h"
#include "datasets/objects/clipart_texts.h"
#include "datasets/objects/looks.h"
#include "datasets/objects/stamp_source.h"
#include "datasets/objects/svg.h"
#include "datasets/scenes/scene_source.h"
#include "support/scratch_folder.h"

namespace es::datasets {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;

std::map<std::string, const Item*> byCaption(const Conversion& conversion) {
    std::map<std::string, const Item*> items;
    for (const auto& sample : conversion.samples) items[sample.item->caption] = sample.item;
    return items;
}

TEST(Svg, IsDrawnWithItsShapeAndTransparencyAround) {
    const auto picture = drawSvg(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"200\" height=\"100\"><rect width=\"200\" height=\"100\" fill=\"#ff0000\" "
        "fill-opacity=\"0.5\"/></svg>",
        40);
    ASSERT_TRUE(picture) << picture.error();
    ASSERT_EQ(picture->size(), 40u * 40 * 4);
    const auto at = [&](int x, int y) { return &(*picture)[static_cast<std::size_t>((y * 40 + x) * 4)]; };
    EXPECT_EQ(at(20, 2)[3], 0) << "twice as wide as high: above is nothing";
    EXPECT_NEAR(at(20, 20)[3], 128, 2);
    EXPECT_EQ(at(20, 20)[0], 255) << "colours are not multiplied by alpha";
    EXPECT_EQ(at(20, 20)[1], 0);
}

TEST(Svg, SaysWhyItCannotBeDrawn) {
    EXPECT_THAT(drawSvg("<svg xmlns=\"http://www.w3.org/2000/svg\"><circle", 16).error(), HasSubstr("cannot be drawn"));
    EXPECT_FALSE(drawSvg("", 16));
    EXPECT_FALSE(drawSvg("no drawing at all", 16));
}

TEST(Looks, TellCopiesFromOtherDrawings) {
    const auto drawn = [](const std::string& svg, std::int64_t size) { return looksOf(*drawSvg(svg, size), size); };
    EXPECT_EQ(drawn(test::discSvg("#c04020", 3), 64), drawn(test::discSvg("#c04020", 3), 64));
    std::set<std::uint64_t> looks;
    for (int seed = 0; seed < 20; ++seed) looks.insert(drawn(test::discSvg("#c04020", seed), 64));
    EXPECT_GE(looks.size(), 19u);
    std::vector<std::uint8_t> flat(16 * 16 * 4, 200);
    EXPECT_EQ(looksOf(flat, 16), 0u);
    EXPECT_TRUE(isUniform(flat));
    flat[40] = 190;
    EXPECT_FALSE(isUniform(flat));
    std::vector<std::uint8_t> hidden(8 * 8 * 4, 0);
    hidden[0] = 255;  // a colour that alpha hides
    EXPECT_TRUE(isUniform(hidden));
}

TEST(Stamps, HaveTheirSentenceAsCaption) {
    EXPECT_EQ(stampCaption("A wrench.\nde.utf8=Ein Schraubenschlüssel.\n"), "a wrench");
    EXPECT_EQ(stampCaption("An Adelaide Rosella.\r\n"), "an Adelaide Rosella");
    EXPECT_EQ(stampCaption("UFO"), "UFO");
    EXPECT_EQ(stampCaption("Queen. Can move in any direction."), "queen. Can move in any direction");
    EXPECT_EQ(stampCaption(""), "");
    EXPECT_EQ(stampCaption("de.utf8=Ente"), "");
}

TEST(Stamps, AreReadAndCleaned) {
    test::ScratchFolder scratch;
    test::writeStamps(scratch / "stamps");
    auto source = openStampSource(scratch / "stamps");
    ASSERT_TRUE(source) << source.error().message();
    const auto done = convert(**source, 48, 2, nullptr, {});
    ASSERT_TRUE(done) << done.error().message();
    const auto items = byCaption(*done);
    ASSERT_TRUE(items.contains("a duck") && items.contains("an Adelaide Rosella") && items.contains("grapes"));
    EXPECT_EQ(items.at("a duck")->category, "animals");
    EXPECT_EQ(items.at("a duck")->subcategory, "birds");
    EXPECT_EQ(items.at("a duck")->domain, "stamps");
    EXPECT_EQ(items.at("a duck")->license, "GPL-2.0-or-later");
    EXPECT_EQ(items.at("a saw")->source, "tuxpaint-stamps/household/tools/saw.png");
    EXPECT_EQ(done->report.pairs, 7 + 26) << "seven things and one alphabet's worth of letters";
    EXPECT_EQ(done->report.found, 7 + 52 + 2) << "with the other letters, the broken one and the one of one colour";
    ASSERT_EQ(done->report.problems.size(), 2u);
    EXPECT_THAT(done->report.problems, Contains(Field(&Problem::path, "symbols/music/broken.svg")));
    EXPECT_THAT(done->report.problems, Contains(Field(&Problem::path, "symbols/music/foreign.txt")));
    EXPECT_THAT(done->report.notes, Contains(Field(&Problem::why, HasSubstr("one colour"))));
    EXPECT_THAT(done->report.notes, Contains(Field(&Problem::why, HasSubstr("26 more drawings of letters"))));
    EXPECT_THAT(done->report.notes, Contains(Field(&Problem::path, "symbols/music/note.svg")));
}

TEST(Stamps, SayWhatToInstall) {
    test::ScratchFolder scratch;
    const auto source = openStampSource(scratch / "nothing");
    ASSERT_FALSE(source);
    EXPECT_EQ(source.error().kind, ErrorKind::kBadInput);
    EXPECT_THAT(source.error().remedy, HasSubstr("apt install tuxpaint-stamps-default"));
    EXPECT_THAT(installRemedy({"tuxpaint-stamps-default"}), HasSubstr("./run setup --objects"));
    EXPECT_EQ(installRemedy({}), "");
}

TEST(ClipartTexts, AreReadWhateverTheNamespace) {
    for (const bool old : {false, true}) {
        const auto text = readClipartText(test::discSvg("#fff", 1, test::clipartMetadata("A  Pig", "Jane", "farm;animal", "http://x/PublicDomain", old)));
        EXPECT_EQ(text.title, "A Pig");
        EXPECT_EQ(text.author, "Jane");
        EXPECT_EQ(text.license, "http://x/PublicDomain");
        EXPECT_EQ(text.keywords, (std::vector<std::string>{"farm", "animal"}));
    }
    const auto none = readClipartText("<svg/>");
    EXPECT_TRUE(none.title.empty() && none.keywords.empty() && none.license.empty());
    EXPECT_TRUE(readClipartText("not xml <<<").title.empty());
}

TEST(ClipartTexts, StateALicenceOrNone) {
    const auto licence = [](const std::string& stated, const std::string& comment = "") {
        const std::string svg = comment + test::discSvg("#fff", 1, test::clipartMetadata("A pig", "J", "", stated));
        return licenseOf(readClipartText(svg), svg);
    };
    for (const char* free : {"http://web.resource.org/cc/PublicDomain", "http://creativecommons.org/licenses/publicdomain/", "Public Domain",
                             "http://creativecommons.org/publicdomain/zero/1.0/"})
        EXPECT_EQ(licence(free), "public domain") << free;
    for (const char* other : {"", "http://example.org/terms", "mine"}) EXPECT_EQ(licence(other), "see the package (the file states no licence)") << other;
    EXPECT_EQ(licence("http://web.resource.org/cc/PublicDomain", "<!-- visit http://creativecommons.org/licenses/by/2.0/ or ask -->"), "CC-BY-2.0")
        << "what the file says elsewhere asks for more";
    EXPECT_EQ(licence("http://creativecommons.org/licenses/by-sa/3.0"), "CC-BY-SA-3.0");
    EXPECT_EQ(licence("http://creativecommons.org/licenses/by-sa"), "CC-BY-SA");
}

TEST(ClipartTexts, AreCleaned) {
    EXPECT_EQ(nameFromFile("animals/a_simplePig_01.svg"), "a simple pig");
    EXPECT_EQ(nameFromFile("x/foglie-arancioni.2.svg"), "foglie arancioni");
    EXPECT_EQ(nameFromFile("007.svg"), "");
    EXPECT_EQ(withoutKind("softdrink icon"), "softdrink");
    EXPECT_EQ(withoutKind("cat clip art icon"), "cat");
    EXPECT_EQ(withoutKind("icon"), "icon");
    EXPECT_EQ(withoutKind("emoticon"), "emoticon");
    EXPECT_TRUE(isCollectionTitle("Part of the Flat Icon Collection (Wed Aug 25)"));
    EXPECT_TRUE(isCollectionTitle("gramastar 12"));
    EXPECT_FALSE(isCollectionTitle("a card game"));
    const ClipartText text{
        .title = "A pig", .author = "jane doe", .license = {}, .keywords = {"Animal", "pig", "hash(0x83)", "clip_art", "Jane Doe", "farm_life", "animal"}};
    EXPECT_EQ(usefulKeywords(text, "a pig"), (std::vector<std::string>{"animal", "farm life"}));
}

TEST(Clipart, IsReadAndCleaned) {
    test::ScratchFolder scratch;
    test::writeClipart(scratch / "svg");
    auto source = openClipartSource(true, scratch / "svg");
    ASSERT_TRUE(source) << source.error().message();
    const auto done = convert(**source, 48, 2, nullptr, {});
    ASSERT_TRUE(done) << done.error().message();
    const auto items = byCaption(*done);
    ASSERT_TRUE(items.contains("a simple pig, animal, mammal"));
    EXPECT_EQ(items.at("a simple pig, animal, mammal")->category, "animals");
    EXPECT_EQ(items.at("a simple pig, animal, mammal")->license, "public domain");
    EXPECT_EQ(items.at("a simple pig, animal, mammal")->source, "openclipart/animals/mammals/a_simple_pig_01.svg, by Jane Doe");
    EXPECT_TRUE(items.contains("black crow, bird")) << "the title named a collection";
    EXPECT_TRUE(items.contains("car model a, vehicle")) << "thirteen drawings of one title are a collection";
    EXPECT_TRUE(items.contains("plain"));
    EXPECT_TRUE(items.contains("lantern, tool")) << "the same picture under another caption stays";
    for (const auto& [caption, item] : items) {
        EXPECT_EQ(caption.find("thing"), std::string::npos);
        EXPECT_EQ(caption.find("hammer"), std::string::npos);
        EXPECT_EQ(item->source.find("link_to"), std::string::npos);
    }
    EXPECT_EQ(done->report.duplicates, 1) << "the copied lamp";
    EXPECT_THAT(done->report.notes, Contains(Field(&Problem::why, HasSubstr("shows the same picture as"))));
    EXPECT_THAT(done->report.notes, Contains(Field(&Problem::why, HasSubstr("GPL"))));
    EXPECT_THAT(done->report.notes, Contains(Field(&Problem::path, "shapes")));
    ASSERT_EQ(done->report.problems.size(), 1u);
    EXPECT_EQ(done->report.problems[0].path, "tools/broken.svg");
    const auto splitOf = [&](const std::string& caption) {
        for (const auto& sample : done->samples)
            if (sample.item->caption == caption) return sample.split;
        return Split::kNone;
    };
    EXPECT_EQ(splitOf("lantern, tool"), splitOf("red hurricane lamp, tool, work")) << "pictures that look alike share a split";

    auto names = openClipartSource(false, scratch / "svg");
    ASSERT_TRUE(names);
    EXPECT_TRUE(byCaption(*convert(**names, 32, 1, nullptr, {})).contains("a simple pig"));
}

TEST(Clipart, DoesNotDependOnThreads) {
    test::ScratchFolder scratch;
    test::writeClipart(scratch / "svg");
    auto source = openClipartSource(true, scratch / "svg");
    ASSERT_TRUE(source);
    const auto one = convert(**source, 32, 1, nullptr, {}), four = convert(**source, 32, 4, nullptr, {});
    ASSERT_TRUE(one && four);
    ASSERT_EQ(one->samples.size(), four->samples.size());
    for (std::size_t i = 0; i < one->samples.size(); ++i) {
        EXPECT_EQ(one->samples[i].hash, four->samples[i].hash);
        EXPECT_EQ(one->samples[i].split, four->samples[i].split);
    }
}

TEST(JoinedSets, KeepTheirDomainsAndPrefixTheirCategories) {
    test::ScratchFolder scratch;
    test::writeStamps(scratch / "stamps");
    test::writeClipart(scratch / "svg");
    std::vector<std::unique_ptr<Source>> parts;
    parts.push_back(std::move(*openStampSource(scratch / "stamps")));
    parts.push_back(std::move(*openClipartSource(true, scratch / "svg")));
    parts.push_back(openSceneSource(40, 1));
    const auto joined = joinSources("stamps+clipart+scenes", "all", std::move(parts));
    const auto done = convert(*joined, 32, 2, nullptr, {});
    ASSERT_TRUE(done) << done.error().message();
    std::map<std::string, int> domains;
    for (const auto& sample : done->samples) {
        const Item& item = *sample.item;
        ++domains[item.domain];
        EXPECT_TRUE(item.category.starts_with(item.domain + ": ")) << item.category;
        EXPECT_EQ(sample.truth.empty(), item.domain != "scenes");
    }
    EXPECT_EQ(domains.size(), 3u);
    ASSERT_EQ(done->report.parts.size(), 3u);
    for (std::size_t part = 0, i = 0; part < 3; ++part)
        for (; i < static_cast<std::size_t>(done->report.parts[part].end); ++i) EXPECT_EQ(done->samples[i].item->domain, done->report.parts[part].name);
    EXPECT_EQ(done->report.parts[2].end, done->report.samples);
    EXPECT_EQ(domains["scenes"], 40);
    EXPECT_THAT(done->report.problems, Contains(Field(&Problem::path, "clipart: tools/broken.svg")));
    EXPECT_THAT(done->report.problems, Contains(Field(&Problem::path, "stamps: symbols/music/broken.svg")));
    // Partners of minimal pairs are found among the items of all.
    for (const auto& sample : done->samples)
        if (sample.item->pair_of >= 0) {
            const auto truth = sceneTruthFromJson(sample.truth);
            const auto base = std::find_if(done->samples.begin(), done->samples.end(), [&](const PlacedSample& s) { return s.hash == truth->pair_of; });
            ASSERT_NE(base, done->samples.end());
            EXPECT_EQ(base->item, &done->items[static_cast<std::size_t>(sample.item->pair_of)]);
        }
}

TEST(JoinedSets, AreNamedByAPlus) {
    EXPECT_EQ(setParts("objects+scenes"), (std::vector<std::string>{"objects", "scenes"}));
    EXPECT_EQ(setParts("scenes + sprites"), (std::vector<std::string>{"scenes", "sprites"}));
    EXPECT_EQ(setParts("scenes+scenes"), (std::vector<std::string>{"scenes"}));
    EXPECT_EQ(setParts("scenes+/some/folder"), (std::vector<std::string>{"scenes", "/some/folder"}));
    EXPECT_EQ(setParts("emoji"), (std::vector<std::string>{"emoji"}));
    EXPECT_EQ(setParts("c++"), (std::vector<std::string>{"c++"}));
    EXPECT_EQ(setParts("scenes+nothing"), (std::vector<std::string>{"scenes+nothing"}));
    config::DataOptions options;
    options.set = "scenes+nothing";
    EXPECT_THAT(openSource(options, {}).error().message(), HasSubstr("no data set 'scenes+nothing'"));
}

TEST(KnownSets, AreListedWithWhatTheyNeed) {
    test::ScratchFolder scratch;
    const auto sets = list(scratch.path());
    std::map<std::string, SetInfo> byName;
    for (const auto& set : sets) byName[set.name] = set;
    for (const char* name : {"emoji", "stamps", "clipart", "objects", "scenes", "sprites"}) {
        ASSERT_TRUE(byName.contains(name)) << name;
        EXPECT_EQ(byName[name].available, byName[name].remedy.empty());
    }
    EXPECT_TRUE(byName["scenes"].available) << "it needs no package";
    config::DataOptions options;
    options.set = "scenes";
    options.scenes = 16;
    options.image_size = 16;
    options.vocabulary = 64;
    options.cache = scratch.path().string();
    ASSERT_TRUE(prepare(options, {}));
    options.set = "scenes+emoji";
    const bool emoji = byName["emoji"].available;
    if (emoji) {
        ASSERT_TRUE(prepare(options, {}));
    }
    for (const auto& set : list(scratch.path())) byName[set.name] = set;
    EXPECT_EQ(byName["scenes"].samples, 16);
    if (emoji) {
        EXPECT_GE(byName["scenes+emoji"].samples, 3000);
    }
}

}  // namespace
}  // namespace es::datasets
