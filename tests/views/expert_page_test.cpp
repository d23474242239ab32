// SPDX-License-Identifier: GPL-3.0-or-later
// The expert page and the small gallery, driven by mouse and keys in the real workspace; what is shown is compared with the store.
#include "views/inspect/expert/expert_page.h"

#include <gtest/gtest.h>

#include <QClipboard>
#include <QHeaderView>
#include <QMenu>
#include <QMimeData>
#include <QTest>
#include <QToolButton>
#include <map>
#include <set>

#include "engine/store/run_writer.h"
#include "tests/views/inspect_fixture.h"
#include "views/inspect/expert/expert_glance.h"
#include "views/widgets/chip.h"

namespace es::views {
namespace {

using test::InspectBench;
using test::madeRun;
using test::smallRun;

/// The bench on the expert page, with an expert selected.
class ExpertBench : public InspectBench {
public:
    ExpertBench(const std::filesystem::path& run, RouterId router, int expert, QSize size = {1280, 720}) : InspectBench(run, size) {
        if (workspace->model()->contents().router(router)) workspace->model()->chooseRouter(router, ExpertIndex(expert));
        workspace->showPage(QStringLiteral("expert"));
        settle();
    }
    [[nodiscard]] ExpertPage* page() const { return find<ExpertPage>("expertPage"); }
    [[nodiscard]] GalleryGrid* top() const { return find<GalleryGrid>("galleryTop"); }
    [[nodiscard]] GalleryGrid* random() const { return find<GalleryGrid>("galleryRandom"); }
    [[nodiscard]] store::RoutingTable table(RouterId router, std::int64_t step = 600) const {
        auto table = workspace->model()->reader()->probe({step, "trained"}, router);
        EXPECT_TRUE(table);
        return std::move(*table);
    }
};

/// Largest weight with which an expert takes a token of each sample, straight from the store (fixed k).
std::map<std::uint64_t, float> bestOfSamples(const store::RoutingTable& table, int expert) {
    std::map<std::uint64_t, float> best;
    const auto k = static_cast<std::size_t>(table.router.k);
    for (std::size_t i = 0; i < table.expert_ids.size(); ++i)
        if (table.expert_ids[i] == expert) best[table.sample_T[i / k]] = std::max(best[table.sample_T[i / k]], table.gates[i]);
    return best;
}

TEST(ExpertPage, ShowsTheTokensOfMostWeightOneAPicture) {
    ExpertBench bench(madeRun("run", smallRun()), RouterId(0), 3);
    const auto best = bestOfSamples(bench.table(RouterId(0)), 3);
    const auto& items = bench.top()->items();
    ASSERT_EQ(items.size(), std::min<std::size_t>(best.size(), 36));
    std::set<std::uint64_t> samples;
    for (std::size_t i = 0; i < items.size(); ++i) {
        EXPECT_TRUE(samples.insert(items[i].sample).second) << "one a picture";
        EXPECT_FLOAT_EQ(items[i].weight, best.at(items[i].sample));
        if (i > 0) {
            EXPECT_GE(items[i - 1].weight, items[i].weight);
        }
    }
    EXPECT_EQ(bench.random()->items().size(), items.size()) << "as many at random";
    EXPECT_EQ(bench.panel("expert_gallery").value(QStringLiteral("state")).toString(), QStringLiteral("ready"));
    for (const char* panel : {"expert_labels", "expert_positions", "expert_colours", "expert_load", "expert_others"})
        EXPECT_EQ(bench.panel(panel).value(QStringLiteral("state")).toString(), QStringLiteral("ready")) << panel;
    EXPECT_TRUE(bench.find<QLabel>("expertName")->text().contains(QStringLiteral("3")));
}

TEST(ExpertPage, FindsThePlantedColour) {
    ExpertBench bench(madeRun("run", smallRun()), RouterId(0), 3);
    const auto* colours = bench.page()->findChild<ColourStrip*>();
    ASSERT_NE(colours, nullptr);
    double share = 0, base = 0;
    for (const auto& row : colours->looks().hues.rows)
        if (row.label == "red") {
            share = row.share;
            base = row.base;
        }
    EXPECT_GT(share, 2 * base) << "expert 3 of the first router takes red";
    EXPECT_FALSE(colours->readoutAt(QPointF(20, 24)).isEmpty());
}

TEST(ExpertPage, AClickSelectsSampleAndTokenAsOneStep) {
    ExpertBench bench(madeRun("run", smallRun()), RouterId(0), 3);
    const int before = bench.selection.undoStack()->count();
    const auto item = bench.top()->items().at(4);
    bench.click(bench.top(), bench.top()->itemRect(4).center());
    EXPECT_EQ(bench.selection.current().sample, item.sample);
    EXPECT_EQ(bench.selection.current().token, item.token);
    EXPECT_EQ(bench.selection.current().token_modality, Modality::kVision);
    EXPECT_EQ(bench.selection.current().expert, ExpertIndex(3)) << "the page stays with its expert";
    EXPECT_EQ(bench.selection.undoStack()->count(), before + 1);
    EXPECT_TRUE(bench.selection.undoStack()->undoText().contains(QStringLiteral("of expert 3")));
    bench.selection.undoStack()->undo();
    bench.settle();
    EXPECT_NE(bench.selection.current().sample, item.sample);
    bench.selection.undoStack()->redo();
    bench.settle();
    EXPECT_EQ(bench.selection.current().sample, item.sample);
    // By keyboard: the next one.
    bench.top()->setFocus();
    bench.key(bench.top(), Qt::Key_Right);
    EXPECT_TRUE(bench.top()->accessibleDescription().startsWith(QStringLiteral("6 of")));
    bench.key(bench.top(), Qt::Key_Return);
    EXPECT_EQ(bench.selection.current().sample, bench.top()->items().at(5).sample);
}

TEST(ExpertPage, HoveringShowsThePictureWithItsCredit) {
    ExpertBench bench(madeRun("run", smallRun()), RouterId(0), 3);
    auto* grid = bench.top();
    const QPointF at = grid->itemRect(2).center();
    QMouseEvent move(QEvent::MouseMove, at, grid->mapToGlobal(at), Qt::NoButton, Qt::NoButton, Qt::NoModifier);
    QApplication::sendEvent(grid, &move);
    bench.settle();
    ASSERT_TRUE(grid->contextView()->isVisible());
    const QString words = grid->contextView()->words();
    const auto* record = bench.workspace->model()->contents().find(grid->items().at(2).sample);
    ASSERT_NE(record, nullptr);
    EXPECT_TRUE(words.contains(QString::fromStdString(record->caption))) << words.toStdString();
    EXPECT_TRUE(words.contains(QStringLiteral("CC0-1.0"))) << words.toStdString();
    EXPECT_TRUE(words.contains(QStringLiteral("generated")));
    EXPECT_TRUE(words.contains(QStringLiteral("weight")));
    EXPECT_TRUE(grid->itemText(2).contains(QStringLiteral("CC0-1.0")));
    QEvent leave(QEvent::Leave);
    QApplication::sendEvent(grid, &leave);
    EXPECT_FALSE(grid->contextView()->isVisible());
}

TEST(ExpertPage, TogglesHalvesOnePerSampleAndTheDraw) {
    ExpertBench bench(madeRun("run", smallRun()), RouterId(0), 3);
    auto* halves = bench.find<SegmentedControl>("galleryHalves");
    EXPECT_TRUE(bench.top()->isVisible() && bench.random()->isVisible()) << "side by side";
    bench.click(halves, halves->segmentRect(1).center());
    EXPECT_TRUE(bench.top()->isVisible());
    EXPECT_FALSE(bench.random()->isVisible());
    EXPECT_FALSE(bench.find<QToolButton>("galleryDrawAgain")->isEnabled());
    bench.click(halves, halves->segmentRect(2).center());
    EXPECT_FALSE(bench.top()->isVisible());
    bench.click(halves, halves->segmentRect(0).center());
    const auto top = bench.top()->items(), random = bench.random()->items();
    QTest::mouseClick(bench.find<QToolButton>("galleryDrawAgain"), Qt::LeftButton);
    bench.settle();
    EXPECT_EQ(bench.top()->items(), top) << "the best stay";
    EXPECT_NE(bench.random()->items(), random) << "others are drawn";
    bench.find<QCheckBox>("galleryOnePerSample")->click();
    bench.settle();
    std::set<std::uint64_t> samples;
    for (const auto& item : bench.top()->items()) samples.insert(item.sample);
    EXPECT_EQ(bench.top()->items().size(), 36u);
    EXPECT_LT(samples.size(), 36u) << "now several patches of one picture";
}

TEST(ExpertPage, TheTableSortsAndIsCopied) {
    ExpertBench bench(madeRun("run", smallRun()), RouterId(0), 3);
    auto* labels = bench.page()->labels();
    auto* kinds = bench.page()->kinds();
    ASSERT_GE(kinds->count(), 2) << "categories and shapes";
    ASSERT_GT(labels->model()->rowCount(), 2);
    auto* header = labels->horizontalHeader();
    const auto column = [&](int which) {
        std::vector<double> values;
        for (int row = 0; row < labels->model()->rowCount(); ++row)
            values.push_back(labels->model()->index(row, which).data(LabelTableModel::kSortRole).toDouble());
        return values;
    };
    const auto clickOn = [&](int section) {
        QTest::mouseClick(header->viewport(), Qt::LeftButton, {}, QPoint(header->sectionViewportPosition(section) + 12, header->height() / 2));
        bench.settle();
    };
    auto sorted = column(LabelTableModel::kNpmi);
    EXPECT_TRUE(std::is_sorted(sorted.rbegin(), sorted.rend())) << "at first by nPMI, the largest first";
    clickOn(LabelTableModel::kShare);
    sorted = column(LabelTableModel::kShare);
    const bool up = std::is_sorted(sorted.begin(), sorted.end()), down = std::is_sorted(sorted.rbegin(), sorted.rend());
    EXPECT_TRUE(up || down);
    clickOn(LabelTableModel::kShare);
    sorted = column(LabelTableModel::kShare);
    EXPECT_TRUE(up ? std::is_sorted(sorted.rbegin(), sorted.rend()) : std::is_sorted(sorted.begin(), sorted.end())) << "a second click turns it around";
    labels->clearSelection();
    labels->setFocus();
    QTest::keySequence(labels, QKeySequence::Copy);
    QStringList lines = QApplication::clipboard()->text().split(QLatin1Char('\n'), Qt::SkipEmptyParts);
    EXPECT_EQ(lines.size(), labels->model()->rowCount() + 1);
    EXPECT_TRUE(lines.front().contains(QStringLiteral("base")));
    labels->selectRow(1);
    QTest::keySequence(labels, QKeySequence::Copy);
    lines = QApplication::clipboard()->text().split(QLatin1Char('\n'), Qt::SkipEmptyParts);
    ASSERT_EQ(lines.size(), 2);
    EXPECT_TRUE(lines.back().startsWith(labels->model()->index(1, 0).data().toString()));
    const QString before = labels->model()->index(0, 0).data().toString();
    kinds->setCurrentIndex(1);
    Q_EMIT kinds->activated(1);
    bench.settle();
    EXPECT_EQ(labels->model()->headerData(0, Qt::Horizontal).toString(), kinds->itemText(1));
    EXPECT_NE(labels->model()->index(0, 0).data().toString(), before);
}

TEST(ExpertPage, TheTableSaysWhatIsMoreAndWhatIsLess) {
    ExpertBench bench(madeRun("run", smallRun()), RouterId(0), 3);  // takes the red ones
    auto* labels = bench.page()->labels();
    int decided = 0;
    for (int row = 0; row < labels->model()->rowCount(); ++row) {
        const auto& shares = labels->shares().rows;
        const QString name = labels->model()->index(row, LabelTableModel::kLabel).data().toString();
        const auto of = std::find_if(shares.begin(), shares.end(), [&](const analysis::LabelShare& one) { return QString::fromStdString(one.label) == name; });
        ASSERT_NE(of, shares.end());
        const QString verdict = labels->model()->index(row, LabelTableModel::kVerdict).data().toString();
        EXPECT_EQ(verdict, !std::isfinite(of->npmi_low) ? QString()
                           : of->above()                ? QStringLiteral("more")
                           : of->below()                ? QStringLiteral("less")
                                                        : QStringLiteral("–"));
        decided += of->above() || of->below();
        const bool steps_back = labels->model()->index(row, 0).data(Qt::ForegroundRole).isValid();
        EXPECT_EQ(steps_back, !of->above() && !of->below()) << name.toStdString();
        EXPECT_FALSE(labels->text(false).contains(QChar(0x2212))) << "a spreadsheet takes the plain minus";
    }
    EXPECT_GT(decided, 0);
}

TEST(ExpertPage, ItsPanelsGoToFigures) {
    ExpertBench bench(madeRun("run", smallRun()), RouterId(0), 3);
    int sent = 0;
    for (auto* panel : bench.page()->findChildren<PanelFrame*>()) {
        if (!panel->isVisible()) continue;
        std::optional<analysis::PanelQuery> query;
        const auto connection = QObject::connect(panel, &PanelFrame::sendToFiguresRequested, panel, [&](const analysis::PanelQuery& made) { query = made; });
        for (QAction* action : panel->panelMenu()->actions())
            if (action->text() == QStringLiteral("Send to Figures")) action->trigger();
        QObject::disconnect(connection);
        ASSERT_TRUE(query) << panel->title().toStdString();
        EXPECT_EQ(query->kind, "expert");
        EXPECT_EQ(query->parameters.at("expert"), "3");
        const auto drawn = analysis::makePanel(*query, std::filesystem::path());
        EXPECT_TRUE(drawn) << panel->title().toStdString() << ": " << (drawn ? "" : drawn.error().message());
        ++sent;
    }
    EXPECT_EQ(sent, 6);
}

TEST(ExpertPage, CopiesKeepTheCredits) {
    ExpertBench bench(madeRun("run", smallRun()), RouterId(0), 3);
    auto* panel = bench.page()->galleryPanel();
    bool copied = false;
    for (QAction* action : panel->panelMenu()->actions())
        if (action->text().startsWith(QStringLiteral("Copy gallery"))) {
            action->trigger();
            copied = true;
        }
    ASSERT_TRUE(copied);
    const auto* mime = QApplication::clipboard()->mimeData();
    ASSERT_TRUE(mime->hasImage());
    EXPECT_TRUE(mime->text().contains(QStringLiteral("synthetic · CC0-1.0 · generated")));
    const QImage image = qvariant_cast<QImage>(mime->imageData());
    EXPECT_GT(image.height(), 200);
    const auto whole = panel->copied();
    EXPECT_TRUE(whole->text().startsWith(QStringLiteral("chosen as\tsample"))) << "the table";
    EXPECT_EQ(whole->text().count(QStringLiteral("Credits\nsynthetic · CC0-1.0 · generated")), 1) << "and once the credits";
    EXPECT_TRUE(bench.find<QLabel>("galleryCredits")->text().contains(QStringLiteral("CC0-1.0"))) << "and on screen";
    const auto file = madeRun("run", smallRun()).parent_path() / "gallery.png";
    EXPECT_TRUE(panel->savePicture(QString::fromStdString(file.string())));
    EXPECT_TRUE(std::filesystem::exists(file));
    EXPECT_FALSE(panel->savePicture(QStringLiteral("/nowhere/at/all/gallery.png")));
}

TEST(ExpertPage, GoesToOtherExperts) {
    auto options = smallRun();
    options.k = 2;
    options.name = "top2";
    ExpertBench bench(madeRun("top2", options), RouterId(0), 0);
    QTest::mouseClick(bench.find<QToolButton>("expertBefore"), Qt::LeftButton);
    bench.settle();
    EXPECT_EQ(bench.selection.current().expert, ExpertIndex(7)) << "around";
    QTest::mouseClick(bench.find<QToolButton>("expertAfter"), Qt::LeftButton);
    bench.settle();
    EXPECT_EQ(bench.selection.current().expert, ExpertIndex(0));
    auto* chip = bench.find<Chip>("partnerChip");
    const QString text = chip->text();
    QTest::mouseClick(chip, Qt::LeftButton);
    bench.settle();
    EXPECT_TRUE(text.startsWith(QStringLiteral("%1 ").arg(bench.selection.current().expert.value))) << text.toStdString();
    EXPECT_EQ(bench.data("expert_gallery").value(QStringLiteral("expert")).toInt(), bench.selection.current().expert.value);
}

TEST(ExpertPage, FollowsTheCheckpoint) {
    ExpertBench bench(madeRun("run", smallRun()), RouterId(0), 3);
    const auto weights = [&] {
        std::map<std::pair<std::uint64_t, std::int32_t>, float> all;
        for (const auto& item : bench.top()->items()) all[{item.sample, item.token.value}] = item.weight;
        return all;
    };
    const auto newest = weights();
    ASSERT_FALSE(newest.empty());
    bench.workspace->model()->chooseStep(200);
    bench.settle();
    const auto best = bestOfSamples(bench.table(RouterId(0), 200), 3);
    ASSERT_FALSE(bench.top()->items().empty());
    EXPECT_NE(weights(), newest);
    for (const auto& item : bench.top()->items()) EXPECT_FLOAT_EQ(item.weight, best.at(item.sample));
}

TEST(ExpertPage, ARouterOfWordsShowsWords) {
    ExpertBench bench(madeRun("run", smallRun()), RouterId(1), 2);
    ASSERT_FALSE(bench.top()->items().empty());
    for (const auto& item : bench.top()->items()) EXPECT_EQ(item.modality, Modality::kText);
    EXPECT_EQ(bench.find<SegmentedControl>("galleryKinds")->value(), QStringLiteral("text"));
    EXPECT_EQ(bench.page()->kinds()->currentText(), QStringLiteral("Words"));
    EXPECT_EQ(bench.panel("expert_colours").value(QStringLiteral("state")).toString(), QStringLiteral("empty"));
    EXPECT_EQ(bench.panel("expert_positions").value(QStringLiteral("state")).toString(), QStringLiteral("ready")) << "places in the caption";
    bench.click(bench.top(), bench.top()->itemRect(0).center());
    EXPECT_EQ(bench.selection.current().token_modality, Modality::kText);
}

TEST(ExpertPage, ADeadExpertTakesNothingAndSaysSo) {
    auto options = smallRun();
    options.name = "dead";
    options.dead_expert = 4;
    ExpertBench bench(madeRun("dead", options), RouterId(0), 4);
    EXPECT_EQ(bench.panel("expert_gallery").value(QStringLiteral("state")).toString(), QStringLiteral("empty"));
    EXPECT_EQ(bench.panel("expert_load").value(QStringLiteral("state")).toString(), QStringLiteral("ready")) << "since when can be seen";
}

TEST(ExpertPage, ADenseRunSaysThatItHasNoExperts) {
    auto options = smallRun();
    options.ffn = "dense";
    options.name = "dense";
    InspectBench bench(madeRun("dense", options));
    bench.workspace->showPage(QStringLiteral("expert"));
    bench.settle();
    EXPECT_EQ(bench.panel("expert").value(QStringLiteral("state")).toString(), QStringLiteral("empty"));
    EXPECT_TRUE(bench.panel("expert").value(QStringLiteral("words")).toString().contains(QStringLiteral("dense"))) << "what it is";
}

/// A run of one checkpoint with tables of any layout, without probe when there is none.
std::filesystem::path runOf(const std::string& name, std::vector<store::RouterInfo> routers,
                            std::function<store::RoutingTable(const store::RouterInfo&)> make) {
    static es::test::ScratchFolder folder;
    const auto path = folder / name;
    auto options = smallRun();
    options.name = name;
    options.experts = routers.front().experts;
    options.k = std::max(1, routers.front().k);
    store::Provenance provenance;
    provenance.run_uuid = "00000000-0000-4000-8000-00000000" + std::to_string(1000 + name.size());
    auto writer = store::RunWriter::create(path, es::test::syntheticConfig(options), provenance, routers, {});
    EXPECT_TRUE(writer) << writer.error().message();
    std::vector<store::SampleRecord> samples;
    for (std::int64_t i = 0; i < options.samples; ++i) samples.push_back(es::test::syntheticSample(i, options));
    EXPECT_TRUE((*writer)->samples(samples));
    if (make) {
        store::Probe probe{{100, "trained"}, {}};
        for (const auto& router : routers) probe.tables.push_back(make(router));
        EXPECT_TRUE((*writer)->probe(std::move(probe)));
    }
    EXPECT_TRUE((*writer)->finish(true, ""));
    return path;
}

/// All patches of all samples; the weight of (token, expert) by a rule.
store::RoutingTable tableOf(const store::RouterInfo& router, const std::function<float(std::size_t, int)>& weight) {
    const auto options = smallRun();
    store::RoutingTable table;
    table.router = router;
    table.step = 100;
    if (router.layout == store::RoutingLayout::kRagged) table.offsets.push_back(0);
    for (std::int64_t i = 0; i < options.samples; ++i) {
        const auto sample = es::test::syntheticSample(i, options);
        for (int patch = 0; patch < 36; ++patch) {
            const auto token = static_cast<std::size_t>(table.tokens++);
            table.sample_T.push_back(sample.hash);
            table.position_T.push_back(static_cast<std::uint16_t>(patch));
            table.modality_T.push_back(Modality::kVision);
            table.objective_T.push_back(Objective::kImage);
            table.token_id_T.push_back(-1);
            table.masked_T.push_back(0);
            for (int e = 0; e < router.experts; ++e) {
                const float w = weight(token, e);
                if (router.layout == store::RoutingLayout::kDenseMass) table.gates.push_back(w);
                else if (w > 0) {
                    table.expert_ids.push_back(static_cast<std::uint16_t>(e));
                    table.gates.push_back(w);
                }
            }
            if (router.layout == store::RoutingLayout::kRagged) table.offsets.push_back(static_cast<std::int64_t>(table.expert_ids.size()));
        }
    }
    return table;
}

store::RouterInfo routerOf(store::RoutingLayout layout, int experts, int k) {
    return {RouterId(0), LayerIndex(1), Branch::kVision, layout == store::RoutingLayout::kDenseMass ? "soft" : "expert_choice", experts, k, layout};
}

TEST(ExpertPage, SoftRoutingIsOfWeights) {
    const auto router = routerOf(store::RoutingLayout::kDenseMass, 4, 0);
    ExpertBench bench(runOf("soft", {router},
                            [](const store::RouterInfo& info) {
                                return tableOf(info,
                                               [](std::size_t token, int e) { return e == 1 ? 0.1f + 0.8f * static_cast<float>(token % 36) / 36 : 0.05f; });
                            }),
                      RouterId(0), 1);
    ASSERT_FALSE(bench.top()->items().empty());
    EXPECT_EQ(bench.top()->items().front().token.value, 35) << "the weight grows along the picture";
    EXPECT_TRUE(bench.find<ElidedLabel>("expertFacts")->fullText().contains(QStringLiteral("of the weight of")));
    EXPECT_EQ(bench.panel("expert_labels").value(QStringLiteral("state")).toString(), QStringLiteral("ready"));
    EXPECT_EQ(bench.panel("expert_load").value(QStringLiteral("state")).toString(), QStringLiteral("empty")) << "none was recorded";
}

TEST(ExpertPage, ExpertChoiceCountsTokensWithoutAnyExpert) {
    const auto router = routerOf(store::RoutingLayout::kRagged, 4, 0);
    ExpertBench bench(runOf("choice", {router},
                            [](const store::RouterInfo& info) {
                                // A third of the tokens goes nowhere, the rest to experts 1 and 2.
                                return tableOf(info, [](std::size_t token, int e) { return token % 3 == 0 || e == 0 || e == 3 ? 0.0f : 0.5f; });
                            }),
                      RouterId(0), 1);
    const auto& data = bench.page()->galleryPanel()->top()->items();
    ASSERT_FALSE(data.empty());
    for (const auto& item : data) EXPECT_NE(item.row % 3, 0);
    EXPECT_TRUE(bench.find<ElidedLabel>("expertFacts")->fullText().contains(QStringLiteral("takes 50.0 %"))) << "of the assignments";
    bench.workspace->model()->chooseRouter(RouterId(0), ExpertIndex(3));
    bench.settle();
    EXPECT_EQ(bench.panel("expert_gallery").value(QStringLiteral("state")).toString(), QStringLiteral("empty"));
}

TEST(ExpertPage, ManyExpertsWithManyChoices) {
    auto options = smallRun();
    options.experts = 64;
    options.k = 8;
    options.name = "e64k8";
    ExpertBench bench(madeRun("e64k8", options), RouterId(0), 40);
    const auto best = bestOfSamples(bench.table(RouterId(0)), 40);
    ASSERT_FALSE(bench.top()->items().empty());
    for (const auto& item : bench.top()->items()) EXPECT_FLOAT_EQ(item.weight, best.at(item.sample));
    EXPECT_EQ(bench.panel("expert_others").value(QStringLiteral("state")).toString(), QStringLiteral("ready"));
}

TEST(ExpertPage, ARunWithoutProbeSaysWhatWouldFillIt) {
    const auto router = routerOf(store::RoutingLayout::kRagged, 4, 0);
    InspectBench bench(runOf("unprobed", {router}, {}));
    bench.workspace->showPage(QStringLiteral("expert"));
    bench.settle();
    EXPECT_EQ(bench.panel("expert").value(QStringLiteral("state")).toString(), QStringLiteral("empty"));
    EXPECT_TRUE(bench.panel("expert").value(QStringLiteral("words")).toString().contains(QStringLiteral("probe")));
}

TEST(ExpertGlance, StandsBelowTheTokenAndOpensThePage) {
    InspectBench bench(madeRun("run", smallRun()));
    bench.workspace->model()->chooseRouter(RouterId(0), ExpertIndex(3));
    bench.settle();
    auto* glance = bench.find<ExpertGlance>("expertGlance");
    ASSERT_TRUE(glance->isVisible());
    EXPECT_EQ(bench.find<ElidedLabel>("glanceTitle")->fullText(), QStringLiteral("Expert 3 · what it sees most"));
    ASSERT_FALSE(glance->grid()->items().empty());
    EXPECT_LE(glance->grid()->items().size(), 24u);
    const auto item = glance->grid()->items().front();
    bench.click(glance->grid(), glance->grid()->itemRect(0).center());
    EXPECT_EQ(bench.selection.current().sample, item.sample);
    EXPECT_EQ(bench.selection.current().token, item.token);
    EXPECT_FALSE(bench.find<QLabel>("glanceCategory")->text().isEmpty());
    EXPECT_TRUE(bench.find<QLabel>("glanceCredits")->text().contains(QStringLiteral("CC0-1.0")));
    bench.click(bench.find<QToolButton>("glanceOpen"), bench.find<QToolButton>("glanceOpen")->rect().center());
    EXPECT_EQ(bench.workspace->page(), QStringLiteral("expert"));
    EXPECT_EQ(bench.data("expert_gallery").value(QStringLiteral("expert")).toInt(), 3);
}

TEST(ExpertGlance, WithoutASelectedExpertItIsTheTokensOwn) {
    InspectBench bench(madeRun("run", smallRun()));
    auto* overlay = bench.find<OverlayWidget>();
    bench.click(overlay, overlay->patchRect(14).center());
    const auto path = bench.workspace->model()->path();
    ASSERT_FALSE(path.empty());
    EXPECT_EQ(bench.find<ElidedLabel>("glanceTitle")->fullText(), QStringLiteral("Expert %1 · what it sees most").arg(path.front().choices.front().expert));
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
