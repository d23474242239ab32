// SPDX-License-Identifier: GPL-3.0-or-later
// Whole pictures of samples at the size the model sees, read in the background as they are asked for.
#pragma once

#include <QCache>
#include <QImage>
#include <QObject>
#include <QSet>
#include <deque>

#include "views/inspect/inspect_model.h"

namespace es::views {

/// Keeps the last used within 64 MB. GUI thread only.
class SamplePictures : public QObject {
    Q_OBJECT
public:
    explicit SamplePictures(InspectModel* model, QObject* parent = nullptr);
    /// Null while it is being read (ready() follows) and for samples without one.
    [[nodiscard]] QImage get(std::uint64_t hash);
    [[nodiscard]] bool settled() const { return !reading_ && queue_.empty(); }

Q_SIGNALS:
    void ready();  ///< some that were asked for

private:
    void clear();
    void readSome();
    InspectModel* model_;
    QString run_;
    QCache<quint64, QImage> pictures_;  ///< cost in KB; a null picture is one that does not exist
    std::deque<std::uint64_t> queue_;
    bool reading_ = false;
};

}  // namespace es::views
