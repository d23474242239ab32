// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers as panels write them. Locale never matters: the same value gives the same bytes everywhere.
#pragma once

#include <cstdint>
#include <string>

#include "engine/base/result.h"
#include "engine/store/records.h"

namespace es::analysis {

/// "18 400": digits in groups of three.
[[nodiscard]] std::string grouped(std::int64_t value);
/// At most `digits` significant digits, plain where that is short: "0.0123", "1.84", "4.1e+17". NaN: "–".
[[nodiscard]] std::string number(double value, int digits = 3);
/// A fixed number of decimals: "1.842". NaN: "–".
[[nodiscard]] std::string fixed(double value, int decimals);
/// A difference with a fixed number of decimals: "+0.0031", "-0.0002"; "0.0000" where nothing is left of it. NaN: "–".
[[nodiscard]] std::string signedFixed(double value, int decimals);
/// "148 M", "9.6 G", "812".
[[nodiscard]] std::string abbreviated(double value, int digits = 3);
/// "12.5 %".
[[nodiscard]] std::string percent(double share, int decimals = 1);
/// "(V)" as in "layer 10 (V)".
[[nodiscard]] std::string branchLetter(Branch branch);
/// "layer 10 · V-router"; "layer 10 · router" of a pool.
[[nodiscard]] std::string routerWords(const store::RouterInfo& router);
/// "V 10", "all 10" of a pool: where there is little room, and for columns of tables.
[[nodiscard]] std::string routerLabel(const store::RouterInfo& router);
/// "1 seed", "3 seeds".
[[nodiscard]] std::string plural(std::int64_t n, const std::string& word);
/// "the probe of step 100 is left out: probe-000000100-trained.h5 cannot be read; copy it again".
[[nodiscard]] std::string unreadProbe(std::int64_t step, const Error& error);

}  // namespace es::analysis
