// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/query/query_lexer.h"

#include <algorithm>

namespace es::analysis {
namespace {

constexpr std::string_view kBlanks = " \t\r\n", kSpecial = " \t\r\n,()<>=!~'\"";

}  // namespace

tl::expected<std::vector<QueryToken>, QueryProblem> queryTokens(std::string_view text) {
    std::vector<QueryToken> tokens;
    std::size_t at = 0;
    const auto push = [&](QueryToken::Kind kind, std::size_t length) {
        QueryToken token;
        token.kind = kind;
        token.text = std::string(text.substr(at, length));
        token.begin = at;
        token.end = at + length;
        tokens.push_back(std::move(token));
        at += length;
    };
    const auto compare = [&](QuerySign comparison, std::size_t length) {
        push(QueryToken::Kind::kCompare, length);
        tokens.back().comparison = comparison;
    };
    while (at < text.size()) {
        const char c = text[at];
        const bool equal_next = at + 1 < text.size() && text[at + 1] == '=';
        if (kBlanks.find(c) != std::string_view::npos) {
            ++at;
        } else if (c == ',') {
            push(QueryToken::Kind::kComma, 1);
        } else if (c == '(') {
            push(QueryToken::Kind::kOpen, 1);
        } else if (c == ')') {
            push(QueryToken::Kind::kClose, 1);
        } else if (c == '<') {
            compare(equal_next ? QuerySign::kLessEqual : QuerySign::kLess, equal_next ? 2 : 1);
        } else if (c == '>') {
            compare(equal_next ? QuerySign::kGreaterEqual : QuerySign::kGreater, equal_next ? 2 : 1);
        } else if (c == '=') {
            compare(QuerySign::kEqual, equal_next ? 2 : 1);
        } else if (c == '~') {
            compare(QuerySign::kContains, 1);
        } else if (c == '!') {
            if (!equal_next) return tl::unexpected(QueryProblem{at, at + 1, "'!' stands alone", "Use != for unequal, and 'not' before a condition"});
            compare(QuerySign::kNotEqual, 2);
        } else if (c == '\'' || c == '"') {
            const std::size_t close = text.find(c, at + 1);
            if (close == std::string_view::npos)
                return tl::unexpected(QueryProblem{at, text.size(), "this quote is never closed", "Close it with the same sign"});
            const std::size_t length = close + 1 - at;
            push(QueryToken::Kind::kQuoted, length);
            tokens.back().text = tokens.back().text.substr(1, length - 2);
        } else {
            push(QueryToken::Kind::kWord, std::min(text.find_first_of(kSpecial, at), text.size()) - at);
        }
    }
    QueryToken end;
    end.begin = end.end = text.size();
    tokens.push_back(end);
    return tokens;
}

bool isPlainWord(std::string_view text) {
    return !text.empty() && text.find_first_of(kSpecial) == std::string_view::npos && text != "and" && text != "or" && text != "not" && text != "in";
}

}  // namespace es::analysis
