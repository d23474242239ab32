// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/caption_files.h"

#include <gmock/gmock.h>

#include "datasets/csv.h"

namespace es::datasets {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Csv, FollowsTheStandard) {
    const auto csv = parseCsv(
        "\xEF\xBB\xBF"
        "a,b\r\n\"with \"\"quotes\"\", comma\nand line\",2\r\n\r\n,\n\"\",last");
    ASSERT_EQ(csv.rows.size(), 4u);
    EXPECT_THAT(csv.rows[0].fields, ElementsAre("a", "b"));
    EXPECT_THAT(csv.rows[1].fields, ElementsAre("with \"quotes\", comma\nand line", "2"));
    EXPECT_EQ(csv.rows[1].line, 2);
    EXPECT_THAT(csv.rows[2].fields, ElementsAre("", ""));
    EXPECT_THAT(csv.rows[3].fields, ElementsAre("", "last"));
    EXPECT_EQ(csv.rows[3].line, 6);
    EXPECT_EQ(csv.unclosed_quote_line, 0);
}

TEST(Csv, SaysWhereAQuoteNeverCloses) {
    const auto csv = parseCsv("a,b\n1,2\n3,\"open\n5,6\n");
    EXPECT_EQ(csv.rows.size(), 2u);
    EXPECT_EQ(csv.unclosed_quote_line, 3);
}

TEST(Csv, TakesWhateverIsThere) {
    EXPECT_THAT(parseCsv("").rows, IsEmpty());
    EXPECT_THAT(parseCsv("one").rows[0].fields, ElementsAre("one"));
    EXPECT_THAT(parseCsv("a,b,").rows[0].fields, ElementsAre("a", "b", ""));
    EXPECT_THAT(parseCsv("a\rb\r").rows.size(), 2u);
    EXPECT_THAT(parseCsv("x,5\" disk,y").rows[0].fields, ElementsAre("x", "5\" disk", "y"));
    EXPECT_THAT(parseCsv("\"closed\"tail,y").rows[0].fields, ElementsAre("closedtail", "y"));
}

TEST(CsvCaptions, FindTheirColumnsByAnyOfTheirNames) {
    const auto read = readCsvCaptions("Label, File_Name ,TEXT,license\nanimal,cat.png,\"a cat, sleeping\",CC0\n", "metadata.csv");
    EXPECT_THAT(read.problems, IsEmpty());
    ASSERT_EQ(read.rows.size(), 1u);
    EXPECT_EQ(read.rows[0].file, "cat.png");
    EXPECT_THAT(read.rows[0].captions, ElementsAre("a cat, sleeping"));
    EXPECT_EQ(read.rows[0].category, "animal");
    EXPECT_EQ(read.rows[0].license, "CC0");
    EXPECT_EQ(read.rows[0].place, "metadata.csv:2");
    EXPECT_EQ(readCsvCaptions("file_name;caption\na.png;hello, world\n", "m").rows[0].captions[0], "hello, world");
    EXPECT_EQ(readCsvCaptions("image\ttext\na.png\ta, b; c\n", "m").rows[0].captions[0], "a, b; c");
}

TEST(CsvCaptions, ReportWhatMakesNoSense) {
    const auto rows = readCsvCaptions("file_name,caption\na.png,one, two\nb.png,fine\nc.png\n", "m.csv");
    ASSERT_EQ(rows.rows.size(), 1u);
    ASSERT_EQ(rows.problems.size(), 2u);
    EXPECT_EQ(rows.problems[0].path, "m.csv:2");
    EXPECT_THAT(rows.problems[0].why, HasSubstr("3 fields instead of 2"));
    EXPECT_EQ(rows.problems[1].path, "m.csv:4");
    EXPECT_THAT(readCsvCaptions("a,b\n1,2\n", "m.csv").problems.at(0).why, HasSubstr("it names: a, b"));
    EXPECT_THAT(readCsvCaptions("", "m.csv").problems.at(0).why, HasSubstr("no rows"));
    EXPECT_THAT(readCsvCaptions("\xFF\xFE"
                                "f",
                                "m.csv")
                    .problems.at(0)
                    .why,
                HasSubstr("UTF-16"));
    EXPECT_THAT(readCsvCaptions("file_name,caption\n\"a", "m.csv").problems.at(0).path, "m.csv:2");
}

TEST(JsonCaptions, TakeLinesOfObjects) {
    const auto read = readJsonCaptions(
        "\xEF\xBB\xBF{\"file_name\": \"a.png\", \"text\": \"one\", \"label\": "
        "7}\r\n\n{\"file_name\":\"b.png\",\"caption\":[\"x\",\"y\"],\"keywords\":[\"k\",\"l\"]}\n{\"caption\":\"alone\"}",
        "metadata.jsonl");
    EXPECT_THAT(read.problems, IsEmpty());
    ASSERT_EQ(read.rows.size(), 3u);
    EXPECT_THAT(read.rows[0].captions, ElementsAre("one"));
    EXPECT_EQ(read.rows[0].category, "7");
    EXPECT_THAT(read.rows[1].captions, ElementsAre("x", "y"));
    EXPECT_EQ(read.rows[1].keywords, "k, l");
    EXPECT_EQ(read.rows[1].place, "metadata.jsonl:3");
    EXPECT_EQ(read.rows[2].file, "");
}

TEST(JsonCaptions, ReportWhatMakesNoSense) {
    const auto read = readJsonCaptions("{\"file_name\": \"a.png\", \n[1,2]\n{\"other\":1}\n{\"caption\":\"caf\xE9\"}\n" + std::string(100'000, '['), "m.jsonl");
    ASSERT_EQ(read.problems.size(), 5u);
    EXPECT_EQ(read.problems[0].path, "m.jsonl:1");
    EXPECT_EQ(read.problems[1].path, "m.jsonl:2");
    EXPECT_THAT(read.problems[2].why, HasSubstr("neither"));
    EXPECT_THAT(read.problems[3].why, HasSubstr("UTF-8"));
    EXPECT_EQ(read.problems[4].path, "m.jsonl:5");
    EXPECT_EQ(read.rows.size(), 1u);
}

}  // namespace
}  // namespace es::datasets
