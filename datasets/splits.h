// SPDX-License-Identifier: GPL-3.0-or-later
// Which samples are trained on, which are held out.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/base/strong_ids.h"

namespace es::datasets {

struct SplitInput {
    std::string_view key;            ///< samples of equal key stay together; empty: no key
    std::uint64_t picture_hash = 0;  ///< samples of one picture stay together; 0: no picture
    std::uint64_t alike = 0;         ///< samples of pictures that look alike stay together; 0: not known
    Split fixed = Split::kNone;      ///< decided already: stays as it is, and ties nothing
};

/// 80 % training, 10 % validation, 10 % test of the groups that keys and pictures tie together, by a stable hash of the group's first
/// key in the alphabet: a sample keeps its split when others come or go, unless it is tied anew. From three groups on, no split is
/// empty; of two, test is; a single group is training.
[[nodiscard]] std::vector<Split> assignSplits(std::span<const SplitInput> samples);
/// True for the samples that nothing ties to a sample of another key: their split is splitOfKey of their key in whatever set they are.
[[nodiscard]] std::vector<bool> tiedByKeyAlone(std::span<const SplitInput> samples);
/// The split of a group whose first key is this, in any set that is not tiny.
[[nodiscard]] Split splitOfKey(std::string_view key);

}  // namespace es::datasets
