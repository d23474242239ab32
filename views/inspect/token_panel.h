// SPDX-License-Identifier: GPL-3.0-or-later
// The selected patch or word: what it is, what its router said, which way it took.
#pragma once

#include <QJsonObject>
#include <QLabel>
#include <QVBoxLayout>
#include <memory>

#include "views/inspect/inspect_model.h"
#include "views/inspect/near_tokens.h"
#include "views/inspect/token_path_view.h"
#include "views/plots/bar_plot.h"
#include "views/widgets/chip.h"
#include "views/widgets/key_value_table.h"
#include "views/widgets/panel_frame.h"
#include "views/widgets/reused_widgets.h"

namespace es::views {

/// GUI thread only.
class TokenPanel : public PanelFrame {
    Q_OBJECT
public:
    explicit TokenPanel(InspectModel* model, QWidget* parent = nullptr);
    [[nodiscard]] BarPlot* bars() const { return bars_; }
    [[nodiscard]] TokenPathView* pathView() const { return path_; }
    [[nodiscard]] KeyValueTable* facts() const { return facts_; }
    [[nodiscard]] QJsonValue dumpData() const;
    void addSection(QWidget* section);  ///< below everything else

private:
    void refresh();
    void showToken(const std::vector<analysis::TokenReading>& path, const analysis::TokenReading& reading);
    void showCrop();
    void showSeveral(const analysis::TokenReading& reading);
    void showPrediction();
    void showChosen(const analysis::TokenReading& reading);
    InspectModel* model_;
    QLabel *crop_, *path_title_, *bars_title_, *bars_note_;
    QWidget* chosen_;
    std::unique_ptr<ReusedWidgets<Chip>> chips_;  ///< one for each of chosen_experts_
    std::vector<std::int32_t> chosen_experts_;
    RouterId chosen_router_;
    KeyValueTable* facts_;
    BarPlot* bars_;
    TokenPathView* path_;
    NearTokens* near_;
    QLabel* predicted_;
    QVBoxLayout* column_;
    analysis::Panel distribution_;
    const analysis::SampleRouting* intervened_ = nullptr;  ///< that was drawn; compared, never read
};

}  // namespace es::views
