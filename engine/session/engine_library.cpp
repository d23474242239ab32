// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/session/engine_library.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <mutex>

namespace es::session {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> candidates(const fs::path& library) {
    if (!library.empty()) return {library};
    if (const char* named = std::getenv("EXPERTSCOPE_ENGINE"); named && *named) return {fs::path(named)};
    std::error_code ignored;
    const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
    const fs::path folder = program.parent_path();
    return {folder / ".." / "lib" / "libes_engine.so", folder / "libes_engine.so"};
}

}  // namespace

Result<std::shared_ptr<EngineLibrary>> loadEngineLibrary(const fs::path& library) {
    static std::mutex mutex;
    std::lock_guard lock(mutex);
    std::error_code ignored;
    const auto places = candidates(library);
    fs::path found = places.front();
    for (const fs::path& place : places)
        if (fs::exists(place, ignored)) {
            found = place;
            break;
        }
    if (!fs::exists(found, ignored))
        return jobFailed("The engine is not there", "its library is missing", "Build it with './run build', or name it in EXPERTSCOPE_ENGINE",
                         found.lexically_normal().string());
    // Read when OpenMP loads, with LibTorch. Spinning threads would take the window's processor time.
    ::setenv("OMP_WAIT_POLICY", "passive", 0);
    void* handle = ::dlopen(found.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char* words = ::dlerror();
        return jobFailed("The engine cannot be loaded", words ? words : "the loader does not say why", "Run './run setup', then './run build'",
                         found.lexically_normal().string());
    }
    using Maker = EngineLibrary* (*)();
    const auto make = reinterpret_cast<Maker>(::dlsym(handle, kEngineLibrarySymbol));
    if (!make)
        return jobFailed("The engine cannot be used", std::string("the library does not offer ") + kEngineLibrarySymbol,
                         "Build the program and its engine from the same sources", found.lexically_normal().string());
    return std::shared_ptr<EngineLibrary>(make());
}

}  // namespace es::session
