// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/stats/spikes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/stats/moments.h"

namespace es::analysis {

SpikeDetector::SpikeDetector(std::int64_t window, double sigmas) : window_(std::max<std::int64_t>(window, 1)), sigmas_(sigmas) {}

SpikeDetector::Reading SpikeDetector::add(double value) {
    constexpr double kFlat = 1e-10;
    Reading reading;
    reading.mean = reading.sd = std::numeric_limits<double>::quiet_NaN();
    if (seen_ >= window_) {
        const Moments m = moments(ring_);
        reading.mean = m.mean;
        reading.sd = m.sdPopulation();
        reading.judged = reading.sd >= kFlat;
    }
    if (!std::isfinite(value)) return reading;
    reading.spike = reading.judged && value > reading.mean + sigmas_ * reading.sd;
    if (seen_ < window_) ring_.push_back(value);
    else ring_[static_cast<std::size_t>(seen_ % window_)] = value;
    ++seen_;
    return reading;
}

std::vector<std::uint8_t> spikeFlags(std::span<const double> series, std::int64_t window, double sigmas) {
    SpikeDetector detector(window, sigmas);
    std::vector<std::uint8_t> flags;
    flags.reserve(series.size());
    for (const double value : series) flags.push_back(detector.add(value).spike);
    return flags;
}

}  // namespace es::analysis
