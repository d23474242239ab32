// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

namespace es::engine {
namespace {

std::int64_t usableCores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
    return std::max(1u, std::thread::hardware_concurrency());
}

std::string processorName() {
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("model name"))
            if (const auto colon = line.find(':'); colon != std::string::npos && colon + 2 <= line.size()) return line.substr(colon + 2);
    return "unknown";
}

}  // namespace

void loadCudaIfPresent() {
    static std::once_flag once;
    std::call_once(once, [] {
        std::error_code ignored;
        if (!std::filesystem::exists("/dev/nvidiactl", ignored) && !std::filesystem::exists("/dev/dxg", ignored)) return;
        // Found beside libtorch_cpu.so, which this library is linked to. Null when its own libraries are missing: the processor then computes.
        Dl_info info{};
        if (::dladdr(reinterpret_cast<const void*>(&at::get_num_threads), &info) == 0 || !info.dli_fname) return;
        const auto library = std::filesystem::path(info.dli_fname).parent_path() / "libtorch_cuda.so";
        (void)::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL);
    });
}

Result<ComputePlace> choosePlace(const config::RunOptions& options) {
    loadCudaIfPresent();
    ComputePlace place;
    place.cpu_name = processorName();
    place.threads = options.threads > 0 ? options.threads : usableCores();
    at::set_num_threads(static_cast<int>(place.threads));
    const bool cuda = options.device != "cpu" && at::hasCUDA();
    if (options.device == "cuda" && !cuda)
        return badInput("Cannot train on a GPU", "no GPU can be used here", "Set run.device = \"cpu\", or run './run setup --cuda' on a machine with a GPU");
    if (options.precision == "bf16") return badInput("Cannot train in bf16", "this engine computes in fp32", "Set run.precision = \"fp32\" or \"auto\"");
    place.device = cuda ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
    place.device_name = cuda ? "cuda:0" : "cpu";
    place.precision = "fp32";
    return place;
}

}  // namespace es::engine
