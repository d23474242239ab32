// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/machine_resources.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

namespace es {
namespace {

std::optional<double> firstNumber(const char* file) {
    std::ifstream in(file);
    double value = 0;
    if (in >> value) return value;
    return std::nullopt;
}

/// The number behind a word that starts a line.
std::optional<double> numberAfter(const char* file, const std::string& word) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);)
        if (line.starts_with(word)) return std::stod(line.substr(word.size()));
    return std::nullopt;
}

/// Left of a control group's limit; its file pages that nobody uses can be given back at once.
std::optional<double> leftInGroup() {
    const auto limit = firstNumber("/sys/fs/cgroup/memory.max"), used = firstNumber("/sys/fs/cgroup/memory.current");
    if (!limit || !used) return std::nullopt;
    return std::max(0.0, *limit - *used + numberAfter("/sys/fs/cgroup/memory.stat", "inactive_file ").value_or(0));
}

/// Left of the limit on this process's address space, with what its heap holds and does not use.
std::optional<double> leftInProcess() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
    const auto pages = firstNumber("/proc/self/statm");
    if (!pages) return std::nullopt;
    const double taken = *pages * static_cast<double>(::sysconf(_SC_PAGESIZE)), unused = static_cast<double>(::mallinfo2().fordblks);
    return std::max(0.0, static_cast<double>(limit.rlim_cur) - taken + unused);
}

}  // namespace

double availableMemoryBytes() {
    std::optional<double> available = numberAfter("/proc/meminfo", "MemAvailable:");
    if (available) *available *= 1024;
    for (const auto& left : {leftInGroup(), leftInProcess()})
        if (left) available = available ? std::min(*available, *left) : *left;
    return available.value_or(0);
}

double freeDiskBytes(const std::filesystem::path& path) {
    std::error_code problem;
    std::filesystem::path folder = std::filesystem::absolute(path, problem);
    while (!folder.empty() && !std::filesystem::exists(folder, problem) && folder != folder.root_path()) folder = folder.parent_path();
    const auto space = std::filesystem::space(folder, problem);
    return problem ? 0 : static_cast<double>(space.available);
}

}  // namespace es
