// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <QSortFilterProxyModel>
#include <vector>

#include "engine/store/run_reader.h"
#include "views/models/run_feed.h"

namespace es::views {

/// The runs that the hub knows, one a row.
class RunTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { kName, kSeed, kState, kLoss, kColumns };
    /// Qt::UserRole and up: what the delegate and the sorter ask for.
    enum Role { kFolderRole = Qt::UserRole, kColorGroupRole, kStateRole, kSortRole };

    explicit RunTableModel(QObject* parent = nullptr);
    /// Follows the hub; it must outlive the model.
    void follow(RunFeedHub* hub);
    /// Takes rows directly, with the number of each run's colour. Rows that stay keep their persistent indexes.
    void setRuns(std::vector<store::RunSummary> runs, std::vector<int> colors);
    [[nodiscard]] const store::RunSummary& run(int row) const { return runs_[static_cast<std::size_t>(row)]; }
    [[nodiscard]] int rowOf(const QString& folder) const;  ///< -1: not listed
    [[nodiscard]] static QString stateWord(store::RunState state);

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role = Qt::DisplayRole) const override;

private:
    std::vector<store::RunSummary> runs_;
    std::vector<int> colors_;
};

/// Sorts by the values behind the words, filters by name, seed and state.
class RunFilterModel : public QSortFilterProxyModel {
    Q_OBJECT
public:
    explicit RunFilterModel(QObject* parent = nullptr);
    void setNeedle(const QString& needle);
    [[nodiscard]] QString needle() const { return needle_; }

protected:
    [[nodiscard]] bool filterAcceptsRow(int row, const QModelIndex& parent) const override;
    [[nodiscard]] bool lessThan(const QModelIndex& a, const QModelIndex& b) const override;

private:
    QString needle_;
};

}  // namespace es::views
