// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/routing_panel.h"

#include <QHBoxLayout>
#include <QJsonArray>
#include <QMenu>
#include <QResizeEvent>
#include <QSignalBlocker>
#include <QTimer>
#include <algorithm>

#include "views/inspect/inspect_dump.h"
#include "views/inspect/panel_queries.h"
#include "views/inspect/token_words.h"
#include "views/models/panel_json.h"

namespace es::views {
namespace {

constexpr int kSegmentedLayers = 8;  // more do not fit side by side
constexpr int kRoomBelow = 8;

/// The sample without its routing: what can still be seen.
analysis::Panel plainPanel(const store::SampleRecord& record) {
    analysis::OverlayPanel content;
    content.picture = record.picture;
    content.grid_width = record.grid_width;
    content.grid_height = record.grid_height;
    for (std::size_t i = 0; i < record.token_texts.size(); ++i) content.words.push_back({record.token_texts[i], {}, static_cast<std::int32_t>(i)});
    analysis::Panel panel;
    panel.content = std::move(content);
    return panel;
}

QLabel* label(const QString& text, const char* role, QWidget* parent) {
    auto* made = new QLabel(text, parent);
    made->setProperty("role", QString::fromLatin1(role));
    return made;
}

}  // namespace

RoutingPanel::RoutingPanel(InspectModel* model, QWidget* parent) : PanelFrame(model->context().theme, tr("Routing overlay"), parent), model_(model) {
    setObjectName(QStringLiteral("routingPanel"));
    auto* body = new QWidget(this);
    auto* body_column = new QVBoxLayout(body);
    body_column->setContentsMargins(10, 8, 4, 6);
    body_column->setSpacing(8);
    bar_ = new OverlayBar(model_, body);
    body_column->addWidget(bar_);
    auto* row = new QHBoxLayout;
    row->setSpacing(14);
    body_column->addLayout(row, 1);
    column_ = new OverlayColumn(model_, body);
    row->addWidget(column_, 12);
    right_side_ = new QWidget(body);
    auto* right_column = new QVBoxLayout(right_side_);
    right_column->setContentsMargins(0, 0, 0, 0);
    right_column->setSpacing(6);
    auto* scroll = new QScrollArea(right_side_);
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setFocusPolicy(Qt::NoFocus);
    scroll->setWidget(makeRight());
    right_scroll_ = scroll;
    right_column->addWidget(scroll, 1);
    right_side_->setMinimumWidth(340);
    row->addWidget(right_side_, 11);
    setContent(body);
    setDataText([this] { return toTabSeparated(panel_); });
    setPanelSource([this] { return std::make_shared<const analysis::Panel>(panel_); });
    setCredit([this] {
        const auto* record = model_->record();
        if (!record) return QString();
        QStringList parts;
        for (const std::string& part : {record->dataset, record->license, record->source})
            if (!part.empty()) parts << QString::fromStdString(part);
        return parts.isEmpty() ? QString() : tr("Sample: %1").arg(parts.join(QStringLiteral(" · ")));
    });
    setMenuExtras([this](QMenu* menu) {
        const auto query = mapQuery(*model_);
        QAction* send = menu->addAction(tr("Send expert × layer map to Figures"));
        send->setEnabled(query.has_value());
        if (!query) send->setToolTip(tr("An own picture or a dense run cannot be drawn again from the run's records"));
        else connect(send, &QAction::triggered, this, [this, query] { Q_EMIT sendToFiguresRequested(*query); });
    });
    connect(model_, &InspectModel::runChanged, this, &RoutingPanel::refresh);
    connect(model_, &InspectModel::sampleChanged, this, &RoutingPanel::refresh);
    connect(model_, &InspectModel::overlayChanged, this, &RoutingPanel::refreshOverlay);
    connect(model_, &InspectModel::choiceChanged, this, [this] {
        const auto* router = model_->currentRouter();
        if (router && (router->layer != drawn_layer_ || model_->ofOneExpert())) refreshOverlay();
        else followChoice();
    });
    refresh();
}

QWidget* RoutingPanel::makeRight() {
    Theme* theme = model_->context().theme;
    auto* right = new QWidget;
    right->setMinimumWidth(1);  // as wide as the panel, whatever a section wants
    auto* column = new QVBoxLayout(right);
    column->setContentsMargins(0, 0, 6, 0);
    column->setSpacing(6);
    auto* controls = new QHBoxLayout;
    controls->setSpacing(8);
    layers_ = new SegmentedControl(theme, right);
    layers_->setObjectName(QStringLiteral("layerControl"));
    layers_->setAccessibleName(tr("Layer"));
    many_layers_ = new QComboBox(right);
    many_layers_->setObjectName(QStringLiteral("layerCombo"));
    many_layers_->setAccessibleName(tr("Layer"));
    rank_name_ = label(tr("rank"), "muted", right);
    ranks_ = new SegmentedControl(theme, right);
    ranks_->setObjectName(QStringLiteral("rankControl"));
    ranks_->setAccessibleName(tr("Which of a token's experts"));
    layer_name_ = label(tr("Layer"), "muted", right);
    controls->addWidget(layer_name_);
    controls->addWidget(layers_);
    controls->addWidget(many_layers_);
    controls->addSpacing(6);
    controls->addWidget(rank_name_);
    controls->addWidget(ranks_);
    controls->addStretch(1);
    column->addLayout(controls);
    column->addSpacing(6);
    auto* words_heading = new QHBoxLayout;
    words_heading->setSpacing(6);
    words_title_ = label(tr("Text tokens"), "strong", right);
    words_router_ = label({}, "muted", right);
    words_heading->addWidget(words_title_);
    words_heading->addWidget(words_router_, 1);
    column->addLayout(words_heading);
    chips_ = new TokenChips(theme, right);
    column->addWidget(chips_);
    no_words_ = label(tr("This sample has no caption."), "muted", right);
    column->addWidget(no_words_);
    column->addSpacing(10);
    map_heading_ = new QWidget(right);
    auto* map_row = new QHBoxLayout(map_heading_);
    map_row->setContentsMargins(0, 0, 0, 0);
    map_row->setSpacing(6);
    map_row->addWidget(label(tr("Expert × layer for this sample"), "strong", map_heading_));
    auto* hint = new ElidedLabel(tr("○ selected · ∘ path"), map_heading_);
    hint->setProperty("role", QStringLiteral("muted"));
    map_row->addWidget(hint, 1);
    column->addWidget(map_heading_);
    map_ = new ExpertMap(theme, right);
    column->addWidget(map_);
    column->addStretch(1);
    right_ = column;

    connect(layers_, &SegmentedControl::chosen, this, [this](const QString& value) { model_->chooseLayer(LayerIndex(value.toInt())); });
    connect(many_layers_, &QComboBox::activated, this, [this] { model_->chooseLayer(LayerIndex(many_layers_->currentData().toInt())); });
    connect(ranks_, &SegmentedControl::chosen, this, [this](const QString& value) {
        OverlayChoices choices = model_->overlayChoices();
        choices.rank = value.toInt();
        model_->setOverlayChoices(choices);
    });
    connect(chips_, &TokenChips::wordClicked, this, [this](int word) { model_->chooseToken(Modality::kText, word); });
    connect(chips_, &TokenChips::wordAdded, this, [this](int word) { model_->addToken(Modality::kText, word); });
    connect(chips_, &TokenChips::wordHovered, this, [this](int word) { model_->prediction(word, true); });
    connect(chips_, &TokenChips::highlightCleared, model_, &InspectModel::clearExpert);
    connect(model_, &InspectModel::predictionsChanged, chips_, &TokenChips::refreshReadout);
    connect(map_, &ExpertMap::cellClicked, this, [this](RouterId router, int expert) { model_->toggleExpert(router, expert); });
    chips_->setReadout([this](int word) {
        QString text = tokenName(model_->record(), Modality::kText, word);
        const auto* router = model_->router(Modality::kText);
        if (!router || !model_->drawnRouting()) return text;
        for (const auto& reading : pathOf(*model_->drawnRouting(), Modality::kText, TokenIndex(word)))
            if (reading.router.id == router->id) text = readoutText(text, &reading);
        const auto& words = chips_->panel().words;
        if (const auto at = static_cast<std::size_t>(word); at < words.size() && words[at].cell.changed && !chips_->panel().change_title.empty())
            text += tr(" · expert %1 before (%2)").arg(words[at].cell.before).arg(QString::fromStdString(chips_->panel().change_title));
        if (const auto* prediction = model_->prediction(word, false)) return text + QLatin1Char('\n') + predictionText(*prediction);
        const QString why = model_->predictionMissing();
        return text + QLatin1Char('\n') + (why.isEmpty() ? tr("predicting it from the other words…") : why);
    });
    return right;
}

void RoutingPanel::addSection(QWidget* section) { right_->insertWidget(right_->count() - 1, section); }

void RoutingPanel::setFooter(QWidget* footer, QWidget* near) {
    right_side_->layout()->addWidget(footer);
    footer_ = footer;
    keep_in_sight_ = near;
    footer->installEventFilter(this);
}

bool RoutingPanel::eventFilter(QObject* watched, QEvent* event) {
    // What was pressed must not go out of sight because its result takes the room. Its lines come after it was shown.
    const bool taller =
        event->type() == QEvent::Resize && static_cast<QResizeEvent*>(event)->size().height() > static_cast<QResizeEvent*>(event)->oldSize().height();
    if (keep_in_sight_ && watched == footer_ && (event->type() == QEvent::Show || taller))
        QTimer::singleShot(0, this, [this] { right_scroll_->ensureWidgetVisible(keep_in_sight_, 0, kRoomBelow); });
    return PanelFrame::eventFilter(watched, event);
}

void RoutingPanel::fillLayers() {
    const auto layers = model_->contents().layers();
    const auto* router = model_->currentRouter();
    QStringList names;
    for (const LayerIndex layer : layers) names << QString::number(layer.value);
    const bool segmented = layers.size() <= kSegmentedLayers;
    const QString current = router ? QString::number(router->layer.value) : QString();
    layers_->setVisible(segmented && !layers.empty());
    many_layers_->setVisible(!segmented);
    layer_name_->setVisible(!layers.empty());
    if (segmented) {
        if (layers_->values() != names) layers_->setChoices(names);
        layers_->setValue(current);
    } else {
        const QSignalBlocker quiet(many_layers_);
        many_layers_->clear();
        for (const QString& name : names) many_layers_->addItem(name, name.toInt());
        many_layers_->setCurrentIndex(many_layers_->findData(current.toInt()));
    }
    int k = 1;
    for (const Modality modality : {Modality::kVision, Modality::kText})
        if (const auto* through = model_->router(modality)) k = std::max(k, through->layout == store::RoutingLayout::kFixedK ? through->k : through->experts);
    QStringList labels, values;
    for (int rank = 0; rank < std::min(k, 4); ++rank) {
        labels << (k > 3 ? QString::number(rank + 1) : rank == 0 ? tr("1st") : rank == 1 ? tr("2nd") : tr("3rd"));  // four and All fit as numbers only
        values << QString::number(rank);
    }
    labels << tr("All");
    values << QStringLiteral("-1");
    ranks_->setChoices(labels, values);
    ranks_->setValue(QString::number(model_->overlayChoices().rank));
    const bool values_shown = model_->overlayChoices().mode != analysis::OverlayMode::kExpert;
    ranks_->setChoiceDisabled(QStringLiteral("-1"), values_shown ? tr("Split cells show experts; choose the mode Expert") : QString());
    ranks_->setVisible(k > 1);
    rank_name_->setVisible(k > 1);
}

void RoutingPanel::fillHeader() {
    const auto* record = model_->record();
    const QString caption = record ? QString::fromStdString(record->caption) : QString();
    setTitle(caption.isEmpty() ? tr("Routing overlay") : tr("Routing overlay · %1").arg(caption));
    QStringList facts;
    if (record) {
        const auto loss = model_->contents().losses.find(record->hash);
        if (loss != model_->contents().losses.end()) facts << tr("loss %1").arg(numberText(loss->second));
        if (record->grid_width > 0) facts << tr("%n patches", nullptr, record->grid_width * record->grid_height);
        if (!record->token_texts.empty()) facts << tr("%n tokens", nullptr, static_cast<int>(record->token_texts.size()));
    }
    if (model_->step() >= 0) facts << tr("step %1").arg(stepText(model_->step()));
    const RunContents& contents = model_->contents();
    if (record && !contents.losses.empty() && !contents.losses.contains(record->hash)) facts << tr("loss not evaluated");
    setContext(facts.join(QStringLiteral(" · ")));
}

void RoutingPanel::refresh() {
    switch (model_->runPart()) {
        case InspectModel::Part::kNone:
            return showEmpty(tr("Open a run to see where its tokens go"), tr("Choose one in Train, or open a folder of runs."), {}, QStringLiteral("router"));
        case InspectModel::Part::kLoading: return showLoading(tr("Opening the run…"));
        case InspectModel::Part::kFailed: return showFailed(model_->runError());
        case InspectModel::Part::kReady: break;
    }
    fillHeader();
    switch (model_->samplePart()) {
        case InspectModel::Part::kNone:
            return showEmpty(tr("No sample to show"), tr("Drop a picture here, paste one, or wait for the first probe."), {}, QStringLiteral("image"));
        case InspectModel::Part::kLoading: return showLoading(tr("Reading the sample…"), false);
        case InspectModel::Part::kFailed: return showFailed(model_->sampleError());
        case InspectModel::Part::kReady: break;
    }
    refreshOverlay();
    refreshMap();
}

void RoutingPanel::refreshOverlay() {
    if (model_->runPart() != InspectModel::Part::kReady || model_->samplePart() != InspectModel::Part::kReady) return;
    fillLayers();
    const auto* router = model_->currentRouter();
    drawn_layer_ = router ? router->layer : LayerIndex();
    auto made = model_->overlay();
    routed_ = made.has_value();
    panel_ = routed_ ? std::move(*made) : plainPanel(*model_->record());
    const auto& content = std::get<analysis::OverlayPanel>(panel_.content);
    column_->setPanel(content, routed_);
    bar_->refresh();
    const auto before = routed_ && model_->overlayChoices().side_by_side ? model_->otherOverlay() : std::nullopt;
    const QString before_name = model_->intervened() ? tr("as it is") : model_->otherName();
    const QString now_name = model_->intervened() ? model_->intervenedBy() : tr("step %1").arg(stepText(model_->step()));
    column_->setBefore(before ? &std::get<analysis::OverlayPanel>(before->content) : nullptr, before_name, now_name);
    right_side_->setVisible(!before || content.grid_width <= 0);
    chips_->setPanel(content);
    chips_->setVisible(!content.words.empty());
    no_words_->setVisible(content.words.empty());
    const auto* through = model_->router(Modality::kText);
    words_router_->setText(through   ? QStringLiteral("· ") + QString::fromStdString(longName(*through))
                           : routed_ ? tr("· no router takes words in this layer")
                                     : QString());
    QStringList notes;
    for (const auto& note : panel_.notes) notes << QString::fromStdString(note);
    setNotes(notes);
    setPanelQuery(overlayQuery(*model_), model_->runsAgain() ? tr("This sample was run again and its routing is not stored, so a figure could not draw it")
                                         : routed_           ? tr("What is drawn now is not in the run's records: attention, another run, or an intervention")
                                                             : tr("This sample has no routing"));
    if (routed_) showReady();
    else showPartial(QString::fromStdString(model_->sampleError().what.empty() ? std::string("This run has no routers") : model_->sampleError().message()));
    followChoice();
}

void RoutingPanel::refreshMap() {
    const auto* routing = model_->drawnRouting();
    analysis::HeatmapPanel map;
    std::vector<RouterId> routers;
    if (routing) {
        if (auto panel = analysis::layerExpertMap(*routing)) {
            map_panel_ = std::move(*panel);
            map = std::get<analysis::HeatmapPanel>(map_panel_.content);
            routers = mapRouters(*routing);
        }
    }
    const bool shown = map.rows > 0 && static_cast<std::size_t>(map.rows) == routers.size();
    if (!shown) map = {};
    map_->setPanel(std::move(map), shown ? std::move(routers) : std::vector<RouterId>());
    map_->setVisible(shown);
    map_heading_->setVisible(shown);
    followChoice();
}

void RoutingPanel::followChoice() {
    if (model_->record() && !model_->sampleOnScreen()) return;  // a token of another sample has no place on this one
    const Selection& shown = model_->shown();
    if (const auto* router = model_->currentRouter(); router && layers_->isVisibleTo(this)) layers_->setValue(QString::number(router->layer.value));
    column_->followChoice();
    const bool words = shown.token_modality == Modality::kText;
    std::vector<int> also;
    for (const TokenIndex token : shown.more_tokens)
        if (words) also.push_back(token.value);
    chips_->setSelected(words ? shown.token.value : -1);
    chips_->setAlso(also);
    const auto* through = model_->router(Modality::kText);
    chips_->setHighlightedExpert(through && through->id == shown.router && !model_->ofOneExpert() ? shown.expert.value : -1);
    map_->setSelected(shown.router, shown.expert);
    std::vector<std::pair<int, int>> path;
    const auto& routers = map_->routers();
    for (const auto& reading : model_->path()) {
        const auto row = std::find(routers.begin(), routers.end(), reading.router.id);
        if (row == routers.end()) continue;
        for (const auto& choice : reading.choices) path.emplace_back(static_cast<int>(row - routers.begin()), choice.expert);
    }
    map_->setPath(std::move(path));
}

QJsonObject RoutingPanel::dumpData() const {
    QJsonObject out = toJson(panel_);
    const auto* record = model_->record();
    out[QStringLiteral("sample")] = record ? QJsonValue(sampleText(record->hash)) : QJsonValue();
    out[QStringLiteral("caption")] = record ? QString::fromStdString(record->caption) : QString();
    out[QStringLiteral("step")] = static_cast<qint64>(model_->step());
    out[QStringLiteral("layer")] = drawn_layer_.value;
    out[QStringLiteral("mode")] = QString::fromLatin1(analysis::toString(model_->overlayChoices().mode).data());
    out[QStringLiteral("rank")] = model_->overlayChoices().rank;
    out[QStringLiteral("notes")] = QJsonArray::fromStringList(notes());
    return out;
}

QJsonValue RoutingPanel::dumpMap() const { return map_->panel().rows > 0 ? QJsonValue(toJson(map_panel_)) : QJsonValue(); }

}  // namespace es::views
