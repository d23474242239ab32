// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/query/query_columns.h"

#include <algorithm>

#include "analysis/metrics/confidence.h"
#include "analysis/metrics/weighing.h"
#include "engine/store/packing.h"

namespace es::analysis {
namespace {

constexpr std::uint16_t kNoExpert = 0xFFFF;

/// -0 counts as 0.
std::uint16_t orderedHalf(std::uint16_t half) {
    if (half == 0x8000u) return half;
    return static_cast<std::uint16_t>((half & 0x8000u) != 0 ? ~half : half | 0x8000u);
}

std::vector<std::uint16_t> orderedKeys(std::span<const float> values) {
    std::vector<std::uint16_t> keys;
    store::appendHalves(values, keys);
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = std::isnan(values[i]) ? 0 : orderedHalf(keys[i]);
    return keys;
}

Bits bitsOf(std::span<const std::uint8_t> flags) {
    if (std::none_of(flags.begin(), flags.end(), [](std::uint8_t flag) { return flag != 0; })) return {};
    Bits bits(wordsFor(static_cast<std::int64_t>(flags.size())), 0);
    for (std::size_t i = 0; i < flags.size(); ++i) bits[i / 64] |= std::uint64_t{flags[i] != 0} << (i % 64);
    return bits;
}

void fillConfidence(const store::RoutingTable& table, RouterColumns& columns) {
    if (!table.boundary_margin_T.empty()) columns.margin = orderedKeys(table.boundary_margin_T);
    if (!table.entropy_nats_T.empty()) columns.entropy = orderedKeys(table.entropy_nats_T);
    if (table.probs_TE.empty() || (!columns.margin.empty() && !columns.entropy.empty())) return;
    const auto experts = static_cast<std::size_t>(table.router.experts);
    const store::RoutingView view(table);
    std::vector<float> margin(static_cast<std::size_t>(columns.rows)), entropy(margin.size());
    for (std::size_t t = 0; t < margin.size(); ++t) {
        const ConfidenceStats stats = confidenceOf(std::span(table.probs_TE).subspan(t * experts, experts), 1);
        margin[t] = static_cast<float>(boundaryMargin(view, static_cast<std::int64_t>(t)));
        entropy[t] = static_cast<float>(stats.entropy_nats);
    }
    if (columns.margin.empty() && table.router.layout != store::RoutingLayout::kDenseMass) columns.margin = orderedKeys(margin);
    if (columns.entropy.empty()) columns.entropy = orderedKeys(entropy);
}

template <class T>
void writeArray(store::ByteWriter& out, const std::vector<T>& values) {
    out.put(static_cast<std::uint64_t>(values.size()));
    out.array(std::span<const T>(values));
}
template <class T>
void readArray(store::ByteReader& in, std::vector<T>& values) {
    values = in.array<T>(static_cast<std::size_t>(in.get<std::uint64_t>()));
}

}  // namespace

std::uint16_t orderedKey(float value) { return std::isnan(value) ? std::uint16_t{0} : orderedHalf(store::floatToHalf(value)); }

std::size_t RouterColumns::bytes() const {
    return runs.capacity() * sizeof(store::TokenRun) + narrow.capacity() +
           2 * (wide.capacity() + first.capacity() + weight.capacity() + margin.capacity() + entropy.capacity()) + 4 * offsets.capacity() +
           8 * (masked.capacity() + dropped.capacity());
}

RouterColumns columnsOf(const store::RoutingChunk& chunk) {
    const store::RoutingTable& table = chunk.table;
    const store::RoutingView view(table);
    RouterColumns columns;
    columns.router = table.router;
    columns.rows = table.tokens;
    columns.runs = chunk.runs;
    const auto rows = static_cast<std::size_t>(columns.rows);
    const auto keep = [&](const auto& ids) {
        if (table.router.experts <= 255) columns.narrow.assign(ids.begin(), ids.end());
        else columns.wide.assign(ids.begin(), ids.end());
    };
    std::vector<float> weight;
    if (table.router.layout == store::RoutingLayout::kFixedK) {
        columns.width = table.router.k;
        keep(table.expert_ids);
        if (!table.gates.empty()) {
            weight.resize(rows);
            for (std::size_t t = 0; t < rows; ++t) weight[t] = table.gates[t * static_cast<std::size_t>(table.router.k)];
        }
    } else {
        const std::vector<std::int32_t> first = firstChoices(view);
        if (table.router.layout == store::RoutingLayout::kRagged) {
            keep(table.expert_ids);
            columns.offsets.assign(table.offsets.begin(), table.offsets.end());
            for (const std::int32_t expert : first) columns.first.push_back(expert < 0 ? kNoExpert : static_cast<std::uint16_t>(expert));
        } else {
            columns.width = 1;
            keep(first);
        }
        if (!table.gates.empty()) {
            weight.assign(rows, 0);
            view.forEachAssignment([&](std::int64_t token, ExpertIndex, float gate, bool) {
                float& best = weight[static_cast<std::size_t>(token)];
                best = std::max(best, gate);
            });
        }
    }
    if (!weight.empty()) columns.weight = orderedKeys(weight);
    fillConfidence(table, columns);
    columns.masked = bitsOf(table.masked_T);
    if (!table.kept.empty() || table.router.layout == store::RoutingLayout::kRagged) {
        std::vector<std::uint8_t> dropped(rows, 1);
        view.forEachAssignment([&](std::int64_t token, ExpertIndex, float, bool kept) {
            if (kept) dropped[static_cast<std::size_t>(token)] = 0;
        });
        columns.dropped = bitsOf(dropped);
    }
    return columns;
}

void RouterColumns::write(store::ByteWriter& out) const {
    out.put(router.id.value);
    out.put(router.layer.value);
    out.put(static_cast<std::uint8_t>(router.branch));
    out.put(static_cast<std::uint8_t>(router.layout));
    out.put(router.experts);
    out.put(router.k);
    out.text(router.kind);
    out.put(rows);
    out.put(width);
    writeArray(out, runs);
    writeArray(out, narrow);
    writeArray(out, wide);
    writeArray(out, offsets);
    writeArray(out, first);
    writeArray(out, weight);
    writeArray(out, margin);
    writeArray(out, entropy);
    writeArray(out, masked);
    writeArray(out, dropped);
}

bool RouterColumns::read(store::ByteReader& in) {
    router.id = RouterId(in.get<std::int32_t>());
    router.layer = LayerIndex(in.get<std::int32_t>());
    router.branch = static_cast<Branch>(in.get<std::uint8_t>());
    router.layout = static_cast<store::RoutingLayout>(in.get<std::uint8_t>());
    router.experts = in.get<std::int32_t>();
    router.k = in.get<std::int32_t>();
    router.kind = in.text();
    rows = in.get<std::int64_t>();
    width = in.get<std::int32_t>();
    readArray(in, runs);
    readArray(in, narrow);
    readArray(in, wide);
    readArray(in, offsets);
    readArray(in, first);
    readArray(in, weight);
    readArray(in, margin);
    readArray(in, entropy);
    readArray(in, masked);
    readArray(in, dropped);
    if (!in.ok() || rows < 0 || width < 0) return false;
    const auto count = static_cast<std::size_t>(rows);
    const std::size_t ids = router.experts <= 255 ? narrow.size() : wide.size();
    std::int64_t tokens = 0;
    for (const store::TokenRun& run : runs) tokens += run.tokens;
    const bool shaped = width > 0
                            ? ids == count * static_cast<std::size_t>(width)
                            : offsets.size() == count + 1 && std::is_sorted(offsets.begin(), offsets.end()) && offsets.back() == ids && first.size() == count;
    const auto fits = [&](const auto& column) { return column.empty() || column.size() == count; };
    const auto fitsBits = [&](const Bits& bits) { return bits.empty() || bits.size() == wordsFor(rows); };
    return shaped && tokens == rows && fits(weight) && fits(margin) && fits(entropy) && fitsBits(masked) && fitsBits(dropped);
}

}  // namespace es::analysis
