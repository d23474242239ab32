// SPDX-License-Identifier: GPL-3.0-or-later
// The one door to the engine. No tensor and no Qt type crosses it: messages are plain structs.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/config/run_config.h"
#include "engine/session/intervention.h"
#include "engine/store/records.h"

namespace es::session {

struct TrainRequest {
    config::RunConfig config;
    std::filesystem::path out;  ///< run directory
    bool resume = false;        ///< go on from the newest complete checkpoint
};

/// One picture and/or one caption through one checkpoint. Nothing is masked unless asked for.
struct SampleRequest {
    std::filesystem::path run;
    std::int64_t checkpoint = -1;                            ///< step; -1: newest
    std::filesystem::path image_file;                        ///< decoded by the engine; or
    store::Picture picture;                                  ///< pixels already at hand (pasted); both empty: text only
    std::string caption;                                     ///< empty: picture only
    std::vector<std::int32_t> masked_words, masked_patches;  ///< positions to hide
    std::vector<Intervention> interventions;
    bool attention = false;  ///< also tell how much attention each token receives
};

struct WordPrediction {
    std::int32_t position = 0;
    std::vector<std::string> words;  ///< best first
    std::vector<float> probabilities;
};

/// Loss of what was hidden in a sample, under one objective.
struct HiddenLoss {
    Objective objective = Objective::kImage;
    double loss = 0;  ///< mean over the targets (nats for words)
    std::int64_t targets = 0;
};

/// How much attention each token of a sample receives in one layer: softmax weights on it, mean over heads and over all of the sample's
/// tokens asking. Sums to 1 over the patches and words of the sample.
struct AttentionReceived {
    LayerIndex layer;
    std::vector<float> patches, words;  ///< row by row, in order; empty where the sample has none
};

/// What the model made of a sample.
struct SampleReading {
    std::vector<store::RoutingTable> routing;  ///< one a router, with probs_TE
    std::vector<WordPrediction> predictions;   ///< of the masked words
    std::vector<HiddenLoss> losses;            ///< of the objectives under which something was hidden
    std::vector<AttentionReceived> attention;  ///< one a layer, where it was asked for
};

/// Tokens of one router whose chosen experts (as a set) differ from those without the interventions.
struct Rerouted {
    RouterId router;
    std::vector<std::int64_t> tokens;  ///< rows of the router's table, ascending
};

struct SampleResult : SampleReading {
    std::int64_t step = -1;                 ///< of the checkpoint that answered
    store::SampleRecord sample;             ///< as the model saw it
    std::optional<SampleReading> baseline;  ///< the same without the interventions; none when there were none
    std::vector<Rerouted> rerouted;         ///< one a router, where there is a baseline
    std::string program_version;
    bool caption_cut = false;  ///< the caption has more words than the model takes: the rest was left out
    double elapsed_ms = 0;
};

/// The held-out samples of a run through one of its checkpoints, with and without interventions.
struct InterventionRequest {
    std::filesystem::path run;
    std::int64_t checkpoint = -1;  ///< step; -1: newest
    std::vector<Intervention> interventions;
    std::int64_t samples = 0;  ///< of each stream, evenly spaced; 0: those that the run evaluates
};

/// The same for several sets of interventions, one after the other: what needs no intervention is computed once.
struct VariantRequest {
    std::filesystem::path run;
    std::int64_t checkpoint = -1;                     ///< step; -1: newest
    std::vector<std::vector<Intervention>> variants;  ///< each a set of interventions that act together
    std::int64_t samples = 0;                         ///< as InterventionRequest's
};

/// What is known of a held-out sample besides its losses.
struct SampleName {
    std::uint64_t hash = 0;
    std::string category, caption;  ///< empty where the data have none
};

/// Losses of the same samples under the same masks as the run's evaluations.
struct InterventionResult {
    store::Evaluation baseline, changed;  ///< row by row the same samples, objectives and masks
    struct RouterChange {
        store::RouterInfo router;
        std::int64_t tokens = 0, rerouted = 0;  ///< of all samples
    };
    std::vector<RouterChange> routers;
    std::vector<SampleName> names;  ///< of the rows' samples, each once
    std::string program_version;
    double elapsed_ms = 0;
};

/// Takes the result of one variant, in order; an error ends the work and is its result.
using VariantSink = std::function<Status(std::size_t variant, const InterventionResult& result)>;

/// How alike the experts of a checkpoint's routers are.
struct SimilarityRequest {
    std::filesystem::path run;
    std::int64_t checkpoint = -1;    ///< step; -1: newest
    std::vector<RouterId> routers;   ///< empty: all
    std::int64_t max_tokens = 4096;  ///< of a router's tokens on the probe's samples, evenly spaced, at which outputs are compared
};

enum class SessionState : std::uint8_t { kIdle, kStarting, kTraining, kPaused, kStopping, kFinished, kFailed };
[[nodiscard]] std::string_view toString(SessionState state);

/// Where the session stands. A value: views poll it at 10-30 Hz.
struct SessionSnapshot {
    SessionState state = SessionState::kIdle;
    std::filesystem::path run;
    std::int64_t step = 0, steps = 0;
    double loss = 0;
    double step_ms = 0, samples_per_s = 0, eta_s = 0;
    std::string activity;  ///< "Preparing data", "Evaluating", "Writing checkpoint 300"
    Error error;           ///< when kFailed
};

/// Two implementations serve training: in this process, and a child process (the default of the window, so that running out of
/// memory never takes the window along). Live data always come from the run directory, never through here.
/// Thread: methods may be called from any one thread at a time; none blocks longer than it takes to hand over a message,
/// except runSample, which waits for its answer.
class EngineSession {
public:
    virtual ~EngineSession() = default;
    [[nodiscard]] virtual Status start(const TrainRequest& request) = 0;
    [[nodiscard]] virtual Status pause() = 0;
    [[nodiscard]] virtual Status resume() = 0;
    /// After the current step: saves a checkpoint and ends.
    [[nodiscard]] virtual Status stop() = 0;
    [[nodiscard]] virtual Status checkpointNow() = 0;
    /// Changes how often steps are traced (0 none) from the next step on.
    [[nodiscard]] virtual Status setTraceEvery(std::int64_t steps) = 0;
    [[nodiscard]] virtual Result<SampleResult> runSample(const SampleRequest& request, std::stop_token stop) = 0;
    [[nodiscard]] virtual SessionSnapshot snapshot() const = 0;
};

/// A session whose training runs in `program train ...`, told what to do through JSON lines on a local socket.
/// The child outlives the session only when detach is set before the session is destroyed.
class ChildSession : public EngineSession {
public:
    virtual void detach() = 0;
};
/// A child that was asked to stop (because its session is destroyed) and does not, is ended by a signal after this long, and killed
/// after as long again.
struct ChildOptions {
    std::chrono::milliseconds stop_patience{30'000};
};
[[nodiscard]] std::unique_ptr<ChildSession> makeChildSession(std::filesystem::path program, ChildOptions options = {});

}  // namespace es::session
