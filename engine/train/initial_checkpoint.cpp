// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/initial_checkpoint.h"

#include <c10/util/StringUtil.h>

#include <charconv>
#include <filesystem>

#include "datasets/dataset.h"
#include "engine/base/hash.h"
#include "engine/config/config_io.h"
#include "engine/infer/checkpoint_model.h"
#include "engine/model/weight_transfer.h"
#include "engine/train/checkpoint_store.h"

namespace es::engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCannotStart = "The checkpoint cannot be where the run starts from";

/// "FOLDER:STEP", or a folder alone: then -1, the newest.
struct Origin {
    fs::path run;
    std::int64_t step = -1;
};
Origin originOf(const std::string& text) {
    std::error_code error;
    const auto colon = text.rfind(':');
    if (colon == std::string::npos || fs::is_directory(text, error)) return {text, -1};
    Origin origin{text.substr(0, colon), -1};
    const char *begin = text.data() + colon + 1, *end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(begin, end, origin.step);
    if (problem != std::errc{} || stop != end || begin == end || origin.step < 0) return {text, -1};
    return origin;
}

/// What tensors do not show.
Status checkConfiguration(const config::RunConfig& ours, const config::RunConfig& theirs, const std::string& path) {
    const auto differs = [&](const char* key) {
        return badInput(kCannotStart, c10::str(key, " is ", config::valueOf(ours, key), ", that run's is ", config::valueOf(theirs, key)),
                        c10::str("Set ", key, " = ", config::valueOf(theirs, key)), path);
    };
    if (ours.model.heads != theirs.model.heads) return differs("model.heads");
    if (theirs.model.ffn != "scaled_dense") return {};
    if (ours.model.ffn != "scaled_dense")
        return badInput(kCannotStart, "that run's model.ffn is \"scaled_dense\": its networks compute with frozen factors that this model does not have",
                        "Start from a run with model.ffn = \"dense\"", path);
    return ours.model.ffn_scales == theirs.model.ffn_scales ? Status{} : differs("model.ffn_scales");
}

Status checkVocabulary(const datasets::Tokenizer& ours, const CheckpointStore& store, std::int64_t step, const std::string& data) {
    auto theirs = datasets::Tokenizer::load(store.vocabularyFile(step));
    if (!theirs) return tl::unexpected(theirs.error());
    const auto fails = [&](std::string why) {
        return badInput("The checkpoint's vocabulary is not the data's", std::move(why),
                        "Prepare the data with that run's vocabulary: the same data.set, data.vocabulary and data.keywords",
                        store.vocabularyFile(step).string());
    };
    if (ours.size() != (*theirs)->size()) return fails(c10::str("it has ", (*theirs)->size(), " tokens, that of ", data, " has ", ours.size()));
    for (std::int32_t id = 0; id < ours.size(); ++id)
        if (ours.piece(id) != (*theirs)->piece(id))
            return fails(c10::str("its token ", id, " is '", (*theirs)->piece(id), "', that of ", data, " is '", ours.piece(id), "'"));
    return {};
}

std::string contentHash(const std::map<std::string, at::Tensor>& tensors) {
    std::uint64_t hash = 0;
    for (const auto& [name, tensor] : tensors) {
        const at::Tensor plain = tensor.contiguous();
        const auto bytes = static_cast<std::size_t>(plain.numel()) * plain.element_size();
        hash = hash64(std::span(static_cast<const std::byte*>(plain.const_data_ptr()), bytes), hash64(name, hash));
    }
    return hashText(hash);
}

}  // namespace

Result<InitialWeights> startFromCheckpoint(VlMoe& model, const config::RunConfig& config, const DataSource& source) {
    const Origin origin = originOf(config.model.init_from);
    const auto step = findCheckpoint(origin.run, origin.step);
    if (!step) return tl::unexpected(step.error());
    const CheckpointStore store(origin.run);
    const std::string folder = (origin.run / CheckpointStore::folderName(*step)).string();
    auto theirs = config::loadConfig(origin.run / "run.toml");
    if (!theirs) return tl::unexpected(theirs.error());
    if (Status fine = checkConfiguration(config, *theirs, (origin.run / "run.toml").string()); !fine) return tl::unexpected(fine.error());
    if (Status fine = checkVocabulary(source.tokenizer(), store, *step, source.dataset().name()); !fine) return tl::unexpected(fine.error());
    const auto checkpoint = store.load(*step, false);
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    const TransferOptions options{config.model.upcycle_noise, config.model.upcycle_shared, static_cast<std::uint64_t>(config.run.seed)};
    const auto report = transferWeights(model, checkpoint->model, options, folder);
    if (!report) return tl::unexpected(report.error());

    std::error_code ignored;
    InitialWeights out;
    out.message = c10::str("Starts from step ", *step, " of ", origin.run.string(), ": ", report->text());
    out.provenance["init_from"] = fs::absolute(origin.run, ignored).string();
    out.provenance["init_step"] = std::to_string(*step);
    out.provenance["init_config_hash"] = checkpoint->state.config_hash;
    out.provenance["init_data_hash"] = checkpoint->state.data_hash;
    out.provenance["init_weights_hash"] = contentHash(checkpoint->model);
    out.provenance["init_report"] = report->text();
    return out;
}

}  // namespace es::engine
