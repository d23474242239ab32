// SPDX-License-Identifier: GPL-3.0-or-later
// What an overlay shows of routing written down by hand: every mode, every layout of routing, and what it is compared with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "analysis/figures/figure_recipe.h"
#include "analysis/figures/inspect_panels.h"
#include "analysis/memory_run.h"
#include "engine/base/hash.h"
#include "support/scratch_folder.h"
#include "support/synthetic_run.h"

namespace es::analysis {
namespace {

using testing::Contains;
using testing::HasSubstr;
using Layout = store::RoutingLayout;

constexpr std::uint64_t kSample = 77;

store::RouterInfo routerOf(std::int32_t id, Branch branch, std::int32_t experts, std::int32_t k, Layout layout) {
    store::RouterInfo router;
    router.id = RouterId(id);
    router.layer = LayerIndex(2);
    router.branch = branch;
    router.experts = experts;
    router.k = k;
    router.layout = layout;
    return router;
}

void addTokens(store::RoutingTable& table, std::int64_t tokens, Modality modality, Objective objective) {
    table.tokens += tokens;
    for (std::int64_t t = 0; t < tokens; ++t) {
        table.sample_T.push_back(kSample);
        table.position_T.push_back(static_cast<std::uint16_t>(t));
        table.modality_T.push_back(modality);
        table.token_id_T.push_back(-1);
        table.masked_T.push_back(0);
        table.objective_T.push_back(objective);
    }
}

/// 2 x 2 patches through a router of three experts with k = 2, and two words through another with k = 1.
SampleRouting handMade() {
    SampleRouting routing;
    routing.sample.hash = kSample;
    routing.sample.grid_width = routing.sample.grid_height = 2;
    routing.sample.token_texts = {"a", "goat"};
    routing.step = 200;
    store::RoutingTable patches;
    patches.router = routerOf(0, Branch::kVision, 3, 2, Layout::kFixedK);
    addTokens(patches, 4, Modality::kVision, Objective::kPairImage);
    patches.expert_ids = {0, 1, 1, 2, 2, 0, 0, 2};
    patches.gates = {0.6f, 0.3f, 0.5f, 0.4f, 0.7f, 0.2f, 0.5f, 0.5f};
    patches.kept = {1, 1, 0, 1, 1, 0, 0, 0};
    patches.probs_TE = {0.6f, 0.3f, 0.1f, 0.1f, 0.5f, 0.4f, 0.2f, 0.1f, 0.7f, 0.5f, 0.0f, 0.5f};
    store::RoutingTable words;
    words.router = routerOf(1, Branch::kText, 3, 1, Layout::kFixedK);
    addTokens(words, 2, Modality::kText, Objective::kPairText);
    words.expert_ids = {2, 0};
    words.gates = {0.9f, 0.8f};
    words.probs_TE = {0.05f, 0.05f, 0.9f, 0.8f, 0.1f, 0.1f};
    routing.routing = {patches, words};
    return routing;
}

const OverlayPanel& contentOf(const Result<Panel>& panel) { return std::get<OverlayPanel>(panel->content); }

TEST(OverlayModes, NamesGoThereAndBack) {
    for (int i = 0; i < kOverlayModes; ++i) {
        const auto mode = static_cast<OverlayMode>(i);
        EXPECT_EQ(overlayModeFromString(toString(mode)), mode);
    }
    EXPECT_FALSE(overlayModeFromString("colour").has_value());
}

TEST(OverlayModes, TheScaleOfAttentionIsThatOfThePatches) {
    SampleRouting routing = handMade();
    routing.attention = {{LayerIndex(2), {0.25f, 0.1f, 0.05f, 0.05f}, {0.5f, 0.05f}}};
    const auto panel = overlay(routing, {.layer = LayerIndex(2), .mode = OverlayMode::kAttention});
    ASSERT_TRUE(panel) << panel.error().message();
    EXPECT_NEAR(contentOf(panel).value_max, 0.25 * 6, 1e-5);
    EXPECT_NEAR(contentOf(panel).words[0].cell.value, 0.5 * 6, 1e-5);
    EXPECT_THAT(panel->notes, testing::Contains(HasSubstr("words receive up to 3: their colour ends")));
}

TEST(OverlayModes, CaptionsThatTheModelCutsAreSaidToBe) {
    const auto noted = [](const std::string& caption, std::vector<std::string> pieces) {
        test::MemoryRun run;
        store::SampleRecord sample;
        sample.hash = kSample;
        sample.caption = caption;
        sample.token_texts = std::move(pieces);
        run.samples = {sample};
        const auto routing = sampleRouting(run, kSample);
        return routing && testing::Value(routing->notes, testing::Contains(HasSubstr("cut after")));
    };
    EXPECT_TRUE(noted("A zipper, a goat", {"a", "zip", "##per", ","}));
    EXPECT_FALSE(noted("A zipper, a goat", {"a", "zip", "##per", ",", "a", "goat"}));
    EXPECT_FALSE(noted("A zipper 🐐 goat", {"a", "zip", "##per", "<unk>"})) << "what the vocabulary lacks hides what was left out";
    EXPECT_FALSE(noted("a goat", {}));
}

TEST(OverlayModes, ReadingsSayWhichSlotWasWhose) {
    store::RoutingTable table = handMade().routing.front();
    EXPECT_EQ(readToken(table, 0).slots, -1);
    EXPECT_EQ(readToken(table, 0).choices[0].place, -1);
    for (std::size_t i = 0; i < table.expert_ids.size(); ++i) table.place.push_back(static_cast<std::uint32_t>(i));
    for (std::int64_t t = 0; t < table.tokens; ++t) table.slots_T.push_back(static_cast<std::uint32_t>(10 + t));
    const TokenReading reading = readToken(table, 2);
    EXPECT_EQ(reading.slots, 12);
    ASSERT_EQ(reading.choices.size(), 2u);
    EXPECT_EQ(reading.choices[0].place, 4);
    EXPECT_EQ(reading.choices[1].place, 5);
}

TEST(OverlayModes, RanksAndSplitCellsHoldEveryChoice) {
    const SampleRouting routing = handMade();
    const auto second = overlay(routing, {.layer = LayerIndex(2), .rank = 1});
    const auto& cells = contentOf(second).patches;
    EXPECT_EQ(cells[0].expert, 1);
    EXPECT_EQ(cells[2].expert, 0);
    EXPECT_TRUE(cells[2].dropped) << "the second choice found no slot";
    EXPECT_FALSE(cells[0].dropped);
    ASSERT_EQ(cells[1].choices.size(), 2u);
    EXPECT_EQ(cells[1].choices[0].expert, 1);
    EXPECT_FLOAT_EQ(cells[1].choices[1].mass, 0.4f);
    EXPECT_EQ(contentOf(second).words[0].cell.expert, -1) << "a word has one expert only";
    EXPECT_FALSE(contentOf(second).words[0].cell.unseen);
}

TEST(OverlayModes, DroppedIsTheShareOfLostChoices) {
    const auto panel = overlay(handMade(), {.layer = LayerIndex(2), .mode = OverlayMode::kDropped});
    const auto& content = contentOf(panel);
    EXPECT_FLOAT_EQ(content.patches[0].value, 0);
    EXPECT_FLOAT_EQ(content.patches[1].value, 0.5f);
    EXPECT_FLOAT_EQ(content.patches[3].value, 1);
    EXPECT_EQ(overlayMissing(handMade(), {.layer = LayerIndex(2), .mode = OverlayMode::kDropped}), "");
    SampleRouting kept = handMade();
    for (auto& table : kept.routing) table.kept.clear();
    EXPECT_THAT(overlayMissing(kept, {.layer = LayerIndex(2), .mode = OverlayMode::kDropped}), HasSubstr("drops nothing"));
}

TEST(OverlayModes, OneExpertIsItsProbabilityAtEveryTokenOfItsRouter) {
    const SampleRouting routing = handMade();
    const auto panel = overlay(routing, {.layer = LayerIndex(2), .mode = OverlayMode::kProbability, .expert_router = RouterId(0), .expert = ExpertIndex(2)});
    const auto& content = contentOf(panel);
    const float expected[] = {0.1f, 0.4f, 0.7f, 0.5f};
    for (std::size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(content.patches[i].value, expected[i]) << i;
    EXPECT_TRUE(std::isnan(content.words[0].cell.value)) << "words have another router, whose experts are others";
    EXPECT_DOUBLE_EQ(content.value_max, 0.7f);
    EXPECT_EQ(content.value_title, "router probability of expert 2");
    EXPECT_THAT(panel->notes, Contains(HasSubstr("tokens of other routers have no value")));
    // Of a T-router's expert, the words have values.
    const auto of_words = overlay(routing, {.layer = LayerIndex(2), .mode = OverlayMode::kProbability, .expert_router = RouterId(1), .expert = ExpertIndex(2)});
    EXPECT_FLOAT_EQ(contentOf(of_words).words[0].cell.value, 0.9f);
    EXPECT_TRUE(std::isnan(contentOf(of_words).patches[0].value));
    // Nothing chosen: the first choice most often. Expert 0 comes first twice.
    const auto most = overlay(routing, {.layer = LayerIndex(2), .mode = OverlayMode::kProbability, .expert_router = RouterId(0)});
    EXPECT_EQ(contentOf(most).value_title, "router probability of expert 0");
    SampleRouting bare = routing;
    for (auto& table : bare.routing) table.probs_TE.clear();
    EXPECT_THAT(overlayMissing(bare, {.layer = LayerIndex(2), .mode = OverlayMode::kProbability}), HasSubstr("was not recorded"));
    EXPECT_THAT(overlayMissing(bare, {.layer = LayerIndex(2), .mode = OverlayMode::kEntropy}), HasSubstr("was recorded"));
    EXPECT_THAT(overlayMissing(bare, {.layer = LayerIndex(7), .mode = OverlayMode::kExpert}), HasSubstr("No router of this layer"));
}

TEST(OverlayModes, AttentionIsMeasuredAgainstAnEvenShare) {
    SampleRouting routing = handMade();
    EXPECT_THAT(overlayMissing(routing, {.layer = LayerIndex(2), .mode = OverlayMode::kAttention}), HasSubstr("not recorded"));
    routing.attention = {{LayerIndex(1), {0.1f, 0.1f, 0.1f, 0.1f}, {0.3f, 0.3f}}, {LayerIndex(2), {0.5f, 0.1f, 0.1f, 0.1f}, {0.15f, 0.05f}}};
    EXPECT_EQ(overlayMissing(routing, {.layer = LayerIndex(2), .mode = OverlayMode::kAttention}), "");
    const auto panel = overlay(routing, {.layer = LayerIndex(2), .mode = OverlayMode::kAttention});
    const auto& content = contentOf(panel);
    EXPECT_NEAR(content.patches[0].value, 0.5 * 6, 1e-5);
    EXPECT_NEAR(content.words[1].cell.value, 0.05 * 6, 1e-5);
    EXPECT_NEAR(content.value_max, 3, 1e-5);
}

TEST(OverlayModes, ChangedAndDifferenceAreAgainstTheSameTokensElsewhere) {
    const SampleRouting now = handMade();
    SampleRouting before = handMade();
    before.step = 100;
    before.routing[0].expert_ids = {0, 1, 2, 1, 2, 0, 1, 2};  // patches 1 and 3 had another first choice
    before.routing[0].probs_TE[2] = 0.3f;                     // of expert 2 at patch 0
    OverlayOptions options{.layer = LayerIndex(2), .mode = OverlayMode::kChanged, .other = OverlayOther{&before, "step 100"}};
    const auto changed = overlay(now, options);
    const auto& cells = contentOf(changed).patches;
    EXPECT_FALSE(contentOf(changed).show_values);
    EXPECT_FALSE(cells[0].changed);
    EXPECT_TRUE(cells[1].changed);
    EXPECT_EQ(cells[1].before, 2);
    EXPECT_EQ(cells[1].expert, 1);
    EXPECT_TRUE(cells[3].changed);
    EXPECT_THAT(changed->notes, Contains("2 of 4 patches (50 %) changed since step 100"));
    EXPECT_THAT(changed->notes, Contains("0 of 2 words (0 %) changed since step 100"));
    // As sets, patch 1 chose the same two experts; patch 3 chose 1 and 2 before, 0 and 2 now.
    options.other->by_set = true;
    const auto sets = overlay(now, options);
    EXPECT_FALSE(contentOf(sets).patches[1].changed);
    EXPECT_TRUE(contentOf(sets).patches[3].changed);
    options.other->by_set = false;
    options.mode = OverlayMode::kDifference;
    options.expert_router = RouterId(0);
    options.expert = ExpertIndex(2);
    const auto difference = overlay(now, options);
    const auto& content = contentOf(difference);
    EXPECT_NEAR(content.patches[0].value, 0.1 - 0.3, 1e-6);
    EXPECT_NEAR(content.patches[2].value, 0, 1e-6);
    EXPECT_EQ(content.map, ColorMap::kDiverging);
    EXPECT_NEAR(content.value_max, 0.2, 1e-6);
    EXPECT_NEAR(content.value_min, -0.2, 1e-6) << "centred at zero";
    options.other.reset();
    EXPECT_THAT(overlayMissing(now, options), HasSubstr("nothing to compare with"));
    // A token that the other does not hold has no difference and did not change.
    SampleRouting shorter = before;
    shorter.routing[0].position_T[3] = 9;
    options.other = OverlayOther{&shorter, "step 100"};
    const auto partial = overlay(now, options);
    EXPECT_TRUE(std::isnan(contentOf(partial).patches[3].value));
    EXPECT_FALSE(contentOf(partial).patches[3].changed);
}

TEST(OverlayModes, ExpertChoiceShowsWhatNobodyTook) {
    SampleRouting routing = handMade();
    store::RoutingTable& table = routing.routing[0];
    table.router = routerOf(0, Branch::kVision, 3, 0, Layout::kRagged);
    table.expert_ids = {2, 0, 1, 1};  // patch 0: experts 2 and 0, patch 1 none, patch 2: 1, patch 3: 1
    table.gates = {0.2f, 0.7f, 0.5f, 0.4f};
    table.offsets = {0, 2, 2, 3, 4};
    table.kept.clear();
    const auto panel = overlay(routing, {.layer = LayerIndex(2)});
    const auto& cells = contentOf(panel).patches;
    EXPECT_EQ(cells[0].expert, 0) << "the larger weight first";
    ASSERT_EQ(cells[0].choices.size(), 2u);
    EXPECT_TRUE(cells[1].unseen);
    EXPECT_EQ(cells[1].expert, -1);
    EXPECT_FALSE(cells[2].unseen);
    EXPECT_THAT(panel->notes, Contains("1 of 4 patches are taken by no expert (hatched)"));
    const auto dropped = overlay(routing, {.layer = LayerIndex(2), .mode = OverlayMode::kDropped});
    EXPECT_FLOAT_EQ(contentOf(dropped).patches[1].value, 1);
}

TEST(OverlayModes, SoftRoutingShowsTheLargestShareAndSaysSo) {
    SampleRouting routing = handMade();
    store::RoutingTable& table = routing.routing[0];
    table.router = routerOf(0, Branch::kVision, 3, 3, Layout::kDenseMass);
    table.expert_ids.clear();
    table.kept.clear();
    table.probs_TE.clear();
    table.gates = {0.2f, 0.5f, 0.3f, 0.1f, 0.1f, 0.8f, 0.34f, 0.33f, 0.33f, 0, 1, 0};
    const auto panel = overlay(routing, {.layer = LayerIndex(2)});
    const auto& content = contentOf(panel);
    EXPECT_TRUE(content.show_mass);
    EXPECT_EQ(content.patches[0].expert, 1);
    EXPECT_FLOAT_EQ(content.patches[0].mass, 0.5f);
    ASSERT_EQ(content.patches[0].choices.size(), 3u);
    EXPECT_EQ(content.patches[0].choices[1].expert, 2) << "by mass, not by number";
    EXPECT_THAT(panel->notes, Contains(HasSubstr("every expert takes a share")));
    EXPECT_THAT(overlayMissing(routing, {.layer = LayerIndex(2), .mode = OverlayMode::kDropped}), HasSubstr("Soft routing"));
    const auto one = overlay(routing, {.layer = LayerIndex(2), .mode = OverlayMode::kProbability, .expert_router = RouterId(0), .expert = ExpertIndex(2)});
    EXPECT_FLOAT_EQ(contentOf(one).patches[1].value, 0.8f);
    EXPECT_EQ(contentOf(one).value_title, "combine weight of expert 2");
}

TEST(OverlayModes, SeveralTokensAreAveraged) {
    const SampleRouting routing = handMade();
    const auto panel = tokensDistribution(routing, RouterId(0), Modality::kVision, {TokenIndex(0), TokenIndex(2), TokenIndex(3), TokenIndex(99)});
    ASSERT_TRUE(panel.has_value()) << panel.error().message();
    const auto& bars = std::get<BarPanel>(panel->content).bars;
    EXPECT_NEAR(bars[0].value, (0.6 + 0.2 + 0.5) / 3, 1e-6);
    EXPECT_NEAR(bars[2].value, (0.1 + 0.7 + 0.5) / 3, 1e-6);
    EXPECT_EQ(panel->title, "3 patches");
    EXPECT_THAT(panel->notes, Contains("chosen first: expert 0 by 2, expert 2 by 1"));
    EXPECT_THAT(panel->notes, Contains("1 of 4 did not pass this router"));
    EXPECT_FALSE(tokensDistribution(routing, RouterId(0), Modality::kText, {TokenIndex(0)}).has_value());
}

/// Two runs on the same samples: the second one's experts are the first one's with other numbers.
class Elsewhere : public testing::Test {
protected:
    static void SetUpTestSuite() {
        scratch_ = new test::ScratchFolder;
        const auto open = [](const char* name, const test::SyntheticRunOptions& options) {
            const auto written = test::writeSyntheticRun(*scratch_ / name, options);
            EXPECT_TRUE(written.has_value()) << written.error().message();
            return *store::RunReader::open(*scratch_ / name);
        };
        here_ = open("here", {.name = "here", .steps = 240, .samples = 12, .spikes = {}});
        there_ = open("there", {.name = "there", .seed = 2, .steps = 240, .samples = 12, .spikes = {}});
    }
    static void TearDownTestSuite() {
        here_.reset();
        there_.reset();
        delete scratch_;
    }
    static inline test::ScratchFolder* scratch_ = nullptr;
    static inline std::shared_ptr<store::RunReader> here_, there_;
};

TEST_F(Elsewhere, ARunAgainstItselfIsTheSameRouting) {
    const std::uint64_t sample = here_->probeSamples()->front();
    const auto plain = sampleRouting(*here_, sample), matched = routingElsewhere(*here_, 240, *here_, 240, sample);
    ASSERT_TRUE(matched.has_value()) << matched.error().message();
    ASSERT_EQ(matched->routing.size(), plain->routing.size());
    for (std::size_t r = 0; r < plain->routing.size(); ++r) {
        EXPECT_EQ(matched->routing[r].expert_ids, plain->routing[r].expert_ids);
        EXPECT_EQ(matched->routing[r].probs_TE, plain->routing[r].probs_TE);
    }
    EXPECT_THAT(matched->notes, Contains(HasSubstr("which agree on 100 %")));
}

TEST_F(Elsewhere, ExpertsCarryTheNumbersOfThoseTheyMatch) {
    const std::uint64_t sample = here_->probeSamples()->front();
    const auto theirs = sampleRouting(*there_, sample, 240), matched = routingElsewhere(*here_, 240, *there_, 240, sample);
    ASSERT_TRUE(theirs.has_value() && matched.has_value());
    for (std::size_t r = 0; r < matched->routing.size(); ++r) {
        const auto &before = theirs->routing[r], &after = matched->routing[r];
        // One renumbering for choices and distributions: p of the first choice stays what it was.
        std::map<int, int> number;
        for (std::size_t t = 0; t < before.expert_ids.size(); ++t) {
            const auto [at, fresh] = number.emplace(before.expert_ids[t], after.expert_ids[t]);
            EXPECT_EQ(at->second, after.expert_ids[t]) << "always the same number";
            EXPECT_FLOAT_EQ(before.probs_TE[t * 8 + before.expert_ids[t]], after.probs_TE[t * 8 + after.expert_ids[t]]);
        }
    }
    EXPECT_FALSE(routingElsewhere(*here_, 240, *there_, 240, 12345).has_value());
}

TEST_F(Elsewhere, AQueryDrawsWhatChangedSince) {
    PanelQuery query;
    query.kind = "overlay";
    query.runs = {(*scratch_ / "here").string()};
    const std::uint64_t sample = here_->probeSamples()->front();
    query.parameters = {{"sample", hashText(sample)}, {"layer", "1"}, {"mode", "changed"}, {"since", "0"}};
    const auto panel = makePanel(query, std::filesystem::path());
    ASSERT_TRUE(panel.has_value()) << panel.error().message();
    const auto now = sampleRouting(*here_, sample), before = sampleRouting(*here_, sample, 0);
    const auto& content = std::get<OverlayPanel>(panel->content);
    int changed = 0;
    for (std::size_t i = 0; i < content.patches.size(); ++i) {
        const auto path_now = tokenPath(*now, Modality::kVision, TokenIndex(static_cast<std::int32_t>(i)), Objective::kPairImage);
        const auto path_before = tokenPath(*before, Modality::kVision, TokenIndex(static_cast<std::int32_t>(i)), Objective::kPairImage);
        EXPECT_EQ(content.patches[i].changed, path_now[0].choices[0].expert != path_before[0].choices[0].expert);
        changed += content.patches[i].changed;
    }
    EXPECT_GT(changed, 0);
    query.parameters["mode"] = "attention";
    const auto refused = makePanel(query, std::filesystem::path());
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error().message(), HasSubstr("Attention is not recorded"));
}

}  // namespace
}  // namespace es::analysis
