// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/library/doctor.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/cpu/Utils.h>
#include <torch/headeronly/version.h>

#include <initializer_list>
#include <thread>

namespace es::engine {

session::DoctorReport inspectMachine() {
    session::DoctorReport report;
    const auto line = [&](std::string item, std::string value, bool ok = true) { report.lines.push_back({std::move(item), std::move(value), ok}); };
    line("LibTorch", TORCH_VERSION);
    line("processor threads", std::to_string(std::thread::hardware_concurrency()));
    line("instruction set", at::get_cpu_capability());
    const auto capabilities = at::cpu::get_cpu_capabilities();
    bool fast_bf16 = false;
    for (const char* name : {"avx512_bf16", "amx_bf16"})
        if (const auto found = capabilities.find(name); found != capabilities.end() && found->second.isBool()) fast_bf16 |= found->second.toBool();
    line("bf16 multiplied in hardware", fast_bf16 ? "yes" : "no: fp32 is faster here");
    line("MKL", at::hasMKL() ? "yes" : "no", at::hasMKL());
    line("CUDA device", at::hasCUDA() ? "yes" : "none: the processor computes");
    return report;
}

}  // namespace es::engine
