// SPDX-License-Identifier: GPL-3.0-or-later
// The picture tokenizer that a configuration means: the file that it names, or the one of its data and settings, trained when it is not there.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "datasets/dataset.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/config/run_config.h"
#include "engine/session/engine_library.h"
#include "engine/tokenizer/image_tokenizer.h"

namespace es::engine {

struct FoundTokenizer {
    std::shared_ptr<const ImageTokenizer> tokenizer;
    std::filesystem::path file;
    std::string content, hash;  ///< of the file
};

/// Where "auto" keeps the tokenizer of these data and settings: beside the converted data. Its quality and how training went lie beside it as
/// JSON, under the same name ending in .json.
[[nodiscard]] std::filesystem::path tokenizerFile(const datasets::Dataset& dataset, std::int64_t patch, const config::TokenizerOptions& options);

/// Loads the file and checks that its patches are the model's.
[[nodiscard]] Result<FoundTokenizer> loadTokenizer(const std::filesystem::path& file, std::int64_t patch);
/// What data.image_tokenizer names; "auto" is trained and put into the cache when it is not there, or when what is there is damaged.
[[nodiscard]] Result<FoundTokenizer> findTokenizer(const config::RunConfig& config, const datasets::Dataset& dataset, const JobContext& context);
/// What the command line asks for: prepares the data when need be, and finds or trains the tokenizer of config.tokenizer ("auto").
[[nodiscard]] Result<session::TokenizerReport> makeTokenizer(const config::RunConfig& config, const JobContext& context);

}  // namespace es::engine
