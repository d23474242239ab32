// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/scrubber_view.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <algorithm>
#include <cmath>

namespace es::views {

ScrubberView::ScrubberView(Theme* theme, QWidget* parent) : QAbstractSlider(parent), theme_(theme) {
    setObjectName(QStringLiteral("scrubber"));
    setOrientation(Qt::Horizontal);
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setSingleStep(1);
    setPageStep(5);
    setRange(0, 0);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    setAccessibleName(tr("Checkpoint"));
    connect(theme_, &Theme::changed, this, qOverload<>(&QWidget::update));
    connect(this, &QAbstractSlider::valueChanged, this, [this](int at) { setAccessibleDescription(readout(at)); });
}

void ScrubberView::measure() {
    last_ = static_cast<double>(std::max<std::int64_t>(configured_, steps_.empty() ? 1 : steps_.back()));
    largest_loss_ = 0;
    if (!curves_) return;
    for (const double x : curves_->loss.x) last_ = std::max(last_, x);
    for (const double y : curves_->loss.y)
        if (std::isfinite(y)) largest_loss_ = std::max(largest_loss_, y);
}

void ScrubberView::setSteps(std::vector<std::int64_t> steps, std::int64_t configured_steps) {
    const QSignalBlocker quiet(this);
    const std::int64_t shown = value() < static_cast<int>(steps_.size()) ? steps_[static_cast<std::size_t>(value())] : -1;
    steps_ = std::move(steps);
    configured_ = configured_steps;
    setRange(0, std::max(0, static_cast<int>(steps_.size()) - 1));
    setEnabled(steps_.size() > 1);
    measure();
    showStep(shown);
    update();
}

void ScrubberView::showStep(std::int64_t step) {
    const auto at = std::upper_bound(steps_.begin(), steps_.end(), step);
    const QSignalBlocker quiet(this);
    setValue(at == steps_.begin() ? 0 : static_cast<int>(at - steps_.begin()) - 1);
    setAccessibleDescription(readout(value()));
    update();
}

void ScrubberView::setHistory(std::optional<analysis::TokenHistory> history, const QString& caption) {
    history_ = std::move(history);
    history_caption_ = caption;
    update();
}

void ScrubberView::setCurves(std::optional<TrainingCurves> curves) {
    curves_ = std::move(curves);
    measure();
    update();
}

void ScrubberView::setSampleChurn(analysis::Curve churn) {
    sample_churn_ = std::move(churn);
    update();
}

int ScrubberView::nearest(double x) const {
    int best = 0;
    for (std::size_t i = 1; i < steps_.size(); ++i)
        if (std::abs(xOf(static_cast<double>(steps_[i])) - x) < std::abs(xOf(static_cast<double>(steps_[static_cast<std::size_t>(best)])) - x))
            best = static_cast<int>(i);
    return best;
}

void ScrubberView::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || steps_.empty()) return QAbstractSlider::mousePressEvent(event);
    setSliderDown(true);
    setValue(nearest(event->position().x()));
    event->accept();
}

void ScrubberView::mouseMoveEvent(QMouseEvent* event) {
    if (steps_.empty()) return;
    const int at = nearest(event->position().x());
    if (isSliderDown()) setValue(at);
    if (at != hovered_) {
        hovered_ = at;
        update();
    }
}

void ScrubberView::mouseReleaseEvent(QMouseEvent* event) {
    if (event->button() == Qt::LeftButton) setSliderDown(false);
}

void ScrubberView::leaveEvent(QEvent*) {
    hovered_ = -1;
    update();
}

void ScrubberView::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Space) {
        Q_EMIT playRequested();
        event->accept();
        return;
    }
    QAbstractSlider::keyPressEvent(event);
}

void ScrubberView::focusInEvent(QFocusEvent* event) {
    QAbstractSlider::focusInEvent(event);
    update();
}

void ScrubberView::focusOutEvent(QFocusEvent* event) {
    QAbstractSlider::focusOutEvent(event);
    update();
}

}  // namespace es::views
