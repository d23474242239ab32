// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/own_samples.h"

#include <QBuffer>
#include <QImage>
#include <QJsonObject>
#include <algorithm>

#include "views/inspect/inspect_data.h"
#include "views/overlay/picture_image.h"

namespace es::views {
namespace {
constexpr std::size_t kKeptOfRun = 20;  // of some 20 KB each in the session's file
}

std::uint64_t OwnSamples::add(const QString& run, const session::SampleRequest& request, session::SampleResult result, std::int64_t step) {
    auto routing = std::make_shared<analysis::SampleRouting>();
    routing->sample = result.sample;
    routing->routing = std::move(result.routing);
    routing->step = step;
    routing->source = "run";
    if (result.caption_cut) routing->notes.push_back(analysis::cutNote(result.sample.token_texts.size()));
    std::vector<OwnSample>& all = runs_[run];
    auto found = std::find_if(all.begin(), all.end(), [&](const OwnSample& own) { return own.record.hash == result.sample.hash; });
    if (found == all.end()) found = all.insert(all.begin(), OwnSample{request, result.sample, {}});
    found->record = routing->sample;  // one of an earlier session has no words yet
    found->by_step[step] = std::move(routing);
    return found->record.hash;
}

const std::vector<OwnSample>& OwnSamples::of(const QString& run) const {
    static const std::vector<OwnSample> kNone;
    const auto found = runs_.find(run);
    return found == runs_.end() ? kNone : found->second;
}

const OwnSample* OwnSamples::find(const QString& run, std::uint64_t hash) const {
    const auto& all = of(run);
    const auto found = std::find_if(all.begin(), all.end(), [hash](const OwnSample& own) { return own.record.hash == hash; });
    return found == all.end() ? nullptr : &*found;
}

QJsonArray OwnSamples::toJson() const {
    QJsonArray kept;
    for (const auto& [run, samples] : runs_)
        for (std::size_t i = 0; i < std::min(samples.size(), kKeptOfRun); ++i) {
            const store::SampleRecord& record = samples[i].record;
            QJsonObject one{{QStringLiteral("run"), run},
                            {QStringLiteral("hash"), QString::number(record.hash, 16)},
                            {QStringLiteral("caption"), QString::fromStdString(record.caption)}};
            if (!record.picture.empty()) {
                QByteArray png;
                QBuffer buffer(&png);
                if (!buffer.open(QIODevice::WriteOnly) || !toImage(record.picture).save(&buffer, "PNG")) continue;
                one[QStringLiteral("png")] = QString::fromLatin1(png.toBase64());
                one[QStringLiteral("grid_width")] = record.grid_width;
                one[QStringLiteral("grid_height")] = record.grid_height;
            }
            kept.append(one);
        }
    return kept;
}

void OwnSamples::addFrom(const QJsonArray& kept) {
    for (const QJsonValue& value : kept) {
        const QJsonObject one = value.toObject();
        const QString run = one.value(QStringLiteral("run")).toString();
        OwnSample own;
        bool number = false;
        own.record.hash = one.value(QStringLiteral("hash")).toString().toULongLong(&number, 16);
        own.record.dataset = "own";
        own.record.caption = one.value(QStringLiteral("caption")).toString().toStdString();
        const QString png = one.value(QStringLiteral("png")).toString();
        if (!png.isEmpty()) {
            const QImage image = QImage::fromData(QByteArray::fromBase64(png.toLatin1()), "PNG");
            own.record.picture = toPicture(image);
            own.record.grid_width = one.value(QStringLiteral("grid_width")).toInt();
            own.record.grid_height = one.value(QStringLiteral("grid_height")).toInt();
        }
        const bool something = !own.record.picture.empty() || !own.record.caption.empty();
        if (!number || run.isEmpty() || !something || (!png.isEmpty() && own.record.picture.empty()) || find(run, own.record.hash)) continue;
        own.request.picture = own.record.picture;
        own.request.caption = own.record.caption;
        runs_[run].push_back(std::move(own));
    }
}

std::optional<std::int64_t> checkpointFor(const std::vector<store::CheckpointInfo>& checkpoints, std::int64_t step) {
    std::optional<std::int64_t> before, first, newest;
    for (const auto& checkpoint : checkpoints) {
        if (!checkpoint.present) continue;
        if (!first || checkpoint.step < *first) first = checkpoint.step;
        if (!newest || checkpoint.step > *newest) newest = checkpoint.step;
        if (checkpoint.step <= step && (!before || checkpoint.step > *before)) before = checkpoint.step;
    }
    if (step < 0) return newest;
    return before ? before : first;
}

analysis::TokenHistory historyOf(const OwnSample& sample, const store::RouterInfo& router, Modality modality, TokenIndex token) {
    analysis::TokenHistory history;
    history.router = router;
    for (const auto& [step, routing] : sample.by_step) {
        for (const auto& reading : pathOf(*routing, modality, token)) {
            if (reading.router.id != router.id || reading.choices.empty()) continue;
            history.step.push_back(step);
            history.expert.push_back(reading.choices.front().expert);
            history.weight.push_back(reading.choices.front().weight);
        }
    }
    return history;
}

void addSteps(analysis::TokenHistory& history, const analysis::TokenHistory& more) {
    for (std::size_t i = 0; i < more.step.size(); ++i) {
        const auto at = std::lower_bound(history.step.begin(), history.step.end(), more.step[i]);
        const auto place = at - history.step.begin();
        if (at == history.step.end() || *at != more.step[i]) {
            history.step.insert(at, more.step[i]);
            history.expert.insert(history.expert.begin() + place, 0);
            history.weight.insert(history.weight.begin() + place, 0);
        }
        history.expert[static_cast<std::size_t>(place)] = more.expert[i];
        history.weight[static_cast<std::size_t>(place)] = more.weight[i];
    }
}

}  // namespace es::views
