// SPDX-License-Identifier: GPL-3.0-or-later
// What can be predicted without a model: the mean patch, how frequent words and codes are, the rate of right pairs. Every loss is shown beside it.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/config/run_config.h"
#include "engine/data/batch.h"
#include "engine/data/data_source.h"

namespace es::engine {

/// Fitted on the training split: the mean of the normalised targets of patches that count (of at most 4,096 pictures), and the expected
/// frequency of each word among the masked ones (half a count added to every word that can be masked); where patches are predicted as codes,
/// the frequency of each code among the patches that count, in place of the mean patch.
class TrivialPredictor {
public:
    TrivialPredictor(const DataSource& source, const config::TrainOptions& options);

    /// Per sample: sum over its counted patches of the mean squared error of the mean patch, or of -log frequency of its code, in nats. Same rule
    /// as the model's loss.
    [[nodiscard]] std::vector<double> imageLoss(const ImageStream& images) const;
    /// Per sample: sum over its masked words of -log frequency, in nats. `objective`: kText or kPairText.
    [[nodiscard]] std::vector<double> textLoss(const TextStream& texts, Objective objective) const;

private:
    std::vector<double> mean_patch_;
    std::vector<double> nats_code_;              // by code: -log frequency; empty where patches are predicted as pixels
    std::vector<double> nats_text_, nats_pair_;  // by word: -log frequency
};

}  // namespace es::engine
