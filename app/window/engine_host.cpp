// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/engine_host.h"

namespace es::app {

EngineHost::EngineHost(std::filesystem::path program) : trainer_(session::makeChildSession(std::move(program))) {}

Result<std::shared_ptr<session::EngineLibrary>> EngineHost::library(JobContext& context) {
    const std::lock_guard lock(mutex_);
    if (!library_) {
        context.progress(0, 0, "Loading the engine");
        auto loaded = session::loadEngineLibrary();
        if (!loaded) return tl::unexpected(loaded.error());
        library_ = std::move(*loaded);
    }
    return library_;
}

Result<session::SampleResult> EngineHost::runSample(const session::SampleRequest& request, JobContext& context) {
    const auto engine = library(context);
    if (!engine) return tl::unexpected(engine.error());
    context.progress(0, 0, "Running the sample");
    return (*engine)->runSample(request, context);
}

Status EngineHost::runVariants(const session::VariantRequest& request, const session::VariantSink& sink, JobContext& context) {
    const auto engine = library(context);
    if (!engine) return tl::unexpected(engine.error());
    return (*engine)->evaluateVariants(request, sink, context);
}

Result<std::vector<store::ExpertSimilarity>> EngineHost::expertSimilarity(const session::SimilarityRequest& request, JobContext& context) {
    const auto engine = library(context);
    if (!engine) return tl::unexpected(engine.error());
    return (*engine)->expertSimilarity(request, context);
}

}  // namespace es::app
