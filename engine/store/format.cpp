// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/format.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace es::store {
namespace {

std::string attemptSuffix(std::uint32_t attempt) { return attempt == 0 ? "" : fmt::format(".attempt-{:02}", attempt); }

/// A variant becomes part of a file name: anything that is not plain is replaced, and a hash keeps the names apart.
std::string fileSafe(const std::string& text) {
    std::string safe;
    bool changed = text.empty() || text.size() > 80;
    for (const char c : text.substr(0, 80)) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        safe += plain ? c : '_';
        changed = changed || !plain;
    }
    if (changed) {
        std::uint64_t hash = 1469598103934665603ull;
        for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
        safe += fmt::format("-{:016x}", hash);
    }
    return safe;
}

template <class T>
void take(const nlohmann::json& object, const char* key, T& value) {
    const auto found = object.find(key);
    if (found == object.end()) return;
    if constexpr (std::is_same_v<T, std::string>) {
        if (found->is_string()) value = found->get<std::string>();
    } else {
        if (found->is_number()) value = found->get<T>();
    }
}

}  // namespace

std::string journalFileName(JournalName name) { return fmt::format("attempt-{:02}.rank-{:03}.log", name.attempt, name.rank); }

std::optional<JournalName> parseJournalName(const std::string& file) {
    JournalName name;
    int used = 0;
    if (std::sscanf(file.c_str(), "attempt-%9u.rank-%9u.log%n", &name.attempt, &name.rank, &used) != 2) return std::nullopt;
    if (static_cast<std::size_t>(used) != file.size()) return std::nullopt;
    return name;
}

std::string segmentPath(JournalName writer, std::uint32_t number) {
    return fmt::format("{}/trace-{:02}-{:03}-{:04}.h5", kRoutingFolder, writer.attempt, writer.rank, number);
}
std::string probePath(const ProbeKey& key, std::uint32_t attempt) {
    return fmt::format("{}/probe-{:09}-{}{}.h5", kRoutingFolder, key.step, fileSafe(key.variant), attemptSuffix(attempt));
}
std::string evaluationPath(std::int64_t step, Split split, std::uint32_t attempt) {
    if (split == Split::kValidation) return fmt::format("{}/{:09}{}.h5", kEvaluationFolder, step, attemptSuffix(attempt));
    return fmt::format("{}/{:09}-{}{}.h5", kEvaluationFolder, step, toString(split), attemptSuffix(attempt));
}
std::string samplesPath(JournalName writer) {
    if (writer.rank == 0) return "samples" + attemptSuffix(writer.attempt) + ".h5";
    return fmt::format("samples.attempt-{:02}.rank-{:03}.h5", writer.attempt, writer.rank);
}

bool staysInside(const std::string& relative) {
    const std::filesystem::path path(relative);
    if (path.empty() || path.is_absolute() || relative.find('\0') != std::string::npos) return false;
    return std::none_of(path.begin(), path.end(), [](const auto& part) { return part == ".."; });
}

std::string provenanceToJson(const Provenance& p) {
    nlohmann::ordered_json json = {
        {"format_version", kFormatVersion},
        {"run_uuid", p.run_uuid},
        {"program_version", p.program_version},
        {"commit", p.commit},
        {"torch_version", p.torch_version},
        {"device", p.device},
        {"cpu", p.cpu},
        {"precision", p.precision},
        {"threads", p.threads},
        {"data_threads", p.data_threads},
        {"seed", p.seed},
        {"config_hash", p.config_hash},
        {"group_hash", p.group_hash},
        {"data_hash", p.data_hash},
        {"created_s", p.created_s},
        {"parameters_total", p.parameters_total},
        {"parameters_active", p.parameters_active},
        {"flops_per_step_active", p.flops_per_step_active},
        {"flops_per_step_total", p.flops_per_step_total},
        {"samples_per_step", p.samples_per_step},
        {"tokens_per_step", p.tokens_per_step},
        {"extra", p.extra},
    };
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::optional<Provenance> provenanceFromJson(const std::string& text) {
    const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    Provenance p;
    take(json, "run_uuid", p.run_uuid);
    take(json, "program_version", p.program_version);
    take(json, "commit", p.commit);
    take(json, "torch_version", p.torch_version);
    take(json, "device", p.device);
    take(json, "cpu", p.cpu);
    take(json, "precision", p.precision);
    take(json, "threads", p.threads);
    take(json, "data_threads", p.data_threads);
    take(json, "seed", p.seed);
    take(json, "config_hash", p.config_hash);
    take(json, "group_hash", p.group_hash);
    take(json, "data_hash", p.data_hash);
    take(json, "created_s", p.created_s);
    take(json, "parameters_total", p.parameters_total);
    take(json, "parameters_active", p.parameters_active);
    take(json, "flops_per_step_active", p.flops_per_step_active);
    take(json, "flops_per_step_total", p.flops_per_step_total);
    take(json, "samples_per_step", p.samples_per_step);
    take(json, "tokens_per_step", p.tokens_per_step);
    if (const auto extra = json.find("extra"); extra != json.end() && extra->is_object())
        for (const auto& [key, value] : extra->items())
            if (value.is_string()) p.extra[key] = value.get<std::string>();
    return p;
}

double nowSeconds() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace es::store
