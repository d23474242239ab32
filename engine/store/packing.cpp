// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/packing.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace es::store {
namespace {

template <class T>
void pack(std::span<const T> values, int bits, std::vector<std::uint8_t>& out) {
    const std::size_t at = out.size();
    const std::size_t bytes = packedBytes(values.size(), bits);
    out.resize(at + bytes);
    std::uint8_t* write = out.data() + at;
    if (static_cast<std::size_t>(bits) == 8 * sizeof(T)) {
        if (bytes > 0) std::memcpy(write, values.data(), bytes);
        return;
    }
    const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
    std::uint64_t pending = 0;
    int held = 0;
    for (const T value : values) {
        pending |= (static_cast<std::uint64_t>(value) & mask) << held;
        held += bits;
        if (held >= 32) {
            std::memcpy(write, &pending, 4);
            write += 4;
            pending >>= 32;
            held -= 32;
        }
    }
    for (; held > 0; held -= 8, pending >>= 8) *write++ = static_cast<std::uint8_t>(pending);
}

/// Four values of so many bits, side by side from the lowest, to lanes of sixteen bits each: first by twos, then one by one.
template <int Bits>
std::uint64_t toLanes(std::uint64_t values) {
    constexpr std::uint64_t kFirstTwo = (std::uint64_t{1} << (2 * Bits)) - 1, kLastTwo = kFirstTwo << 32;
    constexpr std::uint64_t kOne = (std::uint64_t{1} << Bits) - 1, kEven = kOne | (kOne << 32), kOdd = kEven << 16;
    const std::uint64_t twos = (values & kFirstTwo) | ((values << (32 - 2 * Bits)) & kLastTwo);
    return (twos & kEven) | ((twos << (16 - Bits)) & kOdd);
}

/// Eight values at a time: they fill `Bits` whole bytes, so every group starts on a byte and no value depends on the one before.
template <int Bits, class T>
std::size_t unpackGroups(std::span<const std::uint8_t> packed, std::span<T> out) {
    static_assert(std::endian::native == std::endian::little);               // of lanes, of the file's bytes
    constexpr std::size_t kSecond = static_cast<std::size_t>(4 * Bits / 8);  // byte and bit at which the fifth value starts
    constexpr int kShift = 4 * Bits % 8;
    std::size_t done = 0;
    // Words of eight bytes are loaded whole: the last groups, where they would reach beyond the end, are left to the caller.
    for (std::size_t at = 0; done + 8 <= out.size() && at + kSecond + 8 <= packed.size(); done += 8, at += Bits) {
        std::uint64_t low = 0, high = 0;
        std::memcpy(&low, packed.data() + at, 8);
        std::memcpy(&high, packed.data() + at + kSecond, 8);
        high >>= kShift;
        std::array<std::uint16_t, 8> values;
        low = toLanes<Bits>(low);
        high = toLanes<Bits>(high);
        std::memcpy(values.data(), &low, 8);
        std::memcpy(values.data() + 4, &high, 8);
        std::copy(values.begin(), values.end(), out.data() + done);
    }
    return done;
}

template <class T>
std::size_t unpackMost(std::span<const std::uint8_t> packed, int bits, std::span<T> out) {
    switch (bits) {
        case 1: return unpackGroups<1>(packed, out);
        case 2: return unpackGroups<2>(packed, out);
        case 3: return unpackGroups<3>(packed, out);
        case 4: return unpackGroups<4>(packed, out);
        case 5: return unpackGroups<5>(packed, out);
        case 6: return unpackGroups<6>(packed, out);
        case 7: return unpackGroups<7>(packed, out);
        case 8: return unpackGroups<8>(packed, out);
        case 9: return unpackGroups<9>(packed, out);
        case 10: return unpackGroups<10>(packed, out);
        case 11: return unpackGroups<11>(packed, out);
        case 12: return unpackGroups<12>(packed, out);
        case 13: return unpackGroups<13>(packed, out);
        case 14: return unpackGroups<14>(packed, out);
        default: return 0;
    }
}

template <class T>
void unpack(std::span<const std::uint8_t> packed, int bits, std::span<T> out) {
    if (static_cast<std::size_t>(bits) == 8 * sizeof(T)) {
        if (!out.empty()) std::memcpy(out.data(), packed.data(), out.size_bytes());
        return;
    }
    const std::size_t done = unpackMost(packed, bits, out);
    const std::uint64_t mask = (std::uint64_t{1} << bits) - 1;
    std::uint64_t pending = 0;
    int held = 0;
    std::size_t at = done / 8 * static_cast<std::size_t>(bits);
    for (T& value : out.subspan(done)) {
        while (held < bits) {
            pending |= static_cast<std::uint64_t>(packed[at++]) << held;
            held += 8;
        }
        value = static_cast<T>(pending & mask);
        pending >>= bits;
        held -= bits;
    }
}

// Free of branches, and local to this file so that they are inlined: the compiler then turns the loops into vector code.
inline std::uint16_t toHalf(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits >> 16) & 0x8000u;
    const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
    // Normal halves: shift the exponent's bias and round to nearest even by adding half of the lost bits.
    const std::uint32_t rounded = (magnitude - 0x38000000u + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13;
    // Subnormal halves: adding 0.5 in float aligns the mantissa so that the processor rounds for us.
    const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3F000000u;
    std::uint32_t half = magnitude < 0x38800000u ? subnormal : rounded;
    half = magnitude >= 0x477FF000u ? 0x7C00u : half;
    half = magnitude > 0x7F800000u ? 0x7E00u : half;
    return static_cast<std::uint16_t>(sign | half);
}

inline float fromHalf(std::uint16_t half) {
    const std::uint32_t sign = (static_cast<std::uint32_t>(half) & 0x8000u) << 16;
    const std::uint32_t magnitude = half & 0x7FFFu;
    const std::uint32_t normal = (magnitude << 13) + 0x38000000u;
    const std::uint32_t special = (magnitude << 13) | 0x7F800000u;
    const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1.0p-24f);
    std::uint32_t bits = magnitude < 0x0400u ? subnormal : normal;
    bits = magnitude >= 0x7C00u ? special : bits;
    return std::bit_cast<float>(sign | bits);
}

}  // namespace

int bitsFor(std::uint32_t largest) { return largest == 0 ? 1 : static_cast<int>(std::bit_width(largest)); }

void packBits(std::span<const std::uint16_t> values, int bits, std::vector<std::uint8_t>& out) { pack(values, bits, out); }
void packBits(std::span<const std::uint32_t> values, int bits, std::vector<std::uint8_t>& out) { pack(values, bits, out); }
void unpackBits(std::span<const std::uint8_t> packed, int bits, std::span<std::uint16_t> out) { unpack(packed, bits, out); }
void unpackBits(std::span<const std::uint8_t> packed, int bits, std::span<std::uint32_t> out) { unpack(packed, bits, out); }

void packFlags(std::span<const std::uint8_t> values, std::vector<std::uint8_t>& out) {
    const std::size_t at = out.size();
    out.resize(at + packedBytes(values.size(), 1));
    // No branch on the flag: masks are as good as random.
    for (std::size_t i = 0; i < values.size(); ++i)
        out[at + i / 8] = static_cast<std::uint8_t>(out[at + i / 8] | (static_cast<unsigned>(values[i] != 0) << (i % 8)));
}
void unpackFlags(std::span<const std::uint8_t> packed, std::span<std::uint8_t> out) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = (packed[i / 8] >> (i % 8)) & 1;
}

std::uint16_t floatToHalf(float value) { return toHalf(value); }
float halfToFloat(std::uint16_t half) { return fromHalf(half); }

void appendHalves(std::span<const float> values, std::vector<std::uint16_t>& out) {
    const std::size_t at = out.size();
    out.resize(at + values.size());
    std::uint16_t* write = out.data() + at;
    for (std::size_t i = 0; i < values.size(); ++i) write[i] = toHalf(values[i]);
}
void readHalves(std::span<const std::uint16_t> halves, std::span<float> out) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = fromHalf(halves[i]);
}

}  // namespace es::store
