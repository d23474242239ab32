// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/session/intervention.h"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <charconv>

namespace es::session {
namespace {

constexpr std::array<std::string_view, kInterventionKinds> kKindNames{"random", "swap", "ban", "drop-best", "force", "k", "silence"};

/// More would be a slip of the hand, and memory for nothing.
constexpr std::int32_t kLargestPosition = 1'000'000;

bool takesExperts(InterventionKind kind) {
    return kind == InterventionKind::kBan || kind == InterventionKind::kForce || kind == InterventionKind::kSilence || kind == InterventionKind::kSwap;
}

std::string exampleOf(InterventionKind kind) {
    switch (kind) {
        case InterventionKind::kSwap: return "1.v:2,5";
        case InterventionKind::kRandomRouter: return "1.v or 1.v:3";
        case InterventionKind::kOtherK: return "1.v:2";
        case InterventionKind::kDropBest: return "all:1";
        default: return "1.v:3 or 1.v:3,5@patch 7-12";
    }
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

std::optional<std::int32_t> wholeNumber(std::string_view text) {
    std::int32_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{} || end != text.data() + text.size() || value < 0 || value > kLargestPosition) return std::nullopt;
    return value;
}

/// Splits at the first `mark`; the second part is empty without one.
struct Parts {
    std::string_view before, after;
    bool split = false;
};
Parts splitAt(std::string_view text, char mark) {
    const auto at = text.find(mark);
    if (at == std::string_view::npos) return {trimmed(text), {}, false};
    return {trimmed(text.substr(0, at)), trimmed(text.substr(at + 1)), true};
}

/// Why the place is none; empty when it was read.
std::string readPlace(std::string_view text, Intervention& made) {
    const Parts parts = splitAt(text, '.');
    if (parts.before != "all") {
        const auto layer = wholeNumber(parts.before);
        if (!layer) return fmt::format("'{}' is no layer", parts.before);
        made.layer = LayerIndex(*layer);
    }
    if (!parts.split) return {};
    made.branch = branchFromString(parts.after);
    return made.branch ? "" : fmt::format("'{}' is no branch", parts.after);
}

std::string readTokens(std::string_view text, TokenSet& tokens) {
    const auto end = text.find_first_of(" 0123456789");
    const std::string_view word = trimmed(text.substr(0, end)), list = end == std::string_view::npos ? "" : trimmed(text.substr(end));
    if (word == "patch" || word == "patches") tokens.modality = Modality::kVision;
    else if (word == "word" || word == "words") tokens.modality = Modality::kText;
    else return fmt::format("'{}' is neither patch nor word", word);
    if (list.empty()) return {};
    auto positions = parseNumbers(list, "");
    if (!positions) return positions.error().why;
    tokens.positions = std::move(*positions);
    return {};
}

std::string readArgument(std::string_view text, bool given, Intervention& made) {
    if (takesExperts(made.kind)) {
        auto experts = parseNumbers(text, "");
        if (!experts) return given ? experts.error().why : "no expert is named";
        if (made.kind == InterventionKind::kSwap && experts->size() != 2) return fmt::format("{} experts are named, a swap takes two", experts->size());
        made.experts = std::move(*experts);
        return {};
    }
    if (!given && made.kind == InterventionKind::kRandomRouter) return {};
    const auto number = wholeNumber(text);
    if (!number) return given ? fmt::format("'{}' is no whole number", text) : "the number is missing";
    made.number = *number;
    return {};
}

template <class T>
std::string joined(const std::vector<T>& values) {
    return fmt::format("{}", fmt::join(values, ","));
}

}  // namespace

std::string_view toString(InterventionKind kind) { return kKindNames.at(static_cast<std::size_t>(kind)); }

std::optional<InterventionKind> interventionKindFromString(std::string_view text) {
    for (std::size_t i = 0; i < kKindNames.size(); ++i)
        if (kKindNames[i] == text) return static_cast<InterventionKind>(i);
    return std::nullopt;
}

Result<std::vector<std::int32_t>> parseNumbers(std::string_view text, const std::string& what) {
    std::vector<std::int32_t> numbers;
    const auto fails = [&](std::string why) { return wrongCall(what, std::move(why), "Write whole numbers and ranges, for example 0,2-5"); };
    for (std::string_view rest = text;;) {
        const Parts item = splitAt(rest, ',');
        const Parts range = splitAt(item.before, '-');
        const auto first = wholeNumber(range.before), last = range.split ? wholeNumber(range.after) : first;
        if (!first || !last) return fails(fmt::format("'{}' is neither a whole number nor a range", item.before));
        if (*last < *first) return fails(fmt::format("the range {} runs backwards", item.before));
        for (std::int32_t value = *first; value <= *last; ++value) numbers.push_back(value);
        if (!item.split) return numbers;
        rest = item.after;
    }
}

Result<Intervention> parseIntervention(InterventionKind kind, std::string_view text) {
    Intervention made;
    made.kind = kind;
    const Parts tokens = splitAt(text, '@');
    const Parts argument = splitAt(tokens.before, ':');
    std::string why = readPlace(argument.before, made);
    if (why.empty()) why = readArgument(argument.after, argument.split, made);
    if (why.empty() && tokens.split) why = readTokens(tokens.after, made.tokens);
    if (why.empty()) return made;
    return wrongCall(fmt::format("Cannot read --{} {}", toString(kind), text), std::move(why),
                     fmt::format("Write LAYER.BRANCH:ARGUMENT@TOKENS, for example --{} {}", toString(kind), exampleOf(kind)));
}

std::string toText(const Intervention& intervention) {
    std::string text = intervention.layer.valid() ? std::to_string(intervention.layer.value) : "all";
    if (intervention.branch) text += fmt::format(".{}", toString(*intervention.branch));
    if (takesExperts(intervention.kind)) text += ":" + joined(intervention.experts);
    else text += ":" + std::to_string(intervention.number);
    if (intervention.tokens.all()) return text;
    text += intervention.tokens.modality == Modality::kVision ? "@patch" : "@word";
    if (!intervention.tokens.positions.empty()) text += " " + joined(intervention.tokens.positions);
    return text;
}

}  // namespace es::session
