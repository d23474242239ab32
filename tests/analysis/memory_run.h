// SPDX-License-Identifier: GPL-3.0-or-later
// A run held in memory, filled by the test: exact values, no files.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "engine/store/run_reader.h"

namespace es::test {

class MemoryRun final : public store::RunReader {
public:
    std::filesystem::path path = "/memory/run";
    config::RunConfig configuration;
    store::Provenance origin;
    store::RunStatus state{store::RunState::kFinished, 0, 0, 1, 0, 0, {}};
    std::vector<store::RouterInfo> router_table;
    std::map<std::string, std::map<double, double>> scalar_values;
    std::map<std::int32_t, std::vector<store::LoadRecord>> loads;
    std::vector<store::Event> event_list;
    std::map<store::ProbeKey, std::map<std::int32_t, store::RoutingTable>> probe_tables;
    std::map<std::int64_t, std::vector<store::RoutingTable>> traces;
    std::map<std::int64_t, store::Evaluation> evaluation_list;
    std::vector<store::SampleRecord> samples;
    bool missing_tables_fail = false;  ///< as a damaged file does

    void add(const std::string& name, double step, double value) {
        scalar_values[name][step] = value;
        state.step = std::max(state.step, static_cast<std::int64_t>(step));
    }
    void addLoad(store::LoadRecord record) {
        state.step = std::max(state.step, record.step);
        loads[record.router.value].push_back(std::move(record));
    }

    Result<store::RunChange> refresh(const JobContext&) override { return store::RunChange{}; }
    const std::filesystem::path& folder() const override { return path; }
    const config::RunConfig& config() const override { return configuration; }
    store::Provenance provenance() const override { return origin; }
    store::RunStatus status() const override { return state; }
    std::vector<store::RouterInfo> routers() const override { return router_table; }
    std::vector<std::string> scalarNames() const override {
        std::vector<std::string> names;
        for (const auto& [name, values] : scalar_values) names.push_back(name);
        return names;
    }
    Result<store::ScalarSeries> scalars(std::string_view name, std::int64_t max_points, double first, double last) const override {
        store::ScalarSeries series;
        series.name = name;
        const auto found = scalar_values.find(std::string(name));
        if (found == scalar_values.end()) return series;
        for (const auto& [step, value] : found->second) {
            if (step < first || step > last) continue;
            series.step.push_back(step);
            series.value.push_back(value);
            series.non_finite += !std::isfinite(value);
        }
        series.points = static_cast<std::int64_t>(series.step.size());
        series.low = series.high = series.value;
        if (max_points <= 0 || series.points <= max_points) return series;
        store::ScalarSeries reduced;
        reduced.name = series.name;
        reduced.points = series.points;
        reduced.non_finite = series.non_finite;
        for (std::int64_t b = 0; b < max_points; ++b) {
            const auto begin = series.value.begin() + b * series.points / max_points, end = series.value.begin() + (b + 1) * series.points / max_points;
            reduced.step.push_back(series.step[static_cast<std::size_t>(b * series.points / max_points)]);
            reduced.value.push_back(*(end - 1));
            reduced.low.push_back(*std::min_element(begin, end));
            reduced.high.push_back(*std::max_element(begin, end));
        }
        return reduced;
    }
    Result<std::vector<store::LoadRecord>> loadRecords(RouterId router, std::int64_t first, std::int64_t last) const override {
        std::vector<store::LoadRecord> records;
        if (const auto found = loads.find(router.value); found != loads.end())
            for (const store::LoadRecord& record : found->second)
                if (record.step >= first && (last < 0 || record.step <= last)) records.push_back(record);
        return records;
    }
    Result<store::LoadHistory> loadHistory(RouterId router, Modality modality, std::int64_t) const override {
        store::LoadHistory history;
        history.router = router_table.at(static_cast<std::size_t>(router.value));
        history.modality = modality;
        std::map<std::int64_t, std::pair<std::vector<double>, store::LoadRecord>> steps;
        const auto records = loadRecords(router, 0, -1);
        for (const store::LoadRecord& record : *records) {
            if (modality != Modality::kUnknown && record.modality != modality) continue;
            auto& [counts, last] = steps[record.step];
            counts.resize(record.counts_E.size());
            for (std::size_t e = 0; e < counts.size(); ++e) counts[e] += record.counts_E[e];
            last = record;
        }
        history.steps = static_cast<std::int64_t>(steps.size());
        history.share_ES.assign(static_cast<std::size_t>(history.router.experts) * steps.size(), std::numeric_limits<float>::quiet_NaN());
        std::size_t column = 0;
        for (const auto& [step, value] : steps) {
            double total = 0, most = 0;
            for (const double n : value.first) total += n, most = std::max(most, n);
            for (std::size_t e = 0; e < value.first.size() && total > 0; ++e)
                history.share_ES[e * steps.size() + column] = static_cast<float>(value.first[e] / total);
            history.step.push_back(static_cast<double>(step));
            history.max_vio.push_back(static_cast<float>(most * static_cast<double>(value.first.size()) / total - 1));
            history.entropy_nats.push_back(value.second.entropy_nats);
            history.dropped_share.push_back(static_cast<float>(value.second.dropped / total));
            history.max_abs_logit.push_back(value.second.max_abs_logit);
            ++column;
        }
        return history;
    }
    std::vector<store::Event> events() const override { return event_list; }
    std::vector<store::CheckpointInfo> checkpoints() const override { return {}; }
    std::vector<store::ProbeKey> probes() const override {
        std::vector<store::ProbeKey> keys;
        for (const auto& [key, tables] : probe_tables) keys.push_back(key);
        return keys;
    }
    Result<store::RoutingTable> probe(const store::ProbeKey& key, RouterId router) const override {
        const auto& tables = probe_tables.at(key);
        if (missing_tables_fail && !tables.contains(router.value)) return badInput("Cannot read the recorded routing", "the file is damaged", "Copy it again");
        return tables.at(router.value);
    }
    Result<store::RoutingTable> trace(const store::TraceQuery& query) const override {
        for (const store::RoutingTable& table : traces.at(query.first_step))
            if (table.router.id == query.router) {
                if (!query.sample || (!table.sample_T.empty() && table.sample_T.front() == *query.sample)) return table;
                store::RoutingTable none;
                none.router = table.router;
                return none;
            }
        return store::RoutingTable{};
    }
    std::vector<std::int64_t> tracedSteps() const override {
        std::vector<std::int64_t> steps;
        for (const auto& [step, tables] : traces) steps.push_back(step);
        return steps;
    }
    std::vector<std::int64_t> evaluations() const override {
        std::vector<std::int64_t> steps;
        for (const auto& [step, evaluation] : evaluation_list) steps.push_back(step);
        return steps;
    }
    Result<store::Evaluation> evaluation(std::int64_t step) const override { return evaluation_list.at(step); }
    Result<std::vector<store::SampleRecord>> sampleList() const override {
        std::vector<store::SampleRecord> list = samples;
        for (store::SampleRecord& record : list) record.picture = {};
        return list;
    }
    Result<store::SampleRecord> sample(std::uint64_t hash) const override {
        for (const store::SampleRecord& record : samples)
            if (record.hash == hash) return record;
        return badInput("Cannot show the sample", "the run does not hold it", "Choose another one");
    }
    Result<std::vector<std::uint64_t>> probeSamples() const override { return std::vector<std::uint64_t>{}; }
};

}  // namespace es::test
