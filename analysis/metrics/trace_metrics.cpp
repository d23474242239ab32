// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/trace_metrics.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "analysis/metrics/pair_counts.h"

namespace es::analysis {
namespace {

void addTo(std::vector<double>& sum, const std::vector<double>& more) {
    if (sum.empty()) sum.assign(more.size(), 0);
    for (std::size_t i = 0; i < std::min(sum.size(), more.size()); ++i) sum[i] += more[i];
}

constexpr std::size_t kJointTables = 4;  ///< in turn, so that none waits for its own last store

/// Counts (label, first choice): the tokens of a run share their label, so a run is one row of the table. `counts_LE` holds kJointTables of them.
void addJoint(const store::RoutingChunk& chunk, const SampleCategories& categories, std::vector<std::int64_t>& counts_LE) {
    const store::RoutingTable& table = chunk.table;
    const auto experts = static_cast<std::size_t>(table.router.experts);
    const bool fixed = table.router.layout == store::RoutingLayout::kFixedK;
    const std::vector<std::int32_t> first = fixed ? std::vector<std::int32_t>{} : firstChoices(store::RoutingView(table));
    const auto k = static_cast<std::size_t>(std::max(table.router.k, 1));
    // Bits of a file can name experts that there are not: such a unit is counted token by token.
    std::uint16_t largest = 0;
    for (const std::uint16_t id : table.expert_ids) largest = std::max(largest, id);
    const bool sound = largest < experts;
    std::size_t row = 0;
    for (const store::TokenRun& run : chunk.runs) {
        const std::size_t end = row + run.tokens;
        const auto label = categories.of.find(run.sample);
        if (label != categories.of.end()) {
            std::int64_t* counts = counts_LE.data() + static_cast<std::size_t>(label->second) * experts;
            if (fixed && !sound) {
                for (std::size_t t = row; t < end; ++t)
                    if (table.expert_ids[t * k] < experts) ++counts[table.expert_ids[t * k]];
            } else if (fixed) {
                const std::uint16_t* ids = table.expert_ids.data();
                const std::size_t table_size = counts_LE.size() / kJointTables;
                std::size_t t = row;
                for (; t + kJointTables <= end; t += kJointTables)
                    for (std::size_t j = 0; j < kJointTables; ++j) ++counts[j * table_size + ids[(t + j) * k]];
                for (; t < end; ++t) ++counts[ids[t * k]];
            } else {
                for (std::size_t t = row; t < end; ++t)
                    if (first[t] >= 0) ++counts[first[t]];
            }
        }
        row = end;
    }
}

/// Units of k choices a token are counted on where the one before ended; k = 1 has no pairs.
void addPairs(const store::RoutingView& view, std::optional<PairCounts>& pairs, std::vector<double>& others_EE) {
    const store::RoutingTable& table = view.table();
    if (table.router.layout != store::RoutingLayout::kFixedK) return addTo(others_EE, coactivation(view).count_EE);
    if (table.router.k <= 1) return;
    if (!pairs) pairs.emplace(static_cast<std::size_t>(table.router.experts), static_cast<std::size_t>(table.router.k));
    pairs->add(table.expert_ids);
}

}  // namespace

SampleCategories sampleCategories(const std::vector<store::SampleRecord>& samples) {
    SampleCategories categories;
    std::set<std::string> names;
    for (const store::SampleRecord& sample : samples)
        if (!sample.category.empty()) names.insert(sample.category);
    categories.names.assign(names.begin(), names.end());
    for (const store::SampleRecord& sample : samples)
        if (!sample.category.empty())
            categories.of.emplace(sample.hash, static_cast<std::int32_t>(std::lower_bound(categories.names.begin(), categories.names.end(), sample.category) -
                                                                         categories.names.begin()));
    return categories;
}

Result<std::vector<TraceMetrics>> traceMetrics(const store::RunReader& run, const TraceOptions& options, const JobContext& context) {
    SampleCategories categories;
    if (options.dependence) {
        auto samples = run.sampleList();
        if (!samples) return tl::unexpected(samples.error());
        categories = sampleCategories(*samples);
    }
    struct Sum {
        TraceMetrics metrics;
        std::vector<std::int64_t> counts_LE;
        std::optional<PairCounts> pairs;  ///< of layouts with k choices a token
        std::vector<double> pairs_EE;     ///< of the others
    };
    std::map<std::int32_t, Sum> sums;
    bool soft = false;
    for (const store::RouterInfo& router : run.routers()) {
        if (options.layer.valid() && router.layer != options.layer) continue;
        sums[router.id.value].metrics.router = router;
        soft = soft || router.layout == store::RoutingLayout::kRagged;
    }
    if (sums.empty()) return std::vector<TraceMetrics>{};
    store::TraceQuery query;
    query.first_step = options.first_step;
    query.last_step = options.last_step;
    store::RoutingColumns columns{.gates = soft, .kept = false, .tokens = false, .confidence = false, .probabilities = false};
    const auto take = [&](const store::RoutingChunk& chunk) -> Status {
        const auto found = sums.find(chunk.table.router.id.value);
        if (found == sums.end()) return {};
        Sum& sum = found->second;
        TraceMetrics& metrics = sum.metrics;
        const store::RoutingTable& table = chunk.table;
        // A file whose table of routers differs from the run's is of another run.
        if (table.router.experts != metrics.router.experts || table.router.k != metrics.router.k) return {};
        const store::RoutingView view(table);
        ++metrics.units;
        metrics.tokens += table.tokens;
        metrics.assignments +=
            static_cast<std::int64_t>(table.router.layout == store::RoutingLayout::kDenseMass ? table.gates.size() : table.expert_ids.size());
        if (metrics.first_step < 0) metrics.first_step = table.step;
        metrics.first_step = std::min(metrics.first_step, table.step);
        metrics.last_step = std::max(metrics.last_step, table.step);
        if (options.load) addTo(metrics.load_E, expertLoads(view));
        if (options.coactivation) addPairs(view, sum.pairs, sum.pairs_EE);
        if (options.dependence && !categories.names.empty()) {
            sum.counts_LE.resize(kJointTables * categories.names.size() * static_cast<std::size_t>(table.router.experts), 0);
            addJoint(chunk, categories, sum.counts_LE);
        }
        return {};
    };
    if (auto streamed = run.streamTrace(query, columns, take, context); !streamed) return tl::unexpected(streamed.error());
    std::vector<TraceMetrics> all;
    for (auto& [id, sum] : sums) {
        TraceMetrics& metrics = sum.metrics;
        if (metrics.units == 0) continue;
        if (options.load) metrics.load = loadOf(std::span<const double>(metrics.load_E));
        if (sum.pairs) addTo(sum.pairs_EE, sum.pairs->counts());
        if (!sum.pairs_EE.empty()) metrics.coactivation = coactivationOf(std::move(sum.pairs_EE), metrics.router.experts);
        if (!sum.counts_LE.empty()) {
            metrics.joint_LE.assign(sum.counts_LE.size() / kJointTables, 0);
            for (std::size_t i = 0; i < sum.counts_LE.size(); ++i) metrics.joint_LE[i % metrics.joint_LE.size()] += static_cast<double>(sum.counts_LE[i]);
            metrics.category =
                mutualInformation(std::span<const double>(metrics.joint_LE), static_cast<std::int32_t>(categories.names.size()), metrics.router.experts);
        }
        all.push_back(std::move(metrics));
    }
    return all;
}

}  // namespace es::analysis
