// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/convert.h"

#include <spdlog/fmt/fmt.h>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include "datasets/splits.h"
#include "engine/base/hash.h"

namespace es::datasets {
namespace {

using ReadPicture = tl::expected<ConvertedPicture, NoPicture>;

/// Reads runs of pictures in parallel.
class ParallelReader {
public:
    ParallelReader(const Source& source, std::int64_t image_size, int threads, const JobContext& context)
        : source_(source), imageSize_(image_size), context_(context), arena_(threads > 0 ? threads : tbb::info::default_concurrency()) {
        if (threads > 0) allowed_.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
    }
    void read(std::int64_t first, std::vector<ReadPicture>& results) {
        arena_.execute([&] {
            tbb::parallel_for(
                tbb::blocked_range<std::size_t>(0, results.size(), 1),
                [&](const auto& range) {
                    for (std::size_t i = range.begin(); i < range.end(); ++i) results[i] = readOne(first + static_cast<std::int64_t>(i));
                },
                tbb::simple_partitioner());
        });
    }
    [[nodiscard]] int threadsUsed() const { return static_cast<int>(readers_.size()); }

private:
    ReadPicture readOne(std::int64_t picture) {
        if (context_.stopRequested()) return tl::unexpected(NoPicture{"stopped", false});
        try {
            auto& reader = readers_.local();
            if (!reader) {
                auto made = source_.makeReader();
                if (!made) return tl::unexpected(NoPicture{made.error().message()});
                reader = std::move(*made);
            }
            return reader->read(picture, imageSize_);
        } catch (const std::exception& e) {
            return tl::unexpected(NoPicture{e.what()});
        }
    }

    const Source& source_;
    std::int64_t imageSize_;
    const JobContext& context_;
    std::optional<tbb::global_control> allowed_;
    tbb::task_arena arena_;
    tbb::enumerable_thread_specific<std::unique_ptr<PictureReader>> readers_;
};

/// Where a source's picture went.
struct Place {
    std::uint64_t hash = 0;
    std::int64_t slot = -1;  ///< -1: it cannot be used
    std::uint64_t alike = 0;
    std::uint64_t pixels = 0;               ///< hash of the stored picture
    std::vector<std::uint32_t> owner = {};  ///< runs: value in the highest byte, length in the others
};

std::vector<std::uint32_t> runsOf(const std::vector<std::uint8_t>& owner) {
    constexpr std::size_t kLongest = (std::size_t{1} << 24) - 1;
    std::vector<std::uint32_t> runs;
    for (std::size_t i = 0; i < owner.size();) {
        std::size_t end = i + 1;
        while (end < owner.size() && owner[end] == owner[i] && end - i < kLongest) ++end;
        runs.push_back(static_cast<std::uint32_t>(owner[i]) << 24 | static_cast<std::uint32_t>(end - i));
        i = end;
    }
    return runs;
}

std::vector<std::uint8_t> ownerFrom(const std::vector<std::uint32_t>& runs) {
    std::vector<std::uint8_t> owner;
    for (const std::uint32_t run : runs) owner.insert(owner.end(), run & 0xFFFFFFU, static_cast<std::uint8_t>(run >> 24));
    return owner;
}

std::size_t runLength(std::int64_t image_size) {
    constexpr std::int64_t kMostBytes = std::int64_t{64} << 20;
    return static_cast<std::size_t>(std::clamp<std::int64_t>(kMostBytes / (image_size * image_size * 4), 16, 128));
}

Result<std::vector<Place>> convertPictures(const Source& source, std::int64_t count, std::int64_t image_size, CacheWriter* writer, ParallelReader& reader,
                                           Report& report, const JobContext& context) {
    std::vector<Place> places(static_cast<std::size_t>(count));
    std::unordered_map<std::uint64_t, std::int64_t> slots;
    std::vector<ReadPicture> run;
    for (std::int64_t first = 0; first < count; first += static_cast<std::int64_t>(run.size())) {
        if (context.stopRequested()) return stopped("Converting the data");
        context.progress(first, count, "Converting pictures");
        run.assign(std::min(runLength(image_size), static_cast<std::size_t>(count - first)), tl::unexpected(NoPicture{}));
        reader.read(first, run);
        if (context.stopRequested()) return stopped("Converting the data");
        for (std::size_t i = 0; i < run.size(); ++i) {
            const std::int64_t picture = first + static_cast<std::int64_t>(i);
            if (!run[i]) {
                (run[i].error().damage ? report.problems : report.notes).push_back({source.picturePath(picture), run[i].error().why});
                continue;
            }
            const auto [slot, isNew] = slots.try_emplace(run[i]->hash, static_cast<std::int64_t>(slots.size()));
            places[static_cast<std::size_t>(picture)] = {run[i]->hash, slot->second, run[i]->alike, hash64(std::as_bytes(std::span(run[i]->rgba))),
                                                         runsOf(run[i]->owner)};
            if (!isNew || !writer) continue;
            if (auto added = writer->addPicture(run[i]->rgba); !added) return tl::unexpected(added.error());
        }
    }
    context.progress(count, count, "Converting pictures");
    return places;
}

/// What is true of the samples that say so, completed by what only conversion knows.
void writeTruths(Conversion& conversion, const std::vector<Place>& places, std::int64_t image_size, const std::vector<std::uint64_t>& hashes) {
    for (PlacedSample& sample : conversion.samples) {
        const Item& item = *sample.item;
        if (!item.truth) continue;
        SceneTruth truth = *item.truth;
        if (item.picture >= 0) truth.owner = ownerFrom(places[static_cast<std::size_t>(item.picture)].owner);
        truth.side = truth.owner.empty() ? 0 : static_cast<std::int32_t>(image_size);
        if (item.pair_of >= 0) truth.pair_of = hashes[static_cast<std::size_t>(item.pair_of)];
        sample.truth = sceneTruthToJson(truth);
    }
}

void placeSamples(Conversion& conversion, const std::vector<Place>& places, std::int64_t image_size) {
    Report& report = conversion.report;
    std::unordered_map<std::uint64_t, const Item*> seen;
    std::unordered_map<std::uint64_t, const Item*> shown;  // by pixels
    std::vector<SplitInput> keys;
    std::vector<std::uint64_t> hashes(conversion.items.size(), 0);
    const Place none;
    for (const Item& item : conversion.items) {
        const Place& place = item.picture >= 0 ? places[static_cast<std::size_t>(item.picture)] : none;
        if (item.picture >= 0 && place.slot < 0) continue;
        const std::uint64_t hash = hash64(item.caption, place.hash);
        hashes[static_cast<std::size_t>(&item - conversion.items.data())] = hash;
        // Where looks are told, files that draw the same pixels are one picture.
        const std::uint64_t same = place.alike != 0 ? hash64(item.caption, place.pixels) : hash;
        if (const auto [first, isNew] = seen.try_emplace(same, &item); !isNew) {
            ++report.duplicates;
            report.notes.push_back({item.source, fmt::format("left out: picture and caption are those of {}", first->second->source)});
            continue;
        }
        if (item.picture >= 0)
            if (const auto [first, isNew] = shown.try_emplace(place.pixels, &item); !isNew && first->second->picture != item.picture)
                report.notes.push_back({item.source, fmt::format("shows the same picture as {}, under another caption", first->second->source)});
        conversion.samples.push_back({hash, place.slot, Split::kNone, &item});
        keys.push_back({item.split_key, place.hash, place.alike, item.split});
    }
    writeTruths(conversion, places, image_size, hashes);
    const auto splits = assignSplits(keys);
    std::unordered_set<std::string_view> captions;
    for (std::size_t i = 0; i < splits.size(); ++i) {
        PlacedSample& sample = conversion.samples[i];
        sample.split = splits[i];
        const bool picture = sample.picture >= 0, caption = !sample.item->caption.empty();
        report.pictures += picture;
        report.captions += caption;
        report.pairs += picture && caption;
        if (caption) captions.insert(sample.item->caption);
        if (!report.parts.empty()) report.parts[static_cast<std::size_t>(sample.item->part)].end = static_cast<std::int64_t>(i) + 1;
        (splits[i] == Split::kTrain ? report.train : splits[i] == Split::kValidation ? report.validation : report.test) += 1;
    }
    for (std::size_t p = 1; p < report.parts.size(); ++p) report.parts[p].end = std::max(report.parts[p].end, report.parts[p - 1].end);
    report.samples = static_cast<std::int64_t>(splits.size());
    report.distinct_captions = static_cast<std::int64_t>(captions.size());
}

}  // namespace

Result<Conversion> convert(Source& source, std::int64_t image_size, int threads, CacheWriter* writer, const JobContext& context) {
    auto content = source.read(context);
    if (!content) return tl::unexpected(content.error());
    Conversion conversion;
    conversion.report.set = source.name();
    conversion.report.problems = std::move(content->problems);
    conversion.report.notes = std::move(content->notes);
    for (auto& part : content->parts) conversion.report.parts.push_back({std::move(part), 0});
    conversion.items = std::move(content->items);
    conversion.report.found = static_cast<std::int64_t>(conversion.items.size()) + content->left_out;
    ParallelReader reader(source, image_size, threads, context);
    const auto places = convertPictures(source, content->pictures, image_size, writer, reader, conversion.report, context);
    if (!places) return tl::unexpected(places.error());
    placeSamples(conversion, *places, image_size);
    conversion.threads_used = reader.threadsUsed();
    return conversion;
}

}  // namespace es::datasets
