// SPDX-License-Identifier: GPL-3.0-or-later
// A checkpoint opens in Python's safetensors: the same tensors, shapes and values that the bytes of the file hold.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "program/program.h"
#include "support/python.h"
#include "support/scratch_folder.h"

namespace es::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kScript = R"(
import json, sys
from safetensors.numpy import load_file
print(json.dumps({name: [str(t.dtype), list(t.shape), float(t.astype('float64').sum())] for name, t in load_file(sys.argv[1]).items()}))
)";

/// The same of the file's own bytes: 8 bytes of length, a JSON header, the data.
json readByHand(const fs::path& file) {
    const std::string bytes = readFile(file, 1u << 30).value_or("");
    std::uint64_t length = 0;
    if (bytes.size() < 8) return {};
    std::memcpy(&length, bytes.data(), 8);
    json out = json::object();
    const json header = json::parse(bytes.substr(8, length));
    for (const auto& [name, tensor] : header.items()) {
        if (name == "__metadata__") continue;
        const std::size_t begin = 8 + length + tensor.at("data_offsets").at(0).get<std::size_t>(),
                          end = 8 + length + tensor.at("data_offsets").at(1).get<std::size_t>();
        double sum = 0;
        for (std::size_t at = begin; at + 4 <= end && tensor.at("dtype") == "F32"; at += 4) {
            float value = 0;
            std::memcpy(&value, bytes.data() + at, 4);
            sum += value;
        }
        out[name] = {tensor.at("dtype"), tensor.at("shape"), sum};
    }
    return out;
}

TEST(CheckpointInPython, HoldsTheSameTensors) {
    const ScratchFolder scratch;
    const auto config = writeTinyConfig(scratch.path(), "steps = 3\nevaluate_samples = 4").string();
    const Outcome trained = runProgram({"train", config, "--out", (scratch / "run").string()}, scratch.path());
    ASSERT_EQ(trained.exit_code, 0) << trained.err;
    for (const char* name : {"model.safetensors", "optimizer.safetensors"}) {
        const fs::path file = scratch / "run" / "checkpoints" / "step-000000003" / name;
        const auto [code, output] = runPython(scratch.path(), kScript, "'" + file.string() + "'");
        ASSERT_EQ(code, 0) << output << "Python's safetensors is installed by ./run setup";
        const json python = json::parse(output), bytes = readByHand(file);
        ASSERT_GT(bytes.size(), 50u);
        ASSERT_EQ(python.size(), bytes.size());
        for (const auto& [tensor, expected] : bytes.items()) {
            ASSERT_TRUE(python.contains(tensor)) << tensor;
            EXPECT_EQ(python[tensor][1], expected[1]) << tensor;
            if (expected[0] != "F32") continue;
            EXPECT_EQ(python[tensor][0], "float32");
            EXPECT_NEAR(python[tensor][2].get<double>(), expected[2].get<double>(), 1e-6 * (1 + std::abs(expected[2].get<double>()))) << tensor;
        }
    }
}

}  // namespace
}  // namespace es::test
