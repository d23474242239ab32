// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/table_view.h"

#include <QHeaderView>
#include <QScrollBar>
#include <algorithm>

namespace es::views {
namespace {

constexpr int kColumnRoom = 26;  ///< padding of a cell on both sides, and a little air

}  // namespace

void TablePanelModel::setPanel(std::shared_ptr<const analysis::TablePanel> panel) {
    beginResetModel();
    panel_ = std::move(panel);
    endResetModel();
}

int TablePanelModel::rowCount(const QModelIndex& parent) const { return parent.isValid() || !panel_ ? 0 : static_cast<int>(panel_->rows.size()); }
int TablePanelModel::columnCount(const QModelIndex& parent) const { return parent.isValid() || !panel_ ? 0 : static_cast<int>(panel_->columns.size()); }

QVariant TablePanelModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || !panel_) return {};
    const auto column = static_cast<std::size_t>(index.column());
    const auto& row = panel_->rows[static_cast<std::size_t>(index.row())];
    if (role == Qt::DisplayRole || role == Qt::ToolTipRole) return column < row.size() ? QString::fromStdString(row[column]) : QString();
    if (role == Qt::TextAlignmentRole) {
        const bool right = column < panel_->right_aligned.size() && panel_->right_aligned[column] != 0;
        return QVariant::fromValue((right ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    }
    return {};
}

QVariant TablePanelModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || !panel_ || section < 0 || section >= columnCount()) return {};
    const auto column = static_cast<std::size_t>(section);
    if (role == Qt::DisplayRole) return QString::fromStdString(panel_->columns[column]);
    if (role == Qt::TextAlignmentRole) {
        const bool right = column < panel_->right_aligned.size() && panel_->right_aligned[column] != 0;
        return QVariant::fromValue((right ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    }
    return {};
}

void dressTable(QTableView* table, const Theme& theme) {
    table->setFont(theme.font(Theme::FontRole::kTabular));
    table->setShowGrid(false);
    table->setFrameShape(QFrame::NoFrame);
    table->setWordWrap(false);
    table->setCornerButtonEnabled(false);
    table->verticalHeader()->hide();
    table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    table->verticalHeader()->setDefaultSectionSize(theme.metrics().row);
    table->verticalHeader()->setMinimumSectionSize(theme.metrics().row);
    table->horizontalHeader()->setHighlightSections(false);
    table->horizontalHeader()->setMinimumSectionSize(28);
    table->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    table->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    table->setSelectionBehavior(QAbstractItemView::SelectRows);
    table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    table->setTabKeyNavigation(false);
}

TableView::TableView(Theme* theme, QWidget* parent) : QTableView(parent), model_(new TablePanelModel(this)) {
    setModel(model_);
    dressTable(this, *theme);
    setAccessibleName(tr("Table"));
}

void TableView::setPanel(std::shared_ptr<const analysis::TablePanel> panel) {
    const int scroll = verticalScrollBar() ? verticalScrollBar()->value() : 0;
    model_->setPanel(std::move(panel));
    const int columns = model_->columnCount();
    for (int column = 0; column < columns; ++column) {
        horizontalHeader()->setSectionResizeMode(column, column == 0 ? QHeaderView::Stretch : QHeaderView::Fixed);
        if (column > 0) horizontalHeader()->resizeSection(column, widthOf(column));
    }
    if (verticalScrollBar()) verticalScrollBar()->setValue(scroll);
}

int TableView::widthOf(int column) const {
    // Qt's own answer leaves room for a sort arrow that these tables do not have, at the cost of the names in the first column.
    int widest = QFontMetrics(horizontalHeader()->font()).horizontalAdvance(model_->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString());
    for (int row = 0; row < model_->rowCount(); ++row) widest = std::max(widest, fontMetrics().horizontalAdvance(model_->index(row, column).data().toString()));
    return widest + kColumnRoom;
}

}  // namespace es::views
