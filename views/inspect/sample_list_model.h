// SPDX-License-Identifier: GPL-3.0-or-later
// The samples of a run as a list, filtered by words and category. Own samples come first, then the probed ones.
#pragma once

#include <QAbstractListModel>
#include <QString>
#include <optional>
#include <vector>

#include "analysis/query/token_set.h"
#include "views/inspect/inspect_data.h"
#include "views/inspect/own_samples.h"

namespace es::views {

class ThumbnailCache;

/// GUI thread only. Holds captions, no pictures: a row's picture is asked for when it is painted.
class SampleListModel : public QAbstractListModel {
    Q_OBJECT
public:
    enum Role { kHash = Qt::UserRole, kDetail, kOwn, kCategory };
    explicit SampleListModel(ThumbnailCache* thumbnails, QObject* parent = nullptr);

    void setSamples(const RunContents& contents, const std::vector<OwnSample>& own);
    /// Rows whose caption or category contains every word of `text` (case does not matter), of one category when one is given.
    void setFilter(const QString& text, const QString& category);
    /// Only these samples, in place of the words; none: no such limit.
    void setFound(std::optional<analysis::SampleSet> found);
    [[nodiscard]] const QString& filterText() const { return text_; }
    [[nodiscard]] const QString& filterCategory() const { return category_; }
    /// Categories with their number of samples, by name.
    [[nodiscard]] const std::vector<std::pair<QString, int>>& categories() const { return categories_; }
    [[nodiscard]] int total() const { return static_cast<int>(rows_.size()); }
    /// Samples of the rows, in their order.
    [[nodiscard]] std::vector<std::uint64_t> listed() const;
    /// Row of a sample; -1 when it is not there or filtered out.
    [[nodiscard]] int rowOf(std::uint64_t hash) const;

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;

private:
    struct Row {
        std::uint64_t hash = 0;
        QString caption, category, detail, searched;
        bool own = false, pictured = true;
    };
    [[nodiscard]] std::vector<int> matching() const;

    ThumbnailCache* thumbnails_;
    std::vector<Row> rows_;
    std::vector<int> shown_;
    std::vector<std::pair<QString, int>> categories_;
    QString text_, category_;
    std::optional<analysis::SampleSet> found_;
};

}  // namespace es::views
