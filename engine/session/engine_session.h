// SPDX-License-Identifier: GPL-3.0-or-later
// The one door to the engine. No tensor and no Qt type crosses it: messages are plain structs.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/config/run_config.h"
#include "engine/store/records.h"

namespace es::session {

struct TrainRequest {
    config::RunConfig config;
    std::filesystem::path out;  ///< run directory
    bool resume = false;        ///< go on from the newest complete checkpoint
};

/// Acts on the model inside one layer's router, on logits before selection.
struct Intervention {
    enum class Kind { kBan, kForce, kSilence, kSwap };
    Kind kind = Kind::kBan;
    LayerIndex layer;
    Branch branch = Branch::kVision;
    ExpertIndex expert;
    ExpertIndex other;  ///< for kSwap
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
};

struct WordPrediction {
    std::int32_t position = 0;
    std::vector<std::string> words;  ///< best first
    std::vector<float> probabilities;
};

struct SampleResult {
    store::SampleRecord sample;                ///< as the model saw it
    std::vector<store::RoutingTable> routing;  ///< one a router, with probs_TE
    std::vector<WordPrediction> predictions;   ///< of the masked words
    double elapsed_ms = 0;
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
