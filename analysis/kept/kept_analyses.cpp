// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/kept/kept_analyses.h"

#include <spdlog/fmt/fmt.h>

#include "engine/base/files.h"
#include "engine/store/annotations.h"

namespace es::analysis {
namespace {

constexpr std::uintmax_t kKeptBytes = std::uintmax_t{256} << 20;

std::filesystem::path keptFolder() {
    const std::filesystem::path cache = userCacheFolder();
    return cache.empty() ? cache : cache / "analyses";
}

std::string questionOf(const SpecialisationOptions& options) {
    std::string text = fmt::format("{} {} {} {} {} {} {} {} {}", options.permutations, options.most_permutations, options.quantile, options.seed,
                                   options.wanted_draws, options.alpha, options.min_label_tokens, options.most_preferences, options.chosen_by_routing);
    for (const LabelKind kind : options.labels) text += fmt::format(" {}", static_cast<int>(kind));
    return text;
}

std::string questionOf(const ChosenSet& set) {
    return set.everything ? "everything" : fmt::format("{} {} {:x}", set.name, set.query, set.tokens.fingerprint());
}

}  // namespace

std::string runState(const store::RunReader& run) {
    const store::RunStatus status = run.status();
    std::string text = fmt::format("{} {} {} {} {:.6f} {:.6f}", run.provenance().run_uuid, static_cast<int>(status.state), status.attempts, status.step,
                                   status.started_s, status.updated_s);
    for (const store::ProbeKey& probe : run.probes()) text += fmt::format(" {}:{}", probe.step, probe.variant);
    for (const std::int64_t step : run.evaluations()) text += fmt::format(" e{}", step);
    for (const std::string& warning : status.warnings) text += " w" + warning;
    const std::filesystem::path annotations = store::Annotations(run.folder()).file();
    std::error_code error;
    const auto written = std::filesystem::last_write_time(annotations, error);
    if (!error) text += fmt::format(" a{} {}", written.time_since_epoch().count(), std::filesystem::file_size(annotations, error));
    return text;
}

KeptAnalyses::KeptAnalyses() : KeptAnalyses(keptFolder()) {}
KeptAnalyses::KeptAnalyses(std::filesystem::path folder) : cache_(std::move(folder), kKeptBytes) {}

std::string KeptAnalyses::keyOf(const store::RunReader& run, const std::string& question) const {
    if (run.provenance().run_uuid.empty()) return {};
    return fmt::format("analysis {}\n{}\n{}", kAnalysisVersion, runState(run), question);
}

Result<AnalyzeResult> keptAnalysis(const KeptAnalyses& kept, const store::RunReader& run, const AnalyzeRequest& request, const JobContext& context) {
    std::string question =
        fmt::format("analyze {} {} {} {}", request.layer.value, request.checkpoint, questionOf(request.specialisation), questionOf(request.set));
    for (const std::string& metric : request.metrics) question += " " + metric;
    if (request.against) question += "\nagainst " + runState(*request.against);
    return kept.get<AnalyzeResult>(run, question, [&] { return analyzeRun(run, request, context); });
}

Result<std::vector<Specialisation>> keptSpecialisation(const KeptAnalyses& kept, const store::RunReader& run, const ChosenSet& set, std::int64_t step,
                                                       const SpecialisationOptions& options, const JobContext& context) {
    const std::string question = fmt::format("specialisation {} {} {}", step, questionOf(options), questionOf(set));
    SpecialisationOptions of_set = options;
    of_set.chosen_by_routing = options.chosen_by_routing || set.chosenByRouting();
    return kept.get<std::vector<Specialisation>>(run, question, [&] { return specialisation(run, step, of_set, context); });
}

}  // namespace es::analysis
