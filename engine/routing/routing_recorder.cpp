// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/routing/routing_recorder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/routing/token_columns.h"
#include "engine/store/routing_tables.h"

namespace es::engine {
namespace {

/// A router's outputs on the CPU, laid out for plain loops. T tokens, E experts, K choices.
struct Outputs {
    explicit Outputs(const RoutingEvent& event)
        : logits_TE(event.logits_TE.detach().to(at::kCPU, at::kFloat).contiguous()), probs_TE(event.probs_TE.detach().to(at::kCPU, at::kFloat).contiguous()),
          indices_TK(event.indices_TK.defined() ? event.indices_TK.to(at::kCPU, at::kLong).contiguous() : at::Tensor()),
          weights_TK(event.weights_TK.detach().to(at::kCPU, at::kFloat).contiguous()),
          kept_TK(event.kept_TK.defined() ? event.kept_TK.to(at::kCPU).contiguous() : at::Tensor()), place_TK(event.place_TK), slots_T(event.slots_T),
          tokens(logits_TE.size(0)), experts(logits_TE.size(1)), k(indices_TK.defined() ? indices_TK.size(1) : 0), logits(logits_TE.const_data_ptr<float>()),
          probs(probs_TE.const_data_ptr<float>()), weights(weights_TK.const_data_ptr<float>()),
          indices(k > 0 ? indices_TK.const_data_ptr<std::int64_t>() : nullptr), kept(kept_TK.defined() ? kept_TK.const_data_ptr<bool>() : nullptr),
          place(place_TK.defined() ? place_TK.const_data_ptr<std::int64_t>() : nullptr), softmax(event.softmax) {}

    at::Tensor logits_TE, probs_TE, indices_TK, weights_TK, kept_TK, place_TK, slots_T;
    std::int64_t tokens, experts, k;  ///< k 0: no choices, but a weight for every expert
    const float* logits;
    const float* probs;
    const float* weights;
    const std::int64_t* indices;
    const bool* kept;
    const std::int64_t* place;
    bool softmax;

    [[nodiscard]] bool isChoice(std::int64_t assignment) const { return indices[assignment] >= 0; }
    [[nodiscard]] double entropyByDefinition(const float* p) const {
        double sum = 0;
        for (std::int64_t e = 0; e < experts; ++e)
            if (p[e] > 0) sum -= static_cast<double>(p[e]) * std::log(static_cast<double>(p[e]));
        return std::max(0.0, sum);
    }
    [[nodiscard]] double logSumExp(const float* z) const {
        const double top = *std::max_element(z, z + experts);
        double sum = 0;
        for (std::int64_t e = 0; e < experts; ++e) sum += std::exp(static_cast<double>(z[e]) - top);
        return top + std::log(sum);
    }
    /// For a softmax, log sum exp and the entropy follow from the largest entry: one logarithm a token instead of one an expert.
    struct TokenFigures {
        double entropy, top1, logsumexp, max_abs;
    };
    [[nodiscard]] TokenFigures figures(std::int64_t token) const {
        const float* z = logits + token * experts;
        const float* p = probs + token * experts;
        std::int64_t best = 0;
        double expected = 0, largest = 0;
        for (std::int64_t e = 0; e < experts; ++e) {
            if (p[e] > p[best]) best = e;
            if (p[e] > 0) expected += static_cast<double>(p[e]) * z[e];
            const double size = std::abs(z[e]);
            if (!(size <= largest) && !std::isnan(largest)) largest = size;
        }
        if (!softmax) return {entropyByDefinition(p), p[best], logSumExp(z), largest};
        const double logsumexp = z[best] - std::log(static_cast<double>(p[best]));
        return {std::max(0.0, logsumexp - expected), p[best], logsumexp, largest};
    }
};

store::LoadRecord emptyLoad(const store::RouterInfo& router, std::int64_t step, Modality modality) {
    store::LoadRecord out;
    out.step = step;
    out.router = router.id;
    out.modality = modality;
    out.counts_E.assign(static_cast<std::size_t>(router.experts), 0);
    out.mass_E.assign(static_cast<std::size_t>(router.experts), 0.0f);
    return out;
}

struct LoadSum {
    store::LoadRecord record;
    std::vector<double> mass_E;
    double entropy = 0, top1 = 0, logsumexp = 0, max_abs = 0;

    void add(const Outputs& outputs, std::int64_t token) {
        ++record.tokens;
        for (std::int64_t e = 0; e < outputs.experts; ++e) mass_E[static_cast<std::size_t>(e)] += outputs.probs[token * outputs.experts + e];
        for (std::int64_t j = 0; j < outputs.k; ++j) {
            const std::int64_t at = token * outputs.k + j;
            if (!outputs.isChoice(at)) continue;
            ++record.counts_E[static_cast<std::size_t>(outputs.indices[at])];
            if (outputs.kept && !outputs.kept[at]) ++record.dropped;
        }
        const auto f = outputs.figures(token);
        entropy += f.entropy;
        top1 += f.top1;
        logsumexp += f.logsumexp;
        if (!(f.max_abs <= max_abs) && !std::isnan(max_abs)) max_abs = f.max_abs;
    }
    store::LoadRecord finish() {
        const double n = record.tokens > 0 ? static_cast<double>(record.tokens) : std::numeric_limits<double>::quiet_NaN();
        for (std::size_t e = 0; e < mass_E.size(); ++e) record.mass_E[e] = static_cast<float>(mass_E[e]);
        record.entropy_nats = static_cast<float>(entropy / n);
        record.top1 = static_cast<float>(top1 / n);
        record.logsumexp = static_cast<float>(logsumexp / n);
        record.max_abs_logit = static_cast<float>(max_abs);
        return std::move(record);
    }
};

std::vector<store::LoadRecord> sumLoad(const Outputs& outputs, const store::RouterInfo& router, std::int64_t step, const TokenColumns& columns) {
    std::vector<LoadSum> sums;
    const auto of = [&](Modality modality) -> LoadSum& {
        for (LoadSum& sum : sums)
            if (sum.record.modality == modality) return sum;
        sums.push_back({emptyLoad(router, step, modality), std::vector<double>(static_cast<std::size_t>(router.experts), 0.0)});
        return sums.back();
    };
    if (router.branch == Branch::kVision) of(Modality::kVision);
    if (router.branch == Branch::kText) of(Modality::kText);
    for (std::int64_t t = 0; t < outputs.tokens; ++t) of(columns.modality_T[static_cast<std::size_t>(t)]).add(outputs, t);
    std::vector<store::LoadRecord> out;
    for (LoadSum& sum : sums) out.push_back(sum.finish());
    return out;
}

using LoadOfRouter = std::vector<store::LoadRecord>;  // one a modality

/// What gates are averaged over: choices, or experts of tokens where nothing is chosen.
double gatesOf(const store::RouterInfo& router, const LoadOfRouter& load) {
    double gates = 0;
    for (const auto& record : load)
        gates += router.layout == store::RoutingLayout::kDenseMass ? static_cast<double>(record.tokens * router.experts)
                                                                   : std::accumulate(record.counts_E.begin(), record.counts_E.end(), 0.0);
    return gates;
}

RouterStatistics summarise(const store::RouterInfo& router, const LoadOfRouter& load, double gate_sum) {
    RouterStatistics out;
    out.router = router.id;
    std::vector<double> counts(static_cast<std::size_t>(router.experts), 0);
    double tokens = 0, entropy = 0, dropped = 0;
    for (const auto& record : load) {
        const std::vector<double> of_experts = store::expertLoad(router, record);
        for (std::size_t e = 0; e < counts.size(); ++e) counts[e] += of_experts[e];
        tokens += static_cast<double>(record.tokens);
        dropped += record.dropped;
        if (record.tokens > 0) entropy += record.entropy_nats * static_cast<double>(record.tokens);
    }
    const double whole = std::accumulate(counts.begin(), counts.end(), 0.0);  // without tokens the means are 0/0: NaN, as they should be
    const double assignments = gatesOf(router, load);
    out.max_vio = *std::max_element(counts.begin(), counts.end()) * static_cast<double>(router.experts) / whole - 1;
    out.entropy_nats = entropy / tokens;
    out.mean_gate = gate_sum / assignments;
    out.dropped_share = dropped / assignments;
    out.dead_experts = static_cast<double>(std::count(counts.begin(), counts.end(), 0.0));
    return out;
}

double sumOfGates(const Outputs& outputs) { return std::accumulate(outputs.weights, outputs.weights + outputs.weights_TK.numel(), 0.0); }

/// `more` into `sum`, of the same router and modality.
void addLoad(store::LoadRecord& sum, const store::LoadRecord& more) {
    const auto before = static_cast<double>(sum.tokens), after = static_cast<double>(more.tokens);
    const auto mean = [&](float& value, float other) {
        if (more.tokens == 0) return;
        value = sum.tokens == 0 ? other : static_cast<float>((value * before + other * after) / (before + after));
    };
    mean(sum.entropy_nats, more.entropy_nats);
    mean(sum.top1, more.top1);
    mean(sum.logsumexp, more.logsumexp);
    if (!(more.max_abs_logit <= sum.max_abs_logit) && !std::isnan(sum.max_abs_logit)) sum.max_abs_logit = more.max_abs_logit;
    for (std::size_t e = 0; e < sum.counts_E.size(); ++e) sum.counts_E[e] += more.counts_E[e];
    for (std::size_t e = 0; e < sum.mass_E.size(); ++e) sum.mass_E[e] += more.mass_E[e];
    sum.dropped += more.dropped;
    sum.tokens += more.tokens;
}

LoadOfRouter loadOf(RouterId router, const std::vector<store::LoadRecord>& load) {
    LoadOfRouter out;
    std::ranges::copy_if(load, std::back_inserter(out), [&](const store::LoadRecord& record) { return record.router == router; });
    return out;
}

/// The element of `list` for which same(element), else nullptr.
template <class T, class Same>
T* find(std::vector<T>& list, Same&& same) {
    const auto found = std::ranges::find_if(list, same);
    return found == list.end() ? nullptr : &*found;
}

void addAssignments(store::RoutingTable& table, const Outputs& outputs) {
    if (table.router.layout == store::RoutingLayout::kDenseMass) {
        table.gates.assign(outputs.weights, outputs.weights + outputs.weights_TK.numel());
        return;
    }
    const bool ragged = table.router.layout == store::RoutingLayout::kRagged;
    if (outputs.place) {
        const std::int64_t* slots = outputs.slots_T.const_data_ptr<std::int64_t>();
        table.slots_T.assign(slots, slots + outputs.tokens);
    }
    const auto most = static_cast<std::size_t>(outputs.tokens * outputs.k);
    table.expert_ids.reserve(most);
    table.gates.reserve(most);
    if (ragged) table.offsets.push_back(0);
    for (std::int64_t t = 0; t < outputs.tokens; ++t) {
        for (std::int64_t i = t * outputs.k; i < (t + 1) * outputs.k; ++i) {
            if (!outputs.isChoice(i)) continue;
            table.expert_ids.push_back(static_cast<std::uint16_t>(outputs.indices[i]));
            table.gates.push_back(outputs.weights[i]);
            if (outputs.kept) table.kept.push_back(outputs.kept[i] ? 1 : 0);
            if (outputs.place) table.place.push_back(static_cast<std::uint32_t>(outputs.place[i]));
        }
        if (ragged) table.offsets.push_back(static_cast<std::int64_t>(table.expert_ids.size()));
    }
}

store::RoutingTable makeTable(const Outputs& outputs, const store::RouterInfo& router, std::int64_t step, TokenColumns columns, bool probabilities) {
    store::RoutingTable out;
    out.router = router;
    out.step = step;
    out.tokens = outputs.tokens;
    addAssignments(out, outputs);
    const auto tokens = static_cast<std::size_t>(outputs.tokens);
    out.entropy_nats_T.resize(tokens);
    for (std::int64_t t = 0; t < outputs.tokens; ++t) out.entropy_nats_T[static_cast<std::size_t>(t)] = static_cast<float>(outputs.figures(t).entropy);
    // Where nothing is chosen there is no boundary.
    if (outputs.k > 0) out.boundary_margin_T.resize(tokens);
    for (std::int64_t t = 0; t < static_cast<std::int64_t>(out.boundary_margin_T.size()); ++t) {
        const float* p = outputs.probs + t * outputs.experts;
        const std::int64_t* chosen = outputs.indices + t * outputs.k;
        // What is no choice comes after all choices.
        const std::int64_t choices = std::find(chosen, chosen + outputs.k, -1) - chosen;
        float next = 0;
        for (std::int64_t e = 0; e < outputs.experts; ++e)
            if (p[e] > next && std::find(chosen, chosen + choices, e) == chosen + choices) next = p[e];
        out.boundary_margin_T[static_cast<std::size_t>(t)] = (choices > 0 ? p[chosen[choices - 1]] : 0) - next;
    }
    if (probabilities) out.probs_TE.assign(outputs.probs, outputs.probs + outputs.tokens * outputs.experts);
    columns.moveInto(out);
    return out;
}

}  // namespace

RoutingRecorder::RoutingRecorder(std::vector<store::RouterInfo> routers, HashOf hash) : routers_(std::move(routers)), hash_(std::move(hash)) {}

void RoutingRecorder::begin(std::int64_t step, const Batch& batch, RecordingWish wish) {
    step_ = step;
    batch_ = &batch;
    wish_ = wish;
    events_.clear();
}

bool RoutingRecorder::wants(LayerIndex, std::int64_t) { return wish_.load || wish_.tables; }

void RoutingRecorder::onRouting(const RoutingEvent& event) { events_.push_back(event); }

void RoutingRecorder::forget() {
    events_.clear();
    batch_ = nullptr;
}

void RoutingRecorder::add(RecordedRouting& sum, RecordedRouting more) const {
    const auto gateSum = [](const store::RouterInfo& router, const RouterStatistics& statistics, const std::vector<store::LoadRecord>& load) {
        const double gates = gatesOf(router, loadOf(router.id, load));
        return gates > 0 ? statistics.mean_gate * gates : 0.0;  // a mean over none is NaN
    };
    std::vector<double> gates;  // before the loads become one
    for (const RouterStatistics& statistics : more.statistics) {
        const store::RouterInfo& router = routers_.at(static_cast<std::size_t>(statistics.router.value));
        gates.push_back(gateSum(router, statistics, more.load));
        if (const auto* known = find(sum.statistics, [&](const auto& s) { return s.router == router.id; })) gates.back() += gateSum(router, *known, sum.load);
    }
    for (store::LoadRecord& record : more.load) {
        auto* known = find(sum.load, [&](const auto& r) { return r.router == record.router && r.modality == record.modality; });
        if (known) addLoad(*known, record);
        else sum.load.push_back(std::move(record));
    }
    for (std::size_t i = 0; i < more.statistics.size(); ++i) {
        const store::RouterInfo& router = routers_.at(static_cast<std::size_t>(more.statistics[i].router.value));
        const RouterStatistics whole = summarise(router, loadOf(router.id, sum.load), gates[i]);
        if (auto* known = find(sum.statistics, [&](const auto& s) { return s.router == router.id; })) *known = whole;
        else sum.statistics.push_back(whole);
    }
    for (store::RoutingTable& table : more.tables) {
        if (auto* known = find(sum.tables, [&](const auto& t) { return t.router.id == table.router.id; })) store::appendTokens(*known, std::move(table));
        else sum.tables.push_back(std::move(table));
    }
    std::ranges::sort(sum.load, {}, [](const auto& record) { return std::pair(record.router, record.modality); });
    std::ranges::sort(sum.statistics, {}, &RouterStatistics::router);
    std::ranges::sort(sum.tables, {}, [](const auto& table) { return table.router.id; });
}

RecordedRouting RoutingRecorder::take() {
    RecordedRouting out;
    std::sort(events_.begin(), events_.end(), [](const RoutingEvent& a, const RoutingEvent& b) { return a.router < b.router; });
    for (const RoutingEvent& event : events_) {
        const store::RouterInfo& router = routers_.at(static_cast<std::size_t>(event.router.value));
        const Outputs outputs(event);
        TokenColumns columns = nameTokens(event, *batch_, wish_.tables, hash_);
        if (wish_.load) {
            auto load = sumLoad(outputs, router, step_, columns);
            out.statistics.push_back(summarise(router, load, sumOfGates(outputs)));
            std::move(load.begin(), load.end(), std::back_inserter(out.load));
        }
        if (wish_.tables) out.tables.push_back(makeTable(outputs, router, step_, std::move(columns), wish_.probabilities));
    }
    events_.clear();
    batch_ = nullptr;
    return out;
}

}  // namespace es::engine
