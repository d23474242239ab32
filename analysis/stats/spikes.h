// SPDX-License-Identifier: GPL-3.0-or-later
// Spikes of losses and gradient norms, by the rule of OLMo's stability monitor.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace es::analysis {

/// Told one value after another. A value is a spike when it exceeds mean + sigmas·sd of the `window` values before it (population sd).
/// Only with a full window, and not when sd < 1e-10. Spikes enter the window as any value does; non-finite values do not and are no spikes.
class SpikeDetector {
public:
    explicit SpikeDetector(std::int64_t window = 128, double sigmas = 6);
    struct Reading {
        bool spike = false;
        bool judged = false;      ///< the window was full and not flat
        double mean = 0, sd = 0;  ///< of the window before; NaN when it was not full
    };
    Reading add(double value);

private:
    std::vector<double> ring_;
    std::int64_t window_, seen_ = 0;
    double sigmas_;
};

[[nodiscard]] std::vector<std::uint8_t> spikeFlags(std::span<const double> series, std::int64_t window = 128, double sigmas = 6);

}  // namespace es::analysis
