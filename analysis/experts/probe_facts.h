// SPDX-License-Identifier: GPL-3.0-or-later
// What is known of a probe's tokens beside their routing: their text, their sample's category, what is drawn in a patch, what is true of a scene.
// Read once a run, used for every expert of every router.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "analysis/metrics/sample_families.h"
#include "analysis/metrics/token_labels.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

/// Pixels of one patch, laid on white. Colours and lightness 0..1.
struct PatchLook {
    float red = 0, green = 0, blue = 0;  ///< means, sRGB values
    float saturation = 0;                ///< mean over pixels of HSV saturation
    float lightness = 0;                 ///< mean luma (Rec. 601)
    float edge = 0;                      ///< mean absolute difference of luma between neighbouring pixels
    float fine = 0;                      ///< share of the variance of luma that 2 x 2 means lose; NaN for flat patches and those under 4 pixels
};
/// Patches row by row. Empty without a picture or a grid.
[[nodiscard]] std::vector<PatchLook> patchLooks(const store::SampleRecord& sample);

/// One sample: its record without the picture, and how its patches look.
struct SampleFacts {
    store::SampleRecord record;
    std::vector<PatchLook> looks;
};

/// Immutable once made; safe to read from many threads.
struct ProbeFacts {
    LabelSource labels;       ///< categories, truth of scenes, words of the same samples
    SampleFamilies families;  ///< of all samples of the run
    std::vector<SampleFacts> samples;
    std::unordered_map<std::uint64_t, std::size_t> index;
    std::unordered_set<std::uint64_t> asked;  ///< samples that were looked for
    std::int64_t unknown = 0;                 ///< of them, those that the run does not hold
    std::vector<std::string> notes;
    [[nodiscard]] const SampleFacts* find(std::uint64_t sample) const;
    [[nodiscard]] std::vector<store::SampleRecord> records() const;
};
/// Reads these samples with their pictures, each once. A picture that cannot be read leaves its sample without labels and looks, and a note.
[[nodiscard]] Result<ProbeFacts> probeFacts(const store::RunReader& run, std::span<const std::uint64_t> samples, const JobContext& context = {});

/// Which of twelve hues and four greys a colour is: "red" "orange" ... "rose", "black" "dark grey" "light grey" "white". Index into hueNames().
[[nodiscard]] std::int32_t hueOf(const PatchLook& look);
[[nodiscard]] const std::vector<std::string>& hueNames();

/// The text of a word without the mark of a word's start.
[[nodiscard]] std::string wordText(const store::SampleRecord& record, std::int32_t position);

}  // namespace es::analysis
