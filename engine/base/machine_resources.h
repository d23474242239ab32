// SPDX-License-Identifier: GPL-3.0-or-later
// What this machine has left.
#pragma once

#include <filesystem>

namespace es {

/// Main memory that this process can still take without swapping, in bytes: what the kernel calls available, or what a control group or the
/// limit on the process's address space leaves when that is less. 0 when the system does not say.
[[nodiscard]] double availableMemoryBytes();

/// Free space, in bytes, where `path` is or would be: of the nearest folder above it that exists. 0 when the system does not say.
[[nodiscard]] double freeDiskBytes(const std::filesystem::path& path);

}  // namespace es
