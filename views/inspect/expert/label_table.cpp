// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/expert/label_table.h"

#include <QApplication>
#include <QClipboard>
#include <QHeaderView>
#include <QKeyEvent>
#include <algorithm>
#include <cmath>

#include "views/inspect/token_words.h"
#include "views/plots/table_view.h"

namespace es::views {
namespace {

constexpr int kLeastLabel = 150, kCellRoom = 20;
constexpr double kBehind = 10;

QString rangeText(double low, double high, int decimals) {
    return std::isfinite(low) && std::isfinite(high) ? QStringLiteral("%1 to %2").arg(numberText(low, decimals), numberText(high, decimals))
                                                     : QStringLiteral("–");
}

/// More than its base rate, less, or not told apart; nothing where there is no interval.
QString verdictText(const analysis::LabelShare& row) {
    if (!std::isfinite(row.npmi_low)) return {};
    return row.above() ? LabelTableModel::tr("more") : row.below() ? LabelTableModel::tr("less") : QStringLiteral("–");
}

/// Spreadsheets take the plain minus only.
QString plainNumber(QString text) { return text.replace(QChar(0x2212), QLatin1Char('-')); }

}  // namespace

void LabelTableModel::setUndecidedColor(const QColor& color) {
    undecided_ = color;
    if (rowCount() > 0) Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, kColumns - 1), {Qt::ForegroundRole});
}

int LabelTableModel::withoutInterval() const {
    return static_cast<int>(
        std::count_if(shares_.rows.begin(), shares_.rows.end(), [](const analysis::LabelShare& row) { return !std::isfinite(row.npmi_low); }));
}

void LabelTableModel::setShares(const analysis::LabelShares& shares, const QString& label_title) {
    beginResetModel();
    shares_ = shares;
    label_title_ = label_title;
    endResetModel();
}

int LabelTableModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(shares_.rows.size()); }
int LabelTableModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : kColumns; }

QVariant LabelTableModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= rowCount()) return {};
    const analysis::LabelShare& row = shares_.rows[static_cast<std::size_t>(index.row())];
    if (role == Qt::TextAlignmentRole) return QVariant::fromValue((index.column() <= kVerdict ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    if (role == Qt::ForegroundRole) return row.above() || row.below() || !undecided_.isValid() ? QVariant() : QVariant(undecided_);
    if (role == kSortRole) {
        const auto number = [](double value) { return std::isnan(value) ? -1e300 : value; };
        switch (index.column()) {
            case kLabel: return QString::fromStdString(row.label);
            case kVerdict: return !std::isfinite(row.npmi_low) ? -2 : row.above() ? 1 : row.below() ? -1 : 0;
            case kShare: return number(row.share);
            case kShareRange: return number(row.share_low);
            case kBase: return row.base;
            // What rests on too few samples to have an interval must not lead the list.
            case kNpmi: return number(row.npmi) - (std::isfinite(row.npmi_low) ? 0 : kBehind);
            case kNpmiRange: return number(row.npmi_low);
            case kPmi: return number(row.pmi_nats);
            case kTaken: return static_cast<double>(row.takers);
            case kTokens: return static_cast<double>(row.tokens);
            default: return static_cast<double>(row.samples);
        }
    }
    if (role == Qt::ToolTipRole) {
        const QString verdict = !std::isfinite(row.npmi_low) ? tr("too few samples for an interval")
                                : row.above()                ? tr("more than its base rate")
                                : row.below()                ? tr("less than its base rate")
                                                             : tr("not told apart from its base rate");
        return tr("%1: %2 of %3 tokens taken, in %4 samples; %5 (%6)")
            .arg(QString::fromStdString(row.label), stepText(row.takers), stepText(row.tokens), stepText(row.samples), verdict,
                 QString::fromStdString(shares_.correction));
    }
    if (role != Qt::DisplayRole) return {};
    switch (index.column()) {
        case kLabel: return QString::fromStdString(row.label);
        case kVerdict: return verdictText(row);
        case kShare: return numberText(row.share, 3);
        case kShareRange: return rangeText(row.share_low, row.share_high, 3);
        case kBase: return numberText(row.base, 3);
        case kNpmi: return numberText(row.npmi, 2);
        case kNpmiRange: return rangeText(row.npmi_low, row.npmi_high, 2);
        case kPmi: return row.takers > 0 ? numberText(row.pmi_nats, 2) : QStringLiteral("−∞");
        case kTaken: return stepText(row.takers);
        case kTokens: return stepText(row.tokens);
        default: return stepText(row.samples);
    }
}

QVariant LabelTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole) return QVariant::fromValue((section <= kVerdict ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    if (role == Qt::ToolTipRole) {
        switch (section) {
            case kVerdict: return tr("More or less than its base rate: where the interval of nPMI leaves zero out; – where it does not");
            case kShare: return tr("Of what the expert takes, the share that carries the label");
            case kBase: return tr("The same share of everything that its router sees");
            case kNpmi: return tr("−1 never taken, 0 as often as any, 1 only this and always");
            case kPmi: return tr("ln (share ÷ base rate)");
            case kTaken: return tr("Tokens with the label that the expert takes");
            case kTokens: return tr("Tokens with the label");
            case kSamples: return tr("Samples that they lie in: what the intervals rest on");
            case kShareRange:
            case kNpmiRange:
                return tr("%1 % interval over samples; correction: %2").arg(shares_.confidence * 100).arg(QString::fromStdString(shares_.correction));
            default: return {};
        }
    }
    if (role != Qt::DisplayRole) return {};
    switch (section) {
        case kLabel: return label_title_;
        case kVerdict: return tr("takes");
        case kShare: return tr("share");
        case kBase: return tr("base");
        case kNpmi: return tr("nPMI");
        case kPmi: return tr("PMI (nats)");
        case kTaken: return tr("taken");
        case kTokens: return tr("tokens");
        case kSamples: return tr("samples");
        default: return tr("%1 % interval").arg(shares_.confidence * 100);
    }
}

LabelTable::LabelTable(Theme* theme, QWidget* parent)
    : QTableView(parent), theme_(theme), model_(new LabelTableModel(this)), sorted_(new QSortFilterProxyModel(this)) {
    sorted_->setSourceModel(model_);
    sorted_->setSortRole(LabelTableModel::kSortRole);
    sorted_->setSortCaseSensitivity(Qt::CaseInsensitive);
    setModel(sorted_);
    dressTable(this, *theme_);
    setSelectionMode(QAbstractItemView::ExtendedSelection);
    setSortingEnabled(true);
    sortByColumn(LabelTableModel::kNpmi, Qt::DescendingOrder);
    horizontalHeader()->setSectionsClickable(true);
    setAccessibleName(tr("Labels and their shares"));
    const auto restyle = [this] { model_->setUndecidedColor(theme_->colors().muted); };
    connect(theme_, &Theme::changed, this, restyle);
    restyle();
}

void LabelTable::setShares(const analysis::LabelShares& shares, const QString& label_title) {
    model_->setShares(shares, label_title);
    sorted_->sort(horizontalHeader()->sortIndicatorSection(), horizontalHeader()->sortIndicatorOrder());
    fitColumns();
}

void LabelTable::fitColumns() {
    const QFontMetrics cells(font()), heads(horizontalHeader()->font());
    int taken = 0;
    for (int column = 1; column < LabelTableModel::kColumns; ++column) {
        int widest = heads.horizontalAdvance(model_->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString());
        for (int row = 0; row < std::min(model_->rowCount(), 200); ++row)
            widest = std::max(widest, cells.horizontalAdvance(model_->index(row, column).data().toString()));
        horizontalHeader()->setSectionResizeMode(column, QHeaderView::Fixed);
        horizontalHeader()->resizeSection(column, widest + kCellRoom);
        taken += widest + kCellRoom;
    }
    horizontalHeader()->setSectionResizeMode(0, QHeaderView::Fixed);
    horizontalHeader()->resizeSection(0, std::max(kLeastLabel, viewport()->width() - taken));
}

QString LabelTable::text(bool chosen_only) const {
    QList<int> rows;
    if (chosen_only)
        for (const QModelIndex& index : selectionModel()->selectedRows()) rows << index.row();
    std::sort(rows.begin(), rows.end());
    if (rows.isEmpty())
        for (int row = 0; row < sorted_->rowCount(); ++row) rows << row;
    QStringList lines, head;
    for (int column = 0; column < LabelTableModel::kColumns; ++column) head << model_->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
    lines << head.join(QLatin1Char('\t'));
    for (const int row : rows) {
        QStringList cells;
        for (int column = 0; column < LabelTableModel::kColumns; ++column) {
            const QString cell = sorted_->index(row, column).data().toString();
            cells << (column > LabelTableModel::kVerdict ? plainNumber(cell) : cell);
        }
        lines << cells.join(QLatin1Char('\t'));
    }
    return lines.join(QLatin1Char('\n')) + QLatin1Char('\n');
}

bool LabelTable::event(QEvent* event) {
    // Ctrl+C in the table means its rows; elsewhere in the panel the whole panel.
    if (event->type() == QEvent::ShortcutOverride && static_cast<QKeyEvent*>(event)->matches(QKeySequence::Copy)) {
        event->accept();
        return true;
    }
    return QTableView::event(event);
}

void LabelTable::keyPressEvent(QKeyEvent* event) {
    if (event->matches(QKeySequence::Copy)) {
        QApplication::clipboard()->setText(text(true));
        event->accept();
        return;
    }
    QTableView::keyPressEvent(event);
}

void LabelTable::resizeEvent(QResizeEvent* event) {
    QTableView::resizeEvent(event);
    fitColumns();
}

}  // namespace es::views
