// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/expert/sample_pictures.h"

#include <algorithm>

#include "views/overlay/picture_image.h"

namespace es::views {
namespace {
constexpr int kKeptKilobytes = 64 << 10;
constexpr std::size_t kPicturesAtOnce = 48;  // two halves of a gallery in one job
}  // namespace

SamplePictures::SamplePictures(InspectModel* model, QObject* parent) : QObject(parent), model_(model), pictures_(kKeptKilobytes) {
    connect(model_, &InspectModel::runChanged, this, [this] {
        if (run_ != model_->shown().run) clear();
    });
}

void SamplePictures::clear() {
    run_ = model_->shown().run;
    model_->context().jobs->cancel(this);
    reading_ = false;
    queue_.clear();
    pictures_.clear();
}

QImage SamplePictures::get(std::uint64_t hash) {
    if (const QImage* found = pictures_.object(hash)) return *found;
    if (std::find(queue_.begin(), queue_.end(), hash) == queue_.end()) queue_.push_back(hash);
    QMetaObject::invokeMethod(this, &SamplePictures::readSome, Qt::QueuedConnection);
    return {};
}

void SamplePictures::readSome() {
    if (reading_ || queue_.empty() || !model_->reader()) return;
    std::vector<std::uint64_t> batch;
    while (!queue_.empty() && batch.size() < kPicturesAtOnce) {
        batch.push_back(queue_.front());
        queue_.pop_front();
    }
    using Pictures = std::vector<std::pair<std::uint64_t, QImage>>;
    reading_ = true;
    model_->context().jobs->run<Pictures>(
        this, QStringLiteral("pictures"), tr("Reading pictures"),
        [reader = model_->reader(), batch](JobContext& context) -> Result<Pictures> {
            Pictures pictures;
            for (const std::uint64_t hash : batch) {
                if (context.stopRequested()) return stopped("Reading pictures");
                const auto sample = reader->sample(hash);
                pictures.emplace_back(hash, sample ? toImage(sample->picture) : QImage());
            }
            return pictures;
        },
        [this](Result<Pictures> pictures) {
            reading_ = false;
            if (pictures)
                for (auto& [hash, image] : *pictures) pictures_.insert(hash, new QImage(image), std::max(1, static_cast<int>(image.sizeInBytes() >> 10)));
            Q_EMIT ready();
            readSome();
        });
}

}  // namespace es::views
