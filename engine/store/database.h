// SPDX-License-Identifier: GPL-3.0-or-later
// SQLite as the index uses it. Errors are thrown inside the store and become Results at its door.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace es::store {

/// What SQLite said. Never leaves the store.
class DatabaseError : public std::runtime_error {
public:
    explicit DatabaseError(const std::string& why, int code = SQLITE_CORRUPT) : std::runtime_error(why), code_(code) {}
    /// SQLite's, extended or not.
    [[nodiscard]] int code() const { return code_; }

private:
    int code_ = SQLITE_CORRUPT;
};

class Database;

/// A prepared statement; values are bound by position from 1, columns read from 0.
class Statement {
public:
    Statement(Database& database, const char* sql);
    ~Statement();
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    Statement& bind(int position, std::int64_t value);
    Statement& bind(int position, double value);
    Statement& bind(int position, std::string_view value);
    /// The bytes must stay where they are until the statement has run.
    Statement& bindBlob(int position, std::span<const std::byte> value);
    /// True when a row is there.
    bool step();
    /// Runs a statement that returns nothing, and makes it ready for the next values.
    void run();
    void reset();

    [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
    /// NaN where the column is NULL: that is how SQLite keeps a NaN.
    [[nodiscard]] double real(int column) const {
        return sqlite3_column_type(statement_, column) == SQLITE_NULL ? std::numeric_limits<double>::quiet_NaN() : sqlite3_column_double(statement_, column);
    }
    [[nodiscard]] std::string text(int column) const;
    /// Valid until the next step.
    [[nodiscard]] std::string_view blob(int column) const;

private:
    sqlite3* database_ = nullptr;
    sqlite3_stmt* statement_ = nullptr;
};

class Database {
public:
    /// A file (made when missing, unless `flags` say otherwise) or ":memory:".
    explicit Database(const std::string& path, int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    ~Database();
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    void execute(const char* sql);
    [[nodiscard]] sqlite3* handle() const { return handle_; }

private:
    sqlite3* handle_ = nullptr;
};

template <class T>
[[nodiscard]] std::span<const std::byte> blobOf(std::span<const T> values) {
    return std::as_bytes(values);
}

}  // namespace es::store
