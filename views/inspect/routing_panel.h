// SPDX-License-Identifier: GPL-3.0-or-later
// Where this sample's tokens went in one layer: picture, words, and the map of all layers.
#pragma once

#include <QComboBox>
#include <QJsonObject>
#include <QLabel>
#include <QScrollArea>
#include <QVBoxLayout>

#include "views/inspect/expert_map.h"
#include "views/inspect/inspect_model.h"
#include "views/inspect/overlay_bar.h"
#include "views/inspect/overlay_column.h"
#include "views/overlay/token_chips.h"
#include "views/widgets/panel_frame.h"

namespace es::views {

/// GUI thread only.
class RoutingPanel : public PanelFrame {
    Q_OBJECT
public:
    explicit RoutingPanel(InspectModel* model, QWidget* parent = nullptr);
    [[nodiscard]] OverlayColumn* column() const { return column_; }
    [[nodiscard]] TokenChips* chips() const { return chips_; }
    [[nodiscard]] ExpertMap* map() const { return map_; }
    [[nodiscard]] QJsonObject dumpData() const;
    [[nodiscard]] QJsonValue dumpMap() const;
    void addSection(QWidget* section);  ///< below the map
    /// Under what scrolls at the right. When it appears, `near`, a part of a section, is scrolled into sight.
    void setFooter(QWidget* footer, QWidget* near);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    QWidget* makeRight();
    void refresh();         ///< everything
    void refreshOverlay();  ///< layer, mode or rank changed
    void refreshMap();
    void followChoice();
    void fillLayers();
    void fillHeader();
    InspectModel* model_;
    OverlayBar* bar_;
    OverlayColumn* column_;
    QWidget* right_side_;
    QScrollArea* right_scroll_;
    QWidget *footer_ = nullptr, *keep_in_sight_ = nullptr;
    SegmentedControl *layers_, *ranks_;
    QComboBox* many_layers_;
    QLabel *layer_name_, *rank_name_, *words_title_, *words_router_, *no_words_;
    QWidget* map_heading_;
    TokenChips* chips_;
    ExpertMap* map_;
    QVBoxLayout* right_;
    analysis::Panel panel_, map_panel_;
    LayerIndex drawn_layer_;
    bool routed_ = false;
};

}  // namespace es::views
