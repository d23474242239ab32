// SPDX-License-Identifier: GPL-3.0-or-later
// What libes_engine.so offers, behind its one exported symbol. No exception leaves it.
#include "engine/session/engine_library.h"

#include <exception>

#include "datasets/dataset.h"
#include "engine/base/logging_setup.h"
#include "engine/infer/expert_similarity.h"
#include "engine/infer/intervention_runner.h"
#include "engine/infer/sample_runner.h"
#include "engine/library/doctor.h"
#include "engine/library/in_process_session.h"
#include "engine/library/reference_runner.h"
#include "engine/tokenizer/tokenizer_cache.h"
#include "engine/train/device.h"
#include "engine/train/run_estimate.h"
#include "engine/train/trainer.h"

namespace es::engine {
namespace {

template <class Work>
auto guarded(const char* what, Work&& work) -> decltype(work()) {
    try {
        return work();
    } catch (const std::exception& problem) {
        return jobFailed(what, problem.what(), "Report this with the command that caused it");
    }
}

session::DataReport toSession(const datasets::Report& report) {
    session::DataReport out;
    out.set = report.set;
    out.cache = report.cache;
    out.samples = report.samples;
    out.pictures = report.pictures;
    out.captions = report.captions;
    out.pairs = report.pairs;
    out.found = report.found;
    out.distinct_captions = report.distinct_captions;
    out.duplicates = report.duplicates;
    out.train = report.train;
    out.validation = report.validation;
    out.test = report.test;
    out.vocabulary = report.vocabulary;
    out.seconds = report.seconds;
    for (const auto& problem : report.problems) out.problems.push_back({problem.path, problem.why});
    for (const auto& note : report.notes) out.notes.push_back({note.path, note.why});
    return out;
}

class Library final : public session::EngineLibrary {
public:
    std::unique_ptr<session::EngineSession> makeSession() override { return makeInProcessSession(samples_); }

    Status train(const session::TrainRequest& request, const session::TrainHooks& hooks, const JobContext& context) override {
        return engine::train(request, hooks, context);
    }
    Result<session::TrainEstimate> estimateTraining(const session::TrainRequest& request) override {
        return guarded("Cannot estimate the run", [&] { return engine::estimateTraining(request); });
    }
    Result<session::SampleResult> runSample(const session::SampleRequest& request, const JobContext& context) override {
        return samples_->run(request, context);
    }
    Result<session::InterventionResult> evaluateInterventions(const session::InterventionRequest& request, const JobContext& context) override {
        return engine::evaluateInterventions(request, context);
    }
    Status evaluateVariants(const session::VariantRequest& request, const session::VariantSink& sink, const JobContext& context) override {
        return engine::evaluateVariants(request, sink, context);
    }
    Result<std::vector<store::ExpertSimilarity>> expertSimilarity(const session::SimilarityRequest& request, const JobContext& context) override {
        return engine::expertSimilarity(request, context);
    }
    std::vector<session::DatasetInfo> listDatasets(const std::filesystem::path& cache) override {
        std::vector<session::DatasetInfo> out;
        try {
            for (const auto& set : datasets::list(cache)) out.push_back({set.name, set.description, set.license, set.available, set.remedy, set.samples});
        } catch (const std::exception& problem) {
            out.push_back({"unknown", "The data sets cannot be listed", "", false, problem.what(), 0});
        }
        return out;
    }
    Result<session::DataReport> prepareData(const config::DataOptions& options, const JobContext& context) override {
        return guarded("Cannot prepare the data", [&]() -> Result<session::DataReport> { return datasets::prepare(options, context).map(toSession); });
    }
    Result<session::DataReport> checkData(const config::DataOptions& options, const JobContext& context) override {
        return guarded("Cannot check the data", [&]() -> Result<session::DataReport> { return datasets::check(options, context).map(toSession); });
    }
    Result<session::TokenizerReport> trainImageTokenizer(const config::RunConfig& config, const JobContext& context) override {
        return guarded("Cannot train the picture tokenizer", [&] { return makeTokenizer(config, context); });
    }
    session::DoctorReport doctor() override {
        try {
            return inspectMachine();
        } catch (const std::exception& problem) {
            return {{{"engine", problem.what(), false}}};
        }
    }
    Status checkDevice(const std::string& device) override { return checkReferenceDevice(device); }
    Result<NamedArrays> runReference(const reference::Call& call, const std::string& device) override { return runReferenceCase(call, device); }

private:
    std::shared_ptr<SampleRunner> samples_ = std::make_shared<SampleRunner>();
};

}  // namespace
}  // namespace es::engine

extern "C" __attribute__((visibility("default"))) es::session::EngineLibrary* es_make_engine_library() {
    // Before anything asks Torch about CUDA: the first question settles the answer for good.
    es::engine::loadCudaIfPresent();
    es::setUpLogging();
    return new es::engine::Library;
}
