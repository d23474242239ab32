// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "engine/base/files.h"
#include "engine/base/random.h"
#include "support/scratch_folder.h"

namespace es::engine {
namespace {

std::string fileOf(const std::string& header, const std::string& data) {
    const std::uint64_t length = header.size();
    std::string out(8, '\0');
    std::memcpy(out.data(), &length, 8);
    return out + header + data;
}

void write(const std::filesystem::path& path, const std::string& content) { std::ofstream(path, std::ios::binary) << content; }

TensorFile everyKind() {
    TensorFile file;
    file.tensors["a.weight"] = at::arange(12, at::kFloat).reshape({3, 4});
    file.tensors["b.half"] = at::arange(5, at::kFloat).to(at::kHalf);
    file.tensors["c.bf16"] = at::arange(7, at::kFloat).to(at::kBFloat16);
    file.tensors["d.ids"] = at::arange(3, at::kLong);
    file.tensors["e.int"] = at::arange(3, at::kInt);
    file.tensors["f.bytes"] = at::arange(9, at::kByte);
    file.tensors["g.bool"] = at::arange(3, at::kInt).gt(1);
    file.tensors["h.scalar"] = at::scalar_tensor(2.5, at::kDouble);
    file.tensors["i.empty"] = at::empty({0, 4}, at::kFloat);
    file.tensors["j.transposed"] = at::arange(6, at::kFloat).reshape({2, 3}).t();
    file.metadata["format"] = "pt";
    file.metadata["ü"] = "\"quoted\"";
    return file;
}

TEST(Safetensors, EveryKindComesBackToTheBit) {
    test::ScratchFolder folder;
    const TensorFile file = everyKind();
    ASSERT_TRUE(writeSafetensors(folder / "w.safetensors", file));
    const auto got = readSafetensors(folder / "w.safetensors");
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->metadata, file.metadata);
    ASSERT_EQ(got->tensors.size(), file.tensors.size());
    for (const auto& [name, tensor] : file.tensors) {
        const at::Tensor& other = got->tensors.at(name);
        EXPECT_EQ(other.scalar_type(), tensor.scalar_type()) << name;
        EXPECT_TRUE(at::equal(other, tensor)) << name;
    }
}

TEST(Safetensors, EveryTensorIsAligned) {
    test::ScratchFolder folder;
    ASSERT_TRUE(writeSafetensors(folder / "w", everyKind()));
    const std::string content = *readFile(folder / "w");
    std::uint64_t length = 0;
    std::memcpy(&length, content.data(), 8);
    EXPECT_EQ(length % 8, 0u);
}

TEST(Safetensors, EveryCutIsAnError) {
    test::ScratchFolder folder;
    ASSERT_TRUE(writeSafetensors(folder / "w", everyKind()));
    const std::string content = *readFile(folder / "w");
    for (std::size_t size = 0; size < content.size(); size += 3) {
        write(folder / "cut", content.substr(0, size));
        const auto got = readSafetensors(folder / "cut");
        ASSERT_FALSE(got) << "cut to " << size;
        EXPECT_EQ(got.error().kind, ErrorKind::kBadInput);
        EXPECT_NE(got.error().message().find("cut"), std::string::npos);
    }
    write(folder / "long", content + "x");
    EXPECT_FALSE(readSafetensors(folder / "long"));
    EXPECT_FALSE(readSafetensors(folder / "missing"));
    EXPECT_FALSE(readSafetensors(folder.path()));
}

TEST(Safetensors, MalformedHeadersAreErrors) {
    test::ScratchFolder folder;
    const std::string data(16, 'x');
    const char* const headers[] = {
        "",
        "[]",
        "nonsense",
        "{\"a\":1}",
        "{\"a\":{}}",
        R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,12]}})",
        R"({"a":{"dtype":"F99","shape":[4],"data_offsets":[0,16]}})",
        R"({"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}})",
        R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[4,20]}})",
        R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}})",
        R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,16]}})",
        R"({"a":{"dtype":"F32","shape":4,"data_offsets":[0,16]}})",
        R"({"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,0]}})",
        R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
        R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"__metadata__":{"k":1}})",
        R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,16]}})",
    };
    for (const char* header : headers) {
        write(folder / "bad", fileOf(header, data));
        EXPECT_FALSE(readSafetensors(folder / "bad")) << header;
    }
    write(folder / "huge", std::string(8, '\xff') + data);
    EXPECT_FALSE(readSafetensors(folder / "huge"));
    write(folder / "good", fileOf(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", data));
    EXPECT_TRUE(readSafetensors(folder / "good"));
}

TEST(Safetensors, FlippedBytesNeverCrash) {
    test::ScratchFolder folder;
    ASSERT_TRUE(writeSafetensors(folder / "w", everyKind()));
    const std::string content = *readFile(folder / "w");
    RandomStream random(1, RandomPurpose::kSynthetic);
    for (int i = 0; i < 300; ++i) {
        std::string other = content;
        for (int flips = 0; flips < 3; ++flips)
            other[random.below(static_cast<std::uint32_t>(std::min<std::size_t>(other.size(), 600)))] = static_cast<char>(random.below(256));
        write(folder / "flipped", other);
        (void)readSafetensors(folder / "flipped");
    }
}

}  // namespace
}  // namespace es::engine
