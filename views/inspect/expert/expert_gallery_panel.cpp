// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/expert/expert_gallery_panel.h"

#include <QApplication>
#include <QClipboard>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QJsonArray>
#include <QMenu>
#include <QMimeData>
#include <QPainter>
#include <QScrollArea>
#include <QVBoxLayout>
#include <algorithm>

#include "analysis/experts/expert_panels.h"
#include "analysis/figures/wording.h"
#include "views/inspect/inspect_dump.h"
#include "views/inspect/token_words.h"

namespace es::views {
namespace {

constexpr int kGalleryCell = 44, kGalleryItems = 36, kCreditsInTip = 30;
constexpr int kPictureWidth = 860, kPictureMargin = 16, kPictureScale = 2;

}  // namespace

ExpertGalleryPanel::ExpertGalleryPanel(ExpertModel* model, SamplePictures* pictures, QWidget* parent)
    : PanelFrame(model->inspect()->context().theme, tr("What it takes"), parent), model_(model) {
    Theme* theme = model_->inspect()->context().theme;
    setObjectName(QStringLiteral("expertGallery"));
    auto* body = new QWidget(this);
    auto* column = new QVBoxLayout(body);
    column->setContentsMargins(10, 8, 4, 4);
    column->setSpacing(6);
    auto* controls = new QHBoxLayout;
    controls->setSpacing(8);
    halves_ = new SegmentedControl(theme, body);
    halves_->setObjectName(QStringLiteral("galleryHalves"));
    halves_->setAccessibleName(tr("Which tokens"));
    halves_->setCompact(true);
    halves_->setChoices({tr("Both"), tr("Most weight"), tr("At random")}, {QStringLiteral("both"), QStringLiteral("top"), QStringLiteral("random")});
    kinds_ = new SegmentedControl(theme, body);
    kinds_->setObjectName(QStringLiteral("galleryKinds"));
    kinds_->setAccessibleName(tr("Patches or words"));
    kinds_->setCompact(true);
    kinds_->setChoices({tr("Patches"), tr("Words")}, {QStringLiteral("vision"), QStringLiteral("text")});
    one_per_sample_ = new QCheckBox(tr("One per sample"), body);
    one_per_sample_->setObjectName(QStringLiteral("galleryOnePerSample"));
    one_per_sample_->setToolTip(tr("At most one patch or word of each picture or caption"));
    one_per_sample_->setChecked(true);
    draw_again_ = new IconButton(theme, QStringLiteral("refresh"), tr("Draw others at random"), body);
    draw_again_->setObjectName(QStringLiteral("galleryDrawAgain"));
    controls->addWidget(halves_);
    controls->addWidget(kinds_);
    controls->addWidget(one_per_sample_);
    controls->addWidget(draw_again_);
    controls->addStretch(1);
    column->addLayout(controls);
    auto* scroll = new QScrollArea(body);
    scroll->setWidgetResizable(true);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setFocusPolicy(Qt::NoFocus);
    auto* both = new QWidget;
    auto* row = new QHBoxLayout(both);
    row->setContentsMargins(0, 0, 6, 0);
    row->setSpacing(14);
    const auto half = [&](const QString& title, const char* name, QLabel*& label, GalleryGrid*& grid) {
        auto* box = new QWidget(both);
        auto* inside = new QVBoxLayout(box);
        inside->setContentsMargins(0, 0, 0, 0);
        inside->setSpacing(4);
        label = new QLabel(title, box);
        label->setProperty("role", QStringLiteral("strong"));
        grid = new GalleryGrid(theme, pictures, kGalleryCell, box);
        grid->setObjectName(QString::fromLatin1(name));
        grid->setAccessibleName(title);
        grid->setRecords([this](std::uint64_t sample) { return model_->record(sample); });
        inside->addWidget(label);
        inside->addWidget(grid);
        inside->addStretch(1);
        row->addWidget(box, 1);
        connect(grid, &GalleryGrid::itemClicked, this, [this, grid](int index) { model_->chooseItem(grid->items()[static_cast<std::size_t>(index)]); });
        return box;
    };
    top_half_ = half(tr("Most weight"), "galleryTop", top_title_, top_);
    random_half_ = half(tr("At random"), "galleryRandom", random_title_, random_);
    scroll->setWidget(both);
    column->addWidget(scroll, 1);
    credits_ = new ElidedLabel({}, body);
    credits_->setObjectName(QStringLiteral("galleryCredits"));
    credits_->setProperty("role", QStringLiteral("muted"));
    column->addWidget(credits_);
    setContent(body);
    setPanelSource([this] { return table(); });
    setCredit([this] { return credits().isEmpty() ? QString() : tr("Credits\n%1").arg(credits()); });
    setMenuExtras([this](QMenu* menu) {
        const bool any = !shownItems().empty();
        QAction* copy = menu->addAction(tr("Copy gallery with credits"));
        QAction* save = menu->addAction(tr("Save gallery with credits…"));
        QAction* credit = menu->addAction(tr("Copy all credits"));
        connect(credit, &QAction::triggered, this, [this] { QApplication::clipboard()->setText(credits()); });
        for (QAction* action : {copy, save, credit}) {
            action->setEnabled(any);
            if (!any) action->setToolTip(tr("There is nothing to copy"));
        }
        connect(copy, &QAction::triggered, this, &ExpertGalleryPanel::copyPicture);
        connect(save, &QAction::triggered, this, &ExpertGalleryPanel::askAndSave);
    });
    connect(halves_, &SegmentedControl::chosen, this, &ExpertGalleryPanel::applyShown);
    connect(kinds_, &SegmentedControl::chosen, this, [this](const QString& kind) {
        analysis::GalleryOptions options = model_->options();
        options.modality = kind == QStringLiteral("text") ? Modality::kText : Modality::kVision;
        model_->setOptions(options);
    });
    connect(one_per_sample_, &QCheckBox::toggled, this, [this](bool on) {
        analysis::GalleryOptions options = model_->options();
        options.one_per_sample = on;
        model_->setOptions(options);
    });
    connect(draw_again_, &QToolButton::clicked, this, [this] {
        analysis::GalleryOptions options = model_->options();
        ++options.seed;
        model_->setOptions(options);
    });
    analysis::GalleryOptions options = model_->options();
    options.count = kGalleryItems;
    model_->setOptions(options);
    applyShown();
}

void ExpertGalleryPanel::applyShown() {
    const QString shown = halves_->value();
    top_half_->setVisible(shown != QStringLiteral("random"));
    random_half_->setVisible(shown != QStringLiteral("top"));
    setDisabledReason(draw_again_, shown == QStringLiteral("top") ? tr("Nothing is drawn at random now") : QString());
    showCredits();
}

void ExpertGalleryPanel::refresh() {
    const auto read = model_->gallery();
    setTitle(tr("Expert %1 · what it takes").arg(model_->expert().value));
    if (model_->galleryPart() == ExpertModel::Part::kFailed) {
        setContext({});
        return showFailed(model_->galleryError());
    }
    if (!read || (model_->galleryPart() == ExpertModel::Part::kLoading && read->tokens.query.expert != model_->expert())) return showLoading(tr("Choosing…"));
    const analysis::ExpertGallery& gallery = read->gallery;
    kinds_->setChoiceDisabled(QStringLiteral("vision"), model_->hasPatches() ? QString() : tr("No patches pass this router"));
    kinds_->setChoiceDisabled(QStringLiteral("text"), model_->hasWords() ? QString() : tr("No words pass this router"));
    const bool words = model_->shownKind() == Modality::kText;
    kinds_->setValue(words ? QStringLiteral("text") : QStringLiteral("vision"));
    setContext(tr("%1 tokens of %2 samples").arg(stepText(gallery.takers), stepText(gallery.samples)));
    if (gallery.takers == 0) {
        top_->setItems({});
        random_->setItems({});
        showCredits();
        return showEmpty(
            tr("Expert %1 takes nothing").arg(model_->expert().value),
            tr("No %1 of this probe goes to it. Choose another checkpoint below, or look at its load over training.").arg(words ? tr("word") : tr("patch")), {},
            QStringLiteral("expert"));
    }
    // New items let go of hovering and of the keyboard's place, so only others are set.
    if (drawn_ != read) {
        drawn_ = read;
        top_->setItems(gallery.top);
        random_->setItems(gallery.random);
    }
    top_title_->setText(tr("Most weight (%1)").arg(gallery.top.size()));
    random_title_->setText(tr("At random (%1)").arg(gallery.random.size()));
    random_title_->setToolTip(tr("Drawn with seed %1 from all that it takes: the same seed, the same draw").arg(model_->options().seed));
    const Selection& now = model_->inspect()->shown();
    for (GalleryGrid* grid : {top_, random_}) grid->setSelected(now.sample, now.token_modality, now.token);
    QStringList notes;
    for (const std::string& note : gallery.notes) notes << QString::fromStdString(note);
    setNotes(notes);
    showCredits();
    showReady();
}

std::vector<analysis::GalleryItem> ExpertGalleryPanel::shownItems() const {
    std::vector<analysis::GalleryItem> items;
    if (halves_->value() != QStringLiteral("random")) items = top_->items();
    if (halves_->value() != QStringLiteral("top")) items.insert(items.end(), random_->items().begin(), random_->items().end());
    return items;
}

std::vector<store::SampleRecord> ExpertGalleryPanel::shownRecords() const {
    std::vector<store::SampleRecord> records;
    QSet<quint64> seen;
    for (const auto& item : shownItems()) {
        const store::SampleRecord* record = model_->record(item.sample);
        if (!record || seen.contains(item.sample)) continue;
        seen.insert(item.sample);
        records.push_back(*record);
    }
    return records;
}

QString ExpertGalleryPanel::credits() const {
    QStringList lines;
    for (const analysis::Credit& credit : analysis::creditsOf(shownItems(), shownRecords())) lines << QString::fromStdString(credit.text());
    return lines.join(QLatin1Char('\n'));
}

void ExpertGalleryPanel::showCredits() {
    // One line: pictures are what the panel is for. Every copy names all sources, and so does the menu.
    const auto found = analysis::creditsOf(shownItems(), shownRecords());
    const bool one_set = std::all_of(found.begin(), found.end(), [&](const analysis::Credit& credit) { return credit.dataset == found.front().dataset; });
    QStringList short_ones;
    for (const analysis::Credit& credit : found) {
        const QString license = credit.license.empty() ? tr("licence not stated") : QString::fromStdString(credit.license);
        const QString name = one_set ? license : tr("%1 %2").arg(QString::fromStdString(credit.dataset), license);
        short_ones << tr("%1 (%n samples)", nullptr, static_cast<int>(credit.samples.size())).arg(name);
    }
    const QStringList all = credits().split(QLatin1Char('\n'));
    QStringList tip = all.mid(0, kCreditsInTip);
    if (all.size() > tip.size()) tip << tr("and %1 more: the menu copies all").arg(all.size() - tip.size());
    credits_->setText(short_ones.isEmpty() ? QString() : tr("Credits: %1").arg(short_ones.join(QStringLiteral("; "))));
    credits_->setToolTip(tip.join(QLatin1Char('\n')));
    credits_->setVisible(!short_ones.isEmpty());
}

QImage ExpertGalleryPanel::picture() const {
    const ThemeColors& colors = Theme::lightColors();  // as figures, on white
    Theme* theme = model_->inspect()->context().theme;
    const QFont title = theme->font(Theme::FontRole::kTitle), small = theme->font(Theme::FontRole::kSecondary);
    const bool both = halves_->value() == QStringLiteral("both");
    const int inside = kPictureWidth - 2 * kPictureMargin, half = both ? (inside - kPictureMargin) / 2 : inside;
    const QString all_credits = tr("Credits\n%1").arg(credits());
    const int line = QFontMetrics(title).height();
    std::vector<const GalleryGrid*> grids;
    if (halves_->value() != QStringLiteral("random")) grids.push_back(top_);
    if (halves_->value() != QStringLiteral("top")) grids.push_back(random_);
    int tall = 0;
    for (const GalleryGrid* grid : grids) tall = std::max(tall, grid->heightForWidth(half));
    const QRect room(0, 0, inside, 1 << 20);
    const int credit_height = QFontMetrics(small).boundingRect(room, Qt::AlignLeft | Qt::TextWordWrap, all_credits).height();
    const int height = kPictureMargin + 2 * line + 8 + tall + kPictureMargin + credit_height + kPictureMargin;
    QImage image(QSize(kPictureWidth, height) * kPictureScale, QImage::Format_ARGB32_Premultiplied);
    image.setDevicePixelRatio(kPictureScale);
    image.fill(Qt::white);
    QPainter painter(&image);
    painter.setPen(colors.text);
    painter.setFont(title);
    const auto read = model_->gallery();
    painter.drawText(QRect(kPictureMargin, kPictureMargin, inside, line), Qt::AlignLeft | Qt::AlignVCenter,
                     read ? tr("Expert %1 · %2").arg(model_->expert().value).arg(QString::fromStdString(analysis::expertName(read->tokens))) : QString());
    int left = kPictureMargin;
    for (const GalleryGrid* grid : grids) {
        painter.setFont(small);
        painter.setPen(colors.muted);
        painter.drawText(QRect(left, kPictureMargin + line, half, line), Qt::AlignLeft | Qt::AlignVCenter, grid->accessibleName());
        painter.save();
        painter.translate(left, kPictureMargin + 2 * line + 4);
        grid->paintItems(painter, half);
        painter.restore();
        left += half + kPictureMargin;
    }
    painter.setFont(small);
    painter.setPen(colors.muted);
    painter.drawText(QRect(kPictureMargin, height - kPictureMargin - credit_height, inside, credit_height), Qt::AlignLeft | Qt::TextWordWrap, all_credits);
    return image;
}

Status ExpertGalleryPanel::savePicture(const QString& file) const {
    if (picture().save(file, "PNG")) return {};
    return badInput("Cannot save the gallery", "the file cannot be written", "Choose a folder that can be written to", file.toStdString());
}

std::shared_ptr<const analysis::Panel> ExpertGalleryPanel::table() const {
    const auto read = model_->gallery();
    if (!read) return {};
    auto panel = std::make_shared<analysis::Panel>(analysis::galleryPanel(read->tokens, read->gallery, shownRecords()));
    // The frame adds the credits to everything that leaves it.
    std::erase_if(panel->notes, [](const std::string& note) { return note.starts_with("credit: "); });
    return panel;
}

void ExpertGalleryPanel::copyPicture() {
    auto* mime = new QMimeData;
    mime->setImageData(picture());
    mime->setText(credits());
    QApplication::clipboard()->setMimeData(mime);
    if (model_->inspect()->context().say) model_->inspect()->context().say(tr("Copied the gallery with its credits"));
}

void ExpertGalleryPanel::askAndSave() {
    const QString file =
        QFileDialog::getSaveFileName(this, tr("Save the gallery"), tr("expert-%1.png").arg(model_->expert().value), tr("PNG pictures (*.png)"));
    if (file.isEmpty()) return;
    const auto saved = savePicture(file);
    auto& context = model_->inspect()->context();
    if (!saved && context.sayError) context.sayError(saved.error());
    if (saved && context.say) context.say(tr("Saved the gallery with its credits"));
}

QJsonObject ExpertGalleryPanel::dumpData() const {
    const auto list = [this](const std::vector<analysis::GalleryItem>& items) {
        QJsonArray array;
        for (const auto& item : items) {
            const store::SampleRecord* record = model_->record(item.sample);
            array.append(QJsonObject{{QStringLiteral("sample"), sampleText(item.sample)},
                                     {QStringLiteral("modality"), QString::fromLatin1(toString(item.modality).data())},
                                     {QStringLiteral("token"), item.token.value},
                                     {QStringLiteral("weight"), static_cast<double>(item.weight)},
                                     {QStringLiteral("license"), record ? QString::fromStdString(record->license) : QString()},
                                     {QStringLiteral("source"), record ? QString::fromStdString(record->source) : QString()}});
        }
        return array;
    };
    return {{QStringLiteral("expert"), model_->expert().value},
            {QStringLiteral("shown"), halves_->value()},
            {QStringLiteral("top"), list(top_->items())},
            {QStringLiteral("random"), list(random_->items())},
            {QStringLiteral("credits"), credits()}};
}

QJsonObject ExpertGalleryPanel::saveState() const {
    return {{QStringLiteral("halves"), halves_->value()}, {QStringLiteral("one_per_sample"), one_per_sample_->isChecked()}};
}

void ExpertGalleryPanel::restoreState(const QJsonObject& state) {
    if (const QString halves = state.value(QStringLiteral("halves")).toString(); halves_->values().contains(halves)) halves_->setValue(halves);
    one_per_sample_->setChecked(state.value(QStringLiteral("one_per_sample")).toBool(true));
    applyShown();
}

}  // namespace es::views
