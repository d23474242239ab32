// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/near_tokens.h"

#include <QPainter>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "views/inspect/token_words.h"
#include "views/overlay/picture_image.h"
#include "views/widgets/chip.h"
#include "views/widgets/flow_layout.h"

namespace es::views {
namespace {

constexpr std::size_t kNearest = 8;
constexpr int kNearCrop = 36;

QImage cropOf(const store::SampleRecord& record, int patch) {
    const QRect pixels = patchPixels(record.picture, record.grid_width, record.grid_height, patch);
    return pixels.isEmpty() ? QImage() : toImage(record.picture).copy(pixels);
}

}  // namespace

NearTokens::NearTokens(InspectModel* model, QWidget* parent)
    : QWidget(parent), model_(model),
      job_(model->context().jobs, this, QStringLiteral("near"), tr("Looking for similar tokens"), [this](Result<Found> found) { show(std::move(found)); }) {
    setObjectName(QStringLiteral("nearTokens"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(4);
    heading_ = new QLabel(tr("Most alike in the probe"), this);
    heading_->setProperty("role", QStringLiteral("strong"));
    heading_->setToolTip(
        tr("Tokens of other samples whose router distribution is nearest, by Hellinger distance: 0 the same, 1 nothing in common. One a sample."));
    row_ = new QWidget(this);
    auto* flow = new FlowLayout(row_, 4, 4);
    flow->setContentsMargins(0, 0, 0, 0);
    buttons_ = std::make_unique<ReusedWidgets<QAbstractButton>>(flow, [this](std::size_t place) { return makeButton(place); });
    note_ = new QLabel(this);
    note_->setWordWrap(true);
    note_->setProperty("role", QStringLiteral("muted"));
    column->addWidget(heading_);
    column->addWidget(row_);
    column->addWidget(note_);
}

QAbstractButton* NearTokens::makeButton(std::size_t place) {
    QAbstractButton* button = nullptr;
    if (makes_chips_) {
        button = new Chip(model_->context().theme, {}, analysis::ColorRole{analysis::ColorRole::Kind::kExpert, 0}, row_);
    } else {
        auto* crop = new QToolButton(row_);
        crop->setIconSize({kNearCrop, kNearCrop});
        crop->setAutoRaise(true);
        button = crop;
    }
    connect(button, &QAbstractButton::clicked, this, [this, place] {
        const auto token = tokens_[place];
        model_->chooseTokenOf(token.sample, token.modality, token.token.value, router_);
    });
    return button;
}

void NearTokens::clear() {
    buttons_->resize(0);
    tokens_.clear();
}

void NearTokens::setReading(const analysis::TokenReading& reading) {
    const Selection& shown = model_->shown();
    const auto step = model_->contents().probedStep(model_->step());
    if (reading.probabilities_E.empty() || !step || !shown.sample || !model_->reader()) {
        asked_.reset();
        job_.drop();
        clear();
        note_->setText(reading.probabilities_E.empty() ? tr("The router's whole distribution was not recorded for this token.")
                                                       : tr("The run has no probe to look in."));
        note_->show();
        return;
    }
    const std::uint64_t set = model_->chosenSet().everything ? 0 : model_->chosenSet().tokens.fingerprint();
    const Question question{shown.run,
                            reading.router.id.value,
                            *shown.sample,
                            shown.token_modality,
                            shown.token,
                            model_->step(),
                            model_->contents().steps.size(),
                            reading.probabilities_E,
                            set};
    if (asked_ == question) return;
    asked_ = question;
    router_ = reading.router.id;
    analysis::NearOptions options;
    options.except = *shown.sample;
    options.modality = shown.token_modality;
    options.count = kNearest;
    job_.request(
        [reader = model_->analysisReader(), step = *step, router = reading.router.id, p_E = reading.probabilities_E,
         options](JobContext& context) -> Result<Found> {
            auto table = reader->probe({step, "trained"}, router);
            if (!table) return tl::unexpected(table.error());
            Found found;
            found.near = analysis::nearestTokens(*table, p_E, options, context);
            for (const auto& token : found.near.tokens) {
                if (context.stopRequested()) return stopped("Looking for similar tokens");
                const auto record = reader->sample(token.sample);
                if (!record) return tl::unexpected(record.error());
                found.crops.push_back(token.modality == Modality::kVision ? cropOf(*record, token.token.value) : QImage());
                found.names.push_back(tokenName(&*record, token.modality, token.token.value));
                found.captions.push_back(QString::fromStdString(record->caption));
            }
            return found;
        },
        true);
}

void NearTokens::show(Result<Found> found) {
    if (!found && found.error().kind == ErrorKind::kStopped) return asked_.reset();
    if (!found) clear();
    note_->setVisible(!found || found->near.tokens.empty());
    if (!found) return note_->setText(QString::fromStdString(found.error().message()));
    note_->setText(model_->chosenSet().everything ? tr("The probe holds no other sample with such tokens.")
                                                  : tr("The chosen set holds no other sample with such tokens."));
    const bool everything = model_->chosenSet().everything;
    heading_->setText((everything ? tr("Most alike of %1 in the probe") : tr("Most alike of %1 in the chosen set")).arg(stepText(found->near.compared)));
    // A picture without its pixels has no crop and gets a chip, so both may stand side by side.
    std::size_t kept = 0;
    while (kept < std::min(buttons_->size(), found->crops.size()) && found->crops[kept].isNull() == (qobject_cast<Chip*>((*buttons_)[kept]) != nullptr)) ++kept;
    buttons_->resize(kept);
    for (; kept < found->crops.size(); ++kept) {
        makes_chips_ = found->crops[kept].isNull();
        buttons_->resize(kept + 1);
    }
    tokens_ = found->near.tokens;
    Theme* theme = model_->context().theme;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
        const auto& token = tokens_[i];
        QAbstractButton* button = (*buttons_)[i];
        if (auto* chip = qobject_cast<Chip*>(button)) {
            const QString word = found->names[i].section(QChar(0x201C), 1).section(QChar(0x201D), 0, 0);
            chip->setText(word.isEmpty() ? found->names[i] : word);
            chip->setDot(analysis::ColorRole{analysis::ColorRole::Kind::kExpert, std::max(0, token.expert)});
        } else {
            QPixmap pixmap(QSize(kNearCrop, kNearCrop) * devicePixelRatioF());
            pixmap.setDevicePixelRatio(devicePixelRatioF());
            pixmap.fill(Qt::white);  // as models see pictures
            QPainter painter(&pixmap);
            painter.setRenderHint(QPainter::SmoothPixmapTransform);
            painter.drawImage(QRectF(0, 0, kNearCrop, kNearCrop), found->crops[i]);
            painter.setPen(theme->colors().line);
            painter.drawRect(QRectF(0.5, 0.5, kNearCrop - 1, kNearCrop - 1));
            painter.end();
            button->setIcon(pixmap);
        }
        const QString tip = tr("%1 of “%2” · expert %3 · distance %4. Click to show it.")
                                .arg(found->names[i], found->captions[i])
                                .arg(token.expert)
                                .arg(numberText(token.distance, 3));
        button->setToolTip(tip);
        button->setAccessibleName(tip);
    }
}

}  // namespace es::views
