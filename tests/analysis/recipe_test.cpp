// SPDX-License-Identifier: GPL-3.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "analysis/figures/figure_recipe.h"
#include "support/scratch_folder.h"

namespace es::analysis {
namespace {

using testing::HasSubstr;

FigureRecipe example() {
    FigureRecipe recipe;
    recipe.name = "expert-specialization";
    recipe.page.preset = "nature-page";
    recipe.page.width_mm = 183;
    recipe.page.font = "Inter";
    recipe.panels = {{"overlay", {{"sample", "00000000000000ff"}, {"layer", "1"}}, {"../runs/ünïcode"}, ""},
                     {"compare_curves", {{"baseline", "1"}}, {"a", "b"}, "Sparse against dense"}};
    recipe.provenance = {{"uuid-1", "confighash datahash"}};
    recipe.program_version = "0.1.0";
    return recipe;
}

std::string whyNot(std::string json, const std::string& from, const std::string& to) {
    const auto at = json.find(from);
    if (at == std::string::npos) return "the test is wrong";
    json.replace(at, from.size(), to);
    const auto recipe = recipeFromJson(json, "figures/x.json");
    if (recipe) return "accepted";
    EXPECT_EQ(recipe.error().kind, ErrorKind::kBadInput);
    EXPECT_EQ(recipe.error().path, "figures/x.json");
    return recipe.error().message();
}

TEST(Recipe, ComesBackAsItWas) {
    const std::string json = toJson(example());
    const auto back = recipeFromJson(json, "x");
    ASSERT_TRUE(back.has_value()) << back.error().message();
    EXPECT_EQ(back->panels, example().panels);
    EXPECT_EQ(back->page, example().page);
    EXPECT_EQ(back->provenance, example().provenance);
    EXPECT_EQ(toJson(*back), json) << "same recipe, same bytes";
}

TEST(Recipe, WhatIsNotUnderstoodIsRefusedByName) {
    const std::string json = toJson(example());
    EXPECT_THAT(whyNot(json, "\"kind\": \"overlay\"", "\"kind\": \"ovrlay\""), HasSubstr("Did you mean 'overlay'"));
    EXPECT_THAT(whyNot(json, "\"layer\": \"1\"", "\"layr\": \"1\""), HasSubstr("panels[0]"));
    EXPECT_THAT(whyNot(json, "\"layer\": \"1\"", "\"layer\": 1"), HasSubstr("parameters.layer"));
    EXPECT_THAT(whyNot(json, "\"width_mm\"", "\"widht_mm\""), HasSubstr("'width_mm'"));
    EXPECT_THAT(whyNot(json, "183.0", "-1"), HasSubstr("page.width_mm"));
    EXPECT_THAT(whyNot(json, "183.0", "\"wide\""), HasSubstr("is not a number"));
    EXPECT_THAT(whyNot(json, "nature-page", "nature-pge"), HasSubstr("page.preset"));
    EXPECT_THAT(whyNot(json, "\"version\": 1", "\"version\": 2"), HasSubstr("newer version"));
    EXPECT_THAT(whyNot(json, "\"a\",", ""), HasSubstr("needs 2 run"));
    EXPECT_THAT(whyNot(json, "\"name\": \"expert-specialization\",", ""), HasSubstr("'name' is missing"));
    for (const std::string text : {"", "{", "[]", "null", "3", "{\"panels\": 3}", "\xff\xfe"}) EXPECT_FALSE(recipeFromJson(text, "x").has_value()) << text;
}

TEST(Recipe, IsLoadedFromAFile) {
    const test::ScratchFolder scratch;
    std::ofstream(scratch / "a.json") << toJson(example());
    EXPECT_TRUE(loadRecipe(scratch / "a.json").has_value());
    EXPECT_FALSE(loadRecipe(scratch / "b.json").has_value());
}

TEST(Presets, HaveTheirVenuesSizes) {
    bool neurips = false;
    for (const PagePreset& preset : pagePresets()) {
        if (preset.name == PageSettings{}.preset) {
            neurips = true;
            EXPECT_EQ(preset.width_mm, 139.7);
        }
        if (preset.name == "nature-column") {
            EXPECT_EQ(preset.max_height_mm, 170);
        }
        EXPECT_LE(preset.min_font_pt, preset.font_pt);
    }
    EXPECT_TRUE(neurips) << "the default preset exists";
    for (const PanelKind& kind : panelKinds()) EXPECT_FALSE(kind.help.empty());
}

}  // namespace
}  // namespace es::analysis
