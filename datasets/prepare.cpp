// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/prepare.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>

#include "datasets/cache_paths.h"
#include "datasets/cache_reader.h"
#include "datasets/convert.h"
#include "datasets/known_sets.h"
#include "datasets/source.h"
#include "datasets/vocabulary.h"
#include "engine/base/files.h"

namespace es::datasets {
namespace fs = std::filesystem;
namespace {

double secondsSince(std::chrono::steady_clock::time_point start) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); }

// Two processes may prepare one set at once: the second waits and finds it done. Where a file system has no locks both convert, each
// under a name of its own, and the last rename wins with the same bytes.
Result<std::optional<FileLock>> waitForLock(const fs::path& path, const JobContext& context) {
    while (true) {
        auto lock = FileLock::acquire(path);
        if (lock) return std::optional<FileLock>(std::move(*lock));
        if (!FileLock::isHeld(path)) {
            if (auto again = FileLock::acquire(path)) return std::optional<FileLock>(std::move(*again));
            if (!FileLock::isHeld(path)) return std::optional<FileLock>();
        }
        if (context.stopRequested()) return stopped("Waiting for another process that prepares this data set");
        context.progress(0, 0, "Waiting for another process that prepares this data set");
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

// Only under the lock: nobody else is writing these.
void removeUnfinished(const CachePaths& paths) {
    const std::string stem = paths.data.stem().string();
    std::error_code error;
    std::vector<fs::path> unfinished;
    for (fs::directory_iterator it(paths.data.parent_path(), error), end; !error && it != end; it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (name.starts_with(stem) && name.find(".part-") != std::string::npos) unfinished.push_back(it->path());
    }
    for (const auto& path : unfinished) fs::remove(path, error);
}

Status makeFolder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) return jobFailed("Cannot make the folder for converted data", error.message(), "Name another one with data.cache", folder.string());
    return {};
}

tl::unexpected<Error> nothingUsable(const Source& source, const Report& report) {
    std::string why = "it holds neither pictures nor captions that can be used";
    if (!report.problems.empty())
        why += fmt::format("; {} {} damaged, the first: {}: {}", report.problems.size(), report.problems.size() == 1 ? "item is" : "items are",
                           report.problems[0].path, report.problems[0].why);
    return badInput(fmt::format("Cannot use the data set '{}'", source.name()), why, "Run 'expertscope data check' on it for the whole list", source.place());
}

Status writeData(Source& source, const config::DataOptions& options, const CachePaths& paths, int threads, const JobContext& context) {
    auto writer = CacheWriter::create(paths.data, options.image_size);
    if (!writer) return tl::unexpected(writer.error());
    auto conversion = convert(source, options.image_size, threads, &*writer, context);
    if (!conversion) return tl::unexpected(conversion.error());
    if (conversion->samples.empty()) return nothingUsable(source, conversion->report);
    context.progress(0, 0, "Writing the converted data");
    return writer->finish(conversion->samples, toJson(About{source.name(), source.place(), options.keywords, conversion->report}));
}

Status writeVocabulary(const CacheFile& cache, const config::DataOptions& options, const fs::path& path, const JobContext& context) {
    if (context.stopRequested()) return stopped("Preparing the data");
    context.progress(0, 0, "Learning the vocabulary");
    std::vector<std::string> captions;
    for (const auto& record : cache.records())
        if (static_cast<Split>(record.split) == Split::kTrain && record.caption.bytes > 0) captions.emplace_back(cache.text(record.caption));
    const auto model = trainVocabulary(captions, options.vocabulary);
    if (!model) return tl::unexpected(model.error());
    if (context.stopRequested()) return stopped("Preparing the data");
    return writeFileAtomically(path, *model);
}

Report reportOf(const CacheFile& cache, const CachePaths& paths, const Tokenizer& tokenizer) {
    Report report = aboutFromJson(cache.about()).report;
    report.cache = paths.data.string();
    report.vocabulary = tokenizer.size();
    return report;
}

void logReport(const Report& report, const JobContext& context) {
    context.log(fmt::format("{}: {} samples ({} pairs), {} training, {} validation, {} test; {} words in the vocabulary", report.set, report.samples,
                            report.pairs, report.train, report.validation, report.test, report.vocabulary));
    constexpr std::size_t kMostLines = 10;
    for (std::size_t i = 0; i < report.problems.size() && i < kMostLines; ++i)
        context.log(fmt::format("damaged: {}: {}", report.problems[i].path, report.problems[i].why));
    if (report.problems.size() > kMostLines)
        context.log(fmt::format("... and {} more; 'expertscope data check' lists all", report.problems.size() - kMostLines));
}

}  // namespace

Result<Report> prepareWithThreads(const config::DataOptions& options, int threads, const JobContext& context) {
    const auto start = std::chrono::steady_clock::now();
    auto source = openSource(options, context);
    if (!source) return tl::unexpected(source.error());
    const CachePaths paths = cachePaths(options, (*source)->fileStem(), (*source)->fingerprint());
    auto cache = CacheFile::open(paths.data);
    auto tokenizer = Tokenizer::load(paths.vocabulary);
    bool converted = false;
    if (!cache || !tokenizer) {
        if (auto made = makeFolder(paths.data.parent_path()); !made) return tl::unexpected(made.error());
        const auto lock = waitForLock(paths.lock, context);
        if (!lock) return tl::unexpected(lock.error());
        if (*lock) removeUnfinished(paths);
        cache = CacheFile::open(paths.data);
        if (!cache) {
            converted = true;
            if (auto written = writeData(**source, options, paths, threads, context); !written) return tl::unexpected(written.error());
            cache = CacheFile::open(paths.data);
            if (!cache) return tl::unexpected(cache.error());
        }
        tokenizer = Tokenizer::load(paths.vocabulary);
        if (!tokenizer) {
            converted = true;
            if (auto written = writeVocabulary(**cache, options, paths.vocabulary, context); !written) return tl::unexpected(written.error());
            tokenizer = Tokenizer::load(paths.vocabulary);
            if (!tokenizer) return tl::unexpected(tokenizer.error());
        }
    }
    Report report = reportOf(**cache, paths, **tokenizer);
    report.converted = converted;
    report.seconds = secondsSince(start);
    if (converted) logReport(report, context);
    return report;
}

Result<Report> prepare(const config::DataOptions& options, const JobContext& context) { return prepareWithThreads(options, 0, context); }

Result<Report> check(const config::DataOptions& options, const JobContext& context) {
    const auto start = std::chrono::steady_clock::now();
    auto source = openSource(options, context);
    if (!source) return tl::unexpected(source.error());
    auto conversion = convert(**source, options.image_size, 0, nullptr, context);
    if (!conversion) return tl::unexpected(conversion.error());
    conversion->report.seconds = secondsSince(start);
    return std::move(conversion->report);
}

std::vector<SetInfo> list(const fs::path& cache) {
    std::vector<SetInfo> sets;
    for (const KnownSet& known : knownSets()) {
        const auto missing = missingPackages(known.name);
        sets.push_back(
            {.name = known.name, .description = known.description, .license = known.license, .available = missing.empty(), .remedy = installRemedy(missing)});
    }
    std::error_code error;
    for (fs::directory_iterator it(cache, error), end; !error && it != end; it.increment(error)) {
        if (it->path().extension() != kCacheExtension) continue;
        const auto file = CacheFile::open(it->path());
        if (!file) continue;
        const About about = aboutFromJson((*file)->about());
        const std::string fileName = it->path().filename().string();
        const auto known =
            std::find_if(sets.begin(), sets.end(), [&](const SetInfo& set) { return about.set == set.name && fileName.starts_with(set.name + "-"); });
        if (known != sets.end()) {
            known->samples = about.report.samples;
            continue;
        }
        const auto side = (*file)->header().image_size;
        if (const auto parts = setParts(about.set); parts.size() > 1) {
            std::vector<std::string> missing;
            for (const auto& part : parts)
                for (auto& package : missingPackages(part)) missing.push_back(std::move(package));
            sets.push_back({.name = about.set,
                            .description = fmt::format("Several sets together, converted to {} x {} pixels", side, side),
                            .license = "see its parts",
                            .available = missing.empty(),
                            .remedy = installRemedy(missing),
                            .samples = about.report.samples});
            continue;
        }
        std::error_code placeError;
        const bool there = fs::is_directory(about.place, placeError);
        sets.push_back({.name = about.place,
                        .description = fmt::format("Folder, converted to {} x {} pixels", side, side),
                        .license = "see the folder",
                        .available = there,
                        .remedy = there ? std::string() : "the folder has gone; what was converted from it can still be used",
                        .samples = about.report.samples});
    }
    return sets;
}

}  // namespace es::datasets
