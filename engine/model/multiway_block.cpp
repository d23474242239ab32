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
    TORCH_CHECK(!branches_.all || !(branches_.vision || branches_.text || branches_.pair), "a branch for all tokens leaves none to others");
    if (branches_.all) register_module("all", branches_.all);
    else {
        register_module("v", branches_.vision);
        register_module("t", branches_.text);
    }
    if (branches_.pair) register_module("vl", branches_.pair);
}

at::Tensor MultiwayBlock::addend(const at::Tensor& y_ND, std::int64_t sublayer, const TokenLayout& layout, const ForwardContext& context) const {
    at::Tensor added_ND = scale_D_[sublayer].defined() ? y_ND * scale_D_[sublayer] : y_ND;
    if (!context.options.training || options_.drop_probability == 0) return added_ND;
    const DropKey key{options_.seed, context.options.step, 2 * options_.layer + sublayer, context.options.micro_batch};
    return added_ND * survivalFactors(layout, options_.drop_probability, key, y_ND);
}

at::Tensor MultiwayBlock::forward(const at::Tensor& x_ND, const TokenLayout& layout, ForwardContext& context) const {
    at::Tensor attended_ND;
    {
        if (context.options.attention_received_N) context.options.attention_received_N->push_back(attention_->received(x_ND, layout));
        const at::Tensor mixed_ND = attention_->forward(x_ND, layout);
        if (context.watch) context.watch("attention", mixed_ND);
        attended_ND = x_ND + addend(mixed_ND, 0, layout, context);
    }
    return attended_ND + addend(mixBranches(attended_ND, layout, context), 1, layout, context);
}

at::Tensor MultiwayBlock::mixBranches(const at::Tensor& attended_ND, const TokenLayout& layout, ForwardContext& context) const {
    if (branches_.all) {
        std::vector<TokenBlock> blocks = layout.vision_blocks;
        blocks.insert(blocks.end(), layout.text_blocks.begin(), layout.text_blocks.end());
        at::Tensor block_rows;
        // Pictures have no padding: their rows are those of the blocks.
        if (layout.text_rows.defined())
            block_rows = at::cat({at::arange(layout.vision_rows, layout.text_rows.options()), layout.text_rows + layout.vision_rows});
        at::Tensor y_ND = branches_.all->forward({attended_ND, blocks, block_rows, context.names}, context);
        if (context.watch) context.watch("all", y_ND);
        return y_ND;
    }
    struct Part {
        const char* name;
        const FeedForward* branch;
        std::int64_t rows;
        const std::vector<TokenBlock>* blocks;
        at::Tensor block_rows;
    };
    static const std::vector<TokenBlock> kNoBlocks;  // dense branches tell nobody
    std::vector<Part> parts;
    if (branches_.pair) {
        parts = {{"v", branches_.vision.get(), layout.image_rows, &layout.single_vision_blocks, {}},
                 {"vl", branches_.pair.get(), layout.pairRows(), &kNoBlocks, {}},
                 {"t", branches_.text.get(), layout.words.count, &layout.single_text_blocks, layout.single_text_rows}};
    } else {
        parts = {{"v", branches_.vision.get(), layout.vision_rows, &layout.vision_blocks, {}},
                 {"t", branches_.text.get(), layout.rows - layout.vision_rows, &layout.text_blocks, layout.text_rows}};
    }
    std::erase_if(parts, [](const Part& part) { return part.rows == 0; });
    const auto through = [&](const Part& part, const at::Tensor& x_TD, const TokenNames& names) {
        at::Tensor y_TD = part.branch->forward({x_TD, *part.blocks, part.block_rows, names}, context);
        if (context.watch) context.watch(part.name, y_TD);
        return y_TD;
    };
    if (parts.size() == 1) return through(parts[0], attended_ND, context.names);

    std::vector<std::int64_t> sizes;
    for (const Part& part : parts) sizes.push_back(part.rows);
    const std::vector<at::Tensor> inputs = attended_ND.split_with_sizes(sizes);
    std::vector<at::Tensor> outputs;
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        outputs.push_back(through(parts[i], inputs[i], context.names.rows(begin, parts[i].rows)));
        begin += parts[i].rows;
    }
    return at::cat(outputs);
}

}  // namespace es::engine
