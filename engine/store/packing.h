// SPDX-License-Identifier: GPL-3.0-or-later
// Small numbers in few bits, and half floats. Bits fill each byte from the least significant: numpy.unpackbits(..., bitorder="little").
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace es::store {

/// Bits that hold every value up to `largest`; at least 1.
[[nodiscard]] int bitsFor(std::uint32_t largest);
/// Bytes that `count` values of `bits` take; each packed array starts on a byte of its own.
[[nodiscard]] constexpr std::size_t packedBytes(std::size_t count, int bits) { return (count * static_cast<std::size_t>(bits) + 7) / 8; }

/// Appends the values to `out`. Value i takes bits [i * bits, (i + 1) * bits) of the array; bits in 1..32; higher bits of a value are lost.
void packBits(std::span<const std::uint16_t> values, int bits, std::vector<std::uint8_t>& out);
void packBits(std::span<const std::uint32_t> values, int bits, std::vector<std::uint8_t>& out);
/// A bit for each value: set where it is not zero.
void packFlags(std::span<const std::uint8_t> values, std::vector<std::uint8_t>& out);

/// Reads out.size() values; `packed` must hold packedBytes(out.size(), bits) bytes.
void unpackBits(std::span<const std::uint8_t> packed, int bits, std::span<std::uint16_t> out);
void unpackBits(std::span<const std::uint8_t> packed, int bits, std::span<std::uint32_t> out);
void unpackFlags(std::span<const std::uint8_t> packed, std::span<std::uint8_t> out);

/// IEEE 754 binary16, rounded to nearest even; beyond 65504 infinite; NaN stays NaN.
[[nodiscard]] std::uint16_t floatToHalf(float value);
[[nodiscard]] float halfToFloat(std::uint16_t half);
void appendHalves(std::span<const float> values, std::vector<std::uint16_t>& out);
void readHalves(std::span<const std::uint16_t> halves, std::span<float> out);

}  // namespace es::store
