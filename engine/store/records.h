// SPDX-License-Identifier: GPL-3.0-or-later
// What a run records, as plain values. Written by the trainer through RunWriter, read back through RunReader.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/scene_truth.h"
#include "engine/base/strong_ids.h"

namespace es::store {

/// The three shapes that routing takes. Fixed k: every token has k experts, best first. Ragged: 0..E experts a token (expert choice,
/// top-p). Dense mass: a weight for every (token, expert) (Soft MoE).
enum class RoutingLayout : std::uint8_t { kFixedK = 0, kRagged = 1, kDenseMass = 2 };

/// One row of a run's router table.
struct RouterInfo {
    RouterId id;
    LayerIndex layer;
    Branch branch = Branch::kAll;
    std::string kind;  ///< "softmax_topk", as in the configuration
    std::int32_t experts = 0;
    std::int32_t k = 0;
    RoutingLayout layout = RoutingLayout::kFixedK;
    bool operator==(const RouterInfo&) const = default;
};

/// A named number at a step. Names are paths with the unit last where there is one: "train/loss", "train/loss/pair_text",
/// "grad_norm/all", "grad_norm/router", "time/step_ms", "throughput/samples_per_s", "router/l1.v/entropy_nats", "eval/loss/image".
struct Scalar {
    std::string name;
    double value = 0;
};

/// How one router treated the tokens of one modality in one step. The cheapest tier: recorded every step, always.
struct LoadRecord {
    std::int64_t step = 0;
    RouterId router;
    Modality modality = Modality::kUnknown;
    std::int64_t tokens = 0;
    std::vector<std::uint32_t> counts_E;  ///< n_e: tokens that chose expert e, before capacity; 0 for dense mass
    std::vector<float> mass_E;            ///< sum over tokens of p_{t,e}
    std::uint32_t dropped = 0;            ///< assignments that found no slot
    float entropy_nats = 0;               ///< mean over tokens of H(p_t)
    float top1 = 0;                       ///< mean largest probability
    float logsumexp = 0;                  ///< mean over tokens
    float max_abs_logit = 0;
    float balance_loss = 0;  ///< unscaled, 1 at balance; NaN where the router has none
    float z_loss = 0;        ///< unscaled; NaN where the router has none
};

/// Load of each expert as the router's layout measures it: choices, or the mass where there are none (dense mass).
[[nodiscard]] inline std::vector<double> expertLoad(const RouterInfo& router, const LoadRecord& record) {
    if (router.layout == RoutingLayout::kDenseMass) return {record.mass_E.begin(), record.mass_E.end()};
    return {record.counts_E.begin(), record.counts_E.end()};
}

enum class Severity : std::uint8_t { kInfo = 0, kWarning = 1, kError = 2 };

/// Something that happened: started, resumed, checkpoint written, records dropped, non-finite value, stopped, finished.
struct Event {
    std::int64_t step = 0;
    double time_s = 0;  ///< seconds since the epoch
    Severity severity = Severity::kInfo;
    std::string kind;     ///< "run_started" "checkpoint" "trace_gap" "non_finite" "run_stopped" "run_finished" ...
    std::string message;  ///< a sentence
};

struct CheckpointInfo {
    std::int64_t step = 0;
    std::uint32_t attempt = 0;
    double validation_loss = 0;  ///< NaN when not evaluated
    std::string folder;          ///< relative to the run: "checkpoints/step-000000600"
    bool present = true;         ///< false once retention removed it
};

/// Routing of some tokens through one router, owning its columns. Token columns have T entries; assignments per layout.
struct RoutingTable {
    RouterInfo router;
    std::int64_t step = 0;
    std::int64_t tokens = 0;

    // Assignments. Fixed k: T*k, row-major, best first, offsets empty. Ragged: token t has [offsets[t], offsets[t+1]).
    // Dense mass: expert_ids empty, gates T*E.
    std::vector<std::uint16_t> expert_ids;
    std::vector<float> gates;        ///< combine weight of each assignment (stored as fp16)
    std::vector<std::uint8_t> kept;  ///< 1 when the assignment found a slot; empty: all kept
    std::vector<std::int64_t> offsets;
    /// Where experts have so many slots (probes): how many choices of the same expert, among tokens that compete with this one, were served before
    /// each assignment. It was kept when that is less than its token's `slots_T`. Both empty: without limit, or not recorded.
    std::vector<std::uint32_t> place;
    std::vector<std::uint32_t> slots_T;

    // Optional per token: empty when not recorded.
    std::vector<float> probs_TE;  ///< whole distribution (probes)
    std::vector<float> entropy_nats_T;
    std::vector<float> boundary_margin_T;  ///< p_(k) - p_(k+1)

    // Which token: always there.
    std::vector<std::uint64_t> sample_T;    ///< content hash of the sample
    std::vector<std::uint16_t> position_T;  ///< patch (row by row) or word index within the sample
    std::vector<Modality> modality_T;
    std::vector<std::int32_t> token_id_T;  ///< vocabulary id of a word, -1 for patches and unknown
    std::vector<std::uint8_t> masked_T;    ///< 1 where the model saw a mask instead
    std::vector<Objective> objective_T;    ///< which stream the token belongs to: a sample may occur as image, text and pair
};

/// Tokens in a row of one sample, objective and modality, at positions that count up.
struct TokenRun {
    std::uint64_t sample = 0;
    std::uint32_t tokens = 0;
    std::uint16_t position = 0;
    std::uint8_t objective = 0, modality = 0;
};

/// Which columns of a routing table are read; what is not asked for stays empty. Expert ids, offsets and the masses of dense routing always are.
struct RoutingColumns {
    bool gates = true, kept = true;  ///< kept: with place and slots
    bool tokens = true;              ///< sample, position, modality, objective, masked and token id, one entry a token
    bool confidence = true;          ///< entropy and margin
    bool probabilities = true;       ///< whole distributions
};

/// One router in one recorded step, as it comes by when a trace is streamed.
struct RoutingChunk {
    RoutingTable table;          ///< with the columns asked for
    std::vector<TokenRun> runs;  ///< which tokens they are, also when `tokens` was not asked for; they add up to table.tokens
};

/// An 8-bit RGBA picture, rows top down, alpha not multiplied in.
struct Picture {
    std::int32_t width = 0, height = 0;
    std::vector<std::uint8_t> rgba;
    [[nodiscard]] bool empty() const { return rgba.empty(); }
};

/// One sample as views need it: stored once a run in samples.h5, so a copied run draws everything.
struct SampleRecord {
    std::uint64_t hash = 0;  ///< of picture and caption
    std::string dataset;
    std::int64_t index = -1;  ///< within the data set
    Split split = Split::kNone;
    std::string caption;
    std::vector<std::int32_t> token_ids;   ///< as the model sees them, without padding
    std::vector<std::string> token_texts;  ///< one a token id, readable
    std::string category, subcategory, domain;
    std::string license, source;                   ///< SPDX or name; where the picture comes from
    Picture picture;                               ///< at the model's input size
    std::int32_t grid_width = 0, grid_height = 0;  ///< patches; 0 when there is no picture
    std::optional<SceneTruth> truth;               ///< of scenes that the product composed; none for all other data
};

/// Loss of one sample under one objective and one mask.
struct EvaluationRow {
    std::uint64_t sample = 0;
    Objective objective = Objective::kImage;
    std::int64_t mask_seed = 0;
    double loss = 0;           ///< mean over the masked tokens of this sample (nats for words)
    double trivial_loss = 0;   ///< of the trivial predictor on the same tokens
    std::int32_t targets = 0;  ///< masked tokens that count
    double accuracy = 0;       ///< share of masked words predicted right; NaN for pictures
    std::string variant;       ///< "" plain; "wrong_picture" for the control with another sample's picture
};

/// The whole of one evaluation.
struct Evaluation {
    std::int64_t step = 0;
    Split split = Split::kValidation;
    std::vector<EvaluationRow> rows;
};

/// Names one stored probe: the fixed probe set at one checkpoint, under one variant of the model.
struct ProbeKey {
    std::int64_t step = 0;
    std::string variant = "trained";  ///< "trained", "random-router-0".., or an intervention's hash. The untrained model is step 0.
    auto operator<=>(const ProbeKey&) const = default;
};

/// What a probe holds: one table a router, with probs_TE.
struct Probe {
    ProbeKey key;
    std::vector<RoutingTable> tables;
};

/// One step's trace of one router, as handed to the recorder. Token columns may be shared by the routers of a step.
using TraceUnit = RoutingTable;

/// Who made the run and with what. Free text keys are kept as they are.
struct Provenance {
    std::string run_uuid;
    std::string program_version, commit, torch_version, device, cpu, precision;
    std::int64_t threads = 0, data_threads = 0;
    std::int64_t seed = 0;
    std::string config_hash, group_hash, data_hash;
    double created_s = 0;
    std::int64_t parameters_total = 0, parameters_active = 0;
    double flops_per_step_active = 0, flops_per_step_total = 0;  ///< forward and backward of one step; active: chosen experts only
    std::int64_t samples_per_step = 0, tokens_per_step = 0;
    std::map<std::string, std::string> extra;
};

}  // namespace es::store
