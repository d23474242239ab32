// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/routing/token_columns.h"

namespace es::engine {
namespace {

/// Where a block's tokens are described in the batch.
struct BlockSource {
    const bool* masked = nullptr;       ///< nullptr: nothing is
    const std::int64_t* ids = nullptr;  ///< words only
    std::int64_t per_sample = 0;        ///< of the batch's stream, which the model may have padded further
    std::vector<std::int64_t> samples;  ///< of the stream, in order of the block
    std::vector<std::uint64_t> hashes;
};

BlockSource sourceOf(const TokenBlock& block, const Batch& batch, const std::function<std::uint64_t(std::int64_t)>& hash) {
    BlockSource out;
    const bool alone = block.objective == Objective::kImage || block.objective == Objective::kText;
    const bool hidden = block.objective != Objective::kContrastive && block.objective != Objective::kMatching;
    if (block.modality == Modality::kVision) {
        const ImageStream& images = alone ? *batch.images : *batch.pair_images;
        out.per_sample = images.masked_BP.size(1);
        if (hidden) out.masked = images.masked_BP.const_data_ptr<bool>();
    } else {
        const TextStream& texts = alone ? *batch.texts : *batch.pair_texts;
        out.per_sample = texts.ids_BL.size(1);
        out.ids = texts.ids_BL.const_data_ptr<std::int64_t>();
        if (hidden) out.masked = texts.masked_BL.const_data_ptr<bool>();
    }
    const auto& samples = !alone ? batch.pair_samples : block.modality == Modality::kVision ? batch.image_samples : batch.text_samples;
    for (std::int64_t i = 0; i < block.samples; ++i) {
        out.samples.push_back(block.sources.empty() ? i : block.sources[static_cast<std::size_t>(i)]);
        out.hashes.push_back(hash(samples.at(static_cast<std::size_t>(out.samples.back()))));
    }
    return out;
}

}  // namespace

void TokenColumns::moveInto(store::RoutingTable& table) {
    table.sample_T = std::move(sample_T);
    table.position_T = std::move(position_T);
    table.modality_T = std::move(modality_T);
    table.token_id_T = std::move(token_id_T);
    table.masked_T = std::move(masked_T);
    table.objective_T = std::move(objective_T);
}

TokenColumns nameTokens(const RoutingEvent& event, const Batch& batch, bool whole, const std::function<std::uint64_t(std::int64_t)>& hash) {
    const auto tokens = static_cast<std::size_t>(event.logits_TE.size(0));
    TokenColumns out;
    out.modality_T.reserve(tokens);
    if (whole) {
        out.sample_T.reserve(tokens);
        out.position_T.reserve(tokens);
        out.token_id_T.reserve(tokens);
        out.masked_T.reserve(tokens);
        out.objective_T.reserve(tokens);
    }
    const at::Tensor rows_T = event.rows_T.defined() ? event.rows_T.to(at::kCPU, at::kLong).contiguous() : at::Tensor();
    const std::int64_t* rows = rows_T.defined() ? rows_T.const_data_ptr<std::int64_t>() : nullptr;
    std::size_t token = 0;
    std::int64_t begin = 0;
    for (const TokenBlock& block : event.blocks) {
        const std::int64_t end = begin + block.samples * block.per_sample;
        const BlockSource source = whole ? sourceOf(block, batch, hash) : BlockSource{};
        // Rows ascend, so the tokens of a block follow one another.
        for (; token < tokens; ++token) {
            const std::int64_t row = rows ? rows[token] : static_cast<std::int64_t>(token);
            if (row >= end) break;
            out.modality_T.push_back(block.modality);
            if (!whole) continue;
            const std::int64_t in_block = row - begin, position = in_block % block.per_sample;
            const auto sample = static_cast<std::size_t>(in_block / block.per_sample);
            out.sample_T.push_back(source.hashes[sample]);
            out.position_T.push_back(static_cast<std::uint16_t>(position));
            const std::int64_t place = source.samples[sample] * source.per_sample + position;
            out.token_id_T.push_back(source.ids ? static_cast<std::int32_t>(source.ids[place]) : -1);
            out.masked_T.push_back(source.masked && source.masked[place] ? 1 : 0);
            out.objective_T.push_back(block.objective);
        }
        begin = end;
    }
    return out;
}

}  // namespace es::engine
