// SPDX-License-Identifier: GPL-3.0-or-later
// Rows that come from a run's curves and evaluations: losses, stability, alarms.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "analysis/alarms/alarms.h"
#include "analysis/compare/loss_difference.h"
#include "analysis/report/metric_rows.h"
#include "analysis/stats/spikes.h"
#include "engine/config/objectives.h"

namespace es::analysis {
namespace {

/// Rows of one variant as losses, or their trivial predictor's.
SampleLosses lossesOf(const store::Evaluation& evaluation, const std::string& variant, bool trivial) {
    SampleLosses losses;
    losses.step = evaluation.step;
    for (const store::EvaluationRow& row : evaluation.rows) {
        const double loss = trivial ? row.trivial_loss : row.loss;
        if (row.variant == variant && std::isfinite(loss) && row.targets > 0) losses.values[{row.sample, row.mask_seed, row.objective}] = {loss, row.targets};
    }
    return losses;
}

void addDifference(AnalyzeResult& result, MetricRow row, const std::string& name, const SampleDifference& difference) {
    if (difference.samples == 0) return;
    row.low = difference.low;
    row.high = difference.high;
    addRow(result, row, name, difference.mean, difference.samples);
    result.rows.back().note = fmt::format("interval over {} samples", difference.samples);
}

double accuracyOf(const store::Evaluation& evaluation, Objective objective) {
    double right = 0, targets = 0;
    for (const store::EvaluationRow& row : evaluation.rows)
        if (row.objective == objective && row.variant.empty() && std::isfinite(row.accuracy)) {
            right += row.accuracy * row.targets;
            targets += row.targets;
        }
    return targets > 0 ? right / targets : std::nan("");
}

}  // namespace

Status addLosses(const AnalyzeInput& input, AnalyzeResult& result) {
    const std::vector<std::int64_t> steps = input.run.evaluations();
    if (steps.empty()) {
        result.notes.push_back("losses: nothing has been evaluated yet");
        return {};
    }
    // The evaluation of the chosen checkpoint: the newest that is not after it.
    std::int64_t at = steps.front();
    for (const std::int64_t step : steps)
        if (input.request.checkpoint < 0 || step <= input.request.checkpoint) at = step;
    auto first = input.run.evaluation(steps.front());
    if (!first) return tl::unexpected(first.error());
    auto last = input.run.evaluation(at);
    if (!last) return tl::unexpected(last.error());
    const auto families = SampleFamilies::of(input.run);
    if (!families) return tl::unexpected(families.error());
    constexpr double kConfidence = 0.95;
    for (int o = 0; o < kObjectiveCount; ++o) {
        std::vector<double> weights(kObjectiveCount, 0.0);
        weights[static_cast<std::size_t>(o)] = 1;
        const auto objective = static_cast<Objective>(o);
        SampleLosses model = lossesOf(*last, "", false), trivial = lossesOf(*last, "", true), start = lossesOf(*first, "", false);
        model.families = trivial.families = start.families = *families;
        const SampleDifference gain = sampleDifference(Baseline<SampleLosses>(trivial), Candidate<SampleLosses>(model), weights, kConfidence);
        if (gain.samples == 0) continue;
        MetricRow row = runRow("losses", at);
        row.label = toString(objective);
        const std::string unit = config::lossUnit(input.run.config(), objective) == "nats" ? "_nats" : "";
        addRow(result, row, "loss" + unit, gain.candidate, gain.samples);
        addRow(result, row, "trivial_loss" + unit, gain.baseline, gain.samples);
        addDifference(result, row, "loss_minus_trivial" + unit, gain);
        if (gain.standard_error > 0) addRow(result, row, "standard_errors_below_trivial", -gain.mean / gain.standard_error, gain.samples);
        if (first->step != last->step) {
            const SampleDifference fall = sampleDifference(Baseline<SampleLosses>(start), Candidate<SampleLosses>(model), weights, kConfidence);
            MetricRow begin = row;
            begin.step = first->step;
            begin.note = fmt::format("at step {}", first->step);
            addRow(result, std::move(begin), "loss" + unit, fall.baseline, fall.samples);
            addDifference(result, row, "loss_minus_start" + unit, fall);
        }
        if (const double accuracy = accuracyOf(*last, objective); std::isfinite(accuracy)) addRow(result, row, "accuracy", accuracy, gain.samples);
        const SampleLosses wrong = lossesOf(*last, "wrong_picture", false);
        addDifference(result, row, "wrong_picture_minus_right" + unit,
                      sampleDifference(Baseline<SampleLosses>(model), Candidate<SampleLosses>(wrong), weights, kConfidence));
    }
    return {};
}

Status addStability(const AnalyzeInput& input, AnalyzeResult& result) {
    for (const char* name : {"train/loss", "grad_norm/all"}) {
        auto series = input.run.scalars(name);
        if (!series) return tl::unexpected(series.error());
        if (series->value.empty()) {
            result.notes.push_back(fmt::format("stability: {} was not recorded", name));
            continue;
        }
        const std::vector<std::uint8_t> flags = spikeFlags(series->value);
        const auto spikes = std::count(flags.begin(), flags.end(), 1);
        MetricRow row = runRow("stability", static_cast<std::int64_t>(series->step.back()));
        row.label = name;
        row.note = "value above mean + 6 sd of the last 128";
        const auto n = static_cast<std::int64_t>(series->value.size());
        addRow(result, row, "spikes", static_cast<double>(spikes), n);
        addRow(result, row, "spike_rate", static_cast<double>(spikes) / static_cast<double>(n), n);
        addRow(result, std::move(row), "non_finite", static_cast<double>(series->non_finite), n);
    }
    return {};
}

Status addAlarms(const AnalyzeInput& input, AnalyzeResult& result) {
    auto alarms = findAlarms(input.run, {}, input.context);
    if (!alarms) return tl::unexpected(alarms.error());
    double active = 0;
    for (const Alarm& alarm : *alarms) {
        active += alarm.active();
        if (input.request.layer.valid() && alarm.layer.valid() && alarm.layer != input.request.layer) continue;
        MetricRow row = runRow("alarms", alarm.start_step);
        row.layer = alarm.layer;
        row.branch = alarm.branch;
        row.router = alarm.router;
        row.expert = alarm.expert;
        row.label = toString(alarm.kind);
        row.note = alarm.title + ": " + alarm.detail;
        addRow(result, row, "worst", alarm.worst);
        if (alarm.end_step) addRow(result, std::move(row), "end_step", static_cast<double>(*alarm.end_step));
    }
    addRow(result, runRow("alarms", input.step), "active_alarms", active);
    addRow(result, runRow("alarms", input.step), "resolved_alarms", static_cast<double>(alarms->size()) - active);
    return {};
}

}  // namespace es::analysis
