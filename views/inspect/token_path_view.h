// SPDX-License-Identifier: GPL-3.0-or-later
// The way of one token through all routers that saw it, one row each.
#pragma once

#include <QWidget>
#include <vector>

#include "analysis/figures/inspect_panels.h"
#include "views/theme/theme.h"

namespace es::views {

/// Click or Return goes to a row's router; Up and Down move. GUI thread only.
class TokenPathView : public QWidget {
    Q_OBJECT
public:
    static constexpr int kRow = 26;
    explicit TokenPathView(Theme* theme, QWidget* parent = nullptr);
    void setPath(std::vector<analysis::TokenReading> path, RouterId current);
    [[nodiscard]] const std::vector<analysis::TokenReading>& path() const { return path_; }
    [[nodiscard]] QRectF rowRect(int row) const { return QRectF(0, row * kRow, width(), kRow); }
    [[nodiscard]] QSize sizeHint() const override { return {220, kRow * static_cast<int>(path_.size())}; }
    [[nodiscard]] QSize minimumSizeHint() const override { return {120, kRow * static_cast<int>(path_.size())}; }

Q_SIGNALS:
    void routerClicked(es::RouterId router);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    [[nodiscard]] int currentRow() const;
    Theme* theme_;
    std::vector<analysis::TokenReading> path_;
    RouterId current_;
};

}  // namespace es::views
