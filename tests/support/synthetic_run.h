// SPDX-License-Identifier: GPL-3.0-or-later
// A whole run directory without an engine: plausible curves, load, traces, probes with planted specialisation, samples with pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/config/run_config.h"
#include "engine/store/records.h"

namespace es::test {

struct SyntheticRunOptions {
    std::string name = "synthetic";
    std::int64_t seed = 1;
    std::string ffn = "moe";  ///< "dense", "scaled_dense": the run then has no routers
    std::int64_t steps = 600;
    std::int64_t experts = 8;
    std::int64_t k = 1;
    std::int64_t samples = 64;
    std::int64_t variants = 1;  ///< samples of one scene: so many in a row are a family
    std::int64_t trace_every = 10;
    std::vector<std::int64_t> spikes;  ///< steps at which loss and gradient norm jump
    std::int32_t dead_expert = -1;     ///< an expert of router 0 (layer 1, vision) that gets nothing from a third of the run on
    double created_s = 0;              ///< 0: a fixed time that grows with the seed
    bool finish = true;                ///< false: the run ends as if its process had died
};

/// What is planted, for tests to compare with. Router ids: 0 = layer 1 v, 1 = layer 1 t, 2 = layer 2 v, 3 = layer 2 t.
/// Router 0 sends patches by colour (red to expert 3), router 2 by the sample's category, router 1 by word, router 3 by word class;
/// each more strictly as training goes on, with exceptions. Untrained (step 0) and random-router probes follow nothing.
[[nodiscard]] store::RouterInfo syntheticRouter(std::int32_t id, const SyntheticRunOptions& options);
/// Sample number i: one of four colours, shapes and categories, drawn at 48 x 48; "red circle , fruit".
[[nodiscard]] store::SampleRecord syntheticSample(std::int64_t index, const SyntheticRunOptions& options);
[[nodiscard]] config::RunConfig syntheticConfig(const SyntheticRunOptions& options);

/// Writes the run. Deterministic but for the times at which records were written. The folder must not exist or be empty.
[[nodiscard]] Status writeSyntheticRun(const std::filesystem::path& folder, const SyntheticRunOptions& options = {});

}  // namespace es::test
