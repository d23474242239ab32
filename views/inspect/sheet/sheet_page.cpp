// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/sheet/sheet_page.h"

#include <QLabel>
#include <QScrollArea>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "views/inspect/inspect_dump.h"
#include "views/inspect/token_words.h"
#include "views/models/panel_json.h"
#include "views/plots/plot_panel.h"
#include "views/widgets/controls.h"
#include "views/widgets/flow_layout.h"

namespace es::views {
namespace {

const QStringList& orderValues() {
    static const QStringList values{QStringLiteral("most"), QStringLiteral("given"), QStringLiteral("random")};
    return values;
}

/// Modes that a probe can show without another run of the model.
bool showsInSheet(analysis::OverlayMode mode) {
    return mode != analysis::OverlayMode::kAttention && mode != analysis::OverlayMode::kChanged && mode != analysis::OverlayMode::kDifference;
}

}  // namespace

SheetPage::SheetPage(InspectModel* model, QWidget* parent)
    : InspectPart(parent), model_(model), job_(model->context().jobs, this, QStringLiteral("sheet"), tr("Gathering samples"),
                                               [this](Result<analysis::ContactSheet> sheet) { take(std::move(sheet)); }) {
    Theme* theme = model_->context().theme;
    setObjectName(QStringLiteral("sheetPage"));
    frame_ = new PanelFrame(theme, tr("Contact sheet"), this);
    auto* body = new QWidget(frame_);
    auto* column = new QVBoxLayout(body);
    column->setContentsMargins(10, 8, 4, 6);
    column->setSpacing(8);
    auto* controls = new QWidget(body);
    auto* row = new FlowLayout(controls, 8, 6);
    row->setContentsMargins(0, 0, 0, 0);
    const auto name = [&](const QString& text) {
        auto* label = new QLabel(text, controls);
        label->setProperty("role", QStringLiteral("muted"));
        label->setMinimumHeight(theme->metrics().control);
        row->addWidget(label);
    };
    name(tr("Samples"));
    orders_ = new SegmentedControl(theme, controls);
    orders_->setObjectName(QStringLiteral("sheetOrder"));
    orders_->setAccessibleName(tr("Which samples"));
    orders_->setChoices({tr("Most of the expert"), tr("As listed"), tr("Random")}, orderValues());
    row->addWidget(orders_);
    again_ = new IconButton(theme, QStringLiteral("refresh"), tr("Draw other samples"), controls);
    row->addWidget(again_);
    counts_ = new ChoiceBox(tr("How many samples"), false, controls);
    counts_->setObjectName(QStringLiteral("sheetCount"));
    counts_->setChoices({tr("12 samples"), tr("24 samples"), tr("48 samples"), tr("96 samples")},
                        {QStringLiteral("12"), QStringLiteral("24"), QStringLiteral("48"), QStringLiteral("96")});
    counts_->setValue(QStringLiteral("24"));
    row->addWidget(counts_);
    modes_ = new SegmentedControl(theme, controls);
    modes_->setObjectName(QStringLiteral("sheetModes"));
    modes_->setAccessibleName(tr("What the overlays show"));
    modes_->setChoices({tr("Expert"), tr("Weight"), tr("Entropy"), tr("Margin"), tr("Dropped"), tr("One expert")},
                       {QStringLiteral("expert"), QStringLiteral("weight"), QStringLiteral("entropy"), QStringLiteral("margin"), QStringLiteral("dropped"),
                        QStringLiteral("probability")});
    row->addWidget(modes_);
    sizes_ = new SegmentedControl(theme, controls);
    sizes_->setAccessibleName(tr("Size of the pictures"));
    sizes_->setChoices({tr("S"), tr("M"), tr("L")}, {QStringLiteral("110"), QStringLiteral("150"), QStringLiteral("230")});
    sizes_->setValue(QStringLiteral("150"));
    row->addWidget(sizes_);
    QSizePolicy policy(QSizePolicy::Preferred, QSizePolicy::Minimum);
    policy.setHeightForWidth(true);
    controls->setSizePolicy(policy);
    column->addWidget(controls);
    auto* scroll = new QScrollArea(body);
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setFocusPolicy(Qt::NoFocus);
    grid_ = new SheetGrid(theme, scroll);
    scroll->setWidget(grid_);
    legend_ = new ExpertLegend(theme, body);
    legend_->setObjectName(QStringLiteral("sheetLegend"));
    column->addWidget(legend_);
    column->addWidget(scroll, 1);
    frame_->setContent(body);
    frame_->setPanelQuery({}, tr("A contact sheet is not a figure; send one sample's overlay instead"));
    auto* page = new QVBoxLayout(this);
    page->setContentsMargins(0, 0, 0, 0);
    page->addWidget(frame_);
    setFocusProxy(grid_);

    connect(orders_, &SegmentedControl::chosen, this, &SheetPage::refresh);
    connect(counts_, &ChoiceBox::chosen, this, &SheetPage::refresh);
    connect(again_, &QToolButton::clicked, this, [this] {
        ++draw_;
        refresh();
    });
    connect(modes_, &SegmentedControl::chosen, this, [this](const QString& mode) {
        OverlayChoices choices = model_->overlayChoices();
        choices.mode = analysis::overlayModeFromString(mode.toStdString()).value_or(analysis::OverlayMode::kExpert);
        model_->setOverlayChoices(choices);
    });
    connect(sizes_, &SegmentedControl::chosen, this, [this](const QString& side) { grid_->setSide(side.toInt()); });
    connect(grid_, &SheetGrid::sampleOpened, this, [this](quint64 sample) {
        model_->chooseSample(sample);
        Q_EMIT sampleOpened(sample);
    });
    connect(legend_, &ExpertLegend::expertClicked, this, [this](int expert) {
        if (const auto* router = model_->currentRouter()) model_->toggleExpert(router->id, expert);
    });
    connect(model_, &InspectModel::runChanged, this, &SheetPage::refresh);
    connect(model_, &InspectModel::sampleChanged, this, &SheetPage::refresh);
    connect(model_, &InspectModel::choiceChanged, this, &SheetPage::refresh);
    connect(model_, &InspectModel::overlayChanged, this, &SheetPage::refresh);
    connect(model_, &InspectModel::listedChanged, this, &SheetPage::refresh);
    connect(model_, &InspectModel::chosenSetChanged, this, &SheetPage::refresh);
    followDetached([this] { refresh(); });
}

void SheetPage::showEvent(QShowEvent* event) {
    InspectPart::showEvent(event);
    refresh();
}

SheetPage::Wanted SheetPage::wantedNow() const {
    Wanted wanted;
    const OverlayChoices& choices = model_->overlayChoices();
    wanted.run = model_->shown().run;
    wanted.router = model_->shown().router.value;
    wanted.expert = model_->suggestedExpert().value;
    wanted.mode = showsInSheet(choices.mode) ? choices.mode : analysis::OverlayMode::kExpert;
    // Where every expert has a share of every token, the first one says little of the expert asked for.
    if (soft() && wanted.mode == analysis::OverlayMode::kExpert) wanted.mode = analysis::OverlayMode::kProbability;
    wanted.rank = std::max(0, choices.rank);
    wanted.step = model_->contents().probedStep(model_->shown().step).value_or(-1);
    wanted.probes = model_->contents().steps.size();
    wanted.order = orders_->value();
    wanted.count = counts_->value();
    wanted.draw = wanted.order == QStringLiteral("random") ? draw_ : 0;
    wanted.samples = model_->listed();
    wanted.set = model_->chosenSet().everything ? 0 : model_->chosenSet().tokens.fingerprint();
    return wanted;
}

bool SheetPage::soft() const {
    const auto* router = model_->currentRouter();
    return router && router->layout == store::RoutingLayout::kDenseMass;
}

void SheetPage::follow() {
    for (const QString& value : modes_->values()) {
        const auto mode = analysis::overlayModeFromString(value.toStdString()).value_or(analysis::OverlayMode::kExpert);
        QString why = model_->routing() && mode != analysis::OverlayMode::kExpert ? model_->missing(mode) : QString();
        if (soft() && mode == analysis::OverlayMode::kExpert) why = tr("Soft routing gives every expert a share of every token: one expert is shown");
        modes_->setChoiceDisabled(value, why);
    }
    grid_->setOpacity(model_->overlayChoices().opacity);
    grid_->setHighlightedExpert(model_->ofOneExpert() ? -1 : model_->shown().expert.value);
    grid_->setBringsOutItsExpert(orders_->value() == orderValues().first() && wantedNow().mode == analysis::OverlayMode::kExpert);
    grid_->setShownSample(model_->shown().sample.value_or(0));
    modes_->setValue(QString::fromLatin1(toString(wantedNow().mode).data()));
    setDisabledReason(again_, orders_->value() == QStringLiteral("random") ? QString() : tr("Only a random choice can be drawn again"));
}

void SheetPage::forget() {
    model_->context().jobs->cancel(this);
    job_.drop();
    wanted_ = {};
    grid_->setSheet(nullptr, false);
    legend_->setPanel({});
    frame_->setTitle(tr("Contact sheet"));
    frame_->setContext({});
    frame_->setNotes({});
}

void SheetPage::refresh() {
    if (!active()) return;
    follow();
    const bool gathers = model_->runPart() == InspectModel::Part::kReady && model_->currentRouter() && !model_->contents().steps.empty();
    if (!gathers) forget();
    switch (model_->runPart()) {
        case InspectModel::Part::kNone:
            return frame_->showEmpty(tr("No run yet"), tr("Choose one in Train, or open a folder of runs."), {}, QStringLiteral("grid"));
        case InspectModel::Part::kLoading: return frame_->showLoading(tr("Opening the run…"), false);
        case InspectModel::Part::kFailed: return frame_->showFailed(model_->runError());
        case InspectModel::Part::kReady: break;
    }
    if (!model_->currentRouter())
        return frame_->showEmpty(tr("A dense run"), tr("It has no routers, so there is nothing to lay over its pictures. Choose a run with experts in Train."),
                                 {}, QStringLiteral("router"));
    if (model_->contents().steps.empty())
        return frame_->showEmpty(tr("No probe yet"),
                                 model_->training() ? tr("The first probe comes with the first checkpoint.")
                                                    : tr("This run was recorded without probes (record.probe_samples = 0)."),
                                 {}, QStringLiteral("clock"));
    ask();
}

void SheetPage::ask() {
    const Wanted wanted = wantedNow();
    if (wanted == wanted_ && (grid_->sheet() || !job_.idle())) {
        if (job_.idle() && !grid_->sheet()->items.empty()) frame_->showReady();
        return;
    }
    if (!grid_->sheet()) frame_->showLoading(tr("Gathering samples…"));
    wanted_ = wanted;
    analysis::SheetRequest request;
    request.step = wanted.step;
    request.overlay.layer = model_->currentRouter()->layer;
    request.overlay.expert_router = RouterId(wanted.router);
    request.overlay.expert = ExpertIndex(wanted.expert);
    request.overlay.mode = wanted.mode;
    request.overlay.rank = wanted.rank;
    request.order = analysis::sheetOrderFromString(wanted.order.toStdString()).value_or(analysis::SheetOrder::kMost);
    request.samples = wanted.samples;
    request.count = wanted.count.toULongLong();
    request.seed = wanted.draw;
    const bool split = model_->overlayChoices().rank < 0;
    job_.request(
        [reader = model_->analysisReader(), request, split](JobContext& context) -> Result<analysis::ContactSheet> {
            auto sheet = analysis::contactSheet(*reader, request, context);
            if (!sheet || split) return sheet;
            for (auto& item : sheet->items) {  // one rank at a time: no split cells
                auto& panel = std::get<analysis::OverlayPanel>(item.panel.content);
                for (auto& cell : panel.patches) cell.choices.clear();
                for (auto& word : panel.words) word.cell.choices.clear();
            }
            return sheet;
        },
        true);
}

void SheetPage::take(Result<analysis::ContactSheet> sheet) {
    if (!sheet) {
        if (sheet.error().kind == ErrorKind::kStopped) {
            wanted_ = {};
            if (grid_->sheet()) return frame_->showPartial(tr("Cancelled: these are the samples gathered before"));
            return frame_->showEmpty(tr("Cancelled"), tr("No samples were gathered."), {tr("Gather them again"), [this] { refresh(); }},
                                     QStringLiteral("grid"));
        }
        grid_->setSheet(nullptr, false);
        return frame_->showFailed(sheet.error());
    }
    const auto made = std::make_shared<const analysis::ContactSheet>(std::move(*sheet));
    const bool words = made->router.branch == Branch::kText || made->router.branch == Branch::kAll;
    grid_->setSheet(made, words);
    showLegend();
    frame_->setTitle(tr("Contact sheet · expert %1, %2").arg(made->expert.value).arg(QString::fromStdString(longName(made->router))));
    const bool soft = made->router.layout == store::RoutingLayout::kDenseMass;
    frame_->setContext(
        (soft ? tr("%1 of %2 samples · step %3 · mean weight over all tokens %4 %") : tr("%1 of %2 samples · step %3 · first choice of %4 % of all tokens"))
            .arg(made->items.size())
            .arg(made->of)
            .arg(stepText(made->step))
            .arg(made->base_share * 100, 0, 'f', 1));
    QStringList notes;
    if (!showsInSheet(model_->overlayChoices().mode)) notes << tr("this mode needs more than a probe: shown by expert");
    if (!model_->shown().expert.valid())
        notes << (model_->suggestedExpert().valid() ? tr("no expert is selected: that of the selected token is taken")
                                                    : tr("no expert is selected: the router's most frequent one is taken"));
    if (soft) notes << tr("soft routing: shares are of the weights, and each picture shows the weight of this expert");
    if (wanted_.order == QStringLiteral("most")) notes << tr("the samples with the largest shares: look at random ones beside");
    const std::size_t listed = model_->listed().size();
    if (!model_->chosenSet().everything) notes << QString::fromStdString(model_->chosenSet().note());
    else if (listed > made->of) notes << tr("%1 of %2 listed samples are in no probe").arg(listed - made->of).arg(listed);
    frame_->setNotes(notes);
    if (made->items.empty())
        return frame_->showEmpty(tr("No sample to show"),
                                 model_->chosenSet().everything ? tr("None of the listed samples is in a probe. Clear the search.")
                                                                : tr("None of the listed samples has a token of the chosen set in a probe."),
                                 {}, QStringLiteral("grid"));
    frame_->showReady();
}

void SheetPage::showLegend() {
    analysis::OverlayPanel all;
    for (const auto& item : grid_->sheet()->items) {
        const auto& panel = std::get<analysis::OverlayPanel>(item.panel.content);
        all.show_values = panel.show_values;
        all.value_title = panel.value_title;
        all.value_min = panel.value_min;
        all.value_max = panel.value_max;
        all.map = panel.map;
        all.patches.insert(all.patches.end(), panel.patches.begin(), panel.patches.end());
        all.words.insert(all.words.end(), panel.words.begin(), panel.words.end());
    }
    legend_->setPanel(all);
    legend_->setHighlightedExpert(grid_->sheet()->expert.value);
}

QJsonArray SheetPage::dump() const {
    QJsonValue data;
    if (const auto* sheet = grid_->sheet(); sheet && active()) {
        QJsonArray items;
        for (const auto& item : sheet->items) {
            QJsonObject one = toJson(item.panel);
            one[QStringLiteral("sample")] = sampleText(item.sample);
            one[QStringLiteral("share")] = std::isfinite(item.share) ? QJsonValue(item.share) : QJsonValue();
            one[QStringLiteral("tokens")] = static_cast<qint64>(item.tokens);
            items.append(one);
        }
        data = QJsonObject{{QStringLiteral("router"), sheet->router.id.value},
                           {QStringLiteral("expert"), sheet->expert.value},
                           {QStringLiteral("step"), static_cast<qint64>(sheet->step)},
                           {QStringLiteral("of"), static_cast<qint64>(sheet->of)},
                           {QStringLiteral("base_share"), std::isfinite(sheet->base_share) ? QJsonValue(sheet->base_share) : QJsonValue()},
                           {QStringLiteral("items"), items}};
    }
    return {dumpPanel(QStringLiteral("sheet"), *frame_, data)};
}

QJsonObject SheetPage::saveState() const {
    return {{QStringLiteral("order"), orders_->value()}, {QStringLiteral("count"), counts_->value()}, {QStringLiteral("side"), sizes_->value()}};
}

void SheetPage::restoreState(const QJsonObject& state) {
    orders_->setValue(state.value(QStringLiteral("order")).toString());
    counts_->setValue(state.value(QStringLiteral("count")).toString());
    sizes_->setValue(state.value(QStringLiteral("side")).toString());
    grid_->setSide(sizes_->value().toInt());
    refresh();
}

}  // namespace es::views
