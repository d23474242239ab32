// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/overlay_column.h"

#include <QHBoxLayout>
#include <QSignalBlocker>
#include <algorithm>
#include <cmath>

#include "views/inspect/token_words.h"

namespace es::views {

OverlayColumn::OverlayColumn(InspectModel* model, QWidget* parent) : QWidget(parent), model_(model) {
    Theme* theme = model_->context().theme;
    modes_ = new SegmentedControl(theme, this);
    modes_->setObjectName(QStringLiteral("overlayModes"));
    modes_->setAccessibleName(tr("What the overlay shows"));
    modes_->setChoices({tr("Expert"), tr("Weight"), tr("Entropy"), tr("Margin")},
                       {QStringLiteral("expert"), QStringLiteral("weight"), QStringLiteral("entropy"), QStringLiteral("margin")});
    overlay_ = new OverlayWidget(theme, this);
    nothing_ = new EmptyState(theme, this);
    nothing_->hide();
    legend_ = new ExpertLegend(theme, this);
    foot_ = new QWidget(this);
    auto* row = new QHBoxLayout(foot_);
    row->setContentsMargins(2, 0, 0, 0);
    row->setSpacing(6);
    auto* opacity_name = new QLabel(tr("Opacity"), foot_);
    opacity_name->setProperty("role", QStringLiteral("muted"));
    opacity_ = new QSlider(Qt::Horizontal, foot_);
    opacity_->setObjectName(QStringLiteral("overlayOpacity"));
    opacity_->setAccessibleName(tr("Opacity of the experts' colours"));
    opacity_->setToolTip(tr("How much of the picture the experts' colours cover"));
    opacity_->setRange(0, 100);
    opacity_->setMaximumWidth(140);
    zoom_ = new QLabel(foot_);
    zoom_->setProperty("role", QStringLiteral("muted"));
    zoom_->setFixedWidth(44);
    zoom_->setAlignment(Qt::AlignCenter);
    auto* out = new IconButton(theme, QStringLiteral("zoom-out"), tr("Zoom out (−)"), foot_);
    auto* in = new IconButton(theme, QStringLiteral("zoom-in"), tr("Zoom in (+)"), foot_);
    auto* fit = new IconButton(theme, QStringLiteral("reset"), tr("Show the whole picture (0)"), foot_);
    row->addWidget(opacity_name);
    row->addWidget(opacity_, 1);
    row->addStretch(1);
    for (QWidget* widget : {static_cast<QWidget*>(out), static_cast<QWidget*>(zoom_), static_cast<QWidget*>(in), static_cast<QWidget*>(fit)})
        row->addWidget(widget);

    connect(modes_, &SegmentedControl::chosen, this, [this](const QString& value) {
        OverlayChoices choices = model_->overlayChoices();
        choices.mode = analysis::overlayModeFromString(value.toStdString()).value_or(analysis::OverlayMode::kExpert);
        model_->setOverlayChoices(choices);
    });
    connect(opacity_, &QSlider::valueChanged, this, [this](int percent) {
        OverlayChoices choices = model_->overlayChoices();
        choices.opacity = percent / 100.0;
        overlay_->setOpacity(choices.opacity);
        model_->setOverlayChoices(choices);
    });
    connect(in, &QToolButton::clicked, this, [this] { overlay_->setView(overlay_->zoom() * 1.5, overlay_->center()); });
    connect(out, &QToolButton::clicked, this, [this] { overlay_->setView(overlay_->zoom() / 1.5, overlay_->center()); });
    connect(fit, &QToolButton::clicked, this, [this] { overlay_->setView(1, {0.5, 0.5}); });
    connect(overlay_, &OverlayWidget::viewChanged, this, &OverlayColumn::followZoom);
    connect(overlay_, &OverlayWidget::patchClicked, this, [this](int patch) { model_->chooseToken(Modality::kVision, patch); });
    connect(overlay_, &OverlayWidget::highlightCleared, model_, &InspectModel::clearExpert);
    connect(legend_, &ExpertLegend::expertClicked, this, [this](int expert) {
        const auto* router = model_->router(overlay_->panel().patches.empty() ? Modality::kText : Modality::kVision);
        if (router) model_->toggleExpert(router->id, expert);
    });
    overlay_->setReadout([this](int patch) {
        const QString name = tokenName(model_->record(), Modality::kVision, patch);
        const auto* router = model_->router(Modality::kVision);
        if (!router || !model_->routing()) return name;
        for (const auto& reading : pathOf(*model_->routing(), Modality::kVision, TokenIndex(patch)))
            if (reading.router.id == router->id) return readoutText(name, &reading);
        return name;
    });
    followZoom();
}

void OverlayColumn::setPanel(const analysis::OverlayPanel& panel, bool routed) {
    const OverlayChoices& choices = model_->overlayChoices();
    const bool pictured = panel.grid_width > 0 || !panel.picture.empty();
    overlay_->setVisible(pictured);
    nothing_->setVisible(!pictured);
    foot_->setVisible(pictured);
    if (!pictured)
        nothing_->show(QStringLiteral("text"), tr("A sample without a picture"), tr("It was recorded as a caption alone: its words are on the right."));
    modes_->setValue(QString::fromLatin1(analysis::toString(choices.mode).data()));
    const QString why = routed ? QString() : tr("There is no routing to show");
    setDisabledReason(modes_, why);
    setDisabledReason(opacity_, why);
    {
        const QSignalBlocker quiet(opacity_);
        opacity_->setValue(static_cast<int>(std::lround(choices.opacity * 100)));
    }
    overlay_->setOpacity(choices.opacity);
    overlay_->setPanel(panel);
    legend_->setPanel(panel);
    legend_->setVisible(routed);
    arrange();
}

void OverlayColumn::followChoice() {
    const Selection& shown = model_->shown();
    const auto* router = model_->router(Modality::kVision);
    overlay_->setSelected(shown.token_modality == Modality::kVision ? shown.token.value : -1);
    overlay_->setHighlightedExpert(router && router->id == shown.router && shown.expert.valid() ? shown.expert.value : -1);
    legend_->setHighlightedExpert(shown.expert.valid() ? shown.expert.value : -1);
}

void OverlayColumn::followZoom() { zoom_->setText(tr("%1 %").arg(std::lround(overlay_->zoom() * 100))); }

void OverlayColumn::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    arrange();
}

void OverlayColumn::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    arrange();
}

void OverlayColumn::arrange() {
    constexpr int kGap = 8;
    modes_->setGeometry(0, 0, std::min(width(), modes_->sizeHint().width()), modes_->sizeHint().height());
    const int top = modes_->height() + kGap;
    const int foot = foot_->isVisibleTo(this) ? 26 : 0;
    const int legend = legend_->isVisibleTo(this) ? legend_->heightForWidth(width()) + 4 : 0;
    const int room = std::max(60, height() - top - legend - foot);
    const analysis::OverlayPanel& panel = overlay_->panel();
    QSizeF shape = panel.picture.empty() ? QSizeF(panel.grid_width, panel.grid_height) : QSizeF(panel.picture.width, panel.picture.height);
    if (shape.isEmpty()) shape = QSizeF(1, 1);
    const QSize fitted = shape.scaled(width() - 4, room - 4, Qt::KeepAspectRatio).toSize() + QSize(4, 4);
    overlay_->setGeometry(0, top, fitted.width(), fitted.height());
    nothing_->setGeometry(0, top, width(), std::min(room, 220));
    int y = top + (overlay_->isVisibleTo(this) ? fitted.height() : nothing_->height()) + 4;
    if (legend > 0) legend_->setGeometry(0, y, width(), legend - 4);
    y += legend;
    foot_->setGeometry(0, y, std::max(220, std::min(width(), fitted.width())), 24);
}

}  // namespace es::views
