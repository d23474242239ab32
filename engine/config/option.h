// SPDX-License-Identifier: GPL-3.0-or-later
// One description of every option. TOML reading and writing, --set, the form, the reference page and the configuration diff
// are all generated from the describe() of the option structs, so an option is written down once.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace es::config {

/// What there is to say about one option besides its name, type and default (which come from the struct).
struct OptionInfo {
    std::string_view help;                                  ///< one sentence, for a researcher
    std::string_view unit = "";                             ///< "steps", "pixels", "" for none
    double min = -std::numeric_limits<double>::infinity();  ///< smallest legal value of a number, or of each entry of a list
    double max = std::numeric_limits<double>::infinity();
    std::vector<std::string_view> choices = {};  ///< legal texts; empty: any
};

// An option struct has
//     template <class Visitor> void describe(Visitor&& visit) { visit("steps", steps, OptionInfo{...}); ... }
// The visitor is called with each field by reference: bool, std::int64_t, double, std::string, std::vector<std::int64_t>,
// std::vector<double> or std::vector<std::string>. Names are unique within a section.

}  // namespace es::config
