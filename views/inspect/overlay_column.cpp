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
    overlay_ = new OverlayWidget(theme, this);
    before_ = new OverlayWidget(theme, this);
    before_->setObjectName(QStringLiteral("overlayBefore"));
    before_->setAccessibleName(tr("Experts on the picture's patches in what it is compared with"));
    before_->hide();
    now_name_ = new QLabel(this);
    before_name_ = new QLabel(this);
    for (QLabel* name : {now_name_, before_name_}) {
        name->setProperty("role", QStringLiteral("strong"));
        name->hide();
    }
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

    connect(opacity_, &QSlider::valueChanged, this, [this](int percent) {
        OverlayChoices choices = model_->overlayChoices();
        choices.opacity = percent / 100.0;
        overlay_->setOpacity(choices.opacity);
        before_->setOpacity(choices.opacity);
        model_->setOverlayChoices(choices);
    });
    connect(in, &QToolButton::clicked, this, [this] { overlay_->setView(overlay_->zoom() * 1.5, overlay_->center()); });
    connect(out, &QToolButton::clicked, this, [this] { overlay_->setView(overlay_->zoom() / 1.5, overlay_->center()); });
    connect(fit, &QToolButton::clicked, this, [this] { overlay_->setView(1, {0.5, 0.5}); });
    prepare(overlay_);
    prepare(before_);
    connect(overlay_, &OverlayWidget::viewChanged, this, [this] {
        followZoom();
        if (before_->isVisibleTo(this) && (before_->zoom() != overlay_->zoom() || before_->center() != overlay_->center()))
            before_->setView(overlay_->zoom(), overlay_->center());
    });
    connect(before_, &OverlayWidget::viewChanged, this, [this] {
        if (before_->isVisibleTo(this) && (before_->zoom() != overlay_->zoom() || before_->center() != overlay_->center()))
            overlay_->setView(before_->zoom(), before_->center());
    });
    connect(legend_, &ExpertLegend::expertClicked, this, [this](int expert) {
        const auto* router = model_->router(overlay_->panel().patches.empty() ? Modality::kText : Modality::kVision);
        if (router) model_->toggleExpert(router->id, expert);
    });
    overlay_->setReadout([this](int patch) { return readout(model_->drawnRouting(), patch); });
    before_->setReadout([this](int patch) { return readout(model_->otherRouting(), patch); });
    followZoom();
}

void OverlayColumn::prepare(OverlayWidget* overlay) {
    connect(overlay, &OverlayWidget::patchClicked, this, [this](int patch) { model_->chooseToken(Modality::kVision, patch); });
    connect(overlay, &OverlayWidget::patchAdded, this, [this](int patch) { model_->addToken(Modality::kVision, patch); });
    connect(overlay, &OverlayWidget::highlightCleared, model_, &InspectModel::clearExpert);
}

QString OverlayColumn::readout(const analysis::SampleRouting* routing, int patch) const {
    QString text = tokenName(model_->record(), Modality::kVision, patch);
    const auto* router = model_->router(Modality::kVision);
    if (!router || !routing) return text;
    for (const auto& reading : pathOf(*routing, Modality::kVision, TokenIndex(patch)))
        if (reading.router.id == router->id) text = readoutText(text, &reading);
    const analysis::OverlayPanel& panel = overlay_->panel();
    const auto at = static_cast<std::size_t>(patch);
    if (routing != model_->drawnRouting() || at >= panel.patches.size()) return text;
    const auto& cell = panel.patches[at];
    if (panel.show_values && model_->overlayChoices().mode >= analysis::OverlayMode::kDropped && std::isfinite(cell.value))
        text += QStringLiteral(" · %1: %2").arg(QString::fromStdString(panel.value_title), numberText(static_cast<double>(cell.value), 3));
    if (cell.changed && !panel.change_title.empty())
        text += cell.before >= 0 ? tr(" · expert %1 before (%2)").arg(cell.before).arg(QString::fromStdString(panel.change_title))
                                 : tr(" · no expert before (%1)").arg(QString::fromStdString(panel.change_title));
    return text;
}

void OverlayColumn::setBefore(const analysis::OverlayPanel* panel, const QString& before_name, const QString& now_name) {
    const bool shown = panel && overlay_->isVisibleTo(this);
    before_->setVisible(shown);
    before_name_->setVisible(shown);
    now_name_->setVisible(shown);
    if (shown) {
        before_name_->setText(before_name);
        now_name_->setText(now_name);
    }
    arrange();
    if (!shown) return;
    {
        const QSignalBlocker quiet(before_);  // it follows the zoom here and has none of its own yet
        before_->setPanel(*panel);
        before_->setOpacity(model_->overlayChoices().opacity);
        before_->setView(overlay_->zoom(), overlay_->center());
    }
    followChoice();
}

void OverlayColumn::setPanel(const analysis::OverlayPanel& panel, bool routed) {
    const OverlayChoices& choices = model_->overlayChoices();
    const bool pictured = panel.grid_width > 0 || !panel.picture.empty();
    overlay_->setVisible(pictured);
    nothing_->setVisible(!pictured);
    foot_->setVisible(pictured);
    if (!pictured)
        nothing_->show(QStringLiteral("text"), tr("A sample without a picture"), tr("It was recorded as a caption alone: its words are on the right."));
    setDisabledReason(opacity_, routed ? QString() : tr("There is no routing to show"));
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
    const bool patches = shown.token_modality == Modality::kVision;
    std::vector<int> also;
    for (const TokenIndex token : shown.more_tokens)
        if (patches) also.push_back(token.value);
    for (OverlayWidget* overlay : {overlay_, before_}) {
        overlay->setSelected(patches ? shown.token.value : -1);
        overlay->setAlso(also);
        overlay->setHighlightedExpert(router && router->id == shown.router && !model_->ofOneExpert() ? shown.expert.value : -1);
    }
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
    const bool both = before_->isVisibleTo(this);
    const int top = both ? now_name_->sizeHint().height() + 4 : 0;
    const int side = both ? (width() - kGap) / 2 : width();
    const int foot = foot_->isVisibleTo(this) ? 26 : 0;
    const int legend = legend_->isVisibleTo(this) ? legend_->heightForWidth(width()) + 4 : 0;
    const int room = std::max(60, height() - top - legend - foot);
    const analysis::OverlayPanel& panel = overlay_->panel();
    QSizeF shape = panel.picture.empty() ? QSizeF(panel.grid_width, panel.grid_height) : QSizeF(panel.picture.width, panel.picture.height);
    if (shape.isEmpty()) shape = QSizeF(1, 1);
    const QSize fitted = shape.scaled(side - 4, room - 4, Qt::KeepAspectRatio).toSize() + QSize(4, 4);
    const int left = both ? fitted.width() + kGap : 0;
    overlay_->setGeometry(left, top, fitted.width(), fitted.height());
    before_->setGeometry(0, top, fitted.width(), fitted.height());
    before_name_->setGeometry(2, 0, fitted.width(), top);
    now_name_->setGeometry(left + 2, 0, fitted.width(), top);
    nothing_->setGeometry(0, top, width(), std::min(room, 220));
    int y = top + (overlay_->isVisibleTo(this) ? fitted.height() : nothing_->height()) + 4;
    if (legend > 0) legend_->setGeometry(0, y, width(), legend - 4);
    y += legend;
    foot_->setGeometry(0, y, std::max(220, std::min(width(), fitted.width())), 24);
}

}  // namespace es::views
