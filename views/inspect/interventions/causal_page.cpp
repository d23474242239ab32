// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/interventions/causal_page.h"

#include <QHBoxLayout>
#include <QSplitter>
#include <QVBoxLayout>

#include "analysis/interventions/causal.h"
#include "views/inspect/token_words.h"

namespace es::views {
namespace {

using session::InterventionKind;
constexpr int kBatchPollMs = 150;

QString runName(const QString& folder) { return folder.section(QLatin1Char('/'), -1, -1, QString::SectionSkipEmpty); }

}  // namespace

CausalPage::CausalPage(InspectModel* model, QWidget* parent) : InspectPart(parent), model_(model), runner_(new QObject(this)) {
    setObjectName(QStringLiteral("causalPage"));
    Theme* theme = model_->context().theme;
    table_ = new PlotPanel(theme, QStringLiteral("causal"), tr("What each expert is needed for"), this);
    comparison_ = new PlotPanel(theme, QStringLiteral("causal_comparison"), tr("The most specialised expert against the others"), this);
    for (PlotPanel* panel : {table_, comparison_}) panel->setPanelQuery({}, tr("A figure is made of the run's records; these results are kept beside them"));
    progress_text_ = new QLabel(this);
    progress_text_->setProperty("role", QStringLiteral("muted"));
    kind_ = new SegmentedControl(theme, this);
    kind_->setObjectName(QStringLiteral("causalKind"));
    kind_->setAccessibleName(tr("What is done to each expert"));
    kind_->setCompact(true);
    kind_->setChoices({tr("Ban"), tr("Silence")}, {QStringLiteral("ban"), QStringLiteral("silence")});
    run_ = makeButton(theme, tr("Run"), ButtonKind::kPrimary, QStringLiteral("play"), this);
    run_->setObjectName(QStringLiteral("causalRun"));
    cancel_ = makeButton(theme, tr("Cancel"), ButtonKind::kPlain, {}, this);
    cancel_->setObjectName(QStringLiteral("causalCancel"));
    similarity_ = new SimilarityJob(model_, this);
    compare_ = makeButton(theme, tr("Compare experts"), ButtonKind::kPlain, {}, this);
    compare_->setObjectName(QStringLiteral("compareExperts"));
    compare_->setToolTip(tr("How alike the experts are by weights and by outputs: shown on the pages Expert and Structure"));
    auto* bar = new QHBoxLayout;
    bar->setSpacing(theme->metrics().space2);
    bar->addWidget(kind_);
    bar->addWidget(run_);
    bar->addWidget(cancel_);
    bar->addWidget(progress_text_, 1);
    bar->addWidget(compare_);
    auto* split = new QSplitter(Qt::Vertical, this);
    split->setChildrenCollapsible(false);
    split->setHandleWidth(theme->metrics().gutter);
    split->addWidget(table_);
    split->addWidget(comparison_);
    split->setStretchFactor(0, 3);
    split->setStretchFactor(1, 1);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(theme->metrics().gutter);
    column->addLayout(bar);
    column->addWidget(split, 1);
    poll_.setInterval(kBatchPollMs);
    connect(&poll_, &QTimer::timeout, this, &CausalPage::refresh);
    connect(kind_, &SegmentedControl::chosen, this, &CausalPage::follow);
    connect(run_, &QPushButton::clicked, this, &CausalPage::run);
    connect(cancel_, &QPushButton::clicked, this, &CausalPage::cancel);
    connect(compare_, &QPushButton::clicked, similarity_, &SimilarityJob::run);
    connect(similarity_, &SimilarityJob::changed, this, [this] {
        if (similarity_->error()) model_->context().sayError(*similarity_->error());
        else if (!similarity_->running()) model_->context().say(tr("Experts were compared; see the pages Expert and Structure"));
        refresh();
    });
    connect(model_, &InspectModel::runChanged, this, &CausalPage::follow);
    connect(model_, &InspectModel::sampleChanged, this, &CausalPage::follow);
    followDetached([this] { follow(); });
    refresh();
}

void CausalPage::showEvent(QShowEvent* event) {
    InspectPart::showEvent(event);
    follow();
}

CausalPage::Of CausalPage::ofNow() const {
    Of now{model_->shown().run, -1, session::interventionKindFromString(kind_->value().toStdString()).value_or(InterventionKind::kBan)};
    if (model_->runPart() == InspectModel::Part::kReady) now.checkpoint = checkpointFor(model_->contents().checkpoints, model_->shown().step).value_or(-1);
    return now;
}

session::CausalRequest CausalPage::requestOf(const Of& of) {
    session::CausalRequest request;
    request.checkpoint = of.checkpoint;
    request.kind = of.kind;
    return request;
}

QString CausalPage::unavailable() const {
    if (model_->runPart() != InspectModel::Part::kReady) return tr("Open a run first");
    if (model_->contents().routers.empty()) return tr("This run is dense: it has no experts");
    if (ofNow().checkpoint < 0) return tr("This run has no checkpoint to run");
    return model_->context().runVariants ? QString() : tr("This program was started without an engine");
}

Result<CausalPage::Found> CausalPage::read(const store::RunReader& run, const session::CausalRequest& request, const JobContext& context) {
    const auto results = session::causalResults(run, request);
    if (!results) return tl::unexpected(results.error());
    Found found;
    found.done = static_cast<std::int64_t>(results->size());
    found.all = session::causalCount(run, request);
    if (results->empty()) return found;
    const auto table = analysis::causalTable(run, *results);
    if (!table) return tl::unexpected(table.error());
    found.table = std::make_shared<const analysis::Panel>(analysis::causalPanel(*table));
    std::vector<std::string> notes;
    const auto comparison = analysis::compareBans(run, *results, notes, 0, context);
    if (!comparison) return tl::unexpected(comparison.error());
    analysis::Panel compared = analysis::comparisonPanel(*comparison, notes);
    if (request.kind == InterventionKind::kSilence) compared.title = tr("The most specialised expert, silenced, against the others").toStdString();
    found.comparison = std::make_shared<const analysis::Panel>(std::move(compared));
    return found;
}

void CausalPage::follow() {
    const Of now = ofNow();
    if (now == of_ || !active()) return refresh();
    of_ = now;
    found_ = {};
    error_.reset();
    if (of_.checkpoint >= 0 && !model_->contents().routers.empty()) load();
    refresh();
}

void CausalPage::load() {
    reading_ = true;
    model_->context().jobs->run<Found>(
        this, QStringLiteral("read"), tr("Reading what is kept of each expert"),
        [reader = model_->reader(), wanted = requestOf(of_)](JobContext& context) { return read(*reader, wanted, context); },
        [this, of = of_](Result<Found> found) {
            reading_ = false;
            if (of == of_) return take(std::move(found));
            refresh();
        });
}

void CausalPage::take(Result<Found> found) {
    if (found) found_ = std::move(*found);
    else if (found.error().kind != ErrorKind::kStopped) error_ = found.error();
    refresh();
}

void CausalPage::run() {
    follow();
    if (running_ || !unavailable().isEmpty()) return;
    running_ = true;
    error_.reset();
    batch_of_ = ofNow();
    progress_ = std::make_shared<SharedProgress>();
    const auto& context = model_->context();
    context.jobs->run<Found>(
        runner_, QStringLiteral("batch"), batch_of_.kind == InterventionKind::kSilence ? tr("Silencing every expert alone") : tr("Banning every expert alone"),
        [reader = model_->reader(), wanted = requestOf(batch_of_), variants = context.runVariants, progress = progress_](JobContext& job) -> Result<Found> {
            JobContext mine = SharedProgress::heard(job, progress);
            const session::VariantRunner runner = [&](const session::VariantRequest& request, const session::VariantSink& sink, const JobContext& inner) {
                JobContext own = inner;
                return variants(request, sink, own);
            };
            const auto results = session::runCausal(*reader, wanted, runner, mine);
            if (!results) return tl::unexpected(results.error());
            return read(*reader, wanted, mine);
        },
        [this](Result<Found> found) {
            running_ = false;
            const bool ended = !found && found.error().kind == ErrorKind::kStopped;
            if (batch_of_ == of_) {
                if (ended || reading_) load();  // what was done is kept, and what is being read is not all of it
                return take(std::move(found));
            }
            if (found)
                model_->context().say(
                    tr("Every expert of %1, step %2, was run; the results are kept").arg(runName(batch_of_.run), stepText(batch_of_.checkpoint)));
            else if (!ended) model_->context().sayError(found.error());
            refresh();
        });
    refresh();
}

void CausalPage::cancel() {
    if (!running_) return;
    model_->context().jobs->cancel(runner_);
    running_ = false;
    if (batch_of_ == of_) load();  // what was done is kept
    refresh();
}

void CausalPage::refresh() {
    const QString why = unavailable();
    const bool silence = of_.kind == InterventionKind::kSilence, here = running_ && batch_of_ == of_;
    const bool started = found_.done > 0, whole = started && found_.done >= found_.all;
    run_->setText(whole     ? tr("All experts were run")
                  : started ? tr("Go on with the other %n experts", nullptr, static_cast<int>(found_.all - found_.done))
                            : tr("Run every expert"));
    QString why_not = whole ? tr("Every expert of this checkpoint was run; the results are kept") : why;
    if (running_) why_not = here ? tr("It is running") : tr("%1, step %2, is being run").arg(runName(batch_of_.run), stepText(batch_of_.checkpoint));
    setDisabledReason(run_, why_not);
    setDisabledReason(kind_, running_ ? tr("Every expert is being run; cancel that first") : QString());
    setDisabledReason(compare_, similarity_->unavailable());
    cancel_->setVisible(running_);
    if (running_ && !poll_.isActive()) poll_.start();
    if (!running_) poll_.stop();
    QString words = tr("on the held-out samples of step %1; results are kept with the run").arg(stepText(ofNow().checkpoint));
    if (running_ && progress_) {
        const Progress now = progress_->get();
        words = now.total > 0 ? tr("%1 · %2 of %3").arg(QString::fromStdString(now.label)).arg(now.done).arg(now.total) : QString::fromStdString(now.label);
        if (!here) words = tr("%1, step %2: %3").arg(runName(batch_of_.run), stepText(batch_of_.checkpoint), words);
    }
    progress_text_->setText(running_ || why.isEmpty() ? words : why);
    if (error_) {
        table_->showFailed(*error_);
        comparison_->showEmpty(tr("Nothing to compare"), tr("The experts were not run."), {}, QStringLiteral("expert"));
        return;
    }
    if (!found_.table) {
        if (here || reading_) table_->showLoading(here ? tr("Running…") : tr("Reading…"), false);
        else
            table_->showEmpty(!why.isEmpty() ? why
                              : silence      ? tr("No expert was silenced yet")
                                             : tr("No expert was banned yet"),
                              silence ? tr("Each expert is silenced alone, and the losses are compared sample by sample.")
                                      : tr("Each expert is banned alone, and the losses are compared sample by sample."),
                              why.isEmpty() && !running_ ? PanelFrame::Action{tr("Run every expert"), [this] { run(); }} : PanelFrame::Action{},
                              QStringLiteral("expert"));
        comparison_->showEmpty(tr("Nothing to compare yet"),
                               silence ? tr("Once every expert of a layer was silenced, the most specialised one stands here beside the others.")
                                       : tr("Once every expert of a layer was banned, the most specialised one stands here beside the others."),
                               {}, QStringLiteral("expert"));
        return;
    }
    if (table_->shown() != found_.table) table_->showPanel(found_.table);
    if (!whole) table_->showPartial(tr("%1 of %2 experts").arg(found_.done).arg(found_.all));
    if (comparison_->shown() == found_.comparison) return;
    comparison_->showPanel(found_.comparison);
    if (std::get<analysis::TablePanel>(found_.comparison->content).rows.empty())
        comparison_->showEmpty(tr("Nothing to compare yet"), QString::fromStdString(found_.comparison->notes.empty() ? "" : found_.comparison->notes.front()),
                               {}, QStringLiteral("expert"));
}

std::vector<PaletteEntry> CausalPage::paletteEntries() {
    std::vector<PaletteEntry> entries;
    if (unavailable().isEmpty() && !running_)
        entries.push_back({ofNow().kind == InterventionKind::kSilence ? tr("Silence every expert alone") : tr("Ban every expert alone"),
                           tr("Causal specialisation"), [this] { run(); }});
    if (similarity_->unavailable().isEmpty())
        entries.push_back({tr("Compare experts by weights and outputs"), tr("Similarity"), [this] { similarity_->run(); }});
    return entries;
}

}  // namespace es::views
