// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>

#include "views/compare/compare_data.h"
#include "views/plots/plot_panel.h"

namespace es::views {

/// The verdict in words with its interval, what it replicates, and what speaks against the comparison. GUI thread only.
class VerdictPanel : public PanelFrame {
    Q_OBJECT
public:
    explicit VerdictPanel(Theme* theme, QWidget* parent = nullptr);
    void showAnswer(const CompareAnswer& answer);
    [[nodiscard]] QJsonObject dump() const;

private:
    void paintBox();
    Theme* theme_;
    QLabel *verdict_, *third_, *checks_;
    ForestPlot* losses_;
    std::shared_ptr<const analysis::Panel> losses_panel_;
    QString verdict_text_;
    QStringList third_text_, check_text_;
};

/// The sentence with its signed numbers and ratios in bold, as rich text.
[[nodiscard]] QString emphasised(const QString& sentence);

}  // namespace es::views
