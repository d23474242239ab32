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
    const std::lock_guard lock(mutex_);
    const auto reader = routingFile(file, true);
    if (!reader) return tl::unexpected(reader.error());
    for (const UnitRow& unit : (*reader)->units())
        if (unit.router == router.id.value) return (*reader)->read(unit);
    return badInput("Cannot show the probe", "it holds nothing of this router", "Choose another router", (run_ / file).string());
}

Result<std::vector<std::uint64_t>> RunFiles::samplesOfProbe(const std::string& file) {
    const std::lock_guard lock(mutex_);
    const auto reader = routingFile(file, true);
    if (!reader) return tl::unexpected(reader.error());
    std::vector<std::uint64_t> samples;
    std::unordered_set<std::uint64_t> seen;
    for (const UnitRow& unit : (*reader)->units()) {
        const auto table = (*reader)->read(unit);
        if (!table) return tl::unexpected(table.error());
        for (const std::uint64_t sample : table->sample_T)
            if (seen.insert(sample).second) samples.push_back(sample);
    }
    return samples;
}

Result<RoutingTable> RunFiles::trace(const TraceQuery& query, const RouterInfo& router, const std::vector<TracePlace>& places,
                                     std::vector<std::string>& problems) {
    const std::lock_guard lock(mutex_);
    RoutingTable result;
    result.router = router;
    if (router.layout == RoutingLayout::kRagged) result.offsets.push_back(0);
    // Files in the order of their first wanted step; within a file units stand as they were written.
    std::vector<std::string> files;
    std::unordered_map<std::string, std::set<std::int64_t>> steps;
    std::unordered_map<std::string, bool> closed;
    for (const TracePlace& place : places) {
        if (!steps.contains(place.file)) files.push_back(place.file);
        steps[place.file].insert(place.step);
        closed[place.file] = place.closed;
    }
    std::optional<Error> failure;
    bool any = false;
    for (const std::string& file : files) {
        const auto reader = routingFile(file, closed[file]);
        if (!reader) {
            failure = reader.error();
            problems.push_back(failure->message());
            continue;
        }
        any = true;
        for (const UnitRow& unit : (*reader)->units()) {
            if (unit.router != router.id.value || !steps[file].contains(unit.step)) continue;
            if (query.sample) {
                const auto holds = (*reader)->holds(unit, *query.sample);
                if (holds && !*holds) continue;
            }
            auto table = (*reader)->read(unit);
            if (!table) {
                failure = table.error();
                problems.push_back(failure->message());
                continue;
            }
            std::vector<std::uint8_t> keep(static_cast<std::size_t>(table->tokens), 1);
            if (query.sample)
                for (std::size_t t = 0; t < keep.size(); ++t) keep[t] = table->sample_T[t] == *query.sample ? 1 : 0;
            std::int64_t room = query.max_tokens < 0 ? table->tokens : query.max_tokens - result.tokens;
            for (auto& kept : keep)
                if (kept != 0 && room-- <= 0) kept = 0;
            if (std::all_of(keep.begin(), keep.end(), [](std::uint8_t kept) { return kept != 0; })) appendTokens(result, std::move(*table));
            else appendTokens(result, selectTokens(*table, keep));
            if (query.max_tokens >= 0 && result.tokens >= query.max_tokens) return result;
        }
    }
    if (failure && !any) return tl::unexpected(*failure);
    return result;
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
