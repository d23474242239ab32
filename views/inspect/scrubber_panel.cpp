// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/scrubber_panel.h"

#include <QJsonArray>

#include "views/inspect/inspect_dump.h"
#include "views/inspect/panel_queries.h"
#include "views/inspect/token_words.h"
#include "views/models/panel_json.h"

namespace es::views {
namespace {
constexpr int kPlayMs = 600;  // slow enough to see which patches change
constexpr int kGestures = 1000;
}  // namespace

ScrubberPanel::ScrubberPanel(InspectModel* model, QWidget* parent)
    : PanelFrame(model->context().theme, tr("Checkpoint scrubber · routing of this sample over training"), parent), model_(model) {
    Theme* theme = model_->context().theme;
    setObjectName(QStringLiteral("scrubberPanel"));
    view_ = new ScrubberView(theme, this);
    setContent(view_, QMargins(6, 4, 6, 4));
    back_ = addTool(QStringLiteral("step-back"), tr("Checkpoint before (Left)"), [this] { goBy(-1); });
    step_ = new QLabel(this);
    step_->setObjectName(QStringLiteral("scrubberStep"));
    step_->setProperty("role", QStringLiteral("muted"));
    addHeaderWidget(step_);
    forward_ = addTool(QStringLiteral("step-forward"), tr("Checkpoint after (Right)"), [this] { goBy(1); });
    play_ = addTool(QStringLiteral("play"), tr("Play through the checkpoints (Space)"), [this] { play(!timer_.isActive()); });
    play_->setObjectName(QStringLiteral("scrubberPlay"));
    timer_.setInterval(kPlayMs);
    connect(&timer_, &QTimer::timeout, this, [this] {
        if (view_->value() >= view_->maximum()) play(false);
        else goBy(1);
    });
    connect(view_, &QAbstractSlider::sliderPressed, this, [this] { newGesture(); });
    connect(view_, &ScrubberView::playRequested, this, [this] { play(!timer_.isActive()); });
    connect(view_, &QAbstractSlider::valueChanged, this,
            [this](int at) { model_->chooseStep(view_->steps()[static_cast<std::size_t>(at)], view_->isSliderDown() || timer_.isActive() ? gesture_ : -1); });
    connect(model_, &InspectModel::runChanged, this, &ScrubberPanel::refresh);
    connect(model_, &InspectModel::sampleChanged, this, &ScrubberPanel::refresh);
    connect(model_, &InspectModel::choiceChanged, this, &ScrubberPanel::refresh);
    connect(model_, &InspectModel::historyChanged, this, &ScrubberPanel::refresh);
    refresh();
}

void ScrubberPanel::goBy(int steps) { view_->setValue(view_->value() + steps); }

void ScrubberPanel::newGesture() { gesture_ = kFirstGesture + (gesture_ - kFirstGesture + 1) % kGestures; }

void ScrubberPanel::play(bool on) {
    if (on) newGesture();
    if (on && view_->value() >= view_->maximum()) view_->setValue(0);
    on ? timer_.start() : timer_.stop();
    play_->setIconName(on ? QStringLiteral("pause") : QStringLiteral("play"));
}

void ScrubberPanel::refresh() {
    const auto part = model_->runPart();
    const auto steps = part == InspectModel::Part::kReady ? model_->steps() : std::vector<std::int64_t>();
    if (steps.empty()) {  // with steps each is set once below: a header that is emptied and filled again is laid out again
        for (QWidget* tool : {static_cast<QWidget*>(back_), static_cast<QWidget*>(forward_), static_cast<QWidget*>(play_)})
            setDisabledReason(tool, tr("There are no checkpoints to go through"));
        step_->clear();
        setContext({});
    }
    if (part == InspectModel::Part::kNone) return showEmpty(tr("No run yet"), tr("The checkpoints of a run appear here."));
    if (part == InspectModel::Part::kLoading) return showLoading(tr("Opening the run…"));
    if (part == InspectModel::Part::kFailed) return showFailed(model_->runError());
    if (steps.empty())
        return showEmpty(tr("No checkpoint to scrub through"),
                         model_->runsAgain()                  ? tr("The run's checkpoints are gone, so this sample cannot be run through them.")
                         : model_->contents().routers.empty() ? tr("A dense run has no routing to follow.")
                         : model_->training()                 ? tr("The first probe comes with the first checkpoint.")
                                                              : tr("This run was recorded without probes (record.probe_samples = 0)."),
                         {}, QStringLiteral("clock"));
    view_->setSteps(steps, model_->configuredSteps());
    const Selection& shown = model_->shown();
    view_->showStep(model_->step() >= 0 ? model_->step() : steps.back());
    const auto& router = shown.token.valid() ? model_->router(shown.token_modality) : model_->currentRouter();
    QString caption = tr("Select a patch or a word: its expert at each checkpoint appears here");
    if (shown.token.valid() && router)
        caption = tr("expert of %1, %2").arg(tokenName(model_->record(), shown.token_modality, shown.token.value), QString::fromStdString(longName(*router)));
    view_->setHistory(model_->history(), caption);
    view_->setCurves(model_->curves());
    view_->setSampleChurn(model_->sampleChurn());
    const bool many = steps.size() > 1;
    const QString why = many ? QString() : tr("There is one checkpoint only");
    setDisabledReason(play_, why);
    setDisabledReason(back_, many ? (view_->value() > 0 ? QString() : tr("This is the first checkpoint")) : why);
    setDisabledReason(forward_, many ? (view_->value() < view_->maximum() ? QString() : tr("This is the last checkpoint")) : why);
    step_->setText(tr("step %1").arg(stepText(steps[static_cast<std::size_t>(view_->value())])));
    QStringList notes;
    if (model_->runsAgain())
        notes << (model_->isOwn() ? tr("own picture: runs again through each checkpoint you go to")
                                  : tr("not probed: runs again through each checkpoint you go to"));
    if (model_->history())
        for (const auto& note : model_->history()->notes) notes << QString::fromStdString(note);
    const std::int64_t wanted = shown.step;
    if (wanted >= 0 && model_->step() >= 0 && wanted != model_->step()) notes << tr("step %1 has no probe; the one before is shown").arg(stepText(wanted));
    setNotes(notes);
    QStringList context;
    if (model_->currentRouter()) context << QString::fromStdString(longName(*model_->currentRouter()));
    if (model_->curves() && !model_->curves()->churn.x.empty())
        for (const auto& note : model_->curves()->notes) context << tr("churn: %1").arg(QString::fromStdString(note));
    setContext(context.join(QStringLiteral(" · ")));
    setPanelQuery(changeQuery(*model_), tr("This run has no probes to compare"));
    showReady();
}

QJsonObject ScrubberPanel::dumpData() const {
    QJsonObject out{{QStringLiteral("step"), static_cast<qint64>(model_->step())}};
    QJsonArray steps;
    for (const auto step : view_->steps()) steps.append(static_cast<qint64>(step));
    out[QStringLiteral("steps")] = steps;
    if (model_->history()) out[QStringLiteral("history")] = toJson(*model_->history());
    if (!model_->curves()) return out;
    analysis::Panel curves;
    analysis::LinePanel lines;
    lines.x.title = "training step";
    for (const analysis::Curve& curve : {model_->curves()->churn, model_->curves()->loss, model_->curves()->saturation, model_->sampleChurn()})
        if (!curve.x.empty()) lines.curves.push_back(curve);
    for (const auto& spike : model_->curves()->spikes) lines.markers.push_back({spike.x, view_->spikeText(spike).toStdString(), spike.color});
    curves.content = std::move(lines);
    out[QStringLiteral("curves")] = toJson(curves);
    return out;
}

}  // namespace es::views
