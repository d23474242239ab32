// SPDX-License-Identifier: GPL-3.0-or-later
// Which colours the expert's patches have, beside those of all patches: two strips cut by share, in the patches' own mean colours.
#pragma once

#include <QWidget>

#include "analysis/experts/expert_profile.h"
#include "views/theme/theme.h"

namespace es::views {

/// Below the strips, the other properties with their difference and its interval. GUI thread only.
class ColourStrip : public QWidget {
    Q_OBJECT
public:
    explicit ColourStrip(Theme* theme, QWidget* parent = nullptr);
    void setLooks(const analysis::ExpertLooks& looks);
    [[nodiscard]] const analysis::ExpertLooks& looks() const { return looks_; }
    /// Read-out under a point; empty outside the strips.
    [[nodiscard]] QString readoutAt(const QPointF& point) const;
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override { return {160, 60}; }

protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

private:
    [[nodiscard]] QRectF strip(int which) const;  ///< 0 its patches, 1 all
    Theme* theme_;
    analysis::ExpertLooks looks_;
    std::vector<std::size_t> order_;  ///< of the hues: around the circle, then the greys
};

}  // namespace es::views
