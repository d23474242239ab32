// SPDX-License-Identifier: GPL-3.0-or-later
// Where a run computes, how precisely and with how many threads.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>

#include "engine/base/result.h"
#include "engine/config/run_config.h"

namespace es::engine {

struct ComputePlace {
    at::Device device = at::kCPU;
    std::string device_name;  ///< "cpu" or the GPU's name
    std::string cpu_name;     ///< from /proc/cpuinfo
    std::string precision;    ///< "fp32": what is really used
    std::int64_t threads = 1;
};

/// Loads LibTorch's CUDA library when a GPU seems to be present; must come before anything asks Torch about CUDA. Safe to call again.
/// Without a GPU or the library nothing happens.
void loadCudaIfPresent();
/// Chooses the device and sets the number of compute threads of this process (0: all cores that it may use).
/// Fails when "cuda" is asked for and there is none, and when a precision is asked for that the engine cannot compute in.
[[nodiscard]] Result<ComputePlace> choosePlace(const config::RunOptions& options);

}  // namespace es::engine
