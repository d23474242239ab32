// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/causal_batch.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

namespace es::store {
namespace {

std::optional<std::int32_t> wholeNumber(std::string_view text) {
    std::int32_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{} || end != text.data() + text.size()) return {};
    return value;
}

}  // namespace

std::optional<CausalTarget> causalTarget(const KeptResult& result) {
    if (result.interventions.size() != 1) return {};
    const std::string_view text = result.interventions.front();
    const auto space = text.find(' '), dot = text.find('.'), colon = text.find(':');
    if (space == std::string_view::npos || dot == std::string_view::npos || colon == std::string_view::npos || dot < space || colon < dot) return {};
    const std::string_view kind = text.substr(0, space);
    const auto layer = wholeNumber(text.substr(space + 1, dot - space - 1)), expert = wholeNumber(text.substr(colon + 1));
    const auto branch = branchFromString(text.substr(dot + 1, colon - dot - 1));
    if ((kind != "ban" && kind != "silence") || !layer || !expert || !branch) return {};
    return CausalTarget{std::string(kind), LayerIndex(*layer), *branch, *expert};
}

std::vector<CausalBatch> causalBatches(std::vector<KeptResult> results, std::string_view run_uuid, const std::vector<RouterInfo>& routers) {
    using Key = std::tuple<std::int64_t, std::string, std::int64_t>;
    std::map<Key, std::map<std::pair<std::size_t, std::int32_t>, KeptResult>> sorted;
    for (KeptResult& result : results) {
        if (result.run_uuid != run_uuid) continue;
        const auto target = causalTarget(result);
        if (!target) continue;
        const auto router = std::find_if(routers.begin(), routers.end(), [&](const RouterInfo& one) { return target->of(one); });
        if (router == routers.end() || target->expert < 0 || target->expert >= router->experts) continue;
        const std::pair place{static_cast<std::size_t>(router - routers.begin()), target->expert};
        sorted[{result.checkpoint, target->kind, result.samples}][place] = std::move(result);
    }
    std::vector<CausalBatch> batches;
    for (auto& [key, experts] : sorted) {
        CausalBatch batch{std::get<0>(key), std::get<1>(key), std::get<2>(key), {}};
        for (auto& [place, result] : experts) batch.results.push_back(std::move(result));
        batches.push_back(std::move(batch));
    }
    return batches;
}

}  // namespace es::store
