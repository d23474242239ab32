// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <cstddef>

#include "engine/base/hash.h"
#include "engine/model/routing_rules.h"

namespace es::engine {
namespace {

// A word and a position of the same number are different things.
constexpr std::uint64_t kWordSeed = 0, kPositionSeed = 1;

std::uint64_t hashNumber(std::int64_t number, std::uint64_t seed) {
    std::array<std::byte, 8> bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(static_cast<std::uint64_t>(number) >> (8 * i));
    return hash64(bytes, seed);
}

}  // namespace

at::Tensor hashChoice(const at::Tensor& token_id_T, const at::Tensor& position_T, std::int64_t experts) {
    TORCH_CHECK(token_id_T.dim() == 1 && token_id_T.sizes() == position_T.sizes(), "token ids ", token_id_T.sizes(), " and positions ", position_T.sizes());
    TORCH_CHECK(experts >= 1, "a choice among ", experts, " experts");
    const at::Tensor ids = token_id_T.to(at::kCPU, at::kLong).contiguous(), positions = position_T.to(at::kCPU, at::kLong).contiguous();
    at::Tensor indices_TK = at::empty({ids.size(0), 1}, at::kLong);
    const std::int64_t* id = ids.const_data_ptr<std::int64_t>();
    const std::int64_t* position = positions.const_data_ptr<std::int64_t>();
    std::int64_t* expert = indices_TK.mutable_data_ptr<std::int64_t>();
    for (std::int64_t t = 0; t < ids.size(0); ++t) {
        const std::uint64_t hash = id[t] >= 0 ? hashNumber(id[t], kWordSeed) : hashNumber(position[t], kPositionSeed);
        expert[t] = static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(experts));
    }
    return indices_TK.to(token_id_T.device());
}

}  // namespace es::engine
