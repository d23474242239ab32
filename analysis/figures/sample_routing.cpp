// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "analysis/figures/inspect_panels.h"
#include "analysis/figures/wording.h"
#include "analysis/metrics/confidence.h"
#include "analysis/metrics/weighing.h"
#include "engine/base/hash.h"
#include "engine/store/routing_tables.h"

namespace es::analysis {
namespace {

store::RoutingTable ofSample(const store::RoutingTable& table, std::uint64_t sample) {
    std::vector<std::uint8_t> include(static_cast<std::size_t>(table.tokens), 0);
    for (std::size_t t = 0; t < include.size() && t < table.sample_T.size(); ++t) include[t] = table.sample_T[t] == sample;
    return selectTokens(table, include);
}

/// Newest probe of the variant, or the one of `step`.
std::optional<store::ProbeKey> probeAt(const store::RunReader& run, std::int64_t step, const std::string& variant) {
    std::optional<store::ProbeKey> best;
    for (const store::ProbeKey& key : run.probes())
        if (key.variant == variant && (step < 0 || key.step == step) && (!best || key.step > best->step)) best = key;
    return best;
}

/// True when the probe holds the sample. A router whose table cannot be read becomes a note.
bool fromProbe(const store::RunReader& run, const store::ProbeKey& key, std::uint64_t sample, SampleRouting& routing) {
    routing.routing.clear();
    std::int64_t tokens = 0;
    for (const store::RouterInfo& router : run.routers()) {
        auto table = run.probe(key, router.id);
        if (!table) {
            routing.notes.push_back(fmt::format("{}: {}", routerWords(router), table.error().message()));
            continue;
        }
        routing.routing.push_back(ofSample(*table, sample));
        tokens += routing.routing.back().tokens;
    }
    routing.step = key.step;
    routing.source = "probe";
    return tokens > 0;
}

/// Tries traced steps nearest to `step` first, by one router a branch: a sample recurs once an epoch.
Result<bool> fromTrace(const store::RunReader& run, std::uint64_t sample, std::int64_t step, SampleRouting& routing) {
    constexpr std::size_t kTries = 512;
    std::vector<std::int64_t> steps = run.tracedSteps();
    std::vector<store::RouterInfo> routers = run.routers();
    if (steps.empty() || routers.empty()) return false;
    const std::int64_t wanted = step < 0 ? steps.back() : step;
    std::stable_sort(steps.begin(), steps.end(), [wanted](std::int64_t a, std::int64_t b) { return std::llabs(a - wanted) < std::llabs(b - wanted); });
    // One router of each branch says whether the sample was there; they come first.
    std::vector<Branch> seen;
    const auto others = std::stable_partition(routers.begin(), routers.end(), [&](const store::RouterInfo& router) {
        if (std::find(seen.begin(), seen.end(), router.branch) != seen.end()) return false;
        seen.push_back(router.branch);
        return true;
    });
    const auto first = static_cast<std::size_t>(others - routers.begin());
    for (std::size_t i = 0; i < std::min(steps.size(), kTries); ++i) {
        routing.routing.clear();
        std::int64_t tokens = 0;
        for (std::size_t r = 0; r < routers.size(); ++r) {
            if (r == first && tokens == 0) break;
            auto table = run.trace({routers[r].id, steps[i], steps[i], sample, -1});
            if (!table) return tl::unexpected(table.error());
            tokens += table->tokens;
            routing.routing.push_back(std::move(*table));
        }
        if (tokens == 0) continue;
        std::sort(routing.routing.begin(), routing.routing.end(), [](const auto& a, const auto& b) { return a.router.id < b.router.id; });
        routing.step = steps[i];
        routing.source = "trace";
        return true;
    }
    routing.routing.clear();
    return false;
}

/// Letters and signs alone, small: what is left of a text and of its pieces when blanks and marks of pieces are taken away.
std::string bareText(std::string_view text) {
    std::string bare;
    for (const char c : text)
        if (static_cast<unsigned char>(c) > ' ') bare += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return bare;
}

/// Whether the sample's tokens are only the beginning of its caption. Not told where a piece is not in the vocabulary.
bool captionIsCut(const store::SampleRecord& sample) {
    std::string seen;
    for (const std::string& piece : sample.token_texts) seen += bareText(piece.starts_with("##") ? std::string_view(piece).substr(2) : std::string_view(piece));
    const std::string whole = bareText(sample.caption);
    return !seen.empty() && seen.size() < whole.size() && whole.starts_with(seen);
}

}  // namespace

std::string cutNote(std::size_t tokens) { return fmt::format("the caption is longer than the model takes: cut after {} tokens", tokens); }

Result<SampleRouting> sampleRouting(const store::RunReader& run, std::uint64_t sample, std::int64_t step, const std::string& variant) {
    SampleRouting routing;
    auto record = run.sample(sample);
    if (!record) return tl::unexpected(record.error());
    routing.sample = std::move(*record);
    if (captionIsCut(routing.sample)) routing.notes.push_back(cutNote(routing.sample.token_texts.size()));
    if (run.routers().empty()) {
        routing.source = "none";
        routing.notes.push_back("this model is dense: it has no routers");
        return routing;
    }
    const auto key = probeAt(run, step, variant);
    if (key && fromProbe(run, *key, sample, routing)) return routing;
    auto traced = fromTrace(run, sample, step, routing);
    if (!traced) return tl::unexpected(traced.error());
    if (*traced) {
        routing.notes.push_back(fmt::format("from the traced training step {}: some tokens were masked", grouped(routing.step)));
        return routing;
    }
    if (const auto newest = step >= 0 ? probeAt(run, -1, variant) : std::nullopt; newest && fromProbe(run, *newest, sample, routing)) {
        routing.notes.push_back(fmt::format("nothing was recorded at step {}: shown at step {}", grouped(step), grouped(routing.step)));
        return routing;
    }
    return jobFailed("No routing of this sample", fmt::format("sample {} is neither in a probe nor in a traced step of this run", hashText(sample)),
                     "Choose one of the probed samples, or run the sample through a checkpoint", run.folder().string());
}

TokenReading readToken(const store::RoutingTable& table, std::int64_t row) {
    const auto at = static_cast<std::size_t>(row);
    const auto experts = static_cast<std::size_t>(table.router.experts);
    TokenReading reading;
    reading.router = table.router;
    reading.objective = table.objective_T.empty() ? Objective::kImage : table.objective_T[at];
    reading.masked = !table.masked_T.empty() && table.masked_T[at] != 0;
    reading.max_entropy_nats = std::log(static_cast<double>(experts));
    if (!table.probs_TE.empty()) {
        const auto begin = table.probs_TE.begin() + static_cast<std::ptrdiff_t>(at * experts);
        reading.probabilities_E.assign(begin, begin + static_cast<std::ptrdiff_t>(experts));
        const ConfidenceStats stats = confidenceOf(reading.probabilities_E, 1);
        reading.entropy_nats = stats.entropy_nats;
        reading.margin12 = stats.margin12;
        reading.chosen_mass = 0;
    } else if (!table.entropy_nats_T.empty()) {
        reading.entropy_nats = table.entropy_nats_T[at];
    }
    const store::RoutingView view(table);
    reading.boundary_margin = boundaryMargin(view, row);
    if (!table.slots_T.empty()) reading.slots = table.slots_T[at];
    bool any_kept = false;
    for (const TokenChoice& choice : choicesOf(view, row)) {
        TokenReading::Choice one{choice.expert, choice.weight, std::numeric_limits<float>::quiet_NaN(), choice.kept, choice.place};
        if (!reading.probabilities_E.empty()) {
            one.probability = reading.probabilities_E[static_cast<std::size_t>(choice.expert)];
            reading.chosen_mass += one.probability;
        }
        any_kept = any_kept || choice.kept;
        reading.choices.push_back(one);
    }
    reading.dropped = !any_kept;
    return reading;
}

std::vector<TokenReading> tokenPath(const SampleRouting& routing, Modality modality, TokenIndex token, std::optional<Objective> objective) {
    std::vector<TokenReading> path;
    for (const store::RoutingTable& table : routing.routing)
        for (std::int64_t t = 0; t < table.tokens; ++t) {
            const auto at = static_cast<std::size_t>(t);
            if (table.position_T.empty() || table.position_T[at] != token.value) continue;
            if (!table.modality_T.empty() && table.modality_T[at] != modality) continue;
            if (objective && !table.objective_T.empty() && table.objective_T[at] != *objective) continue;
            path.push_back(readToken(table, t));
        }
    std::stable_sort(path.begin(), path.end(), [](const TokenReading& a, const TokenReading& b) { return a.router.layer < b.router.layer; });
    return path;
}

Result<TokenHistory> tokenHistory(const store::RunReader& run, std::uint64_t sample, RouterId router, Modality modality, TokenIndex token,
                                  const JobContext& context) {
    TokenHistory history;
    std::vector<store::ProbeKey> keys;
    for (const store::ProbeKey& key : run.probes())
        if (key.variant == "trained") keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (context.stopRequested()) return stopped("Reading the token's history");
        context.progress(static_cast<std::int64_t>(i), static_cast<std::int64_t>(keys.size()), "Reading probes");
        auto table = run.probe(keys[i], router);
        if (!table) {
            history.notes.push_back(unreadProbe(keys[i].step, table.error()));
            if (history.notes.size() == keys.size()) return tl::unexpected(table.error());
            continue;
        }
        history.router = table->router;
        SampleRouting one;
        one.routing.push_back(ofSample(*table, sample));
        std::vector<TokenReading> path = tokenPath(one, modality, token, {});
        // The pair stands for the sample where it ran as one, as in the overlay.
        std::stable_sort(path.begin(), path.end(), [](const TokenReading& a, const TokenReading& b) { return a.objective > b.objective; });
        history.step.push_back(keys[i].step);
        const bool chosen = !path.empty() && !path.front().choices.empty();
        history.expert.push_back(chosen ? path.front().choices.front().expert : -1);
        history.weight.push_back(chosen ? path.front().choices.front().weight : 0);
    }
    if (history.step.empty())
        return jobFailed("No history of this token", "the run has no probes yet", "Probes are written with every checkpoint", run.folder().string());
    return history;
}

}  // namespace es::analysis
