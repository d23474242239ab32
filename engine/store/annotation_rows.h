// SPDX-License-Identifier: GPL-3.0-or-later
// Rows of annotations.sqlite as values, both ways. Errors are thrown inside the store (DatabaseError, or what the JSON reader throws).
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "engine/store/annotations.h"
#include "engine/store/database.h"

namespace es::store {

/// The columns that resultFrom() expects of a file of that version: what an older one lacks reads as empty.
[[nodiscard]] std::string resultColumns(std::int64_t version);
[[nodiscard]] KeptResult resultFrom(const Statement& row);
/// Binds all but the id to the places from 2 on, in the order of resultColumns(). The statement must run before `effects` is gone.
void bindResult(Statement& put, const KeptResult& result, const std::string& effects);
/// The effects as they lie in their column.
[[nodiscard]] std::string packEffects(const std::vector<EffectRow>& rows);

/// A sample's hash as text, and back.
[[nodiscard]] std::string hashKey(std::uint64_t hash);
[[nodiscard]] std::uint64_t hashOfKey(const std::string& text);
/// Names of the samples that the result's rows are about, as far as they are known.
[[nodiscard]] std::vector<EffectSample> namesOf(const KeptResult& result, const std::map<std::uint64_t, EffectSample>& known);

}  // namespace es::store
