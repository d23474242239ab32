// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/figures/wording.h"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <cmath>
#include <filesystem>

namespace es::analysis {
namespace {
constexpr const char* kDash = "–";
}

std::string grouped(std::int64_t value) {
    const std::string digits = std::to_string(value < 0 ? -value : value);
    std::string result = value < 0 ? "-" : "";
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) result += ' ';
        result += digits[i];
    }
    return result;
}

std::string number(double value, int digits) {
    if (!std::isfinite(value)) return std::isnan(value) ? kDash : (value > 0 ? "inf" : "-inf");
    return fmt::format("{:.{}g}", value, digits);
}

std::string fixed(double value, int decimals) {
    if (!std::isfinite(value)) return number(value);
    std::string text = fmt::format("{:.{}f}", value, decimals);
    // Nothing is less than zero by less than it shows.
    if (text.front() == '-' && text.find_first_of("123456789") == std::string::npos) text.erase(0, 1);
    return text;
}

std::string signedFixed(double value, int decimals) {
    std::string text = fixed(value, decimals);
    return value > 0 && text.find_first_of("123456789") != std::string::npos ? "+" + text : text;
}

std::string abbreviated(double value, int digits) {
    if (!std::isfinite(value)) return number(value);
    static constexpr std::array<const char*, 7> kSuffix = {"", " k", " M", " G", " T", " P", " E"};
    double scaled = value;
    std::size_t step = 0;
    while (std::abs(scaled) >= 999.5 && step + 1 < kSuffix.size()) {
        scaled /= 1000;
        ++step;
    }
    if (step == 0 && scaled == std::floor(scaled)) return fmt::format("{:.0f}", scaled);
    if (std::abs(scaled) >= 999.5) return number(value, digits);
    if (std::abs(scaled) >= 100 && digits <= 3) return fmt::format("{:.0f}{}", scaled, kSuffix[step]);
    return fmt::format("{:.{}g}{}", scaled, digits, kSuffix[step]);
}

std::string percent(double share, int decimals) { return std::isfinite(share) ? fmt::format("{:.{}f} %", share * 100, decimals) : std::string(kDash); }

std::string branchLetter(Branch branch) {
    switch (branch) {
        case Branch::kVision: return "V";
        case Branch::kText: return "T";
        case Branch::kVisionLanguage: return "VL";
        case Branch::kAll: break;
    }
    return "all";
}

std::string routerWords(const store::RouterInfo& router) {
    return fmt::format("layer {} · {}router", router.layer.value, router.branch == Branch::kAll ? std::string() : branchLetter(router.branch) + "-");
}

std::string routerLabel(const store::RouterInfo& router) { return fmt::format("{} {}", branchLetter(router.branch), router.layer.value); }

std::string plural(std::int64_t n, const std::string& word) { return grouped(n) + " " + word + (n == 1 ? "" : "s"); }

std::string unreadProbe(std::int64_t step, const Error& error) {
    const std::string file = std::filesystem::path(error.path).filename().string();
    return fmt::format("the probe of step {} is left out: {}", grouped(step), file.empty() ? error.message() : file + " cannot be read; copy it again");
}

}  // namespace es::analysis
