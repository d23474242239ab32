// SPDX-License-Identifier: GPL-3.0-or-later
// What a training run will cost, said before it starts.
#pragma once

#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/model/account.h"
#include "engine/session/engine_library.h"

namespace es::engine {

/// Of a configuration whose data have this shape; `samples` in the set, 0: unknown. The run would lie in `out`.
[[nodiscard]] session::TrainEstimate estimateRun(const config::RunConfig& config, const DataShape& shape, std::int64_t samples,
                                                 const std::filesystem::path& out);

/// The same for a run that is asked for: validates the configuration, takes the shape from the prepared data when there are some and else
/// from the configuration. Creates nothing and trains nothing.
[[nodiscard]] Result<session::TrainEstimate> estimateTraining(const session::TrainRequest& request);

/// The account as JSON for a run's provenance: an object a part.
[[nodiscard]] std::string accountJson(const ModelAccount& account);

}  // namespace es::engine
