// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/models/run_table_model.h"

#include <algorithm>
#include <cmath>

namespace es::views {
namespace {

QString folderOf(const store::RunSummary& run) { return QString::fromStdString(run.folder.string()); }

}  // namespace

RunTableModel::RunTableModel(QObject* parent) : QAbstractTableModel(parent) {}

void RunTableModel::follow(RunFeedHub* hub) {
    const auto take = [this, hub] {
        std::vector<int> colors;
        for (const store::RunSummary& run : hub->runs()) colors.push_back(hub->colorGroup(folderOf(run)));
        setRuns(hub->runs(), std::move(colors));
    };
    connect(hub, &RunFeedHub::runsChanged, this, take);
    take();
}

void RunTableModel::setRuns(std::vector<store::RunSummary> runs, std::vector<int> colors) {
    colors.resize(runs.size(), 0);
    const auto same = [](const store::RunSummary& a, const store::RunSummary& b) { return a.folder == b.folder; };
    if (runs.size() == runs_.size() && std::equal(runs.begin(), runs.end(), runs_.begin(), same)) {
        runs_ = std::move(runs);
        colors_ = std::move(colors);
        if (!runs_.empty()) Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, kColumns - 1));
        return;
    }
    for (int row = rowCount() - 1; row >= 0; --row) {
        const bool stays = std::any_of(runs.begin(), runs.end(), [&](const store::RunSummary& r) { return same(r, run(row)); });
        if (stays) continue;
        beginRemoveRows({}, row, row);
        runs_.erase(runs_.begin() + row);
        colors_.erase(colors_.begin() + row);
        endRemoveRows();
    }
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const int known = rowOf(folderOf(runs[i]));
        if (known >= 0) {
            runs_[static_cast<std::size_t>(known)] = runs[i];
            colors_[static_cast<std::size_t>(known)] = colors[i];
            continue;
        }
        beginInsertRows({}, rowCount(), rowCount());
        runs_.push_back(std::move(runs[i]));
        colors_.push_back(colors[i]);
        endInsertRows();
    }
    if (!runs_.empty()) Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, kColumns - 1));
}

int RunTableModel::rowOf(const QString& folder) const {
    for (int row = 0; row < rowCount(); ++row)
        if (folderOf(run(row)) == folder) return row;
    return -1;
}

QString RunTableModel::stateWord(store::RunState state) {
    switch (state) {
        case store::RunState::kEmpty: return tr("empty");
        case store::RunState::kTraining: return tr("training");
        case store::RunState::kStopped: return tr("stopped");
        case store::RunState::kFinished: return tr("finished");
        case store::RunState::kFailed: return tr("failed");
        case store::RunState::kInterrupted: return tr("interrupted");
    }
    return {};
}

int RunTableModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(runs_.size()); }
int RunTableModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : kColumns; }

QVariant RunTableModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= rowCount()) return {};
    const store::RunSummary& r = run(index.row());
    const bool broken = !r.problem.empty();
    switch (role) {
        case Qt::DisplayRole:
            switch (index.column()) {
                case kName: return QString::fromStdString(r.name.empty() ? r.folder.filename().string() : r.name);
                case kSeed: return broken || r.seed < 0 ? QString() : QString::number(r.seed);
                case kState: return broken ? tr("unreadable") : stateWord(r.state);
                case kLoss: return std::isfinite(r.validation_loss) && !broken ? QString::number(r.validation_loss, 'f', 3) : QStringLiteral("—");
            }
            return {};
        case Qt::ToolTipRole: {
            if (broken) return QString::fromStdString(r.problem);
            QString tip = folderOf(r) + (r.steps > 0 ? tr("\nstep %1 of %2").arg(r.step).arg(r.steps) : tr("\nstep %1").arg(r.step));
            if (!r.ffn.empty()) tip += QStringLiteral(" · ") + QString::fromStdString(r.ffn);
            if (!r.warning.empty()) tip += QLatin1Char('\n') + QString::fromStdString(r.warning);
            return tip;
        }
        case Qt::TextAlignmentRole:
            return QVariant::fromValue((index.column() == kLoss || index.column() == kSeed ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
        case kFolderRole: return folderOf(r);
        case kColorGroupRole: return colors_[static_cast<std::size_t>(index.row())];
        case kStateRole: return broken ? -1 : static_cast<int>(r.state);
        case kSortRole:
            switch (index.column()) {
                case kSeed: return static_cast<qlonglong>(r.seed);
                case kLoss: return std::isfinite(r.validation_loss) ? r.validation_loss : 1e300;
                default: return data(index, Qt::DisplayRole);
            }
        default: return {};
    }
}

QVariant RunTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole) return QVariant::fromValue((section == kLoss || section == kSeed ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    if (role == Qt::ToolTipRole && section == kLoss) return tr("Newest held-out loss, total");
    if (role != Qt::DisplayRole) return {};
    switch (section) {
        case kName: return tr("run");
        case kSeed: return tr("seed");
        case kState: return tr("state");
        case kLoss: return tr("val loss");
        default: return {};
    }
}

RunFilterModel::RunFilterModel(QObject* parent) : QSortFilterProxyModel(parent) { setDynamicSortFilter(true); }

void RunFilterModel::setNeedle(const QString& needle) {
    needle_ = needle.trimmed();
    invalidateFilter();
}

bool RunFilterModel::filterAcceptsRow(int row, const QModelIndex& parent) const {
    if (needle_.isEmpty()) return true;
    QString words;
    for (int column = 0; column < RunTableModel::kColumns; ++column) words += sourceModel()->index(row, column, parent).data().toString() + QLatin1Char(' ');
    const QStringList needles = needle_.split(QLatin1Char(' '), Qt::SkipEmptyParts);
    return std::all_of(needles.begin(), needles.end(), [&](const QString& one) { return words.contains(one, Qt::CaseInsensitive); });
}

bool RunFilterModel::lessThan(const QModelIndex& a, const QModelIndex& b) const {
    const QVariant left = a.data(RunTableModel::kSortRole), right = b.data(RunTableModel::kSortRole);
    if (left.userType() == QMetaType::QString) return QString::localeAwareCompare(left.toString(), right.toString()) < 0;
    return left.toDouble() < right.toDouble();
}

}  // namespace es::views
