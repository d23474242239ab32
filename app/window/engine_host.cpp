// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/engine_host.h"

namespace es::app {

EngineHost::EngineHost(std::filesystem::path program) : trainer_(session::makeChildSession(std::move(program))) {}

Result<session::SampleResult> EngineHost::runSample(const session::SampleRequest& request, JobContext& context) {
    std::shared_ptr<session::EngineLibrary> library;
    {
        const std::lock_guard lock(mutex_);
        if (!library_) {
            context.progress(0, 0, "Loading the engine");
            auto loaded = session::loadEngineLibrary();
            if (!loaded) return tl::unexpected(loaded.error());
            library_ = std::move(*loaded);
        }
        library = library_;
    }
    context.progress(0, 0, "Running the sample");
    return library->runSample(request, context);
}

}  // namespace es::app
