// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/attention.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace es::engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const bool* attendedRows(const at::Tensor& attended_N) { return attended_N.defined() ? attended_N.const_data_ptr<bool>() : nullptr; }

class PackedAttentionFunction : public torch::autograd::Function<PackedAttentionFunction> {
public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv_N3D, const std::vector<kernels::SequenceRows>& sequences, std::int64_t heads,
                              const std::optional<at::Tensor>& attended) {
        const std::int64_t rows = qkv_N3D.size(0), width = qkv_N3D.size(1) / 3;
        const at::Tensor attended_N = attended ? *attended : at::Tensor();
        at::Tensor out_ND = at::empty({rows, width}, qkv_N3D.options()), norms_NA2 = at::empty({rows, heads, 2}, qkv_N3D.options());
        AT_DISPATCH_FLOATING_TYPES(qkv_N3D.scalar_type(), "packed_attention", [&] {
            kernels::packedAttentionForward<scalar_t>({width, heads, sequences, attendedRows(attended_N)}, qkv_N3D.const_data_ptr<scalar_t>(),
                                                      out_ND.data_ptr<scalar_t>(), norms_NA2.data_ptr<scalar_t>());
        });
        std::vector<std::int64_t> flat{heads};
        for (const kernels::SequenceRows& s : sequences) flat.insert(flat.end(), {s.first_begin, s.first_count, s.second_begin, s.second_count});
        context->saved_data["shape"] = std::move(flat);
        context->save_for_backward({qkv_N3D, norms_NA2, attended_N});
        return out_ND;
    }
    static variable_list backward(AutogradContext* context, const variable_list& gradients) {
        const variable_list saved = context->get_saved_variables();
        const std::vector<std::int64_t> flat = context->saved_data["shape"].toIntVector();
        std::vector<kernels::SequenceRows> sequences;
        for (std::size_t i = 1; i < flat.size(); i += 4) sequences.push_back({flat[i], flat[i + 1], flat[i + 2], flat[i + 3]});
        const at::Tensor dout_ND = gradients[0].contiguous();
        at::Tensor dqkv_N3D = at::empty_like(saved[0]);
        AT_DISPATCH_FLOATING_TYPES(dout_ND.scalar_type(), "packed_attention_backward", [&] {
            kernels::packedAttentionBackward<scalar_t>({dout_ND.size(1), flat[0], sequences, attendedRows(saved[2])}, saved[0].const_data_ptr<scalar_t>(),
                                                       saved[1].const_data_ptr<scalar_t>(), dout_ND.const_data_ptr<scalar_t>(), dqkv_N3D.data_ptr<scalar_t>());
        });
        return {dqkv_N3D, at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

}  // namespace

at::Tensor packedAttentionReference(const at::Tensor& qkv_N3D, const std::vector<kernels::SequenceRows>& sequences, std::int64_t heads,
                                    const at::Tensor& attended_N) {
    const std::int64_t width = qkv_N3D.size(1) / 3, batch = static_cast<std::int64_t>(sequences.size());
    std::int64_t longest = 1;
    for (const kernels::SequenceRows& s : sequences) longest = std::max(longest, s.size());
    std::vector<std::int64_t> row_of_place(static_cast<std::size_t>(batch * longest), 0), place_of_row(static_cast<std::size_t>(qkv_N3D.size(0)), 0);
    at::Tensor real = at::zeros({batch, longest}, at::kBool), idle = at::zeros_like(real);
    for (std::int64_t b = 0; b < batch; ++b) {
        const kernels::SequenceRows& s = sequences[static_cast<std::size_t>(b)];
        for (std::int64_t i = 0; i < s.size(); ++i) {
            const std::int64_t row = i < s.first_count ? s.first_begin + i : s.second_begin + i - s.first_count;
            row_of_place[static_cast<std::size_t>(b * longest + i)] = row;
            place_of_row[static_cast<std::size_t>(row)] = b * longest + i;
        }
        real[b].narrow(0, 0, s.size()).fill_(true);
        // A sequence without tokens attends to one place, so that no softmax is empty; nobody reads the result.
        if (s.size() == 0) idle[b][0].fill_(true);
    }
    // Every padded place reads row 0 and is masked as a key.
    const at::Device device = qkv_N3D.device();
    const at::Tensor places = at::tensor(row_of_place, at::kLong).to(device), rows = at::tensor(place_of_row, at::kLong).to(device);
    const at::Tensor padded = qkv_N3D.index_select(0, places).view({batch, longest, 3, heads, width / heads}).permute({2, 0, 3, 1, 4});
    at::Tensor keys = real.to(device);
    if (attended_N.defined()) keys = keys.logical_and(attended_N.index_select(0, places).view({batch, longest}));
    keys = keys.logical_or(idle.to(device)).view({batch, 1, 1, longest});
    const at::Tensor out = at::scaled_dot_product_attention(padded[0], padded[1], padded[2], keys);
    return out.transpose(1, 2).reshape({batch * longest, width}).index_select(0, rows);
}

at::Tensor packedAttention(const at::Tensor& qkv_N3D, const std::vector<kernels::SequenceRows>& sequences, std::int64_t heads, const at::Tensor& attended_N) {
    const bool fused = qkv_N3D.is_cpu() && (qkv_N3D.scalar_type() == at::kFloat || qkv_N3D.scalar_type() == at::kDouble);
    if (!fused) return packedAttentionReference(qkv_N3D, sequences, heads, attended_N);
    const std::optional<at::Tensor> attended = attended_N.defined() ? std::optional(attended_N.contiguous()) : std::nullopt;
    return PackedAttentionFunction::apply(qkv_N3D.contiguous(), sequences, heads, attended);
}

at::Tensor maskedSelfAttention(const at::Tensor& x_BTD, const at::Tensor& mask_BT, const AttentionWeights& weights, std::int64_t heads) {
    const std::int64_t samples = x_BTD.size(0), tokens = x_BTD.size(1), width = x_BTD.size(2);
    TORCH_CHECK(heads > 0 && width % heads == 0, "width ", width, " cannot be divided among ", heads, " heads");
    TORCH_CHECK(mask_BT.sizes() == at::IntArrayRef({samples, tokens}), "the mask is ", mask_BT.sizes(), " for a batch of ", x_BTD.sizes());
    const auto bias = [&](const at::Tensor& given) { return given.defined() ? given : at::zeros({width}, x_BTD.options()); };
    std::vector<kernels::SequenceRows> sequences;
    for (std::int64_t b = 0; b < samples; ++b) sequences.push_back({b * tokens, tokens, 0, 0});
    const at::Tensor qkv_N3D = at::linear(x_BTD.reshape({samples * tokens, width}), at::cat({weights.wq_DD, weights.wk_DD, weights.wv_DD}),
                                          at::cat({bias(weights.bq_D), bias(weights.bk_D), bias(weights.bv_D)}));
    const at::Tensor mixed_ND = packedAttention(qkv_N3D, sequences, heads, mask_BT.to(at::kBool).reshape({-1}));
    return at::linear(mixed_ND, weights.wo_DD, bias(weights.bo_D)).view({samples, tokens, width});
}

Attention::Attention(std::int64_t width, std::int64_t heads, const std::string& kind, bool sub_norm) : width_(width), heads_(heads), sub_norm_(sub_norm) {
    TORCH_CHECK(heads > 0 && width % heads == 0, "width ", width, " cannot be divided among ", heads, " heads");
    if (kind == "shared") {
        projections_.push_back(makeProjections(*this));
        return;
    }
    TORCH_CHECK(kind == "decoupled", "unknown attention '", kind, "'");
    for (const char* modality : {"v", "t"}) {
        auto owner = register_module(modality, std::make_shared<torch::nn::Module>());
        projections_.push_back(makeProjections(*owner));
    }
}

Attention::Projections Attention::makeProjections(torch::nn::Module& owner) const {
    Projections made;
    made.norm = owner.register_module("norm", std::make_shared<LayerNorm>(width_));
    made.qkv = owner.register_module("qkv", std::make_shared<Linear>(width_, 3 * width_));
    made.out = owner.register_module("out", std::make_shared<Linear>(width_, width_));
    if (sub_norm_) made.inner_norm = owner.register_module("norm_inner", std::make_shared<LayerNorm>(width_));
    return made;
}

at::Tensor Attention::queriesKeysValues(const at::Tensor& x_ND, const TokenLayout& layout) const {
    if (projections_.size() == 1) return projections_[0].qkv->forward(projections_[0].norm->forward(x_ND));
    const std::vector<at::Tensor> x = x_ND.split_with_sizes({layout.vision_rows, layout.rows - layout.vision_rows});
    return at::cat({projections_[0].qkv->forward(projections_[0].norm->forward(x[0])), projections_[1].qkv->forward(projections_[1].norm->forward(x[1]))});
}

at::Tensor Attention::received(const at::Tensor& x_ND, const TokenLayout& layout) const {
    const at::NoGradGuard no_gradient;
    const at::Tensor qkv_N3D = queriesKeysValues(x_ND, layout).to(at::kFloat);
    const std::int64_t dim = width_ / heads_;
    at::Tensor received_N = at::zeros({qkv_N3D.size(0)}, qkv_N3D.options());
    for (const kernels::SequenceRows& s : layout.sequences) {
        if (s.size() == 0) continue;
        const at::Tensor rows_T = at::cat({at::arange(s.first_begin, s.first_begin + s.first_count, at::kLong),
                                           at::arange(s.second_begin, s.second_begin + s.second_count, at::kLong)})
                                      .to(qkv_N3D.device());
        const at::Tensor heads_3ATd = qkv_N3D.index_select(0, rows_T).view({s.size(), 3, heads_, dim}).permute({1, 2, 0, 3});
        const at::Tensor weights_ATT = at::softmax(at::matmul(heads_3ATd[0], heads_3ATd[1].transpose(1, 2)) / std::sqrt(static_cast<double>(dim)), -1);
        received_N.index_copy_(0, rows_T, weights_ATT.mean(at::IntArrayRef({0, 1})));
    }
    return received_N;
}

at::Tensor Attention::forward(const at::Tensor& x_ND, const TokenLayout& layout) const {
    const at::Tensor mixed_ND = packedAttention(queriesKeysValues(x_ND, layout), layout.sequences, heads_);
    if (projections_.size() == 1) return projections_[0].project(mixed_ND);
    const std::vector<at::Tensor> mixed = mixed_ND.split_with_sizes({layout.vision_rows, layout.rows - layout.vision_rows});
    return at::cat({projections_[0].project(mixed[0]), projections_[1].project(mixed[1])});
}

}  // namespace es::engine
