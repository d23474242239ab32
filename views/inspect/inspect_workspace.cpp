// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/inspect_workspace.h"

#include <QApplication>
#include <QClipboard>
#include <QDragEnterEvent>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QImageReader>
#include <QJsonArray>
#include <QMimeData>
#include <QShortcut>
#include <QVBoxLayout>
#include <algorithm>

#include "views/inspect/expert/expert_glance.h"
#include "views/inspect/expert/expert_page.h"
#include "views/inspect/interventions/causal_page.h"
#include "views/inspect/interventions/intervention_panel.h"
#include "views/inspect/sheet/sheet_page.h"
#include "views/inspect/structure/structure_page.h"
#include "views/inspect/token_words.h"
#include "views/plots/plot_panel.h"
#include "views/widgets/detached_panels.h"
#include "views/widgets/splitter_sizes.h"

namespace es::views {
namespace {

constexpr std::size_t kPaletteSamples = 2000;

bool isPicture(const QString& file) { return QImageReader::supportedImageFormats().contains(QFileInfo(file).suffix().toLower().toLatin1()); }

QString firstPicture(const QStringList& files) {
    for (const QString& file : files)
        if (isPicture(file)) return file;
    return {};
}

QStringList localFiles(const QMimeData* data) {
    QStringList files;
    for (const QUrl& url : data->urls())
        if (url.isLocalFile()) files << url.toLocalFile();
    return files;
}

}  // namespace

InspectWorkspace::InspectWorkspace(WorkspaceContext* context, QWidget* parent) : Workspace(parent) {
    setObjectName(QStringLiteral("inspectWorkspace"));
    setAcceptDrops(true);
    model_ = new InspectModel(context, this);
    const int gutter = context->theme->metrics().gutter;
    const auto splitter = [&](Qt::Orientation orientation) {
        auto* made = new QSplitter(orientation, this);
        made->setHandleWidth(gutter);
        made->setChildrenCollapsible(false);
        return made;
    };
    columns_ = splitter(Qt::Horizontal);
    rows_ = splitter(Qt::Vertical);
    upper_ = splitter(Qt::Horizontal);
    samples_ = new SamplePanel(model_, columns_);
    routing_ = new RoutingPanel(model_, upper_);
    token_ = new TokenPanel(model_, upper_);
    scrubber_ = new ScrubberPanel(model_, rows_);
    samples_->setMinimumWidth(190);
    token_->setMinimumWidth(240);
    scrubber_->setMinimumHeight(140);
    upper_->addWidget(routing_);
    upper_->addWidget(token_);
    upper_->setStretchFactor(0, 1);
    rows_->addWidget(upper_);
    rows_->addWidget(scrubber_);
    rows_->setStretchFactor(0, 1);
    columns_->addWidget(samples_);
    auto* centre = new QWidget(columns_);
    auto* centre_column = new QVBoxLayout(centre);
    centre_column->setContentsMargins(0, 0, 0, 0);
    centre_column->setSpacing(gutter);
    auto* bar = new QHBoxLayout;
    bar->setSpacing(12);
    tabs_ = new SegmentedControl(context->theme, centre);
    tabs_->setObjectName(QStringLiteral("inspectPages"));
    tabs_->setAccessibleName(tr("Page"));
    tabs_->setToolTip(tr("Alt+1, Alt+2 … change the page"));
    tabs_->setCompact(true);
    chosen_ = new ElidedLabel({}, centre);
    chosen_->setProperty("role", QStringLiteral("muted"));
    chosen_->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    bar->addWidget(tabs_);
    bar->addWidget(chosen_, 1);
    pages_ = new QStackedWidget(centre);
    centre_column->addLayout(bar);
    centre_column->addWidget(pages_, 1);
    columns_->addWidget(centre);
    columns_->setStretchFactor(1, 1);
    columns_->setSizes({250, 1000});
    upper_->setSizes({1000, 300});
    rows_->setSizes({700, 184});
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(gutter, gutter, gutter, gutter);
    column->addWidget(columns_);
    setFocusProxy(samples_);
    addPage(QStringLiteral("sample"), tr("Sample"), rows_);
    auto* experts = new ExpertModel(model_, this);
    auto* pictures = new SamplePictures(model_, this);
    addPage(QStringLiteral("expert"), tr("Expert"), new ExpertPage(experts, pictures, pages_));
    auto* glance = new ExpertGlance(experts, pictures, token_);
    addSection(Section::kBelowToken, QStringLiteral("expert_glance"), glance);
    connect(glance, &ExpertGlance::pageRequested, this, [this] { showPage(QStringLiteral("expert")); });
    addPage(QStringLiteral("structure"), tr("Structure"), new StructurePage(model_, pages_));
    auto* sheet = new SheetPage(model_, pages_);
    addPage(QStringLiteral("sheet"), tr("Sheet"), sheet);
    connect(sheet, &SheetPage::sampleOpened, this, [this] { showPage(QStringLiteral("sample")); });
    auto* intervene = new InterventionPanel(model_);
    addSection(Section::kBelowMap, QStringLiteral("interventions"), intervene);
    routing_->setFooter(intervene->headline(), intervene->runButton());
    const auto tell_sets = [this, model = intervene->interventions()] {
        QStringList names;
        for (const auto& set : samples_->search()->sets()) names << QString::fromStdString(set.name);
        model->setSets(names);
    };
    connect(samples_->search(), &SampleSearch::setsChanged, intervene, tell_sets);
    tell_sets();
    addPage(QStringLiteral("causal"), tr("Causal"), new CausalPage(model_));
    connect(tabs_, &SegmentedControl::chosen, this, &InspectWorkspace::showPage);
    connect(model_, &InspectModel::runChanged, this, &InspectWorkspace::showSelection);
    connect(model_, &InspectModel::choiceChanged, this, &InspectWorkspace::showSelection);
    connect(model_, &InspectModel::sampleChanged, this, &InspectWorkspace::showSelection);
    connect(model_, &InspectModel::chosenSetChanged, this, &InspectWorkspace::showSelection);
    showSelection();
    auto* paste_key = new QShortcut(QKeySequence::Paste, this);
    paste_key->setContext(Qt::WidgetWithChildrenShortcut);
    connect(paste_key, &QShortcut::activated, this, &InspectWorkspace::paste);
}

void InspectWorkspace::addPage(const QString& key, const QString& title, QWidget* page) {
    page_keys_ << key;
    page_titles_ << title;
    pages_->addWidget(page);
    tabs_->setChoices(page_titles_, page_keys_);
    const int number = static_cast<int>(page_keys_.size());
    if (number <= 9) {
        auto* keys = new QShortcut(QKeySequence(Qt::ALT | static_cast<Qt::Key>(Qt::Key_0 + number)), this);
        keys->setContext(Qt::WidgetWithChildrenShortcut);
        connect(keys, &QShortcut::activated, this, [this, key] { showPage(key); });
    }
    join(key, page);
}

void InspectWorkspace::addSection(Section place, const QString& key, QWidget* section) {
    if (place == Section::kBelowToken) token_->addSection(section);
    else routing_->addSection(section);
    join(key, section);
}

void InspectWorkspace::join(const QString& key, QWidget* part) {
    QList<PanelFrame*> panels = part->findChildren<PanelFrame*>();
    if (auto* panel = qobject_cast<PanelFrame*>(part)) panels << panel;
    for (PanelFrame* panel : panels)
        connect(panel, &PanelFrame::sendToFiguresRequested, this, [this](const analysis::PanelQuery& query) {
            if (model_->context().sendToFigures) model_->context().sendToFigures(query);
        });
    if (auto* asked = qobject_cast<InspectPart*>(part)) parts_.emplace_back(key, asked);
}

bool InspectWorkspace::showPage(const QString& key) {
    const auto index = page_keys_.indexOf(key);
    if (index < 0) return false;
    tabs_->setValue(key);
    pages_->setCurrentIndex(static_cast<int>(index));
    return true;
}

void InspectWorkspace::showSelection() {
    QStringList words;
    if (const auto* router = model_->currentRouter()) {
        words << QString::fromStdString(longName(*router));
        const ExpertIndex expert = model_->suggestedExpert();
        words << (model_->shown().expert.valid() ? tr("expert %1").arg(expert.value)
                  : expert.valid()               ? tr("expert %1 (suggested)").arg(expert.value)
                                                 : tr("no expert selected"));
    }
    if (model_->step() >= 0) words << tr("step %1").arg(stepText(model_->step()));
    if (!model_->chosenSet().everything) words << tr("pages: %1").arg(QString::fromStdString(model_->chosenSet().note()));
    chosen_->setText(words.join(QStringLiteral(" · ")));
}

void InspectWorkspace::paste() {
    const QMimeData* mime = QApplication::clipboard()->mimeData();
    if (!mime) return;
    if (mime->hasImage()) return samples_->offerImage(qvariant_cast<QImage>(mime->imageData()));
    if (!takeDrop(localFiles(mime)) && model_->context().say) model_->context().say(tr("The clipboard holds no picture"));
}

bool InspectWorkspace::takeDrop(const QStringList& files) {
    const QString picture = firstPicture(files);
    if (picture.isEmpty()) return false;
    samples_->offerFile(picture);
    return true;
}

void InspectWorkspace::dragEnterEvent(QDragEnterEvent* event) {
    if (event->mimeData()->hasImage() || !firstPicture(localFiles(event->mimeData())).isEmpty()) event->acceptProposedAction();
}

void InspectWorkspace::dropEvent(QDropEvent* event) {
    if (takeDrop(localFiles(event->mimeData()))) event->acceptProposedAction();
    else if (event->mimeData()->hasImage()) {
        samples_->offerImage(qvariant_cast<QImage>(event->mimeData()->imageData()));
        event->acceptProposedAction();
    }
}

void InspectWorkspace::showEvent(QShowEvent* event) {
    Workspace::showEvent(event);
    model_->setVisible(true);
}

void InspectWorkspace::hideEvent(QHideEvent* event) {
    Workspace::hideEvent(event);
    model_->setVisible(!detachedPanels(this).isEmpty());  // panels in windows of their own go on being watched
}

QJsonObject InspectWorkspace::dump() const {
    const auto state = [](const PanelFrame& frame) { return frame.state() == PanelFrame::State::kReady || frame.state() == PanelFrame::State::kPartial; };
    QJsonArray panels{dumpPanel(QStringLiteral("samples"), *samples_, state(*samples_) ? QJsonValue(samples_->dumpData()) : QJsonValue()),
                      dumpPanel(QStringLiteral("overlay"), *routing_, state(*routing_) ? QJsonValue(routing_->dumpData()) : QJsonValue()),
                      dumpPanel(QStringLiteral("expert_map"), *routing_, state(*routing_) ? routing_->dumpMap() : QJsonValue()),
                      dumpPanel(QStringLiteral("token"), *token_, token_->dumpData()),
                      dumpPanel(QStringLiteral("scrubber"), *scrubber_, state(*scrubber_) ? QJsonValue(scrubber_->dumpData()) : QJsonValue())};
    for (const auto& [key, part] : parts_)
        for (const auto& panel : part->dump()) panels.append(panel);
    return {{QStringLiteral("page"), page()}, {QStringLiteral("panels"), panels}};
}

bool InspectWorkspace::settled() const {
    return model_->settled() && samples_->settled() && std::all_of(parts_.begin(), parts_.end(), [](const auto& part) { return part.second->settled(); });
}

std::vector<PaletteEntry> InspectWorkspace::paletteEntries() {
    std::vector<PaletteEntry> entries;
    entries.push_back({tr("Open a picture of your own"), tr("Inspect"), [this] { samples_->openPicture(); }});
    entries.push_back({tr("Run a caption of your own"), tr("Inspect"), [this] { samples_->offerImage({}); }});
    for (qsizetype i = 0; i < page_keys_.size(); ++i)
        entries.push_back({tr("%1 page").arg(page_titles_[i]), tr("Inspect"), [this, key = page_keys_[i]] { showPage(key); }});
    for (const auto& [key, part] : parts_)
        for (auto& entry : part->paletteEntries()) entries.push_back(std::move(entry));
    const RunContents& contents = model_->contents();
    for (const auto layer : contents.layers())
        entries.push_back({tr("Layer %1").arg(layer.value), tr("Go to this layer"), [this, layer] { model_->chooseLayer(layer); }});
    for (const auto& router : contents.routers)
        for (int expert = 0; expert < router.experts; ++expert)
            entries.push_back({tr("Expert %1, %2").arg(expert).arg(QString::fromStdString(longName(router))), tr("Bring this expert out"),
                               [this, id = router.id, expert] { model_->chooseRouter(id, ExpertIndex(expert)); }});
    for (const OwnSample& own : model_->ownSamples())
        entries.push_back({QString::fromStdString(own.record.caption), tr("Own sample"), [this, hash = own.record.hash] { model_->chooseSample(hash); }});
    for (std::size_t i = 0; i < std::min(contents.samples.size(), kPaletteSamples); ++i) {
        const auto& sample = contents.samples[i];
        if (sample.caption.empty()) continue;
        const QString kind = sample.category.empty() ? tr("Sample") : tr("Sample · %1").arg(QString::fromStdString(sample.category));
        entries.push_back({QString::fromStdString(sample.caption), kind, [this, hash = sample.hash] { model_->chooseSample(hash); }});
    }
    return entries;
}

QJsonObject InspectWorkspace::saveState() const {
    const OverlayChoices& choices = model_->overlayChoices();
    const OverlayWidget* overlay = routing_->column()->overlay();
    QJsonObject parts;
    for (const auto& [key, part] : parts_)
        if (const QJsonObject state = part->saveState(); !state.isEmpty()) parts[key] = state;
    return {{QStringLiteral("page"), page()},
            {QStringLiteral("parts"), parts},
            {QStringLiteral("own"), model_->ownState()},
            {QStringLiteral("columns"), sizesOf(columns_)},
            {QStringLiteral("rows"), sizesOf(rows_)},
            {QStringLiteral("upper"), sizesOf(upper_)},
            {QStringLiteral("mode"), QString::fromLatin1(analysis::toString(choices.mode).data())},
            {QStringLiteral("rank"), choices.rank},
            {QStringLiteral("opacity"), choices.opacity},
            {QStringLiteral("compared"), toText(choices.compared)},
            {QStringLiteral("side_by_side"), choices.side_by_side},
            {QStringLiteral("zoom"), overlay->zoom()},
            {QStringLiteral("center_x"), overlay->center().x()},
            {QStringLiteral("center_y"), overlay->center().y()},
            {QStringLiteral("samples"), samples_->saveState()}};
}

void InspectWorkspace::restoreState(const QJsonObject& state) {
    restoreSizes(columns_, state.value(QStringLiteral("columns")));
    restoreSizes(rows_, state.value(QStringLiteral("rows")));
    restoreSizes(upper_, state.value(QStringLiteral("upper")));
    OverlayChoices choices = model_->overlayChoices();
    choices.mode = analysis::overlayModeFromString(state.value(QStringLiteral("mode")).toString().toStdString()).value_or(choices.mode);
    choices.rank = std::clamp(state.value(QStringLiteral("rank")).toInt(choices.rank), -1, 3);
    choices.opacity = std::clamp(state.value(QStringLiteral("opacity")).toDouble(choices.opacity), 0.0, 1.0);
    choices.compared = comparisonFromText(state.value(QStringLiteral("compared")).toString());
    choices.side_by_side = state.value(QStringLiteral("side_by_side")).toBool();
    model_->setOverlayChoices(choices);
    routing_->column()->overlay()->keepView(state.value(QStringLiteral("zoom")).toDouble(1),
                                            {state.value(QStringLiteral("center_x")).toDouble(0.5), state.value(QStringLiteral("center_y")).toDouble(0.5)});
    samples_->restoreState(state.value(QStringLiteral("samples")).toObject());
    model_->restoreOwn(state.value(QStringLiteral("own")).toArray());
    const QJsonObject parts = state.value(QStringLiteral("parts")).toObject();
    for (const auto& [key, part] : parts_) part->restoreState(parts.value(key).toObject());
    showPage(state.value(QStringLiteral("page")).toString());
}

}  // namespace es::views
