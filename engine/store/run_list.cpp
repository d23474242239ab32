// SPDX-License-Identifier: GPL-3.0-or-later
// Listing a folder of runs, every two seconds if need be: each journal is read once, then only what it gained.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>

#include "engine/base/files.h"
#include "engine/store/bytes.h"
#include "engine/store/format.h"
#include "engine/store/journal.h"
#include "engine/store/run_folder.h"
#include "engine/store/run_reader.h"
#include "engine/store/run_state.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kValidationLoss = "eval/loss/total";
constexpr int kDepth = 3;  ///< levels of folders below the one asked for
constexpr std::size_t kMostRuns = 10000;

/// What listing needs of the journals, and how far they were read.
struct Digest {
    struct Journal {
        JournalPosition position;
        std::uint64_t size = 0;
        std::int64_t loss_series = -1;
    };
    struct Loss {
        std::uint32_t attempt;
        std::int64_t step;
        double value;
    };
    std::map<JournalName, Journal> journals;
    RunContents contents;
    std::vector<Loss> losses;
    std::optional<Error> refusal;
    fs::file_time_type described_at{};
    RunDescription description;
    bool described = false;

    void read(const fs::path& folder) {
        for (const JournalName& name : journalsOf(folder)) {
            Journal& journal = journals[name];
            const fs::path path = folder / kJournalFolder / journalFileName(name);
            std::error_code error;
            const auto size = fs::file_size(path, error);
            if (error || size == journal.size) continue;
            if (size < journal.position.offset) journal = {};
            journal.size = size;
            const auto problems = readJournal(path, journal.position, [&](std::string_view payload) {
                take(name, journal, payload);
                return !refusal;
            });
            if (!problems) refusal = problems.error();
        }
    }

private:
    void take(const JournalName& name, Journal& journal, std::string_view payload) {
        const std::uint8_t type = payload.empty() ? 0 : static_cast<std::uint8_t>(payload.front());
        ByteReader in(payload.substr(std::min<std::size_t>(payload.size(), 1)));
        if (type == kScalarType) {
            const auto step = in.get<std::int64_t>();
            contents.noteTime(in.get<double>());
            contents.noteStep(name.attempt, step);
            for (auto count = in.get<std::uint32_t>(); count > 0 && journal.loss_series >= 0 && in.ok(); --count) {
                const auto series = in.get<std::uint32_t>();
                const auto value = in.get<double>();
                if (in.ok() && series == journal.loss_series) losses.push_back({name.attempt, step, value});
            }
        } else if (type == kLoadType) {
            contents.noteStep(name.attempt, in.get<std::int64_t>());
        } else if (type == kSeriesType || type == kEventType || type == kHeaderType) {
            const auto record = decodeRecord(payload);
            if (!record) return;
            if (const auto* series = std::get_if<SeriesDefinition>(&*record)) {
                if (series->name == kValidationLoss) journal.loss_series = series->id;
                return;
            }
            if (const auto* header = std::get_if<AttemptHeader>(&*record); header && header->format_version > kFormatVersion)
                refusal = badInput("Cannot open the run", "a newer version of ExpertScope wrote it", "Update ExpertScope").value();
            contents.apply(name.attempt, *record);
        }
    }
};

/// Digests of runs seen before, so that a listing costs what is new. Dropped when a run's first file changes.
class DigestCache {
public:
    RunSummary summarize(const fs::path& folder) {
        const std::lock_guard lock(mutex_);
        RunSummary summary;
        summary.folder = folder;
        summary.name = folder.filename().string();
        summary.validation_loss = std::numeric_limits<double>::quiet_NaN();
        Digest& digest = digests_[fs::absolute(folder).lexically_normal()];
        std::error_code error;
        const auto changed = std::max(fs::last_write_time(folder / kConfigFile, error), fs::last_write_time(folder / kProvenanceFile, error));
        if (!digest.described || changed != digest.described_at) {
            digest = {};
            auto description = describeRun(folder);
            if (!description) {
                summary.problem = description.error().message();
                return summary;
            }
            digest.description = std::move(*description);
            digest.described = true;
            digest.described_at = changed;
        }
        digest.read(folder);
        const RunDescription& description = digest.description;
        if (!description.config.run.name.empty() && description.configured) summary.name = description.config.run.name;
        summary.uuid = description.provenance.run_uuid;
        summary.group_hash = description.provenance.group_hash;
        summary.seed = -1;
        if (description.configured) {
            summary.ffn = description.config.model.ffn;
            summary.seed = description.config.run.seed;
            summary.steps = description.config.train.steps;
        }
        if (!description.warnings.empty()) summary.warning = description.warnings.front();
        summary.created_s = description.provenance.created_s > 0 ? description.provenance.created_s : digest.contents.startedSeconds();
        summary.step = digest.contents.newestStep();
        summary.state = stateOf(digest.contents, folder, FileLock::isHeld(folder / kLockFile));
        for (const Digest::Loss& loss : digest.losses)
            if (digest.contents.visibility().visible(loss.attempt, loss.step)) summary.validation_loss = loss.value;
        if (digest.refusal) summary.problem = digest.refusal->message();
        return summary;
    }

private:
    std::mutex mutex_;
    std::map<fs::path, Digest> digests_;
};

void findRuns(const fs::path& folder, int depth, std::vector<fs::path>& runs) {
    if (looksLikeRun(folder)) {
        runs.push_back(folder);
        return;
    }
    if (depth == 0) return;
    std::error_code error;
    for (auto entry = fs::directory_iterator(folder, fs::directory_options::skip_permission_denied, error); !error && entry != fs::directory_iterator();
         entry.increment(error)) {
        std::error_code ignored;
        // Links are not followed: they may lead in circles.
        if (entry->is_directory(ignored) && !entry->is_symlink(ignored) && runs.size() < kMostRuns) findRuns(entry->path(), depth - 1, runs);
    }
}

}  // namespace

Result<std::vector<RunSummary>> listRuns(const fs::path& folder) {
    static DigestCache cache;
    std::error_code error;
    if (!fs::is_directory(folder, error)) return badInput("Cannot list the runs", "there is no such directory", "Check the path", folder.string());
    std::vector<fs::path> found;
    findRuns(folder, kDepth, found);
    std::vector<RunSummary> runs;
    for (const fs::path& run : found) {
        try {
            runs.push_back(cache.summarize(run));
        } catch (const std::exception& exception) {
            RunSummary broken;
            broken.folder = run;
            broken.name = run.filename().string();
            broken.problem = exception.what();
            runs.push_back(std::move(broken));
        }
    }
    std::stable_sort(runs.begin(), runs.end(), [](const RunSummary& a, const RunSummary& b) { return a.created_s > b.created_s; });
    return runs;
}

}  // namespace es::store
