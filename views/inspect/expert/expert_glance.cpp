// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/expert/expert_glance.h"

#include <QHBoxLayout>
#include <QVBoxLayout>

#include "analysis/experts/expert_panels.h"
#include "views/inspect/inspect_dump.h"

namespace es::views {
namespace {

constexpr int kGlanceCell = 30;
constexpr std::size_t kGlanceItems = 24, kGlanceWords = 7;
constexpr int kGlanceLateMs = 150;  // shorter than that a gallery that goes and comes back would only flicker

}  // namespace

ExpertGlance::ExpertGlance(ExpertModel* model, SamplePictures* pictures, QWidget* parent) : InspectPart(parent), model_(model), pictures_(pictures) {
    Theme* theme = model_->inspect()->context().theme;
    setObjectName(QStringLiteral("expertGlance"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 4, 0, 0);
    column->setSpacing(5);
    auto* top = new QHBoxLayout;
    title_ = new ElidedLabel({}, this);
    title_->setObjectName(QStringLiteral("glanceTitle"));
    title_->setProperty("role", QStringLiteral("strong"));
    open_ = new IconButton(theme, QStringLiteral("expert"), tr("Open the page of this expert: gallery, words, categories, places and load"), this);
    open_->setObjectName(QStringLiteral("glanceOpen"));
    top->addWidget(title_, 1);
    top->addWidget(open_);
    column->addLayout(top);
    grid_ = new GalleryGrid(theme, pictures_, kGlanceCell, this);
    grid_->setObjectName(QStringLiteral("glanceGrid"));
    grid_->setAccessibleName(tr("What the expert takes with most weight"));
    grid_->setRecords([this](std::uint64_t sample) { return model_->record(sample); });
    column->addWidget(grid_);
    const auto line = [&](const char* name, const char* role) {
        auto* label = new QLabel(this);
        label->setObjectName(QString::fromLatin1(name));
        label->setProperty("role", QString::fromLatin1(role));
        label->setWordWrap(true);
        label->setTextFormat(Qt::PlainText);
        column->addWidget(label);
        return label;
    };
    state_ = line("glanceState", "muted");
    words_ = line("glanceWords", "muted");
    category_ = line("glanceCategory", "muted");
    credits_ = line("glanceCredits", "faint");
    connect(open_, &QToolButton::clicked, this, &ExpertGlance::pageRequested);
    connect(grid_, &GalleryGrid::itemClicked, this, [this](int index) {
        if (!late_.isActive()) model_->chooseItem(grid_->items()[static_cast<std::size_t>(index)]);
    });
    late_.setSingleShot(true);
    late_.setInterval(kGlanceLateMs);
    connect(&late_, &QTimer::timeout, this, &ExpertGlance::fill);
    connect(model_, &ExpertModel::expertChanged, this, &ExpertGlance::refresh);
    connect(model_, &ExpertModel::galleryChanged, this, &ExpertGlance::refresh);
    connect(model_, &ExpertModel::detailsChanged, this, &ExpertGlance::refresh);
    connect(model_->inspect(), &InspectModel::choiceChanged, this, &ExpertGlance::refresh);
    refresh();
}

void ExpertGlance::showEvent(QShowEvent* event) {
    InspectPart::showEvent(event);
    model_->setWatched(this, true);
    refresh();
}

void ExpertGlance::hideEvent(QHideEvent* event) {
    InspectPart::hideEvent(event);
    model_->setWatched(this, false);
}

bool ExpertGlance::settled() const { return !isVisible() || (model_->settled() && pictures_->settled()); }

void ExpertGlance::refresh() {
    if (!isVisible()) return;
    const Selection& now = model_->inspect()->shown();
    grid_->setSelected(now.sample, now.token_modality, now.token);
    if (reading() && !grid_->isHidden()) {
        // Title, gallery and words stay together until all of the next expert's are there.
        if (!late_.isActive()) late_.start();
        return;
    }
    fill();
}

bool ExpertGlance::reading() const {
    if (!model_->expert().valid() || !model_->step()) return false;
    return model_->galleryPart() == ExpertModel::Part::kLoading || model_->detailsPart() == ExpertModel::Part::kLoading;
}

void ExpertGlance::fill() {
    late_.stop();
    shown_expert_ = model_->expert();
    const bool there = model_->expert().valid() && model_->step().has_value();
    title_->setText(model_->expert().valid() ? tr("Expert %1 · what it sees most").arg(model_->expert().value) : tr("What an expert sees most"));
    setDisabledReason(open_, model_->expert().valid() ? QString() : tr("This run has no experts"));
    const auto read = model_->gallery();
    const bool fresh = there && read && read->tokens.query.expert == model_->expert() && model_->galleryPart() == ExpertModel::Part::kReady;
    QString state;
    if (!model_->expert().valid()) state = tr("A dense run has no experts.");
    else if (!there) state = tr("What experts take is read from probes, and this run has none yet.");
    else if (model_->galleryPart() == ExpertModel::Part::kFailed) state = QString::fromStdString(model_->galleryError().message());
    else if (!fresh) state = tr("Choosing…");
    else if (read->gallery.top.empty()) state = tr("It takes nothing of this probe.");
    state_->setText(state);
    state_->setVisible(!state.isEmpty());
    if (fresh && drawn_ != read) {
        drawn_ = read;
        std::vector<analysis::GalleryItem> items = read->gallery.top;
        items.resize(std::min(items.size(), kGlanceItems));
        grid_->setItems(std::move(items));
    }
    grid_->setVisible(fresh && !grid_->items().empty());
    const auto* details = fresh ? model_->details() : nullptr;
    const auto* words = details ? details->find(analysis::LabelKind::kTokenId, Modality::kText) : nullptr;
    const auto* category = details ? details->find(analysis::LabelKind::kCategory, Modality::kVision) : nullptr;
    QStringList best;
    if (words)
        for (const std::string& word : analysis::topWords(*words, kGlanceWords)) best << QString::fromStdString(word);
    words_->setVisible(words != nullptr);
    if (words) {
        words_->setText(best.isEmpty() ? tr("words  none stands above its base rate") : tr("top words  %1").arg(best.join(QStringLiteral(" · "))));
        words_->setToolTip(tr("By nPMI, of those that it takes more often than others; %1 samples, correction: %2")
                               .arg(words->taker_samples)
                               .arg(QString::fromStdString(words->correction)));
    }
    category_->setVisible(category != nullptr);
    if (category) {
        category_->setText(tr("category  %1").arg(QString::fromStdString(analysis::bestLabelWords(*category))));
        category_->setToolTip(tr("Share of its patches, with the base rate of all patches and the 95 % interval of nPMI over %1 samples; correction: %2")
                                  .arg(category->taker_samples)
                                  .arg(QString::fromStdString(category->correction)));
    }
    QStringList credits;
    if (fresh) {
        std::vector<store::SampleRecord> records;
        for (const auto& item : grid_->items())
            if (const auto* record = model_->record(item.sample)) records.push_back(*record);
        for (const analysis::Credit& credit : analysis::creditsOf(grid_->items(), records)) credits << QString::fromStdString(credit.text(1));
    }
    // The whole list is on the page and in every copy of it.
    credits_->setVisible(!credits.isEmpty());
    credits_->setText(credits.join(QStringLiteral("; ")));
}

QJsonArray ExpertGlance::dump() const {
    QJsonArray items;
    for (const auto& item : grid_->items())
        items.append(QJsonObject{{QStringLiteral("sample"), sampleText(item.sample)},
                                 {QStringLiteral("token"), item.token.value},
                                 {QStringLiteral("weight"), static_cast<double>(item.weight)}});
    const bool shown = grid_->isVisible();
    QJsonObject read{{QStringLiteral("expert"), shown_expert_.value},
                     {QStringLiteral("items"), items},
                     {QStringLiteral("words"), words_->text()},
                     {QStringLiteral("category"), category_->text()}};
    return {QJsonObject{{QStringLiteral("name"), QStringLiteral("expert_glance")},
                        {QStringLiteral("state"), shown ? QStringLiteral("ready") : QStringLiteral("empty")},
                        {QStringLiteral("data"), shown ? QJsonValue(read) : QJsonValue()},
                        {QStringLiteral("words"), state_->text()}}};
}

}  // namespace es::views
