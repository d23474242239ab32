// SPDX-License-Identifier: GPL-3.0-or-later
// Steps whose loss or gradient norm leaves what was usual: their updates are skipped (as OLMo-core's skip-step optimizer does).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace es::engine {

/// What stood out in a step.
struct Spike {
    std::string what;  ///< "loss" or "gradient norm"
    double value = 0, mean = 0, deviation = 0;
    /// "the gradient norm 31.2 is 8.4 deviations above the mean 2.1 of the last 128 steps"
    [[nodiscard]] std::string text(std::int64_t window) const;
};

/// A value is a spike when it exceeds the mean of the `window` values before it by more than `sigmas` of their deviations (population).
/// Before there are so many values nothing is a spike. Spikes enter the window too: a level that stays is soon usual.
class SpikeMonitor {
public:
    SpikeMonitor(double sigmas, std::int64_t window);
    /// Judges the values of a step, both finite, and remembers them. The loss comes first where both stand out.
    [[nodiscard]] std::optional<Spike> judge(double loss, double gradient_norm);
    [[nodiscard]] std::int64_t window() const { return window_; }

    /// The last values, oldest first, at most as many as the window.
    struct History {
        std::vector<double> losses, gradient_norms;
    };
    [[nodiscard]] const History& history() const { return history_; }
    void restore(History history);

private:
    [[nodiscard]] std::optional<Spike> compare(const char* what, double value, const std::vector<double>& before) const;

    double sigmas_;
    std::int64_t window_;
    History history_;
};

}  // namespace es::engine
