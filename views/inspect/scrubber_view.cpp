// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/scrubber_view.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QToolTip>
#include <algorithm>
#include <cmath>

namespace es::views {
namespace {

/// As far as it is drawn here. NaN, a gap in the line, is as another NaN.
bool sameCurve(const analysis::Curve& a, const analysis::Curve& b) {
    const auto same = [](double one, double other) { return one == other || (std::isnan(one) && std::isnan(other)); };
    return a.x == b.x && std::equal(a.y.begin(), a.y.end(), b.y.begin(), b.y.end(), same);
}

}  // namespace

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
    connect(theme_, &Theme::changed, this, &ScrubberView::redraw);
    connect(this, &QAbstractSlider::valueChanged, this, [this](int at) { setAccessibleDescription(readout(at)); });
}

/// Another step or a pointer that moves only moves what lies on top; this is for all that lies below.
void ScrubberView::redraw() {
    still_ = {};
    update();
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
    if (steps == steps_ && configured_steps == configured_) return;
    const QSignalBlocker quiet(this);
    const std::int64_t shown = value() < static_cast<int>(steps_.size()) ? steps_[static_cast<std::size_t>(value())] : -1;
    steps_ = std::move(steps);
    configured_ = configured_steps;
    setRange(0, std::max(0, static_cast<int>(steps_.size()) - 1));
    setEnabled(steps_.size() > 1);
    measure();
    showStep(shown);
    redraw();
}

void ScrubberView::showStep(std::int64_t step) {
    const auto at = std::upper_bound(steps_.begin(), steps_.end(), step);
    const QSignalBlocker quiet(this);
    const int before = value();
    setValue(at == steps_.begin() ? 0 : static_cast<int>(at - steps_.begin()) - 1);
    setAccessibleDescription(readout(value()));
    if (value() != before) update();
}

void ScrubberView::setHistory(std::optional<analysis::TokenHistory> history, const QString& caption) {
    const auto same = [](const analysis::TokenHistory& a, const analysis::TokenHistory& b) {
        return a.step == b.step && a.expert == b.expert && a.weight == b.weight;
    };
    const bool drawn = history.has_value() == history_.has_value() && (!history || same(*history, *history_)) && caption == history_caption_;
    history_ = std::move(history);
    history_caption_ = caption;
    if (!drawn) redraw();
}

void ScrubberView::setCurves(std::optional<TrainingCurves> curves) {
    const auto same = [](const TrainingCurves& a, const TrainingCurves& b) {
        return sameCurve(a.churn, b.churn) && sameCurve(a.saturation, b.saturation) && sameCurve(a.loss, b.loss) &&
               std::equal(a.spikes.begin(), a.spikes.end(), b.spikes.begin(), b.spikes.end(),
                          [](const analysis::XMarker& one, const analysis::XMarker& other) { return one.x == other.x && one.label == other.label; });
    };
    const bool drawn = curves.has_value() == curves_.has_value() && (!curves || same(*curves, *curves_));
    curves_ = std::move(curves);
    measure();
    if (!drawn) redraw();
}

void ScrubberView::setSampleChurn(analysis::Curve churn) {
    const bool drawn = sameCurve(churn, sample_churn_);
    sample_churn_ = std::move(churn);
    if (!drawn) redraw();
}

int ScrubberView::nearest(double x) const {
    int best = 0;
    for (std::size_t i = 1; i < steps_.size(); ++i)
        if (std::abs(xOf(static_cast<double>(steps_[i])) - x) < std::abs(xOf(static_cast<double>(steps_[static_cast<std::size_t>(best)])) - x))
            best = static_cast<int>(i);
    return best;
}

bool ScrubberView::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QAbstractSlider::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    if (const QString tip = spikeTip(help->pos()); !tip.isEmpty()) QToolTip::showText(help->globalPos(), tip, this);
    else QToolTip::hideText();
    return true;
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
