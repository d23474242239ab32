// SPDX-License-Identifier: GPL-3.0-or-later
// The page "Structure" in the window: what it shows of a probe, and that a click on an expert selects it.
#include <gtest/gtest.h>

#include <QHeaderView>
#include <algorithm>

#include "tests/views/inspect_fixture.h"
#include "views/inspect/structure/structure_page.h"
#include "views/models/panel_json.h"

namespace es::views {
namespace {

using test::InspectBench;
using test::madeRun;
using test::smallRun;

class StructureBench : public InspectBench {
public:
    explicit StructureBench(std::filesystem::path run) : InspectBench(std::move(run)) {
        workspace->showPage(QStringLiteral("structure"));
        settle();
        page = find<StructurePage>("structurePage");
    }
    void choose(const char* control, const char* value) {
        auto* choices = find<SegmentedControl>(control);
        click(choices, choices->segmentRect(static_cast<int>(choices->values().indexOf(QLatin1String(value)))).center());
    }
    StructurePage* page;
};

es::test::SyntheticRunOptions twoChoices() {
    auto options = smallRun();
    options.k = 2;
    return options;
}

TEST(StructurePage, ShowsTheWholeProbe) {
    StructureBench bench(madeRun("two", twoChoices()));
    for (const PlotPanel* panel : {bench.page->map(), bench.page->flow(), bench.page->pairs(), bench.page->labels(), bench.page->paths()})
        EXPECT_EQ(panel->state(), PanelFrame::State::kReady) << panel->title().toStdString() << ": " << panel->stateWords().toStdString();
    const HeatmapPlot* map = bench.page->map()->heatmapPlot();
    ASSERT_NE(map, nullptr);
    EXPECT_EQ(map->panel()->rows, 4);
    EXPECT_EQ(map->panel()->columns, 8);
    const analysis::SankeyPanel* flow = bench.page->flow()->sankeyPlot()->panel();
    ASSERT_EQ(flow->columns.size(), 2u) << "the V-routers of layers 1 and 2";
    double leaving = 0;
    for (const auto& node : flow->columns[0].nodes) leaving += node.amount;
    EXPECT_EQ(leaving, 24 * 36 * 2) << "patches of 24 pictures, alone and in a pair";
    const TableView* table = bench.page->labels()->tableView();
    ASSERT_NE(table, nullptr);
    EXPECT_EQ(table->panel()->columns.front(), "router");
    const QJsonObject data = bench.data("specialisation");
    EXPECT_EQ(data.value(QStringLiteral("kind")).toString(), QStringLiteral("table"));
    EXPECT_EQ(bench.data("path_flow").value(QStringLiteral("kind")).toString(), QStringLiteral("sankey"));
}

TEST(StructurePage, ClickingSelectsTheExpertEverywhere) {
    StructureBench bench(madeRun("two", twoChoices()));
    HeatmapPlot* map = bench.page->map()->heatmapPlot();
    bench.click(map, map->cellRect(2, 5).center());
    EXPECT_EQ(bench.selection.current().router, RouterId(2)) << "the third row is layer 2, V";
    EXPECT_EQ(bench.selection.current().expert, ExpertIndex(5));
    SankeyPlot* flow = bench.page->flow()->sankeyPlot();
    const auto& nodes = flow->panel()->columns[0].nodes;
    const int busiest =
        static_cast<int>(std::max_element(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.amount < b.amount; }) - nodes.begin());
    bench.click(flow, flow->nodeRect(0, busiest).center());
    EXPECT_EQ(bench.selection.current().router, RouterId(0));
    EXPECT_EQ(bench.selection.current().expert, ExpertIndex(busiest));
    HeatmapPlot* pairs = bench.page->pairs()->heatmapPlot();
    ASSERT_NE(pairs, nullptr);
    bench.click(pairs, pairs->cellRect(1, 0).center());
    EXPECT_EQ(bench.selection.current().expert, ExpertIndex(pairs->panel()->expertOfRow(1))) << "rows stand in the order of the clustering";
    bench.selection.undoStack()->undo();
    bench.settle();
    EXPECT_EQ(bench.selection.current().expert, ExpertIndex(busiest));
    TableView* paths = bench.page->paths()->tableView();
    Q_EMIT paths->rowChosen(0);
    bench.settle();
    const std::string first = paths->panel()->rows[0][0];
    EXPECT_EQ(std::to_string(bench.selection.current().expert.value), first.substr(0, first.find(' ')));
}

TEST(StructurePage, TablesSortByTheirHeader) {
    StructureBench bench(madeRun("two", twoChoices()));
    TableView* table = bench.page->labels()->tableView();
    ASSERT_NE(table, nullptr);
    const auto column = [&](int c) {
        std::vector<double> values;
        for (int row = 0; row < table->model()->rowCount(); ++row) values.push_back(table->model()->index(row, c).data().toString().toDouble());
        return values;
    };
    const auto own = column(2);
    Q_EMIT table->horizontalHeader()->sectionClicked(2);
    auto sorted = own;
    std::sort(sorted.rbegin(), sorted.rend());
    EXPECT_EQ(column(2), sorted) << "numbers from the largest";
    EXPECT_EQ(table->panel()->rows[static_cast<std::size_t>(table->panelRow(0))][2], table->model()->index(0, 2).data().toString().toStdString());
    Q_EMIT table->horizontalHeader()->sectionClicked(2);
    std::reverse(sorted.begin(), sorted.end());
    EXPECT_EQ(column(2), sorted);
    Q_EMIT table->horizontalHeader()->sectionClicked(2);
    EXPECT_EQ(column(2), own) << "the third click brings the first order back";
}

TEST(StructurePage, FollowsWordsAndExpertsAndRemembers) {
    StructureBench bench(madeRun("two", twoChoices()));
    bench.choose("flowModality", "text");
    EXPECT_EQ(bench.page->flow()->sankeyPlot()->panel()->columns.front().title, "T 1");
    bench.choose("labelView", "experts");
    ASSERT_NE(bench.page->labels()->tableView(), nullptr);
    EXPECT_EQ(bench.page->labels()->tableView()->panel()->columns[1], "expert");
    Q_EMIT bench.page->labels()->tableView()->rowChosen(0);
    bench.settle();
    EXPECT_EQ(std::to_string(bench.selection.current().expert.value), bench.page->labels()->tableView()->panel()->rows[0][1]);
    auto* kinds = bench.find<ChoiceBox>("pairKind");
    for (const char* kind : {"probabilities", "routers"}) {
        kinds->setValue(QLatin1String(kind));
        Q_EMIT kinds->chosen(QLatin1String(kind));
        bench.settle();
        EXPECT_EQ(bench.page->pairs()->state(), PanelFrame::State::kReady) << kind;
    }
    const QJsonObject state = bench.page->saveState();
    StructureBench again(madeRun("two", twoChoices()));
    again.page->restoreState(state);
    again.settle();
    EXPECT_EQ(again.page->flow()->sankeyPlot()->panel()->columns.front().title, "T 1");
    EXPECT_EQ(again.page->pairs()->heatmapPlot()->panel()->rows, 4) << "routers by routers";
}

TEST(StructurePage, EveryPanelGoesToFigures) {
    StructureBench bench(madeRun("two", twoChoices()));
    for (PlotPanel* panel : {bench.page->map(), bench.page->flow(), bench.page->pairs(), bench.page->labels(), bench.page->paths()}) {
        ASSERT_TRUE(panel->panelQuery()) << panel->title().toStdString();
        auto made = analysis::makePanel(*panel->panelQuery(), "/");
        ASSERT_TRUE(made) << made.error().message();
        EXPECT_EQ(made->content.index(), panel->shown()->content.index());
        EXPECT_FALSE(toTabSeparated(*made).isEmpty());
    }
}

TEST(StructurePage, SaysWhatIsMissing) {
    auto dense = smallRun();
    dense.ffn = "dense";
    StructureBench none(madeRun("dense", dense));
    for (const PlotPanel* panel : {none.page->map(), none.page->flow(), none.page->pairs(), none.page->labels(), none.page->paths()}) {
        EXPECT_EQ(panel->state(), PanelFrame::State::kEmpty);
        EXPECT_EQ(panel->stateWords(), QStringLiteral("No experts"));
    }
    StructureBench single(madeRun("run", smallRun()));
    auto* kinds = single.find<ChoiceBox>("pairKind");
    EXPECT_EQ(kinds->value(), QStringLiteral("probabilities")) << "with k = 1 no experts are active together";
    kinds->setValue(QStringLiteral("coactivation"));
    Q_EMIT kinds->chosen(QStringLiteral("coactivation"));
    single.settle();
    EXPECT_EQ(single.page->pairs()->state(), PanelFrame::State::kEmpty);
    EXPECT_EQ(single.page->pairs()->stateWords(), QStringLiteral("No co-activation"));
    StructureBench nothing(std::filesystem::path{});
    EXPECT_EQ(nothing.page->map()->stateWords(), QStringLiteral("No run chosen"));
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
