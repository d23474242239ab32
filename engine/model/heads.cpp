// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/heads.h"

#include <torch/csrc/autograd/custom_function.h>

namespace es::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows that are all different: the backward pass copies instead of adding up.
class TakeRowsFunction : public torch::autograd::Function<TakeRowsFunction> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& x_ND, const at::Tensor& rows_M) {
        context->save_for_backward({rows_M});
        context->saved_data["rows"] = x_ND.size(0);
        return x_ND.index_select(0, rows_M);
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const at::Tensor zeros = at::zeros({context->saved_data["rows"].toInt(), gradients[0].size(1)}, gradients[0].options());
        return {zeros.index_copy_(0, context->get_saved_variables()[0], gradients[0]), at::Tensor()};
    }
};

/// The counted tokens of one objective: their rows in the token matrix, their samples, their places in the padded stream.
struct Counted {
    Objective objective = Objective::kImage;
    std::int64_t samples = 0;
    std::vector<std::int64_t> rows, sample_of, places;
};

Counted countPatches(Objective objective, const ImageStream& stream, std::int64_t samples, std::int64_t first_row) {
    Counted counted{objective, samples, {}, {}, {}};
    const at::Tensor counts_BP = stream.counts_BP.cpu().contiguous();
    const bool* counts = counts_BP.const_data_ptr<bool>();
    const std::int64_t patches = stream.counts_BP.size(1);
    for (std::int64_t place = 0; place < counts_BP.numel(); ++place) {
        if (!counts[place]) continue;
        counted.rows.push_back(first_row + place);
        counted.sample_of.push_back(place / patches);
        counted.places.push_back(place);
    }
    return counted;
}

Counted countWords(Objective objective, const TextStream& stream, std::int64_t samples, const WordRows& words) {
    Counted counted{objective, samples, {}, {}, {}};
    const at::Tensor masked_BL = stream.masked_BL.cpu().contiguous();
    const bool* masked = masked_BL.const_data_ptr<bool>();
    for (std::size_t i = 0; i < words.padded_of_row.size(); ++i) {
        const std::int64_t place = words.padded_of_row[i];
        if (!masked[place]) continue;
        counted.rows.push_back(words.begin + static_cast<std::int64_t>(i));
        counted.sample_of.push_back(place / words.per_sample);
        counted.places.push_back(place);
    }
    return counted;
}

at::Tensor indices(const std::vector<std::int64_t>& values, at::Device device) { return at::tensor(values, at::kLong).to(device); }

/// Rows of both objectives of a modality one after the other.
std::vector<std::int64_t> allRows(const std::vector<Counted>& parts) {
    std::vector<std::int64_t> rows;
    for (const Counted& part : parts) rows.insert(rows.end(), part.rows.begin(), part.rows.end());
    return rows;
}

void fillResult(const Counted& part, const TokenLosses& losses, std::int64_t begin, ObjectiveResult& result) {
    const std::int64_t count = static_cast<std::int64_t>(part.rows.size());
    const at::Tensor loss_M = losses.loss_M.narrow(0, begin, count);
    const at::Tensor sample_M = indices(part.sample_of, loss_M.device());
    if (count > 0) result.loss = loss_M.mean();
    result.sample_loss_sum_B = sumBySample(loss_M, sample_M, part.samples);
    result.sample_targets_B = sumBySample(at::ones_like(loss_M), sample_M, part.samples);
    if (losses.correct_M.defined()) result.sample_correct_B = sumBySample(losses.correct_M.narrow(0, begin, count), sample_M, part.samples);
}

}  // namespace

Heads::Heads(const HeadSizes& sizes) : sizes_(sizes) {
    norm_v_ = register_module("norm_v", std::make_shared<LayerNorm>(sizes.width));
    norm_t_ = register_module("norm_t", std::make_shared<LayerNorm>(sizes.width));
    if (sizes.picture_codes > 0) code_ = register_module("code", std::make_shared<Linear>(sizes.width, sizes.picture_codes));
    else pixel_ = register_module("pixel", std::make_shared<Linear>(sizes.width, sizes.patch_numbers));
    word_ = register_module("word", std::make_shared<Linear>(sizes.width, sizes.vocabulary));
}

TokenLosses Heads::patchLosses(const at::Tensor& x_MD, const at::Tensor& target_M) const {
    const at::Tensor normed_MD = norm_v_->forward(x_MD);
    return code_ ? classLosses(code_->forward(normed_MD), target_M) : pixelLosses(pixel_->forward(normed_MD), target_M);
}

std::array<ObjectiveResult, kObjectiveCount> Heads::forward(const at::Tensor& x_ND, const Batch& batch, const TokenLayout& layout, bool log_probs) const {
    std::vector<Counted> patches, words;
    std::vector<at::Tensor> patch_targets, word_targets;
    const auto addPatches = [&](Objective objective, const std::optional<ImageStream>& stream, std::int64_t first_row) {
        if (!stream) return;
        const at::Tensor& target = code_ ? stream->code_BP : stream->target_BPD;
        if (!target.defined()) return;
        patches.push_back(countPatches(objective, *stream, target.size(0), first_row));
        const at::Tensor places = indices(patches.back().places, target.device());
        patch_targets.push_back(target.flatten(0, 1).index_select(0, places));
    };
    const auto addWords = [&](Objective objective, const std::optional<TextStream>& stream, std::int64_t appended, const WordRows& rows) {
        if (!stream || stream->ids_BL.size(0) == appended) return;
        words.push_back(countWords(objective, *stream, stream->ids_BL.size(0) - appended, rows));
        word_targets.push_back(stream->ids_BL.reshape({-1}).index_select(0, indices(words.back().places, stream->ids_BL.device())));
    };
    addPatches(Objective::kImage, batch.images, 0);
    addPatches(Objective::kPairImage, batch.pair_images, layout.image_rows);
    addWords(Objective::kPairText, batch.pair_texts, batch.appended.matched(), layout.pair_words);
    addWords(Objective::kText, batch.texts, batch.appended.alone, layout.words);

    std::vector<std::int64_t> rows = allRows(patches);
    const std::int64_t patch_count = static_cast<std::int64_t>(rows.size());
    const std::vector<std::int64_t> word_rows = allRows(words);
    rows.insert(rows.end(), word_rows.begin(), word_rows.end());
    const std::vector<at::Tensor> x =
        TakeRowsFunction::apply(x_ND, indices(rows, x_ND.device())).split_with_sizes({patch_count, static_cast<std::int64_t>(word_rows.size())});

    std::array<ObjectiveResult, kObjectiveCount> results;
    std::int64_t begin = 0;
    if (!patches.empty()) {
        const TokenLosses losses = patchLosses(x[0], at::cat(patch_targets));
        for (const Counted& part : patches) {
            fillResult(part, losses, begin, results[static_cast<std::size_t>(part.objective)]);
            begin += static_cast<std::int64_t>(part.rows.size());
        }
    }
    begin = 0;
    if (!words.empty()) {
        const at::Tensor logits_MV = word_->forward(norm_t_->forward(x[1]));
        const TokenLosses losses = classLosses(logits_MV, at::cat(word_targets));
        for (const Counted& part : words) {
            ObjectiveResult& result = results[static_cast<std::size_t>(part.objective)];
            fillResult(part, losses, begin, result);
            const auto count = static_cast<std::int64_t>(part.rows.size());
            if (log_probs) result.word_log_probs_NV = logits_MV.narrow(0, begin, count).detach().to(at::kFloat).log_softmax(1);
            begin += count;
        }
    }
    return results;
}

}  // namespace es::engine
