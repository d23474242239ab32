// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/packing.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "engine/base/random.h"

namespace es::store {
namespace {

TEST(Half, EveryHalfSurvivesTheWayToFloatAndBack) {
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        const float value = halfToFloat(half);
        if (std::isnan(value)) {
            EXPECT_GT(half & 0x7FFF, 0x7C00);
            EXPECT_TRUE(std::isnan(halfToFloat(floatToHalf(value))));
        } else {
            ASSERT_EQ(floatToHalf(value), half) << bits;
        }
    }
}

TEST(Half, KnownValues) {
    EXPECT_EQ(floatToHalf(0.0f), 0x0000);
    EXPECT_EQ(floatToHalf(-0.0f), 0x8000);
    EXPECT_EQ(floatToHalf(1.0f), 0x3C00);
    EXPECT_EQ(floatToHalf(-2.0f), 0xC000);
    EXPECT_EQ(floatToHalf(65504.0f), 0x7BFF);
    EXPECT_EQ(floatToHalf(65519.9f), 0x7BFF);
    EXPECT_EQ(floatToHalf(65520.0f), 0x7C00);
    EXPECT_EQ(floatToHalf(std::numeric_limits<float>::infinity()), 0x7C00);
    EXPECT_EQ(floatToHalf(0x1p-24f), 0x0001);
    EXPECT_EQ(floatToHalf(0x1p-25f), 0x0000);  // half way to the smallest: to even
    EXPECT_EQ(floatToHalf(std::nextafter(0x1p-25f, 1.0f)), 0x0001);
    EXPECT_EQ(floatToHalf(1.0f + 0x1p-11f), 0x3C00);  // half way: to even
    EXPECT_EQ(floatToHalf(1.0f + 3 * 0x1p-11f), 0x3C02);
}

TEST(Half, AgreesWithTheCompilersOwnConversion) {
#ifdef __FLT16_MAX__
    RandomStream random(3, RandomPurpose::kSynthetic);
    for (int i = 0; i < 200000; ++i) {
        const float value = std::bit_cast<float>(random.nextU32());
        if (std::isnan(value)) continue;
        ASSERT_EQ(floatToHalf(value), std::bit_cast<std::uint16_t>(static_cast<_Float16>(value))) << value;
    }
#else
    GTEST_SKIP() << "this compiler has no 16-bit floats to compare with";
#endif
}

TEST(Bits, WidthHoldsTheLargest) {
    EXPECT_EQ(bitsFor(0), 1);
    EXPECT_EQ(bitsFor(1), 1);
    EXPECT_EQ(bitsFor(7), 3);
    EXPECT_EQ(bitsFor(8), 4);
    EXPECT_EQ(bitsFor(65535), 16);
}

TEST(Bits, EveryWidthComesBack) {
    RandomStream random(4, RandomPurpose::kSynthetic);
    for (int bits = 1; bits <= 32; ++bits)
        for (const std::size_t count : {0u, 1u, 7u, 8u, 9u, 100u}) {
            std::vector<std::uint32_t> values;
            for (std::size_t i = 0; i < count; ++i) values.push_back(random.nextU32() >> (32 - bits));
            std::vector<std::uint8_t> packed{0xAB};
            packBits(std::span<const std::uint32_t>(values), bits, packed);
            ASSERT_EQ(packed.size(), 1 + packedBytes(count, bits));
            std::vector<std::uint32_t> back(count);
            unpackBits(std::span<const std::uint8_t>(packed).subspan(1), bits, std::span(back));
            ASSERT_EQ(back, values) << bits << " bits";
            if (bits > 16) continue;
            std::vector<std::uint16_t> narrow(values.begin(), values.end()), narrowBack(count);
            std::vector<std::uint8_t> narrowPacked;
            packBits(std::span<const std::uint16_t>(narrow), bits, narrowPacked);
            ASSERT_TRUE(std::equal(narrowPacked.begin(), narrowPacked.end(), packed.begin() + 1, packed.end()));
            unpackBits(narrowPacked, bits, std::span(narrowBack));
            ASSERT_EQ(narrowBack, narrow);
        }
}

TEST(Bits, LeastSignificantFirst) {
    std::vector<std::uint8_t> packed;
    packBits(std::span<const std::uint16_t>(std::vector<std::uint16_t>{1, 2, 3}), 3, packed);
    EXPECT_EQ(packed, (std::vector<std::uint8_t>{0b11010001, 0b0}));
    packed.clear();
    packFlags(std::vector<std::uint8_t>{1, 0, 0, 1, 0, 0, 0, 0, 1}, packed);
    EXPECT_EQ(packed, (std::vector<std::uint8_t>{0b00001001, 0b1}));
}

}  // namespace
}  // namespace es::store
