// SPDX-License-Identifier: GPL-3.0-or-later
// A condition that raises an alarm at one level and resolves it at a lower one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "analysis/alarms/alarms.h"

namespace es::analysis {

/// Alarms in order of being raised; indices stay valid.
class AlarmList {
public:
    std::size_t raise(Alarm alarm) {
        alarms_.push_back(std::move(alarm));
        changed_ = true;
        return alarms_.size() - 1;
    }
    /// For changing: the list counts as changed.
    [[nodiscard]] Alarm& at(std::size_t index) {
        changed_ = true;
        return alarms_[index];
    }
    [[nodiscard]] const std::vector<Alarm>& all() const { return alarms_; }
    bool takeChanged() { return std::exchange(changed_, false); }

private:
    std::vector<Alarm> alarms_;
    bool changed_ = false;
};

class Condition {
public:
    /// Told the value of each step. `good_steps`: how many steps in a row have to be good before it is resolved. `make` gives a new alarm for
    /// its start step; `describe` is called after every change of a raised one and writes its words.
    template <class Make, class Describe>
    void watch(double value, bool bad, bool good, std::int64_t good_steps, std::int64_t step, AlarmList& alarms, Make&& make, Describe&& describe) {
        if (!active_ && bad) active_ = alarms.raise(make(step));
        if (!active_) return;
        Alarm& alarm = alarms.at(*active_);
        alarm.worst = std::max(alarm.worst, value);
        describe(alarm);
        good_ = good ? good_ + 1 : 0;
        if (good_ == 1) first_good_ = step;
        if (good_ < good_steps) return;
        alarm.end_step = first_good_;
        alarm.title += ", resolved";
        active_.reset();
        good_ = 0;
    }

private:
    std::optional<std::size_t> active_;
    std::int64_t good_ = 0, first_good_ = 0;
};

}  // namespace es::analysis
