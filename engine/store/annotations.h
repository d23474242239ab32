// SPDX-License-Identifier: GPL-3.0-or-later
// What people found out about a run and keep with it: results of interventions with their recipe, named sets, similarities of experts.
// annotations.sqlite, described in FORMAT.md. Unlike the index it cannot be made anew.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/store/records.h"

namespace es::store {

inline constexpr const char* kAnnotationsFile = "annotations.sqlite";
/// Rises when the tables change so that an older program could misread them.
inline constexpr std::int64_t kAnnotationsVersion = 2;

/// A query over samples or tokens under a name.
struct NamedSet {
    std::string name, query;
    double created_s = 0;  ///< seconds since the epoch
    bool operator==(const NamedSet&) const = default;
};

/// Loss of one sample under one objective and mask, with and without.
struct EffectRow {
    std::uint64_t sample = 0;
    Objective objective = Objective::kImage;
    std::int64_t mask_seed = 0;
    std::int32_t targets = 0;
    double before = 0, after = 0;
    bool operator==(const EffectRow&) const = default;
};

/// Tokens of one router that were re-routed.
struct EffectRouter {
    RouterInfo router;
    std::int64_t tokens = 0, rerouted = 0;
    std::vector<std::int32_t> rows;  ///< of one sample's result: which tokens of the router's table; empty for sets
    bool operator==(const EffectRouter&) const = default;
};

/// Guesses for one hidden word, with and without.
struct EffectWord {
    std::int32_t position = 0;
    std::string before_word;           ///< the word that stood there where it is among the ten best guesses without interventions, else the best
    std::string after_word;            ///< the best guess with them, which may have been the best before too
    double before_p = 0, after_p = 0;  ///< both of before_word; -1: not among the ten best, NaN: the model gave none
    bool operator==(const EffectWord&) const = default;
};

/// A sample that rows name.
struct EffectSample {
    std::uint64_t hash = 0;
    std::string category, caption;
    bool operator==(const EffectSample&) const = default;
};

/// What interventions did, with all that makes it again.
struct KeptResult {
    std::int64_t id = 0;  ///< given by keepResult() when 0
    // The recipe.
    std::string purpose;                                     ///< "panel", "run", or "causal" for one of a batch over all experts
    std::int64_t checkpoint = 0;                             ///< step
    std::vector<std::string> interventions;                  ///< "ban 1.v:3", as `expertscope run` takes them
    std::optional<std::uint64_t> sample;                     ///< of the run; none: the held-out samples
    std::string picture_file;                                ///< absolute path, where the sample is a picture of one's own
    std::vector<std::int32_t> masked_words, masked_patches;  ///< of that sample
    std::int64_t samples = 0;                                ///< asked for of each stream; 0: all that the run evaluates
    std::string set;                                         ///< name of the named set that the samples were narrowed to; empty: not narrowed
    std::string run_uuid;                                    ///< a run trained anew in the same folder is another one
    std::string program_version;
    double created_s = 0;
    // The result.
    std::vector<EffectRow> rows;
    std::vector<EffectRouter> routers;
    std::vector<EffectWord> words;
    std::vector<EffectSample> names;  ///< of the rows' samples
    bool operator==(const KeptResult&) const = default;
};

/// One number for each pair of experts of a router. Measures: "weights" cosine of all weights of the experts, "router_rows" cosine of the
/// router's weights for them, "outputs" mean over tokens of the cosine of their outputs on the same tokens, "cka" linear CKA of these outputs.
struct ExpertSimilarity {
    std::int64_t step = 0;
    RouterId router;
    std::string measure;
    std::int32_t experts = 0;
    std::int64_t tokens = 0;        ///< at which outputs were compared; 0 for weights
    std::vector<double> values_EE;  ///< symmetric, row by row; NaN where it is not defined
    std::string program_version;
    std::string run_uuid;  ///< a run trained anew in the same folder is another one; empty: not known
    double created_s = 0;
};

/// Which kept results. What is empty asks for nothing.
struct KeptFilter {
    std::string purpose, other_than;  ///< of this purpose; of any but that
    std::string run_uuid;             ///< of this training
};

struct KeptResults {
    std::vector<KeptResult> results;       ///< oldest first
    std::vector<std::int64_t> unreadable;  ///< ids of rows that are damaged or of a kind this program does not know; removeResult() takes them
};

/// The annotations of one run. Every call opens the file for itself, so other processes may use it too and a file put away meanwhile is noticed;
/// calls wait up to five seconds for each other. Thread-safe. No call throws. Reading makes no file in the run.
/// Errors: a damaged file (nothing else of the run is lost), one of a newer version, no place to write.
class Annotations {
public:
    /// In the run's folder; where that cannot be written or lies on another host, in the user's cache, starting from a copy of what the run has.
    explicit Annotations(const std::filesystem::path& run);
    /// In a file of the caller's choice, starting from a copy of what the run has.
    Annotations(std::filesystem::path run, std::filesystem::path file);
    [[nodiscard]] const std::filesystem::path& file() const { return file_; }

    [[nodiscard]] Result<std::vector<NamedSet>> namedSets() const;  ///< by name
    [[nodiscard]] Status keepSet(const NamedSet& set) const;        ///< replaces one of the same name
    [[nodiscard]] Status removeSet(std::string_view name) const;    ///< nothing happens where there is none

    [[nodiscard]] Result<KeptResults> kept(const KeptFilter& filter = {}) const;
    /// The readable ones of one purpose (empty: all), oldest first.
    [[nodiscard]] Result<std::vector<KeptResult>> results(std::string_view purpose = {}) const;
    [[nodiscard]] Result<std::int64_t> keepResult(const KeptResult& result) const;  ///< its id; one of the same id is replaced
    [[nodiscard]] Result<bool> removeResult(std::int64_t id) const;                 ///< false where there is none

    /// Of one checkpoint of one training (empty: any; what names no training fits each), routers, then measures, ascending.
    [[nodiscard]] Result<std::vector<ExpertSimilarity>> similarities(std::int64_t step, const std::string& run_uuid = {}) const;
    /// All or none. Each replaces one of the same step, router and measure.
    [[nodiscard]] Status keepSimilarities(const std::vector<ExpertSimilarity>& similarities) const;
    [[nodiscard]] Result<std::vector<std::int64_t>> similaritySteps(const std::string& run_uuid = {}) const;

private:
    std::filesystem::path run_, file_;
};

}  // namespace es::store
