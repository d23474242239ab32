// SPDX-License-Identifier: GPL-3.0-or-later
// Small pictures of samples, read in the background a handful at a time.
#pragma once

#include <QCache>
#include <QImage>
#include <QObject>
#include <QPixmap>
#include <deque>

#include "views/inspect/inspect_model.h"

namespace es::views {

/// GUI thread only.
class ThumbnailCache : public QObject {
    Q_OBJECT
public:
    ThumbnailCache(InspectModel* model, int side, QObject* parent = nullptr);
    /// The picture of a sample, or null while it is being read (ready() follows) and for samples without one.
    [[nodiscard]] QPixmap get(std::uint64_t hash, qreal ratio);
    [[nodiscard]] int side() const { return side_; }
    [[nodiscard]] bool settled() const { return !reading_ && queue_.empty(); }

Q_SIGNALS:
    void ready(const QSet<quint64>& hashes);

private:
    void clear();
    void readSome();
    InspectModel* model_;
    int side_;
    qreal ratio_ = 1;
    QString run_;
    QCache<quint64, QPixmap> pictures_;
    std::deque<std::uint64_t> queue_;  ///< asked for last first: what is on screen now
    bool reading_ = false;
};

}  // namespace es::views
