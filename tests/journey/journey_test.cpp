// SPDX-License-Identifier: GPL-3.0-or-later
// One user's way through the whole window, with the real engine in a child process and nothing but mouse and key events: start a training, see the
// curve grow, look into it, undo, make a figure, export it, close, and find everything again.
#include <gtest/gtest.h>

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QDialog>
#include <QImage>
#include <QJsonArray>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QTest>
#include <QToolButton>
#include <filesystem>

#include "app/window/main_window.h"
#include "support/scratch_folder.h"
#include "views/inspect/own_picture_bar.h"
#include "views/overlay/overlay_widget.h"
#include "views/overlay/token_chips.h"
#include "views/train/new_run_dialog.h"
#include "views/widgets/panel_frame.h"
#include "views/widgets/search_field.h"

namespace es::app {
namespace {

namespace fs = std::filesystem;
using views::OverlayWidget;
using views::TokenChips;

constexpr int kLong = 180000;  ///< a whole little training, on a busy machine

QStringList& warnings() {
    static QStringList list;
    return list;
}

class Journey : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        qputenv("QT_QPA_PLATFORM", "offscreen");
        static int argc = 1;
        static char name[] = "journey";
        static char* argv[] = {name, nullptr};
        application_ = new QApplication(argc, argv);
        qInstallMessageHandler([](QtMsgType type, const QMessageLogContext&, const QString& message) {
            const bool platform = message.contains(QLatin1String("This plugin does not support")) || message.contains(QLatin1String("XDG_RUNTIME_DIR"));
            if (!platform && (type == QtWarningMsg || type == QtCriticalMsg)) warnings() << message;
        });
    }
    static void TearDownTestSuite() {
        qInstallMessageHandler(nullptr);
        delete application_;  // here, not at exit: Qt's own statics must outlive it
    }
    void TearDown() override { EXPECT_TRUE(warnings().isEmpty()) << warnings().join(QLatin1Char('\n')).toStdString(); }

    WindowOptions options() {
        WindowOptions options;
        fs::create_directories(scratch_ / "runs");
        options.folders << QString::fromStdString((scratch_ / "runs").string());
        options.settings_file = QString::fromStdString((scratch_ / "window.json").string());
        options.size = QSize(1440, 900);
        options.program = QStringLiteral(ES_BINARY_DIR "/bin/expertscope");
        return options;
    }
    static void click(QWidget* widget, QPoint at = {}) {
        ASSERT_NE(widget, nullptr);
        ASSERT_TRUE(widget->isVisible());
        QTest::mouseClick(widget, Qt::LeftButton, {}, at.isNull() ? widget->rect().center() : at);
    }
    static QPushButton* button(QWidget* in, const QString& text) {
        for (QPushButton* candidate : in->findChildren<QPushButton*>())
            if (candidate->text().trimmed() == text && candidate->isVisible()) return candidate;
        return nullptr;
    }
    static void type(QLineEdit* line, const QString& text) {
        ASSERT_NE(line, nullptr);
        click(line);
        QTest::keyClick(line, Qt::Key_A, Qt::ControlModifier);
        QTest::keyClicks(line, text);
    }
    static void setOption(views::NewRunDialog* dialog, const QString& key, const QString& value) {
        auto* search = dialog->findChild<views::SearchField*>();
        ASSERT_NE(search, nullptr);
        type(search->findChild<QLineEdit*>() ? search->findChild<QLineEdit*>() : qobject_cast<QLineEdit*>(static_cast<QWidget*>(search)), key);
        QWidget* editor = dialog->form()->editor(key);
        ASSERT_TRUE(QTest::qWaitFor([&] { return editor->isVisible(); }, 3000)) << key.toStdString();
        type(qobject_cast<QLineEdit*>(editor), value);
    }
    /// Presses keys as the window's user: a dialog or menu that closed may have left no window active on the offscreen platform.
    static void press(MainWindow& window, Qt::Key key) {
        window.activateWindow();
        ASSERT_TRUE(QTest::qWaitForWindowActive(&window));
        QTest::keyClick(&window, key, Qt::ControlModifier);
    }
    /// Points of the loss curve on screen.
    static qsizetype lossPoints(MainWindow& window) {
        for (const QJsonValue& panel : window.workspace(QStringLiteral("train"))->dump().value(QStringLiteral("panels")).toArray()) {
            if (panel.toObject().value(QStringLiteral("name")).toString() != QLatin1String("loss")) continue;
            const QJsonArray curves = panel.toObject().value(QStringLiteral("data")).toObject().value(QStringLiteral("curves")).toArray();
            return curves.isEmpty() ? 0 : curves.first().toObject().value(QStringLiteral("x")).toArray().size();
        }
        return -1;
    }
    /// What a panel of Inspect shows.
    static QJsonObject inspectPanel(MainWindow& window, const QString& name) {
        for (const QJsonValue& panel : window.workspace(QStringLiteral("inspect"))->dump().value(QStringLiteral("panels")).toArray())
            if (panel.toObject().value(QStringLiteral("name")).toString() == name) return panel.toObject().value(QStringLiteral("data")).toObject();
        return {};
    }
    static bool waitSettled(MainWindow& window) {
        return QTest::qWaitFor([&] { return window.settled(); }, kLong);
    }

    inline static QApplication* application_ = nullptr;
    test::ScratchFolder scratch_;
};

TEST_F(Journey, FromAnEmptyFolderToAnExportedFigureAndBack) {
    views::Selection left;
    {
        MainWindow window(options());
        window.show();
        ASSERT_TRUE(QTest::qWaitForWindowActive(&window));
        ASSERT_TRUE(waitSettled(window));

        // Start a training: the dialog is modal, so it is driven from a timer.
        bool started = false;
        QTimer::singleShot(200, &window, [&] {
            auto* dialog = qobject_cast<views::NewRunDialog*>(QApplication::activeModalWidget());
            ASSERT_NE(dialog, nullptr);
            setOption(dialog, QStringLiteral("train.steps"), QStringLiteral("60"));
            setOption(dialog, QStringLiteral("train.evaluate_samples"), QStringLiteral("16"));
            setOption(dialog, QStringLiteral("train.checkpoint_every"), QStringLiteral("20"));
            setOption(dialog, QStringLiteral("record.probe_samples"), QStringLiteral("12"));
            setOption(dialog, QStringLiteral("data.cache"), QStringLiteral(ES_BINARY_DIR "/test-data"));
            EXPECT_EQ(dialog->problem(), QString());
            click(button(dialog, QStringLiteral("Start training")));
            started = true;
        });
        click(button(&window, QStringLiteral("New run")));
        ASSERT_TRUE(started);

        // The curve grows while the child trains.
        ASSERT_TRUE(QTest::qWaitFor([&] { return lossPoints(window) >= 3; }, kLong));
        const qsizetype early = lossPoints(window);
        ASSERT_TRUE(QTest::qWaitFor([&] { return lossPoints(window) > early; }, kLong));

        // Inspect it as soon as a probe is there; click a patch, then a word; undo.
        press(window, Qt::Key_2);
        EXPECT_EQ(window.selection().current().workspace, QStringLiteral("inspect"));
        auto* overlay = window.findChild<OverlayWidget*>();
        ASSERT_TRUE(
            QTest::qWaitFor([&] { return (overlay = window.findChild<OverlayWidget*>()) && overlay->isVisible() && !overlay->patchRect(7).isEmpty(); }, kLong));
        ASSERT_TRUE(waitSettled(window));
        click(overlay, overlay->patchRect(7).center().toPoint());
        EXPECT_EQ(window.selection().current().token_modality, Modality::kVision);
        EXPECT_EQ(window.selection().current().token, TokenIndex(7));
        auto* chips = window.findChild<TokenChips*>();
        ASSERT_NE(chips, nullptr);
        ASSERT_FALSE(chips->chipRect(1).isEmpty());
        click(chips, chips->chipRect(1).center().toPoint());
        EXPECT_EQ(window.selection().current().token_modality, Modality::kText);
        EXPECT_EQ(window.selection().current().token, TokenIndex(1));
        press(window, Qt::Key_Z);
        EXPECT_EQ(window.selection().current().token_modality, Modality::kVision);
        EXPECT_EQ(window.selection().current().token, TokenIndex(7));

        // Wait for the end of training: the view follows the newest probe to the last step.
        ASSERT_TRUE(QTest::qWaitFor([&] { return window.allRunsEnded(); }, kLong));
        const auto shownStep = [&] { return inspectPanel(window, QStringLiteral("overlay")).value(QStringLiteral("step")).toInt(); };
        ASSERT_TRUE(QTest::qWaitFor([&] { return shownStep() == 60; }, kLong)) << "still at step " << shownStep();
        ASSERT_TRUE(waitSettled(window));

        // A picture of one's own through the engine in this process; undo goes back to the probed sample.
        const views::Selection probed = window.selection().current();
        QImage own(64, 64, QImage::Format_RGBA8888);
        own.fill(Qt::red);
        QApplication::clipboard()->setImage(own);
        QTest::keySequence(overlay, QKeySequence::Paste);
        auto* bar = window.findChild<views::OwnPictureBar*>();
        ASSERT_NE(bar, nullptr);
        ASSERT_TRUE(QTest::qWaitFor([&] { return bar->isVisible(); }, 3000));
        QTest::keyClicks(bar->captionField(), QStringLiteral("red heart"));
        QTest::keyClick(bar->captionField(), Qt::Key_Return);
        ASSERT_TRUE(QTest::qWaitFor([&] { return window.selection().current().sample != probed.sample; }, kLong)) << "the engine did not answer";
        ASSERT_TRUE(waitSettled(window));
        const QJsonObject shown = inspectPanel(window, QStringLiteral("overlay"));
        EXPECT_EQ(shown.value(QStringLiteral("caption")).toString(), QStringLiteral("red heart"));
        EXPECT_EQ(shown.value(QStringLiteral("step")).toInt(), 60);
        press(window, Qt::Key_Z);
        ASSERT_TRUE(waitSettled(window));
        EXPECT_EQ(window.selection().current().sample, probed.sample);

        views::PanelFrame* frame = nullptr;
        for (QWidget* up = overlay; up && !frame; up = up->parentWidget()) frame = qobject_cast<views::PanelFrame*>(up);
        ASSERT_NE(frame, nullptr);
        QToolButton* more = nullptr;
        for (QToolButton* candidate : frame->findChildren<QToolButton*>())
            if (candidate->accessibleName().startsWith(QLatin1String("More"))) more = candidate;
        click(more);
        ASSERT_TRUE(QTest::qWaitFor([] { return qobject_cast<QMenu*>(QApplication::activePopupWidget()) != nullptr; }, 3000));
        auto* menu = qobject_cast<QMenu*>(QApplication::activePopupWidget());
        QAction* send = nullptr;
        for (QAction* action : menu->actions())
            if (action->text() == QLatin1String("Send to Figures")) send = action;
        ASSERT_NE(send, nullptr);
        ASSERT_TRUE(send->isEnabled()) << send->toolTip().toStdString();
        QTest::mouseClick(menu, Qt::LeftButton, {}, menu->actionGeometry(send).center());

        // Export the page.
        press(window, Qt::Key_4);
        ASSERT_TRUE(waitSettled(window));
        type(window.findChild<QLineEdit*>(QStringLiteral("outFolder")), QString::fromStdString((scratch_ / "paper").string()));
        auto* exporting = window.findChild<QPushButton*>(QStringLiteral("exportFigure"));
        ASSERT_NE(exporting, nullptr);
        ASSERT_TRUE(exporting->isEnabled()) << exporting->toolTip().toStdString();
        click(exporting);
        const auto hasPdf = [&] {
            std::error_code error;
            for (const auto& entry : fs::directory_iterator(scratch_ / "paper", error))
                if (entry.path().extension() == ".pdf") return true;
            return false;
        };
        ASSERT_TRUE(QTest::qWaitFor(hasPdf, kLong));
        ASSERT_TRUE(waitSettled(window));
        left = window.selection().current();
        window.close();
    }
    MainWindow again(options());
    again.show();
    ASSERT_TRUE(waitSettled(again));
    EXPECT_EQ(again.selection().current().workspace, QStringLiteral("figures"));
    EXPECT_EQ(again.selection().current(), left);
}

}  // namespace
}  // namespace es::app
