// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/tokenizer/tokenizer_cache.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "engine/base/files.h"
#include "engine/base/hash.h"
#include "engine/config/fields.h"
#include "engine/tokenizer/tokenizer_training.h"

namespace es::engine {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kAuto = "auto";
constexpr int kTrainingVersion = 1;  // another way of training gives other codes: raise it

fs::path reportFile(fs::path file) { return file.replace_extension(".json"); }

std::string settingsText(const datasets::Dataset& dataset, std::int64_t patch, const config::TokenizerOptions& options) {
    std::string text = "version " + std::to_string(kTrainingVersion) + ", data " + hashText(dataset.contentHash()) + ", patch " + std::to_string(patch);
    config::TokenizerOptions copy = options;
    copy.describe(
        [&](std::string_view name, const auto& field, const config::OptionInfo&) { text += ", " + std::string(name) + " " + config::valueText(field); });
    return text;
}

Json reportOf(const TrainedTokenizer& trained, const std::string& settings, double seconds) {
    Json lines = Json::array();
    for (const TokenizerLine& line : trained.lines)
        lines.push_back({{"step", line.step},
                         {"reconstruction", line.reconstruction},
                         {"commitment", line.commitment},
                         {"perplexity", line.perplexity},
                         {"unused", line.unused},
                         {"revived", line.revived}});
    const TokenizerQuality& quality = trained.quality;
    return {{"schema", "expertscope.tokenizer.1"},
            {"settings", settings},
            {"held_out", quality.held_out},
            {"patches", quality.patches},
            {"reconstruction", quality.reconstruction},
            {"variance", quality.variance},
            {"perplexity", quality.perplexity},
            {"unused", quality.unused},
            {"revived", trained.revived},
            {"steps", trained.lines.empty() ? 0 : trained.lines.back().step},
            {"seconds", seconds},
            {"training", lines}};
}

Result<FoundTokenizer> trainInto(const fs::path& file, const datasets::Dataset& dataset, const config::RunConfig& config, const JobContext& context) {
    const auto begin = std::chrono::steady_clock::now();
    auto trained = trainTokenizer(dataset, config.model.patch, config.tokenizer, context);
    if (!trained) return tl::unexpected(trained.error());
    const std::string settings = settingsText(dataset, config.model.patch, config.tokenizer);
    if (Status done = trained->tokenizer->save(file, {{"settings", settings}, {"data_hash", hashText(dataset.contentHash())}}); !done)
        return tl::unexpected(done.error());
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (Status done = writeFileAtomically(reportFile(file), reportOf(*trained, settings, seconds).dump(2) + "\n"); !done) return tl::unexpected(done.error());
    return loadTokenizer(file, config.model.patch);
}

}  // namespace

fs::path tokenizerFile(const datasets::Dataset& dataset, std::int64_t patch, const config::TokenizerOptions& options) {
    return dataset.file().parent_path() /
           (dataset.file().stem().string() + "-codes-" + hashText(hash64(settingsText(dataset, patch, options))) + ".safetensors");
}

Result<FoundTokenizer> loadTokenizer(const fs::path& file, std::int64_t patch) {
    auto tokenizer = ImageTokenizer::load(file);
    if (!tokenizer) return tl::unexpected(tokenizer.error());
    if (const std::int64_t own = (*tokenizer)->sizes().patch; own != patch)
        return badInput("Cannot use the picture tokenizer",
                        "its patches have " + std::to_string(own) + " pixels a side, model.patch is " + std::to_string(patch),
                        "Set model.patch = " + std::to_string(own) + ", or data.image_tokenizer = \"auto\"", file.string());
    auto content = readFile(file);
    if (!content) return tl::unexpected(content.error());
    std::string hash = hashText(hash64(*content));
    return FoundTokenizer{std::move(*tokenizer), file, std::move(*content), std::move(hash)};
}

Result<FoundTokenizer> findTokenizer(const config::RunConfig& config, const datasets::Dataset& dataset, const JobContext& context) {
    if (config.data.image_tokenizer != kAuto) return loadTokenizer(config.data.image_tokenizer, config.model.patch);
    const fs::path file = tokenizerFile(dataset, config.model.patch, config.tokenizer);
    std::error_code ignored;
    if (fs::exists(file, ignored)) {
        if (auto found = loadTokenizer(file, config.model.patch)) return found;
        context.log("The picture tokenizer in the cache is damaged and is trained again: " + file.string());
    }
    return trainInto(file, dataset, config, context);
}

Result<session::TokenizerReport> makeTokenizer(const config::RunConfig& config, const JobContext& context) {
    const auto begin = std::chrono::steady_clock::now();
    config::RunConfig wanted = config;
    wanted.data.image_tokenizer = kAuto;
    if (wanted.model.patch < 1 || wanted.data.image_size % wanted.model.patch != 0)
        return badInput("Cannot train a picture tokenizer",
                        "data.image_size " + std::to_string(wanted.data.image_size) + " is not divisible by model.patch " + std::to_string(wanted.model.patch),
                        "Choose a patch side that divides the picture's");
    if (auto prepared = datasets::prepare(wanted.data, context); !prepared) return tl::unexpected(prepared.error());
    auto dataset = datasets::Dataset::open(wanted.data);
    if (!dataset) return tl::unexpected(dataset.error());
    session::TokenizerReport out;
    std::error_code ignored;
    const fs::path file = tokenizerFile(**dataset, wanted.model.patch, wanted.tokenizer);
    const auto written = fs::last_write_time(file, ignored);
    const bool there = !ignored;
    auto found = findTokenizer(wanted, **dataset, context);
    if (!found) return tl::unexpected(found.error());
    out.trained = !there || fs::last_write_time(file, ignored) != written;
    out.file = found->file.string();
    out.hash = found->hash;
    const TokenizerSizes& sizes = found->tokenizer->sizes();
    out.codes = sizes.codes;
    out.code_width = sizes.code_width;
    out.patch = sizes.patch;
    auto text = readFile(reportFile(found->file));
    if (!text) return tl::unexpected(text.error());
    try {
        const Json report = Json::parse(*text);
        out.steps = report.at("steps");
        out.patches = report.at("patches");
        out.reconstruction = report.at("reconstruction");
        out.variance = report.at("variance");
        out.perplexity = report.at("perplexity");
        out.unused = report.at("unused");
        out.revived = report.at("revived");
    } catch (const nlohmann::json::exception& problem) {
        return badInput("Cannot read the report of the picture tokenizer", problem.what(), "Remove it and the tokenizer beside it; both are made again",
                        reportFile(found->file).string());
    }
    out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return out;
}

}  // namespace es::engine
