// SPDX-License-Identifier: GPL-3.0-or-later
// Loads the engine (LibTorch and all) into a running program, and what it then offers. Recorded runs open without it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/job_context.h"
#include "engine/base/result.h"
#include "engine/reference/operation.h"
#include "engine/session/engine_session.h"
#include "engine/store/annotations.h"

namespace es::session {

struct DatasetInfo {
    std::string name;  ///< "emoji"
    std::string description;
    std::string license;
    bool available = false;    ///< its source files are on this machine
    std::string remedy;        ///< the package to install when not
    std::int64_t samples = 0;  ///< of the prepared cache; 0 when not prepared
};

/// A damaged or unusable item, and why.
struct DataProblem {
    std::string path;
    std::string why;
};
struct DataReport {
    std::string set;
    std::string cache;  ///< file that holds the converted data; empty after a check
    std::int64_t found = 0, samples = 0, pictures = 0, captions = 0, pairs = 0, distinct_captions = 0, duplicates = 0;
    std::int64_t train = 0, validation = 0, test = 0;
    std::int64_t vocabulary = 0;  ///< pieces; 0 after a check
    double seconds = 0;
    std::vector<DataProblem> problems;  ///< damage
    std::vector<DataProblem> notes;     ///< worth knowing, nothing is damaged
};

/// A picture tokenizer that was trained, or that was there already.
struct TokenizerReport {
    std::string file;      ///< holds encoder, codebook and decoder
    std::string hash;      ///< of its content
    bool trained = false;  ///< false: it was in the cache
    std::int64_t codes = 0, code_width = 0, patch = 0, steps = 0;
    std::int64_t patches = 0;   ///< that it was judged on: of the validation split, or of the training split when that has none
    double reconstruction = 0;  ///< mean squared error of the scaled colours there
    double variance = 0;        ///< the same for the mean colour of all patches: the trivial predictor
    double perplexity = 0;      ///< exp of the entropy of the codes there
    std::int64_t unused = 0;    ///< codes that the patches of the training split never take
    std::int64_t revived = 0;   ///< codes that started again during training
    double seconds = 0;
};

struct DoctorReport {
    struct Line {
        std::string item, value;
        bool ok = true;
    };
    std::vector<Line> lines;
};

/// Parameters and FLOPs of one kind of part, or of the whole model. Active: with the chosen experts only.
struct PartCost {
    std::string name;
    std::int64_t parameters_total = 0, parameters_active = 0;
    double flops_per_step_active = 0, flops_per_step_total = 0;  ///< forward and backward of one step of the batch
};

/// The authors' count of a preset's parameters beside ours at the preset's own vocabulary and picture size.
struct PublishedComparison {
    std::string preset, source;
    std::string counts;  ///< what both counts include, in words
    double published = 0;
    std::int64_t ours = 0, ours_with_our_heads = 0;  ///< of what is counted; of everything, with the heads that our objectives have
};

/// Bytes.
struct MemoryNeed {
    double weights = 0, gradients = 0, moments = 0, activations = 0, working = 0;
    double available = 0;  ///< 0: unknown
    [[nodiscard]] double total() const { return weights + gradients + moments + activations + working; }
};

/// Bytes, at most: texts at their full length, every sample recorded.
struct DiskEstimate {
    double checkpoint = 0;
    std::int64_t checkpoints = 0;  ///< there at the same time
    double trace_step = 0, trace_run = 0, probes = 0, evaluations = 0, samples = 0, journal = 0;
    double free = 0;  ///< 0: unknown
    [[nodiscard]] double total() const { return checkpoint * static_cast<double>(checkpoints) + trace_run + probes + evaluations + samples + journal; }
};

struct EstimateWarning {
    std::string kind, message;  ///< "memory_short", "disk_short"; a sentence with a remedy
};

/// What a training run will cost.
struct TrainEstimate {
    std::string preset, ffn, device;
    std::vector<PartCost> parts;
    PartCost model;
    double flops_per_image = 0, flops_per_text = 0, flops_per_pair = 0;  ///< active, forward and backward of one sample
    std::optional<PublishedComparison> published;
    std::int64_t vocabulary = 0, image_size = 0, max_words = 0;
    bool prepared = false;  ///< the vocabulary is that of the prepared data; else the configuration's is assumed
    std::int64_t images_per_step = 0, texts_per_step = 0, pairs_per_step = 0, steps = 0;
    MemoryNeed memory;
    DiskEstimate disk;
    std::vector<EstimateWarning> warnings;
};

/// How a training job is steered from outside while it runs. Called from the training thread between steps.
struct TrainControl {
    bool pause = false, stop = false, checkpoint = false;
    std::optional<std::int64_t> trace_every;
};

struct TrainHooks {
    /// Asked before each step, and several times a second while paused. pause is a state: true as long as training is to wait.
    /// The others are requests, handed out once.
    std::function<TrainControl()> poll;
    std::function<void(const SessionSnapshot&)> onSnapshot;  ///< at most ten times a second
};

/// What the engine's shared library offers. All calls may take long; each honours its context's stop token.
class EngineLibrary {
public:
    virtual ~EngineLibrary() = default;
    /// An in-process session on a thread of its own.
    [[nodiscard]] virtual std::unique_ptr<EngineSession> makeSession() = 0;
    /// Trains on the calling thread until done or stopped. Stopped runs return an Error of kind kStopped after saving.
    [[nodiscard]] virtual Status train(const TrainRequest& request, const TrainHooks& hooks, const JobContext& context) = 0;
    /// What train would cost and need. Opens the prepared data for their vocabulary, when there are some; writes nothing, builds no model.
    [[nodiscard]] virtual Result<TrainEstimate> estimateTraining(const TrainRequest& request) = 0;
    [[nodiscard]] virtual Result<SampleResult> runSample(const SampleRequest& request, const JobContext& context) = 0;
    /// Needs the run's data, prepared, to be the ones that it was trained on.
    [[nodiscard]] virtual Result<InterventionResult> evaluateInterventions(const InterventionRequest& request, const JobContext& context) = 0;
    /// The same for several sets of interventions. `sink` gets each as soon as it is done, so that what was done is kept when the rest is stopped.
    [[nodiscard]] virtual Status evaluateVariants(const VariantRequest& request, const VariantSink& sink, const JobContext& context) = 0;
    /// By weights, router rows and outputs (store::ExpertSimilarity names the measures), on the run's own probe samples: needs no data set.
    [[nodiscard]] virtual Result<std::vector<store::ExpertSimilarity>> expertSimilarity(const SimilarityRequest& request, const JobContext& context) = 0;
    [[nodiscard]] virtual std::vector<DatasetInfo> listDatasets(const std::filesystem::path& cache) = 0;
    [[nodiscard]] virtual Result<DataReport> prepareData(const config::DataOptions& options, const JobContext& context) = 0;
    [[nodiscard]] virtual Result<DataReport> checkData(const config::DataOptions& options, const JobContext& context) = 0;
    /// The picture tokenizer that the configuration describes for its data, which are prepared when need be: from the cache, else trained.
    [[nodiscard]] virtual Result<TokenizerReport> trainImageTokenizer(const config::RunConfig& config, const JobContext& context) = 0;
    /// Versions, devices, precision support.
    [[nodiscard]] virtual DoctorReport doctor() = 0;
    /// Fails when "cuda" is asked for and there is no GPU that can be used, or the name is no device.
    [[nodiscard]] virtual Status checkDevice(const std::string& device) = 0;
    /// Computes a checked reference case of an operation of the engine with the parts that models are made of. "out.NAME" for every output and,
    /// when the call asks for gradients, "grad.NAME" for every real input. An Error of kind kBadInput: the case turned out to be bad.
    [[nodiscard]] virtual Result<NamedArrays> runReference(const reference::Call& call, const std::string& device) = 0;
};

/// Loads libes_engine.so (RTLD_NOW | RTLD_LOCAL). Looked for, in this order: `library` when given; the file that the variable
/// EXPERTSCOPE_ENGINE names; <folder of the program>/../lib/libes_engine.so; <folder of the program>/libes_engine.so.
/// The library stays loaded for the life of the process. Fails with the loader's words when it or LibTorch is not there.
[[nodiscard]] Result<std::shared_ptr<EngineLibrary>> loadEngineLibrary(const std::filesystem::path& library = {});

/// The symbol that the library exports: `extern "C" es::session::EngineLibrary* es_make_engine_library();`
inline constexpr const char* kEngineLibrarySymbol = "es_make_engine_library";

}  // namespace es::session
