// SPDX-License-Identifier: GPL-3.0-or-later
// One picture and caption through a checkpoint of a run, with and without interventions.
#pragma once

#include <memory>
#include <mutex>

#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/session/engine_session.h"

namespace es::engine {

struct CheckpointModel;

/// Keeps the model of the last run and checkpoint, so a second picture costs one forward. Thread-safe: one call at a time goes through.
class SampleRunner {
public:
    SampleRunner();
    ~SampleRunner();
    SampleRunner(const SampleRunner&) = delete;
    SampleRunner& operator=(const SampleRunner&) = delete;

    /// Picture and caption go through as a pair, one alone as image or text. Nothing is hidden but what the request says. With interventions
    /// the sample goes through twice, and the result holds both readings.
    /// Fails on a picture that cannot be read, neither picture nor caption, a caption without a word, positions outside the sample,
    /// a run without that checkpoint, and interventions that the model cannot obey (planInterventions). Never throws.
    [[nodiscard]] Result<session::SampleResult> run(const session::SampleRequest& request, const JobContext& context);

private:
    [[nodiscard]] Result<const CheckpointModel*> load(const session::SampleRequest& request);

    std::mutex mutex_;
    std::unique_ptr<CheckpointModel> loaded_;
};

}  // namespace es::engine
