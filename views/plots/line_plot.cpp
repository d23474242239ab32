// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/line_plot.h"

#include <QKeyEvent>
#include <QTimer>
#include <algorithm>
#include <cmath>

#include "views/plots/line_overlay.h"
#include "views/plots/qcustomplot_door.h"
#include "views/plots/reduction.h"

namespace es::views {
namespace {

using analysis::Curve;
using analysis::Scale;

/// Ticks that LinePlot has worked out already.
class FixedTicker : public QCPAxisTicker {
public:
    page::Ticks ticks;
    void generate(const QCPRange& range, const QLocale&, QChar, int, QVector<double>& at, QVector<double>* sub, QVector<QString>* labels) override {
        at.clear();
        if (sub) sub->clear();
        if (labels) labels->clear();
        for (std::size_t i = 0; i < ticks.at.size(); ++i) {
            if (!range.contains(ticks.at[i])) continue;
            at << ticks.at[i];
            if (labels) *labels << ticks.labels[i];
        }
    }
};

Qt::PenStyle penStyle(analysis::LineStyle style) {
    switch (style) {
        case analysis::LineStyle::kSolid: return Qt::SolidLine;
        case analysis::LineStyle::kDashed: return Qt::DashLine;
        case analysis::LineStyle::kDotted: return Qt::DotLine;
    }
    return Qt::SolidLine;
}

constexpr double kPointRadius = 4;  // pixels

QColor faded(QColor color, double opacity) {
    color.setAlphaF(static_cast<float>(opacity));
    return color;
}

bool ascending(const std::vector<double>& x) { return std::is_sorted(x.begin(), x.end()); }

}  // namespace

/// A curve made ready for drawing: x ascending where it can be, and the graphs that show it.
struct LinePlot::Drawn {
    const Curve* curve = nullptr;
    bool graphable = true;  ///< x ascends (or descends, and was turned around)
    std::vector<double> x, y, low, high;
    QCPGraph *main = nullptr, *raw = nullptr, *band_low = nullptr, *band_high = nullptr;
    QCPCurve* free = nullptr;
    QCPErrorBars* bars = nullptr;
};

LinePlot::LinePlot(Theme* theme, QWidget* parent) : QWidget(parent), theme_(theme), style_(PlotStyle::screen(*theme)), plot_(new QCustomPlot(this)) {
    overlay_ = new Overlay(this);
    setFocusPolicy(Qt::StrongFocus);
    plot_->setFocusPolicy(Qt::NoFocus);
    plot_->setAttribute(Qt::WA_TransparentForMouseEvents);
    plot_->setNoAntialiasingOnDrag(false);
    plot_->plotLayout()->setRowSpacing(0);
    for (QCPAxis* axis : {plot_->xAxis, plot_->yAxis}) {
        axis->setTicker(QSharedPointer<QCPAxisTicker>(new FixedTicker));
        axis->setTickLength(0, 4);
        axis->setSubTicks(false);
        axis->grid()->setZeroLinePen(Qt::NoPen);
        axis->grid()->setSubGridVisible(false);
        axis->setTickLabelPadding(4);
        axis->setLabelPadding(1);
    }
    plot_->xAxis->grid()->setVisible(false);
    plot_->yAxis->setLabelPadding(4);
    plot_->axisRect()->setMinimumSize(20, 20);
    overlay_->installEventFilter(this);
    overlay_->setMouseTracking(true);
    setAccessibleName(tr("Plot"));
    connect(theme_, &Theme::changed, this, [this] {
        style_ = PlotStyle::screen(*theme_);
        build();
    });
    connect(plot_, &QCustomPlot::afterReplot, overlay_, qOverload<>(&QWidget::update));
    applyStyle();
}

LinePlot::~LinePlot() = default;

void LinePlot::applyStyle() {
    const ThemeColors& c = style_.colors;
    plot_->setBackground(QBrush(c.panel));
    for (QCPAxis* axis : {plot_->xAxis, plot_->yAxis}) {
        axis->setBasePen(QPen(c.faint, 1));
        axis->setTickPen(QPen(c.faint, 1));
        axis->setTickLabelFont(style_.axis_font);
        axis->setTickLabelColor(c.muted);
        axis->setLabelFont(style_.axis_font);
        axis->setLabelColor(c.text);
    }
    QPen grid(c.line, 1, Qt::CustomDashLine);
    grid.setDashPattern({2, 3});
    plot_->yAxis->grid()->setPen(grid);
    plot_->yAxis->grid()->setAntialiased(false);
}

void LinePlot::setPanel(std::shared_ptr<const analysis::LinePanel> panel) {
    const bool same_axes = panel_ && panel && panel_->x.title == panel->x.title && panel_->x.scale == panel->x.scale && panel_->y.title == panel->y.title &&
                           panel_->y.scale == panel->y.scale;
    if (panel_ && !same_axes) {
        x_view_.reset();
        y_view_.reset();
    }
    panel_ = std::move(panel);
    hover_x_.reset();
    build();
}

void LinePlot::build() {
    applyStyle();
    plot_->clearPlottables();
    drawn_.clear();
    names_.clear();  // they point into the panel that has just gone; a paint may come before they are planned anew
    if (!panel_) return schedule();
    for (const Curve& curve : panel_->curves) {
        auto drawn = std::make_unique<Drawn>();
        drawn->curve = &curve;
        drawn->x = curve.x;
        drawn->y = curve.y;
        drawn->low = curve.low;
        drawn->high = curve.high;
        if (!ascending(drawn->x)) {
            std::vector<double> turned(drawn->x.rbegin(), drawn->x.rend());
            if (ascending(turned)) {
                drawn->x = std::move(turned);
                for (auto* values : {&drawn->y, &drawn->low, &drawn->high}) std::reverse(values->begin(), values->end());
            } else {
                drawn->graphable = false;
            }
        }
        const QColor color = Theme::color(curve.color, style_.colors);
        const bool banded = drawn->low.size() == drawn->x.size() && drawn->high.size() == drawn->x.size() && !drawn->x.empty();
        if (banded && !curve.points && drawn->graphable) {
            drawn->band_low = plot_->addGraph();
            drawn->band_high = plot_->addGraph();
            for (QCPGraph* edge : {drawn->band_low, drawn->band_high}) edge->setPen(Qt::NoPen);
            drawn->band_high->setBrush(faded(color, style_.band_opacity));
            drawn->band_high->setChannelFillGraph(drawn->band_low);
        }
        if (!curve.raw_x.empty() && ascending(curve.raw_x)) {
            drawn->raw = plot_->addGraph();
            drawn->raw->setPen(QPen(faded(color, style_.raw_opacity), style_.raw));
        }
        QPen pen(color, style_.curve, penStyle(curve.style), Qt::FlatCap, Qt::BevelJoin);  // round joins cost an arc a point
        if (curve.style == analysis::LineStyle::kDashed) pen.setDashPattern({4, 2.5});
        if (curve.style == analysis::LineStyle::kDotted) pen.setDashPattern({1.2, 2.2});
        if (drawn->graphable) {
            drawn->main = plot_->addGraph();
            drawn->main->setAdaptiveSampling(false);
            if (curve.points) {
                drawn->main->setLineStyle(QCPGraph::lsNone);
                drawn->main->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssCircle, QPen(style_.colors.panel, 1), color, 2 * kPointRadius));
                if (banded) {
                    drawn->bars = new QCPErrorBars(plot_->xAxis, plot_->yAxis);
                    drawn->bars->setDataPlottable(drawn->main);
                    drawn->bars->setPen(QPen(color, 1));
                    drawn->bars->setWhiskerWidth(0);
                    drawn->bars->setSymbolGap(0);
                }
            } else {
                drawn->main->setPen(pen);
            }
        } else {
            drawn->free = new QCPCurve(plot_->xAxis, plot_->yAxis);
            drawn->free->setPen(curve.points ? Qt::NoPen : pen);
            if (curve.points) {
                drawn->free->setLineStyle(QCPCurve::lsNone);
                drawn->free->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssCircle, QPen(style_.colors.panel, 1), color, 2 * kPointRadius));
            }
        }
        drawn_.push_back(std::move(drawn));
    }
    setAccessibleDescription(
        tr("%1 curves of %2 over %3").arg(panel_->curves.size()).arg(QString::fromStdString(panel_->y.title), QString::fromStdString(panel_->x.title)));
    schedule();
}

void LinePlot::schedule() {
    if (scheduled_) return;
    scheduled_ = true;
    QTimer::singleShot(0, this, [this] {
        if (scheduled_) redraw();
    });
}

void LinePlot::redraw() {
    scheduled_ = false;
    layoutAxes();
    fillGraphs();
    plot_->replot(QCustomPlot::rpQueuedRefresh);
    overlay_->update();
}

page::AxisRange LinePlot::wholeX() const {
    double low = INFINITY, high = -INFINITY;
    for (const auto& drawn : drawn_) {
        for (const double x : drawn->x)
            if (std::isfinite(x)) low = std::min(low, x), high = std::max(high, x);
        if (drawn->raw) low = std::min(low, drawn->curve->raw_x.front()), high = std::max(high, drawn->curve->raw_x.back());
    }
    if (panel_->x.scale == Scale::kLog)
        for (const auto& drawn : drawn_)
            for (const double x : drawn->x)
                if (x > 0 && (!(low > 0) || x < low)) low = x;
    const bool scatter = std::any_of(drawn_.begin(), drawn_.end(), [](const auto& d) { return !d->graphable; }) ||
                         (!drawn_.empty() && std::all_of(drawn_.begin(), drawn_.end(), [](const auto& d) { return d->curve->points; }));
    // A point on the edge would be cut in half.
    const double room = scatter && panel_->x.scale == Scale::kLinear && high > low ? 0.05 * (high - low) : 0;
    return axisRange(panel_->x, low - room, high + room, scatter);
}

std::pair<double, double> LinePlot::visibleY(double low, double high) const {
    double bottom = INFINITY, top = -INFINITY;
    const bool log = panel_->y.scale == Scale::kLog;
    const auto take = [&](double y) {
        if (std::isfinite(y) && (!log || y > 0)) bottom = std::min(bottom, y), top = std::max(top, y);
    };
    const auto scan = [&](const std::vector<double>& x, const std::vector<double>& y) {
        for (std::size_t i = 0; i < x.size() && i < y.size(); ++i)
            if (x[i] >= low && x[i] <= high) take(y[i]);
    };
    for (const auto& drawn : drawn_) {
        scan(drawn->x, drawn->y);
        scan(drawn->x, drawn->low);
        scan(drawn->x, drawn->high);
        if (drawn->raw) scan(drawn->curve->raw_x, drawn->curve->raw_y);
    }
    for (const analysis::YLine& line : panel_->lines) take(line.y);
    return {bottom, top};
}

void LinePlot::makeRoomForPoints(page::AxisRange& range, double length, std::vector<double> Drawn::*values) const {
    if (range.scale != Scale::kLinear || !(length > 4 * kPointRadius)) return;
    const double room = kPointRadius / length * (range.high - range.low), low = std::min(range.low, range.high), high = std::max(range.low, range.high);
    bool at_low = false, at_high = false;
    for (const auto& drawn : drawn_) {
        if (!drawn->curve->points) continue;
        for (const double value : (*drawn).*values) {
            at_low = at_low || (value >= low && value < low + std::abs(room));
            at_high = at_high || (value <= high && value > high - std::abs(room));
        }
    }
    const bool reversed = room < 0;
    if (reversed ? at_high : at_low) range.low -= room;
    if (reversed ? at_low : at_high) range.high += room;
}

void LinePlot::layoutAxes() {
    if (!panel_ || drawn_.empty()) {
        plot_->axisRect()->setVisible(false);
        for (QCPAxis* axis : {plot_->xAxis, plot_->yAxis}) axis->setVisible(false);
        return;
    }
    x_ = x_view_.value_or(wholeX());
    const auto [bottom, top] = visibleY(std::min(x_.low, x_.high), std::max(x_.low, x_.high));
    y_ = y_view_.value_or(axisRange(panel_->y, bottom, top, true));
    cut_.clear();
    const double y_low = std::min(y_.low, y_.high), y_high = std::max(y_.low, y_.high), slack = 1e-9 * (y_high - y_low);
    if (top > y_high + slack) cut_ = tr("axis cut: data up to %1").arg(readout(top));
    if (bottom < y_low - slack)
        cut_ = cut_.isEmpty() ? tr("axis cut: data down to %1").arg(readout(bottom)) : tr("axis cut: data from %1 to %2").arg(readout(bottom), readout(top));
    if (!x_view_) makeRoomForPoints(x_, width() - 60, &Drawn::x);
    if (!y_view_) makeRoomForPoints(y_, height() - 44, &Drawn::y);
    planLabels();
    plot_->axisRect()->setVisible(true);
    plot_->axisRect()->setAutoMargins(QCP::msLeft | QCP::msBottom);
    plot_->axisRect()->setMargins(QMargins(0, top_room_, right_room_, 0));
    const auto dress = [this](QCPAxis* axis, const page::AxisRange& range, const analysis::Axis& words, double length, double spacing) {
        axis->setVisible(true);
        axis->setScaleType(range.scale == Scale::kLog ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
        axis->setRangeReversed(range.low > range.high);
        axis->setRange(std::min(range.low, range.high), std::max(range.low, range.high));
        auto* ticker = static_cast<FixedTicker*>(axis->ticker().data());
        if (words.categories.empty()) {
            ticker->ticks = screenTicks(range, length, spacing);
        } else {
            ticker->ticks = {};
            for (std::size_t i = 0; i < words.categories.size(); ++i) {
                ticker->ticks.at.push_back(static_cast<double>(i));
                ticker->ticks.labels.push_back(QString::fromStdString(words.categories[i]));
            }
        }
        axis->setLabel(page::titleWithExponent(QString::fromStdString(words.title), ticker->ticks.exponent));
    };
    dress(plot_->xAxis, x_, panel_->x, width() - 60 - right_room_, 66);
    dress(plot_->yAxis, y_, panel_->y, height() - 44 - top_room_, 32);
}

void LinePlot::fillGraphs() {
    const int columns = std::max(50, width());
    const double low = std::min(x_.low, x_.high), high = std::max(x_.low, x_.high);
    const bool log = y_.scale == Scale::kLog;
    const auto fill = [&](QCPGraph* graph, const std::vector<double>& x, const std::vector<double>& y, bool reduce) {
        ReducedCurve shown = reduce ? reduceCurve(x, y, low, high, columns) : ReducedCurve{x, y, false};
        if (log)
            for (double& value : shown.y)
                if (!(value > 0)) value = analysis::kMissing;
        graph->setData(QVector<double>(shown.x.begin(), shown.x.end()), QVector<double>(shown.y.begin(), shown.y.end()), true);
    };
    for (const auto& d : drawn_) {
        if (d->main) fill(d->main, d->x, d->y, !d->curve->points);
        if (d->raw) fill(d->raw, d->curve->raw_x, d->curve->raw_y, true);
        if (d->band_low) fill(d->band_low, d->x, d->low, true);
        if (d->band_high) fill(d->band_high, d->x, d->high, true);
        if (d->free) d->free->setData(QVector<double>(d->x.begin(), d->x.end()), QVector<double>(d->y.begin(), d->y.end()));
        if (d->bars) {
            QVector<double> below, above;
            for (std::size_t i = 0; i < d->x.size(); ++i) {
                below << (std::isfinite(d->low[i]) ? d->y[i] - d->low[i] : 0);
                above << (std::isfinite(d->high[i]) ? d->high[i] - d->y[i] : 0);
            }
            d->bars->setData(below, above);
        }
    }
}

void LinePlot::setCursorX(std::optional<double> x) {
    if (x == cursor_x_) return;
    cursor_x_ = x;
    overlay_->update();
}

QRectF LinePlot::dataArea() const { return QRectF(plot_->axisRect()->rect()); }

QPointF LinePlot::toPixel(double x, double y) const { return {plot_->xAxis->coordToPixel(x), plot_->yAxis->coordToPixel(y)}; }

void LinePlot::showAll() {
    const bool was = x_view_ || y_view_;
    x_view_.reset();
    y_view_.reset();
    schedule();
    if (was) Q_EMIT viewChanged();
}

void LinePlot::setXView(double low, double high) {
    const page::AxisRange whole = wholeX();
    if (whole.scale == Scale::kLog && !(low > 0)) return;
    if (!(std::abs(high - low) > 1e-12 * std::max({std::abs(low), std::abs(high), 1e-300}))) return;
    x_view_ = page::AxisRange{low, high, whole.scale};
    schedule();
    Q_EMIT viewChanged();
}

void LinePlot::zoomX(double factor, double centre) {
    if (!panel_ || drawn_.empty()) return;
    if (x_.scale == Scale::kLog) return setXView(centre * std::pow(x_.low / centre, factor), centre * std::pow(x_.high / centre, factor));
    setXView(centre + (x_.low - centre) * factor, centre + (x_.high - centre) * factor);
}

void LinePlot::panX(double pixels) {
    if (!panel_ || drawn_.empty()) return;
    const double left = plot_->xAxis->coordToPixel(x_.low), right = plot_->xAxis->coordToPixel(x_.high);
    setXView(plot_->xAxis->pixelToCoord(left + pixels), plot_->xAxis->pixelToCoord(right + pixels));
}

QJsonObject LinePlot::viewState() const {
    if (!x_view_) return {};
    return {{QStringLiteral("x_low"), x_view_->low}, {QStringLiteral("x_high"), x_view_->high}, {QStringLiteral("log"), x_view_->scale == Scale::kLog}};
}

void LinePlot::restoreViewState(const QJsonObject& state) {
    const double low = state.value(QLatin1String("x_low")).toDouble(), high = state.value(QLatin1String("x_high")).toDouble();
    if (!(low < high)) return;
    x_view_ = page::AxisRange{low, high, state.value(QLatin1String("log")).toBool() ? Scale::kLog : Scale::kLinear};
    schedule();
}

bool LinePlot::event(QEvent* event) {
    if (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut) {
        const Qt::FocusReason reason = static_cast<QFocusEvent*>(event)->reason();
        ring_ = event->type() == QEvent::FocusIn && reason != Qt::MouseFocusReason && reason != Qt::ActiveWindowFocusReason && reason != Qt::OtherFocusReason;
        overlay_->update();
    }
    return QWidget::event(event);
}

void LinePlot::resizeEvent(QResizeEvent*) {
    plot_->setGeometry(rect());
    overlay_->setGeometry(rect());
    redraw();
}

void LinePlot::keyPressEvent(QKeyEvent* event) {
    const bool shift = event->modifiers() & Qt::ShiftModifier;
    const double centre = hover_x_.value_or((x_.low + x_.high) / 2);
    switch (event->key()) {
        case Qt::Key_Plus:
        case Qt::Key_Equal: return zoomX(0.8, centre);
        case Qt::Key_Minus: return zoomX(1.25, centre);
        case Qt::Key_0:
        case Qt::Key_Home: return showAll();
        case Qt::Key_Left:
        case Qt::Key_Right: {
            const int direction = event->key() == Qt::Key_Right ? 1 : -1;
            if (shift) return panX(direction * dataArea().width() / 10);
            const double from = hover_x_ ? plot_->xAxis->coordToPixel(*hover_x_) : direction > 0 ? dataArea().left() - 4 : dataArea().right() + 4;
            hover_x_ = plot_->xAxis->pixelToCoord(std::clamp(from + direction * 4.0, dataArea().left(), dataArea().right()));
            hover_y_px_ = dataArea().center().y();
            return overlay_->update();
        }
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (hover_x_) Q_EMIT clicked(*hover_x_);
            return;
        case Qt::Key_Escape:
            if (!hover_x_) break;
            hover_x_.reset();
            return overlay_->update();
        default: break;
    }
    QWidget::keyPressEvent(event);
}

bool LinePlot::eventFilter(QObject* watched, QEvent* event) {
    if (watched != overlay_ || !panel_ || drawn_.empty()) return QWidget::eventFilter(watched, event);
    switch (event->type()) {
        case QEvent::MouseMove: {
            const QPointF at = static_cast<QMouseEvent*>(event)->position();
            if (dragging_) {
                if (!moved_ && (at - pressed_).manhattanLength() < 4) return true;
                moved_ = true;
                panX(pressed_.x() - at.x());
                pressed_ = at;
                hover_x_.reset();
                layoutAxes();  // the next move starts from the new range
                return true;
            }
            if (dataArea().adjusted(-2, -2, 2, 2).contains(at)) hover_x_ = plot_->xAxis->pixelToCoord(at.x());
            else hover_x_.reset();
            hover_y_px_ = at.y();
            overlay_->update();
            return true;
        }
        case QEvent::Leave:
            hover_x_.reset();
            overlay_->update();
            return false;
        case QEvent::MouseButtonPress: {
            const auto* mouse = static_cast<QMouseEvent*>(event);
            if (mouse->button() != Qt::LeftButton) return false;
            setFocus(Qt::MouseFocusReason);
            dragging_ = dataArea().contains(mouse->position());
            moved_ = false;
            pressed_ = mouse->position();
            return true;
        }
        case QEvent::MouseButtonRelease: {
            const auto* mouse = static_cast<QMouseEvent*>(event);
            if (mouse->button() != Qt::LeftButton) return false;
            if (dragging_ && !moved_) Q_EMIT clicked(plot_->xAxis->pixelToCoord(mouse->position().x()));
            dragging_ = false;
            return true;
        }
        case QEvent::MouseButtonDblClick: showAll(); return true;
        case QEvent::Wheel: {
            const auto* wheel = static_cast<QWheelEvent*>(event);
            if (!dataArea().contains(wheel->position()) || wheel->angleDelta().y() == 0) return false;
            const double factor = std::pow(0.85, wheel->angleDelta().y() / 120.0);
            if (wheel->modifiers() & Qt::ControlModifier) {
                const double centre = plot_->yAxis->pixelToCoord(wheel->position().y());
                if (y_.scale == Scale::kLog)
                    y_view_ = page::AxisRange{centre * std::pow(y_.low / centre, factor), centre * std::pow(y_.high / centre, factor), y_.scale};
                else y_view_ = page::AxisRange{centre + (y_.low - centre) * factor, centre + (y_.high - centre) * factor, y_.scale};
                schedule();
            } else {
                zoomX(factor, plot_->xAxis->pixelToCoord(wheel->position().x()));
            }
            return true;
        }
        default: return QWidget::eventFilter(watched, event);
    }
}

}  // namespace es::views
