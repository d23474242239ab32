// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/checkpoint_store.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/files.h"
#include "engine/train/safetensors.h"

namespace es::engine {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kModelFile = "model.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kAverageFile = "ema.safetensors";
constexpr const char* kStateFile = "state.json";
constexpr const char* kVocabularyFile = "vocabulary.model";
constexpr const char* kImageTokenizerFile = "image_tokenizer.safetensors";
constexpr const char* kLeftover = ".part-";
constexpr int kStateVersion = 1;

std::string stepName(std::int64_t step) {
    std::string digits = std::to_string(step);
    if (digits.size() < 9) digits.insert(0, 9 - digits.size(), '0');
    return "step-" + digits;
}

std::optional<std::int64_t> stepOf(const std::string& name) {
    if (!name.starts_with("step-") || name.size() < 14 || name.size() > 23) return std::nullopt;
    std::int64_t step = 0;
    for (const char c : name.substr(5)) {
        if (c < '0' || c > '9') return std::nullopt;
        step = step * 10 + (c - '0');
    }
    return step;
}

std::string stateText(const CheckpointState& state) {
    Json json;
    json["state_version"] = kStateVersion;
    json["step"] = state.step;
    json["config_hash"] = state.config_hash;
    json["data_hash"] = state.data_hash;
    json["validation_loss"] = std::isfinite(state.validation_loss) ? Json(state.validation_loss) : Json(nullptr);
    json["pixel_mean"] = state.scale.mean;
    json["pixel_deviation"] = state.scale.deviation;
    json["vocabulary"] = state.vocabulary;
    json["image_size"] = state.image_size;
    json["max_words"] = state.max_words;
    json["vocabulary_file"] = state.vocabulary_file;
    if (state.average_updates > 0) json["average_updates"] = state.average_updates;
    if (!state.recent_losses.empty()) {
        json["recent_losses"] = state.recent_losses;
        json["recent_gradient_norms"] = state.recent_gradient_norms;
    }
    if (state.picture_codes > 0) {
        json["picture_codes"] = state.picture_codes;
        json["image_tokenizer_hash"] = state.image_tokenizer_hash;
    }
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<CheckpointState> stateFrom(const std::string& text, const fs::path& path) {
    try {
        const Json json = Json::parse(text);
        if (const int version = json.at("state_version"); version > kStateVersion)
            return badInput("Cannot read the checkpoint", "it was written by a newer version of the program", "Update the program", path.string());
        CheckpointState state;
        state.step = json.at("step");
        state.config_hash = json.at("config_hash");
        state.data_hash = json.at("data_hash");
        const auto& loss = json.at("validation_loss");
        state.validation_loss = loss.is_null() ? std::numeric_limits<double>::quiet_NaN() : loss.get<double>();
        state.scale.mean = json.at("pixel_mean").get<std::array<float, 3>>();
        state.scale.deviation = json.at("pixel_deviation").get<std::array<float, 3>>();
        state.vocabulary = json.at("vocabulary");
        state.image_size = json.at("image_size");
        state.max_words = json.at("max_words");
        state.vocabulary_file = json.at("vocabulary_file");
        state.average_updates = json.value("average_updates", std::int64_t{0});
        state.recent_losses = json.value("recent_losses", std::vector<double>{});
        state.recent_gradient_norms = json.value("recent_gradient_norms", std::vector<double>{});
        state.picture_codes = json.value("picture_codes", std::int64_t{0});
        state.image_tokenizer_hash = json.value("image_tokenizer_hash", "");
        return state;
    } catch (const std::exception& problem) {
        return badInput("Cannot read the checkpoint", problem.what(), "Use another checkpoint or copy the run again", path.string());
    }
}

}  // namespace

std::vector<std::int64_t> retired(const std::vector<std::pair<std::int64_t, double>>& checkpoints, const RetentionRule& rule) {
    std::set<std::int64_t> kept;
    const auto last = static_cast<std::size_t>(std::max<std::int64_t>(1, rule.keep_last));
    for (std::size_t i = checkpoints.size() > last ? checkpoints.size() - last : 0; i < checkpoints.size(); ++i) kept.insert(checkpoints[i].first);
    const std::pair<std::int64_t, double>* best = nullptr;
    for (const auto& checkpoint : checkpoints) {
        if (rule.keep_every > 0 && checkpoint.first % rule.keep_every == 0) kept.insert(checkpoint.first);
        if (std::isfinite(checkpoint.second) && (!best || checkpoint.second < best->second)) best = &checkpoint;
    }
    if (rule.keep_best && best) kept.insert(best->first);
    std::vector<std::int64_t> out;
    for (const auto& [step, loss] : checkpoints)
        if (!kept.contains(step)) out.push_back(step);
    return out;
}

CheckpointStore::CheckpointStore(fs::path run) : run_(std::move(run)), folder_(run_ / "checkpoints") {}

std::string CheckpointStore::folderName(std::int64_t step) { return "checkpoints/" + stepName(step); }

fs::path CheckpointStore::vocabularyFile(std::int64_t step) const { return folder_ / stepName(step) / kVocabularyFile; }

fs::path CheckpointStore::imageTokenizerFile(std::int64_t step) const {
    const fs::path file = folder_ / stepName(step) / kImageTokenizerFile;
    std::error_code error;
    return fs::exists(file, error) ? file : fs::path();
}

Status CheckpointStore::save(const Checkpoint& checkpoint) const {
    std::error_code error;
    const std::string name = stepName(checkpoint.state.step);
    const fs::path part = folder_ / (kLeftover + std::to_string(::getpid()) + "-" + name), target = folder_ / name;
    fs::remove_all(part, error);
    if (!fs::create_directories(part, error) && error)
        return jobFailed("Cannot write the checkpoint", error.message(), "Check the folder's permissions and free some space", part.string());
    const std::map<std::string, std::string> metadata{{"format", "pt"}, {"step", std::to_string(checkpoint.state.step)}};
    if (Status done = writeSafetensors(part / kModelFile, {checkpoint.model, metadata}); !done) return done;
    if (Status done = writeSafetensors(part / kOptimizerFile, {checkpoint.optimizer, metadata}); !done) return done;
    if (!checkpoint.average.empty())
        if (Status done = writeSafetensors(part / kAverageFile, {checkpoint.average, metadata}); !done) return done;
    if (auto vocabulary = readFile(checkpoint.state.vocabulary_file); vocabulary)
        if (Status done = writeFileAtomically(part / kVocabularyFile, *vocabulary); !done) return done;
    if (!checkpoint.image_tokenizer.empty())
        if (Status done = writeFileAtomically(part / kImageTokenizerFile, checkpoint.image_tokenizer); !done) return done;
    if (Status done = writeFileAtomically(part / kStateFile, stateText(checkpoint.state)); !done) return done;
    if (Status done = syncFolder(part); !done) return done;
    if (fs::exists(target, error)) {
        const fs::path old = folder_ / (kLeftover + std::to_string(::getpid()) + "-old-" + name);
        fs::remove_all(old, error);
        fs::rename(target, old, error);
    }
    fs::rename(part, target, error);
    if (error) return jobFailed("Cannot put the checkpoint in its place", error.message(), "Check the folder's permissions", target.string());
    removeLeftovers();
    return syncFolder(folder_);
}

std::vector<std::int64_t> CheckpointStore::steps() const {
    std::vector<std::int64_t> out;
    std::error_code error;
    for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error))
        if (const auto step = stepOf(it->path().filename().string())) out.push_back(*step);
    std::sort(out.begin(), out.end());
    return out;
}

Result<CheckpointState> CheckpointStore::loadState(std::int64_t step) const {
    const fs::path path = folder_ / stepName(step) / kStateFile;
    auto text = readFile(path);
    if (!text) return tl::unexpected(text.error());
    auto state = stateFrom(*text, path);
    if (state && state->step != step)
        return badInput("Cannot read the checkpoint", "it says it is of step " + std::to_string(state->step), "Copy the run again", path.string());
    return state;
}

Result<Checkpoint> CheckpointStore::load(std::int64_t step, bool with_optimizer) const {
    auto state = loadState(step);
    if (!state) return tl::unexpected(state.error());
    const fs::path folder = folder_ / stepName(step);
    auto model = readSafetensors(folder / kModelFile);
    if (!model) return tl::unexpected(model.error());
    Checkpoint out;
    out.state = std::move(*state);
    out.model = std::move(model->tensors);
    if (!with_optimizer) return out;
    auto optimizer = readSafetensors(folder / kOptimizerFile);
    if (!optimizer) return tl::unexpected(optimizer.error());
    out.optimizer = std::move(optimizer->tensors);
    if (std::error_code error; !fs::exists(folder / kAverageFile, error)) return out;
    auto average = readSafetensors(folder / kAverageFile);
    if (!average) return tl::unexpected(average.error());
    out.average = std::move(average->tensors);
    return out;
}

Result<CheckpointStore::Newest> CheckpointStore::loadNewest(bool with_optimizer) const {
    Newest out;
    auto all = steps();
    std::reverse(all.begin(), all.end());
    for (const std::int64_t step : all) {
        auto checkpoint = load(step, with_optimizer);
        if (checkpoint) {
            out.checkpoint = std::move(*checkpoint);
            return out;
        }
        out.damaged.push_back(checkpoint.error());
    }
    if (!out.damaged.empty()) return tl::unexpected(out.damaged.front());
    return badInput("There is no checkpoint", "the run has not written one yet", "Train it further, or start it anew", folder_.string());
}

Result<std::vector<std::int64_t>> CheckpointStore::retire(const RetentionRule& rule) const {
    std::vector<std::pair<std::int64_t, double>> known;
    for (const std::int64_t step : steps()) {
        const auto state = loadState(step);
        known.emplace_back(step, state ? state->validation_loss : std::numeric_limits<double>::quiet_NaN());
    }
    std::vector<std::int64_t> out = retired(known, rule);
    for (const std::int64_t step : out) {
        std::error_code error;
        // Out of the way first: killed in the middle of removing, it must not look complete.
        const fs::path old = folder_ / (kLeftover + std::to_string(::getpid()) + "-old-" + stepName(step));
        fs::rename(folder_ / stepName(step), old, error);
        if (error) return jobFailed("Cannot remove an old checkpoint", error.message(), "Check the folder's permissions", (folder_ / stepName(step)).string());
        fs::remove_all(old, error);
    }
    return out;
}

void CheckpointStore::removeLeftovers() const {
    std::error_code error;
    std::vector<fs::path> found;
    for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error))
        if (it->path().filename().string().starts_with(kLeftover)) found.push_back(it->path());
    for (const fs::path& path : found) fs::remove_all(path, error);
}

}  // namespace es::engine
