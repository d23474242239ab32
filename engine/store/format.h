// SPDX-License-Identifier: GPL-3.0-or-later
// Constants and file names of the run directory. FORMAT.md says the same in words; both change together.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "engine/store/records.h"

namespace es::store {

/// Rises when a reader of the old version could misread a run. Written into every journal and every HDF5 file.
inline constexpr std::uint32_t kFormatVersion = 1;

inline constexpr const char* kConfigFile = "run.toml";
inline constexpr const char* kProvenanceFile = "provenance.json";
inline constexpr const char* kLockFile = "run.lock";
inline constexpr const char* kIndexFile = "run.sqlite";
inline constexpr const char* kIndexLockFile = "run.sqlite.lock";
inline constexpr const char* kJournalFolder = "journal";
inline constexpr const char* kRoutingFolder = "routing";
inline constexpr const char* kEvaluationFolder = "eval";

/// What a journal's name says.
struct JournalName {
    std::uint32_t attempt = 0;
    std::uint32_t rank = 0;
    auto operator<=>(const JournalName&) const = default;
};
[[nodiscard]] std::string journalFileName(JournalName name);  ///< "attempt-00.rank-000.log"
[[nodiscard]] std::optional<JournalName> parseJournalName(const std::string& file);

// Relative to the run. Files of attempts after the first carry the attempt, so that a resumed run overwrites nothing.
[[nodiscard]] std::string segmentPath(JournalName writer, std::uint32_t number);                  ///< "routing/trace-00-000-0003.h5"
[[nodiscard]] std::string probePath(const ProbeKey& key, std::uint32_t attempt);                  ///< "routing/probe-000000100-trained.h5"
[[nodiscard]] std::string evaluationPath(std::int64_t step, Split split, std::uint32_t attempt);  ///< "eval/000000100.h5", other splits than validation named
[[nodiscard]] std::string samplesPath(JournalName writer);                                        ///< "samples.h5"
/// True for a relative path that stays inside the run: what a journal names is not trusted.
[[nodiscard]] bool staysInside(const std::string& relative);

/// provenance.json and back. Missing or mistyped fields keep their defaults.
[[nodiscard]] std::string provenanceToJson(const Provenance& provenance);
[[nodiscard]] std::optional<Provenance> provenanceFromJson(const std::string& text);

/// Seconds since the epoch.
[[nodiscard]] double nowSeconds();

}  // namespace es::store
