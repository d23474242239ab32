// SPDX-License-Identifier: GPL-3.0-or-later
// The words of a sample as chips in their experts' colours.
#pragma once

#include <QWidget>
#include <functional>

#include "analysis/figures/panel_data.h"
#include "views/overlay/overlay_chips.h"
#include "views/theme/theme.h"

namespace es::views {

/// Wraps to its width. Click or arrow keys choose a word. GUI thread only. Indices are into panel().words.
class TokenChips : public QWidget {
    Q_OBJECT
public:
    explicit TokenChips(Theme* theme, QWidget* parent = nullptr);
    void setPanel(analysis::OverlayPanel panel);
    [[nodiscard]] const analysis::OverlayPanel& panel() const { return panel_; }
    void setReadout(std::function<QString(int)> readout) { readout_ = std::move(readout); }
    void setSelected(int word);
    [[nodiscard]] int selected() const { return style_.selected; }
    void setAlso(std::vector<int> words);  ///< selected besides
    void setHighlightedExpert(int expert);
    [[nodiscard]] QRectF chipRect(int word) const;
    /// Shows the read-out of the word under the pointer anew: it says more now.
    void refreshReadout();
    [[nodiscard]] QString readout(int word) const { return readout_ ? readout_(word) : QString(); }

    [[nodiscard]] bool hasHeightForWidth() const override { return true; }
    [[nodiscard]] int heightForWidth(int width) const override;
    [[nodiscard]] QSize sizeHint() const override { return {320, heightForWidth(320)}; }
    [[nodiscard]] QSize minimumSizeHint() const override;

Q_SIGNALS:
    void wordClicked(int word);
    void wordAdded(int word);    ///< the same with Shift: besides those selected
    void wordHovered(int word);  ///< -1: none
    void highlightCleared();

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool event(QEvent* event) override;

private:
    [[nodiscard]] ChipLayout layoutFor(double width) const;
    void relayout();
    void restyle();
    void hover(int word);
    void describe();

    Theme* theme_;
    analysis::OverlayPanel panel_;
    OverlayStyle style_;
    ChipLayout layout_;
    std::function<QString(int)> readout_;
};

}  // namespace es::views
