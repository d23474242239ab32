// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/experts/label_shares.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

#include "analysis/figures/wording.h"
#include "analysis/stats/clustered.h"

namespace es::analysis {
namespace {

constexpr double kNoShare = std::numeric_limits<double>::quiet_NaN();

/// Sums of one label in one sample.
struct LabelCell {
    std::int32_t sample = 0, label = 0;
    double taken = 0, total = 0;
};

/// Sums of one sample over all labels.
struct LabelSums {
    double taken = 0, total = 0;
};

double npmiOf(double joint, double label, double expert) {
    if (!(joint > 0)) return -1;
    return joint >= 1 ? 1 : std::log(joint / (label * expert)) / -std::log(joint);
}

/// Sums over samples that every label's variance of nPMI needs.
class NpmiSums {
public:
    NpmiSums(const std::vector<LabelSums>& samples, double taken, double total) : samples_(samples), taken_(taken), total_(total) {
        for (const LabelSums& one : samples_) {
            if (!(one.total > 0)) continue;
            ++count_;
            takers_ += one.taken > 0;
            taken_squares_ += one.taken * one.taken;
            total_squares_ += one.total * one.total;
            cross_ += one.taken * one.total;
        }
    }
    [[nodiscard]] std::int64_t samples() const { return count_; }
    [[nodiscard]] std::int64_t takerSamples() const { return takers_; }

    /// Variance of nPMI = -1 + [ln total_l + ln taken - 2 ln total] / [ln taken_l - ln total] over samples; `cells` are all of one label. The squares of
    /// samples without the label come from sums of products, so that labels cost what they occur.
    [[nodiscard]] double npmiVariance(std::span<const LabelCell> cells, double taken_l, double total_l) const {
        const double numerator = std::log(total_l) + std::log(taken_) - 2 * std::log(total_), denominator = std::log(taken_l) - std::log(total_);
        if (count_ < 2 || !(denominator < 0)) return 0;
        const double d_x = -numerator / (denominator * denominator * taken_l), d_y = 1 / (total_l * denominator), d_z = 1 / (taken_ * denominator),
                     d_w = -2 / (total_ * denominator) + numerator / (denominator * denominator * total_);
        double sum = d_z * d_z * taken_squares_ + d_w * d_w * total_squares_ + 2 * d_z * d_w * cross_;
        for (const LabelCell& cell : cells) {
            const LabelSums& sample = samples_[static_cast<std::size_t>(cell.sample)];
            const double rest = d_z * sample.taken + d_w * sample.total, more = d_x * cell.taken + d_y * cell.total;
            sum += more * more + 2 * more * rest;
        }
        return std::max(0.0, sum) * static_cast<double>(count_) / static_cast<double>(count_ - 1);
    }

private:
    const std::vector<LabelSums>& samples_;
    double taken_, total_;
    double taken_squares_ = 0, total_squares_ = 0, cross_ = 0;
    std::int64_t count_ = 0, takers_ = 0;
};

double quantileOfT(double confidence, std::int64_t samples) {
    const boost::math::students_t distribution(static_cast<double>(samples - 1));
    return boost::math::quantile(boost::math::complement(distribution, (1 - confidence) / 2));
}

}  // namespace

LabelShares labelShares(const ExpertTokens& tokens, std::span<const std::int32_t> label_T, std::span<const std::string> names, const LabelShareOptions& options,
                        const SampleFamilies& families) {
    LabelShares result;
    result.confidence = options.confidence;
    const std::vector<std::int32_t> unit_S = families.numbers(tokens.samples);
    std::vector<LabelCell> cells;
    std::vector<LabelSums> samples(tokens.samples.size());
    std::vector<LabelShare> rows(names.size());
    double taken = 0, total = 0;
    for (std::size_t row = 0; row < std::min(label_T.size(), tokens.total_T.size()); ++row) {
        const std::int32_t label = label_T[row];
        if (label < 0 || static_cast<std::size_t>(label) >= names.size() || !(tokens.total_T[row] > 0)) continue;
        const double a = tokens.taken_T[row], all = tokens.total_T[row];
        const std::int32_t unit = unit_S[static_cast<std::size_t>(tokens.sample_T[row])];
        // Tokens of one sample come together: the last cell is nearly always the right one.
        if (cells.empty() || cells.back().label != label || cells.back().sample != unit) cells.push_back({unit, label, 0, 0});
        cells.back().taken += a;
        cells.back().total += all;
        LabelSums& sample = samples[static_cast<std::size_t>(unit)];
        sample.taken += a;
        sample.total += all;
        taken += a;
        total += all;
        LabelShare& share = rows[static_cast<std::size_t>(label)];
        ++share.tokens;
        share.takers += a > 0;
        ++result.tokens;
        result.takers += a > 0;
    }
    std::sort(cells.begin(), cells.end(), [](const LabelCell& a, const LabelCell& b) { return a.label != b.label ? a.label < b.label : a.sample < b.sample; });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (kept > 0 && cells[kept - 1].label == cells[i].label && cells[kept - 1].sample == cells[i].sample) {
            cells[kept - 1].taken += cells[i].taken;
            cells[kept - 1].total += cells[i].total;
        } else {
            cells[kept++] = cells[i];
        }
    }
    cells.resize(kept);
    const NpmiSums measure(samples, taken, total);
    result.samples = measure.samples();
    result.taker_samples = measure.takerSamples();
    result.expert_share = total > 0 ? taken / total : 0;
    for (const LabelCell& cell : cells) {
        LabelShare& row = rows[static_cast<std::size_t>(cell.label)];
        ++row.samples;
        row.taker_samples += cell.taken > 0;
    }
    for (const LabelShare& row : rows) result.comparisons += row.tokens > 0 && row.samples >= options.min_samples;
    if (result.taker_samples < kLeastGroups) result.comparisons = 0;
    const bool corrected = options.correct && result.comparisons > 1;
    result.confidence_each = corrected ? 1 - (1 - options.confidence) / static_cast<double>(result.comparisons) : options.confidence;
    result.correction = corrected ? fmt::format("Bonferroni over {}", plural(result.comparisons, "label")) : "none";
    std::vector<double> expert_S(samples.size()), label_S(samples.size(), 0);
    for (std::size_t i = 0; i < samples.size(); ++i) expert_S[i] = samples[i].taken;
    std::size_t begin = 0;
    for (std::size_t l = 0; l < rows.size(); ++l) {
        LabelShare& row = rows[l];
        std::size_t end = begin;
        double taken_l = 0, total_l = 0;
        for (; end < cells.size() && static_cast<std::size_t>(cells[end].label) == l; ++end) {
            taken_l += cells[end].taken;
            total_l += cells[end].total;
        }
        const std::span<const LabelCell> own(cells.data() + begin, end - begin);
        begin = end;
        if (row.tokens == 0) continue;
        row.label = names[l];
        row.base = total_l / total;
        row.expert_share = total_l > 0 ? taken_l / total_l : 0;
        row.share = taken > 0 ? taken_l / taken : kNoShare;
        row.pmi_nats = taken > 0 ? std::log(row.share / row.base) : kNoShare;
        row.npmi = taken > 0 ? npmiOf(taken_l / total, row.base, result.expert_share) : kNoShare;
        row.share_low = row.share_high = row.npmi_low = row.npmi_high = kNoShare;
        if (result.comparisons > 0 && row.samples >= options.min_samples) {
            for (const LabelCell& cell : own) label_S[static_cast<std::size_t>(cell.sample)] = cell.taken;
            const Interval share = clusteredShare(label_S, expert_S, result.confidence_each);
            for (const LabelCell& cell : own) label_S[static_cast<std::size_t>(cell.sample)] = 0;
            row.share_low = share.low;
            row.share_high = share.high;
            if (row.share > 0 && row.samples > 1) {
                // A label in few samples has few degrees of freedom, however many samples lack it: five that agree by chance must not look certain.
                const double half = quantileOfT(result.confidence_each, row.samples) * std::sqrt(measure.npmiVariance(own, taken_l, total_l));
                row.npmi_low = std::max(-1.0, row.npmi - half);
                row.npmi_high = std::min(1.0, row.npmi + half);
            } else if (row.share == 0) {
                row.npmi_low = -1;
                row.npmi_high = npmiOf(row.share_high * result.expert_share, row.base, result.expert_share);
            }
        }
        result.rows.push_back(row);
    }
    std::stable_sort(result.rows.begin(), result.rows.end(), [](const LabelShare& a, const LabelShare& b) {
        const bool measured_a = std::isfinite(a.npmi_low), measured_b = std::isfinite(b.npmi_low);
        if (measured_a != measured_b) return measured_a;
        return std::isnan(b.npmi) ? !std::isnan(a.npmi) : a.npmi > b.npmi;
    });
    return result;
}

}  // namespace es::analysis
