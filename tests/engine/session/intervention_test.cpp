// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/session/intervention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace es::session {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Intervention read(InterventionKind kind, const char* text) {
    auto got = parseIntervention(kind, text);
    EXPECT_TRUE(got) << got.error().message();
    return got.value_or(Intervention{});
}

TEST(Interventions, AreReadAsWritten) {
    const Intervention ban = read(InterventionKind::kBan, "1.v:3,5-7@patch 7-9,20");
    EXPECT_EQ(ban.layer, LayerIndex(1));
    EXPECT_EQ(ban.branch, Branch::kVision);
    EXPECT_THAT(ban.experts, ElementsAre(3, 5, 6, 7));
    EXPECT_EQ(ban.tokens.modality, Modality::kVision);
    EXPECT_THAT(ban.tokens.positions, ElementsAre(7, 8, 9, 20));

    const Intervention everywhere = read(InterventionKind::kSilence, "all:0@words");
    EXPECT_FALSE(everywhere.layer.valid());
    EXPECT_FALSE(everywhere.branch.has_value());
    EXPECT_EQ(everywhere.tokens.modality, Modality::kText);
    EXPECT_TRUE(everywhere.tokens.positions.empty());
    EXPECT_FALSE(everywhere.tokens.all());

    EXPECT_EQ(read(InterventionKind::kRandomRouter, "2").number, 0);
    EXPECT_EQ(read(InterventionKind::kRandomRouter, "2.t:4").number, 4);
    EXPECT_EQ(read(InterventionKind::kOtherK, "all.v : 2").number, 2);
    EXPECT_EQ(read(InterventionKind::kDropBest, "0.all:1").branch, Branch::kAll);
    EXPECT_TRUE(read(InterventionKind::kForce, "1.t:2").tokens.all());
}

TEST(Interventions, TheirTextIsReadBack) {
    const std::pair<InterventionKind, const char*> cases[] = {{InterventionKind::kBan, "1.v:3,5@patch 7,8"}, {InterventionKind::kSwap, "all.t:0,2"},
                                                              {InterventionKind::kOtherK, "0:2@word"},       {InterventionKind::kRandomRouter, "1.v:3"},
                                                              {InterventionKind::kSilence, "all:1@word 0"},  {InterventionKind::kDropBest, "2.all:1"}};
    for (const auto& [kind, text] : cases) {
        const Intervention made = read(kind, text);
        EXPECT_EQ(toText(made), text);
        EXPECT_EQ(read(kind, toText(made).c_str()), made);
    }
}

TEST(Interventions, KindsHaveNames) {
    for (int i = 0; i < kInterventionKinds; ++i) {
        const auto kind = static_cast<InterventionKind>(i);
        EXPECT_EQ(interventionKindFromString(toString(kind)), kind);
    }
    EXPECT_FALSE(interventionKindFromString("nonsense").has_value());
}

TEST(Interventions, WhatCannotBeReadIsNamed) {
    const auto fails = [](InterventionKind kind, const char* text, const char* word) {
        const auto got = parseIntervention(kind, text);
        ASSERT_FALSE(got) << text;
        EXPECT_THAT(got.error().message(), HasSubstr(word));
        EXPECT_THAT(got.error().what, HasSubstr(text));
        EXPECT_THAT(got.error().remedy, HasSubstr("--" + std::string(toString(kind))));
        EXPECT_EQ(got.error().kind, ErrorKind::kWrongCall);
    };
    fails(InterventionKind::kBan, "", "'' is no layer");
    fails(InterventionKind::kBan, "x.v:3", "'x' is no layer");
    fails(InterventionKind::kBan, "-1.v:3", "'-1' is no layer");
    fails(InterventionKind::kBan, "1.w:3", "'w' is no branch");
    fails(InterventionKind::kBan, "1.v", "no expert is named");
    fails(InterventionKind::kBan, "1.v:", "neither a whole number nor a range");
    fails(InterventionKind::kBan, "1.v:3,", "neither a whole number nor a range");
    fails(InterventionKind::kBan, "1.v:5-3", "runs backwards");
    fails(InterventionKind::kBan, "1.v:99999999999", "neither a whole number nor a range");
    fails(InterventionKind::kBan, "1.v:3@pixel 4", "neither patch nor word");
    fails(InterventionKind::kBan, "1.v:3@patch x", "neither a whole number nor a range");
    fails(InterventionKind::kBan, "1.v:3@patch 1-", "neither a whole number nor a range");
    fails(InterventionKind::kSwap, "1.v:3", "a swap takes two");
    fails(InterventionKind::kOtherK, "1.v", "the number is missing");
    fails(InterventionKind::kDropBest, "1.v:two", "'two' is no whole number");
}

}  // namespace
}  // namespace es::session
