// SPDX-License-Identifier: GPL-3.0-or-later
// Tensors by name in a file that Python's `safetensors` opens.
// https://github.com/huggingface/safetensors: 8 bytes little-endian length, that many bytes of JSON, then the data without gaps.
#pragma once

#include <ATen/ATen.h>

#include <filesystem>
#include <map>
#include <string>

#include "engine/base/result.h"

namespace es::engine {

struct TensorFile {
    std::map<std::string, at::Tensor> tensors;  ///< contiguous, on the CPU
    std::map<std::string, std::string> metadata;
};

/// Writes and syncs the file. fp64, fp32, fp16, bf16, int64, int32, int16, int8, uint8 and bool; any shape, 0-d and empty included.
[[nodiscard]] Status writeSafetensors(const std::filesystem::path& path, const TensorFile& file);
/// Fails, naming the file and the place, on anything that is not whole: a short file, a bad header, gaps, overlaps, unknown types.
[[nodiscard]] Result<TensorFile> readSafetensors(const std::filesystem::path& path);

}  // namespace es::engine
