// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/token_panel.h"

#include <QHBoxLayout>
#include <QJsonArray>
#include <QPainter>
#include <QScrollArea>
#include <algorithm>
#include <cmath>

#include "views/inspect/inspect_dump.h"
#include "views/inspect/panel_queries.h"
#include "views/inspect/token_words.h"
#include "views/models/panel_json.h"
#include "views/overlay/picture_image.h"
#include "views/widgets/flow_layout.h"

namespace es::views {
namespace {
constexpr int kCrop = 84;
constexpr std::size_t kMostChips = 8;  // of a token with many experts (soft routing)
}  // namespace

TokenPanel::TokenPanel(InspectModel* model, QWidget* parent) : PanelFrame(model->context().theme, tr("Patch or word"), parent), model_(model) {
    Theme* theme = model_->context().theme;
    setObjectName(QStringLiteral("tokenPanel"));
    auto* scroll = new QScrollArea(this);
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setFocusPolicy(Qt::NoFocus);
    auto* body = new QWidget;
    body->setMinimumWidth(1);  // as wide as the panel: a section that wants more must not push the others out of sight
    auto* column = new QVBoxLayout(body);
    column->setContentsMargins(10, 8, 10, 6);
    column->setSpacing(6);
    auto* top = new QHBoxLayout;
    top->setSpacing(10);
    crop_ = new QLabel(body);
    crop_->setFixedSize(kCrop, kCrop);
    crop_->setAlignment(Qt::AlignCenter);
    crop_->setAccessibleName(tr("The selected patch or word"));
    facts_ = new KeyValueTable(theme, body);
    facts_->setValueAlignment(Qt::AlignRight);
    top->addWidget(crop_, 0, Qt::AlignTop);
    top->addWidget(facts_, 1);
    column->addLayout(top);
    chosen_ = new QWidget(body);
    chips_ = std::make_unique<ReusedWidgets<Chip>>(new FlowLayout(chosen_, 6, 4), [this](std::size_t place) {
        auto* chip = new Chip(model_->context().theme, {}, analysis::ColorRole{analysis::ColorRole::Kind::kExpert, 0}, chosen_);
        chip->setCheckable(true);
        connect(chip, &QAbstractButton::clicked, this, [this, place] { model_->toggleExpert(chosen_router_, chosen_experts_[place]); });
        return chip;
    });
    column->addWidget(chosen_);
    predicted_ = new QLabel(body);
    predicted_->setObjectName(QStringLiteral("predictedWords"));
    predicted_->setWordWrap(true);
    predicted_->setProperty("role", QStringLiteral("muted"));
    column->addWidget(predicted_);
    column->addSpacing(4);
    const auto heading = [&](const QString& text) {
        auto* label = new QLabel(text, body);
        label->setProperty("role", QStringLiteral("strong"));
        column->addWidget(label);
        return label;
    };
    bars_title_ = heading(tr("Router distribution"));
    bars_ = new BarPlot(theme, body);
    bars_->setObjectName(QStringLiteral("distribution"));
    bars_->setMinimumHeight(150);
    bars_->setMaximumHeight(190);
    column->addWidget(bars_);
    bars_note_ = new QLabel(body);
    bars_note_->setWordWrap(true);
    bars_note_->setProperty("role", QStringLiteral("muted"));
    column->addWidget(bars_note_);
    column->addSpacing(4);
    path_title_ = heading(tr("Path: expert, weight, entropy"));
    path_ = new TokenPathView(theme, body);
    column->addWidget(path_);
    column->addSpacing(4);
    near_ = new NearTokens(model_, body);
    column->addWidget(near_);
    column->addStretch(1);
    column_ = column;
    scroll->setWidget(body);
    setContent(scroll);
    setDataText([this] { return toTabSeparated(distribution_); });
    setPanelSource([this] { return std::make_shared<const analysis::Panel>(distribution_); });
    connect(bars_, &BarPlot::barClicked, this, [this](int expert) {
        if (const auto* router = model_->router(model_->shown().token_modality)) model_->toggleExpert(router->id, expert);
    });
    connect(path_, &TokenPathView::routerClicked, this, [this](RouterId router) { model_->chooseRouter(router); });
    connect(theme, &Theme::changed, this, &TokenPanel::refresh);
    connect(model_, &InspectModel::runChanged, this, &TokenPanel::refresh);
    connect(model_, &InspectModel::sampleChanged, this, &TokenPanel::refresh);
    connect(model_, &InspectModel::choiceChanged, this, &TokenPanel::refresh);
    connect(model_, &InspectModel::chosenSetChanged, this, &TokenPanel::refresh);
    connect(model_, &InspectModel::overlayChanged, this, [this] {
        if (intervened_ != model_->intervened()) refresh();
    });
    connect(model_, &InspectModel::predictionsChanged, this, &TokenPanel::showPrediction);
    refresh();
}

void TokenPanel::addSection(QWidget* section) { column_->insertWidget(column_->count() - 1, section); }

void TokenPanel::refresh() {
    if (model_->record() && !model_->sampleOnScreen()) return;  // another one is being read: what is here stays for a moment
    const Selection& shown = model_->shown();
    distribution_ = {};
    intervened_ = model_->intervened();
    setPanelQuery(distributionQuery(*model_), model_->runsAgain() ? tr("This sample was run again and its routing is not stored, so a figure could not draw it")
                                                                  : tr("Select a patch or a word"));
    if (model_->runPart() == InspectModel::Part::kFailed) return showFailed(model_->runError());
    if (model_->runPart() == InspectModel::Part::kReady && model_->contents().routers.empty()) {
        setTitle(tr("Patch or word"));
        setContext({});
        return showEmpty(tr("A dense run"), tr("It has no routers, so no patch or word chose an expert. Choose a run with experts in Train."), {},
                         QStringLiteral("router"));
    }
    if (model_->runPart() == InspectModel::Part::kReady && model_->samplePart() == InspectModel::Part::kLoading) {
        setTitle(tr("Patch or word"));
        setContext({});
        return showLoading(tr("Reading the sample…"), false);
    }
    if (model_->runPart() != InspectModel::Part::kReady || !shown.token.valid() || !model_->record()) {
        setTitle(tr("Patch or word"));
        setContext({});
        return showEmpty(tr("Nothing selected"), tr("Click a patch of the picture or a word of the caption to see what its router said."), {},
                         QStringLiteral("crosshair"));
    }
    QString name = tokenName(model_->record(), shown.token_modality, shown.token.value);
    name[0] = name[0].toUpper();
    const int more = static_cast<int>(shown.more_tokens.size());
    setTitle(more == 0 ? name : tr("%1 and %2 more").arg(name).arg(more));
    const auto* router = model_->router(shown.token_modality);
    setContext(router ? QString::fromStdString(longName(*router)) : QString());
    const auto path = model_->path();
    if (path.empty())
        return showEmpty(tr("No routing recorded"),
                         model_->routing() ? tr("No router took this token: its modality passes dense layers only.")
                                           : QString::fromStdString(model_->sampleError().message()),
                         {}, QStringLiteral("router"));
    auto reading = std::find_if(path.begin(), path.end(), [&](const analysis::TokenReading& one) { return router && one.router.id == router->id; });
    if (reading == path.end()) reading = path.begin();
    showToken(path, *reading);
    showReady();
}

void TokenPanel::showToken(const std::vector<analysis::TokenReading>& path, const analysis::TokenReading& reading) {
    showCrop();
    showChosen(reading);
    std::vector<std::pair<QString, QString>> rows;
    rows.emplace_back(tr("entropy (nats)"), std::isfinite(reading.entropy_nats)
                                                ? tr("%1 of %2").arg(numberText(reading.entropy_nats), numberText(reading.max_entropy_nats))
                                                : tr("not recorded"));
    const bool fixed_k = reading.router.layout == store::RoutingLayout::kFixedK;
    if (std::isfinite(reading.boundary_margin))
        rows.emplace_back(tr("margin to %1")
                              .arg(!fixed_k                      ? tr("best unchosen")
                                   : reading.choices.size() == 1 ? tr("2nd")
                                   : reading.choices.size() == 2 ? tr("3rd")
                                                                 : tr("next")),
                          numberText(reading.boundary_margin, 3));
    if (reading.choices.size() > 1) rows.emplace_back(tr("1st to 2nd"), numberText(reading.margin12, 3));
    rows.emplace_back(tr("dropped"), reading.dropped ? tr("yes") : tr("no"));
    if (reading.slots > 0) rows.emplace_back(tr("slot"), slotsText(reading));
    if (reading.masked) rows.emplace_back(tr("masked"), tr("yes"));
    rows.emplace_back(tr("seen as"), QString::fromLatin1(toString(reading.objective).data()).replace(QLatin1Char('_'), QLatin1Char(' ')));
    facts_->setRows(rows);
    path_->setPath(path, reading.router.id);
    const Selection& shown = model_->shown();
    auto panel = model_->drawnRouting()
                     ? analysis::tokenDistribution(*model_->drawnRouting(), reading.router.id, shown.token_modality, shown.token, reading.objective)
                     : Result<analysis::Panel>(jobFailed("No distribution", {}, {}));
    bars_->setVisible(panel.has_value());
    bars_title_->setVisible(panel.has_value());
    QStringList notes;
    if (panel) {
        distribution_ = std::move(*panel);
        bars_->setPanel(std::make_shared<const analysis::BarPanel>(std::get<analysis::BarPanel>(distribution_.content)));
        for (const auto& note : distribution_.notes) notes << QString::fromStdString(note);
    }
    bars_title_->setText(tr("Router distribution"));
    bars_note_->setText(notes.join(QStringLiteral(" · ")));
    bars_note_->setVisible(!notes.isEmpty());
    if (!shown.more_tokens.empty()) showSeveral(reading);
    near_->setReading(reading);
    model_->prediction(shown.token_modality == Modality::kText ? shown.token.value : -1, true);
    showPrediction();
}

void TokenPanel::showSeveral(const analysis::TokenReading& reading) {
    const Selection& shown = model_->shown();
    std::vector<TokenIndex> tokens = shown.more_tokens;
    tokens.push_back(shown.token);
    auto panel = analysis::tokensDistribution(*model_->drawnRouting(), reading.router.id, shown.token_modality, tokens);
    if (!panel) return;
    distribution_ = std::move(*panel);
    bars_->setPanel(std::make_shared<const analysis::BarPanel>(std::get<analysis::BarPanel>(distribution_.content)));
    bars_title_->setText(tr("Router distribution, mean of %1").arg(QString::fromStdString(distribution_.title)));
    QStringList notes;
    for (const auto& note : distribution_.notes) notes << QString::fromStdString(note);
    bars_note_->setText(notes.join(QStringLiteral(" · ")));
    bars_note_->setVisible(!notes.isEmpty());
}

void TokenPanel::showPrediction() {
    const Selection& shown = model_->shown();
    const bool word = shown.token_modality == Modality::kText && shown.token.valid();
    predicted_->setVisible(word);
    if (!word) return;
    if (const auto* prediction = model_->prediction(shown.token.value, false)) return predicted_->setText(predictionText(*prediction));
    const QString why = model_->predictionMissing();
    predicted_->setText(why.isEmpty() ? tr("predicting it from the other words…") : why);
}

void TokenPanel::showChosen(const analysis::TokenReading& reading) {
    const std::size_t count = std::min(reading.choices.size(), kMostChips);
    chips_->resize(count);
    const Selection& shown = model_->shown();
    chosen_router_ = reading.router.id;
    chosen_experts_.clear();
    for (std::size_t i = 0; i < count; ++i) {
        const auto& choice = reading.choices[i];
        chosen_experts_.push_back(choice.expert);
        Chip* chip = (*chips_)[i];
        chip->setText(tr("expert %1 · weight %2").arg(choice.expert).arg(numberText(choice.weight)));
        chip->setDot(analysis::ColorRole{analysis::ColorRole::Kind::kExpert, choice.expert});
        chip->setToolTip(tr("Combine weight %1, router probability %2. Click to bring expert %3 out.")
                             .arg(numberText(choice.weight, 3), numberText(choice.probability, 3))
                             .arg(choice.expert));
        chip->setChecked(shown.expert.value == choice.expert && shown.router == reading.router.id);
    }
}

void TokenPanel::showCrop() {
    const Selection& shown = model_->shown();
    const auto* record = model_->record();
    const qreal ratio = devicePixelRatioF();
    QPixmap pixmap(QSize(kCrop, kCrop) * ratio);
    pixmap.setDevicePixelRatio(ratio);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    painter.setRenderHint(QPainter::Antialiasing);
    const ThemeColors& colors = model_->context().theme->colors();
    const QRectF frame(0.5, 0.5, kCrop - 1, kCrop - 1);
    const QRect pixels =
        shown.token_modality == Modality::kVision ? patchPixels(record->picture, record->grid_width, record->grid_height, shown.token.value) : QRect();
    if (!pixels.isEmpty()) {
        painter.fillRect(frame, Qt::white);
        const QSizeF fitted = QSizeF(pixels.size()).scaled(frame.size(), Qt::KeepAspectRatio);
        const QRectF target(frame.center() - QPointF(fitted.width() / 2, fitted.height() / 2), fitted);
        painter.setRenderHint(QPainter::SmoothPixmapTransform, pixels.width() > 12);
        painter.drawImage(target, toImage(record->picture), QRectF(pixels));
        painter.setPen(QPen(colors.line, 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(frame);
    } else {
        painter.setPen(QPen(colors.line, 1));
        painter.setBrush(colors.panelHeader);
        painter.drawRoundedRect(frame, 4, 4);
        const auto at = static_cast<std::size_t>(std::max(0, shown.token.value));
        const QString word = at < record->token_texts.size() ? QString::fromStdString(record->token_texts[at]) : QString::number(shown.token.value);
        QFont font = model_->context().theme->font(Theme::FontRole::kTitle);
        int px = 16;
        font.setPixelSize(px);
        while (px > 11 && QFontMetrics(font).horizontalAdvance(word) > kCrop - 8) font.setPixelSize(--px);
        painter.setFont(font);
        painter.setPen(colors.text);
        painter.drawText(frame.adjusted(4, 4, -4, -4), Qt::AlignCenter, QFontMetrics(font).elidedText(word, Qt::ElideRight, kCrop - 8));
    }
    painter.end();
    crop_->setPixmap(pixmap);
}

QJsonValue TokenPanel::dumpData() const {
    if (state() != State::kReady) return {};
    const Selection& shown = model_->shown();
    QJsonArray path;
    for (const auto& reading : path_->path()) path.append(toJson(reading));
    QJsonObject out{{QStringLiteral("modality"), QString::fromLatin1(toString(shown.token_modality).data())},
                    {QStringLiteral("token"), shown.token.value},
                    {QStringLiteral("path"), path}};
    out[QStringLiteral("distribution")] = toJson(distribution_);
    return out;
}

}  // namespace es::views
