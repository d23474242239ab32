// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/figures/query_arguments.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "analysis/figures/nearest.h"
#include "analysis/figures/train_panels.h"

namespace es::analysis {
namespace {

template <class T>
bool parsed(const std::string& text, T& value, int base = 10) {
    const char* end = text.data() + text.size();
    std::from_chars_result result{};
    if constexpr (std::is_floating_point_v<T>) result = std::from_chars(text.data(), end, value);
    else result = std::from_chars(text.data(), end, value, base);
    return result.ec == std::errc() && result.ptr == end;
}

}  // namespace

bool QueryArguments::given(const std::string& name) const {
    const auto found = query_.parameters.find(name);
    return found != query_.parameters.end() && !found->second.empty();
}

void QueryArguments::wrong(const std::string& name, const std::string& why, const std::string& remedy) {
    if (!problem_)
        problem_ =
            Error{ErrorKind::kBadInput, fmt::format("Cannot make the panel '{}'", query_.kind), fmt::format("its parameter '{}' {}", name, why), remedy, {}};
}

void QueryArguments::require(const std::string& name, const std::string& why) {
    if (!given(name)) wrong(name, "is missing", why);
}

std::string QueryArguments::text(const std::string& name, std::string otherwise) { return given(name) ? query_.parameters.at(name) : otherwise; }

std::int64_t QueryArguments::integer(const std::string& name, std::int64_t otherwise, std::int64_t least, std::int64_t most) {
    if (!given(name)) return otherwise;
    std::int64_t value = 0;
    const std::string text = query_.parameters.at(name);
    if (parsed(text, value) && value >= least && value <= most) return value;
    wrong(name, fmt::format("is '{}', not a whole number from {} to {}", text, least, most), "Correct it, or leave it out");
    return otherwise;
}

double QueryArguments::real(const std::string& name, double otherwise, double least, double most) {
    if (!given(name)) return otherwise;
    double value = 0;
    const std::string text = query_.parameters.at(name);
    if (parsed(text, value) && value >= least && value <= most) return value;
    wrong(name, fmt::format("is '{}', not a number from {} to {}", text, least, most), "Correct it, or leave it out");
    return otherwise;
}

std::size_t QueryArguments::choice(const std::string& name, const std::vector<std::string>& choices) {
    if (!given(name)) return 0;
    const std::string text = query_.parameters.at(name);
    const auto found = std::find(choices.begin(), choices.end(), text);
    if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
    wrong(name, fmt::format("is '{}'", text), knownNames(text, choices));
    return 0;
}

XAxis QueryArguments::axis(const std::string& name, XAxis otherwise) {
    static constexpr XAxis kAxes[] = {XAxis::kStep, XAxis::kSamples, XAxis::kTokens, XAxis::kTime, XAxis::kActiveFlops, XAxis::kTotalFlops, XAxis::kMemory};
    if (!given(name)) return otherwise;
    std::vector<std::string> names;
    for (const XAxis one : kAxes) names.emplace_back(toString(one));
    return kAxes[choice(name, names)];
}

std::vector<std::string> QueryArguments::list(const std::string& name, std::vector<std::string> otherwise) {
    if (!given(name)) return otherwise;
    std::vector<std::string> values;
    const std::string text = query_.parameters.at(name) + ",";
    std::size_t begin = 0;
    for (std::size_t end = text.find(','); end != std::string::npos; begin = end + 1, end = text.find(',', begin)) {
        std::string value = text.substr(begin, end - begin);
        value.erase(0, value.find_first_not_of(' '));
        value.erase(value.find_last_not_of(' ') + 1);
        if (!value.empty()) values.push_back(std::move(value));
    }
    return values.empty() ? otherwise : values;
}

std::optional<std::uint64_t> QueryArguments::hash(const std::string& name) {
    if (!given(name)) return std::nullopt;
    std::uint64_t value = 0;
    const std::string text = query_.parameters.at(name);
    if (parsed(text, value, 16) && text.size() <= 16) return value;
    wrong(name, fmt::format("is '{}', not a sample's 16 hexadecimal digits", text), "Copy it from the inspector or from 'expertscope analyze --json'");
    return std::nullopt;
}

Modality QueryArguments::modality(const std::string& name, Modality otherwise) {
    if (!given(name)) return otherwise;
    return choice(name, {"vision", "text"}) == 1 ? Modality::kText : Modality::kVision;
}

RouterId QueryArguments::router(const std::string& name, const store::RunReader& run, RouterId otherwise) {
    if (!given(name)) return otherwise;
    auto found = routerFromName(run, query_.parameters.at(name));
    if (found) return found->id;
    if (!problem_) problem_ = found.error();
    return otherwise;
}

}  // namespace es::analysis
