// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/figures/figures_workspace.h"

#include <QClipboard>
#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>

#include "tests/views/figures_fixture.h"

namespace es::views {
namespace {

class FiguresWorkspaceTest : public test::WorkspaceTest {
protected:
    std::unique_ptr<FiguresWorkspace> open() {
        auto made = std::make_unique<FiguresWorkspace>(context_);
        made->resize(1280, 740);
        made->show();
        openFolder();
        settle(*made);
        return made;
    }
    void settle(FiguresWorkspace& workspace) {
        waitFor([&] { return workspace.settled() && jobs_.idle(); });
    }
    static QJsonObject panel(const FiguresWorkspace& workspace, const char* name) {
        for (const auto& value : workspace.dump().value(QStringLiteral("panels")).toArray())
            if (value.toObject().value(QStringLiteral("name")).toString() == QLatin1String(name)) return value.toObject();
        return {};
    }
    static QJsonArray shownPanels(const FiguresWorkspace& workspace) {
        return panel(workspace, "page").value(QStringLiteral("data")).toObject().value(QStringLiteral("panels")).toArray();
    }
    [[nodiscard]] QString figureFile(const char* name) const { return QString::fromStdString((scratch_ / "runs" / "figures" / name).string()); }
    static void press(QWidget& in, const QString& text) {
        for (auto* button : in.findChildren<QPushButton*>())
            if (button->text() == text && button->isVisible()) {
                QTest::mouseClick(button, Qt::LeftButton);
                return;
            }
        ADD_FAILURE() << "there is no button '" << text.toStdString() << "'";
    }
};

TEST_F(FiguresWorkspaceTest, MakesAFirstFigureDrawsAndExportsIt) {
    addRun("dense-s1", "dense", 1);
    addRun("sparse-s1", "moe", 1);
    const auto workspace = open();
    EXPECT_EQ(panel(*workspace, "page").value(QStringLiteral("state")).toString(), QStringLiteral("empty"));
    press(*workspace, QStringLiteral("Make a first figure"));
    settle(*workspace);
    ASSERT_TRUE(QFileInfo::exists(figureFile("overview.json"))) << errors_.join(QLatin1Char('\n')).toStdString();
    ASSERT_EQ(shownPanels(*workspace).size(), 2);
    for (const auto& one : shownPanels(*workspace))
        EXPECT_FALSE(one.toObject().contains(QStringLiteral("error"))) << one.toObject().value(QStringLiteral("error")).toString().toStdString();

    // The stored recipe names its runs from where it lies, so that the project can be moved.
    QFile file(figureFile("overview.json"));
    ASSERT_TRUE(file.open(QIODevice::ReadOnly));
    const QByteArray text = file.readAll();
    EXPECT_TRUE(text.contains("../sparse-s1")) << text.constData();
    EXPECT_FALSE(text.contains(QByteArray::fromStdString(scratch_.path().string())));

    for (const char* format : {"write-png"}) find<QCheckBox>(*workspace, format)->click();
    auto* button = find<QPushButton>(*workspace, "exportFigure");
    ASSERT_TRUE(button->isEnabled()) << button->toolTip().toStdString();
    QTest::mouseClick(button, Qt::LeftButton);
    settle(*workspace);
    EXPECT_TRUE(errors_.isEmpty()) << errors_.join(QLatin1Char('\n')).toStdString();
    for (const char* name : {"overview.pdf", "overview.svg", "overview.png", "overview-a.csv", "overview-b.csv"})
        EXPECT_GT(QFileInfo(figureFile(name)).size(), 100) << name;

    press(*workspace, QStringLiteral("Copy command"));
    EXPECT_TRUE(QApplication::clipboard()->text().startsWith(QStringLiteral("expertscope figure render ")));
    EXPECT_TRUE(QApplication::clipboard()->text().endsWith(QStringLiteral("--format pdf,svg,png,csv")));
    const QJsonArray checks = panel(*workspace, "export").value(QStringLiteral("data")).toObject().value(QStringLiteral("checks")).toArray();
    EXPECT_GE(checks.size(), 5);
}

TEST_F(FiguresWorkspaceTest, TakesPanelsFromElsewhereAndUndoes) {
    const auto run = addRun("sparse-s1", "moe", 1);
    const auto workspace = open();
    analysis::PanelQuery query;
    query.kind = "loss";
    query.runs = {run.string()};
    workspace->addPanel(query);
    settle(*workspace);
    query.kind = "load";
    query.parameters = {{"router", "1.v"}};
    workspace->addPanel(query);
    settle(*workspace);
    ASSERT_EQ(shownPanels(*workspace).size(), 2);

    auto* view = workspace->findChild<PageView*>();
    ASSERT_NE(view, nullptr);
    QTest::mouseClick(view, Qt::LeftButton, {}, view->cellRect(1).center().toPoint());
    EXPECT_EQ(view->selected(), 1);
    EXPECT_EQ(find<QComboBox>(*workspace, "panelKind")->currentData().toString(), QStringLiteral("load"));
    QTest::keyClick(view, Qt::Key_Left);
    EXPECT_EQ(view->selected(), 0);
    EXPECT_EQ(find<QComboBox>(*workspace, "panelKind")->currentData().toString(), QStringLiteral("loss"));

    QTest::keyClicks(find<QLineEdit>(*workspace, "panelTitle"), QStringLiteral("Held out"));
    settle(*workspace);
    EXPECT_EQ(shownPanels(*workspace)[0].toObject().value(QStringLiteral("title")).toString(), QStringLiteral("Held out"));
    selection_.undoStack()->undo();
    settle(*workspace);
    EXPECT_NE(shownPanels(*workspace)[0].toObject().value(QStringLiteral("title")).toString(), QStringLiteral("Held out")) << "typing is one step";

    QTest::mouseClick(find<IconButton>(*workspace, "removePanel"), Qt::LeftButton);
    settle(*workspace);
    EXPECT_EQ(shownPanels(*workspace).size(), 1);
    selection_.undoStack()->undo();
    settle(*workspace);
    EXPECT_EQ(shownPanels(*workspace).size(), 2);
    const auto stored = analysis::loadRecipe((scratch_ / "runs" / "figures" / "figure.json"));
    ASSERT_TRUE(stored) << stored.error().message();
    EXPECT_EQ(stored->panels.size(), 2u);
}

TEST_F(FiguresWorkspaceTest, DeletesWithAWayBack) {
    const auto run = addRun("sparse-s1", "moe", 1);
    const auto workspace = open();
    workspace->addPanel({"loss", {}, {run.string()}, {}});
    settle(*workspace);
    ASSERT_TRUE(QFileInfo::exists(figureFile("figure.json")));
    for (auto* button : workspace->findChildren<IconButton*>())
        if (button->toolTip().startsWith(QStringLiteral("Delete"))) QTest::mouseClick(button, Qt::LeftButton);
    settle(*workspace);
    EXPECT_FALSE(QFileInfo::exists(figureFile("figure.json")));
    EXPECT_EQ(panel(*workspace, "page").value(QStringLiteral("state")).toString(), QStringLiteral("empty"));
    selection_.undoStack()->undo();
    settle(*workspace);
    EXPECT_TRUE(QFileInfo::exists(figureFile("figure.json")));
    EXPECT_EQ(shownPanels(*workspace).size(), 1);
}

TEST_F(FiguresWorkspaceTest, ShowsWhatIsWrongAndRefusesToExportIt) {
    const auto run = addRun("sparse-s1", "moe", 1);
    const auto workspace = open();
    workspace->addPanel({"loss", {}, {(scratch_ / "runs" / "gone").string()}, {}});
    settle(*workspace);
    ASSERT_EQ(shownPanels(*workspace).size(), 1);
    EXPECT_TRUE(shownPanels(*workspace)[0].toObject().value(QStringLiteral("error")).toString().contains(QStringLiteral("'gone'")));
    auto* button = find<QPushButton>(*workspace, "exportFigure");
    EXPECT_FALSE(button->isEnabled());
    EXPECT_FALSE(button->toolTip().isEmpty());

    QFile broken(figureFile("broken.json"));
    ASSERT_TRUE(broken.open(QIODevice::WriteOnly));
    broken.write("{ \"version\": 1, \"panels\": [");
    broken.close();
    auto* library = workspace->findChild<FigureLibrary*>();
    library->rescan();
    settle(*workspace);
    library->setCurrent(figureFile("broken.json"));
    EXPECT_EQ(panel(*workspace, "page").value(QStringLiteral("state")).toString(), QStringLiteral("failed"));
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::test::runWithApplication(argc, argv); }
