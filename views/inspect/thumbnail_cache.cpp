// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/thumbnail_cache.h"

#include <QSet>
#include <algorithm>

#include "views/overlay/picture_image.h"

namespace es::views {
namespace {
constexpr int kKept = 2000;         // of some 8 KB each
constexpr std::size_t kBatch = 16;  // small enough that scrolling on gets its turn soon
constexpr std::size_t kLongestQueue = 128;
}  // namespace

ThumbnailCache::ThumbnailCache(InspectModel* model, int side, QObject* parent) : QObject(parent), model_(model), side_(side), pictures_(kKept) {
    connect(model_, &InspectModel::runChanged, this, [this] {
        if (run_ != model_->shown().run) clear();
    });
}

void ThumbnailCache::clear() {
    run_ = model_->shown().run;
    model_->context().jobs->cancel(this);
    reading_ = false;
    queue_.clear();
    pictures_.clear();
}

QPixmap ThumbnailCache::get(std::uint64_t hash, qreal ratio) {
    if (ratio != ratio_) {
        clear();
        ratio_ = ratio;
    }
    if (const QPixmap* found = pictures_.object(hash)) return *found;
    for (const OwnSample& own : model_->ownSamples()) {
        if (own.record.hash != hash) continue;
        auto* made = new QPixmap(QPixmap::fromImage(thumbnail(own.record.picture, side_, ratio_)));
        const QPixmap copy = *made;
        pictures_.insert(hash, made);
        return copy;
    }
    if (std::find(queue_.begin(), queue_.end(), hash) == queue_.end()) {
        queue_.push_front(hash);
        if (queue_.size() > kLongestQueue) queue_.pop_back();
    }
    QMetaObject::invokeMethod(this, &ThumbnailCache::readSome, Qt::QueuedConnection);
    return {};
}

void ThumbnailCache::readSome() {
    if (reading_ || queue_.empty() || !model_->reader()) return;
    std::vector<std::uint64_t> batch;
    while (!queue_.empty() && batch.size() < kBatch) {
        batch.push_back(queue_.front());
        queue_.pop_front();
    }
    using Images = std::vector<std::pair<std::uint64_t, QImage>>;
    reading_ = true;
    model_->context().jobs->run<Images>(
        this, QStringLiteral("thumbnails"), tr("Reading pictures"),
        [reader = model_->reader(), batch, side = side_, ratio = ratio_](JobContext& context) -> Result<Images> {
            Images images;
            for (const std::uint64_t hash : batch) {
                if (context.stopRequested()) return stopped("Reading pictures");
                const auto sample = reader->sample(hash);
                images.emplace_back(hash, sample ? thumbnail(sample->picture, side, ratio) : QImage());
            }
            return images;
        },
        [this](Result<Images> images) {
            reading_ = false;
            QSet<quint64> done;
            if (images) {
                for (const auto& [hash, image] : *images) {
                    pictures_.insert(hash, new QPixmap(QPixmap::fromImage(image)));
                    done.insert(hash);
                }
            }
            if (!done.isEmpty()) Q_EMIT ready(done);
            readSome();
        });
}

}  // namespace es::views
