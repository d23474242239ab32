// SPDX-License-Identifier: GPL-3.0-or-later
// Comma-separated values (RFC 4180), as spreadsheets and scripts really write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace es::datasets {

struct CsvRow {
    std::vector<std::string> fields;
    std::int64_t line = 0;  ///< where it begins, from 1
};

struct Csv {
    std::vector<CsvRow> rows;              ///< the header too; blank lines are no rows
    std::int64_t unclosed_quote_line = 0;  ///< not 0: the quote opened there never closes; nothing from that row on is in rows
};

/// Quoted fields may hold delimiters, doubled quotes and line breaks; lines end with LF, CRLF or CR; a byte order mark is skipped.
[[nodiscard]] Csv parseCsv(std::string_view text, char delimiter = ',');

}  // namespace es::datasets
