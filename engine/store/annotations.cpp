// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/annotations.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/hash.h"
#include "engine/store/bytes.h"
#include "engine/store/database.h"
#include "engine/store/format.h"
#include "engine/store/run_index.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

constexpr int kBusyMilliseconds = 5000;
constexpr std::int64_t kApplicationId = 0x45534e31;  // "ESN1": another program's database is not taken for ours
constexpr std::size_t kRowBytes = 8 + 1 + 8 + 4 + 8 + 8;

constexpr const char* kAnnotationTables =
    "CREATE TABLE IF NOT EXISTS named_sets(name TEXT PRIMARY KEY, query TEXT NOT NULL, created REAL NOT NULL);"
    "CREATE TABLE IF NOT EXISTS results(id INTEGER PRIMARY KEY AUTOINCREMENT, purpose TEXT NOT NULL, checkpoint INTEGER NOT NULL, interventions TEXT NOT "
    "NULL, sample TEXT, masked_words TEXT NOT NULL, masked_patches TEXT NOT NULL, samples INTEGER NOT NULL, named_set TEXT NOT NULL, run_uuid TEXT NOT NULL, "
    "program TEXT NOT NULL, created REAL NOT NULL, routers TEXT NOT NULL, words TEXT NOT NULL, effects BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS samples(hash TEXT PRIMARY KEY, category TEXT NOT NULL, caption TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS similarities(step INTEGER, router INTEGER, measure TEXT, experts INTEGER NOT NULL, tokens INTEGER NOT NULL, program TEXT NOT "
    "NULL, created REAL NOT NULL, data BLOB NOT NULL, PRIMARY KEY(step, router, measure));";

constexpr const char* kResultColumns =
    "id, purpose, checkpoint, interventions, sample, masked_words, masked_patches, samples, named_set, run_uuid, program, created, routers, words, effects";

struct NewerVersion : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct NotOurs : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::int64_t pragma(Database& database, const char* sql) {
    Statement ask(database, sql);
    return ask.step() ? ask.integer(0) : 0;
}

/// Throws NewerVersion, NotOurs or DatabaseError.
void checkAnnotations(Database& database) {
    sqlite3_busy_timeout(database.handle(), kBusyMilliseconds);
    const std::int64_t application = pragma(database, "PRAGMA application_id"), version = pragma(database, "PRAGMA user_version");
    const bool empty = pragma(database, "SELECT COUNT(*) FROM sqlite_master") == 0;
    if (!empty && application != kApplicationId) throw NotOurs("it is a database of another program");
    if (version > kAnnotationsVersion) throw NewerVersion(fmt::format("it is of version {}, this program reads up to {}", version, kAnnotationsVersion));
}

/// Commits what is done inside unless that throws.
class Transaction {
public:
    explicit Transaction(Database& database) : database_(database) { database_.execute("BEGIN IMMEDIATE"); }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void commit() {
        database_.execute("COMMIT");
        done_ = true;
    }
    ~Transaction() {
        if (!done_) sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    }

private:
    Database& database_;
    bool done_ = false;
};

/// Makes the tables where they are not there yet.
void startAnnotations(Database& database) {
    database.execute("PRAGMA synchronous = FULL;");
    if (pragma(database, "PRAGMA user_version") == kAnnotationsVersion) return;
    Transaction transaction(database);
    database.execute(kAnnotationTables);
    database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", kApplicationId, kAnnotationsVersion).c_str());
    transaction.commit();
}

std::string packRows(const std::vector<EffectRow>& rows) {
    ByteWriter bytes;
    for (const EffectRow& row : rows) {
        bytes.put(row.sample);
        bytes.put(static_cast<std::uint8_t>(row.objective));
        bytes.put(row.mask_seed);
        bytes.put(row.targets);
        bytes.put(row.before);
        bytes.put(row.after);
    }
    return bytes.take();
}

std::vector<EffectRow> unpackRows(std::string_view blob) {
    if (blob.size() % kRowBytes != 0) throw DatabaseError("the rows of a result are cut short");
    ByteReader bytes(blob);
    std::vector<EffectRow> rows(blob.size() / kRowBytes);
    for (EffectRow& row : rows) {
        row.sample = bytes.get<std::uint64_t>();
        const auto objective = bytes.get<std::uint8_t>();
        if (objective >= kObjectiveCount) throw DatabaseError("a result is of an objective that there is not");
        row.objective = static_cast<Objective>(objective);
        row.mask_seed = bytes.get<std::int64_t>();
        row.targets = bytes.get<std::int32_t>();
        row.before = bytes.get<double>();
        row.after = bytes.get<double>();
    }
    return rows;
}

std::string routersText(const std::vector<EffectRouter>& routers) {
    nlohmann::json all = nlohmann::json::array();
    for (const EffectRouter& r : routers)
        all.push_back({{"router", r.router.id.value},
                       {"layer", r.router.layer.value},
                       {"branch", static_cast<int>(r.router.branch)},
                       {"kind", r.router.kind},
                       {"experts", r.router.experts},
                       {"k", r.router.k},
                       {"layout", static_cast<int>(r.router.layout)},
                       {"tokens", r.tokens},
                       {"rerouted", r.rerouted},
                       {"rows", r.rows}});
    return all.dump();
}

std::vector<EffectRouter> routersFrom(const std::string& text) {
    std::vector<EffectRouter> routers;
    for (const auto& j : nlohmann::json::parse(text)) {
        EffectRouter r;
        r.router.id = RouterId(j.at("router"));
        r.router.layer = LayerIndex(j.at("layer"));
        r.router.branch = static_cast<Branch>(j.at("branch").get<int>());
        r.router.kind = j.at("kind");
        r.router.experts = j.at("experts");
        r.router.k = j.at("k");
        r.router.layout = static_cast<RoutingLayout>(j.at("layout").get<int>());
        r.tokens = j.at("tokens");
        r.rerouted = j.at("rerouted");
        r.rows = j.at("rows").get<std::vector<std::int32_t>>();
        routers.push_back(std::move(r));
    }
    return routers;
}

std::string wordsText(const std::vector<EffectWord>& words) {
    nlohmann::json all = nlohmann::json::array();
    for (const EffectWord& w : words)
        all.push_back(
            {{"position", w.position}, {"before_word", w.before_word}, {"after_word", w.after_word}, {"before_p", w.before_p}, {"after_p", w.after_p}});
    return all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<EffectWord> wordsFrom(const std::string& text) {
    std::vector<EffectWord> words;
    for (const auto& j : nlohmann::json::parse(text))
        words.push_back({j.at("position"), j.at("before_word"), j.at("after_word"), j.at("before_p"), j.at("after_p")});
    return words;
}

std::string numbersText(const std::vector<std::int32_t>& numbers) { return nlohmann::json(numbers).dump(); }
std::vector<std::int32_t> numbersFrom(const std::string& text) { return nlohmann::json::parse(text).get<std::vector<std::int32_t>>(); }
std::string hashKey(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

KeptResult resultFrom(const Statement& row) {
    KeptResult result;
    result.id = row.integer(0);
    result.purpose = row.text(1);
    result.checkpoint = row.integer(2);
    const nlohmann::json interventions = nlohmann::json::parse(row.text(3));
    result.interventions = interventions.get<std::vector<std::string>>();
    if (const std::string sample = row.text(4); !sample.empty()) result.sample = std::stoull(sample, nullptr, 16);
    result.masked_words = numbersFrom(row.text(5));
    result.masked_patches = numbersFrom(row.text(6));
    result.samples = row.integer(7);
    result.set = row.text(8);
    result.run_uuid = row.text(9);
    result.program_version = row.text(10);
    result.created_s = row.real(11);
    result.routers = routersFrom(row.text(12));
    result.words = wordsFrom(row.text(13));
    result.rows = unpackRows(row.blob(14));
    return result;
}

std::vector<EffectSample> namesOf(const KeptResult& result, const std::map<std::uint64_t, EffectSample>& known) {
    std::map<std::uint64_t, EffectSample> used;
    for (const EffectRow& row : result.rows)
        if (const auto found = known.find(row.sample); found != known.end()) used.insert(*found);
    std::vector<EffectSample> names;
    names.reserve(used.size());
    for (auto& [hash, name] : used) names.push_back(std::move(name));
    return names;
}

bool writable(const fs::path& run) { return !onRemoteFileSystem(run) && ::access(run.c_str(), W_OK) == 0; }

}  // namespace

Annotations::Annotations(const fs::path& run) : run_(run), file_(run / kAnnotationsFile) {
    if (writable(run)) return;
    const fs::path cache = userCacheFolder();
    if (cache.empty()) return;
    std::error_code error;
    // Copies of a run differ in place, and so do what people found out about them.
    file_ = cache / "annotations" / fmt::format("{}.sqlite", hashText(hash64(fs::absolute(run, error).lexically_normal().string())));
}

namespace {

/// Runs `work` on the open file. `writing`: makes the file and its tables first; else the answer is empty where there is none.
template <class Work>
auto withFile(const fs::path& run, const fs::path& file, const char* what, bool writing, Work&& work) -> decltype(work(std::declval<Database&>())) {
    try {
        std::error_code error;
        fs::path opened = file;
        const bool own = file.parent_path() == run;
        if (!fs::exists(file, error)) {
            const fs::path shipped = run / kAnnotationsFile;
            const bool copy = !own && fs::exists(shipped, error);
            if (!writing && !copy) return {};
            fs::create_directories(file.parent_path(), error);
            if (copy) {
                // Whole or not at all: another process may do the same.
                const fs::path fresh = file.string() + fmt::format(".{}", ::getpid());
                fs::copy_file(shipped, fresh, fs::copy_options::overwrite_existing, error);
                if (!error) fs::permissions(fresh, fs::perms::owner_read | fs::perms::owner_write, error);
                if (!error) fs::rename(fresh, file, error);
                if (error) return jobFailed(what, error.message(), "Free some space, or make the folder writable", file.string());
            }
        }
        Database database(file.string());
        checkAnnotations(database);
        if (writing) startAnnotations(database);
        else if (pragma(database, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'results'") == 0) return {};
        return work(database);
    } catch (const NewerVersion& problem) {
        return badInput(what, problem.what(), "Use a newer program", file.string());
    } catch (const std::exception& problem) {
        const std::string why = problem.what();
        if (why.find("unable to open") != std::string::npos || why.find("readonly") != std::string::npos || why.find("full") != std::string::npos)
            return jobFailed(what, why, "Make the folder writable, or free some space", file.string());
        if (why.find("locked") != std::string::npos) return jobFailed(what, "another process is writing", "Try again", file.string());
        return badInput(what, why, "Move the file away to start anew; nothing else of the run is lost", file.string());
    }
}

}  // namespace

Result<std::vector<NamedSet>> Annotations::namedSets() const {
    return withFile(run_, file_, "Cannot read the run's named sets", false, [](Database& database) -> Result<std::vector<NamedSet>> {
        std::vector<NamedSet> sets;
        Statement ask(database, "SELECT name, query, created FROM named_sets ORDER BY name");
        while (ask.step()) sets.push_back({ask.text(0), ask.text(1), ask.real(2)});
        return sets;
    });
}

Status Annotations::keepSet(const NamedSet& set) const {
    if (set.name.empty()) return wrongCall("Cannot keep the set", "it has no name", "Give it one");
    return withFile(run_, file_, "Cannot keep the named set", true, [&](Database& database) -> Status {
        Statement put(database, "INSERT OR REPLACE INTO named_sets(name, query, created) VALUES(?, ?, ?)");
        put.bind(1, set.name).bind(2, set.query).bind(3, set.created_s > 0 ? set.created_s : nowSeconds()).run();
        return {};
    });
}

Status Annotations::removeSet(std::string_view name) const {
    return withFile(run_, file_, "Cannot remove the named set", false, [&](Database& database) -> Status {
        Statement drop(database, "DELETE FROM named_sets WHERE name = ?");
        drop.bind(1, name).run();
        return {};
    });
}

Result<std::vector<KeptResult>> Annotations::results(std::string_view purpose) const {
    return withFile(run_, file_, "Cannot read the run's kept results", false, [&](Database& database) -> Result<std::vector<KeptResult>> {
        std::map<std::uint64_t, EffectSample> known;
        Statement names(database, "SELECT hash, category, caption FROM samples");
        while (names.step()) {
            const std::uint64_t hash = std::stoull(names.text(0), nullptr, 16);
            known[hash] = {hash, names.text(1), names.text(2)};
        }
        std::vector<KeptResult> results;
        Statement ask(database, fmt::format("SELECT {} FROM results WHERE ?1 = '' OR purpose = ?1 ORDER BY id", kResultColumns).c_str());
        ask.bind(1, std::string(purpose));  // an empty view would be NULL
        while (ask.step()) {
            results.push_back(resultFrom(ask));
            results.back().names = namesOf(results.back(), known);
        }
        return results;
    });
}

Result<std::int64_t> Annotations::keepResult(const KeptResult& result) const {
    return withFile(run_, file_, "Cannot keep the result", true, [&](Database& database) -> Result<std::int64_t> {
        Transaction transaction(database);
        const std::string sql = fmt::format("INSERT OR REPLACE INTO results({}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", kResultColumns);
        Statement put(database, sql.c_str());
        if (result.id > 0) put.bind(1, result.id);
        put.bind(2, result.purpose).bind(3, result.checkpoint).bind(4, nlohmann::json(result.interventions).dump());
        if (result.sample) put.bind(5, hashKey(*result.sample));
        put.bind(6, numbersText(result.masked_words)).bind(7, numbersText(result.masked_patches)).bind(8, result.samples).bind(9, result.set);
        put.bind(10, result.run_uuid).bind(11, result.program_version).bind(12, result.created_s > 0 ? result.created_s : nowSeconds());
        put.bind(13, routersText(result.routers)).bind(14, wordsText(result.words));
        const std::string rows = packRows(result.rows);
        put.bindBlob(15, std::as_bytes(std::span(rows))).run();
        const std::int64_t id = sqlite3_last_insert_rowid(database.handle());
        Statement name(database, "INSERT OR REPLACE INTO samples(hash, category, caption) VALUES(?, ?, ?)");
        for (const EffectSample& sample : result.names) name.bind(1, hashKey(sample.hash)).bind(2, sample.category).bind(3, sample.caption).run();
        transaction.commit();
        return id;
    });
}

Status Annotations::removeResult(std::int64_t id) const {
    return withFile(run_, file_, "Cannot remove the result", false, [&](Database& database) -> Status {
        Statement drop(database, "DELETE FROM results WHERE id = ?");
        drop.bind(1, id).run();
        return {};
    });
}

Result<std::vector<ExpertSimilarity>> Annotations::similarities(std::int64_t step) const {
    return withFile(run_, file_, "Cannot read the run's kept similarities", false, [&](Database& database) -> Result<std::vector<ExpertSimilarity>> {
        std::vector<ExpertSimilarity> all;
        Statement ask(database, "SELECT router, measure, experts, tokens, program, created, data FROM similarities WHERE step = ? ORDER BY router, measure");
        ask.bind(1, step);
        while (ask.step()) {
            ExpertSimilarity one;
            one.step = step;
            one.router = RouterId(static_cast<std::int32_t>(ask.integer(0)));
            one.measure = ask.text(1);
            one.experts = static_cast<std::int32_t>(ask.integer(2));
            one.tokens = ask.integer(3);
            one.program_version = ask.text(4);
            one.created_s = ask.real(5);
            const std::string_view bytes = ask.blob(6);
            const auto pairs = static_cast<std::size_t>(one.experts) * static_cast<std::size_t>(one.experts);
            if (one.experts < 0 || bytes.size() != pairs * sizeof(double)) throw DatabaseError("a table of similarities is cut short");
            one.values_EE = ByteReader(bytes).array<double>(pairs);
            all.push_back(std::move(one));
        }
        return all;
    });
}

Status Annotations::keepSimilarities(const std::vector<ExpertSimilarity>& similarities) const {
    return withFile(run_, file_, "Cannot keep the similarities", true, [&](Database& database) -> Status {
        Transaction transaction(database);
        Statement put(database,
                      "INSERT OR REPLACE INTO similarities(step, router, measure, experts, tokens, program, created, data) VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
        for (const ExpertSimilarity& one : similarities) {
            put.bind(1, one.step).bind(2, static_cast<std::int64_t>(one.router.value)).bind(3, one.measure).bind(4, static_cast<std::int64_t>(one.experts));
            put.bind(5, one.tokens).bind(6, one.program_version).bind(7, one.created_s > 0 ? one.created_s : nowSeconds());
            put.bindBlob(8, blobOf(std::span<const double>(one.values_EE))).run();
        }
        transaction.commit();
        return {};
    });
}

Result<std::vector<std::int64_t>> Annotations::similaritySteps() const {
    return withFile(run_, file_, "Cannot read the run's kept similarities", false, [](Database& database) -> Result<std::vector<std::int64_t>> {
        std::vector<std::int64_t> steps;
        Statement ask(database, "SELECT DISTINCT step FROM similarities ORDER BY step");
        while (ask.step()) steps.push_back(ask.integer(0));
        return steps;
    });
}

}  // namespace es::store
