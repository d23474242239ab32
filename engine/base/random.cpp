// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/random.h"

#include <cmath>
#include <numbers>

namespace es {
namespace {

constexpr std::uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
    for (int round = 0; round < kRounds; ++round) {
        const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
        const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
        counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
                   static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
        key[0] += kWeyl0;
        key[1] += kWeyl1;
    }
    return counter;
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, RandomPurpose purpose, std::uint64_t step, std::uint32_t rank)
    : key_{static_cast<std::uint32_t>(seed) ^ (static_cast<std::uint32_t>(purpose) * 0x9E3779B1u), static_cast<std::uint32_t>(seed >> 32) ^ rank},
      counter_{0, 0, static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32)} {}

std::uint32_t RandomStream::nextU32() {
    if (used_ == 4) {
        block_ = philox(counter_, key_);
        if (++counter_[0] == 0) ++counter_[1];
        used_ = 0;
    }
    return block_[used_++];
}

std::uint64_t RandomStream::nextU64() {
    const std::uint64_t high = nextU32();
    return (high << 32) | nextU32();
}

double RandomStream::uniform() { return static_cast<double>(nextU64() >> 11) * 0x1.0p-53; }

double RandomStream::normal() {
    if (haveNormal_) {
        haveNormal_ = false;
        return spareNormal_;
    }
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    const double angle = 2.0 * std::numbers::pi * uniform();
    spareNormal_ = radius * std::sin(angle);
    haveNormal_ = true;
    return radius * std::cos(angle);
}

std::uint32_t RandomStream::below(std::uint32_t bound) {
    // Lemire's multiplication with rejection.
    std::uint64_t product = std::uint64_t{nextU32()} * bound;
    if (static_cast<std::uint32_t>(product) < bound) {
        const std::uint32_t threshold = (0u - bound) % bound;
        while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{nextU32()} * bound;
    }
    return static_cast<std::uint32_t>(product >> 32);
}

}  // namespace es
