// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/multiway_block.h"

#include <vector>

namespace es::engine {

MultiwayBlock::MultiwayBlock(std::int64_t width, std::int64_t heads, const std::string& attention, Branches branches)
    : branches_(std::move(branches)) {
    attention_ = register_module("attention", std::make_shared<Attention>(width, heads, attention));
    register_module("v", branches_.vision);
    register_module("t", branches_.text);
    if (branches_.pair) register_module("vl", branches_.pair);
}

at::Tensor MultiwayBlock::forward(const at::Tensor& x_ND, const TokenLayout& layout, ForwardContext& context) const {
    const at::Tensor attended_ND = x_ND + attention_->forward(x_ND, layout);

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
    if (parts.size() == 1) return attended_ND + parts[0].branch->forward({attended_ND, *parts[0].blocks, parts[0].block_rows, context.names}, context);

    std::vector<std::int64_t> sizes;
    for (const Part& part : parts) sizes.push_back(part.rows);
    const std::vector<at::Tensor> inputs = attended_ND.split_with_sizes(sizes);
    std::vector<at::Tensor> outputs;
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        outputs.push_back(parts[i].branch->forward({inputs[i], *parts[i].blocks, parts[i].block_rows, context.names.rows(begin, parts[i].rows)}, context));
        begin += parts[i].rows;
    }
    return attended_ND + at::cat(outputs);
}

}  // namespace es::engine
