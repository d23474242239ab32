// SPDX-License-Identifier: GPL-3.0-or-later
// How labels are dealt anew: what belongs together stays together, and a draw by units counts as one by tokens does.
#include "analysis/metrics/token_labels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "analysis/metrics/label_counts.h"
#include "analysis/planted_scenes.h"

namespace es::analysis {
namespace {

LabelSource sourceOf(const test::MemoryRun& run) {
    auto source = LabelSource::open(run);
    EXPECT_TRUE(source.has_value());
    std::vector<std::uint64_t> hashes;
    for (const store::SampleRecord& sample : run.samples) hashes.push_back(sample.hash);
    EXPECT_TRUE(source->add(run, hashes).has_value());
    return std::move(*source);
}
const store::RoutingTable& tableOf(const test::MemoryRun& run, Modality modality) {
    return run.probe_tables.at({600, "trained"}).at(modality == Modality::kText ? 1 : 0);
}

TEST(LabelExchange, UnitsExchangeWithinTheirStratum) {
    const LabelExchange exchange = LabelExchange::ofUnits({0, 1, 2, 3, 4, 5}, {0, 0, 0, 1, 1, -1}, 2);
    std::set<std::vector<std::int32_t>> seen;
    for (std::uint64_t i = 0; i < 400; ++i) {
        const auto dealt = exchange.draw(7, i);
        EXPECT_EQ(dealt, exchange.draw(7, i));
        EXPECT_EQ(dealt[5], 5) << "it takes no part";
        EXPECT_EQ((std::set<std::int32_t>(dealt.begin(), dealt.begin() + 3)), (std::set<std::int32_t>{0, 1, 2}));
        EXPECT_EQ((std::set<std::int32_t>(dealt.begin() + 3, dealt.begin() + 5)), (std::set<std::int32_t>{3, 4}));
        seen.insert(dealt);
    }
    EXPECT_EQ(seen.size(), 12u) << "all of 3! 2! ways";
}

TEST(LabelExchange, FamiliesGiveAllTheirLabelsAtOnce) {
    // Six families of two members with two units each: unit u has label u, so labels say where they come from.
    std::vector<std::int32_t> label(24);
    std::vector<LabelExchange::Family> families(6);
    for (std::int32_t u = 0; u < 24; ++u) {
        label[static_cast<std::size_t>(u)] = u;
        auto& members = families[static_cast<std::size_t>(u / 4)].members;
        members.resize(2);
        members[static_cast<std::size_t>(u / 2 % 2)].push_back(u);
    }
    const LabelExchange exchange = LabelExchange::ofFamilies(label, families);
    std::set<std::int32_t> first;
    for (std::uint64_t i = 0; i < 200; ++i) {
        const auto dealt = exchange.draw(1, i);
        for (std::int32_t f = 0; f < 6; ++f) {
            const std::int32_t* here = dealt.data() + 4 * f;
            const bool turned = here[0] % 4 == 2;
            EXPECT_EQ(here[0] % 2, 0) << "an object stays the first of its picture";
            EXPECT_EQ(here[1], here[0] + 1) << "a picture's objects stay together";
            EXPECT_EQ(here[2], turned ? here[0] - 2 : here[0] + 2) << "and its variant comes with it";
            EXPECT_EQ(here[3], here[2] + 1);
        }
        first.insert(dealt[0]);
    }
    EXPECT_EQ(first.size(), 12u) << "any member of any family";
}

TEST(LabelExchange, RareShapesAreDealtAlong) {
    std::vector<LabelExchange::Family> families = {{{{0}}}, {{{1, 2}}}, {{{3, 4, 5}}}};
    const LabelExchange exchange = LabelExchange::ofFamilies({0, 1, 2, 3, 4, 5}, families);
    std::set<std::vector<std::int32_t>> seen;
    for (std::uint64_t i = 0; i < 100; ++i) {
        auto dealt = exchange.draw(3, i);
        seen.insert(dealt);
        std::sort(dealt.begin(), dealt.end());
        EXPECT_EQ(dealt, (std::vector<std::int32_t>{0, 1, 2, 3, 4, 5}));
    }
    EXPECT_EQ(seen.size(), 6u) << "3! orders of whole families";
}

TEST(LabelExchange, FlipsChangeAllOfAClusterTogether) {
    const LabelExchange exchange = LabelExchange::ofFlips({0, 1, 0, 1, 1}, {0, 0, 0, 0, -1}, 1);
    int flipped = 0;
    for (std::uint64_t i = 0; i < 200; ++i) {
        const auto dealt = exchange.draw(3, i);
        flipped += dealt[0] == 1;
        EXPECT_EQ(dealt, dealt[0] == 1 ? (std::vector<std::int32_t>{1, 0, 1, 0, 1}) : (std::vector<std::int32_t>{0, 1, 0, 1, 1}));
    }
    EXPECT_NEAR(flipped, 100, 30);
}

TEST(TokenLabels, AnObjectKeepsOneLabelAndTheBackgroundNone) {
    const test::MemoryRun run = test::plantedScenes({.samples = 40, .families = true});
    const LabelSource source = sourceOf(run);
    const store::RoutingTable& table = tableOf(run, Modality::kVision);
    const TokenLabels colour = source.labels(table, LabelKind::kColour, Modality::kVision);
    bool moved = false;
    for (std::uint64_t i = 0; i < 20; ++i) {
        const auto dealt = colour.draw(1, i);
        EXPECT_EQ(dealt, colour.draw(1, i)) << "the same draw whoever asks";
        moved = moved || dealt != colour.label_T;
        std::map<std::pair<std::uint64_t, std::int32_t>, std::int32_t> of_object;
        for (std::size_t t = 0; t < dealt.size(); ++t) {
            const SceneTruth& truth = *run.samples[static_cast<std::size_t>(table.sample_T[t] - 1)].truth;
            const std::int32_t object = patchTruth(truth, 8, 8)[table.position_T[t]].object;
            if (object < 0) {
                EXPECT_EQ(dealt[t], -1);
                continue;
            }
            const auto [found, fresh] = of_object.emplace(std::pair(table.sample_T[t], object), dealt[t]);
            EXPECT_EQ(found->second, dealt[t]);
        }
    }
    EXPECT_TRUE(moved);
}

TEST(TokenLabels, AWordHasOneRoleWithAllItsPieces) {
    test::MemoryRun run = test::plantedScenes({.samples = 12});
    // "circle" comes in two pieces.
    for (store::SampleRecord& sample : run.samples)
        for (std::size_t w = 0; w < sample.token_texts.size(); ++w)
            if (sample.token_texts[w] == "circle") {
                sample.token_texts[w] = "cir";
                sample.token_texts.insert(sample.token_texts.begin() + static_cast<std::ptrdiff_t>(w) + 1, "cle");
                sample.token_ids[w] = 6001;
                sample.token_ids.insert(sample.token_ids.begin() + static_cast<std::ptrdiff_t>(w) + 1, 6002);
            }
    store::RoutingTable table;
    table.router = run.router_table[1];
    for (const store::SampleRecord& sample : run.samples)
        for (std::size_t w = 0; w < sample.token_ids.size(); ++w) {
            table.sample_T.push_back(sample.hash);
            table.position_T.push_back(static_cast<std::uint16_t>(w));
            table.modality_T.push_back(Modality::kText);
            table.token_id_T.push_back(sample.token_ids[w]);
            ++table.tokens;
        }
    const LabelSource source = sourceOf(run);
    const TokenLabels role = source.labels(table, LabelKind::kWordRole, Modality::kText);
    std::map<std::int32_t, std::set<std::int32_t>> unit_of_id;
    for (std::size_t t = 0; t < role.unit_T.size(); ++t) unit_of_id[table.token_id_T[t]].insert(role.unit_T[t]);
    for (const auto& [id, units] : unit_of_id) EXPECT_EQ(units.size(), 1u) << id;
    ASSERT_TRUE(unit_of_id.contains(6001));
    EXPECT_EQ(unit_of_id[6001], unit_of_id[6002]) << "two pieces of one word";
}

TEST(TokenLabels, TokensOfOneIdInAFamilyGoTogether) {
    test::MemoryRun run = test::plantedScenes({.samples = 24, .families = true});
    run.samples[1].caption = run.samples[0].caption;
    run.samples[1].token_ids = run.samples[0].token_ids;
    run.samples[1].token_texts = run.samples[0].token_texts;
    store::RoutingTable table;
    table.router = run.router_table[1];
    for (const store::SampleRecord& sample : run.samples)
        for (std::size_t w = 0; w < sample.token_ids.size(); ++w) {
            table.sample_T.push_back(sample.hash);
            table.position_T.push_back(static_cast<std::uint16_t>(w));
            table.modality_T.push_back(Modality::kText);
            table.token_id_T.push_back(sample.token_ids[w]);
            ++table.tokens;
        }
    const LabelSource source = sourceOf(run);
    const TokenLabels id = source.labels(table, LabelKind::kTokenId, Modality::kText);
    const auto families = source.families(table, Modality::kText);
    std::map<std::pair<std::int32_t, std::int32_t>, std::set<std::int32_t>> units;
    for (std::size_t t = 0; t < id.unit_T.size(); ++t) units[{families.family_T[t], id.label_T[t]}].insert(id.unit_T[t]);
    for (const auto& [key, one] : units) EXPECT_EQ(one.size(), 1u);
    EXPECT_EQ(families.family_T.front(), families.family_T[run.samples[0].token_ids.size()]) << "an equal caption is the same family";
    auto dealt = id.draw(5, 0), before = id.label_T;
    EXPECT_NE(dealt, before);
    std::sort(dealt.begin(), dealt.end());
    std::sort(before.begin(), before.end());
    EXPECT_EQ(dealt, before) << "no id becomes more or less frequent";
}

TEST(TokenLabels, ADrawByUnitsCountsAsOneByTokens) {
    const test::MemoryRun run = test::plantedScenes({.samples = 40, .families = true});
    const LabelSource source = sourceOf(run);
    for (const Modality modality : {Modality::kVision, Modality::kText}) {
        const store::RoutingTable& table = tableOf(run, modality);
        for (const LabelKind kind : labelKindsOf(modality)) {
            const TokenLabels labels = source.labels(table, kind, modality);
            const DealtCounts dealt(labels, table.expert_ids, 8);
            bool moved = false;
            for (std::uint64_t i = 0; i < 10; ++i) {
                const auto label_T = labels.draw(9, i);
                moved = moved || label_T != labels.label_T;
                EXPECT_EQ(dealt.deal(9, i).counts, LabelCounts::of(label_T, table.expert_ids, labels.names.size(), 8).counts) << toString(kind);
            }
            const bool known = std::any_of(labels.label_T.begin(), labels.label_T.end(), [](std::int32_t label) { return label >= 0; });
            const bool several = labels.names.size() > 1;
            EXPECT_EQ(moved, known && several) << toString(kind);
        }
    }
}

}  // namespace
}  // namespace es::analysis
