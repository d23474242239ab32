// SPDX-License-Identifier: GPL-3.0-or-later
// What an expert takes with most weight, beside as much drawn at random from all that it takes: a list of bests alone shows what was sought.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/experts/expert_tokens.h"

namespace es::analysis {

struct GalleryOptions {
    std::int32_t count = 24;                 ///< of each half, at most
    bool one_per_sample = true;              ///< at most one token of a picture or caption
    Modality modality = Modality::kUnknown;  ///< only patches, only words; unknown: both
    std::uint64_t seed = 0;                  ///< of the random half: the same seed, the same draw
};

struct GalleryItem {
    std::uint64_t sample = 0;
    Modality modality = Modality::kUnknown;
    TokenIndex token;
    Objective objective = Objective::kImage;
    std::int32_t token_id = -1;
    std::int64_t row = 0;   ///< of the probe's table
    float weight = 0;       ///< combine weight
    float probability = 0;  ///< of the router; NaN when not recorded
    std::int32_t rank = 0;  ///< among the token's choices
    bool dropped = false;   ///< chosen, but no slot was left
    bool operator==(const GalleryItem& other) const { return row == other.row; }
};

struct ExpertGallery {
    std::vector<GalleryItem> top;     ///< most weight first; equal weights by router probability, then in the probe's order
    std::vector<GalleryItem> random;  ///< in the order of the draw
    std::int64_t takers = 0;          ///< tokens that both were chosen from; a token that a sample shows twice (alone and in a pair) counts twice
    std::int64_t samples = 0;         ///< that they lie in
    std::vector<std::string> notes;
};

/// Each token at most once in each half, also when its sample was probed under several objectives: the row of most weight stands for it.
/// Random: every token that the expert takes is equally likely; dense mass: in proportion to its weight, without replacement (Efraimidis and
/// Spirakis 2006). With one_per_sample, of the order so drawn the first of each sample. Time: linear in the table, plus sorting what is shown.
[[nodiscard]] ExpertGallery expertGallery(const ExpertTokens& tokens, const GalleryOptions& options = {});

/// Where the pictures and captions of some samples come from: kept with every gallery that is copied or written to a file.
struct Credit {
    std::string dataset, license;      ///< as the data set gives them; "" where it does not
    std::vector<std::string> sources;  ///< each once, in order of appearance
    std::vector<std::uint64_t> samples;
    /// "emoji · Apache-2.0 · noto: 3 samples", "licence not stated" where none is. Beyond `most_sources` it says how many follow; 0: all are named.
    [[nodiscard]] std::string text(std::size_t most_sources = 0) const;
};
/// One entry for each (data set, licence), in order of appearance; samples that `records` lacks are left out.
[[nodiscard]] std::vector<Credit> creditsOf(const std::vector<GalleryItem>& items, const std::vector<store::SampleRecord>& records);

}  // namespace es::analysis
