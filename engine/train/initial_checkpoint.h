// SPDX-License-Identifier: GPL-3.0-or-later
// A run that starts from another run's weights (model.init_from).
#pragma once

#include <map>
#include <string>

#include "engine/base/result.h"
#include "engine/config/run_config.h"
#include "engine/data/data_source.h"
#include "engine/model/vl_moe.h"

namespace es::engine {

struct InitialWeights {
    /// For the run's provenance: init_from, init_step, init_config_hash, init_data_hash, init_weights_hash, init_report.
    std::map<std::string, std::string> provenance;
    std::string message;  ///< what was done, for the log
};

/// Fills the model, on the CPU and fresh, from config.model.init_from as transferWeights says. Fails, naming file, key or tensor, the values and
/// what is allowed, on a folder that is no run, a checkpoint that is not there or damaged, other heads, a scaled dense source, another
/// vocabulary, and shapes that do not fit.
[[nodiscard]] Result<InitialWeights> startFromCheckpoint(VlMoe& model, const config::RunConfig& config, const DataSource& source);

}  // namespace es::engine
