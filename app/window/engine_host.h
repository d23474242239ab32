// SPDX-License-Identifier: GPL-3.0-or-later
// The engine as the window has it: training in a child process, pictures and captions through the library in this one, loaded on first use.
#pragma once

#include <memory>
#include <mutex>

#include "engine/session/engine_library.h"

namespace es::app {

/// Thread-safe.
class EngineHost {
public:
    /// `program` is started as `program train ...` for training.
    explicit EngineHost(std::filesystem::path program);
    [[nodiscard]] session::ChildSession& trainer() { return *trainer_; }
    /// Loads the library on the first call (a second or so), then answers in well under a second for small models.
    [[nodiscard]] Result<session::SampleResult> runSample(const session::SampleRequest& request, JobContext& context);
    [[nodiscard]] Status runVariants(const session::VariantRequest& request, const session::VariantSink& sink, JobContext& context);
    [[nodiscard]] Result<std::vector<store::ExpertSimilarity>> expertSimilarity(const session::SimilarityRequest& request, JobContext& context);

private:
    [[nodiscard]] Result<std::shared_ptr<session::EngineLibrary>> library(JobContext& context);
    std::unique_ptr<session::ChildSession> trainer_;
    std::mutex mutex_;
    std::shared_ptr<session::EngineLibrary> library_;
};

}  // namespace es::app
