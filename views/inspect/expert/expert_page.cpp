// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/expert/expert_page.h"

#include <spdlog/fmt/fmt.h>
#include <QHBoxLayout>
#include <QPainter>
#include <QSignalBlocker>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "analysis/experts/expert_panels.h"
#include "views/inspect/token_words.h"
#include "views/models/panel_json.h"
#include "views/widgets/splitter_sizes.h"

namespace es::views {
namespace {

constexpr int kSwatch = 28;

QString keyOf(const analysis::LabelTable& table) {
    return QString::fromStdString(std::string(analysis::toString(table.kind)) + "/" + std::string(toString(table.modality)));
}
constexpr const char* kModalityKey = "modality";

QString titleOf(const analysis::LabelTable& table, bool both) {
    QString title = QString::fromStdString(std::string(analysis::labelTitle(table.kind)));
    if (table.kind == analysis::LabelKind::kTokenId) title = ExpertPage::tr("words");
    title[0] = title[0].toUpper();
    if (table.kind == analysis::LabelKind::kTokenId) return title;
    return both ? ExpertPage::tr("%1 (%2)").arg(title, table.modality == Modality::kText ? ExpertPage::tr("words") : ExpertPage::tr("patches")) : title;
}

QString percentText(double share) { return std::isfinite(share) ? ExpertPage::tr("%1 %").arg(share * 100, 0, 'f', 1) : QStringLiteral("–"); }

}  // namespace

ExpertPage::ExpertPage(ExpertModel* model, SamplePictures* pictures, QWidget* parent) : InspectPart(parent), model_(model), pictures_(pictures) {
    Theme* theme = model_->inspect()->context().theme;
    setObjectName(QStringLiteral("expertPage"));
    const int gutter = theme->metrics().gutter;
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 0, 0, 0);
    stack_ = new QStackedWidget(this);
    outer->addWidget(stack_);
    whole_ = new PanelFrame(theme, tr("Expert"), stack_);
    whole_->setPanelQuery({}, tr("There is no expert to send"));
    stack_->addWidget(whole_);
    auto* content = new QWidget(stack_);
    auto* column = new QVBoxLayout(content);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(gutter);
    makeHeader();
    column->addWidget(header_);
    const auto splitter = [&](Qt::Orientation orientation) {
        auto* made = new QSplitter(orientation, content);
        made->setHandleWidth(gutter);
        made->setChildrenCollapsible(false);
        return made;
    };
    rows_ = splitter(Qt::Vertical);
    upper_ = splitter(Qt::Horizontal);
    lower_ = splitter(Qt::Horizontal);
    gallery_ = new ExpertGalleryPanel(model_, pictures_, upper_);
    labels_panel_ = new PanelFrame(theme, tr("Labels"), upper_);
    labels_panel_->setObjectName(QStringLiteral("expertLabels"));
    kinds_ = new QComboBox(labels_panel_);
    kinds_->setObjectName(QStringLiteral("expertLabelKind"));
    kinds_->setAccessibleName(tr("Which labels"));
    kinds_->setProperty("compact", true);
    kinds_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    labels_panel_->addHeaderWidget(kinds_);
    labels_ = new LabelTable(theme, labels_panel_);
    labels_->setObjectName(QStringLiteral("expertLabelTable"));
    labels_panel_->setContent(labels_);
    labels_panel_->setDataText([this] { return labels_->text(false); });
    labels_panel_->setPanelSource([this]() -> std::shared_ptr<const analysis::Panel> {
        QString title;
        const auto* shares = chosenShares(title);
        if (!shares || !model_->gallery()) return {};
        return std::make_shared<const analysis::Panel>(
            analysis::labelPanel(model_->gallery()->tokens, *shares, labels_panel_->title().toStdString(), title.toStdString()));
    });
    position_ = new PlotPanel(theme, QStringLiteral("expert_positions"), tr("Place"), lower_);
    colours_panel_ = new PanelFrame(theme, tr("Colour and detail"), lower_);
    colours_panel_->setObjectName(QStringLiteral("expertColours"));
    colours_ = new ColourStrip(theme, colours_panel_);
    colours_panel_->setContent(colours_, QMargins(2, 4, 2, 2));
    colours_panel_->setPanelSource([this]() -> std::shared_ptr<const analysis::Panel> {
        if (!model_->gallery() || !model_->details()) return {};
        return std::make_shared<const analysis::Panel>(analysis::looksPanel(model_->gallery()->tokens, model_->details()->looks));
    });
    load_ = new PlotPanel(theme, QStringLiteral("expert_load"), tr("Load over training"), lower_);
    others_ = new OtherExpertsPanel(model_, lower_);
    upper_->addWidget(gallery_);
    upper_->addWidget(labels_panel_);
    upper_->setStretchFactor(0, 1);
    upper_->setStretchFactor(1, 1);
    for (QWidget* panel :
         {static_cast<QWidget*>(position_), static_cast<QWidget*>(colours_panel_), static_cast<QWidget*>(load_), static_cast<QWidget*>(others_)}) {
        panel->setMinimumWidth(170);
        lower_->addWidget(panel);
    }
    lower_->setSizes({226, 260, 244, 280});
    upper_->setSizes({560, 520});
    rows_->addWidget(upper_);
    rows_->addWidget(lower_);
    rows_->setStretchFactor(0, 3);
    rows_->setStretchFactor(1, 2);
    rows_->setSizes({366, 284});
    column->addWidget(rows_, 1);
    stack_->addWidget(content);

    connect(kinds_, &QComboBox::activated, this, [this] {
        wanted_kind_ = kinds_->currentData().toString();
        refreshLabels();
    });
    connect(model_, &ExpertModel::expertChanged, this, &ExpertPage::refresh);
    connect(model_, &ExpertModel::galleryChanged, this, &ExpertPage::refresh);
    connect(model_, &ExpertModel::detailsChanged, this, &ExpertPage::refresh);
    InspectModel* inspect = model_->inspect();
    connect(inspect, &InspectModel::runChanged, this, &ExpertPage::refresh);
    connect(inspect, &InspectModel::choiceChanged, this, &ExpertPage::refresh);
    connect(inspect, &InspectModel::chosenSetChanged, this, &ExpertPage::refresh);
    connect(theme, &Theme::changed, this, &ExpertPage::refresh);
    followDetached([this] {
        model_->setWatched(this, active());
        refresh();
    });
    refresh();
}

void ExpertPage::makeHeader() {
    Theme* theme = model_->inspect()->context().theme;
    header_ = new QWidget(stack_);
    auto* row = new QHBoxLayout(header_);
    row->setContentsMargins(4, 2, 4, 2);
    row->setSpacing(8);
    auto* before = new IconButton(theme, QStringLiteral("chevron-left"), tr("The expert before"), header_);
    auto* after = new IconButton(theme, QStringLiteral("chevron-right"), tr("The next expert"), header_);
    before->setObjectName(QStringLiteral("expertBefore"));
    after->setObjectName(QStringLiteral("expertAfter"));
    swatch_ = new QLabel(header_);
    swatch_->setFixedSize(kSwatch, kSwatch);
    name_ = new QLabel(header_);
    name_->setObjectName(QStringLiteral("expertName"));
    name_->setProperty("role", QStringLiteral("title"));
    facts_ = new ElidedLabel({}, header_);
    facts_->setObjectName(QStringLiteral("expertFacts"));
    facts_->setProperty("role", QStringLiteral("muted"));
    facts_->setMostLines(2);
    row->addWidget(before);
    row->addWidget(after);
    row->addWidget(swatch_);
    row->addWidget(name_);
    row->addWidget(facts_, 1);
    connect(before, &QToolButton::clicked, this, [this] { model_->chooseExpertBy(-1); });
    connect(after, &QToolButton::clicked, this, [this] { model_->chooseExpertBy(1); });
}

void ExpertPage::showEvent(QShowEvent* event) {
    InspectPart::showEvent(event);
    model_->setWatched(this, true);
    refresh();
}

void ExpertPage::hideEvent(QHideEvent* event) {
    InspectPart::hideEvent(event);
    model_->setWatched(this, active());
}

bool ExpertPage::settled() const { return !active() || (model_->settled() && pictures_->settled() && position_->settled() && load_->settled()); }

bool ExpertPage::showWhole() {
    InspectModel* inspect = model_->inspect();
    switch (inspect->runPart()) {
        case InspectModel::Part::kNone: whole_->showEmpty(tr("No run yet"), tr("Experts of a run appear here.")); return true;
        case InspectModel::Part::kLoading: whole_->showLoading(tr("Opening the run…")); return true;
        case InspectModel::Part::kFailed: whole_->showFailed(inspect->runError()); return true;
        case InspectModel::Part::kReady: break;
    }
    if (inspect->contents().routers.empty()) {
        whole_->showEmpty(tr("A dense run"), tr("It has no routers and no experts to look at. Choose a run with experts in Train."), {},
                          QStringLiteral("router"));
        return true;
    }
    if (!model_->step()) {
        whole_->showEmpty(tr("No probe to look at"),
                          inspect->training() ? tr("What experts take is read from probes. The first one comes with the first checkpoint.")
                                              : tr("What experts take is read from probes, and this run was recorded without (record.probe_samples = 0)."),
                          {}, QStringLiteral("expert"));
        return true;
    }
    return false;
}

void ExpertPage::refresh() {
    if (!active()) return;  // nobody sees it; showing it refreshes it
    const bool whole = showWhole();
    stack_->setCurrentIndex(whole ? 0 : 1);
    if (whole) return;
    refreshHeader();
    gallery_->refresh();
    refreshDetails();
}

void ExpertPage::refreshHeader() {
    Theme* theme = model_->inspect()->context().theme;
    const ThemeColors& colors = theme->colors();
    const int expert = model_->expert().value;
    const QColor ground = Theme::expertColor(expert, colors);
    const qreal ratio = devicePixelRatioF();
    QPixmap pixmap(QSize(kSwatch, kSwatch) * ratio);
    pixmap.setDevicePixelRatio(ratio);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    painter.setBrush(ground);
    painter.drawRoundedRect(QRectF(0, 0, kSwatch, kSwatch), theme->metrics().radius, theme->metrics().radius);
    painter.setPen(Theme::inkOn(ground));
    painter.setFont(theme->font(Theme::FontRole::kStrong));
    painter.drawText(QRectF(0, 0, kSwatch, kSwatch), Qt::AlignCenter, QString::number(expert));
    painter.end();
    swatch_->setPixmap(pixmap);
    name_->setText(tr("Expert %1").arg(expert));
    const auto* router = model_->router();
    QStringList facts;
    if (router) facts << QString::fromStdString(longName(*router));
    if (const std::string set = model_->inspect()->chosenSet().note(); !set.empty()) facts << QString::fromStdString(set);
    if (!model_->isSelected()) facts << (model_->inspect()->suggestedExpert().valid() ? tr("suggested by the selected token") : tr("no expert is selected"));
    if (const auto& read = model_->gallery(); read && read->tokens.query.expert.value == expert && model_->galleryPart() == ExpertModel::Part::kReady) {
        const analysis::ExpertTokens& tokens = read->tokens;
        const QString share = percentText(tokens.share()), even = percentText(router ? 1.0 / router->experts : NAN);
        const double of_tokens = tokens.tokens > 0 ? static_cast<double>(tokens.takers) / static_cast<double>(tokens.tokens) : NAN;
        if (tokens.dense()) facts << tr("takes %1 of the weight of %2 tokens (even %3)").arg(share, stepText(tokens.tokens), even);
        else
            facts << tr("takes %1 of assignments (even %2)").arg(share, even)
                  << tr("%1 of tokens: %2 of %3").arg(percentText(of_tokens), stepText(tokens.takers), stepText(tokens.tokens));
    }
    if (const auto* details = model_->details(); details && std::isfinite(details->load.now))
        facts << tr("training, steps %1 to %2: %3").arg(stepText(details->load.now_from), stepText(details->load.now_to), percentText(details->load.now));
    facts_->setText(facts.join(QStringLiteral(" · ")));
}

const analysis::LabelShares* ExpertPage::chosenShares(QString& title) const {
    const auto* details = model_->details();
    if (!details) return nullptr;
    const QString key = kinds_->currentData().toString();
    title = kinds_->currentText();
    if (key == QLatin1String(kModalityKey)) return &details->modality;
    for (const auto& table : details->labels)
        if (keyOf(table) == key) return &table.shares;
    return nullptr;
}

void ExpertPage::refreshLabels() {
    QString title;
    const analysis::LabelShares* shares = chosenShares(title);
    labels_panel_->setTitle(tr("Labels it takes"));
    if (!shares)
        return labels_panel_->showEmpty(
            tr("No labels known"), tr("The probe's samples have no words, categories or truth that could be compared. Use data with captions or categories."),
            {}, QStringLiteral("table"));
    labels_->setShares(*shares, title);
    labels_panel_->setContext(tr("%1 of %2 tokens").arg(stepText(shares->takers), stepText(shares->tokens)));
    QStringList notes;
    if (shares->comparisons > 0)
        notes << tr("intervals over %1 samples, near-copies counted once; correction: %2")
                     .arg(stepText(shares->taker_samples), QString::fromStdString(shares->correction));
    else notes << tr("too few samples for intervals");
    if (const int without = labels_->withoutInterval(); without > 0 && shares->comparisons > 0)
        notes << tr("%n with too few samples for an interval come last", nullptr, without);
    for (const std::string& note : model_->details()->notes) notes << QString::fromStdString(note);
    labels_panel_->setNotes(notes);
    labels_panel_->showReady();
    tellQueries();
}

void ExpertPage::tellQueries() {
    const auto* router = model_->router();
    const QString why = tr("There is nothing to send: the run has no experts or no probe");
    const auto query = [&](const char* part, std::map<std::string, std::string> more = {}) -> std::optional<analysis::PanelQuery> {
        if (!router || !model_->step() || !model_->expert().valid()) return {};
        analysis::PanelQuery made;
        made.kind = "expert";
        made.runs = {model_->inspect()->shown().run.toStdString()};
        made.parameters = std::move(more);
        made.parameters["part"] = part;
        made.parameters["router"] = fmt::format("{}.{}", router->layer.value, toString(router->branch));
        made.parameters["expert"] = std::to_string(model_->expert().value);
        made.parameters["step"] = std::to_string(*model_->step());
        return made;
    };
    const std::string kind = model_->shownKind() == Modality::kText ? "text" : "vision";
    const analysis::GalleryOptions& options = model_->options();
    gallery_->setPanelQuery(query("gallery", {{"modality", kind}, {"count", std::to_string(options.count)}, {"seed", std::to_string(options.seed)}}), why);
    const QStringList label = kinds_->currentData().toString().split(QLatin1Char('/'));
    if (label.size() == 2) labels_panel_->setPanelQuery(query("labels", {{"label", label[0].toStdString()}, {"modality", label[1].toStdString()}}), why);
    else labels_panel_->setPanelQuery(query("modality"), why);
    position_->setPanelQuery(query("positions", {{"modality", kind}}), why);
    colours_panel_->setPanelQuery(query("looks"), why);
    load_->setPanelQuery(query("load"), why);
    others_->setPanelQuery(query("partners"), why);
}

void ExpertPage::refreshDetails() {
    others_->refresh();
    tellQueries();
    const auto each = [&](const std::function<void(PanelFrame*)>& act) {
        for (PanelFrame* panel : {labels_panel_, static_cast<PanelFrame*>(position_), colours_panel_, static_cast<PanelFrame*>(load_)}) act(panel);
    };
    if (model_->galleryPart() == ExpertModel::Part::kFailed) return each([&](PanelFrame* panel) { panel->showFailed(model_->galleryError()); });
    if (model_->detailsPart() == ExpertModel::Part::kFailed) return each([&](PanelFrame* panel) { panel->showFailed(model_->detailsError()); });
    const auto* details = model_->details();
    const auto read = model_->gallery();
    if (!details || !read) return each([](PanelFrame* panel) { panel->showLoading(tr("Reading samples…")); });
    {
        const QSignalBlocker quiet(kinds_);
        kinds_->clear();
        const bool both = model_->hasPatches() && model_->hasWords();
        for (const auto& table : details->labels) kinds_->addItem(titleOf(table, both), keyOf(table));
        if (both) kinds_->addItem(tr("Modality"), QString::fromLatin1(kModalityKey));
        const int wanted = kinds_->findData(wanted_kind_);
        // Unless another was asked for, labels of what the gallery shows.
        const auto fits =
            std::find_if(details->labels.begin(), details->labels.end(), [&](const auto& table) { return table.modality == model_->shownKind(); });
        const int first = fits == details->labels.end() ? 0 : static_cast<int>(fits - details->labels.begin());
        kinds_->setCurrentIndex(wanted >= 0 ? wanted : kinds_->count() > 0 ? first : -1);
        setDisabledReason(kinds_, kinds_->count() > 1 ? QString() : tr("There is one kind of label only"));
    }
    refreshLabels();
    const analysis::PositionMap& map = model_->shownKind() == Modality::kText ? details->words : details->patches;
    if (map.width > 0) position_->showPanel(std::make_shared<const analysis::Panel>(analysis::positionPanel(read->tokens, map)));
    else position_->showEmpty(tr("No places known"), tr("The probe does not say where its tokens lie."), {}, QStringLiteral("grid"));
    if (details->looks.patches > 0) {
        colours_->setLooks(details->looks);
        colours_panel_->setContext(tr("%1 patches, %2 samples").arg(stepText(details->looks.patches), stepText(details->looks.samples)));
        colours_panel_->setNotes({tr("intervals over samples, corrected for %1 properties").arg(details->looks.rows.size())});
        colours_panel_->showReady();
    } else {
        colours_panel_->showEmpty(tr("No pictures"),
                                  model_->hasPatches() ? tr("The run does not hold the pictures of these patches.") : tr("Only words pass this router."), {},
                                  QStringLiteral("image"));
    }
    if (!details->load.history.step.empty()) load_->showPanel(std::make_shared<const analysis::Panel>(analysis::loadPanel(details->load)));
    else load_->showEmpty(tr("No load recorded"), tr("This run did not record how busy its experts were."), {}, QStringLiteral("chart"));
}

QJsonArray ExpertPage::dump() const {
    if (stack_->currentIndex() == 0) return {dumpPanel(QStringLiteral("expert"), *whole_, QJsonValue())};
    const auto shown = [this](const PanelFrame* panel) {
        return active() && (panel->state() == PanelFrame::State::kReady || panel->state() == PanelFrame::State::kPartial);
    };
    QJsonObject labels;
    QString title;
    if (const auto* shares = chosenShares(title); shares && model_->gallery())
        labels = toJson(analysis::labelPanel(model_->gallery()->tokens, *shares, title.toStdString(), title.toStdString()));
    QJsonObject colours;
    if (model_->details() && model_->gallery()) colours = toJson(analysis::looksPanel(model_->gallery()->tokens, model_->details()->looks));
    return {dumpPanel(QStringLiteral("expert_gallery"), *gallery_, shown(gallery_) ? QJsonValue(gallery_->dumpData()) : QJsonValue()),
            dumpPanel(QStringLiteral("expert_labels"), *labels_panel_, shown(labels_panel_) ? QJsonValue(labels) : QJsonValue()),
            position_->dump(),
            dumpPanel(QStringLiteral("expert_colours"), *colours_panel_, shown(colours_panel_) ? QJsonValue(colours) : QJsonValue()),
            load_->dump(),
            dumpPanel(QStringLiteral("expert_others"), *others_, shown(others_) ? QJsonValue(toJson(others_->shownPanel())) : QJsonValue())};
}

QJsonObject ExpertPage::saveState() const {
    return {{QStringLiteral("rows"), sizesOf(rows_)},
            {QStringLiteral("upper"), sizesOf(upper_)},
            {QStringLiteral("lower"), sizesOf(lower_)},
            {QStringLiteral("labels"), wanted_kind_},
            {QStringLiteral("gallery"), gallery_->saveState()}};
}

void ExpertPage::restoreState(const QJsonObject& state) {
    restoreSizes(rows_, state.value(QStringLiteral("rows")));
    restoreSizes(upper_, state.value(QStringLiteral("upper")));
    restoreSizes(lower_, state.value(QStringLiteral("lower")));
    wanted_kind_ = state.value(QStringLiteral("labels")).toString();
    gallery_->restoreState(state.value(QStringLiteral("gallery")).toObject());
    refresh();
}

}  // namespace es::views
