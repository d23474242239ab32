// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/multiway_block.h"

#include <vector>

#include "engine/model/stochastic_depth.h"

namespace es::engine {

MultiwayBlock::MultiwayBlock(const BlockOptions& options, Branches branches) : options_(options), branches_(std::move(branches)) {
    attention_ = register_module("attention", std::make_shared<Attention>(options.width, options.heads, options.attention, options.sub_norm));
    if (options.layer_scale > 0) {
        scale_D_[0] = register_parameter("attention_scale", at::full({options.width}, options.layer_scale));
        scale_D_[1] = register_parameter("ffn_scale", at::full({options.width}, options.layer_scale));
    }
    register_module("v", branches_.vision);
    register_module("t", branches_.text);
    if (branches_.pair) register_module("vl", branches_.pair);
}

at::Tensor MultiwayBlock::addend(const at::Tensor& y_ND, std::int64_t sublayer, const TokenLayout& layout, const ForwardContext& context) const {
    at::Tensor added_ND = scale_D_[sublayer].defined() ? y_ND * scale_D_[sublayer] : y_ND;
    if (!context.options.training || options_.drop_probability == 0) return added_ND;
    const DropKey key{options_.seed, context.options.step, 2 * options_.layer + sublayer};
    return added_ND * survivalFactors(layout, options_.drop_probability, key, y_ND);
}

at::Tensor MultiwayBlock::forward(const at::Tensor& x_ND, const TokenLayout& layout, ForwardContext& context) const {
    const at::Tensor attended_ND = x_ND + addend(attention_->forward(x_ND, layout), 0, layout, context);
    return attended_ND + addend(mixBranches(attended_ND, layout, context), 1, layout, context);
}

at::Tensor MultiwayBlock::mixBranches(const at::Tensor& attended_ND, const TokenLayout& layout, ForwardContext& context) const {
    struct Part {
        const FeedForward* branch;
        std::int64_t rows;
        const std::vector<TokenBlock>* blocks;
        at::Tensor block_rows;
    };
    static const std::vector<TokenBlock> kNoBlocks;  // dense branches tell nobody
    std::vector<Part> parts;
    if (branches_.pair) {
        parts = {{branches_.vision.get(), layout.image_rows, &layout.single_vision_blocks, {}},
                 {branches_.pair.get(), layout.pairRows(), &kNoBlocks, {}},
                 {branches_.text.get(), layout.words.count, &layout.single_text_blocks, layout.single_text_rows}};
    } else {
        parts = {{branches_.vision.get(), layout.vision_rows, &layout.vision_blocks, {}},
                 {branches_.text.get(), layout.rows - layout.vision_rows, &layout.text_blocks, layout.text_rows}};
    }
    std::erase_if(parts, [](const Part& part) { return part.rows == 0; });
    if (parts.size() == 1) return parts[0].branch->forward({attended_ND, *parts[0].blocks, parts[0].block_rows, context.names}, context);

    std::vector<std::int64_t> sizes;
    for (const Part& part : parts) sizes.push_back(part.rows);
    const std::vector<at::Tensor> inputs = attended_ND.split_with_sizes(sizes);
    std::vector<at::Tensor> outputs;
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        outputs.push_back(parts[i].branch->forward({inputs[i], *parts[i].blocks, parts[i].block_rows, context.names.rows(begin, parts[i].rows)}, context));
        begin += parts[i].rows;
    }
    return at::cat(outputs);
}

}  // namespace es::engine
