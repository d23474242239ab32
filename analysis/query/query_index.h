// SPDX-License-Identifier: GPL-3.0-or-later
// Answers queries about a probe and the run's samples from columns in memory, without reading pictures or distributions again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analysis/query/query.h"
#include "analysis/query/token_set.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

/// What a query found.
struct QueryAnswer {
    std::string query;                              ///< as it was asked
    TokenSet tokens;                                ///< for analyses; whole samples when only samples were asked about
    SampleSet samples;                              ///< with at least one token found, or that fit
    std::int64_t found_tokens = 0, all_tokens = 0;  ///< distinct tokens of the probe
    std::int64_t all_samples = 0;                   ///< that the run holds
    struct RouterCount {
        store::RouterInfo router;
        std::int64_t found = 0, tokens = 0;
    };
    std::vector<RouterCount> routers;  ///< tokens that each router alone finds; empty without a probe
    std::int64_t step = -1;            ///< of the probe; -1: none
    std::vector<std::string> notes;    ///< what could not be asked
};

struct QueryIndexOptions {
    std::int64_t step = -1;       ///< of a probe of the trained model; -1: the newest
    std::filesystem::path cache;  ///< folder of kept indexes; empty: nothing is kept. See queryCacheFolder()
};

/// <user cache>/query; empty when there is no home.
[[nodiscard]] std::filesystem::path queryCacheFolder();

/// Immutable once made; safe to ask from many threads.
class QueryIndex {
public:
    /// Reads the samples' texts and the probe's choices. A run without probe gets an index of its samples alone. Damaged routers are left out
    /// and named in the answers' notes. Errors: no probe at that step; the samples cannot be read; stopped.
    [[nodiscard]] static Result<std::shared_ptr<const QueryIndex>> make(const store::RunReader& run, const QueryIndexOptions& options = {},
                                                                        const JobContext& context = {});
    ~QueryIndex();
    QueryIndex(const QueryIndex&) = delete;
    QueryIndex& operator=(const QueryIndex&) = delete;

    /// A token is found when one of the routers that saw it satisfies the whole query; "in 6.v" names the router of one condition. Errors: a
    /// router, expert, category, word or other value that the run does not have (the nearest is named).
    [[nodiscard]] Result<QueryAnswer> answer(const Query& query, const JobContext& context = {}) const;
    [[nodiscard]] const QueryVocabulary& vocabulary() const;
    [[nodiscard]] std::optional<std::int64_t> step() const;  ///< of the probe
    [[nodiscard]] std::int64_t rows() const;                 ///< tokens over all routers
    [[nodiscard]] std::size_t bytes() const;                 ///< of memory
    [[nodiscard]] bool wasKept() const;                      ///< its columns came from the cache

    struct Content;  ///< for the parts that make and walk it

private:
    explicit QueryIndex(std::unique_ptr<Content> content);
    std::unique_ptr<Content> content_;
};

}  // namespace es::analysis
