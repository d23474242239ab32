// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/caption_text.h"

#include <gtest/gtest.h>

namespace es::datasets {
namespace {

TEST(Utf8, AcceptsWhatIsValidAndNothingElse) {
    for (const char* text : {"", "abc", "é", "漢字", "🦫", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"}) EXPECT_TRUE(isValidUtf8(text)) << text;
    for (const char* text :
         {"\x80", "\xC0\xAF", "\xC1\x81", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE6\xBC", "a\xFF"})
        EXPECT_FALSE(isValidUtf8(text));
}

TEST(Utf8, RepairReplacesEachIllFormedPart) {
    EXPECT_EQ(repairUtf8("caf\xE9!"), "caf\xEF\xBF\xBD!");
    EXPECT_EQ(repairUtf8("\xE6\xBC"), "\xEF\xBF\xBD");
    EXPECT_EQ(repairUtf8("\xFF\xFE"), "\xEF\xBF\xBD\xEF\xBF\xBD");
    EXPECT_TRUE(isValidUtf8(repairUtf8(std::string("\x00\xC3\x28\xA0\xA1", 5))));
    EXPECT_EQ(toUtf8(toCodePoints("aé漢🦫")), "aé漢🦫");
}

TEST(Utf8, PrefixCutsNoCharacter) {
    EXPECT_EQ(utf8Prefix("aé漢", 2), "a");
    EXPECT_EQ(utf8Prefix("aé漢", 3), "aé");
    EXPECT_EQ(utf8Prefix("aé漢", 99), "aé漢");
    EXPECT_EQ(utf8Prefix("é", 0), "");
}

TEST(CleanCaption, MakesOneLineOfAnything) {
    EXPECT_EQ(cleanCaption("\xEF\xBB\xBF  a\tred\r\n  wrench \n").text, "a red wrench");
    EXPECT_EQ(cleanCaption(std::string("nul\0byte", 8)).text, "nul byte");
    EXPECT_EQ(cleanCaption(" \n\t ").text, "");
    const auto repaired = cleanCaption("caf\xE9");
    EXPECT_TRUE(repaired.repaired);
    EXPECT_TRUE(isValidUtf8(repaired.text));
    EXPECT_FALSE(cleanCaption("plain").cut);
}

TEST(CleanCaption, CutsWhatIsEndless) {
    std::string words, characters;
    for (int i = 0; i < 10'000; ++i) {
        words += "word ";
        characters += "漢";
    }
    const auto cut = cleanCaption(words);
    EXPECT_TRUE(cut.cut);
    EXPECT_EQ(cut.words, 10'000);
    EXPECT_EQ(cut.text.size(), 5u * kMostCaptionWords - 1);
    const auto unspaced = cleanCaption(characters);
    EXPECT_TRUE(unspaced.cut);
    EXPECT_LE(unspaced.text.size(), kMostCaptionBytes);
    EXPECT_TRUE(isValidUtf8(unspaced.text));
}

TEST(SplitKey, IgnoresCaseAndPunctuation) {
    EXPECT_EQ(splitKey("A red  Wrench."), splitKey("a red wrench"));
    EXPECT_NE(splitKey("a red wrench"), splitKey("a blue wrench"));
    EXPECT_EQ(splitKey("..."), "...");
}

TEST(SplitKey, OfEmojiLeavesSkinToneAndHairOut) {
    EXPECT_EQ(emojiSplitKey("woman superhero: medium-dark skin tone"), "woman superhero");
    EXPECT_EQ(emojiSplitKey("woman: light skin tone, red hair"), "woman");
    EXPECT_EQ(emojiSplitKey("man: medium skin tone, beard"), "man beard");
    EXPECT_EQ(emojiSplitKey("people holding hands: medium skin tone, light skin tone"), "people holding hands");
    EXPECT_EQ(emojiSplitKey("kiss: man, man, dark skin tone, light skin tone"), "kiss man man");
    EXPECT_EQ(emojiSplitKey("flag: Kosovo"), "flag kosovo");
    EXPECT_EQ(emojiSplitKey("light skin tone"), "light skin tone");
}

}  // namespace
}  // namespace es::datasets
