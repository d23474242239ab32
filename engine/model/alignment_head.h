// SPDX-License-Identifier: GPL-3.0-or-later
// Contrastive learning and matching on top of the token vectors. B pairs, M = 3 B judged ones, D width.
#pragma once

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/alignment_streams.h"
#include "engine/model/heads.h"
#include "engine/model/linear.h"

namespace es::engine {

inline constexpr double kFirstTemperature = 0.07;   ///< as in CLIP and VLMo
inline constexpr double kLowestTemperature = 0.01;  ///< CLIP's bound: the logits are at most 100 cosines
inline constexpr double kHighestTemperature = 1.0;

struct AlignmentOptions {
    std::int64_t width = 0;
    bool contrastive = false, matching = false;
};

/// What an alignment objective gives, and what is logged of it besides.
struct AlignmentResult {
    ObjectiveResult result;
    std::vector<std::pair<std::string, at::Tensor>> figures;  ///< 0-d, detached
};

class AlignmentHead : public torch::nn::Module {
public:
    explicit AlignmentHead(const AlignmentOptions& options);

    [[nodiscard]] bool contrastive() const { return options_.contrastive; }
    [[nodiscard]] bool matching() const { return options_.matching; }
    /// Brings the learned temperature back into its bounds; before each forward pass in training.
    void clampTemperature();

    /// Cosines over the temperature of the pairs that lie alone in `layout`, pictures in rows: B x B.
    [[nodiscard]] at::Tensor logits(const at::Tensor& x_ND, const TokenLayout& layout, std::int64_t pairs) const;
    /// Means of the tokens of pictures and captions that lie alone, normalised, projected without bias (VLMo), length 1. Each pair is one target;
    /// right are the halves of it that found each other.
    [[nodiscard]] AlignmentResult contrast(const at::Tensor& x_ND, const TokenLayout& layout, std::int64_t pairs) const;
    /// Means of the patches and of the words of the judged pairs side by side, through a layer with tanh (the pooler of BERT and VLMo) to one
    /// logit. Each pair has three targets: itself, its picture with a wrong caption, its caption with a wrong picture.
    [[nodiscard]] AlignmentResult match(const at::Tensor& x_ND, const TokenLayout& layout, std::int64_t pairs) const;

private:
    struct Embedded {
        at::Tensor vision_BD, text_BD;
    };
    [[nodiscard]] Embedded embed(const at::Tensor& x_ND, const TokenLayout& layout, std::int64_t pairs) const;
    [[nodiscard]] at::Tensor scale() const;

    AlignmentOptions options_;
    std::shared_ptr<LayerNorm> norm_v_, norm_t_, norm_pair_v_, norm_pair_t_;
    std::shared_ptr<Linear> pool_, judge_;
    at::Tensor vision_DD_, text_DD_, log_scale_;
};

/// Parameters of the head's matrices and biases, and of its norms.
struct AlignmentParameters {
    std::int64_t head = 0, norms = 0;
};
[[nodiscard]] AlignmentParameters alignmentParameters(const AlignmentOptions& options);

}  // namespace es::engine
