// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/routing/token_columns.h"

namespace es::engine {
namespace {

/// Where a block's tokens are described in the batch.
struct BlockSource {
    const bool* masked = nullptr;
    const std::int64_t* ids = nullptr;  ///< words only
    std::vector<std::uint64_t> hashes;
};

BlockSource sourceOf(const TokenBlock& block, const Batch& batch, const std::function<std::uint64_t(std::int64_t)>& hash) {
    BlockSource out;
    const std::vector<std::int64_t>* samples = &batch.pair_samples;
    switch (block.objective) {
        case Objective::kImage:
            out.masked = batch.images->masked_BP.const_data_ptr<bool>();
            samples = &batch.image_samples;
            break;
        case Objective::kText:
            out.masked = batch.texts->masked_BL.const_data_ptr<bool>();
            out.ids = batch.texts->ids_BL.const_data_ptr<std::int64_t>();
            samples = &batch.text_samples;
            break;
        case Objective::kPairImage: out.masked = batch.pair_images->masked_BP.const_data_ptr<bool>(); break;
        case Objective::kPairText:
            out.masked = batch.pair_texts->masked_BL.const_data_ptr<bool>();
            out.ids = batch.pair_texts->ids_BL.const_data_ptr<std::int64_t>();
            break;
    }
    for (std::int64_t i = 0; i < block.samples; ++i) out.hashes.push_back(hash(samples->at(static_cast<std::size_t>(i))));
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
            const std::int64_t in_block = row - begin;
            out.sample_T.push_back(source.hashes[static_cast<std::size_t>(in_block / block.per_sample)]);
            out.position_T.push_back(static_cast<std::uint16_t>(in_block % block.per_sample));
            out.token_id_T.push_back(source.ids ? static_cast<std::int32_t>(source.ids[in_block]) : -1);
            out.masked_T.push_back(source.masked[in_block] ? 1 : 0);
            out.objective_T.push_back(block.objective);
        }
        begin = end;
    }
    return out;
}

}  // namespace es::engine
