// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/sample_list_model.h"

#include <QGuiApplication>
#include <QSet>
#include <algorithm>
#include <map>

#include "views/inspect/thumbnail_cache.h"
#include "views/inspect/token_words.h"

namespace es::views {

SampleListModel::SampleListModel(ThumbnailCache* thumbnails, QObject* parent) : QAbstractListModel(parent), thumbnails_(thumbnails) {
    connect(thumbnails_, &ThumbnailCache::ready, this, [this](const QSet<quint64>& hashes) {
        for (int i = 0; i < static_cast<int>(shown_.size()); ++i)
            if (hashes.contains(rows_[static_cast<std::size_t>(shown_[static_cast<std::size_t>(i)])].hash))
                Q_EMIT dataChanged(index(i), index(i), {Qt::DecorationRole});
    });
}

void SampleListModel::setSamples(const RunContents& contents, const std::vector<OwnSample>& own) {
    std::vector<Row> rows;
    rows.reserve(contents.samples.size() + own.size());
    const auto add = [&](const store::SampleRecord& sample, QString detail, bool is_own) {
        Row row;
        row.hash = sample.hash;
        row.caption = QString::fromStdString(sample.caption);
        row.category = QString::fromStdString(sample.category);
        row.detail = std::move(detail);
        row.searched = (row.caption + QLatin1Char(' ') + row.category + QLatin1Char(' ') + QString::fromStdString(sample.subcategory)).toCaseFolded();
        row.own = is_own;
        row.pictured = sample.grid_width > 0;
        rows.push_back(std::move(row));
    };
    for (const OwnSample& sample : own)
        add(sample.record, tr("own · step %1").arg(sample.by_step.empty() ? QString() : stepText(sample.by_step.rbegin()->first)), true);
    std::map<QString, int> counts;
    for (std::size_t i = 0; i < contents.samples.size(); ++i) {
        const store::SampleRecord& sample = contents.samples[i];
        QStringList parts;
        if (const auto loss = contents.losses.find(sample.hash); loss != contents.losses.end()) parts << tr("loss %1").arg(numberText(loss->second));
        if (!sample.category.empty()) parts << QString::fromStdString(sample.category);
        if (parts.size() < 2 && sample.split != Split::kNone) parts << QString::fromLatin1(toString(sample.split).data());
        if (contents.probed > 0 && i >= contents.probed) parts << tr("not probed");
        add(sample, parts.join(QStringLiteral(" · ")), false);
        if (!rows.back().category.isEmpty()) ++counts[rows.back().category];
    }
    const bool same = std::equal(rows.begin(), rows.end(), rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.hash == b.hash; });
    if (same) {
        rows_ = std::move(rows);
        if (!shown_.empty()) Q_EMIT dataChanged(index(0), index(static_cast<int>(shown_.size()) - 1));
        return;
    }
    beginResetModel();
    rows_ = std::move(rows);
    categories_.assign(counts.begin(), counts.end());
    if (!category_.isEmpty() && !counts.contains(category_)) category_.clear();
    shown_ = matching();
    endResetModel();
}

std::vector<int> SampleListModel::matching() const {
    const QStringList words = text_.toCaseFolded().split(QLatin1Char(' '), Qt::SkipEmptyParts);
    std::vector<int> found;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        const Row& row = rows_[i];
        if (!category_.isEmpty() && row.category != category_) continue;
        if (found_ && !found_->contains(row.hash)) continue;
        if (std::all_of(words.begin(), words.end(), [&](const QString& word) { return row.searched.contains(word); })) found.push_back(static_cast<int>(i));
    }
    return found;
}

void SampleListModel::setFilter(const QString& text, const QString& category) {
    if (text == text_ && category == category_) return;
    beginResetModel();
    text_ = text;
    category_ = category;
    shown_ = matching();
    endResetModel();
}

void SampleListModel::setFound(std::optional<analysis::SampleSet> found) {
    if (found == found_) return;
    beginResetModel();
    found_ = std::move(found);
    shown_ = matching();
    endResetModel();
}

std::vector<std::uint64_t> SampleListModel::listed() const {
    std::vector<std::uint64_t> hashes;
    hashes.reserve(shown_.size());
    for (const int row : shown_) hashes.push_back(rows_[static_cast<std::size_t>(row)].hash);
    return hashes;
}

int SampleListModel::rowOf(std::uint64_t hash) const {
    for (std::size_t i = 0; i < shown_.size(); ++i)
        if (rows_[static_cast<std::size_t>(shown_[i])].hash == hash) return static_cast<int>(i);
    return -1;
}

int SampleListModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : static_cast<int>(shown_.size()); }

QVariant SampleListModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= static_cast<int>(shown_.size())) return {};
    const Row& row = rows_[static_cast<std::size_t>(shown_[static_cast<std::size_t>(index.row())])];
    switch (role) {
        case Qt::DisplayRole: return row.caption.isEmpty() ? tr("(no caption)") : row.caption;
        case Qt::ToolTipRole: return row.category.isEmpty() ? row.caption : row.caption + QLatin1Char('\n') + row.category;
        case Qt::AccessibleTextRole: return row.caption + QStringLiteral(", ") + row.detail;
        case Qt::DecorationRole: return row.pictured ? thumbnails_->get(row.hash, qGuiApp->devicePixelRatio()) : QPixmap();
        case kHash: return static_cast<qulonglong>(row.hash);
        case kDetail: return row.detail;
        case kOwn: return row.own;
        case kCategory: return row.category;
        default: return {};
    }
}

}  // namespace es::views
