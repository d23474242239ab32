// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "analysis/figures/nearest.h"
#include "analysis/query/query.h"
#include "analysis/query/query_lexer.h"
#include "engine/base/strong_ids.h"

namespace es::analysis {
namespace {

constexpr int kDeepest = 100;  ///< nested parentheses and nots

std::vector<std::string> fieldNames() {
    std::vector<std::string> names;
    for (const QueryFieldInfo& info : queryFields()) names.push_back(info.name);
    return names;
}

const QueryFieldInfo* fieldNamed(std::string_view name) {
    if (name == "router") name = "layer";
    if (name == "licence") name = "license";
    for (const QueryFieldInfo& info : queryFields())
        if (info.name == name) return &info;
    return nullptr;
}

bool isJoin(const QueryToken& token) {
    return token.kind == QueryToken::Kind::kComma || (token.kind == QueryToken::Kind::kWord && (token.text == "and" || token.text == "or"));
}

/// Descends once over the tokens; the first problem ends it.
class Parser {
public:
    explicit Parser(std::vector<QueryToken> tokens) : tokens_(std::move(tokens)) {}

    tl::expected<QueryNode, QueryProblem> parse() {
        if (now().kind == QueryToken::Kind::kEnd) return QueryNode{};
        QueryNode root = list(0);
        if (!problem_ && now().kind == QueryToken::Kind::kClose) fail(now(), "this parenthesis was never opened", "Remove it, or open one before");
        if (!problem_ && now().kind != QueryToken::Kind::kEnd) failJoin();
        if (problem_) return tl::unexpected(*problem_);
        return root;
    }

private:
    const QueryToken& now() const { return tokens_[at_]; }
    QueryToken take() {
        QueryToken token = tokens_[at_];
        if (token.kind != QueryToken::Kind::kEnd) ++at_;
        return token;
    }
    bool isWord(std::string_view word) const { return now().kind == QueryToken::Kind::kWord && now().text == word; }
    void fail(const QueryToken& token, std::string why, std::string remedy) {
        if (!problem_) problem_ = QueryProblem{token.begin, token.end, std::move(why), std::move(remedy)};
    }
    void failJoin() {
        std::string remedy = "Put 'and', 'or' or ',' between two conditions";
        const std::string near = now().kind == QueryToken::Kind::kWord ? nearest(now().text, std::vector<std::string>{"and", "or"}) : std::string();
        if (!near.empty()) remedy = fmt::format("Did you mean '{}'? ", near) + remedy;
        fail(now(), "a condition ends before this and nothing joins them", remedy + "; a value with blanks stands in quotes");
    }

    static QueryNode joined(QueryNode::Kind kind, std::vector<QueryNode> parts) {
        if (parts.size() == 1) return std::move(parts.front());
        QueryNode node;
        node.kind = kind;
        node.children = std::move(parts);
        return node;
    }

    QueryNode list(int depth) {
        std::vector<QueryNode> parts{either(depth)};
        while (!problem_ && now().kind == QueryToken::Kind::kComma) {
            take();
            parts.push_back(either(depth));
        }
        return joined(QueryNode::Kind::kAnd, std::move(parts));
    }
    QueryNode either(int depth) {
        std::vector<QueryNode> parts{both(depth)};
        while (!problem_ && isWord("or")) {
            take();
            parts.push_back(both(depth));
        }
        return joined(QueryNode::Kind::kOr, std::move(parts));
    }
    QueryNode both(int depth) {
        std::vector<QueryNode> parts{factor(depth)};
        while (!problem_ && isWord("and")) {
            take();
            parts.push_back(factor(depth));
        }
        return joined(QueryNode::Kind::kAnd, std::move(parts));
    }
    QueryNode factor(int depth) {
        if (depth > kDeepest) {
            fail(now(), "it is nested too deeply", "Ask in fewer steps");
            return {};
        }
        if (isWord("not")) {
            take();
            QueryNode node;
            node.kind = QueryNode::Kind::kNot;
            node.children.push_back(factor(depth + 1));
            return node;
        }
        if (now().kind == QueryToken::Kind::kOpen) {
            const QueryToken open = take();
            QueryNode node = list(depth + 1);
            if (!problem_ && now().kind == QueryToken::Kind::kEnd) fail(open, "this parenthesis is never closed", "Close it with )");
            else if (!problem_ && now().kind != QueryToken::Kind::kClose) failJoin();
            else take();
            return node;
        }
        return condition();
    }

    QueryNode condition() {
        QueryNode node;
        node.kind = QueryNode::Kind::kCondition;
        const QueryToken name = now();
        if (name.kind == QueryToken::Kind::kEnd || name.kind == QueryToken::Kind::kClose || isJoin(name)) {
            fail(name, "a condition is missing here", "Write one, as 'expert 5' or 'category animals'");
            return node;
        }
        const QueryFieldInfo* info = name.kind == QueryToken::Kind::kWord ? fieldNamed(name.text) : nullptr;
        if (!info) {
            fail(name, fmt::format("'{}' is no condition", name.text), knownNames(name.text, fieldNames()));
            return node;
        }
        take();
        Condition& made = node.condition;
        made.field = info->field;
        made.begin = name.begin;
        switch (info->form) {
            case QueryForm::kFlag: made.value_begin = name.begin, made.value_end = name.end; break;
            case QueryForm::kNumber: comparedNumber(*info, made); break;
            case QueryForm::kExpert: expert(*info, made); break;
            case QueryForm::kRouter: router(*info, made); break;
            case QueryForm::kChoice:
                comparedText(*info, made);
                choice(*info, made);
                break;
            case QueryForm::kText: comparedText(*info, made); break;
            case QueryForm::kTruth: truth(*info, made); break;
            case QueryForm::kLossForm:
                if (now().kind == QueryToken::Kind::kWord && !isJoin(now())) objective(made);
                if (!problem_) comparedNumber(*info, made);
                break;
        }
        if (!problem_ && isWord("in")) inRouter(*info, made);
        made.end = at_ > 0 ? tokens_[at_ - 1].end : made.begin;
        return node;
    }

    static std::string wanted(const QueryFieldInfo& info) { return fmt::format("Write it as '{}'", info.example); }

    std::optional<double> number(const QueryFieldInfo& info) {
        const QueryToken value = now();
        double parsed = 0;
        const char* end = value.text.data() + value.text.size();
        const auto [rest, error] = std::from_chars(value.text.data(), end, parsed);
        if (value.kind != QueryToken::Kind::kWord || error != std::errc() || rest != end || !std::isfinite(parsed)) {
            fail(value,
                 value.kind == QueryToken::Kind::kEnd ? fmt::format("'{}' needs a number", info.name)
                                                      : fmt::format("'{}' needs a number, not '{}'", info.name, value.text),
                 wanted(info));
            return {};
        }
        take();
        return parsed;
    }

    void comparedNumber(const QueryFieldInfo& info, Condition& made) {
        if (now().kind != QueryToken::Kind::kCompare || now().comparison == QuerySign::kContains) {
            fail(now(), fmt::format("'{}' is compared with a number", info.name), fmt::format("Use <, <=, >, >=, = or !=, as in '{}'", info.example));
            return;
        }
        made.comparison = take().comparison;
        made.value_begin = now().begin, made.value_end = now().end;
        if (const auto value = number(info)) made.number = *value;
    }

    void expert(const QueryFieldInfo& info, Condition& made) {
        if (now().kind == QueryToken::Kind::kCompare && now().comparison == QuerySign::kEqual) take();
        const QueryToken value = now();
        made.value_begin = value.begin, made.value_end = value.end;
        const auto parsed = number(info);
        if (!parsed) return;
        if (*parsed < 0 || *parsed > 65535 || *parsed != std::floor(*parsed))
            fail(value, fmt::format("'{}' is no number of an expert", value.text), "Experts count from 0");
        made.number = *parsed;
    }

    /// "6" or "6.v".
    bool routerName(const QueryToken& value, std::int32_t& layer, std::string& branch) {
        const std::size_t dot = std::min(value.text.find('.'), value.text.size());
        const auto [rest, error] = std::from_chars(value.text.data(), value.text.data() + dot, layer);
        bool right = value.kind == QueryToken::Kind::kWord && error == std::errc() && rest == value.text.data() + dot && layer >= 0;
        if (dot < value.text.size()) {
            branch = value.text.substr(dot + 1);
            right = right && branchFromString(branch).has_value();
        }
        if (right) return true;
        fail(value, value.kind == QueryToken::Kind::kEnd ? std::string("a layer or router is missing") : fmt::format("'{}' is no layer or router", value.text),
             "Write a layer as '6' and one of its routers as '6.v', '6.t', '6.vl' or '6.all'");
        return false;
    }
    void router(const QueryFieldInfo&, Condition& made) {
        if (now().kind == QueryToken::Kind::kCompare && now().comparison == QuerySign::kEqual) take();
        const QueryToken value = now();
        made.value_begin = value.begin, made.value_end = value.end;
        std::int32_t layer = -1;
        if (!routerName(value, layer, made.text)) return;
        made.number = layer;
        take();
    }
    void inRouter(const QueryFieldInfo& info, Condition& made) {
        const QueryToken in = take();
        if (made.field == QueryField::kLayer || made.field >= QueryField::kMasked) {
            fail(in, fmt::format("'{}' is the same for all routers", info.name),
                 "Leave 'in …' out; it names the router of expert, first, weight, margin, entropy or dropped");
            return;
        }
        if (routerName(now(), made.in_layer, made.in_branch)) take();
    }

    void comparedText(const QueryFieldInfo& info, Condition& made) {
        if (now().kind == QueryToken::Kind::kCompare) {
            if (now().comparison != QuerySign::kEqual && now().comparison != QuerySign::kNotEqual && now().comparison != QuerySign::kContains) {
                fail(now(), fmt::format("'{}' is a text: it has no order", info.name), "Use =, != or ~ (contains)");
                return;
            }
            made.comparison = take().comparison;
        }
        const QueryToken value = now();
        made.value_begin = value.begin, made.value_end = value.end;
        if ((value.kind != QueryToken::Kind::kWord && value.kind != QueryToken::Kind::kQuoted) || (value.kind == QueryToken::Kind::kWord && isJoin(value))) {
            fail(value, fmt::format("'{}' needs a value", info.name), wanted(info));
            return;
        }
        if (value.text.empty()) {
            fail(value, fmt::format("'{}' cannot be empty", info.name), wanted(info));
            return;
        }
        made.text = take().text;
    }

    void choice(const QueryFieldInfo& info, Condition& made) {
        if (problem_) return;
        if (made.comparison == QuerySign::kContains) {
            fail(tokens_[at_ - 1], fmt::format("'{}' is one of a few words", info.name), "Use = or !=");
            return;
        }
        if (info.field == QueryField::kModality && (made.text == "vision" || made.text == "text")) made.text = made.text == "vision" ? "patch" : "word";
        const std::vector<std::string> known = QueryVocabulary{}.of(info.field);
        if (std::find(known.begin(), known.end(), made.text) == known.end())
            fail(tokens_[at_ - 1], fmt::format("there is no {} '{}'", info.name, made.text), knownNames(made.text, known));
    }

    void objective(Condition& made) {
        const QueryToken value = take();
        if (!objectiveFromString(value.text))
            fail(value, fmt::format("there is no objective '{}'", value.text), knownNames(value.text, QueryVocabulary{}.of(QueryField::kObjective)));
        made.detail = value.text;
    }

    void truth(const QueryFieldInfo& info, Condition& made) {
        const QueryToken attribute = now();
        std::string name = attribute.text == "color" ? "colour" : attribute.text;
        const auto has = [&](const std::vector<std::string>& names) { return std::find(names.begin(), names.end(), name) != names.end(); };
        if (attribute.kind != QueryToken::Kind::kWord || (!has(truthAttributes()) && !has(truthFlags()))) {
            std::vector<std::string> all = truthAttributes();
            all.insert(all.end(), truthFlags().begin(), truthFlags().end());
            const bool missing = attribute.kind != QueryToken::Kind::kWord || isJoin(attribute);
            fail(attribute, missing ? std::string("'truth' needs an attribute") : fmt::format("scenes have no '{}'", name),
                 knownNames(missing ? "" : name, all));
            return;
        }
        made.detail = name;
        made.value_begin = attribute.begin, made.value_end = attribute.end;
        take();
        if (has(truthAttributes())) comparedText(info, made);
    }

    std::vector<QueryToken> tokens_;
    std::size_t at_ = 0;
    std::optional<QueryProblem> problem_;
};

}  // namespace

tl::expected<Query, QueryProblem> parseQuery(std::string_view text) {
    auto tokens = queryTokens(text);
    if (!tokens) return tl::unexpected(tokens.error());
    auto root = Parser(std::move(*tokens)).parse();
    if (!root) return tl::unexpected(root.error());
    return Query{std::string(text), std::move(*root)};
}

bool looksLikeQuery(std::string_view text) {
    const auto tokens = queryTokens(text);
    if (!tokens)
        return !text.empty() && text.find_first_not_of(' ') != std::string_view::npos &&
               fieldNamed(text.substr(0, text.find_first_of(" <>=!~'\"(),"))) != nullptr;
    const QueryToken& first = tokens->front();
    if (first.kind == QueryToken::Kind::kOpen) return true;
    if (first.kind != QueryToken::Kind::kWord) return false;
    return first.text == "not" || fieldNamed(first.text) != nullptr;
}

QueryCompletion completeQuery(std::string_view text, const QueryVocabulary& vocabulary) {
    constexpr std::size_t kMost = 40;
    QueryCompletion completion;
    completion.begin = text.size();
    auto tokens = queryTokens(text);
    // An open quote is still being written: what stands in it is the start of a value.
    if (!tokens) tokens = queryTokens(std::string(text) + text[tokens.error().begin]);
    if (!tokens) return completion;
    tokens->pop_back();
    std::string prefix;
    const bool open = !tokens->empty() && tokens->back().end >= text.size() &&
                      (tokens->back().kind == QueryToken::Kind::kWord || tokens->back().kind == QueryToken::Kind::kQuoted);
    if (open) {
        prefix = tokens->back().text;
        completion.begin = tokens->back().begin;
        tokens->pop_back();
    }
    const auto offer = [&](const std::string& candidate, bool quote) {
        if (completion.candidates.size() >= kMost || candidate.size() < prefix.size() ||
            !std::equal(prefix.begin(), prefix.end(), candidate.begin(),
                        [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b)); }))
            return;
        completion.candidates.push_back(quote && !isPlainWord(candidate) ? "'" + candidate + "'" : candidate);
    };
    // The nearest field before the cursor decides, unless a condition is already complete.
    std::optional<QueryFieldInfo> field;
    std::string detail;
    std::size_t after = 0;
    bool in = false;
    for (const QueryToken& token : *tokens) {
        const QueryFieldInfo* named = token.kind == QueryToken::Kind::kWord ? fieldNamed(token.text) : nullptr;
        in = token.kind == QueryToken::Kind::kWord && token.text == "in";
        if (isJoin(token) || token.kind == QueryToken::Kind::kOpen || (token.kind == QueryToken::Kind::kWord && token.text == "not")) field.reset(), after = 0;
        else if (!field && named) field = *named, after = 0, detail.clear();
        else if (token.kind != QueryToken::Kind::kCompare) {
            ++after;
            detail = token.text;
        }
    }
    if (in) {
        for (const std::string& router : vocabulary.routers) offer(router, false);
    } else if (!field) {
        for (const QueryFieldInfo& info : queryFields()) offer(info.name, false);
        offer("not", false);
    } else if (field->form == QueryForm::kTruth && after == 0) {
        for (const std::string& name : truthAttributes()) offer(name, false);
        for (const std::string& name : truthFlags()) offer(name, false);
    } else if (field->form == QueryForm::kTruth && after == 1) {
        for (const std::string& value : vocabulary.of(QueryField::kTruth, detail)) offer(value, true);
    } else if (field->form == QueryForm::kLossForm && after == 0) {
        for (const std::string& value : vocabulary.of(QueryField::kObjective)) offer(value, false);
    } else if (field->form != QueryForm::kTruth && after == 0 && field->form != QueryForm::kFlag) {
        for (const std::string& value : vocabulary.of(field->field)) offer(value, true);
    } else {
        for (const char* word : {"and", "or", "in"}) offer(word, false);
    }
    return completion;
}

}  // namespace es::analysis
