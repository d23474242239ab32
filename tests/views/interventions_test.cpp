// SPDX-License-Identifier: GPL-3.0-or-later
// Interventions by mouse and keys on a made-up run, with an engine that answers from a script.
#include <gtest/gtest.h>

#include <QLabel>
#include <QListWidget>
#include <QRegularExpression>
#include <QTest>
#include <condition_variable>

#include "engine/store/annotations.h"
#include "engine/store/routing_view.h"
#include "tests/views/inspect_fixture.h"
#include "views/inspect/expert_map.h"
#include "views/inspect/interventions/causal_page.h"
#include "views/inspect/interventions/intervention_panel.h"

namespace es::views {
namespace {

using session::InterventionKind;
using test::InspectBench;
using test::madeRun;
using test::smallRun;

/// Bans as a model of first choices would obey: the next expert takes over. Other kinds change nothing.
session::SampleResult obey(const session::SampleRequest& request, const es::test::SyntheticRunOptions& options) {
    session::SampleResult result = test::scriptedAnswer(request, options);
    result.program_version = "test";
    const auto losses = [&](double word, double patch) {
        std::vector<session::HiddenLoss> all;
        if (!request.masked_words.empty()) all.push_back({Objective::kPairText, word, static_cast<std::int64_t>(request.masked_words.size())});
        if (!request.masked_patches.empty()) all.push_back({Objective::kPairImage, patch, static_cast<std::int64_t>(request.masked_patches.size())});
        return all;
    };
    const auto predict = [&](float best) {
        std::vector<session::WordPrediction> all;
        for (const std::int32_t word : request.masked_words) all.push_back({word, {"goat", "sheep"}, {best, 0.1f}});
        return all;
    };
    if (request.interventions.empty()) return result;
    session::SampleReading before;
    before.routing = result.routing;
    before.predictions = predict(0.61f);
    before.losses = losses(1.0, 0.5);
    for (auto& table : result.routing) {
        session::Rerouted moved{table.router.id, {}};
        for (const auto& one : request.interventions) {
            if (one.kind != InterventionKind::kBan || one.layer != table.router.layer || (one.branch && *one.branch != table.router.branch)) continue;
            for (std::size_t t = 0; t < static_cast<std::size_t>(table.tokens); ++t) {
                const bool named =
                    one.tokens.all() || std::find(one.tokens.positions.begin(), one.tokens.positions.end(), table.position_T[t]) != one.tokens.positions.end();
                if (!named || std::find(one.experts.begin(), one.experts.end(), table.expert_ids[t]) == one.experts.end()) continue;
                table.expert_ids[t] = static_cast<std::uint16_t>((table.expert_ids[t] + 1) % table.router.experts);
                moved.tokens.push_back(static_cast<std::int64_t>(t));
            }
        }
        result.rerouted.push_back(std::move(moved));
    }
    result.baseline = std::move(before);
    result.predictions = predict(0.34f);
    result.losses = losses(1.5, 0.5);
    return result;
}

class Interventions : public ::testing::Test {
protected:
    void open(const std::string& name, QSize size = {1400, 900}) {
        // Each test has a run of its own to keep results with: a copy, since writing one takes long.
        static es::test::ScratchFolder copies;
        const auto run = copies / name;
        if (!std::filesystem::exists(run)) std::filesystem::copy(madeRun("original", smallRun()), run, std::filesystem::copy_options::recursive);
        start(run, size);
    }
    void start(const std::filesystem::path& run, QSize size) {
        bench = std::make_unique<InspectBench>(run, size);
        bench->context.runSample = [this](const session::SampleRequest& request, JobContext&) -> Result<session::SampleResult> {
            requests.push_back(request);
            if (failure) return tl::unexpected(*failure);
            return obey(request, bench->options);
        };
        bench->context.runVariants = [this](const session::VariantRequest& request, const session::VariantSink& sink, JobContext& job) {
            return answer(request, sink, job);
        };
        panel = bench->find<InterventionPanel>();
        model = panel->interventions();
    }
    Status answer(const session::VariantRequest& request, const session::VariantSink& sink, JobContext& job) {
        const auto& samples = bench->workspace->model()->contents().samples;
        for (std::size_t v = 0; v < request.variants.size(); ++v) {
            ++variants_run;
            {
                std::unique_lock lock(gate);
                opened.wait(lock, [&] { return !held || job.stopRequested() || static_cast<int>(v) < hold_from; });
            }
            if (job.stopRequested()) return stopped("The evaluation");
            if (failure) return tl::unexpected(*failure);
            session::InterventionResult result;
            result.baseline.step = result.changed.step = request.checkpoint;
            result.program_version = "test";
            for (std::size_t s = 0; s < samples.size(); ++s) {
                const double change = 0.1 * request.variants[v][0].experts[0] + 0.01 * static_cast<double>(s % 3);
                for (const Objective objective : {Objective::kPairImage, Objective::kPairText}) {
                    result.baseline.rows.push_back({samples[s].hash, objective, 1, 1.0, 2.0, 4, 0, ""});
                    result.changed.rows.push_back({samples[s].hash, objective, 1, 1.0 + change, 2.0, 4, 0, ""});
                }
                result.names.push_back({samples[s].hash, samples[s].category, samples[s].caption});
            }
            for (const auto& router : bench->workspace->model()->contents().routers) result.routers.push_back({router, 1000, 120});
            job.progress(static_cast<std::int64_t>(v) + 1, static_cast<std::int64_t>(request.variants.size()), "Evaluating");
            if (Status taken = sink(v, result); !taken) return taken;
        }
        return {};
    }
    void clickExpert(int row, int expert) {
        auto* map = bench->find<ExpertMap>();
        bench->click(map, map->cellRect(row, expert).center());
    }
    void press(const char* name) {
        auto* button = bench->find<QAbstractButton>(name);
        ASSERT_TRUE(button->isEnabled()) << button->toolTip().toStdString();
        QTest::mouseClick(button, Qt::LeftButton);
        bench->settle();
    }
    void segment(const char* name, const char* value) {
        auto* control = bench->find<SegmentedControl>(name);
        QTest::mouseClick(control, Qt::LeftButton, {}, control->segmentRect(static_cast<int>(control->values().indexOf(QLatin1String(value)))).center());
        bench->settle();
    }
    void scope(const char* value) {
        auto* box = bench->find<ChoiceBox>("interventionScope");
        box->setCurrentIndex(box->findData(QLatin1String(value)));
        Q_EMIT box->activated(box->currentIndex());
        bench->settle();
    }
    void undo() {
        bench->selection.undoStack()->undo();
        bench->settle();
    }
    void redo() {
        bench->selection.undoStack()->redo();
        bench->settle();
    }
    [[nodiscard]] QString result() const {
        QString text = bench->find<QLabel>("interventionResult")->text();
        return text.replace(QStringLiteral("</td>"), QStringLiteral(" ")).remove(QRegularExpression(QStringLiteral("<[^>]*>")));
    }
    [[nodiscard]] QString title() const { return bench->find<ElidedLabel>("interventionTitle")->fullText(); }
    [[nodiscard]] std::filesystem::path folder() const { return bench->workspace->model()->reader()->folder(); }
    /// First choices of the patches on the overlay.
    [[nodiscard]] std::vector<int> patches() const {
        std::vector<int> experts;
        for (const auto& patch : bench->data("overlay").value(QStringLiteral("patches")).toArray())
            experts.push_back(patch.toObject().value(QStringLiteral("expert")).toInt());
        return experts;
    }
    std::unique_ptr<InspectBench> bench;
    InterventionPanel* panel = nullptr;
    InterventionModel* model = nullptr;
    std::vector<session::SampleRequest> requests;
    std::optional<Error> failure;
    std::atomic<int> variants_run = 0;
    std::mutex gate;
    std::condition_variable opened;
    bool held = false;
    int hold_from = 0;
};

TEST_F(Interventions, NothingRunsBeforeAnExpertIsChosenAndThePanelSaysSo) {
    open("ban");
    auto* run = bench->find<QPushButton>("interventionRun");
    EXPECT_FALSE(run->isEnabled());
    EXPECT_TRUE(run->toolTip().contains(QStringLiteral("Choose an expert"))) << run->toolTip().toStdString();
    EXPECT_TRUE(model->results().empty());
    clickExpert(0, 3);
    EXPECT_TRUE(run->isEnabled());
    segment("interventionKind", "swap");
    EXPECT_FALSE(run->isEnabled()) << "a swap takes two";
    EXPECT_TRUE(run->toolTip().contains(QStringLiteral("two experts")));
    scope("tokens");
    EXPECT_EQ(model->choice().scope, InterventionChoice::Scope::kTokens);
}

TEST_F(Interventions, ABanIsRunDrawnKeptAndUndone) {
    open("ban-once");
    clickExpert(0, 3);
    const std::vector<int> before = patches();
    press("interventionRun");
    // Once with nothing hidden for the routing, once with words and patches hidden for the losses.
    ASSERT_EQ(requests.size(), 2u);
    EXPECT_TRUE(requests[0].masked_words.empty());
    EXPECT_EQ(requests[1].masked_words.size(), 1u);
    EXPECT_FALSE(requests[1].masked_patches.empty());
    EXPECT_EQ(toText(requests[0].interventions.at(0)), "1.v:3");
    EXPECT_EQ(requests[0].checkpoint, 600);
    const QString line = result();
    EXPECT_TRUE(title().contains(QStringLiteral("ban 1.v:3"))) << title().toStdString();
    EXPECT_TRUE(line.contains(QStringLiteral("total 1.500 2.000 +0.50"))) << line.toStdString();
    EXPECT_TRUE(line.contains(QStringLiteral("“goat” p 0.61 → 0.34"))) << line.toStdString();
    // The overlay shows the routing without expert 3, and which tokens moved.
    const std::vector<int> after = patches();
    ASSERT_EQ(after.size(), 36u);
    EXPECT_EQ(std::count(after.begin(), after.end(), 3), 0);
    const auto* routing = bench->workspace->model()->intervened();
    ASSERT_NE(routing, nullptr);
    // Before and after by the switch; undo takes the whole thing back.
    segment("interventionSides", "before");
    EXPECT_EQ(patches(), before);
    segment("interventionSides", "after");
    EXPECT_EQ(patches(), after);
    EXPECT_EQ(bench->selection.undoStack()->undoText(), QStringLiteral("ban 1.v:3"));
    undo();
    EXPECT_EQ(patches(), before);
    EXPECT_FALSE(bench->find<QLabel>("interventionResult")->isVisible());
    redo();
    EXPECT_EQ(patches(), after);
    press("interventionPlain");
    EXPECT_EQ(patches(), before);
    // It is in the run's file with its recipe, and there for the next window.
    const auto kept = store::Annotations(folder()).results("panel");
    ASSERT_TRUE(kept);
    ASSERT_EQ(kept->size(), 1u);
    EXPECT_EQ(kept->front().interventions, std::vector<std::string>{"ban 1.v:3"});
    EXPECT_EQ(kept->front().program_version, "test");
    EXPECT_EQ(kept->front().masked_words, requests[1].masked_words);
    EXPECT_FALSE(kept->front().run_uuid.empty());
    bench.reset();
    open("ban-once");
    auto* list = bench->find<QListWidget>("interventionList");
    ASSERT_EQ(list->count(), 1);
    bench->click(list->viewport(), list->visualItemRect(list->item(0)).center());
    EXPECT_TRUE(result().contains(QStringLiteral("total 1.500"))) << "what is kept is shown as it was";
    EXPECT_EQ(patches(), after) << "and its routing is run again";
}

TEST_F(Interventions, SeveralExpertsAndSelectedTokens) {
    open("several");
    clickExpert(0, 3);
    auto chips = panel->findChildren<Chip*>();
    ASSERT_EQ(chips.size(), 1);
    QTest::mouseClick(chips.front(), Qt::LeftButton);
    bench->settle();
    clickExpert(0, 5);
    EXPECT_EQ(model->experts().size(), 2u);
    auto* overlay = bench->find<OverlayWidget>();
    bench->click(overlay, overlay->patchRect(14).center());
    scope("tokens");
    press("interventionRun");
    ASSERT_FALSE(requests.empty());
    EXPECT_EQ(toText(requests.back().interventions.at(0)), "1.v:3,5@patch 14");
    segment("interventionKind", "k");
    auto* number = bench->find<QSpinBox>("interventionNumber");
    EXPECT_TRUE(number->isVisible());
    EXPECT_EQ(number->maximum(), 8);
    number->setValue(2);
    press("interventionRun");
    EXPECT_EQ(toText(requests.back().interventions.at(0)), "1.v:2@patch 14");
    EXPECT_EQ(requests.back().interventions.at(0).kind, InterventionKind::kOtherK);
}

TEST_F(Interventions, HeldOutSamplesGiveIntervalsByObjectiveAndClass) {
    open("set");
    clickExpert(0, 3);
    scope("held_out");
    press("interventionRun");
    EXPECT_EQ(variants_run, 1);
    auto* table = bench->find<TableView>("interventionTable");
    ASSERT_TRUE(table->isVisible());
    ASSERT_NE(table->panel(), nullptr);
    const auto& rows = table->panel()->rows;
    ASSERT_GE(rows.size(), 4u);
    EXPECT_EQ(rows[0][0], "total");
    EXPECT_EQ(rows[0][5], "24");
    EXPECT_NE(rows[0][4].find('['), std::string::npos);
    EXPECT_EQ(rows[3][0].rfind("class ", 0), 0u);
    EXPECT_TRUE(result().contains(QRegularExpression(QStringLiteral("pair text, nats [0-9.]+ \\+[0-9.]+ \\[\\+[0-9.]+, \\+[0-9.]+\\] 24 "))))
        << result().toStdString();
    EXPECT_FALSE(result().contains(QStringLiteral("famil"))) << "no sample is a copy of another";
    EXPECT_EQ(bench->workspace->model()->intervened(), nullptr) << "a set changes no picture";
    // A sample of the list is one click away.
    auto* samples = bench->find<QLabel>("interventionSamples");
    const QString text = samples->text();
    const auto at = text.indexOf(QStringLiteral("href=\"")) + 6;
    ASSERT_GT(at, 5);
    const QString link = text.mid(at, text.indexOf(QLatin1Char('"'), at) - at);
    Q_EMIT samples->linkActivated(link);
    bench->settle();
    EXPECT_EQ(bench->selection.current().sample, link.toULongLong(nullptr, 16));
    EXPECT_TRUE(bench->find<QLabel>("interventionResult")->isVisible()) << "the set's result stays while samples are looked at";
}

TEST_F(Interventions, NearCopiesCountOnce) {
    auto options = smallRun();
    options.name = "variants";
    options.variants = 3;
    start(madeRun("variants", options), {1400, 900});
    clickExpert(0, 3);
    scope("held_out");
    press("interventionRun");
    EXPECT_TRUE(result().contains(QStringLiteral("n: 8 families of 24 samples"))) << result().toStdString();
    EXPECT_TRUE(result().contains(QRegularExpression(QStringLiteral("\\] 8 ")))) << result().toStdString();
    const auto losses = bench->data("interventions").value(QStringLiteral("shown")).toObject().value(QStringLiteral("losses")).toArray();
    ASSERT_FALSE(losses.isEmpty());
    EXPECT_EQ(losses[0].toObject().value(QStringLiteral("n")).toInt(), 8);
    EXPECT_EQ(losses[0].toObject().value(QStringLiteral("samples")).toInt(), 24);
    EXPECT_EQ(bench->find<TableView>("interventionTable")->panel()->rows[0][5], "8");
    // The command line says the same of what was kept.
    const auto families = analysis::SampleFamilies::of(*bench->workspace->model()->reader());
    ASSERT_TRUE(families);
    const auto effects = analysis::lossEffects(model->results().front(), bench->workspace->model()->reader()->config(), 0.95, *families);
    EXPECT_EQ(losses[0].toObject().value(QStringLiteral("low")).toDouble(), effects[0].low);
    EXPECT_EQ(analysis::overWords(effects[0]), "8 families of 24 samples");
}

TEST_F(Interventions, TheResultIsSeenWithoutScrolling) {
    open("small-window", {1280, 728});
    clickExpert(0, 3);
    scope("held_out");
    press("interventionRun");
    for (const char* name : {"interventionTitle", "interventionResult"}) {
        auto* label = bench->find<QLabel>(name);
        EXPECT_EQ(label->visibleRegion().boundingRect(), label->rect()) << name;
        EXPECT_LE(label->heightForWidth(label->width()), label->height()) << name;
    }
    auto* run = bench->find<QPushButton>("interventionRun");
    EXPECT_EQ(run->visibleRegion().boundingRect(), run->rect()) << "what was pressed stays in sight";
}

TEST_F(Interventions, AFailureIsSaidInPlaceAndARunCanBeCancelled) {
    open("failing");
    clickExpert(0, 3);
    failure = Error{ErrorKind::kBadInput, "Cannot ban 1.v:3", "its weights are gone", "Copy the run again", {}};
    press("interventionRun");
    auto* error = bench->find<QLabel>("interventionError");
    EXPECT_TRUE(error->isVisible());
    EXPECT_TRUE(error->text().contains(QStringLiteral("its weights are gone")));
    EXPECT_TRUE(model->results().empty());
    failure.reset();
    scope("held_out");
    held = true;
    QTest::mouseClick(bench->find<QPushButton>("interventionRun"), Qt::LeftButton);
    auto* cancel = bench->find<QPushButton>("interventionCancel");
    EXPECT_TRUE(cancel->isVisible());
    EXPECT_FALSE(bench->find<QPushButton>("interventionRun")->isEnabled());
    QTest::mouseClick(cancel, Qt::LeftButton);
    {
        const std::lock_guard lock(gate);
        held = false;
    }
    opened.notify_all();
    bench->settle();
    EXPECT_FALSE(model->running());
    EXPECT_TRUE(model->results().empty()) << "what was cancelled leaves nothing";
    EXPECT_FALSE(error->isVisible());
}

TEST_F(Interventions, ADamagedFileLosesOnlyTheKeeping) {
    open("damaged");
    std::ofstream(folder() / store::kAnnotationsFile) << std::string(200, 'x');
    clickExpert(0, 3);
    press("interventionRun");
    EXPECT_TRUE(result().contains(QStringLiteral("total 1.500"))) << "the result is shown all the same";
    EXPECT_TRUE(bench->find<QLabel>("interventionError")->text().contains(QStringLiteral("nothing else of the run is lost")));
    ASSERT_EQ(model->results().size(), 1u);
    EXPECT_LT(model->results().front().id, 0);
    EXPECT_TRUE(bench->find<QListWidget>("interventionList")->item(0)->text().contains(QStringLiteral("not kept")));
}

TEST_F(Interventions, TenMixedStepsGoBackAndForth) {
    open("steps");
    struct State {
        Selection selection;
        InterventionChoice choice;
        std::size_t kept;
        std::vector<int> overlay;
        bool operator==(const State&) const = default;
    };
    const auto now = [&] { return State{bench->selection.current(), model->choice(), model->results().size(), patches()}; };
    std::vector<State> states{now()};
    QUndoStack* stack = bench->selection.undoStack();
    const auto did = [&](const char* what) {
        ASSERT_EQ(stack->index(), static_cast<int>(states.size())) << what;
        states.push_back(now());
    };
    auto* overlay = bench->find<OverlayWidget>();
    bench->click(overlay, overlay->patchRect(14).center());
    did("a patch");
    clickExpert(0, 3);
    did("an expert");
    press("interventionRun");
    did("a ban");
    segment("interventionKind", "force");
    did("another kind");
    auto* layers = bench->find<SegmentedControl>("layerControl");
    bench->click(layers, layers->segmentRect(1).center());
    did("a layer");
    clickExpert(2, 5);
    did("an expert there");
    model->pin(RouterId(2), 5);
    bench->settle();
    did("a chip");
    scope("held_out");
    did("a scope");
    press("interventionRun");
    did("a set");
    model->remove(model->results().front().id);
    bench->settle();
    did("a removal");
    ASSERT_EQ(states.size(), 11u);
    EXPECT_EQ(store::Annotations(folder()).results()->size(), 1u);
    // Results are found, not chosen: they stay in the list when what shows them is undone. What was removed comes back.
    const auto same = [&](const State& is, const State& was) { return is.selection == was.selection && is.choice == was.choice && is.overlay == was.overlay; };
    for (std::size_t i = 10; i-- > 0;) {
        undo();
        EXPECT_TRUE(same(now(), states[i])) << "undone to step " << i;
    }
    EXPECT_EQ(model->results().size(), 2u);
    EXPECT_EQ(store::Annotations(folder()).results()->size(), 2u);
    EXPECT_FALSE(stack->canUndo());
    for (std::size_t i = 1; i <= 10; ++i) {
        redo();
        EXPECT_TRUE(same(now(), states[i])) << "redone to step " << i;
    }
    EXPECT_EQ(model->results().size(), 1u);
    EXPECT_EQ(store::Annotations(folder()).results()->size(), 1u);
}

TEST_F(Interventions, EveryExpertAloneIsABatchThatGoesOn) {
    open("causal");
    ASSERT_TRUE(bench->workspace->showPage(QStringLiteral("causal")));
    bench->settle();
    EXPECT_EQ(bench->panel("causal").value(QStringLiteral("state")).toString(), QStringLiteral("empty"));
    held = true;
    hold_from = 5;
    auto* page = bench->find<CausalPage>();
    page->run();
    ASSERT_TRUE(QTest::qWaitFor([&] { return variants_run == 6; }, 10000));
    QTest::mouseClick(bench->find<QPushButton>("causalCancel"), Qt::LeftButton);
    {
        const std::lock_guard lock(gate);
        held = false;
    }
    opened.notify_all();
    bench->settle();
    EXPECT_EQ(bench->panel("causal").value(QStringLiteral("state")).toString(), QStringLiteral("partial"));
    EXPECT_EQ(store::Annotations(folder()).results("causal")->size(), 5u);
    variants_run = 0;
    press("causalRun");
    EXPECT_EQ(variants_run, 27) << "32 experts, five of them done before";
    EXPECT_EQ(bench->panel("causal").value(QStringLiteral("state")).toString(), QStringLiteral("ready"));
    EXPECT_FALSE(bench->find<QPushButton>("causalRun")->isEnabled());
    const auto comparison = bench->panel("causal_comparison");
    EXPECT_EQ(comparison.value(QStringLiteral("state")).toString(), QStringLiteral("ready"));
    // The list of the sample page is the user's own.
    EXPECT_TRUE(model->results().empty());
}

TEST_F(Interventions, ExpertsAreComparedAndThePagesTold) {
    open("similar");
    bench->context.expertSimilarity = [](const session::SimilarityRequest& request, JobContext&) -> Result<std::vector<store::ExpertSimilarity>> {
        return std::vector<store::ExpertSimilarity>{{request.checkpoint, RouterId(0), "weights", 2, 0, {1, 0.5, 0.5, 1}, "test", "", 0}};
    };
    ASSERT_TRUE(bench->workspace->showPage(QStringLiteral("causal")));
    bench->settle();
    int told = 0;
    QObject::connect(bench->workspace->model(), &InspectModel::similaritiesChanged, panel, [&] { ++told; });
    Q_EMIT bench->workspace->model()->runChanged();
    press("compareExperts");
    EXPECT_EQ(told, 1);
    EXPECT_EQ(store::Annotations(folder()).similarities(600)->size(), 1u);
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
