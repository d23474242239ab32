// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/annotations_database.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "engine/store/annotations.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

constexpr int kBusyMilliseconds = 5000;
constexpr std::int64_t kApplicationId = 0x45534e31;  // "ESN1": another program's database is not taken for ours

constexpr const char* kAnnotationTables =
    "CREATE TABLE IF NOT EXISTS named_sets(name TEXT PRIMARY KEY, query TEXT NOT NULL, created REAL NOT NULL);"
    "CREATE TABLE IF NOT EXISTS results(id INTEGER PRIMARY KEY AUTOINCREMENT, purpose TEXT NOT NULL, checkpoint INTEGER NOT NULL, interventions TEXT NOT "
    "NULL, sample TEXT, masked_words TEXT NOT NULL, masked_patches TEXT NOT NULL, samples INTEGER NOT NULL, named_set TEXT NOT NULL, run_uuid TEXT NOT NULL, "
    "program TEXT NOT NULL, created REAL NOT NULL, routers TEXT NOT NULL, words TEXT NOT NULL, effects BLOB NOT NULL, picture TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE IF NOT EXISTS samples(hash TEXT PRIMARY KEY, category TEXT NOT NULL, caption TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS similarities(step INTEGER, router INTEGER, measure TEXT, experts INTEGER NOT NULL, tokens INTEGER NOT NULL, program TEXT NOT "
    "NULL, created REAL NOT NULL, data BLOB NOT NULL, run_uuid TEXT NOT NULL DEFAULT '', PRIMARY KEY(step, router, measure));";
constexpr const char* kFromVersion1 =
    "ALTER TABLE results ADD COLUMN picture TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE similarities ADD COLUMN run_uuid TEXT NOT NULL DEFAULT '';";

struct NewerVersion : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct NoPlace : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::int64_t number(Database& database, const char* sql) {
    Statement ask(database, sql);
    return ask.step() ? ask.integer(0) : 0;
}

/// Version of the file's tables, 0 where there are none. Throws where they are not ours to read.
std::int64_t checkedVersion(Database& database) {
    // One moment: another process may just be making the tables.
    Transaction moment(database, "BEGIN");
    const std::int64_t application = number(database, "PRAGMA application_id"), version = number(database, "PRAGMA user_version");
    const bool empty = number(database, "SELECT COUNT(*) FROM sqlite_master") == 0;
    moment.commit();
    if (!empty && application != kApplicationId) throw DatabaseError("it is a database of another program", SQLITE_NOTADB);
    if (version > kAnnotationsVersion) throw NewerVersion(fmt::format("it is of version {}, this program reads up to {}", version, kAnnotationsVersion));
    return empty ? 0 : version;
}

void bringUpToDate(Database& database) {
    Transaction transaction(database);
    // Asked again: another process may have been faster.
    const std::int64_t version = number(database, "PRAGMA user_version");
    if (version == 1) database.execute(kFromVersion1);
    database.execute(kAnnotationTables);
    database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", kApplicationId, kAnnotationsVersion).c_str());
    transaction.commit();
}

/// Copies a database that its owner may be writing to, whole; a file that is there meanwhile stays as it is.
void beginAsCopy(const fs::path& shipped, const fs::path& file) {
    static std::atomic<unsigned> count = 0;
    const fs::path fresh = file.string() + fmt::format(".part-{}-{}", ::getpid(), ++count);
    std::error_code error;
    {
        Database from(shipped.string(), SQLITE_OPEN_READONLY), to(fresh.string());
        sqlite3_busy_timeout(from.handle(), kBusyMilliseconds);
        sqlite3_backup* backup = sqlite3_backup_init(to.handle(), "main", from.handle(), "main");
        int code = backup ? sqlite3_backup_step(backup, -1) : sqlite3_errcode(to.handle());
        if (backup) sqlite3_backup_finish(backup);
        if (code != SQLITE_DONE) {
            fs::remove(fresh, error);
            throw DatabaseError(sqlite3_errstr(code), code);
        }
    }
    const bool placed = ::link(fresh.c_str(), file.c_str()) == 0 || errno == EEXIST;
    const int problem = errno;
    fs::remove(fresh, error);
    if (!placed) throw NoPlace(std::strerror(problem));
}

}  // namespace

Transaction::Transaction(Database& database, const char* begin) : database_(database) { database_.execute(begin); }
void Transaction::commit() {
    database_.execute("COMMIT");
    done_ = true;
}
Transaction::~Transaction() {
    if (!done_) sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

OpenAnnotations openAnnotations(const fs::path& run, const fs::path& file, bool writing) {
    std::error_code error;
    if (!fs::exists(file, error)) {
        const fs::path shipped = run / kAnnotationsFile;
        const bool copy = shipped != file && fs::exists(shipped, error);
        if (!writing && !copy) return {};
        if (!fs::create_directories(file.parent_path(), error) && error) throw NoPlace(error.message());
        if (copy) beginAsCopy(shipped, file);
    }
    OpenAnnotations open{std::make_unique<Database>(file.string()), 0};
    sqlite3_busy_timeout(open.database->handle(), kBusyMilliseconds);
    open.version = checkedVersion(*open.database);
    if (writing) {
        open.database->execute("PRAGMA synchronous = FULL;");
        if (open.version < kAnnotationsVersion) bringUpToDate(*open.database);
        open.version = kAnnotationsVersion;
    }
    if (open.version == 0) open.database.reset();
    return open;
}

Error annotationsError(const char* what, const fs::path& file) {
    constexpr const char* kPlace = "Make the folder writable, or free some space";
    try {
        throw;
    } catch (const NewerVersion& problem) {
        return {ErrorKind::kBadInput, what, problem.what(), "Use a newer program", file.string()};
    } catch (const NoPlace& problem) {
        return {ErrorKind::kJobFailed, what, problem.what(), kPlace, file.string()};
    } catch (const DatabaseError& problem) {
        switch (problem.code() & 0xFF) {
            case SQLITE_BUSY:
            case SQLITE_LOCKED: return {ErrorKind::kJobFailed, what, "another process is writing", "Try again", file.string()};
            case SQLITE_CANTOPEN:
            case SQLITE_READONLY:
            case SQLITE_FULL:
            case SQLITE_IOERR: return {ErrorKind::kJobFailed, what, problem.what(), kPlace, file.string()};
            default: break;
        }
        return {ErrorKind::kBadInput, what, problem.what(), "Move the file away to start anew; nothing else of the run is lost", file.string()};
    } catch (const std::exception& problem) {
        return {ErrorKind::kBadInput, what, problem.what(), "Move the file away to start anew; nothing else of the run is lost", file.string()};
    }
}

}  // namespace es::store
