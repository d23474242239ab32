// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/metrics/sample_families.h"

namespace es::analysis {

SampleFamilies::SampleFamilies(std::span<const store::SampleRecord> samples) {
    for (const store::SampleRecord& sample : samples)
        if (sample.truth && sample.truth->pair_of != 0 && sample.truth->pair_of != sample.hash) first_.emplace(sample.hash, sample.truth->pair_of);
}

Result<SampleFamilies> SampleFamilies::of(const store::RunReader& run) {
    const auto samples = run.sampleList();
    if (!samples) return tl::unexpected(samples.error());
    return SampleFamilies(*samples);
}

std::uint64_t SampleFamilies::of(std::uint64_t sample) const {
    // A damaged file could name a ring: no chain is longer than the variants that there are.
    for (std::size_t steps = 0; steps <= first_.size(); ++steps) {
        const auto found = first_.find(sample);
        if (found == first_.end()) break;
        sample = found->second;
    }
    return sample;
}

std::vector<std::int32_t> SampleFamilies::numbers(std::span<const std::uint64_t> samples) const {
    std::unordered_map<std::uint64_t, std::int32_t> number;
    std::vector<std::int32_t> result;
    result.reserve(samples.size());
    for (const std::uint64_t sample : samples) result.push_back(number.emplace(of(sample), static_cast<std::int32_t>(number.size())).first->second);
    return result;
}

}  // namespace es::analysis
