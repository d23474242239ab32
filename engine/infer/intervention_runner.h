// SPDX-License-Identifier: GPL-3.0-or-later
// What interventions do to the held-out losses of a run.
#pragma once

#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/session/engine_session.h"

namespace es::engine {

/// Evaluates the checkpoint as it is, then under each set of interventions; see evaluateInterventions.
[[nodiscard]] Status evaluateVariants(const session::VariantRequest& request, const session::VariantSink& sink, const JobContext& context);

/// Evaluates the checkpoint twice, with and without, on the samples and under the masks of the run's evaluations, on the run's device.
/// Fails on a run without that checkpoint, on interventions that its model cannot obey, and when the run's data are not prepared or are not
/// those that it was trained on. Changes the number of this process's compute threads to the run's. Never throws.
[[nodiscard]] Result<session::InterventionResult> evaluateInterventions(const session::InterventionRequest& request, const JobContext& context);

}  // namespace es::engine
