// SPDX-License-Identifier: GPL-3.0-or-later
// Samples that are variants of one scene (a minimal pair, a probe series) are nearly the same picture: statistics count them as one unit.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

/// Which family each sample belongs to (SceneTruth::pair_of). Without content every sample is a family of its own. Value type.
class SampleFamilies {
public:
    SampleFamilies() = default;
    explicit SampleFamilies(std::span<const store::SampleRecord> samples);
    /// Of the samples that the run holds. Fails as RunReader::sampleList() does.
    [[nodiscard]] static Result<SampleFamilies> of(const store::RunReader& run);

    /// Hash of the scene that the others of the family are variants of; the sample's own where none is known.
    [[nodiscard]] std::uint64_t of(std::uint64_t sample) const;
    /// Numbers 0, 1, ... in order of appearance, one a sample given: the same for samples of one family.
    [[nodiscard]] std::vector<std::int32_t> numbers(std::span<const std::uint64_t> samples) const;

private:
    std::unordered_map<std::uint64_t, std::uint64_t> first_;  ///< of samples that are variants
};

}  // namespace es::analysis
