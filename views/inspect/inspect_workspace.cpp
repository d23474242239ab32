// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/inspect_workspace.h"

#include <QApplication>
#include <QClipboard>
#include <QDragEnterEvent>
#include <QFileInfo>
#include <QImageReader>
#include <QJsonArray>
#include <QMimeData>
#include <QShortcut>
#include <QVBoxLayout>

#include "views/inspect/token_words.h"
#include "views/plots/plot_panel.h"
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
    columns_->addWidget(rows_);
    columns_->setStretchFactor(1, 1);
    columns_->setSizes({250, 1000});
    upper_->setSizes({1000, 300});
    rows_->setSizes({700, 210});
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(gutter, gutter, gutter, gutter);
    column->addWidget(columns_);
    setFocusProxy(samples_);
    for (PanelFrame* panel : {static_cast<PanelFrame*>(routing_), static_cast<PanelFrame*>(token_), static_cast<PanelFrame*>(scrubber_)})
        connect(panel, &PanelFrame::sendToFiguresRequested, this, [context](const analysis::PanelQuery& query) {
            if (context->sendToFigures) context->sendToFigures(query);
        });
    auto* paste_key = new QShortcut(QKeySequence::Paste, this);
    paste_key->setContext(Qt::WidgetWithChildrenShortcut);
    connect(paste_key, &QShortcut::activated, this, &InspectWorkspace::paste);
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
    model_->setVisible(false);
}

QJsonObject InspectWorkspace::dump() const {
    const auto state = [](const PanelFrame& frame) { return frame.state() == PanelFrame::State::kReady || frame.state() == PanelFrame::State::kPartial; };
    QJsonArray panels{dumpPanel(QStringLiteral("samples"), *samples_, state(*samples_) ? QJsonValue(samples_->dumpData()) : QJsonValue()),
                      dumpPanel(QStringLiteral("overlay"), *routing_, state(*routing_) ? QJsonValue(routing_->dumpData()) : QJsonValue()),
                      dumpPanel(QStringLiteral("expert_map"), *routing_, state(*routing_) ? routing_->dumpMap() : QJsonValue()),
                      dumpPanel(QStringLiteral("token"), *token_, token_->dumpData()),
                      dumpPanel(QStringLiteral("scrubber"), *scrubber_, state(*scrubber_) ? QJsonValue(scrubber_->dumpData()) : QJsonValue())};
    return {{QStringLiteral("panels"), panels}};
}

bool InspectWorkspace::settled() const { return model_->settled() && samples_->settled(); }

std::vector<PaletteEntry> InspectWorkspace::paletteEntries() {
    std::vector<PaletteEntry> entries;
    entries.push_back({tr("Open a picture of your own"), tr("Inspect"), [this] { samples_->openPicture(); }});
    entries.push_back({tr("Run a caption of your own"), tr("Inspect"), [this] { samples_->offerImage({}); }});
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
    return {{QStringLiteral("columns"), sizesOf(columns_)},
            {QStringLiteral("rows"), sizesOf(rows_)},
            {QStringLiteral("upper"), sizesOf(upper_)},
            {QStringLiteral("mode"), QString::fromLatin1(analysis::toString(choices.mode).data())},
            {QStringLiteral("rank"), choices.rank},
            {QStringLiteral("opacity"), choices.opacity},
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
    model_->setOverlayChoices(choices);
    routing_->column()->overlay()->keepView(state.value(QStringLiteral("zoom")).toDouble(1),
                                            {state.value(QStringLiteral("center_x")).toDouble(0.5), state.value(QStringLiteral("center_y")).toDouble(0.5)});
    samples_->restoreState(state.value(QStringLiteral("samples")).toObject());
}

}  // namespace es::views
