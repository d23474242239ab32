// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/caption_files.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "datasets/caption_text.h"
#include "datasets/csv.h"

namespace es::datasets {
namespace {

using Json = nlohmann::json;

enum class Column { kFile, kCaption, kKeywords, kCategory, kSubcategory, kDomain, kLicense };

struct ColumnName {
    std::string_view name;
    Column column;
};
// Of several names for one column, the first that is there counts.
constexpr std::array kColumns{ColumnName{"file_name", Column::kFile},      ColumnName{"filename", Column::kFile},
                              ColumnName{"file", Column::kFile},           ColumnName{"image", Column::kFile},
                              ColumnName{"path", Column::kFile},           ColumnName{"caption", Column::kCaption},
                              ColumnName{"text", Column::kCaption},        ColumnName{"title", Column::kCaption},
                              ColumnName{"description", Column::kCaption}, ColumnName{"keywords", Column::kKeywords},
                              ColumnName{"category", Column::kCategory},   ColumnName{"label", Column::kCategory},
                              ColumnName{"class", Column::kCategory},      ColumnName{"subcategory", Column::kSubcategory},
                              ColumnName{"domain", Column::kDomain},       ColumnName{"license", Column::kLicense},
                              ColumnName{"licence", Column::kLicense}};

std::string normalisedName(std::string_view name) {
    std::string out;
    for (const char c : name)
        if (c != ' ' && c != '\t') out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

void setField(CaptionRow& row, Column column, std::string value) {
    const auto keepFirst = [&](std::string& field) {
        if (field.empty()) field = std::move(value);
    };
    switch (column) {
        case Column::kFile: return keepFirst(row.file);
        case Column::kCaption: row.captions.push_back(std::move(value)); return;
        case Column::kKeywords: return keepFirst(row.keywords);
        case Column::kCategory: return keepFirst(row.category);
        case Column::kSubcategory: return keepFirst(row.subcategory);
        case Column::kDomain: return keepFirst(row.domain);
        case Column::kLicense: return keepFirst(row.license);
    }
}

/// For each column of the file: what it means, if anything. One column for each meaning.
std::vector<std::optional<Column>> meaning(const std::vector<std::string>& header) {
    std::vector<std::optional<Column>> columns(header.size());
    std::vector<Column> taken;
    for (const auto& [name, column] : kColumns) {
        if (std::find(taken.begin(), taken.end(), column) != taken.end()) continue;
        for (std::size_t i = 0; i < header.size(); ++i)
            if (!columns[i] && normalisedName(header[i]) == name) {
                columns[i] = column;
                taken.push_back(column);
                break;
            }
    }
    return columns;
}

char delimiterOf(std::string_view text) {
    const std::string_view header = text.substr(0, text.find_first_of("\r\n"));
    const auto count = [&](char c) { return std::count(header.begin(), header.end(), c); };
    if (count(',') > 0) return ',';
    return count('\t') >= count(';') && count('\t') > 0 ? '\t' : count(';') > 0 ? ';' : ',';
}

bool isUtf16(std::string_view text) { return text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"); }

std::string textOf(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_null()) return {};
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

CaptionRow rowOf(const Json& object, std::string place) {
    CaptionRow row{.place = std::move(place)};
    std::vector<Column> taken;
    for (const auto& [name, column] : kColumns) {
        if (std::find(taken.begin(), taken.end(), column) != taken.end()) continue;
        for (const auto& [key, value] : object.items()) {
            if (normalisedName(key) != name) continue;
            taken.push_back(column);
            if (value.is_array() && column == Column::kCaption) {
                for (const auto& caption : value) row.captions.push_back(textOf(caption));
            } else if (value.is_array()) {
                std::string joined;
                for (const auto& part : value) joined.append(joined.empty() ? "" : ", ").append(textOf(part));
                setField(row, column, std::move(joined));
            } else {
                setField(row, column, textOf(value));
            }
            break;
        }
    }
    return row;
}

}  // namespace

CaptionRows readCsvCaptions(std::string_view text, const std::string& path) {
    CaptionRows out;
    if (isUtf16(text)) {
        out.problems.push_back({path, "it is UTF-16; save it as CSV UTF-8"});
        return out;
    }
    const Csv csv = parseCsv(text, delimiterOf(text));
    if (csv.unclosed_quote_line > 0)
        out.problems.push_back(
            {fmt::format("{}:{}", path, csv.unclosed_quote_line), "a quote that opens here never closes; the rows from here on were not read"});
    if (csv.rows.empty()) {
        out.problems.push_back({path, "it holds no rows"});
        return out;
    }
    const auto columns = meaning(csv.rows[0].fields);
    const auto has = [&](Column column) { return std::find(columns.begin(), columns.end(), column) != columns.end(); };
    if (!has(Column::kFile) && !has(Column::kCaption)) {
        out.problems.push_back({path, fmt::format("its first row names neither a column file_name nor caption; it names: {}",
                                                  repairUtf8(fmt::format("{}", fmt::join(csv.rows[0].fields, ", "))))});
        return out;
    }
    for (std::size_t r = 1; r < csv.rows.size(); ++r) {
        const CsvRow& row = csv.rows[r];
        CaptionRow caption{.place = fmt::format("{}:{}", path, row.line)};
        if (row.fields.size() != columns.size()) {
            out.problems.push_back({caption.place, fmt::format("it has {} fields instead of {}; is a comma not in quotes? The row was left out",
                                                               row.fields.size(), columns.size())});
            continue;
        }
        for (std::size_t i = 0; i < columns.size(); ++i)
            if (columns[i]) setField(caption, *columns[i], row.fields[i]);
        out.rows.push_back(std::move(caption));
    }
    return out;
}

CaptionRows readJsonCaptions(std::string_view text, const std::string& path) {
    CaptionRows out;
    if (isUtf16(text)) {
        out.problems.push_back({path, "it is UTF-16; save it as UTF-8"});
        return out;
    }
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    for (std::int64_t line = 1; !text.empty(); ++line) {
        const auto newline = text.find('\n');
        std::string row(text.substr(0, newline));
        text = newline == std::string_view::npos ? std::string_view{} : text.substr(newline + 1);
        if (row.find_first_not_of(" \t\r") == std::string::npos) continue;
        const std::string place = fmt::format("{}:{}", path, line);
        if (!isValidUtf8(row)) {
            out.problems.push_back({place, "it is not valid UTF-8; the wrong bytes were replaced"});
            row = repairUtf8(row);
        }
        const Json object = Json::parse(row, nullptr, false);
        if (!object.is_object()) {
            out.problems.push_back({place, "it is not a JSON object; the line was left out"});
            continue;
        }
        CaptionRow caption = rowOf(object, place);
        if (caption.file.empty() && caption.captions.empty()) {
            out.problems.push_back({place, "it has neither file_name nor caption; the line was left out"});
            continue;
        }
        out.rows.push_back(std::move(caption));
    }
    return out;
}

}  // namespace es::datasets
