// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/safetensors_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "engine/base/files.h"
#include "engine/base/random.h"
#include "support/scratch_folder.h"

namespace es {
namespace {

std::string fileOf(const std::string& header, const std::string& data) {
    const std::uint64_t length = header.size();
    std::string out(8, '\0');
    std::memcpy(out.data(), &length, 8);
    return out + header + data;
}
void write(const std::filesystem::path& path, const std::string& content) { std::ofstream(path, std::ios::binary) << content; }

NumberArray reals(ElementType type, std::vector<std::int64_t> shape, std::vector<double> values) { return {type, std::move(shape), std::move(values), {}}; }
NumberArray wholes(ElementType type, std::vector<std::int64_t> shape, std::vector<std::int64_t> values) {
    return {type, std::move(shape), {}, std::move(values)};
}

ArrayFile everyKind() {
    ArrayFile file;
    file.metadata = {{"op", "router.softmax_topk"}, {"ü", "\"quoted\""}};
    file.arrays["in.a_TE"] = reals(ElementType::kF32, {2, 3}, {0, -1.5, 3e38f, 0.1f, -0.0, 7});
    file.arrays["b"] = reals(ElementType::kF64, {}, {0.1});
    file.arrays["c"] = wholes(ElementType::kI64, {2}, {-1, std::numeric_limits<std::int64_t>::max()});
    file.arrays["d"] = wholes(ElementType::kI32, {1, 1}, {-2147483647});
    file.arrays["e"] = wholes(ElementType::kU8, {3}, {0, 1, 255});
    file.arrays["f"] = wholes(ElementType::kBool, {1}, {1});
    file.arrays["g"] = reals(ElementType::kF32, {0, 4}, {});
    return file;
}

std::string content(const ArrayFile& file) {
    test::ScratchFolder folder;
    EXPECT_TRUE(writeArrayFile(folder / "x", file));
    return *readFile(folder / "x");
}

TEST(SafetensorsFile, EveryKindComesBack) {
    test::ScratchFolder folder;
    const ArrayFile file = everyKind();
    ASSERT_TRUE(writeArrayFile(folder / "x.safetensors", file));
    const auto got = readArrayFile(folder / "x.safetensors");
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->metadata, file.metadata);
    ASSERT_EQ(got->arrays.size(), file.arrays.size());
    for (const auto& [name, array] : file.arrays) {
        const NumberArray& other = got->arrays.at(name);
        EXPECT_EQ(other.type, array.type) << name;
        EXPECT_EQ(other.shape, array.shape) << name;
        EXPECT_EQ(other.reals, array.reals) << name;
        EXPECT_EQ(other.integers, array.integers) << name;
    }
    EXPECT_TRUE(std::signbit(got->arrays.at("in.a_TE").reals[4]));
}

TEST(SafetensorsFile, HalvesWiden) {
    test::ScratchFolder folder;
    // 1, -2, the largest, the smallest, infinity; then bf16 1 and -0.5; int16 -2, int8 -1.
    const std::uint16_t half[] = {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x7C00, 0x3F80, 0xBF00, 0xFFFE};
    std::string data(reinterpret_cast<const char*>(half), sizeof(half));
    data += '\xff';
    write(folder / "x", fileOf(R"({"a":{"dtype":"F16","shape":[5],"data_offsets":[0,10]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[10,14]},)"
                               R"("c":{"dtype":"I16","shape":[1],"data_offsets":[14,16]},"d":{"dtype":"I8","shape":[],"data_offsets":[16,17]}})",
                               data));
    const auto got = readArrayFile(folder / "x");
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->arrays.at("a").reals, (std::vector<double>{1, -2, 65504, std::ldexp(1.0, -24), std::numeric_limits<double>::infinity()}));
    EXPECT_EQ(got->arrays.at("b").reals, (std::vector<double>{1, -0.5}));
    EXPECT_EQ(got->arrays.at("c").integers, (std::vector<std::int64_t>{-2}));
    EXPECT_EQ(got->arrays.at("d").integers, (std::vector<std::int64_t>{-1}));
}

TEST(SafetensorsFile, EveryCutIsAnError) {
    test::ScratchFolder folder;
    const std::string whole = content(everyKind());
    for (std::size_t size = 0; size < whole.size(); ++size) {
        write(folder / "cut", whole.substr(0, size));
        const auto got = readArrayFile(folder / "cut");
        ASSERT_FALSE(got) << "cut to " << size;
        EXPECT_EQ(got.error().kind, ErrorKind::kBadInput);
        EXPECT_FALSE(got.error().why.empty());
        EXPECT_NE(got.error().path.find("cut"), std::string::npos);
    }
    write(folder / "long", whole + "x");
    EXPECT_NE(readArrayFile(folder / "long").error().why.find("1 bytes follow"), std::string::npos);
    EXPECT_FALSE(readArrayFile(folder / "missing"));
    EXPECT_FALSE(readArrayFile(folder.path()));
}

TEST(SafetensorsFile, FlippedBytesNeverCrash) {
    test::ScratchFolder folder;
    const std::string whole = content(everyKind());
    RandomStream random(1, RandomPurpose::kSynthetic);
    int refused = 0;
    for (int i = 0; i < 800; ++i) {
        std::string other = whole;
        for (int flips = 0; flips < 1 + i % 4; ++flips) other[random.below(static_cast<std::uint32_t>(other.size()))] = static_cast<char>(random.below(256));
        if (i % 5 == 0) other.resize(random.below(static_cast<std::uint32_t>(other.size())));
        write(folder / "flipped", other);
        const auto got = readArrayFile(folder / "flipped");
        refused += !got;
        if (!got) continue;
        for (const auto& [name, array] : got->arrays) {
            std::int64_t elements = 1;
            for (const std::int64_t n : array.shape) elements *= n;
            EXPECT_EQ(static_cast<std::int64_t>(array.size()), elements) << name;
        }
    }
    EXPECT_GT(refused, 200);
}

TEST(SafetensorsFile, AMalformedHeaderSaysWhatIsWrong) {
    test::ScratchFolder folder;
    const std::string data(16, 'x');
    const std::pair<const char*, const char*> headers[] = {
        {"", "parse error"},
        {"[]", "not a JSON object"},
        {"nonsense", "parse error"},
        {R"({"a":1})", "not an object"},
        {R"({"a":{}})", "dtype"},
        {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,12]}})", "do not fit its shape"},
        {R"({"a":{"dtype":"F99","shape":[4],"data_offsets":[0,16]}})", "unknown type"},
        {R"({"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}})", "no count"},
        {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[4,20]}})", "gap"},
        {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}})", "do not fit its shape"},
        {R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,16]}})", "no count"},
        {R"({"a":{"dtype":"F32","shape":4,"data_offsets":[0,16]}})", "not a list"},
        {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,8,16]}})", "not two numbers"},
        {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}})", "do not fit its shape"},
        {R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})", "overlap"},
        {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"__metadata__":{"k":1}})", "metadata 'k'"},
        {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"__metadata__":[]})", "__metadata__"},
        {R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,16]}})", "no count"},
        {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "8 bytes follow"},
        {R"({"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}})", "16 of its bytes are missing"},
        {R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", "twice"},
    };
    for (const auto& [header, reason] : headers) {
        write(folder / "bad", fileOf(header, data));
        const auto got = readArrayFile(folder / "bad");
        ASSERT_FALSE(got) << header;
        EXPECT_NE(got.error().why.find(reason), std::string::npos) << header << "\n" << got.error().why;
    }
    write(folder / "huge", std::string(8, '\xff') + data);
    EXPECT_NE(readArrayFile(folder / "huge").error().why.find("not a safetensors file"), std::string::npos);
    write(folder / "good", fileOf(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", data));
    EXPECT_TRUE(readArrayFile(folder / "good"));
    write(folder / "deep", fileOf(std::string(200'000, '['), data));
    EXPECT_FALSE(readArrayFile(folder / "deep"));
}

TEST(SafetensorsFile, NumbersThatDoNotFitTheirShapeAreNotWritten) {
    test::ScratchFolder folder;
    ArrayFile file;
    file.arrays["a"] = reals(ElementType::kF32, {3}, {1, 2});
    EXPECT_FALSE(writeArrayFile(folder / "x", file));
    file.arrays["a"] = reals(ElementType::kBF16, {1}, {1});
    EXPECT_FALSE(writeArrayFile(folder / "x", file));
    EXPECT_FALSE(std::filesystem::exists(folder / "x"));
}

}  // namespace
}  // namespace es
