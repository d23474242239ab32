// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/objectives.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace es::config {
namespace {

std::vector<std::string_view> wordsOf(std::string_view text) {
    std::vector<std::string_view> words;
    while (true) {
        const std::size_t begin = text.find_first_not_of(' ');
        if (begin == std::string_view::npos) return words;
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        words.push_back(text.substr(begin, end - begin));
        text.remove_prefix(end);
    }
}

template <class Number>
bool readAll(std::string_view text, Number& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
}

/// "FACTOR@STEP"
std::optional<WeightSchedule::Point> pointFrom(std::string_view text) {
    const std::size_t at = text.find('@');
    WeightSchedule::Point point;
    if (at == std::string_view::npos || !readAll(text.substr(0, at), point.factor) || !readAll(text.substr(at + 1), point.step)) return std::nullopt;
    if (!std::isfinite(point.factor) || point.factor < 0 || point.step < 0) return std::nullopt;
    return point;
}

}  // namespace

double WeightSchedule::at(std::int64_t step) const {
    if (points.empty()) return 1;
    if (step <= points.front().step) return points.front().factor;
    for (std::size_t i = 1; i < points.size(); ++i) {
        const Point &a = points[i - 1], &b = points[i];
        if (step < b.step) return a.factor + (b.factor - a.factor) * static_cast<double>(step - a.step) / static_cast<double>(b.step - a.step);
    }
    return points.back().factor;
}

ParsedSchedules parseSchedules(const std::vector<std::string>& entries) {
    ParsedSchedules out;
    for (const std::string& entry : entries) {
        const auto words = wordsOf(entry);
        const auto objective = words.empty() ? std::nullopt : objectiveFromString(words[0]);
        if (!objective) {
            out.problem = fmt::format("has the entry '{}', which does not begin with image, text, pair_image, pair_text, contrastive or matching", entry);
            return out;
        }
        WeightSchedule& schedule = out.schedules[static_cast<std::size_t>(*objective)];
        if (!schedule.points.empty()) {
            out.problem = fmt::format("has two entries of '{}'", words[0]);
            return out;
        }
        for (std::size_t i = 1; i < words.size(); ++i) {
            const auto point = pointFrom(words[i]);
            if (!point) {
                out.problem = fmt::format("has '{}' in the entry '{}', which is not FACTOR@STEP with a factor and a step of at least 0", words[i], entry);
                return out;
            }
            if (!schedule.points.empty() && point->step <= schedule.points.back().step) {
                out.problem = fmt::format("has the steps of the entry '{}' not in ascending order", entry);
                return out;
            }
            schedule.points.push_back(*point);
        }
        if (schedule.points.empty()) {
            out.problem = fmt::format("has the entry '{}' without a FACTOR@STEP", entry);
            return out;
        }
    }
    return out;
}

ObjectiveWeights objectiveWeights(const LossOptions& loss) { return {loss.image, loss.text, loss.pair_image, loss.pair_text, loss.contrastive, loss.matching}; }

ObjectiveWeights objectiveWeights(const LossOptions& loss, const ObjectiveSchedules& schedules, std::int64_t step) {
    ObjectiveWeights weights = objectiveWeights(loss);
    for (std::size_t o = 0; o < weights.size(); ++o)
        if (!schedules[o].points.empty()) weights[o] *= schedules[o].at(step);
    return weights;
}

std::string_view lossUnit(const RunConfig& config, Objective objective) {
    const bool patches = objective == Objective::kImage || objective == Objective::kPairImage;
    return patches && config.model.image_target == "pixels" ? "" : "nats";
}

}  // namespace es::config
