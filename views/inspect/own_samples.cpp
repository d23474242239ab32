// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/own_samples.h"

#include <algorithm>

#include "views/inspect/inspect_data.h"

namespace es::views {

std::uint64_t OwnSamples::add(const QString& run, const session::SampleRequest& request, session::SampleResult result, std::int64_t step) {
    auto routing = std::make_shared<analysis::SampleRouting>();
    routing->sample = result.sample;
    routing->routing = std::move(result.routing);
    routing->step = step;
    routing->source = "run";
    std::vector<OwnSample>& all = runs_[run];
    auto found = std::find_if(all.begin(), all.end(), [&](const OwnSample& own) { return own.record.hash == result.sample.hash; });
    if (found == all.end()) found = all.insert(all.begin(), OwnSample{request, result.sample, {}});
    found->by_step[step] = std::move(routing);
    return found->record.hash;
}

const std::vector<OwnSample>& OwnSamples::of(const QString& run) const {
    static const std::vector<OwnSample> kNone;
    const auto found = runs_.find(run);
    return found == runs_.end() ? kNone : found->second;
}

const OwnSample* OwnSamples::find(const QString& run, std::uint64_t hash) const {
    const auto& all = of(run);
    const auto found = std::find_if(all.begin(), all.end(), [hash](const OwnSample& own) { return own.record.hash == hash; });
    return found == all.end() ? nullptr : &*found;
}

std::optional<std::int64_t> checkpointFor(const std::vector<store::CheckpointInfo>& checkpoints, std::int64_t step) {
    std::optional<std::int64_t> before, first, newest;
    for (const auto& checkpoint : checkpoints) {
        if (!checkpoint.present) continue;
        if (!first || checkpoint.step < *first) first = checkpoint.step;
        if (!newest || checkpoint.step > *newest) newest = checkpoint.step;
        if (checkpoint.step <= step && (!before || checkpoint.step > *before)) before = checkpoint.step;
    }
    if (step < 0) return newest;
    return before ? before : first;
}

analysis::TokenHistory historyOf(const OwnSample& sample, const store::RouterInfo& router, Modality modality, TokenIndex token) {
    analysis::TokenHistory history;
    history.router = router;
    for (const auto& [step, routing] : sample.by_step) {
        for (const auto& reading : pathOf(*routing, modality, token)) {
            if (reading.router.id != router.id || reading.choices.empty()) continue;
            history.step.push_back(step);
            history.expert.push_back(reading.choices.front().expert);
            history.weight.push_back(reading.choices.front().weight);
        }
    }
    return history;
}

}  // namespace es::views
