// SPDX-License-Identifier: GPL-3.0-or-later
// annotations.sqlite as a database: opened, checked, made or brought up to date. Errors are thrown inside the store.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "engine/base/result.h"
#include "engine/store/database.h"

namespace es::store {

/// Commits what is done inside unless that throws. `BEGIN IMMEDIATE` waits for other writers; a deferred one reads everything at one moment.
class Transaction {
public:
    explicit Transaction(Database& database, const char* begin = "BEGIN IMMEDIATE");
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction();
    void commit();

private:
    Database& database_;
    bool done_ = false;
};

struct OpenAnnotations {
    std::unique_ptr<Database> database;  ///< null: there is nothing yet
    std::int64_t version = 0;            ///< of the file's tables, as they are now
};

/// Opens `file`. Where it is missing and is not the run's own, it begins as a copy of what the run has. `writing`: makes the file and its tables
/// where they are missing, and brings tables of an older version up to date. Throws.
[[nodiscard]] OpenAnnotations openAnnotations(const std::filesystem::path& run, const std::filesystem::path& file, bool writing);

/// What openAnnotations() or work on its database threw, in words for the user. Call it while the exception is being handled.
[[nodiscard]] Error annotationsError(const char* what, const std::filesystem::path& file);

}  // namespace es::store
