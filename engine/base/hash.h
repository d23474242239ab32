// SPDX-License-Identifier: GPL-3.0-or-later
// Fast, stable hashes. They name content in files, so they never change: XXH3 (64 bit) for content, CRC-32C for frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace es {

[[nodiscard]] std::uint64_t hash64(std::span<const std::byte> bytes, std::uint64_t seed = 0);
[[nodiscard]] std::uint64_t hash64(std::string_view text, std::uint64_t seed = 0);
/// 16 lower-case hexadecimal digits.
[[nodiscard]] std::string hashText(std::uint64_t hash);
/// CRC-32C (Castagnoli). `crc` continues an earlier call.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0);

}  // namespace es
