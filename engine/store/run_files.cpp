// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/run_files.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "engine/store/routing_tables.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostOpenFiles = 16;

/// One segment and the steps wanted of it.
struct SegmentSteps {
    std::string file;
    bool closed = false;
    std::set<std::int64_t> steps;
};
/// In the order of their first wanted step; within a file units stand as they were written.
std::vector<SegmentSteps> bySegment(const std::vector<TracePlace>& places) {
    std::vector<SegmentSteps> segments;
    std::unordered_map<std::string, std::size_t> known;
    for (const TracePlace& place : places) {
        const auto [at, added] = known.emplace(place.file, segments.size());
        if (added) segments.push_back({place.file, place.closed, {}});
        segments[at->second].steps.insert(place.step);
        segments[at->second].closed = place.closed;
    }
    return segments;
}

/// Keeps the query's sample and at most `room` tokens.
void cutTo(const TraceQuery& query, std::int64_t room, RoutingTable& table) {
    std::vector<std::uint8_t> keep(static_cast<std::size_t>(table.tokens), 1);
    if (query.sample)
        for (std::size_t t = 0; t < keep.size(); ++t) keep[t] = table.sample_T[t] == *query.sample ? 1 : 0;
    if (query.max_tokens >= 0)
        for (auto& kept : keep)
            if (kept != 0 && room-- <= 0) kept = 0;
    if (std::any_of(keep.begin(), keep.end(), [](std::uint8_t kept) { return kept == 0; })) table = selectTokens(table, keep);
}

}  // namespace

Result<std::shared_ptr<RoutingFileReader>> RunFiles::routingFile(const std::string& file, bool closed) {
    const auto known = std::find_if(open_.begin(), open_.end(), [&](const OpenFile& open) { return open.file == file; });
    if (known != open_.end()) {
        open_.splice(open_.begin(), open_, known);
        return open_.front().reader;
    }
    auto reader = RoutingFileReader::open(run_ / file, !closed);
    // A segment whose writer was killed is announced as open for ever; one that was closed a moment ago may not be announced yet.
    if (!reader && closed) reader = RoutingFileReader::open(run_ / file, true);
    if (!reader) return tl::unexpected(reader.error());
    std::shared_ptr<RoutingFileReader> shared = std::move(*reader);
    if (!closed) return shared;
    open_.push_front({file, shared});
    if (open_.size() > kMostOpenFiles) open_.pop_back();
    return shared;
}

Result<RoutingTable> RunFiles::probe(const std::string& file, const RouterInfo& router) {
    auto chunk = probe(file, router, RoutingColumns{});
    if (!chunk) return tl::unexpected(chunk.error());
    return std::move(chunk->table);
}

Result<RoutingChunk> RunFiles::probe(const std::string& file, const RouterInfo& router, const RoutingColumns& columns) {
    const std::lock_guard lock(mutex_);
    const auto reader = routingFile(file, true);
    if (!reader) return tl::unexpected(reader.error());
    for (const UnitRow& unit : (*reader)->units())
        if (unit.router == router.id.value) return (*reader)->read(unit, columns);
    return badInput("Cannot show the probe", "it holds nothing of this router", "Choose another router", (run_ / file).string());
}

Result<std::vector<std::uint64_t>> RunFiles::samplesOfProbe(const std::string& file) {
    const std::lock_guard lock(mutex_);
    const auto reader = routingFile(file, true);
    if (!reader) return tl::unexpected(reader.error());
    std::vector<std::uint64_t> samples;
    std::unordered_set<std::uint64_t> seen;
    for (const UnitRow& unit : (*reader)->units()) {
        const auto chunk = (*reader)->read(unit, {.gates = false, .kept = false, .tokens = false, .confidence = false, .probabilities = false});
        if (!chunk) return tl::unexpected(chunk.error());
        for (const TokenRun& run : chunk->runs)
            if (seen.insert(run.sample).second) samples.push_back(run.sample);
    }
    return samples;
}

Result<RoutingTable> RunFiles::trace(const TraceQuery& query, const RouterInfo& router, const std::vector<TracePlace>& places,
                                     std::vector<std::string>& problems) {
    const std::lock_guard lock(mutex_);
    RoutingTable result;
    result.router = router;
    if (router.layout == RoutingLayout::kRagged) result.offsets.push_back(0);
    std::optional<Error> failure;
    bool any = false;
    for (const SegmentSteps& segment : bySegment(places)) {
        const auto reader = routingFile(segment.file, segment.closed);
        if (!reader) {
            failure = reader.error();
            problems.push_back(failure->message());
            continue;
        }
        for (const UnitRow& unit : (*reader)->units()) {
            if (unit.router != router.id.value || !segment.steps.contains(unit.step)) continue;
            if (query.sample) {
                const auto holds = (*reader)->holds(unit, *query.sample);
                any = any || holds.has_value();
                if (holds && !*holds) continue;
            }
            auto table = (*reader)->read(unit);
            if (!table) {
                failure = table.error();
                problems.push_back(failure->message());
                continue;
            }
            any = true;
            cutTo(query, query.max_tokens - result.tokens, *table);
            appendTokens(result, std::move(*table));
            if (query.max_tokens >= 0 && result.tokens >= query.max_tokens) return result;
        }
    }
    if (failure && !any) return tl::unexpected(*failure);
    return result;
}

Status RunFiles::stream(const TraceQuery& query, const std::vector<TracePlace>& places, const RoutingColumns& columns,
                        const std::function<Status(const RoutingChunk&)>& visit, const JobContext& context, std::vector<std::string>& problems) {
    std::optional<Error> failure;
    bool any = false;
    std::int64_t tokens = 0, done = 0;
    const auto segments = bySegment(places);
    const bool cuts = query.sample || query.max_tokens >= 0;
    RoutingColumns read = columns;
    read.tokens = read.tokens || cuts;
    for (const SegmentSteps& segment : segments) {
        std::shared_ptr<RoutingFileReader> reader;
        {
            const std::lock_guard lock(mutex_);
            auto opened = routingFile(segment.file, segment.closed);
            if (!opened) {
                failure = opened.error();
                problems.push_back(failure->message());
                continue;
            }
            reader = std::move(*opened);
        }
        context.progress(done++, static_cast<std::int64_t>(segments.size()), "Reading " + segment.file);
        for (const UnitRow& unit : reader->units()) {
            if ((query.router.valid() && unit.router != query.router.value) || !segment.steps.contains(unit.step)) continue;
            if (context.stopRequested()) return stopped("Reading the trace");
            Result<RoutingChunk> chunk;
            {
                const std::lock_guard lock(mutex_);
                if (query.sample) {
                    const auto holds = reader->holds(unit, *query.sample);
                    any = any || holds.has_value();
                    if (holds && !*holds) continue;
                }
                chunk = reader->read(unit, read);
            }
            if (!chunk) {
                failure = chunk.error();
                problems.push_back(failure->message());
                continue;
            }
            any = true;
            if (cuts) {
                cutTo(query, query.max_tokens - tokens, chunk->table);
                chunk->runs = tokenRuns(chunk->table);
            }
            tokens += chunk->table.tokens;
            if (auto status = visit(*chunk); !status) return status;
            if (query.max_tokens >= 0 && tokens >= query.max_tokens) return {};
        }
    }
    if (failure && !any) return tl::unexpected(*failure);
    return {};
}

void RunFiles::openSamples(std::uint64_t stored, std::vector<std::string>& problems) {
    if (samples_seen_ == stored && !sample_files_.empty()) return;
    samples_seen_ = stored;
    sample_files_.clear();
    sample_places_.clear();
    sample_list_.clear();
    std::vector<fs::path> paths;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(run_, error))
        if (entry.path().filename().string().starts_with("samples") && entry.path().extension() == ".h5") paths.push_back(entry.path());
    // "samples.h5" before "samples.attempt-01.h5".
    std::sort(paths.begin(), paths.end(),
              [](const fs::path& a, const fs::path& b) { return std::pair(a.string().size(), a.string()) < std::pair(b.string().size(), b.string()); });
    std::unordered_set<std::uint64_t> seen;
    for (const fs::path& path : paths) {
        auto file = SampleFileReader::open(path);
        if (!file) {
            problems.push_back(file.error().message());
            continue;
        }
        sample_files_.push_back(std::move(*file));
        const auto& rows = sample_files_.back()->rows();
        for (std::size_t row = 0; row < rows.size(); ++row)
            if (seen.insert(rows[row].hash).second) sample_places_.emplace_back(rows[row].hash, SamplePlace{sample_files_.back(), row});
    }
}

Result<std::vector<SampleRecord>> RunFiles::sampleList(std::uint64_t stored, std::vector<std::string>& problems) {
    const std::lock_guard lock(mutex_);
    openSamples(stored, problems);
    if (sample_list_.empty() && !sample_places_.empty()) {
        std::unordered_map<const SampleFileReader*, std::vector<SampleRecord>> lists;
        for (const auto& file : sample_files_) {
            auto list = file->list();
            if (!list) return tl::unexpected(list.error());
            lists[file.get()] = std::move(*list);
        }
        for (const auto& [hash, place] : sample_places_) sample_list_.push_back(lists[place.file.get()][place.row]);
    }
    return sample_list_;
}

Result<SampleRecord> RunFiles::sample(std::uint64_t hash, std::uint64_t stored, std::vector<std::string>& problems) {
    const std::lock_guard lock(mutex_);
    openSamples(stored, problems);
    for (const auto& [known, place] : sample_places_)
        if (known == hash) return place.file->read(place.row);
    return badInput("Cannot show the sample", "the run does not hold it", "Choose another sample", run_.string());
}

}  // namespace es::store
