// SPDX-License-Identifier: GPL-3.0-or-later
// What comes late: jobs that are held while the user goes on. Nothing of an earlier question may appear under a later one.
#include <gtest/gtest.h>

#include <QLabel>
#include <QSpinBox>
#include <QTest>

#include "engine/store/annotations.h"
#include "tests/views/inspect_fixture.h"
#include "views/inspect/interventions/causal_page.h"
#include "views/inspect/interventions/intervention_panel.h"
#include "views/inspect/sheet/sheet_page.h"
#include "views/inspect/structure/structure_page.h"
#include "views/widgets/elided_label.h"

namespace es::views {
namespace {

using test::InspectBench;
using test::madeRun;
using test::smallRun;

class LateJobs : public ::testing::Test {
protected:
    /// A copy of its own where the test keeps something with the run.
    void open(const std::string& name) {
        static es::test::ScratchFolder copies;
        const auto run = copies / name;
        if (!std::filesystem::exists(run)) std::filesystem::copy(madeRun("original", smallRun()), run, std::filesystem::copy_options::recursive);
        bench = std::make_unique<InspectBench>(run, QSize(1400, 900));
        bench->context.runVariants = [this](const session::VariantRequest& request, const session::VariantSink& sink, JobContext& job) -> Status {
            for (std::size_t v = 0; v < request.variants.size(); ++v) {
                if (job.stopRequested()) return stopped("The evaluation");
                session::InterventionResult result;
                result.baseline.step = result.changed.step = request.checkpoint;
                for (const auto& sample : samples) {
                    result.baseline.rows.push_back({sample.hash, Objective::kPairText, 1, 1.0, 2.0, 4, 0, ""});
                    result.changed.rows.push_back({sample.hash, Objective::kPairText, 1, 1.25, 2.0, 4, 0, ""});
                    result.names.push_back({sample.hash, sample.category, sample.caption});
                }
                if (Status taken = sink(v, result); !taken) return taken;
            }
            return {};
        };
        model = bench->workspace->model();
        samples = model->contents().samples;
        panel = bench->find<InterventionPanel>();
        interventions = panel->interventions();
        model->chooseRouter(RouterId(0), ExpertIndex(3));
        bench->settle();
    }
    static std::filesystem::path denseRun() {
        auto options = smallRun();
        options.ffn = "dense";
        return madeRun("dense", options);
    }
    void page(const char* key) {
        ASSERT_TRUE(bench->workspace->showPage(QLatin1String(key)));
        bench->settle();
    }
    [[nodiscard]] QString state(const char* name) const { return bench->panel(name).value(QStringLiteral("state")).toString(); }
    [[nodiscard]] std::filesystem::path folder() const { return model->reader()->folder(); }
    [[nodiscard]] std::vector<std::int64_t> keptIds() const {
        std::vector<std::int64_t> ids;
        const auto kept = store::Annotations(folder()).results("panel");
        for (const auto& result : *kept) ids.push_back(result.id);
        return ids;
    }
    void undo() { bench->selection.undoStack()->undo(); }
    void redo() { bench->selection.undoStack()->redo(); }

    std::unique_ptr<InspectBench> bench;
    std::vector<store::SampleRecord> samples;
    InspectModel* model = nullptr;
    InterventionPanel* panel = nullptr;
    InterventionModel* interventions = nullptr;
};

TEST_F(LateJobs, ABatchStandsUnderItsOwnCheckpoint) {
    open("batch");
    page("causal");
    bench->jobs.hold(QStringLiteral("batch"));
    auto* causal = bench->find<CausalPage>("causalPage");
    causal->run();
    const auto steps = model->steps();
    ASSERT_GT(steps.size(), 2u);
    const std::int64_t other = steps[steps.size() - 2];
    model->chooseStep(other);
    bench->settleButHeld();
    EXPECT_FALSE(bench->find<SegmentedControl>("causalKind")->isEnabled()) << "another kind would end it";
    EXPECT_FALSE(bench->find<QPushButton>("causalRun")->isEnabled());
    bench->jobs.release(QStringLiteral("batch"));
    bench->settle();
    EXPECT_EQ(state("causal"), QStringLiteral("empty")) << "nothing was run at step " << other;
    EXPECT_TRUE(bench->find<QPushButton>("causalRun")->isEnabled());
    ASSERT_FALSE(bench->said.isEmpty());
    EXPECT_TRUE(bench->said.back().contains(QStringLiteral("step 600"))) << bench->said.back().toStdString();
    const auto kept = store::Annotations(folder()).results("causal");
    ASSERT_TRUE(kept && !kept->empty());
    for (const auto& result : *kept) EXPECT_EQ(result.checkpoint, 600);
    model->chooseStep(600);
    bench->settle();
    EXPECT_EQ(state("causal"), QStringLiteral("ready")) << "at its own step it is there";
}

TEST_F(LateJobs, ADenseRunShowsNothingOfTheRunBefore) {
    open("structure");
    bench->jobs.hold(QStringLiteral("labels"));
    bench->jobs.hold(QStringLiteral("flow"));
    ASSERT_TRUE(bench->workspace->showPage(QStringLiteral("structure")));
    bench->settleButHeld();
    ASSERT_EQ(bench->jobs.waiting(), 2);
    bench->openRun(denseRun());
    bench->settleButHeld();
    bench->jobs.release(QStringLiteral("labels"));
    bench->jobs.release(QStringLiteral("flow"));
    bench->settle();
    for (const char* name : {"specialisation", "path_flow", "paths", "probe_expert_map"}) EXPECT_EQ(state(name), QStringLiteral("empty")) << name;
    auto* views = bench->find<SegmentedControl>("labelView");
    bench->click(views, views->segmentRect(1).center());
    EXPECT_EQ(state("specialisation"), QStringLiteral("empty")) << "the control does not bring it back either";
}

TEST_F(LateJobs, ADenseRunHasNoSheetOfTheRunBefore) {
    open("sheet");
    bench->jobs.hold(QStringLiteral("sheet"));
    ASSERT_TRUE(bench->workspace->showPage(QStringLiteral("sheet")));
    bench->settleButHeld();
    bench->openRun(denseRun());
    bench->settleButHeld();
    bench->jobs.release(QStringLiteral("sheet"));
    bench->settle();
    EXPECT_EQ(state("sheet"), QStringLiteral("empty"));
    EXPECT_EQ(bench->find<SheetPage>("sheetPage")->grid()->sheet(), nullptr);
    undo();
    bench->settle();
    EXPECT_EQ(state("sheet"), QStringLiteral("ready")) << "back in the run it is gathered";
}

TEST_F(LateJobs, ARunWithoutExpertsHasNoCausalTableOfTheRunBefore) {
    open("causal-read");
    page("causal");
    bench->find<CausalPage>("causalPage")->run();
    bench->settle();
    ASSERT_EQ(state("causal"), QStringLiteral("ready"));
    page("sample");
    model->chooseStep(model->steps()[1]);
    bench->settle();
    page("causal");
    bench->jobs.hold(QStringLiteral("read"));
    model->chooseStep(600);
    bench->settleButHeld();
    ASSERT_EQ(bench->jobs.waiting(), 1);
    bench->openRun(denseRun());
    bench->settleButHeld();
    bench->jobs.release(QStringLiteral("read"));
    bench->settle();
    EXPECT_EQ(state("causal"), QStringLiteral("empty"));
}

TEST_F(LateJobs, AClearedSearchStaysCleared) {
    open("search");
    auto* search = bench->workspace->findChild<SampleSearch*>();
    const auto shown = [&] { return bench->data("samples").value(QStringLiteral("rows")).toArray().size(); };
    const auto all = shown();
    for (const QString& then : {QString(), QStringLiteral("circle")}) {
        bench->jobs.hold(QStringLiteral("search"));
        search->ask(QStringLiteral("category animal"));
        bench->settleButHeld();
        EXPECT_EQ(search->kind(), SampleSearch::Kind::kAsking);
        search->ask(then);
        const auto wanted = search->kind();
        const auto rows = shown();
        bench->jobs.release(QStringLiteral("search"));
        bench->settle();
        EXPECT_EQ(search->kind(), wanted);
        EXPECT_EQ(search->found(), nullptr);
        EXPECT_EQ(shown(), rows);
    }
    search->ask({});
    EXPECT_EQ(shown(), all);
    bench->jobs.hold(QStringLiteral("search"));
    search->ask(QStringLiteral("expert 5"));
    bench->settleButHeld();
    bench->openRun(denseRun());
    bench->settleButHeld();
    bench->jobs.release(QStringLiteral("search"));
    bench->settle();
    EXPECT_TRUE(search->line().contains(QStringLiteral("dense"))) << "asked again of the run at hand: " << search->line().toStdString();
}

TEST_F(LateJobs, ASavedSetIsNotLostWhenSetsAreRead) {
    open("sets");
    auto* search = bench->workspace->findChild<SampleSearch*>();
    search->ask(QStringLiteral("category animal"));
    bench->settle();
    bench->jobs.hold(QStringLiteral("set"));
    search->saveAs(QStringLiteral("first"));
    search->saveAs(QStringLiteral("second"));
    search->remove(QStringLiteral("first"));
    Q_EMIT model->runChanged();
    bench->settleButHeld();
    bench->jobs.release(QStringLiteral("set"));
    bench->settle();
    ASSERT_EQ(search->sets().size(), 1u) << "each was done, in its order";
    EXPECT_EQ(search->sets().front().name, "second");
    EXPECT_EQ(interventions->sets(), QStringList{QStringLiteral("second")}) << "the panel offers it";
}

TEST_F(LateJobs, AnInterventionDoesNotTakeTheUserBack) {
    open("back");
    bench->jobs.hold(QStringLiteral("run"));
    interventions->run();
    const std::uint64_t other = samples[5].hash;
    model->chooseSample(other);
    bench->settleButHeld();
    bench->jobs.release(QStringLiteral("run"));
    bench->settle();
    EXPECT_EQ(bench->selection.current().sample, other);
    EXPECT_EQ(bench->selection.current().intervention, 0);
    ASSERT_EQ(interventions->results().size(), 1u) << "it is kept and listed";
    EXPECT_TRUE(bench->said.back().contains(QStringLiteral("ban 1.v:3"))) << bench->said.join(QLatin1Char('\n')).toStdString();
    // What was undone while it ran can still be done again.
    bench->jobs.hold(QStringLiteral("run"));
    interventions->run();
    model->chooseLayer(LayerIndex(2));
    undo();
    bench->settleButHeld();
    bench->jobs.release(QStringLiteral("run"));
    bench->settle();
    EXPECT_EQ(interventions->results().size(), 2u);
    EXPECT_TRUE(bench->selection.undoStack()->canRedo());
    // Chosen from the list, it goes to its sample.
    interventions->show(interventions->results().front().id);
    bench->settle();
    EXPECT_NE(bench->selection.current().sample, other);
    EXPECT_NE(model->intervened(), nullptr);
}

TEST_F(LateJobs, AResultIsDrawnAtItsOwnStepAlone) {
    open("step");
    interventions->run();
    bench->settle();
    ASSERT_NE(model->intervened(), nullptr);
    const std::int64_t id = bench->selection.current().intervention;
    model->chooseStep(model->steps()[1]);
    bench->settle();
    EXPECT_EQ(model->intervened(), nullptr) << "what training changed is not what the intervention changed";
    EXPECT_FALSE(bench->find<SegmentedControl>("interventionSides")->isVisible());
    interventions->show(0);
    interventions->show(id);
    bench->settle();
    EXPECT_EQ(bench->selection.current().step, -1) << "choosing it goes back to its step";
    EXPECT_NE(model->intervened(), nullptr);
}

TEST_F(LateJobs, WhileASampleIsReadTheOneBeforeIsNotTakenForIt) {
    open("reading");
    InterventionChoice choice;
    choice.scope = InterventionChoice::Scope::kTokens;
    interventions->choose(choice, QStringLiteral("tokens"));
    bench->settle();
    ASSERT_TRUE(interventions->unavailable().isEmpty()) << interventions->unavailable().toStdString();
    const std::uint64_t before = model->record()->hash;
    bench->jobs.hold(QStringLiteral("sample"));
    model->chooseSample(samples[7].hash);
    ASSERT_EQ(model->record()->hash, before);
    EXPECT_FALSE(model->sampleOnScreen());
    EXPECT_TRUE(model->path().empty()) << "its token is not one of the sample on screen";
    EXPECT_TRUE(interventions->unavailable().contains(QStringLiteral("being read"))) << interventions->unavailable().toStdString();
    EXPECT_EQ(state("overlay"), QStringLiteral("ready")) << "a moment is not worth a flicker";
    ASSERT_TRUE(QTest::qWaitFor([&] { return state("overlay") == QStringLiteral("loading"); }, 2000));
    EXPECT_EQ(state("token"), QStringLiteral("loading"));
    EXPECT_FALSE(bench->panel("overlay").value(QStringLiteral("data")).isObject());
    bench->jobs.release(QStringLiteral("sample"));
    bench->settle();
    EXPECT_EQ(state("overlay"), QStringLiteral("ready"));
    EXPECT_EQ(model->record()->hash, samples[7].hash);
    EXPECT_FALSE(model->path().empty());
    EXPECT_TRUE(interventions->unavailable().isEmpty());
}

TEST_F(LateJobs, APanelInAWindowOfItsOwnGoesOnFollowing) {
    open("detached");
    page("structure");
    auto* structure = bench->find<StructurePage>("structurePage");
    structure->map()->detach();
    structure->labels()->detach();
    page("sheet");
    auto* frame = bench->find<SheetPage>("sheetPage")->findChild<PanelFrame*>();
    frame->detach();
    page("sample");
    const auto at = [](const PlotPanel* shown) { return QString::fromStdString(shown->shown()->context); };
    const QString map = at(structure->map()), flow = at(structure->flow());
    const std::int64_t step = model->steps()[1];
    const QString sheet = frame->context();
    model->chooseStep(step);
    bench->settle();
    EXPECT_NE(at(structure->map()), map);
    EXPECT_TRUE(at(structure->map()).contains(QString::number(step))) << at(structure->map()).toStdString();
    EXPECT_NE(frame->context(), sheet);
    EXPECT_EQ(at(structure->flow()), flow) << "nobody sees it: it is not read";
    structure->map()->attach();
    structure->labels()->attach();
    frame->attach();
}

TEST_F(LateJobs, CancellingARunLeavesAResultThatIsBeingOpened) {
    open("reopen");
    interventions->run();
    bench->settle();
    const std::int64_t id = interventions->results().front().id;
    bench.reset();
    open("reopen");
    bench->jobs.hold(QStringLiteral("reopen"));
    interventions->show(id);
    bench->settleButHeld();
    bench->jobs.hold(QStringLiteral("run"));
    InterventionChoice held_out = interventions->choice();
    held_out.scope = InterventionChoice::Scope::kHeldOut;
    interventions->choose(held_out, QStringLiteral("held-out"));
    interventions->run();
    ASSERT_TRUE(interventions->running());
    interventions->cancel();
    bench->jobs.release(QStringLiteral("run"));
    bench->jobs.release(QStringLiteral("reopen"));
    bench->settle();
    EXPECT_TRUE(interventions->settled());
    EXPECT_NE(model->intervened(), nullptr) << "the kept result is drawn";
}

TEST_F(LateJobs, RemovingUndoingAndRedoingReachTheFileInOrder) {
    open("order");
    interventions->run();
    bench->settle();
    const std::int64_t id = interventions->results().front().id;
    bench->jobs.hold(QStringLiteral("kept"));
    interventions->remove(id);
    undo();
    redo();
    undo();
    bench->settleButHeld();
    EXPECT_EQ(interventions->results().size(), 1u);
    bench->jobs.release(QStringLiteral("kept"));
    bench->settle();
    EXPECT_EQ(keptIds(), std::vector<std::int64_t>{id});
    // A removal that is under way when the run is opened again is in the list that is read.
    bench->jobs.hold(QStringLiteral("kept"));
    redo();
    const auto here = folder();
    bench->openRun(denseRun());
    bench->settleButHeld();
    undo();
    bench->settleButHeld();
    bench->jobs.release(QStringLiteral("kept"));
    bench->settle();
    EXPECT_EQ(model->reader()->folder(), here);
    EXPECT_TRUE(interventions->results().empty());
    EXPECT_TRUE(keptIds().empty());
}

TEST_F(LateJobs, PinnedExpertsBelongToTheirRun) {
    open("pins");
    interventions->pin(RouterId(0), 3);
    interventions->pin(RouterId(2), 5);
    const InterventionChoice chosen = interventions->choice();
    auto other = smallRun();
    other.seed = 2;
    bench->openRun(madeRun("other", other));
    bench->settle();
    EXPECT_TRUE(interventions->choice().experts.empty());
    interventions->pin(RouterId(1), 1);
    undo();
    undo();
    bench->settle();
    EXPECT_EQ(interventions->choice(), chosen) << "undoing the change of run brings them back";
    undo();
    EXPECT_EQ(interventions->choice().experts, (std::vector<std::pair<RouterId, int>>{{RouterId(0), 3}}));
    redo();
    redo();
    redo();
    bench->settle();
    EXPECT_EQ(interventions->choice().experts, (std::vector<std::pair<RouterId, int>>{{RouterId(1), 1}}));
}

TEST_F(LateJobs, HoldingTheArrowOfTheNumberIsOneStep) {
    open("number");
    InterventionChoice choice;
    choice.kind = session::InterventionKind::kOtherK;
    interventions->choose(choice, QStringLiteral("Set k"));
    bench->settle();
    const int before = bench->selection.undoStack()->index();
    auto* number = bench->find<QSpinBox>("interventionNumber");
    for (int i = 0; i < 5; ++i) number->stepUp();
    EXPECT_EQ(interventions->choice().number, 6);
    EXPECT_EQ(bench->selection.undoStack()->index(), before + 1);
    undo();
    EXPECT_EQ(interventions->choice().number, 1);
}

TEST_F(LateJobs, HeldOutSamplesOfASetAloneAreCompared) {
    open("narrowed");
    auto* search = bench->workspace->findChild<SampleSearch*>();
    search->ask(QStringLiteral("category animal"));
    bench->settle();
    search->saveAs(QStringLiteral("animals"));
    bench->settle();
    InterventionChoice choice = interventions->choice();
    choice.scope = InterventionChoice::Scope::kHeldOut;
    interventions->choose(choice, QStringLiteral("held-out"));
    auto* box = bench->find<ChoiceBox>("interventionSet");
    ASSERT_TRUE(box->isVisible());
    box->setValue(QStringLiteral("animals"));
    Q_EMIT box->chosen(QStringLiteral("animals"));
    EXPECT_EQ(interventions->choice().set, QStringLiteral("animals"));
    interventions->run();
    bench->settle();
    ASSERT_EQ(interventions->results().size(), 1u) << (interventions->error() ? interventions->error()->message() : "");
    const auto& kept = interventions->results().front();
    EXPECT_EQ(kept.set, "animals");
    const auto animals =
        static_cast<std::size_t>(std::count_if(samples.begin(), samples.end(), [](const auto& sample) { return sample.category == "animal"; }));
    ASSERT_GT(animals, 0u);
    EXPECT_EQ(kept.rows.size(), animals);
    EXPECT_TRUE(bench->find<ElidedLabel>("interventionTitle")->fullText().contains(QStringLiteral("animals")));
    undo();  // the result
    undo();  // the set
    EXPECT_TRUE(interventions->choice().set.isEmpty());
    redo();
    EXPECT_EQ(interventions->choice().set, QStringLiteral("animals"));
    search->remove(QStringLiteral("animals"));
    bench->settle();
    EXPECT_TRUE(interventions->unavailable().contains(QStringLiteral("animals"))) << "a set that is gone is said to be";
}

}  // namespace
}  // namespace es::views

int main(int argc, char** argv) { return es::views::test::runGuiTests(argc, argv); }
