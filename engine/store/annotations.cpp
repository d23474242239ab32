// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/annotations.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <map>

#include "engine/base/files.h"
#include "engine/base/hash.h"
#include "engine/store/annotation_rows.h"
#include "engine/store/annotations_database.h"
#include "engine/store/bytes.h"
#include "engine/store/format.h"
#include "engine/store/run_index.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

bool writable(const fs::path& run) { return !onRemoteFileSystem(run) && ::access(run.c_str(), W_OK) == 0; }

const char* uuidColumn(std::int64_t version) { return version < 2 ? "''" : "run_uuid"; }

/// Runs `work` on the open file. `writing`: makes the file and its tables first; else the answer is empty where there is none.
template <class Work>
auto withFile(const fs::path& run, const fs::path& file, const char* what, bool writing, Work&& work)
    -> decltype(work(std::declval<Database&>(), std::int64_t{})) {
    try {
        const OpenAnnotations open = openAnnotations(run, file, writing);
        if (!open.database) return {};
        return work(*open.database, open.version);
    } catch (...) {
        return tl::unexpected(annotationsError(what, file));
    }
}

}  // namespace

Annotations::Annotations(fs::path run, fs::path file) : run_(std::move(run)), file_(std::move(file)) {}

Annotations::Annotations(const fs::path& run) : run_(run), file_(run / kAnnotationsFile) {
    if (writable(run)) return;
    const fs::path cache = userCacheFolder();
    if (cache.empty()) return;
    std::error_code error;
    // Copies of a run differ in place, and so do what people found out about them.
    file_ = cache / "annotations" / fmt::format("{}.sqlite", hashText(hash64(fs::absolute(run, error).lexically_normal().string())));
}

Result<std::vector<NamedSet>> Annotations::namedSets() const {
    return withFile(run_, file_, "Cannot read the run's named sets", false, [](Database& database, std::int64_t) -> Result<std::vector<NamedSet>> {
        std::vector<NamedSet> sets;
        Statement ask(database, "SELECT name, query, created FROM named_sets ORDER BY name");
        while (ask.step()) sets.push_back({ask.text(0), ask.text(1), ask.real(2)});
        return sets;
    });
}

Status Annotations::keepSet(const NamedSet& set) const {
    if (set.name.empty()) return wrongCall("Cannot keep the set", "it has no name", "Give it one");
    return withFile(run_, file_, "Cannot keep the named set", true, [&](Database& database, std::int64_t) -> Status {
        Statement put(database, "INSERT OR REPLACE INTO named_sets(name, query, created) VALUES(?, ?, ?)");
        put.bind(1, set.name).bind(2, set.query).bind(3, set.created_s > 0 ? set.created_s : nowSeconds()).run();
        return {};
    });
}

Status Annotations::removeSet(std::string_view name) const {
    return withFile(run_, file_, "Cannot remove the named set", false, [&](Database& database, std::int64_t) -> Status {
        Statement drop(database, "DELETE FROM named_sets WHERE name = ?");
        drop.bind(1, name).run();
        return {};
    });
}

Result<std::vector<KeptResult>> Annotations::results(std::string_view purpose) const {
    return kept({std::string(purpose), {}, {}}).map([](KeptResults&& kept) { return std::move(kept.results); });
}

Result<KeptResults> Annotations::kept(const KeptFilter& filter) const {
    return withFile(run_, file_, "Cannot read the run's kept results", false, [&](Database& database, std::int64_t version) -> Result<KeptResults> {
        std::map<std::uint64_t, EffectSample> known;
        Statement names(database, "SELECT hash, category, caption FROM samples");
        while (names.step()) {
            try {
                const std::uint64_t hash = hashOfKey(names.text(0));
                known[hash] = {hash, names.text(1), names.text(2)};
            } catch (const std::logic_error&) {
                // A sample whose hash cannot be read stays without a name.
            }
        }
        KeptResults found;
        Statement ask(database,
                      fmt::format("SELECT {} FROM results WHERE (?1 = '' OR purpose = ?1) AND (?2 = '' OR purpose != ?2) AND (?3 = '' OR run_uuid = ?3) "
                                  "ORDER BY id",
                                  resultColumns(version))
                          .c_str());
        ask.bind(1, filter.purpose).bind(2, filter.other_than).bind(3, filter.run_uuid);
        while (ask.step()) {
            try {
                KeptResult result = resultFrom(ask);
                result.names = namesOf(result, known);
                found.results.push_back(std::move(result));
            } catch (const std::exception&) {
                // Another program's or a later version's: the others are no worse for it.
                found.unreadable.push_back(ask.integer(0));
            }
        }
        return found;
    });
}

Result<std::int64_t> Annotations::keepResult(const KeptResult& result) const {
    return withFile(run_, file_, "Cannot keep the result", true, [&](Database& database, std::int64_t version) -> Result<std::int64_t> {
        Transaction transaction(database);
        const std::string sql =
            fmt::format("INSERT OR REPLACE INTO results({}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", resultColumns(version));
        Statement put(database, sql.c_str());
        if (result.id > 0) put.bind(1, result.id);
        const std::string effects = packEffects(result.rows);
        bindResult(put, result, effects);
        put.run();
        const std::int64_t id = sqlite3_last_insert_rowid(database.handle());
        Statement name(database, "INSERT OR IGNORE INTO samples(hash, category, caption) VALUES(?, ?, ?)");
        for (const EffectSample& sample : result.names) name.bind(1, hashKey(sample.hash)).bind(2, sample.category).bind(3, sample.caption).run();
        transaction.commit();
        return id;
    });
}

Result<bool> Annotations::removeResult(std::int64_t id) const {
    return withFile(run_, file_, "Cannot remove the result", false, [&](Database& database, std::int64_t) -> Result<bool> {
        Statement drop(database, "DELETE FROM results WHERE id = ?");
        drop.bind(1, id).run();
        return sqlite3_changes(database.handle()) > 0;
    });
}

Result<std::vector<ExpertSimilarity>> Annotations::similarities(std::int64_t step, const std::string& run_uuid) const {
    return withFile(run_, file_, "Cannot read the run's kept similarities", false,
                    [&](Database& database, std::int64_t version) -> Result<std::vector<ExpertSimilarity>> {
                        std::vector<ExpertSimilarity> all;
                        Statement ask(database, fmt::format("SELECT router, measure, experts, tokens, program, created, data, {} AS uuid FROM similarities "
                                                            "WHERE step = ?1 AND (?2 = '' OR uuid IN ('', ?2)) ORDER BY router, measure",
                                                            uuidColumn(version))
                                                    .c_str());
                        ask.bind(1, step).bind(2, run_uuid);
                        while (ask.step()) {
                            ExpertSimilarity one;
                            one.step = step;
                            one.router = RouterId(static_cast<std::int32_t>(ask.integer(0)));
                            one.measure = ask.text(1);
                            one.experts = static_cast<std::int32_t>(ask.integer(2));
                            one.tokens = ask.integer(3);
                            one.program_version = ask.text(4);
                            one.created_s = ask.real(5);
                            one.run_uuid = ask.text(7);
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
    return withFile(run_, file_, "Cannot keep the similarities", true, [&](Database& database, std::int64_t) -> Status {
        Transaction transaction(database);
        Statement put(
            database,
            "INSERT OR REPLACE INTO similarities(step, router, measure, experts, tokens, program, created, data, run_uuid) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)");
        for (const ExpertSimilarity& one : similarities) {
            put.bind(1, one.step).bind(2, static_cast<std::int64_t>(one.router.value)).bind(3, one.measure).bind(4, static_cast<std::int64_t>(one.experts));
            put.bind(5, one.tokens).bind(6, one.program_version).bind(7, one.created_s > 0 ? one.created_s : nowSeconds());
            put.bindBlob(8, blobOf(std::span<const double>(one.values_EE))).bind(9, one.run_uuid).run();
        }
        transaction.commit();
        return {};
    });
}

Result<std::vector<std::int64_t>> Annotations::similaritySteps(const std::string& run_uuid) const {
    return withFile(run_, file_, "Cannot read the run's kept similarities", false,
                    [&](Database& database, std::int64_t version) -> Result<std::vector<std::int64_t>> {
                        std::vector<std::int64_t> steps;
                        Statement ask(database, fmt::format("SELECT DISTINCT step FROM (SELECT step, {} AS uuid FROM similarities) "
                                                            "WHERE ?1 = '' OR uuid IN ('', ?1) ORDER BY step",
                                                            uuidColumn(version))
                                                    .c_str());
                        ask.bind(1, run_uuid);
                        while (ask.step()) steps.push_back(ask.integer(0));
                        return steps;
                    });
}

}  // namespace es::store
