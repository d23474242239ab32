// SPDX-License-Identifier: GPL-3.0-or-later
// Panels of one sample, one token, one expert: where the tokens went. Pure functions of recorded routing, or of the routing that the engine
// returned for a sample just run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/figures/panel_data.h"
#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/store/run_reader.h"

namespace es::analysis {

/// Attention that each token of a sample receives in one layer (session::AttentionReceived): the shares sum to 1 over patches and words.
struct AttentionMass {
    LayerIndex layer;
    std::vector<float> patches, words;
};

/// One sample and its routing through every router: from a probe, from a trace, or from a SampleResult of the engine (fill it directly).
struct SampleRouting {
    store::SampleRecord sample;
    std::vector<store::RoutingTable> routing;  ///< one a router, only this sample's tokens
    std::int64_t step = -1;                    ///< of the weights
    std::string source;                        ///< "probe", "trace" or "run"
    std::vector<std::string> notes;
    std::vector<AttentionMass> attention = {};  ///< one a layer; empty unless the engine was asked for it
};

/// "the caption is longer than the model takes: cut after 16 tokens".
[[nodiscard]] std::string cutNote(std::size_t tokens);

/// Reads a sample's routing: from the probe of `step` and `variant` (-1: the newest trained probe) when it holds the sample, else from the
/// traced step nearest to `step`, else (with a note) from the newest probe. Errors: unknown sample; recorded in neither (says which samples are).
[[nodiscard]] Result<SampleRouting> sampleRouting(const store::RunReader& run, std::uint64_t sample, std::int64_t step = -1,
                                                  const std::string& variant = "trained");

enum class OverlayMode : std::uint8_t {
    kExpert,
    kWeight,
    kEntropy,
    kMargin,       ///< boundaryMargin()
    kDropped,      ///< share of the token's assignments that found no slot
    kAttention,    ///< attention received, divided by an even share
    kProbability,  ///< one expert's router probability at every token
    kChanged,      ///< experts, with the tokens outlined that chose another one in what the sample is compared with
    kDifference,   ///< one expert's probability, minus that in what the sample is compared with
};
inline constexpr int kOverlayModes = 9;
/// "expert" "weight" "entropy" "margin" "dropped" "attention" "probability" "changed" "difference"
[[nodiscard]] std::string_view toString(OverlayMode mode);
[[nodiscard]] std::optional<OverlayMode> overlayModeFromString(std::string_view text);

/// The sample's routing in another run, in this run's words: its routers are those of the same layer and branch, and its experts carry the
/// numbers of the experts here that they match best, one to one, over the tokens of the two probes (expert numbers of two runs have nothing to do
/// with each other). Notes say how well they match. Steps as sampleRouting's. Errors: as sampleRouting's; no router in common.
[[nodiscard]] Result<SampleRouting> routingElsewhere(const store::RunReader& here, std::int64_t step_here, const store::RunReader& there,
                                                     std::int64_t step_there, std::uint64_t sample, const JobContext& context = {});

/// What a sample's routing is compared with: its routing at another checkpoint, in another run, or without an intervention.
struct OverlayOther {
    const SampleRouting* routing = nullptr;  ///< not owned
    std::string name;                        ///< "step 100"
    bool by_set = false;                     ///< a token changed when its experts differ as a set, else when the first does
};

struct OverlayOptions {
    LayerIndex layer = {};  ///< invalid: the first layer with a router
    OverlayMode mode = OverlayMode::kExpert;
    std::int32_t rank = 0;                              ///< 0 first choice, 1 second ...
    std::optional<Objective> patches = {}, words = {};  ///< which stream; empty: the pair when the sample ran as one, else image or text
    RouterId expert_router = {};                        ///< of `expert`: tokens of other routers have no value
    ExpertIndex expert = {};                            ///< kProbability, kDifference; invalid: the layer's first choice most often
    std::optional<OverlayOther> other = {};             ///< kChanged, kDifference; with any other mode changed tokens are outlined
};
/// Why the records cannot show a mode, as a sentence; empty when they can.
[[nodiscard]] std::string overlayMissing(const SampleRouting& routing, const OverlayOptions& options);
/// Experts on the sample's patches and words in one layer. Patches follow that layer's V (or pooled) router, words its T (or pooled) router;
/// a layer without one leaves cells at expert -1 and says so in the notes.
[[nodiscard]] Result<Panel> overlay(const SampleRouting& routing, const OverlayOptions& options = {});

/// Rows: routers ("V 1", "T 1"); columns: experts; value: share of the sample's tokens.
[[nodiscard]] Result<Panel> layerExpertMap(const SampleRouting& routing);

/// One token in one router, for the inspector.
struct TokenReading {
    store::RouterInfo router;
    Objective objective = Objective::kImage;
    struct Choice {
        std::int32_t expert = -1;
        float weight = 0;       ///< combine weight
        float probability = 0;  ///< NaN when the distribution was not recorded
        bool kept = true;
        std::int64_t place = -1;  ///< how many were served before; -1: not recorded
    };
    std::vector<Choice> choices;         ///< best first
    std::vector<float> probabilities_E;  ///< empty when not recorded
    double entropy_nats = kMissing, max_entropy_nats = kMissing, margin12 = kMissing, chosen_mass = kMissing;
    double boundary_margin = kMissing;  ///< as boundaryMargin(): of the experts that were really chosen
    std::int64_t slots = -1;            ///< of each expert for this token and those that compete with it; -1: not recorded, or without limit
    bool masked = false, dropped = false;
};
/// One row of a table.
[[nodiscard]] TokenReading readToken(const store::RoutingTable& table, std::int64_t row);
/// The token's way through all routers that saw it, layers ascending. Empty when none did.
[[nodiscard]] std::vector<TokenReading> tokenPath(const SampleRouting& routing, Modality modality, TokenIndex token, std::optional<Objective> objective = {});

/// Router probability of every expert for one token in one router; chosen experts emphasised.
[[nodiscard]] Result<Panel> tokenDistribution(const SampleRouting& routing, RouterId router, Modality modality, TokenIndex token,
                                              std::optional<Objective> objective = {});

/// The mean of that over several tokens; the notes say how many of them choose each expert first. Tokens that the router did not see
/// are left out and counted in the notes. Fails when it saw none.
[[nodiscard]] Result<Panel> tokensDistribution(const SampleRouting& routing, RouterId router, Modality modality, const std::vector<TokenIndex>& tokens);

/// Expert of one token at each checkpoint that has a probe of the sample.
struct TokenHistory {
    store::RouterInfo router;
    std::vector<std::int64_t> step;
    std::vector<std::int32_t> expert;  ///< -1: none
    std::vector<float> weight;
    std::vector<std::string> notes;  ///< probes that could not be read are left out and named
};
/// Fails when no probe can be read.
[[nodiscard]] Result<TokenHistory> tokenHistory(const store::RunReader& run, std::uint64_t sample, RouterId router, Modality modality, TokenIndex token,
                                                const JobContext& context = {});

enum class ChangeMeasure : std::uint8_t {
    kChurn,       ///< share of first choices that changed since the checkpoint before
    kSaturation,  ///< mean |A ∩ B| / k with the last checkpoint (OLMoE's router saturation)
};
/// One curve a router over the checkpoints' probes; `sample` restricts it to one sample. Chance (overlap k/E) is a line for saturation.
[[nodiscard]] Result<Panel> routingChange(const store::RunReader& run, ChangeMeasure measure, std::optional<std::uint64_t> sample = {}, RouterId router = {},
                                          const JobContext& context = {});

enum class CategoryValue : std::uint8_t {
    kShare,  ///< p(expert | category)
    kLift,   ///< p(expert | category) ÷ p(expert)
    kNpmi,
};
/// Categories of samples (rows, with their n) by experts; blank patches are a row of their own. step -1: the newest probe.
[[nodiscard]] Result<Panel> categoryByExpert(const store::RunReader& run, RouterId router, std::int64_t step = -1, CategoryValue value = CategoryValue::kLift);
/// Mutual information with its three baselines, one row a router: a table; verdict in the notes.
[[nodiscard]] Result<Panel> specialisationTable(const store::RunReader& run, std::int64_t step = -1, const JobContext& context = {});
/// The same as bars: measured value emphasised beside random router, untrained and permutation.
[[nodiscard]] Result<Panel> specialisationBars(const store::RunReader& run, RouterId router, std::int64_t step = -1, const JobContext& context = {});
/// p(expert | modality) of one router's probe.
[[nodiscard]] Result<Panel> modalitySplitBars(const store::RunReader& run, RouterId router, std::int64_t step = -1);
/// N_ij / N_i of one router's probe (k > 1, or soft), or p(expert in `to` | expert in `from`) between two routers of the same tokens.
/// Experts `ordered` by clustering, so that those active together stand together, or by number.
[[nodiscard]] Result<Panel> coactivationMap(const store::RunReader& run, RouterId router, std::int64_t step = -1, bool ordered = false);
[[nodiscard]] Result<Panel> flowMap(const store::RunReader& run, RouterId from, RouterId to, std::int64_t step = -1);

}  // namespace es::analysis
