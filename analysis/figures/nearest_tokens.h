// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens that a router treats like a given one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

struct NearToken {
    std::uint64_t sample = 0;
    Modality modality = Modality::kUnknown;
    TokenIndex token;
    double distance = 0;       ///< Hellinger: 0 the same distribution, 1 nothing in common
    std::int32_t expert = -1;  ///< first choice; -1: none
};

struct NearOptions {
    std::uint64_t except = 0;                ///< no token of this sample; 0: of all
    Modality modality = Modality::kUnknown;  ///< kUnknown: any
    std::size_t count = 8;
    bool one_a_sample = true;  ///< only the nearest of each sample: neighbours in a picture are alike
};

struct NearestTokens {
    std::vector<NearToken> tokens;  ///< nearest first; ties by sample, then position
    std::int64_t compared = 0;      ///< tokens
};

/// Tokens of a table whose router distribution is nearest to p, by Hellinger distance sqrt(1 - sum sqrt(p_e q_e)). Masked tokens and streams other
/// than the one that a sample's tokens are shown in (the pair, where there is one) are left out. Empty when the table holds no distributions.
/// Pure; O(tokens x experts); asks `context` to stop now and then and then returns what it has.
[[nodiscard]] NearestTokens nearestTokens(const store::RoutingTable& table, std::span<const float> p_E, const NearOptions& options,
                                          const JobContext& context = {});

}  // namespace es::analysis
