// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/csv.h"

namespace es::datasets {

Csv parseCsv(std::string_view text, char delimiter) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    Csv csv;
    std::int64_t line = 1;
    std::size_t at = 0;
    while (at < text.size()) {
        CsvRow row{.fields = {}, .line = line};
        bool endOfRow = false;
        while (!endOfRow) {
            std::string field;
            if (at < text.size() && text[at] == '"') {
                const std::int64_t opened = line;
                ++at;
                while (true) {
                    if (at >= text.size()) {
                        csv.unclosed_quote_line = opened;
                        return csv;
                    }
                    if (text[at] == '"') {
                        if (at + 1 < text.size() && text[at + 1] == '"') {
                            ++at;
                        } else {
                            ++at;
                            break;
                        }
                    }
                    line += text[at] == '\n';
                    field += text[at++];
                }
            }
            // What follows a closing quote is kept: better a strange caption than a lost row.
            while (at < text.size() && text[at] != delimiter && text[at] != '\n' && text[at] != '\r') field += text[at++];
            row.fields.push_back(std::move(field));
            if (at < text.size() && text[at] == delimiter) {
                ++at;
                continue;
            }
            if (at < text.size() && text[at] == '\r') ++at;
            if (at < text.size() && text[at] == '\n') ++at;
            ++line;
            endOfRow = true;
        }
        if (row.fields.size() > 1 || !row.fields[0].empty()) csv.rows.push_back(std::move(row));
    }
    return csv;
}

}  // namespace es::datasets
