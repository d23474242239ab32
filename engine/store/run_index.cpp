// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/run_index.h"

#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "engine/base/hash.h"
#include "engine/store/bytes.h"
#include "engine/store/run_folder.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

constexpr auto kSaveInterval = std::chrono::seconds(30);

constexpr const char* kTables =
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT);"
    "CREATE TABLE IF NOT EXISTS journals(id INTEGER PRIMARY KEY, attempt INTEGER, rank INTEGER, identity INTEGER, offset INTEGER, next_sequence INTEGER, "
    "newest_step INTEGER);"
    "CREATE TABLE IF NOT EXISTS journal_series(journal INTEGER, local INTEGER, series INTEGER, PRIMARY KEY(journal, local));"
    "CREATE TABLE IF NOT EXISTS records(journal INTEGER, kind INTEGER, payload BLOB);"
    "CREATE TABLE IF NOT EXISTS events(attempt INTEGER, step INTEGER, time_s REAL, severity INTEGER, kind TEXT, message TEXT);"
    "CREATE TABLE IF NOT EXISTS checkpoints(attempt INTEGER, step INTEGER, validation_loss REAL, folder TEXT, present INTEGER);"
    "CREATE TABLE IF NOT EXISTS traced_steps(attempt INTEGER, step INTEGER, file TEXT, units INTEGER, tokens INTEGER);"
    "CREATE TABLE IF NOT EXISTS warnings(text TEXT);";

std::uint64_t identityOf(const fs::path& journal) {
    char head[kFrameHeaderBytes] = {};
    std::ifstream in(journal, std::ios::binary);
    in.read(head, sizeof(head));
    return in.gcount() == static_cast<std::streamsize>(sizeof(head)) ? hash64(std::string_view(head, sizeof(head))) : 0;
}

/// Changes when a file is copied: an index that came along with a copy made in mid-write is not to be trusted.
std::string inodeOf(const fs::path& file) {
    struct stat info {};
    return ::stat(file.c_str(), &info) == 0 ? fmt::format("{}:{}", info.st_dev, info.st_ino) : std::string();
}

void add(RunChange& into, const RunChange& more) {
    into.scalars |= more.scalars;
    into.load |= more.load;
    into.events |= more.events;
    into.checkpoints |= more.checkpoints;
    into.probes |= more.probes;
    into.evaluations |= more.evaluations;
    into.traces |= more.traces;
    into.samples |= more.samples;
}

}  // namespace

bool onRemoteFileSystem(const fs::path& folder) {
    struct statfs info {};
    if (::statfs(folder.c_str(), &info) != 0) return false;
    switch (static_cast<std::uint32_t>(info.f_type)) {
        case 0x6969u:      // NFS
        case 0x517Bu:      // SMB
        case 0xFF534D42u:  // CIFS
        case 0xFE534D42u:  // SMB2
        case 0x65735546u:  // FUSE: sshfs among others
        case 0x01021997u:  // 9p
        case 0x00C36400u:  // Ceph
        case 0x0BD00BD0u:  // Lustre
        case 0x47504653u:  // GPFS
            return true;
        default: return false;
    }
}

std::vector<fs::path> indexPlaces(const fs::path& run, const std::string& runUuid) {
    std::vector<fs::path> places{run / kIndexFile};
    const fs::path cache = userCacheFolder();
    std::error_code error;
    // Copies of a run share its uuid and differ in place.
    if (!cache.empty() && !runUuid.empty())
        places.push_back(cache / "index" / fmt::format("{}-{}.sqlite", runUuid, hashText(hash64(fs::absolute(run, error).lexically_normal().string()))));
    return places;
}

RunIndex::RunIndex(fs::path run, const std::string& runUuid, Place place) : run_(std::move(run)) {
    if (place == Place::kBest) {
        for (const fs::path& file : indexPlaces(run_, runUuid)) {
            const fs::path folder = file.parent_path();
            std::error_code error;
            if (folder != run_) fs::create_directories(folder, error);
            if (error || onRemoteFileSystem(folder) || ::access(folder.c_str(), W_OK) != 0) continue;
            if (openFile(file, runUuid)) return;
        }
    }
    file_.clear();
    start(":memory:");
}

RunIndex::~RunIndex() {
    try {
        save();
    } catch (const std::exception&) {
        // Disposable: the next reader goes on from the last save.
    }
}

/// False when another reader keeps this index or it cannot be written.
bool RunIndex::openFile(const fs::path& file, const std::string& runUuid) {
    auto lock = FileLock::acquire(file.string() + ".lock");
    if (!lock) return false;
    lock_ = std::move(*lock);
    file_ = file;
    for (int attempt = 0; attempt < 2; ++attempt) {
        try {
            start(file.string());
            if (load(runUuid)) return true;
        } catch (const DatabaseError&) {
            // Damaged: dropped below and built anew.
        }
        series_.reset();
        loads_.reset();
        database_.reset();
        contents_ = {};
        journals_.clear();
        warnings_.clear();
        std::error_code error;
        fs::remove(file, error);
        fs::remove(file.string() + "-journal", error);
    }
    lock_.reset();
    file_.clear();
    return false;
}

void RunIndex::start(const std::string& databasePath) {
    database_ = std::make_unique<Database>(databasePath);
    database_->execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384;");
    database_->execute(kTables);
    SeriesStore::createTables(*database_);
    LoadStore::createTables(*database_);
    series_ = std::make_unique<SeriesStore>(*database_);
    loads_ = std::make_unique<LoadStore>(*database_);
    saved_at_ = std::chrono::steady_clock::now();
}

/// Takes over what the file holds. False when it belongs to another run or version, or the journals are no longer the same.
bool RunIndex::load(const std::string& runUuid) {
    const std::string identity = fmt::format("{} {} {}", kIndexVersion, runUuid, inodeOf(file_));
    Statement meta(*database_, "SELECT value FROM meta WHERE key = 'identity'");
    if (!meta.step()) {
        Statement write(*database_, "INSERT INTO meta(key, value) VALUES('identity', ?)");
        write.bind(1, std::string_view(identity)).run();
        return true;
    }
    if (meta.text(0) != identity) return false;
    Statement journals(*database_, "SELECT attempt, rank, identity, offset, next_sequence, newest_step FROM journals ORDER BY id");
    while (journals.step()) {
        Journal journal;
        journal.name = {static_cast<std::uint32_t>(journals.integer(0)), static_cast<std::uint32_t>(journals.integer(1))};
        journal.identity = static_cast<std::uint64_t>(journals.integer(2));
        journal.position = {static_cast<std::uint64_t>(journals.integer(3)), static_cast<std::uint64_t>(journals.integer(4))};
        std::error_code error;
        const auto size = fs::file_size(pathOf(journal), error);
        if (error || size < journal.position.offset || identityOf(pathOf(journal)) != journal.identity) return false;
        contents_.noteStep(journal.name.attempt, journals.integer(5));
        journals_.push_back(std::move(journal));
    }
    Statement series(*database_, "SELECT journal, local, series FROM journal_series");
    while (series.step()) {
        const auto number = static_cast<std::size_t>(series.integer(0)), local = static_cast<std::size_t>(series.integer(1));
        if (number >= journals_.size() || local > (1u << 24)) return false;
        auto& table = journals_[number].series;
        if (table.size() <= local) table.resize(local + 1, -1);
        table[local] = series.integer(2);
    }
    Statement records(*database_, "SELECT journal, payload FROM records ORDER BY rowid");
    while (records.step()) {
        const auto number = static_cast<std::size_t>(records.integer(0));
        const auto record = decodeRecord(records.blob(1));
        if (number >= journals_.size() || !record) return false;
        contents_.apply(journals_[number].name.attempt, *record);
    }
    Statement warnings(*database_, "SELECT text FROM warnings ORDER BY rowid");
    while (warnings.step()) warnings_.push_back(warnings.text(0));
    saved_warnings_ = warnings_.size();
    series_->load();
    loads_->load();
    return true;
}

fs::path RunIndex::pathOf(const Journal& journal) const { return run_ / kJournalFolder / journalFileName(journal.name); }

void RunIndex::findJournals() {
    for (const JournalName& name : journalsOf(run_)) {
        const bool known = std::any_of(journals_.begin(), journals_.end(), [&](const Journal& journal) { return journal.name == name; });
        if (!known) journals_.push_back({name, {}, 0, 0, 0, {}});
    }
}

Result<RunChange> RunIndex::update(const JobContext& context) {
    RunChange change;
    findJournals();
    bool began = false;
    try {
        for (std::size_t i = 0; i < journals_.size(); ++i) {
            Journal& journal = journals_[i];
            std::error_code error;
            const auto size = fs::file_size(pathOf(journal), error);
            if (error || size == journal.seen_size) continue;
            if (size < journal.position.offset) throw DatabaseError("a journal became shorter");
            if (!began) database_->execute("BEGIN");
            began = true;
            auto found = readNew(journal, static_cast<std::int64_t>(i), context);
            if (!found) {
                database_->execute("ROLLBACK");
                return found;
            }
            journal.seen_size = std::max<std::uint64_t>(size, journal.position.offset);
            add(change, *found);
        }
        if (!began) return change;
        const bool wrote = series_->takeWroteBlocks() | loads_->takeWroteBlocks();
        if (wrote || std::chrono::steady_clock::now() - saved_at_ > kSaveInterval) writeState();
        database_->execute("COMMIT");
    } catch (const DatabaseError&) {
        if (began) sqlite3_exec(database_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
        throw;
    }
    return change;
}

Result<RunChange> RunIndex::readNew(Journal& journal, std::int64_t number, const JobContext& context) {
    RunChange change;
    if (journal.identity == 0) journal.identity = identityOf(pathOf(journal));
    std::int64_t frames = 0;
    const auto problems = readJournal(pathOf(journal), journal.position, [&](std::string_view payload) {
        apply(journal, number, payload, change);
        if (++frames % 65536 == 0) context.progress(static_cast<std::int64_t>(journal.position.offset), 0, "Reading the journal");
        return !refusal_;
    });
    if (!problems) return tl::unexpected(problems.error());
    if (refusal_) return tl::unexpected(*refusal_);
    dirty_ = dirty_ || frames > 0;
    journal.unread_tail = problems->unread_tail;
    const std::string file = fmt::format("{}/{}", kJournalFolder, journalFileName(journal.name));
    if (problems->damaged_bytes > 0)
        warnings_.push_back(fmt::format("{}: {} damaged bytes at {} were skipped", file, problems->damaged_bytes, problems->damaged_at));
    if (problems->missing_frames > 0) warnings_.push_back(fmt::format("{}: {} records are missing", file, problems->missing_frames));
    return change;
}

void RunIndex::apply(Journal& journal, std::int64_t number, std::string_view payload, RunChange& change) {
    const std::uint8_t type = payload.empty() ? 0 : static_cast<std::uint8_t>(payload.front());
    if (type == kScalarType) {
        ByteReader in(payload.substr(1));
        const auto step = in.get<std::int64_t>();
        const auto time = in.get<double>();
        const auto count = in.get<std::uint32_t>();
        if (count > in.left() / 12) {
            ++unknown_records_;
            return;
        }
        for (std::uint32_t i = 0; i < count; ++i) {
            const auto local = in.get<std::uint32_t>();
            const auto value = in.get<double>();
            if (local < journal.series.size() && journal.series[local] >= 0) series_->append(journal.series[local], number, step, value);
            else ++unknown_records_;
        }
        contents_.noteStep(journal.name.attempt, step);
        contents_.noteTime(time);
        change.scalars = true;
        return;
    }
    if (type == kLoadType) {
        std::int64_t step = 0;
        if (loads_->append(number, payload, step)) {
            contents_.noteStep(journal.name.attempt, step);
            change.load = true;
        } else {
            ++unknown_records_;
        }
        return;
    }
    const auto record = decodeRecord(payload);
    if (!record) {
        ++unknown_records_;
        return;
    }
    if (const auto* series = std::get_if<SeriesDefinition>(&*record)) {
        if (series->id > (1u << 24)) return;
        if (journal.series.size() <= series->id) journal.series.resize(series->id + 1, -1);
        journal.series[series->id] = series_->seriesId(series->name);
        return;
    }
    if (const auto* header = std::get_if<AttemptHeader>(&*record); header && header->format_version > kFormatVersion) {
        refusal_ = badInput("Cannot open the run", fmt::format("its format version is {}, this program knows {}", header->format_version, kFormatVersion),
                            "Update ExpertScope", run_.string())
                       .value();
        return;
    }
    add(change, contents_.apply(journal.name.attempt, *record));
    unsaved_.push_back({number, std::string(payload)});
}

void RunIndex::save() {
    if (!database_ || file_.empty() || !dirty_) return;
    database_->execute("BEGIN");
    try {
        writeState();
        database_->execute("COMMIT");
    } catch (const DatabaseError&) {
        sqlite3_exec(database_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
        throw;
    }
}

/// Positions and everything that was read up to them, in the caller's transaction: they are true together or not at all.
void RunIndex::writeState() {
    Statement journals(*database_, "INSERT OR REPLACE INTO journals(id, attempt, rank, identity, offset, next_sequence, newest_step) VALUES(?,?,?,?,?,?,?)");
    Statement series(*database_, "INSERT OR REPLACE INTO journal_series(journal, local, series) VALUES(?,?,?)");
    for (std::size_t i = 0; i < journals_.size(); ++i) {
        const Journal& journal = journals_[i];
        const auto number = static_cast<std::int64_t>(i);
        journals.bind(1, number).bind(2, std::int64_t{journal.name.attempt}).bind(3, std::int64_t{journal.name.rank});
        journals.bind(4, static_cast<std::int64_t>(journal.identity)).bind(5, static_cast<std::int64_t>(journal.position.offset));
        journals.bind(6, static_cast<std::int64_t>(journal.position.next_sequence)).bind(7, contents_.newestStepOf(journal.name.attempt)).run();
        for (std::size_t local = 0; local < journal.series.size(); ++local)
            if (journal.series[local] >= 0) series.bind(1, number).bind(2, static_cast<std::int64_t>(local)).bind(3, journal.series[local]).run();
    }
    Statement records(*database_, "INSERT INTO records(journal, kind, payload) VALUES(?,?,?)");
    Statement events(*database_, "INSERT INTO events VALUES(?,?,?,?,?,?)");
    Statement checkpoints(*database_, "INSERT INTO checkpoints VALUES(?,?,?,?,?)");
    Statement traces(*database_, "INSERT INTO traced_steps VALUES(?,?,?,?,?)");
    for (const SmallRecord& small : unsaved_) {
        records.bind(1, small.journal).bind(2, std::int64_t{static_cast<std::uint8_t>(small.payload.front())}).bindBlob(3, blobOf<char>(small.payload)).run();
        const std::int64_t attempt = journals_[static_cast<std::size_t>(small.journal)].name.attempt;
        const auto record = decodeRecord(small.payload);
        if (!record) continue;
        if (const auto* event = std::get_if<Event>(&*record))
            events.bind(1, attempt)
                .bind(2, event->step)
                .bind(3, event->time_s)
                .bind(4, static_cast<std::int64_t>(event->severity))
                .bind(5, std::string_view(event->kind))
                .bind(6, std::string_view(event->message))
                .run();
        if (const auto* info = std::get_if<CheckpointInfo>(&*record))
            checkpoints.bind(1, attempt)
                .bind(2, info->step)
                .bind(3, info->validation_loss)
                .bind(4, std::string_view(info->folder))
                .bind(5, std::int64_t{info->present})
                .run();
        if (const auto* trace = std::get_if<TraceNotice>(&*record))
            traces.bind(1, attempt)
                .bind(2, trace->step)
                .bind(3, std::string_view(trace->file))
                .bind(4, std::int64_t{trace->units})
                .bind(5, static_cast<std::int64_t>(trace->tokens))
                .run();
    }
    unsaved_.clear();
    Statement warnings(*database_, "INSERT INTO warnings VALUES(?)");
    for (; saved_warnings_ < warnings_.size(); ++saved_warnings_) warnings.bind(1, std::string_view(warnings_[saved_warnings_])).run();
    series_->save();
    loads_->save();
    dirty_ = false;
    saved_at_ = std::chrono::steady_clock::now();
}

std::vector<SeriesStore::Source> RunIndex::sources() const {
    std::vector<SeriesStore::Source> sources;
    for (std::size_t i = 0; i < journals_.size(); ++i)
        sources.push_back({static_cast<std::int64_t>(i), journals_[i].name, contents_.visibility().cutoff(journals_[i].name.attempt)});
    std::sort(sources.begin(), sources.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return sources;
}

std::vector<std::string> RunIndex::warnings(bool idle) const {
    std::vector<std::string> all = warnings_;
    if (unknown_records_ > 0) all.push_back(fmt::format("{} records could not be understood and were left out", unknown_records_));
    if (idle)
        for (const Journal& journal : journals_)
            if (journal.unread_tail > 0)
                all.push_back(
                    fmt::format("{}/{}: ends in the middle of a record ({} bytes)", kJournalFolder, journalFileName(journal.name), journal.unread_tail));
    return all;
}

}  // namespace es::store
