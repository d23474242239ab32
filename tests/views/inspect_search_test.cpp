// SPDX-License-Identifier: GPL-3.0-or-later
// Searching samples by words and by queries, saved sets, pages of a set.
#include <gtest/gtest.h>

#include <QAbstractItemView>
#include <QLabel>
#include <QListView>
#include <QMenu>

#include "tests/views/inspect_fixture.h"
#include "views/inspect/query_field.h"
#include "views/inspect/sample_list_model.h"

namespace es::views {
namespace {

using test::InspectBench;
using test::madeRun;
using test::smallRun;

void ask(InspectBench& bench, const QString& text) {
    auto* line = bench.find<QLineEdit>("sampleSearch");
    line->clear();
    QTest::keyClicks(line, text);
    bench.key(line, Qt::Key_Return);
}
int shown(InspectBench& bench) { return bench.find<QListView>("sampleList")->model()->rowCount(); }
QString answer(InspectBench& bench) { return bench.find<QLabel>("sampleAnswer")->text(); }
QAction* action(QMenu* menu, const QString& text) {
    for (QAction* one : menu->actions())
        if (one->text().startsWith(text)) return one;
    return nullptr;
}

TEST(InspectSearch, AQueryFiltersTheListAndSaysWhatItFound) {
    InspectBench bench(madeRun("run", smallRun()));
    const int all = shown(bench);
    ask(bench, QStringLiteral("category animal"));
    EXPECT_EQ(shown(bench), 8);
    EXPECT_TRUE(answer(bench).contains(QStringLiteral("8 samples"))) << answer(bench).toStdString();
    ask(bench, QStringLiteral("category animal, word 'red'"));
    EXPECT_EQ(shown(bench), 2);
    EXPECT_TRUE(answer(bench).contains(QStringLiteral("token"))) << answer(bench).toStdString();
    // Every patch of a red picture that is painted goes to expert 3 of router 1.v in most cases: the planted rule.
    ask(bench, QStringLiteral("expert 3 in 1.v, caption ~ red"));
    EXPECT_EQ(shown(bench), 6);
    ask(bench, QStringLiteral("red circle"));
    EXPECT_EQ(shown(bench), 2);
    EXPECT_TRUE(bench.find<QLabel>("sampleAnswer")->isHidden());
    ask(bench, {});
    EXPECT_EQ(shown(bench), all);
}

TEST(InspectSearch, AMistakeIsSaidWithItsPlaceAndTheListStays) {
    InspectBench bench(madeRun("run", smallRun()));
    const int all = shown(bench);
    ask(bench, QStringLiteral("category animals"));
    EXPECT_TRUE(answer(bench).contains(QStringLiteral("'animal'"))) << answer(bench).toStdString();
    EXPECT_EQ(bench.find<QLabel>("sampleAnswer")->property("role").toString(), QStringLiteral("bad"));
    EXPECT_EQ(shown(bench), all);
    ask(bench, QStringLiteral("expert five"));
    EXPECT_TRUE(answer(bench).startsWith(QStringLiteral("At character 8"))) << answer(bench).toStdString();
    ask(bench, QStringLiteral("\"expert five\""));
    EXPECT_EQ(shown(bench), 0) << "in quotes it is words";
}

TEST(InspectSearch, CompletionOffersConditionsAndValuesOfTheRun) {
    InspectBench bench(madeRun("run", smallRun()));
    ask(bench, QStringLiteral("masked"));  // the index is there from now on
    auto* field = bench.workspace->findChild<QueryField*>();
    ASSERT_NE(field, nullptr);
    auto* completer = field->findChild<QCompleter*>();
    ASSERT_NE(completer, nullptr);
    auto* line = bench.find<QLineEdit>("sampleSearch");
    line->clear();
    QTest::keyClicks(line, QStringLiteral("masked, cat"));
    ASSERT_EQ(completer->model()->rowCount(), 1);
    EXPECT_EQ(completer->model()->index(0, 0).data(Qt::UserRole).toString(), QStringLiteral("masked, category "));
    QTest::keyClicks(line, QStringLiteral("egory fr"));
    ASSERT_EQ(completer->model()->rowCount(), 1);
    EXPECT_EQ(completer->model()->index(0, 0).data(Qt::UserRole).toString(), QStringLiteral("masked, category fruit "));
    completer->popup()->hide();
}

TEST(InspectSearch, SetsAreSavedOfferedUsedAndRemoved) {
    es::test::ScratchFolder scratch;
    ASSERT_TRUE(es::test::writeSyntheticRun(scratch / "run", smallRun()));
    InspectBench bench(scratch / "run");
    auto* search = bench.workspace->findChild<SampleSearch*>();
    auto* field = bench.workspace->findChild<QueryField*>();
    ASSERT_TRUE(search && field);
    EXPECT_FALSE(action(field->menu(), QStringLiteral("Save this query"))->isEnabled());
    ask(bench, QStringLiteral("category animal, modality patch"));
    EXPECT_TRUE(action(field->menu(), QStringLiteral("Save this query"))->isEnabled());
    search->saveAs(QStringLiteral("animals"));
    bench.settle();
    ASSERT_EQ(search->sets().size(), 1u);
    EXPECT_TRUE(bench.said.isEmpty()) << bench.said.join(QLatin1Char('\n')).toStdString();
    search->saveAs(QStringLiteral("masked"));  // reads as a query
    bench.settle();
    EXPECT_EQ(bench.said.size(), 1);
    // Pages look at the set, the sample on screen stays whole.
    InspectModel* model = bench.workspace->model();
    EXPECT_TRUE(model->chosenSet().everything);
    action(field->menu(), QStringLiteral("Analyse only"))->trigger();
    bench.settle();
    EXPECT_FALSE(model->chosenSet().everything);
    EXPECT_EQ(model->chosenSet().name, "animals");
    const auto whole = model->reader()->probe({600, "trained"}, RouterId(0)), part = model->analysisReader()->probe({600, "trained"}, RouterId(0));
    ASSERT_TRUE(whole && part);
    EXPECT_EQ(part->tokens * 3, whole->tokens);
    EXPECT_TRUE(answer(bench).contains(QStringLiteral("the set 'animals'"))) << answer(bench).toStdString();
    ask(bench, {});
    EXPECT_FALSE(model->chosenSet().everything) << "another search does not change what pages look at";
    action(field->menu(), QStringLiteral("Analyse everything"))->trigger();
    EXPECT_EQ(model->analysisReader(), model->reader());
    // A saved set comes back by its name.
    action(field->menu(), QStringLiteral("animals"))->trigger();
    bench.settle();
    EXPECT_EQ(shown(bench), 8);
    search->remove(QStringLiteral("animals"));
    bench.settle();
    EXPECT_TRUE(search->sets().empty());
}

TEST(InspectSearch, HelpFillsInAnExample) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* field = bench.workspace->findChild<QueryField*>();
    field->showHelp();
    auto* popup = bench.workspace->window()->findChild<QFrame*>(QStringLiteral("queryHelp"));
    ASSERT_NE(popup, nullptr);
    auto* label = popup->findChild<QLabel*>();
    Q_EMIT label->linkActivated(QStringLiteral("expert%205"));
    bench.settle();
    EXPECT_EQ(bench.find<QLineEdit>("sampleSearch")->text(), QStringLiteral("expert 5"));
    EXPECT_GT(shown(bench), 0);
}

TEST(InspectSearch, ARunWithoutProbeIsSearchedByItsSamples) {
    auto options = smallRun();
    options.ffn = "dense";
    InspectBench bench(madeRun("dense", options));
    ask(bench, QStringLiteral("caption ~ red"));
    EXPECT_EQ(shown(bench), 6);
    ask(bench, QStringLiteral("expert 1"));
    EXPECT_TRUE(answer(bench).contains(QStringLiteral("dense"))) << answer(bench).toStdString();
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
