// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/export/recipe_renderer.h"

#include "engine/base/files.h"
#include "tests/views/export_panels.h"
#include "tests/views/figures_fixture.h"
#include "views/export/figure_checks.h"
#include "views/export/page_writers.h"
#include "views/export/panel_csv.h"
#include "views/export/point_reduction.h"

namespace es::views::page {
namespace {

class RecipeRenderTest : public test::WorkspaceTest {};

TEST_F(RecipeRenderTest, RendersTheSameBytesAgainWhereverItLies) {
    const auto dense = addRun("dense-s1", "dense", 1), sparse = addRun("sparse-s1", "moe", 1);
    const auto recipe = defaultRecipe("demo", {sparse, dense});
    ASSERT_TRUE(recipe) << recipe.error().message();
    ASSERT_EQ(recipe->panels.size(), 2u);
    EXPECT_EQ(recipe->panels[0].kind, "overlay");
    EXPECT_EQ(recipe->panels[1].kind, "compare_curves");
    EXPECT_EQ(recipe->panels[1].runs.front(), dense.string()) << "the dense runs are the baseline";
    const auto file = scratch_ / "runs" / "figures" / "demo.json";
    ASSERT_TRUE(saveRecipe(*recipe, scratch_.path(), file));
    const auto stored = analysis::loadRecipe(file);
    ASSERT_TRUE(stored) << stored.error().message();
    EXPECT_EQ(stored->panels[1].runs.front(), "../dense-s1");
    EXPECT_EQ(stored->provenance.size(), 2u);

    RenderOptions options;
    options.formats = {"pdf", "svg", "png", "csv", "json"};
    options.png_dpi = 150;
    const auto first = renderRecipe(file, scratch_ / "a", options), second = renderRecipe(file, scratch_ / "b", options);
    ASSERT_TRUE(first) << first.error().message();
    ASSERT_TRUE(second);
    ASSERT_EQ(first->size(), 6u);
    for (std::size_t i = 0; i < first->size(); ++i) {
        EXPECT_EQ((*first)[i].filename(), (*second)[i].filename());
        EXPECT_EQ(*readFile((*first)[i]), *readFile((*second)[i])) << (*first)[i];
    }
    // The recipe that was written beside the files renders too.
    const auto third = renderRecipe(scratch_ / "a" / "demo.json", scratch_ / "c", options);
    ASSERT_TRUE(third) << third.error().message();
    EXPECT_EQ(*readFile(scratch_ / "a" / "demo.pdf"), *readFile(scratch_ / "c" / "demo.pdf"));
}

TEST_F(RecipeRenderTest, NamesTheRunThatIsGone) {
    analysis::FigureRecipe recipe;
    recipe.name = "lost";
    recipe.panels.push_back({"loss", {}, {(scratch_ / "runs" / "gone").string()}, {}});
    const auto file = scratch_ / "lost.json";
    ASSERT_TRUE(saveRecipe(recipe, scratch_.path(), file));
    const auto result = renderRecipe(file, scratch_ / "out");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::kBadInput);
    EXPECT_NE(result.error().message().find("'gone' is not there"), std::string::npos) << result.error().message();
    EXPECT_FALSE(result.error().remedy.empty());
    EXPECT_FALSE(std::filesystem::exists(scratch_ / "out" / "lost.pdf"));
    EXPECT_FALSE(renderRecipe(scratch_ / "no-such.json", scratch_ / "out"));
    EXPECT_FALSE(defaultRecipe("x", {}));
    EXPECT_FALSE(defaultRecipe("x", {scratch_ / "gone"}));
}

TEST(WritePage, RefusesUnknownFormatsAndUnwritablePlaces) {
    test::ScratchFolder scratch;
    const Page page = test::pageOf({test::linePanel()});
    analysis::FigureRecipe recipe;
    recipe.name = "x";
    RenderOptions options;
    options.formats = {"pdf", "doc"};
    const auto format = writePage(page, recipe, scratch.path(), options);
    ASSERT_FALSE(format);
    EXPECT_EQ(format.error().kind, ErrorKind::kWrongCall);
    EXPECT_TRUE(std::filesystem::is_empty(scratch.path())) << "nothing is written before the formats are known";
    ASSERT_TRUE(writeFileAtomically(scratch / "file", "x"));
    EXPECT_FALSE(writePage(page, recipe, scratch / "file"));
    EXPECT_EQ(fileNameOf("a/b: c"), "a-b--c");
    EXPECT_EQ(fileNameOf("../../etc"), "-..-etc");
    EXPECT_EQ(fileNameOf(""), "figure");
}

TEST(PanelCsv, HoldsEveryPointAndSaysWhichAreDrawn) {
    const auto lines = QString::fromUtf8(panelAsCsv(test::linePanel(200))).split(QStringLiteral("\r\n"), Qt::SkipEmptyParts);
    EXPECT_EQ(lines.first(),
              QStringLiteral("curve,series,kind,active compute (FLOPs),validation loss (nats),low: validation loss (nats),high: validation loss (nats),drawn"));
    EXPECT_EQ(lines.size(), 1 + 3 * 200);
    EXPECT_TRUE(lines.last().startsWith(QStringLiteral("\"sparse, 8 experts\",")));

    std::vector<double> x, y;
    for (int i = 0; i < 50000; ++i) x.push_back(i), y.push_back(std::sin(i * 0.01));
    y[31234] = 9;
    y[777] = -9;
    const auto drawn = drawnPoints(x, y);
    const auto count = std::count(drawn.begin(), drawn.end(), 1);
    EXPECT_LE(count, 4 * kDrawnColumns);
    EXPECT_TRUE(drawn[31234] && drawn[777]) << "extremes are kept";
    EXPECT_TRUE(drawn.front() && drawn.back());
    analysis::LinePanel panel;
    panel.curves.emplace_back();
    panel.curves[0].x = x;
    panel.curves[0].y = y;
    const QByteArray csv = panelAsCsv({"t", "", {}, panel});
    EXPECT_EQ(csv.count("\r\n"), 50001);
    EXPECT_EQ(csv.count(",1\r\n"), count);

    const QByteArray map = panelAsCsv(test::heatmapPanel());
    EXPECT_TRUE(map.startsWith("category,expert,share ÷ even share,drawn\r\n"));
    EXPECT_TRUE(map.contains("group 0,3,,1\r\n")) << "missing is empty, not zero";
    EXPECT_EQ(panelAsCsv(test::heatmapPanel(2, 1000)).count(",0\r\n"), 2000);
    EXPECT_TRUE(panelAsCsv(test::overlayPanel()).contains("word,4,,,eyes,4,"));
}

TEST(FigureChecks, FindWhatAReaderCannotTellApart) {
    auto panel = test::linePanel();
    auto& lines = std::get<analysis::LinePanel>(panel.content);
    // Ends far from the right edge force a legend, which tells by colour alone.
    for (auto& curve : lines.curves) curve.x.back() = curve.x.front();
    lines.curves[0].x.back() = 4.1e17;
    lines.curves[1].color = lines.curves[2].color;
    Page page = test::pageOf({panel});
    PageReport report;
    const auto pdf = pageAsPdf(page, &report);
    ASSERT_TRUE(pdf);
    EXPECT_EQ(report.color_keys.size(), 3u);
    const auto checks = checkFigure(page, {}, report, *pdf);
    const auto has = [&](const QString& words, CheckState state) {
        return std::any_of(checks.begin(), checks.end(), [&](const FigureCheck& check) { return check.words.contains(words) && check.state == state; });
    };
    EXPECT_TRUE(has(QStringLiteral("fonts embedded"), CheckState::kGood));
    EXPECT_TRUE(has(QStringLiteral("deuteranopia"), CheckState::kWarn));
    EXPECT_TRUE(has(QStringLiteral("in grey"), CheckState::kWarn));
    EXPECT_TRUE(has(QStringLiteral("text ≥"), CheckState::kGood));

    // Red and green, equally light, are one colour to a deuteranope; blue and orange are not.
    const auto near = [](QColor a, QColor b) { return std::abs(a.red() - b.red()) + std::abs(a.green() - b.green()) + std::abs(a.blue() - b.blue()); };
    const QColor red(200, 80, 60), green(110, 130, 60), blue(0, 114, 178), orange(230, 159, 0);
    EXPECT_LT(near(seenWith(Vision::kDeuteranopia, red), seenWith(Vision::kDeuteranopia, green)) * 2, near(red, green));
    EXPECT_GT(near(seenWith(Vision::kDeuteranopia, blue), seenWith(Vision::kDeuteranopia, orange)), 150);
    EXPECT_LT(near(seenWith(Vision::kProtanopia, Qt::white), Qt::white), 6);

    page.settings.font_pt = 4;
    page.settings.preset = analysis::pagePresets().front().name;
    ASSERT_TRUE(pageAsPdf(page, &report));
    const auto small = checkFigure(page, {}, report, {});
    EXPECT_TRUE(std::any_of(small.begin(), small.end(), [](const FigureCheck& check) {
        return check.state == CheckState::kBad && check.words.startsWith(QStringLiteral("text down to"));
    }));
}

}  // namespace
}  // namespace es::views::page

int main(int argc, char** argv) { return es::test::runWithApplication(argc, argv); }
