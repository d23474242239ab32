// SPDX-License-Identifier: GPL-3.0-or-later
// What an expert does as panels: tables, maps and curves that views draw and that are copied as text. Every number with its base rate and n.
#pragma once

#include <string>
#include <vector>

#include "analysis/experts/expert_details.h"
#include "analysis/experts/expert_gallery.h"
#include "analysis/figures/panel_data.h"

namespace es::analysis {

/// "layer 6 (V), expert 5 · step 24 000".
[[nodiscard]] std::string expertName(const ExpertTokens& tokens);

/// Label, share with its interval, base rate, nPMI with its interval, PMI, share of the label's tokens that the expert takes, counts. Notes say what the
/// intervals are over, how they were corrected, and which rows have none.
[[nodiscard]] Panel labelPanel(const ExpertTokens& tokens, const LabelShares& shares, const std::string& title, const std::string& label_title);
/// Grid of shares with the base rate at the middle of a diverging scale; words: one row.
[[nodiscard]] Panel positionPanel(const ExpertTokens& tokens, const PositionMap& map);
[[nodiscard]] Panel looksPanel(const ExpertTokens& tokens, const ExpertLooks& looks);
/// One row an expert; a column more for each kept similarity.
[[nodiscard]] Panel partnersPanel(const ExpertTokens& tokens, const ExpertPartners& partners, const std::vector<KeptSimilarity>& similar = {});
/// Share of the assignments over training, with the even share as a line.
[[nodiscard]] Panel loadPanel(const ExpertLoad& load);
/// Both halves of a gallery as a table; licence and source of each sample, and the credits in the notes.
[[nodiscard]] Panel galleryPanel(const ExpertTokens& tokens, const ExpertGallery& gallery, const std::vector<store::SampleRecord>& records);

/// "animals/mammals 0.71 (base 0.22, nPMI 0.48, 0.45 to 0.51)": the first row that stands above its base rate, else what to say instead.
[[nodiscard]] std::string bestLabelWords(const LabelShares& shares);
/// The words that it takes more often than others, best first: at most `count` of those above their base rate.
[[nodiscard]] std::vector<std::string> topWords(const LabelShares& words, std::size_t count);

}  // namespace es::analysis
