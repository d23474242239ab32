// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/sample_panel.h"

#include <QFileDialog>
#include <QImageReader>
#include <QJsonArray>
#include <QSignalBlocker>
#include <QVBoxLayout>

#include "views/inspect/inspect_dump.h"
#include "views/inspect/sample_delegate.h"
#include "views/inspect/token_words.h"

namespace es::views {

SamplePanel::SamplePanel(InspectModel* model, QWidget* parent) : PanelFrame(model->context().theme, tr("Samples"), parent), model_(model) {
    Theme* theme = model_->context().theme;
    setObjectName(QStringLiteral("samplePanel"));
    thumbnails_ = new ThumbnailCache(model_, SampleDelegate::kPicture, this);
    list_ = new SampleListModel(thumbnails_, this);
    auto* body = new QWidget(this);
    asked_ = new SampleSearch(model_, this);
    search_ = new QueryField(theme, asked_, model_, body);
    category_ = new QComboBox(body);
    category_->setObjectName(QStringLiteral("sampleCategory"));
    category_->setAccessibleName(tr("Category"));
    category_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    category_->setMinimumContentsLength(8);
    own_ = new OwnPictureBar(model_, body);
    view_ = new QListView(body);
    view_->setObjectName(QStringLiteral("sampleList"));
    view_->setAccessibleName(tr("Samples"));
    view_->setModel(list_);
    view_->setItemDelegate(new SampleDelegate(theme, view_));
    view_->setUniformItemSizes(true);
    view_->setMouseTracking(true);
    view_->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    view_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    view_->setSelectionMode(QAbstractItemView::SingleSelection);
    nothing_ = new QLabel(tr("No sample matches."), body);
    nothing_->setProperty("role", QStringLiteral("muted"));
    nothing_->setAlignment(Qt::AlignHCenter | Qt::AlignTop);
    nothing_->setContentsMargins(8, 16, 8, 8);
    nothing_->hide();
    auto* column = new QVBoxLayout(body);
    column->setContentsMargins(8, 8, 6, 6);
    column->setSpacing(6);
    column->addWidget(search_);
    column->addWidget(category_);
    column->addWidget(own_);
    column->addWidget(nothing_);
    column->addWidget(view_, 1);
    setContent(body);
    addTool(QStringLiteral("image"), tr("Open a picture of your own (or drop or paste one)"), [this] { openPicture(); });
    addTool(QStringLiteral("text"), tr("Run a caption of your own without a picture"), [this] { offerImage({}); });
    setFocusProxy(view_);
    setPanelQuery({}, tr("A list of samples is not a figure; send the overlay instead"));

    connect(asked_, &SampleSearch::answered, this, &SamplePanel::applyFilter);
    connect(category_, &QComboBox::activated, this, &SamplePanel::applyFilter);
    connect(view_->selectionModel(), &QItemSelectionModel::currentChanged, this, [this](const QModelIndex& current) {
        if (!following_ && current.isValid()) model_->chooseSample(current.data(SampleListModel::kHash).toULongLong());
    });
    connect(theme, &Theme::changed, view_->viewport(), qOverload<>(&QWidget::update));
    connect(model_, &InspectModel::runChanged, this, &SamplePanel::refresh);
    connect(model_, &InspectModel::samplesChanged, this, &SamplePanel::refresh);
    connect(model_, &InspectModel::sampleChanged, this, &SamplePanel::followChoice);
    connect(model_, &InspectModel::choiceChanged, this, &SamplePanel::followChoice);
    refresh();
}

void SamplePanel::openPicture() {
    QStringList patterns;
    for (const QByteArray& format : QImageReader::supportedImageFormats()) patterns << QStringLiteral("*.") + QString::fromLatin1(format);
    const QString path = QFileDialog::getOpenFileName(this, tr("Open a picture"), {}, tr("Pictures (%1);;All files (*)").arg(patterns.join(QLatin1Char(' '))));
    if (!path.isEmpty()) offerFile(path);
}

void SamplePanel::offerFile(const QString& path) {
    own_->offerFile(path);
    refresh();
}

void SamplePanel::offerImage(const QImage& image) {
    own_->offerImage(image);
    refresh();
}

void SamplePanel::refresh() {
    switch (model_->runPart()) {
        case InspectModel::Part::kNone:
            setContext({});
            list_->setSamples({}, {});
            return showEmpty(tr("No run yet"), tr("Samples appear here once a run is open. Start one in Train, or open a folder of runs."));
        case InspectModel::Part::kLoading: return showLoading(tr("Opening the run…"));
        case InspectModel::Part::kFailed: return showFailed(model_->runError());
        case InspectModel::Part::kReady: break;
    }
    const RunContents& contents = model_->contents();
    following_ = true;
    list_->setSamples(contents, model_->ownSamples());
    following_ = false;
    const QSignalBlocker quiet(category_);
    category_->clear();
    category_->addItem(tr("All categories"), QString());
    for (const auto& [name, count] : list_->categories()) category_->addItem(tr("%1 (%2)").arg(name).arg(count), name);
    category_->setCurrentIndex(std::max(0, category_->findData(list_->filterCategory())));
    category_->setVisible(!list_->categories().empty());
    if (list_->total() == 0 && own_->isHidden())
        return showEmpty(tr("No samples recorded"),
                         model_->training()
                             ? tr("The first probe has not been written yet. It comes with the first checkpoint.")
                             : tr("This run holds no probe or trace. Set record.probe_samples above 0 and train again, or open a picture of your own."),
                         {tr("Open a picture"), [this] { openPicture(); }});
    showReady();
    applyFilter();
}

void SamplePanel::applyFilter() {
    following_ = true;
    list_->setFilter(asked_->words(), category_->currentData().toString());
    list_->setFound(asked_->found() ? std::optional(asked_->found()->samples) : std::nullopt);
    following_ = false;
    const int shown = list_->rowCount(), all = list_->total();
    setContext(shown == all ? stepText(all) : tr("%1 of %2").arg(stepText(shown), stepText(all)));
    nothing_->setVisible(shown == 0 && all > 0);
    model_->setListed(list_->listed());
    followChoice();
}

void SamplePanel::followChoice() {
    const auto sample = model_->shown().sample;
    const int row = sample ? list_->rowOf(*sample) : -1;
    following_ = true;
    if (row < 0) view_->setCurrentIndex({});
    else if (view_->currentIndex().row() != row) view_->setCurrentIndex(list_->index(row));
    following_ = false;
}

QJsonObject SamplePanel::dumpData() const {
    QJsonArray rows;
    for (int row = 0; row < list_->rowCount(); ++row) {
        const QModelIndex index = list_->index(row);
        rows.append(QJsonObject{{QStringLiteral("sample"), sampleText(index.data(SampleListModel::kHash).toULongLong())},
                                {QStringLiteral("caption"), index.data(Qt::DisplayRole).toString()},
                                {QStringLiteral("detail"), index.data(SampleListModel::kDetail).toString()},
                                {QStringLiteral("own"), index.data(SampleListModel::kOwn).toBool()}});
    }
    return {{QStringLiteral("total"), list_->total()},
            {QStringLiteral("filter"), asked_->text()},
            {QStringLiteral("answer"), asked_->line()},
            {QStringLiteral("category"), list_->filterCategory()},
            {QStringLiteral("selected"), model_->shown().sample ? QJsonValue(sampleText(*model_->shown().sample)) : QJsonValue()},
            {QStringLiteral("rows"), rows}};
}

QJsonObject SamplePanel::saveState() const {
    return {{QStringLiteral("filter"), search_->text()}, {QStringLiteral("category"), category_->currentData().toString()}};
}

void SamplePanel::restoreState(const QJsonObject& state) {
    search_->setText(state.value(QStringLiteral("filter")).toString());
    list_->setFilter(asked_->words(), state.value(QStringLiteral("category")).toString());
    refresh();
}

}  // namespace es::views
