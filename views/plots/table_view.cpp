// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/plots/table_view.h"

#include <QHeaderView>
#include <QKeyEvent>
#include <QScrollBar>
#include <algorithm>
#include <numeric>
#include <optional>

namespace es::views {
namespace {

constexpr int kColumnRoom = 26;  ///< padding of a cell on both sides, and a little air
constexpr int kMostSpare = 64;   ///< air that a column takes besides where the table is wide

/// The number that a cell begins with: groups of digits set apart by thin or plain spaces are one number.
std::optional<double> leadingNumber(const QString& text) {
    QString digits;
    for (qsizetype i = 0; i < text.size(); ++i) {
        const QChar c = text[i];
        const bool between = c.isSpace() && !digits.isEmpty() && i + 1 < text.size() && text[i + 1].isDigit() && digits.back().isDigit();
        if (c.isDigit() || c == QLatin1Char('.') || ((c == QLatin1Char('e') || c == QLatin1Char('E')) && !digits.isEmpty())) digits += c;
        else if ((c == QLatin1Char('-') || c == QChar(0x2212) || c == QLatin1Char('+')) && (digits.isEmpty() || digits.back() == QLatin1Char('e')))
            digits += c == QLatin1Char('+') ? c : QLatin1Char('-');
        else if (between) continue;
        else if (digits.isEmpty() && (c == QLatin1Char('<') || c == QLatin1Char('>') || c.isSpace())) continue;
        else break;
    }
    bool fine = false;
    const double value = digits.toDouble(&fine);
    return fine ? std::optional(value) : std::nullopt;
}

}  // namespace

void TablePanelModel::setPanel(std::shared_ptr<const analysis::TablePanel> panel) {
    beginResetModel();
    panel_ = std::move(panel);
    arrange();
    endResetModel();
}

int TablePanelModel::panelRow(int row) const { return row < 0 || static_cast<std::size_t>(row) >= order_.size() ? -1 : order_[static_cast<std::size_t>(row)]; }

void TablePanelModel::arrange() {
    order_.resize(panel_ ? panel_->rows.size() : 0);
    std::iota(order_.begin(), order_.end(), 0);
    const auto column = static_cast<std::size_t>(sort_column_);
    if (!panel_ || sort_column_ < 0 || column >= panel_->columns.size()) return;
    struct Key {
        QString text;
        std::optional<double> number;
    };
    std::vector<Key> keys;
    for (const auto& row : panel_->rows) {
        const QString text = column < row.size() ? QString::fromStdString(row[column]) : QString();
        keys.push_back({text, leadingNumber(text)});
    }
    const bool descending = sort_order_ == Qt::DescendingOrder;
    std::stable_sort(order_.begin(), order_.end(), [&](int a, int b) {
        const Key &p = keys[static_cast<std::size_t>(a)], &q = keys[static_cast<std::size_t>(b)];
        const auto rank = [](const Key& key) {
            return key.text.isEmpty() || key.text == QStringLiteral("–") || key.text == QStringLiteral("not recorded") ? 1 : 0;
        };
        if (rank(p) != rank(q)) return rank(p) < rank(q);
        if (p.number && q.number) return descending ? *p.number > *q.number : *p.number < *q.number;
        const int compared = QString::localeAwareCompare(p.text, q.text);
        return descending ? compared > 0 : compared < 0;
    });
}

void TablePanelModel::sort(int column, Qt::SortOrder order) {
    beginResetModel();
    sort_column_ = column;
    sort_order_ = order;
    arrange();
    endResetModel();
}

int TablePanelModel::rowCount(const QModelIndex& parent) const { return parent.isValid() || !panel_ ? 0 : static_cast<int>(panel_->rows.size()); }
int TablePanelModel::columnCount(const QModelIndex& parent) const { return parent.isValid() || !panel_ ? 0 : static_cast<int>(panel_->columns.size()); }

QVariant TablePanelModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || !panel_) return {};
    const auto column = static_cast<std::size_t>(index.column());
    const int shown = panelRow(index.row());
    if (shown < 0) return {};
    const auto& row = panel_->rows[static_cast<std::size_t>(shown)];
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
    connect(this, &QTableView::clicked, this, [this](const QModelIndex& index) { Q_EMIT rowChosen(panelRow(index.row())); });
}

void TableView::setSortable(bool sortable) {
    // Not QTableView's own switch: that one sorts at once, and tables come in an order that means something.
    horizontalHeader()->setSectionsClickable(sortable);
    horizontalHeader()->setSortIndicatorShown(false);
    disconnect(horizontalHeader(), &QHeaderView::sectionClicked, this, nullptr);
    if (!sortable) return;
    connect(horizontalHeader(), &QHeaderView::sectionClicked, this, [this](int column) {
        QHeaderView* header = horizontalHeader();
        const bool same = header->isSortIndicatorShown() && header->sortIndicatorSection() == column;
        // Numbers are mostly looked through from the largest.
        const bool number =
            panel() && static_cast<std::size_t>(column) < panel()->right_aligned.size() && panel()->right_aligned[static_cast<std::size_t>(column)] != 0;
        const Qt::SortOrder first = number ? Qt::DescendingOrder : Qt::AscendingOrder, second = number ? Qt::AscendingOrder : Qt::DescendingOrder;
        const bool off = same && header->sortIndicatorOrder() == second;
        header->setSortIndicatorShown(!off);
        header->setSortIndicator(off ? -1 : column, same ? second : first);
        model_->sort(off ? -1 : column, same ? second : first);
    });
}

void TableView::keyPressEvent(QKeyEvent* event) {
    if ((event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) && currentIndex().isValid()) Q_EMIT rowChosen(panelRow(currentIndex().row()));
    else QTableView::keyPressEvent(event);
}

void TableView::setPanel(std::shared_ptr<const analysis::TablePanel> panel) {
    const int scroll = verticalScrollBar() ? verticalScrollBar()->value() : 0;
    model_->setPanel(std::move(panel));
    widths_.clear();
    for (int column = 0; column < model_->columnCount(); ++column) {
        widths_.push_back(widthOf(column));
        if (column > 0) horizontalHeader()->setSectionResizeMode(column, QHeaderView::Fixed);
    }
    fitColumns();
    if (verticalScrollBar()) verticalScrollBar()->setValue(scroll);
}

void TableView::fitColumns() {
    if (widths_.empty()) return;
    const int columns = static_cast<int>(widths_.size()), others = std::accumulate(widths_.begin() + 1, widths_.end(), 0);
    // A wide table is spread evenly: a row is hard to follow across a gap.
    const int spare = std::clamp((viewport()->width() - others - widths_.front()) / columns, 0, kMostSpare);
    for (int column = 1; column < columns; ++column) horizontalHeader()->resizeSection(column, widths_[static_cast<std::size_t>(column)] + spare);
    const int least = std::min(widths_.front(), std::max(viewport()->width() / 3, 60));
    const bool room = viewport()->width() - others - spare * (columns - 1) >= least;
    horizontalHeader()->setSectionResizeMode(0, room ? QHeaderView::Stretch : QHeaderView::Fixed);
    if (!room) horizontalHeader()->resizeSection(0, least);
}

void TableView::resizeEvent(QResizeEvent* event) {
    fitColumns();
    QTableView::resizeEvent(event);
}

int TableView::widthOf(int column) const {
    // Qt's own answer leaves room for a sort arrow that these tables do not have, at the cost of the names in the first column.
    int widest = QFontMetrics(horizontalHeader()->font()).horizontalAdvance(model_->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString());
    for (int row = 0; row < model_->rowCount(); ++row) widest = std::max(widest, fontMetrics().horizontalAdvance(model_->index(row, column).data().toString()));
    return widest + kColumnRoom;
}

}  // namespace es::views
