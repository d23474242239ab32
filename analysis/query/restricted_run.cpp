// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/query/restricted_run.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "analysis/figures/wording.h"
#include "analysis/metrics/weighing.h"
#include "analysis/query/query.h"
#include "engine/store/routing_tables.h"

namespace es::analysis {
namespace {

class RestrictedRun final : public store::RunReader {
public:
    RestrictedRun(const store::RunReader& run, std::shared_ptr<const store::RunReader> owner, const ChosenSet& set)
        : run_(run), owner_(std::move(owner)), tokens_(set.tokens), samples_(set.tokens.samples()) {}

    Result<store::RunChange> refresh(const JobContext&) override { return store::RunChange{}; }
    [[nodiscard]] const std::filesystem::path& folder() const override { return run_.folder(); }
    [[nodiscard]] const config::RunConfig& config() const override { return run_.config(); }
    [[nodiscard]] store::Provenance provenance() const override { return run_.provenance(); }
    [[nodiscard]] store::RunStatus status() const override { return run_.status(); }
    [[nodiscard]] std::vector<store::RouterInfo> routers() const override { return run_.routers(); }
    [[nodiscard]] std::vector<std::string> scalarNames() const override { return run_.scalarNames(); }
    [[nodiscard]] Result<store::ScalarSeries> scalars(std::string_view name, std::int64_t max_points, double first, double last) const override {
        return run_.scalars(name, max_points, first, last);
    }
    [[nodiscard]] Result<store::LoadHistory> loadHistory(RouterId router, Modality modality, std::int64_t max_columns) const override {
        return run_.loadHistory(router, modality, max_columns);
    }
    [[nodiscard]] Result<std::vector<store::LoadRecord>> loadRecords(RouterId router, std::int64_t first, std::int64_t last) const override {
        return run_.loadRecords(router, first, last);
    }
    [[nodiscard]] std::vector<store::Event> events() const override { return run_.events(); }
    [[nodiscard]] std::vector<store::CheckpointInfo> checkpoints() const override { return run_.checkpoints(); }
    [[nodiscard]] std::vector<store::ProbeKey> probes() const override { return run_.probes(); }
    [[nodiscard]] Result<store::RoutingTable> probe(const store::ProbeKey& key, RouterId router) const override { return cut(run_.probe(key, router)); }
    [[nodiscard]] Result<store::RoutingTable> trace(const store::TraceQuery& query) const override { return cut(run_.trace(query)); }
    [[nodiscard]] std::vector<std::int64_t> tracedSteps() const override { return run_.tracedSteps(); }
    [[nodiscard]] Status streamTrace(const store::TraceQuery& query, const store::RoutingColumns& columns,
                                     const std::function<Status(const store::RoutingChunk&)>& visit, const JobContext& context) const override {
        return run_.streamTrace(
            query, columns,
            [&](const store::RoutingChunk& chunk) -> Status {
                const store::RoutingChunk part = cut(chunk);
                return part.table.tokens > 0 ? visit(part) : Status{};
            },
            context);
    }
    [[nodiscard]] Result<store::RoutingChunk> probeColumns(const store::ProbeKey& key, RouterId router, const store::RoutingColumns& columns) const override {
        auto chunk = run_.probeColumns(key, router, columns);
        if (!chunk) return chunk;
        return cut(*chunk);
    }
    [[nodiscard]] std::vector<std::int64_t> evaluations() const override { return run_.evaluations(); }
    [[nodiscard]] Result<store::Evaluation> evaluation(std::int64_t step) const override {
        auto evaluation = run_.evaluation(step);
        if (evaluation) std::erase_if(evaluation->rows, [&](const store::EvaluationRow& row) { return !samples_.contains(row.sample); });
        return evaluation;
    }
    [[nodiscard]] Result<std::vector<store::SampleRecord>> sampleList() const override {
        auto list = run_.sampleList();
        if (list) std::erase_if(*list, [&](const store::SampleRecord& sample) { return !samples_.contains(sample.hash); });
        return list;
    }
    [[nodiscard]] Result<store::SampleRecord> sample(std::uint64_t hash) const override { return run_.sample(hash); }
    [[nodiscard]] Result<std::vector<std::uint64_t>> probeSamples() const override {
        auto samples = run_.probeSamples();
        if (samples) std::erase_if(*samples, [&](std::uint64_t sample) { return !samples_.contains(sample); });
        return samples;
    }

private:
    [[nodiscard]] Result<store::RoutingTable> cut(Result<store::RoutingTable> table) const {
        if (!table) return table;
        return selectTokens(*table, tokens_.rowsOf(*table));
    }
    [[nodiscard]] store::RoutingChunk cut(const store::RoutingChunk& chunk) const {
        const std::vector<std::uint8_t> rows = tokens_.rowsOf(chunk.runs);
        store::RoutingChunk part{selectTokens(chunk.table, rows), {}};
        std::size_t row = 0;
        for (const store::TokenRun& run : chunk.runs)
            for (std::uint32_t i = 0; i < run.tokens; ++i, ++row) {
                if (!rows[row]) continue;
                if (i > 0 && rows[row - 1] && !part.runs.empty()) ++part.runs.back().tokens;
                else part.runs.push_back({run.sample, 1, static_cast<std::uint16_t>(run.position + i), run.objective, run.modality});
            }
        return part;
    }

    const store::RunReader& run_;
    std::shared_ptr<const store::RunReader> owner_;
    TokenSet tokens_;
    SampleSet samples_;
};

}  // namespace

std::string ChosenSet::note() const {
    if (everything) return {};
    const std::string what = name.empty() ? query : "the set '" + name + "'";
    const std::int64_t listed = tokens.listedTokens();
    const auto samples = static_cast<std::int64_t>(tokens.samples().size());
    return listed > 0 ? fmt::format("only {}: {} of {}", what, plural(listed, "token"), plural(samples, "sample"))
                      : fmt::format("only {}: {}", what, plural(samples, "sample"));
}

bool ChosenSet::chosenByRouting() const {
    if (everything || query.empty()) return false;
    const auto parsed = parseQuery(query);
    return !parsed || parsed->asksRouters();
}

std::shared_ptr<const store::RunReader> restrictTo(std::shared_ptr<const store::RunReader> run, const ChosenSet& set) {
    if (set.everything) return run;
    const store::RunReader& inside = *run;
    return std::make_shared<RestrictedRun>(inside, std::move(run), set);
}

std::unique_ptr<const store::RunReader> restrictBorrowed(const store::RunReader& run, const ChosenSet& set) {
    if (set.everything) return nullptr;
    return std::make_unique<RestrictedRun>(run, nullptr, set);
}

}  // namespace es::analysis
