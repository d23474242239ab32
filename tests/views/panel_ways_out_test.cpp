// SPDX-License-Identifier: GPL-3.0-or-later
// What leaves a panel: copies in every form, and the panel itself for a window of its own.
#include <QApplication>
#include <QClipboard>
#include <QJsonDocument>
#include <QJsonObject>
#include <QListWidget>
#include <QMenu>
#include <QVBoxLayout>

#include "gui_test.h"
#include "views/plots/plot_panel.h"
#include "views/widgets/detached_panels.h"

namespace es::views {
namespace {

using test::gui;

std::shared_ptr<const analysis::Panel> bars() {
    auto panel = std::make_shared<analysis::Panel>();
    panel->title = "Load";
    analysis::BarPanel content;
    content.x.title = "expert";
    content.y.title = "share";
    content.bars.push_back({"0", 0.25, analysis::kMissing, analysis::kMissing, {}, false});
    content.bars.push_back({"1", 0.75, analysis::kMissing, analysis::kMissing, {}, true});
    panel->content = content;
    return panel;
}

QAction* action(PanelFrame& frame, const char* text) {
    for (QAction* one : frame.panelMenu()->actions())
        if (one->text() == QLatin1String(text)) return one;
    ADD_FAILURE() << "no entry " << text;
    return nullptr;
}

TEST(PanelCopy, AFigureIsCopiedInEveryForm) {
    PlotPanel panel(gui->theme.get(), QStringLiteral("load"), QStringLiteral("Load"));
    panel.resize(400, 300);
    panel.showPanel(bars());
    panel.setCredit([] { return QStringLiteral("Pictures: emoji · Apache-2.0"); });
    const auto mime = panel.copied();
    EXPECT_TRUE(mime->hasImage());
    EXPECT_EQ(qvariant_cast<QImage>(mime->imageData()).width(), 400);
    EXPECT_TRUE(mime->text().contains(QStringLiteral("0.75"))) << mime->text().toStdString();
    EXPECT_TRUE(mime->text().contains(QLatin1Char('\t')));
    EXPECT_TRUE(mime->text().endsWith(QStringLiteral("Apache-2.0")));
    const QJsonObject json = QJsonDocument::fromJson(mime->data(QStringLiteral("application/json"))).object();
    EXPECT_EQ(json.value(QStringLiteral("kind")).toString(), QStringLiteral("bar"));
    const QByteArray svg = mime->data(QStringLiteral("image/svg+xml"));
    EXPECT_TRUE(svg.contains("<svg") && svg.contains("share") && svg.contains("Apache-2.0"));
    EXPECT_TRUE(mime->data(QStringLiteral("application/pdf")).startsWith("%PDF"));
    for (const char* entry : {"Copy image", "Copy data", "Copy as SVG and PDF", "Copy as JSON"}) {
        QApplication::clipboard()->clear();
        QAction* copy = action(panel, entry);
        ASSERT_TRUE(copy && copy->isEnabled()) << entry;
        copy->trigger();
        EXPECT_FALSE(QApplication::clipboard()->mimeData()->formats().isEmpty()) << entry;
    }
}

TEST(PanelCopy, AListIsCopiedAsItsRowsAndAnEmptyPanelSaysWhyNot) {
    PanelFrame frame(gui->theme.get(), QStringLiteral("Samples"));
    EXPECT_FALSE(action(frame, "Copy data")->isEnabled());
    EXPECT_FALSE(action(frame, "Copy data")->toolTip().isEmpty());
    EXPECT_TRUE(action(frame, "Copy image")->isEnabled());
    auto* body = new QWidget;
    auto* list = new QListWidget(body);
    list->addItems({QStringLiteral("red circle"), QStringLiteral("with\ta tab")});
    frame.setContent(body);
    frame.showReady();
    EXPECT_EQ(frame.copied()->text(), QStringLiteral("red circle\nwith a tab"));
    EXPECT_TRUE(action(frame, "Copy data")->isEnabled());
    EXPECT_FALSE(action(frame, "Copy as JSON")->isEnabled()) << "it is not a figure";
}

TEST(PanelCopy, ControlCCopiesFromWithin) {
    QWidget window;
    auto* column = new QVBoxLayout(&window);
    auto* panel = new PlotPanel(gui->theme.get(), QStringLiteral("load"), QStringLiteral("Load"), &window);
    column->addWidget(panel);
    panel->showPanel(bars());
    panel->barPlot()->setFocusPolicy(Qt::StrongFocus);
    window.resize(400, 300);
    window.show();
    window.activateWindow();
    panel->barPlot()->setFocus();
    QApplication::clipboard()->clear();
    ASSERT_TRUE(test::waitFor([&] { return window.isActiveWindow(); }));
    QTest::keyClick(panel->barPlot(), Qt::Key_C, Qt::ControlModifier);
    EXPECT_TRUE(QApplication::clipboard()->text().contains(QStringLiteral("0.75")));
}

TEST(DetachedPanels, LeaveForAWindowOfTheirOwnAndComeBack) {
    QWidget workspace;
    auto* column = new QVBoxLayout(&workspace);
    auto* panel = new PlotPanel(gui->theme.get(), QStringLiteral("load"), QStringLiteral("Load"), &workspace);
    column->addWidget(panel);
    panel->showPanel(bars());
    workspace.resize(500, 400);
    workspace.show();
    BarPlot* plot = panel->barPlot();
    EXPECT_EQ(plot->window(), &workspace);
    action(*panel, "Open in a window of its own")->trigger();
    ASSERT_TRUE(panel->detached());
    QPointer<QWidget> window = panel->detachedWindow();
    EXPECT_TRUE(window->isVisible());
    EXPECT_EQ(plot->window(), window);
    EXPECT_TRUE(panel->isVisible()) << "its place says where it went";
    // What it shows goes on changing.
    auto more = std::make_shared<analysis::Panel>(*bars());
    more->title = "Load now";
    panel->showPanel(more);
    EXPECT_EQ(panel->title(), QStringLiteral("Load now"));
    panel->showFailed({ErrorKind::kBadInput, "It failed", "why", "remedy", {}});
    panel->showPanel(more);
    EXPECT_TRUE(plot->isVisible());

    window->setGeometry(40, 50, 600, 450);
    const QJsonArray kept = detachedPanels(&workspace);
    ASSERT_EQ(kept.size(), 1);
    EXPECT_EQ(kept[0].toObject().value(QStringLiteral("panel")).toString(), QStringLiteral("Load"));
    window->close();
    QCoreApplication::sendPostedEvents(nullptr, QEvent::DeferredDelete);
    EXPECT_FALSE(panel->detached());
    EXPECT_TRUE(window.isNull());
    EXPECT_EQ(plot->window(), &workspace);
    EXPECT_TRUE(plot->isVisible());
    EXPECT_TRUE(detachedPanels(&workspace).isEmpty());

    restoreDetached(&workspace, kept);
    ASSERT_TRUE(panel->detached());
    EXPECT_EQ(panel->detachedWindow()->size(), QSize(600, 450));
    restoreDetached(&workspace, QJsonArray{QJsonObject{{QStringLiteral("panel"), QStringLiteral("gone")}}, QJsonValue(3)});
    // The workspace may go while the panel is away.
    window = panel->detachedWindow();
    delete panel;
    EXPECT_TRUE(window.isNull());
}

}  // namespace
}  // namespace es::views
