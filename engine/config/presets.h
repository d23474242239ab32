// SPDX-License-Identifier: GPL-3.0-or-later
// Models by name: the demo's, and the parents of VL-MoE with their twins.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/config/run_config.h"

namespace es::config {

/// Sets everything that a preset stands for: [model], the number and width of experts, and the sizes of picture, text and vocabulary. Other
/// keys stay. False, and nothing changes, when there is no such preset.
///
/// A name is a model, perhaps with one of these endings: -16e, -32e (that many experts, each as wide as the dense network, in every other
/// layer below the vision-language ones), -dense, -scaled-dense (the dense twins of equal active compute). Without an ending tiny and small
/// have 8 experts, the parents none.
[[nodiscard]] bool applyPreset(RunConfig& config, std::string_view name);

/// What a published parameter count includes.
enum class CountScope : std::uint8_t {
    kWithoutHeads,        ///< embeddings and layers
    kWithWordAndCodeHead  ///< also a word head and a head for 8,192 picture codes, neither shared with the embeddings
};

/// The parameter count that the authors give for a dense parent.
struct PublishedCount {
    double parameters = 0;
    CountScope scope = CountScope::kWithoutHeads;
    std::string_view source;
};
[[nodiscard]] std::optional<PublishedCount> publishedCount(std::string_view preset);

}  // namespace es::config
