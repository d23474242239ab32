// SPDX-License-Identifier: GPL-3.0-or-later
// Results of long analyses, kept from one time to the next: by run and its state, question and version. Disposable.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "analysis/kept/archive.h"
#include "analysis/kept/kept_types.h"
#include "analysis/report/analyze.h"
#include "engine/base/file_cache.h"

namespace es::analysis {

/// Rises when a kept analysis would come out differently: results of another version are not read.
inline constexpr int kAnalysisVersion = 2;

/// Names the state of a run: changes with every record that an analysis may see, annotations included.
[[nodiscard]] std::string runState(const store::RunReader& run);

class KeptAnalyses {
public:
    /// In the user's cache, 256 MiB at most; `folder` for tests.
    KeptAnalyses();
    explicit KeptAnalyses(std::filesystem::path folder);

    /// What was kept for the question, else what `compute` returns. Only what took long enough to be worth it is kept, and no errors.
    template <class T>
    [[nodiscard]] Result<T> get(const store::RunReader& run, const std::string& question, const std::function<Result<T>()>& compute) const {
        const std::string key = keyOf(run, question);
        if (key.empty()) return compute();
        if (const auto kept = cache_.get(key)) {
            T value;
            ArchiveReader in(*kept);
            in.get(value);
            if (in.ok()) return value;
        }
        const auto begin = std::chrono::steady_clock::now();
        Result<T> made = compute();
        // A run that grew meanwhile has another state: then nobody asks for this answer again.
        if (made && std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() >= worth_s_) {
            ArchiveWriter out;
            out.put(*made);
            cache_.put(key, out.take());
        }
        return made;
    }
    void keepAfterSeconds(double seconds) { worth_s_ = seconds; }

private:
    [[nodiscard]] std::string keyOf(const store::RunReader& run, const std::string& question) const;
    FileCache cache_;
    double worth_s_ = 0.1;
};

/// analyzeRun(), kept.
[[nodiscard]] Result<AnalyzeResult> keptAnalysis(const KeptAnalyses& kept, const store::RunReader& run, const AnalyzeRequest& request,
                                                 const JobContext& context = {});
/// specialisation(), kept. `set`: what `run` was cut down to.
[[nodiscard]] Result<std::vector<Specialisation>> keptSpecialisation(const KeptAnalyses& kept, const store::RunReader& run, const ChosenSet& set,
                                                                     std::int64_t step, const SpecialisationOptions& options = {},
                                                                     const JobContext& context = {});

}  // namespace es::analysis
