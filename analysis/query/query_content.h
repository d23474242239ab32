// SPDX-License-Identifier: GPL-3.0-or-later
// What a query index knows of a run, and the walk over it that answers one query.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analysis/query/query_columns.h"
#include "analysis/query/query_index.h"

namespace es::analysis {

/// One sample as far as queries ask of it.
struct QuerySample {
    store::SampleRecord record;                  ///< without picture, owner map and tokens
    std::vector<std::uint32_t> words;            ///< of each token: the caption's word that it belongs to, index into Content::words
    std::vector<std::int32_t> patch_object;      ///< of each patch: index of its object, -1 background, -2 mixed; empty: not known
    std::vector<std::int32_t> token_word;        ///< of each token: index into the truth's words, -1 none
    std::array<double, kObjectiveCount> loss{};  ///< NaN: not evaluated
    double loss_sum = 0;                         ///< over the objectives; NaN: not evaluated
};

/// Tokens of one sample, objective and modality, over all routers.
struct QueryStream {
    std::uint64_t sample = 0;
    std::uint8_t objective = 0, modality = 0;
    std::int32_t sample_index = -1;  ///< -1: the run does not hold the sample itself
    std::uint32_t first_word = 0;    ///< of the universe's bits
    std::uint32_t positions = 0;     ///< bits that it spans
};

struct QueryIndex::Content {
    std::vector<QuerySample> samples;
    std::vector<std::string> words;  ///< distinct, in small letters
    std::unordered_map<std::uint64_t, std::int32_t> sample_at;
    std::optional<store::ProbeKey> probe;
    std::optional<Error> unread;  ///< why none of the run's probes could be read: samples can be searched, tokens cannot
    std::vector<RouterColumns> routers;
    std::vector<std::vector<std::uint32_t>> run_streams;  ///< of each router's runs
    std::vector<QueryStream> streams;                     ///< by sample, objective, modality
    Bits universe;                                        ///< a bit a token that some router saw
    std::int64_t tokens = 0;                              ///< in it
    QueryVocabulary vocabulary;
    std::vector<std::string> notes;
    bool was_kept = false;
};

/// Answers one query. Lives for one call.
class QueryWalk {
public:
    explicit QueryWalk(const QueryIndex::Content& content) : content_(content) {}
    [[nodiscard]] Result<QueryAnswer> answer(const Query& query, const JobContext& context);

private:
    /// Rows of one router, or samples; no words when it is the same for all.
    struct Found {
        bool all = false;
        Bits words;
        [[nodiscard]] bool none() const { return !all && words.empty(); }
    };
    [[nodiscard]] Status check(const QueryNode& node, const Query& query) const;
    [[nodiscard]] Status checkCondition(const Condition& condition, const Query& query) const;

    /// Over the rows of one router.
    [[nodiscard]] Found rows(const QueryNode& node, std::size_t router);
    /// Those that do not fit and of which is known what was asked: `not` turns every condition around, never what was not recorded.
    [[nodiscard]] Found rowsNot(const QueryNode& node, std::size_t router);
    [[nodiscard]] Found known(const Condition& condition, std::size_t router);
    [[nodiscard]] bool knownOf(const Condition& condition, std::int32_t sample) const;
    [[nodiscard]] Found samplesNot(const QueryNode& node);
    [[nodiscard]] Found rowsOf(const Condition& condition, std::size_t router);
    [[nodiscard]] Found routed(const Condition& condition, std::size_t router);
    [[nodiscard]] Found compared(const std::vector<std::uint16_t>& keys, const Condition& condition, const char* what, std::size_t router);
    [[nodiscard]] Found moved(const Found& from, std::size_t from_router, std::size_t to_router);
    template <class Test>
    [[nodiscard]] Found byRun(std::size_t router, Test&& test) const;
    template <class Test>
    [[nodiscard]] Found byToken(std::size_t router, Test&& test) const;
    /// Over the samples.
    [[nodiscard]] Found samplesOf(const QueryNode& node);
    [[nodiscard]] const std::vector<std::uint8_t>& sampleMask(const Condition& condition);
    [[nodiscard]] bool sampleFits(const Condition& condition, const QuerySample& sample) const;
    [[nodiscard]] Found truth(const Condition& condition, std::size_t router) const;

    [[nodiscard]] static Found joined(std::vector<Found> parts, bool both);
    [[nodiscard]] Found inverted(Found found, std::int64_t rows) const;
    void note(std::string text);

    const QueryIndex::Content& content_;
    std::vector<std::pair<Condition, std::vector<std::uint8_t>>> masks_;
    std::map<std::pair<const Condition*, std::size_t>, Found> routed_;  ///< of conditions that name their router: asked by every other one
    std::vector<std::string> notes_;
};

/// Whether a value fits: whole (=, !=) or in part (~); case does not matter.
[[nodiscard]] bool textFits(const std::string& value, const Condition& condition);
[[nodiscard]] bool numberFits(double value, const Condition& condition);
/// Whether the attribute that the condition names is known and fits.
[[nodiscard]] bool objectFits(const SceneObject& object, const Condition& condition);
[[nodiscard]] std::string lowered(std::string_view text);

}  // namespace es::analysis
