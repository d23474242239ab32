// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare/compare_workspace.h"

#include <QJsonArray>
#include <QMenu>

#include "tests/views/figures_fixture.h"

namespace es::views {
namespace {

class CompareWorkspaceTest : public test::WorkspaceTest {
protected:
    std::unique_ptr<CompareWorkspace> open() {
        auto made = std::make_unique<CompareWorkspace>(context_);
        made->resize(1280, 740);
        made->show();
        openFolder();
        waitFor([&] { return made->settled() && jobs_.idle(); });
        return made;
    }
    static QJsonObject panel(const CompareWorkspace& workspace, const QString& name) {
        for (const auto& value : workspace.dump().value(QStringLiteral("panels")).toArray())
            if (value.toObject().value(QStringLiteral("name")).toString() == name) return value.toObject();
        return {};
    }
    static QString state(const CompareWorkspace& workspace, const char* name) {
        return panel(workspace, QLatin1String(name)).value(QStringLiteral("state")).toString();
    }
};

TEST_F(CompareWorkspaceTest, StartsWithDenseAgainstExpertsAndSwaps) {
    addRun("dense-s1", "dense", 1);
    addRun("sparse-s1", "moe", 1);
    addRun("sparse-s2", "moe", 2);
    addRun("scaled-s1", "scaled_dense", 1);
    const auto workspace = open();
    ASSERT_EQ(selection_.current().baseline.size(), 1);
    EXPECT_TRUE(selection_.current().baseline.first().endsWith(QStringLiteral("dense-s1")));
    EXPECT_EQ(selection_.current().candidate.size(), 2);
    for (const char* name : {"curves", "cost", "configuration", "speed", "match", "verdict"})
        EXPECT_EQ(state(*workspace, name), QStringLiteral("ready")) << name;
    const QJsonObject verdict = panel(*workspace, QStringLiteral("verdict")).value(QStringLiteral("data")).toObject();
    EXPECT_FALSE(verdict.value(QStringLiteral("verdict")).toString().isEmpty());
    EXPECT_EQ(verdict.value(QStringLiteral("third_arms")).toArray().size(), 1) << "scaled dense is compared too";
    EXPECT_EQ(find<QComboBox>(*workspace, "baseline")->currentText(), QString::fromUtf8("dense-s1 · 1 seed"));

    const QStringList dense = selection_.current().baseline;
    QTest::mouseClick(find<QPushButton>(*workspace, "swap"), Qt::LeftButton);
    EXPECT_EQ(selection_.current().candidate, dense);
    waitFor([&] { return workspace->settled(); });
    selection_.undoStack()->undo();
    EXPECT_EQ(selection_.current().baseline, dense);
    waitFor([&] { return workspace->settled(); });
}

TEST_F(CompareWorkspaceTest, DrawsTheLossOnTheAxisChosen) {
    addRun("dense-s1", "dense", 1);
    addRun("sparse-s1", "moe", 1);
    const auto workspace = open();
    const auto title = [&] {
        return panel(*workspace, QStringLiteral("curves"))
            .value(QStringLiteral("data"))
            .toObject()
            .value(QStringLiteral("x"))
            .toObject()
            .value(QStringLiteral("title"))
            .toString();
    };
    const QString before = title();
    auto* axis = find<SegmentedControl>(*workspace, "axis");
    QTest::mouseClick(axis, Qt::LeftButton, {}, axis->segmentRect(2).center());
    waitFor([&] { return workspace->settled(); });
    EXPECT_EQ(axis->value(), QStringLiteral("samples"));
    EXPECT_NE(title(), before);
    EXPECT_TRUE(title().contains(QStringLiteral("sample"))) << title().toStdString();
    // One sparse run alone: its experts have nothing to be matched with, and the panel says what would help.
    EXPECT_EQ(state(*workspace, "match"), QStringLiteral("empty"));
}

TEST_F(CompareWorkspaceTest, SendsAPanelToFiguresAsAQuery) {
    addRun("dense-s1", "dense", 1);
    addRun("sparse-s1", "moe", 1);
    const auto workspace = open();
    auto* curves = find<PlotPanel>(*workspace, "curves");
    ASSERT_TRUE(curves->panelQuery().has_value());
    QAction* send = nullptr;
    for (QAction* action : curves->panelMenu()->actions())
        if (action->text().contains(QStringLiteral("Figures"))) send = action;
    ASSERT_NE(send, nullptr);
    send->trigger();
    ASSERT_EQ(sent_.size(), 1u);
    EXPECT_EQ(sent_[0].kind, "compare_curves");
    EXPECT_EQ(sent_[0].runs.size(), 2u);
    EXPECT_EQ(sent_[0].parameters.at("baseline"), "1");
    const auto again = analysis::makePanel(sent_[0], scratch_.path());
    ASSERT_TRUE(again) << again.error().message();
}

TEST_F(CompareWorkspaceTest, SaysWhatIsMissing) {
    auto workspace = open();
    EXPECT_EQ(state(*workspace, "curves"), QStringLiteral("empty"));
    EXPECT_EQ(panel(*workspace, QStringLiteral("curves")).value(QStringLiteral("words")).toString(), QStringLiteral("No runs yet"));
    EXPECT_FALSE(find<QPushButton>(*workspace, "swap")->isEnabled());
    EXPECT_FALSE(find<QPushButton>(*workspace, "swap")->toolTip().isEmpty());
    hub_.addRun(QString::fromStdString(addRun("alone", "moe", 1).string()));
    waitFor([&] { return !hub_.runs().empty() && workspace->settled() && jobs_.idle(); });
    EXPECT_EQ(panel(*workspace, QStringLiteral("curves")).value(QStringLiteral("words")).toString(), QStringLiteral("Nothing to compare with"));
}

TEST(RunGroups, PutSeedsTogetherAndNameThem) {
    std::vector<store::RunSummary> runs(4);
    const char* names[] = {"vlmoe-seed2", "vlmoe-seed1", "plain", "broken"};
    for (std::size_t i = 0; i < 4; ++i) {
        runs[i].name = names[i];
        runs[i].folder = std::filesystem::path("/runs") / names[i];
        runs[i].ffn = i == 2 ? "dense" : "moe";
        runs[i].group_hash = i < 2 ? "a" : "b" + std::to_string(i);
        runs[i].seed = i == 0 ? 2 : 1;
    }
    runs[3].problem = "half copied";
    const auto groups = groupRuns(runs);
    ASSERT_EQ(groups.size(), 2u);
    EXPECT_EQ(groups[0].name, QStringLiteral("plain"));
    EXPECT_EQ(groups[1].name, QStringLiteral("vlmoe"));
    EXPECT_EQ(groups[1].runs, (QStringList{QStringLiteral("/runs/vlmoe-seed1"), QStringLiteral("/runs/vlmoe-seed2")}));
    EXPECT_EQ(defaultSides(groups).baseline, 0);
    EXPECT_EQ(defaultSides(groups).candidate, 1);
    EXPECT_EQ(groupOf(groups, {QStringLiteral("/runs/vlmoe-seed2")}), 1);
    EXPECT_EQ(groupOf(groups, {QStringLiteral("/elsewhere")}), -1);
    EXPECT_EQ(defaultSides({}).baseline, -1);
}

TEST(Verdict, SetsNumbersInBold) {
    EXPECT_EQ(emphasised(QStringLiteral("is lower by 0.214 (95 % interval 0.20 to 0.23)")),
              QStringLiteral("is lower by <b>0.214</b> (95 % interval 0.20 to 0.23)"));
    EXPECT_EQ(emphasised(QStringLiteral("with 2.1 x less compute")), QString::fromUtf8("with <b>2.1\u00a0×</b> less compute"));
    EXPECT_TRUE(emphasised(QStringLiteral("a < b")).contains(QStringLiteral("a &lt; b")));
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::test::runWithApplication(argc, argv); }
