// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/spike_monitor.h"

#include <cmath>
#include <cstdio>
#include <utility>

namespace es::engine {
namespace {

void remember(std::vector<double>& values, double value, std::int64_t window) {
    values.push_back(value);
    while (static_cast<std::int64_t>(values.size()) > window) values.erase(values.begin());
}

}  // namespace

std::string Spike::text(std::int64_t window) const {
    char out[160];
    std::snprintf(out, sizeof(out), "the %s %.4g is %.1f deviations above the mean %.4g of the last %lld steps", what.c_str(), value,
                  (value - mean) / deviation, mean, static_cast<long long>(window));
    return out;
}

SpikeMonitor::SpikeMonitor(double sigmas, std::int64_t window) : sigmas_(sigmas), window_(window) {}

std::optional<Spike> SpikeMonitor::compare(const char* what, double value, const std::vector<double>& before) const {
    if (static_cast<std::int64_t>(before.size()) < window_) return std::nullopt;
    const auto count = static_cast<double>(before.size());
    double mean = 0, square = 0;
    for (const double x : before) mean += x / count;
    for (const double x : before) square += (x - mean) * (x - mean) / count;
    const double deviation = std::sqrt(square);
    if (!(value > mean + sigmas_ * deviation)) return std::nullopt;
    return Spike{what, value, mean, deviation};
}

std::optional<Spike> SpikeMonitor::judge(double loss, double gradient_norm) {
    auto spike = compare("loss", loss, history_.losses);
    if (!spike) spike = compare("gradient norm", gradient_norm, history_.gradient_norms);
    remember(history_.losses, loss, window_);
    remember(history_.gradient_norms, gradient_norm, window_);
    return spike;
}

void SpikeMonitor::restore(History history) { history_ = std::move(history); }

}  // namespace es::engine
