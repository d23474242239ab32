// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/command_palette.h"

#include <gtest/gtest.h>

namespace es::app {
namespace {

using Entries = std::vector<views::PaletteEntry>;

TEST(CommandPalette, FindsAllWordsInAnyOrderBestFirst) {
    const Entries entries{{QStringLiteral("Dark theme"), {}, {}},
                          {QStringLiteral("Run demo-sparse"), QStringLiteral("/runs/demo-sparse"), {}},
                          {QStringLiteral("Expert 5 of layer 1"), QStringLiteral("vision"), {}},
                          {QStringLiteral("Theme of the system"), {}, {}}};
    EXPECT_EQ(CommandPalette::matches(entries, QStringLiteral("theme"), 10), (std::vector<int>{3, 0}));
    EXPECT_EQ(CommandPalette::matches(entries, QStringLiteral("sparse run"), 10), (std::vector<int>{1}));
    EXPECT_EQ(CommandPalette::matches(entries, QStringLiteral("vision expert"), 10), (std::vector<int>{2}));
    EXPECT_TRUE(CommandPalette::matches(entries, QStringLiteral("zebra"), 10).empty());
    EXPECT_EQ(CommandPalette::matches(entries, QString(), 2), (std::vector<int>{0, 1}));
}

}  // namespace
}  // namespace es::app
