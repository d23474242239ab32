// SPDX-License-Identifier: GPL-3.0-or-later
// A slider over checkpoints that shows what changed between them: the selected token's expert, churn and loss.
#pragma once

#include <QAbstractSlider>
#include <QPixmap>
#include <optional>
#include <vector>

#include "views/inspect/inspect_data.h"
#include "views/theme/theme.h"

namespace es::views {

/// Values are indices into steps(). Drag, click, arrow keys, Page Up and Down, Home and End move; Space asks to play. GUI thread only.
class ScrubberView : public QAbstractSlider {
    Q_OBJECT
public:
    explicit ScrubberView(Theme* theme, QWidget* parent = nullptr);
    void setSteps(std::vector<std::int64_t> steps, std::int64_t configured_steps);
    [[nodiscard]] const std::vector<std::int64_t>& steps() const { return steps_; }
    /// Moves the playhead without a signal.
    void showStep(std::int64_t step);
    void setHistory(std::optional<analysis::TokenHistory> history, const QString& caption);
    void setCurves(std::optional<TrainingCurves> curves);
    void setSampleChurn(analysis::Curve churn);
    /// Words at a spike: what happened, and how many of the sample's tokens changed their expert at the first probe after it.
    [[nodiscard]] QString spikeText(const analysis::XMarker& spike) const;
    /// Spikes whose words stand together: one, or several near each other.
    struct SpikeWords {
        std::vector<std::size_t> spikes;  ///< places in the curves' spikes, by step
        QString text;                     ///< as it is drawn: cut where there is no room
        QRectF place;
    };
    /// What is written of the spikes beside the caption, above the curves. From left to right; spikes without room for words are in none.
    [[nodiscard]] std::vector<SpikeWords> spikeWords() const;
    /// Where a step is drawn, in widget coordinates.
    [[nodiscard]] double xOf(double step) const;
    [[nodiscard]] QRectF plotArea() const;
    [[nodiscard]] double largestLoss() const { return largest_loss_; }
    [[nodiscard]] QSize sizeHint() const override { return {600, 150}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {240, 96}; }

Q_SIGNALS:
    void playRequested();

protected:
    bool event(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    [[nodiscard]] QRectF stripArea() const;
    [[nodiscard]] QRectF stripCell(std::size_t index) const;
    [[nodiscard]] int nearest(double x) const;
    [[nodiscard]] QString readout(int index) const;
    [[nodiscard]] QString spikeTip(const QPointF& at) const;
    void measure();
    void redraw();
    void paintStill(QPainter& painter);
    void paintAxes(QPainter& painter) const;
    void paintStrip(QPainter& painter) const;
    void paintCurves(QPainter& painter) const;
    void paintSpikes(QPainter& painter) const;
    void paintPlayhead(QPainter& painter) const;
    void paintReadout(QPainter& painter) const;

    Theme* theme_;
    std::vector<std::int64_t> steps_;
    std::int64_t configured_ = 0;
    std::optional<analysis::TokenHistory> history_;
    QString history_caption_;
    std::optional<TrainingCurves> curves_;
    analysis::Curve sample_churn_;
    double last_ = 1, largest_loss_ = 0;
    int hovered_ = -1;
    QPixmap still_;  ///< all but the playhead and the read-out; null: to be drawn anew
};

}  // namespace es::views
