// SPDX-License-Identifier: GPL-3.0-or-later
// Labels with their shares, sorted by any column.
#pragma once

#include <QAbstractTableModel>
#include <QSortFilterProxyModel>
#include <QTableView>

#include "analysis/experts/label_shares.h"
#include "views/theme/theme.h"

namespace es::views {

/// Rows of analysis::LabelShares. The sort role holds numbers as they are.
class LabelTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { kLabel, kVerdict, kNpmi, kNpmiRange, kShare, kBase, kShareRange, kPmi, kTaken, kTokens, kSamples, kColumns };
    static constexpr int kSortRole = Qt::UserRole;
    using QAbstractTableModel::QAbstractTableModel;
    void setShares(const analysis::LabelShares& shares, const QString& label_title);
    /// Rows that are not told apart from their base rate step back.
    void setUndecidedColor(const QColor& color);
    [[nodiscard]] const analysis::LabelShares& shares() const { return shares_; }
    /// Rows without an interval: they stand last by nPMI.
    [[nodiscard]] int withoutInterval() const;
    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    analysis::LabelShares shares_;
    QString label_title_;
    QColor undecided_;
};

/// A click on a header sorts, Ctrl+C copies the chosen rows (all without a choice). GUI thread only.
class LabelTable : public QTableView {
    Q_OBJECT
public:
    explicit LabelTable(Theme* theme, QWidget* parent = nullptr);
    void setShares(const analysis::LabelShares& shares, const QString& label_title);
    [[nodiscard]] const analysis::LabelShares& shares() const { return model_->shares(); }
    [[nodiscard]] int withoutInterval() const { return model_->withoutInterval(); }
    /// Tab-separated, with a header line, in the order on screen; `chosen_only`: the selected rows, all when none is.
    [[nodiscard]] QString text(bool chosen_only) const;

protected:
    bool event(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void fitColumns();
    Theme* theme_;
    LabelTableModel* model_;
    QSortFilterProxyModel* sorted_;
};

}  // namespace es::views
