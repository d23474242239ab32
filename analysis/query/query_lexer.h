// SPDX-License-Identifier: GPL-3.0-or-later
// The words of a query.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/query/query.h"

namespace es::analysis {

struct QueryToken {
    enum class Kind : std::uint8_t { kWord, kQuoted, kCompare, kComma, kOpen, kClose, kEnd };
    Kind kind = Kind::kEnd;
    std::string text;
    QuerySign comparison = QuerySign::kEqual;  ///< of kCompare
    std::size_t begin = 0, end = 0;            ///< bytes of the query
};
/// The last one is kEnd. Problem: a quote that is never closed, a '!' that stands alone.
[[nodiscard]] tl::expected<std::vector<QueryToken>, QueryProblem> queryTokens(std::string_view text);
/// Whether a value can stand without quotes.
[[nodiscard]] bool isPlainWord(std::string_view text);

}  // namespace es::analysis
