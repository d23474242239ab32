// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/database.h"

namespace es::store {
namespace {

void check(sqlite3* database, int code) {
    if (code != SQLITE_OK) throw DatabaseError(database ? sqlite3_errmsg(database) : sqlite3_errstr(code), code);
}

}  // namespace

Database::Database(const std::string& path, int flags) {
    const int code = sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr);
    if (code != SQLITE_OK) {
        const std::string why = handle_ ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
        sqlite3_close(handle_);
        throw DatabaseError(why, code);
    }
    sqlite3_busy_timeout(handle_, 2000);
}
Database::~Database() { sqlite3_close(handle_); }
void Database::execute(const char* sql) { check(handle_, sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr)); }

Statement::Statement(Database& database, const char* sql) : database_(database.handle()) {
    check(database_, sqlite3_prepare_v2(database_, sql, -1, &statement_, nullptr));
}
Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(int position, std::int64_t value) {
    check(database_, sqlite3_bind_int64(statement_, position, value));
    return *this;
}
Statement& Statement::bind(int position, double value) {
    check(database_, sqlite3_bind_double(statement_, position, value));
    return *this;
}
Statement& Statement::bind(int position, std::string_view value) {
    check(database_, sqlite3_bind_text(statement_, position, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT));
    return *this;
}
Statement& Statement::bindBlob(int position, std::span<const std::byte> value) {
    const void* data = value.empty() ? static_cast<const void*>("") : value.data();
    check(database_, sqlite3_bind_blob64(statement_, position, data, value.size(), SQLITE_STATIC));
    return *this;
}
bool Statement::step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) check(database_, code);
    return false;
}
void Statement::run() {
    while (step()) {
    }
    reset();
}
void Statement::reset() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
}
std::string Statement::text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return data ? std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))) : std::string();
}
std::string_view Statement::blob(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    return data ? std::string_view(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))) : std::string_view();
}

}  // namespace es::store
