// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/trainer.h"

#include <exception>

#include "engine/train/training_run.h"

namespace es::engine {

Status train(const session::TrainRequest& request, const session::TrainHooks& hooks, const JobContext& context, const TrainerOptions& options) {
    try {
        TrainingRun run(request, hooks, context, options);
        return run.run();
    } catch (const std::bad_alloc&) {
        return jobFailed("Training failed", "there is not enough memory", "Use smaller batches or a smaller model, or close other programs",
                         request.out.string());
    } catch (const c10::Error& problem) {
        return jobFailed("Training failed", problem.what_without_backtrace(), "Check the configuration; with a message about memory, use smaller batches",
                         request.out.string());
    } catch (const std::exception& problem) {
        return jobFailed("Training failed", problem.what(), "Report this with the run's configuration", request.out.string());
    }
}

}  // namespace es::engine
