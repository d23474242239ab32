// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <vector>

namespace es::analysis {

/// Exponential moving average without the pull towards zero at the start: m_i = w m_(i-1) + (1 - w) x_i, shown as m_i / (1 - w^i)
/// (as Adam's bias correction, Kingma and Ba 2015). weight 0 .. 0.999 (clamped); 0 returns the values. Non-finite values give NaN there and
/// leave the mean alone.
[[nodiscard]] std::vector<double> smoothed(std::span<const double> values, double weight);

}  // namespace es::analysis
