// SPDX-License-Identifier: GPL-3.0-or-later
// The legend below an overlay: experts with their shares, or the colour bar of the values shown.
#pragma once

#include <QWidget>
#include <vector>

#include "views/overlay/overlay_legend.h"
#include "views/theme/theme.h"

namespace es::views {

/// Wraps to its width. Click or Space highlights an expert, again lets it go; arrow keys move. GUI thread only.
class ExpertLegend : public QWidget {
    Q_OBJECT
public:
    explicit ExpertLegend(Theme* theme, QWidget* parent = nullptr);
    void setPanel(const analysis::OverlayPanel& panel);
    void setHighlightedExpert(int expert);
    [[nodiscard]] const std::vector<LegendEntry>& entries() const { return entries_; }
    [[nodiscard]] QRectF entryRect(int entry) const;

    [[nodiscard]] bool hasHeightForWidth() const override { return true; }
    [[nodiscard]] int heightForWidth(int width) const override;
    [[nodiscard]] QSize sizeHint() const override { return {320, heightForWidth(320)}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {120, 4}; }

Q_SIGNALS:
    void expertClicked(int expert);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    [[nodiscard]] LegendLayout layoutFor(double width) const;
    void restyle();

    Theme* theme_;
    analysis::OverlayPanel scale_;  ///< of the value bar; without cells
    std::vector<LegendEntry> entries_;
    OverlayStyle style_;
    LegendLayout layout_;
    int current_ = 0;  ///< entry that the keyboard is on
};

}  // namespace es::views
