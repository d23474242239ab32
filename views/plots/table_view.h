// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <QTableView>
#include <memory>
#include <vector>

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
    /// Numbers (also "12.5 %", "< 0.001", "0.06 (max 0.08)") by value, other texts by letters; cells without a value last either way. Column -1: the
    /// panel's own order.
    void sort(int column, Qt::SortOrder order) override;
    /// Row of the panel that a row of the view shows; -1 outside.
    [[nodiscard]] int panelRow(int row) const;

private:
    void arrange();
    std::shared_ptr<const analysis::TablePanel> panel_;
    std::vector<int> order_;
    int sort_column_ = -1;
    Qt::SortOrder sort_order_ = Qt::AscendingOrder;
};

/// A table of the house: 26 px rows, no grid but faint lines, header in muted type. Also the base look of other tables: see dressTable().
class TableView : public QTableView {
    Q_OBJECT
public:
    explicit TableView(Theme* theme, QWidget* parent = nullptr);
    void setPanel(std::shared_ptr<const analysis::TablePanel> panel);
    [[nodiscard]] const analysis::TablePanel* panel() const { return model_->panel(); }
    /// Columns sort by a click on their header; a third click brings the panel's order back.
    void setSortable(bool sortable);
    /// Row of the panel that is shown at a row of the view; -1 outside.
    [[nodiscard]] int panelRow(int row) const { return model_->panelRow(row); }

Q_SIGNALS:
    /// The user chose a row, by click or Return: its row in the panel.
    void rowChosen(int panel_row);

protected:
    void keyPressEvent(QKeyEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    /// A wide table is spread over its columns. The first takes what is left, but never less than its own words need (up to a third of the table):
    /// then the table scrolls.
    void fitColumns();
    /// Room for the header and the values of a column.
    [[nodiscard]] int widthOf(int column) const;

    TablePanelModel* model_;
    std::vector<int> widths_;  ///< that the columns need
};

/// Gives any table view the look of the house.
void dressTable(QTableView* table, const Theme& theme);

}  // namespace es::views
