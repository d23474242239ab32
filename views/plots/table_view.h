// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <QTableView>
#include <memory>

#include "analysis/figures/panel_data.h"
#include "views/theme/theme.h"

namespace es::views {

/// analysis::TablePanel as an item model.
class TablePanelModel : public QAbstractTableModel {
    Q_OBJECT
public:
    using QAbstractTableModel::QAbstractTableModel;
    void setPanel(std::shared_ptr<const analysis::TablePanel> panel);
    [[nodiscard]] const analysis::TablePanel* panel() const { return panel_.get(); }
    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    std::shared_ptr<const analysis::TablePanel> panel_;
};

/// A table of the house: 26 px rows, no grid but faint lines, header in muted type. Also the base look of other tables: see dressTable().
class TableView : public QTableView {
    Q_OBJECT
public:
    explicit TableView(Theme* theme, QWidget* parent = nullptr);
    void setPanel(std::shared_ptr<const analysis::TablePanel> panel);
    [[nodiscard]] const analysis::TablePanel* panel() const { return model_->panel(); }

private:
    /// Room for the header and the values of a column.
    [[nodiscard]] int widthOf(int column) const;

    TablePanelModel* model_;
};

/// Gives any table view the look of the house.
void dressTable(QTableView* table, const Theme& theme);

}  // namespace es::views
