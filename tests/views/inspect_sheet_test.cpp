// SPDX-License-Identifier: GPL-3.0-or-later
// The contact sheet in the window.
#include <gtest/gtest.h>

#include <QLineEdit>

#include "tests/views/inspect_fixture.h"
#include "views/inspect/sheet/sheet_page.h"

namespace es::views {
namespace {

using test::InspectBench;
using test::madeRun;
using test::smallRun;

class SheetBench : public InspectBench {
public:
    explicit SheetBench(std::filesystem::path run) : InspectBench(std::move(run)) {
        workspace->showPage(QStringLiteral("sheet"));
        settle();
        grid = find<SheetGrid>("sheetGrid");
    }
    void choose(const char* control, const char* value) {
        auto* choices = find<SegmentedControl>(control);
        click(choices, choices->segmentRect(static_cast<int>(choices->values().indexOf(QLatin1String(value)))).center());
    }
    [[nodiscard]] std::vector<std::uint64_t> samples() const {
        std::vector<std::uint64_t> all;
        if (grid->sheet())
            for (const auto& item : grid->sheet()->items) all.push_back(item.sample);
        return all;
    }
    SheetGrid* grid;
};

TEST(InspectSheet, FollowsTheSelectedExpert) {
    SheetBench bench(madeRun("run", smallRun()));
    ASSERT_NE(bench.grid->sheet(), nullptr);
    EXPECT_EQ(bench.samples().size(), 24u);
    bench.workspace->model()->chooseRouter(RouterId(0), ExpertIndex(5));
    bench.settle();
    EXPECT_EQ(bench.grid->sheet()->expert, ExpertIndex(5));
    const auto first = bench.samples();
    analysis::SheetRequest request;
    request.overlay.layer = LayerIndex(1);
    request.overlay.expert_router = RouterId(0);
    request.overlay.expert = ExpertIndex(5);
    const auto expected = analysis::contactSheet(*bench.workspace->model()->reader(), request);
    ASSERT_TRUE(expected);
    for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(first[i], expected->items[i].sample);
    bench.choose("sheetOrder", "given");
    const auto& listed = bench.workspace->model()->listed();
    EXPECT_EQ(bench.samples(), std::vector<std::uint64_t>(listed.begin(), listed.begin() + 24));
    bench.choose("sheetModes", "entropy");
    EXPECT_EQ(bench.workspace->model()->overlayChoices().mode, analysis::OverlayMode::kEntropy);
    EXPECT_TRUE(std::get<analysis::OverlayPanel>(bench.grid->sheet()->items[0].panel.content).show_values);
    const QJsonObject data = bench.data("sheet");
    EXPECT_EQ(data.value(QStringLiteral("items")).toArray().size(), 24);
    EXPECT_EQ(data.value(QStringLiteral("expert")).toInt(), 5);
}

TEST(InspectSheet, TheListsSearchNarrowsIt) {
    SheetBench bench(madeRun("run", smallRun()));
    bench.choose("sheetOrder", "given");
    auto* search = bench.find<QLineEdit>("sampleSearch");
    search->setFocus();
    QTest::keyClicks(search, QStringLiteral("red"));
    QTest::qWait(400);
    bench.settle();
    EXPECT_LT(bench.samples().size(), 24u);
    EXPECT_EQ(bench.samples(), bench.workspace->model()->listed());
}

TEST(InspectSheet, AClickAndReturnOpenASample) {
    SheetBench bench(madeRun("run", smallRun()));
    const auto samples = bench.samples();
    bench.click(bench.grid, bench.grid->cellRect(2).center());
    EXPECT_EQ(bench.selection.current().sample, samples[2]);
    EXPECT_EQ(bench.workspace->page(), QStringLiteral("sample"));
    bench.workspace->showPage(QStringLiteral("sheet"));
    bench.settle();
    bench.grid->setFocus();
    bench.key(bench.grid, Qt::Key_Right);
    EXPECT_EQ(bench.grid->current(), 3);
    bench.key(bench.grid, Qt::Key_Return);
    EXPECT_EQ(bench.selection.current().sample, samples[3]);
}

TEST(InspectSheet, SaysWhatIsMissing) {
    auto options = smallRun();
    options.ffn = "dense";
    options.name = "dense";
    InspectBench bench(madeRun("dense", options));
    bench.workspace->showPage(QStringLiteral("sheet"));
    bench.settle();
    EXPECT_EQ(bench.panel("sheet").value(QStringLiteral("state")).toString(), QStringLiteral("empty"));
    InspectBench none{std::filesystem::path()};
    none.workspace->showPage(QStringLiteral("sheet"));
    none.settle();
    EXPECT_EQ(none.panel("sheet").value(QStringLiteral("state")).toString(), QStringLiteral("empty"));
}

TEST(InspectSheet, ReadsNothingWhileItIsHidden) {
    InspectBench bench(madeRun("run", smallRun()));
    const auto* grid = bench.find<SheetGrid>("sheetGrid");
    bench.workspace->model()->chooseRouter(RouterId(0), ExpertIndex(5));
    bench.settle();
    EXPECT_EQ(grid->sheet(), nullptr);
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
