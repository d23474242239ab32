// SPDX-License-Identifier: GPL-3.0-or-later
// Trains a run from its configuration: data, model, loop, records, checkpoints.
#pragma once

#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/session/engine_library.h"
#include "engine/session/engine_session.h"

namespace es::engine {

struct TrainerOptions {
    /// Load, traces, probes and per-step scalars. Off only in benchmarks that measure what recording costs: losses are equal to the bit.
    bool record = true;
};

/// Runs on the calling thread until done, stopped (Error of kind kStopped, after a checkpoint) or failed. Never throws.
///
/// Steps count from 1. Step 0 is the untrained model: it is evaluated and probed. At a step, in this order: training, evaluation (when due),
/// probe and checkpoint (when due). Everything recorded up to a step is on disk before its checkpoint is put in place, so a run that is
/// resumed from it repeats no record and lacks none.
[[nodiscard]] Status train(const session::TrainRequest& request, const session::TrainHooks& hooks, const JobContext& context,
                           const TrainerOptions& options = {});

}  // namespace es::engine
