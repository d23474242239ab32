// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>

#include <memory>

#include "analysis/kept/kept_analyses.h"
#include "analysis/query/named_sets.h"
#include "analysis/report/analyze.h"
#include "analysis/report/expert_report.h"
#include "app/cli/commands.h"
#include "app/cli/interrupt_watch.h"
#include "app/cli/output.h"

namespace es::app {
namespace {

struct AnalyzeArguments {
    std::string run, set, against;
    std::vector<std::string> metrics;
    std::int32_t layer = -1;
    std::int64_t checkpoint = -1;
    bool json = false, csv = false, list = false, anew = false;
    std::string expert;  ///< "6.v:5": that expert instead of the whole run
    std::int32_t items = 24;
    std::uint64_t seed = 0;
    bool allOfSample = false;
};

int analyzeExpert(const AnalyzeArguments& arguments, const store::RunReader& reader, const std::string& within, const JobContext& context) {
    analysis::ExpertReportRequest request;
    request.expert = arguments.expert;
    request.parts = arguments.metrics;
    request.checkpoint = arguments.checkpoint;
    request.within = within;
    request.gallery.count = arguments.items;
    request.gallery.seed = arguments.seed;
    request.gallery.one_per_sample = !arguments.allOfSample;
    const auto found = analysis::expertReport(reader, request, context);
    if (!found) return report(found.error(), arguments.json);
    fmt::print("{}\n", arguments.json ? toJson(*found) : arguments.csv ? toCsv(*found) : toText(*found));
    return 0;
}

int analyze(const AnalyzeArguments& arguments) {
    InterruptWatch interrupt;
    ProgressLine line;
    const JobContext context = line.context(interrupt.token());
    auto reader = store::RunReader::open(arguments.run, context);
    if (!reader) return report(reader.error(), arguments.json);
    auto set = analysis::chooseSet(**reader, arguments.set, {arguments.checkpoint, analysis::queryCacheFolder()}, context);
    if (!set) return report(set.error(), arguments.json);
    if (!arguments.expert.empty()) return analyzeExpert(arguments, *analysis::restrictTo(*reader, *set), set->note(), context);
    analysis::AnalyzeRequest request;
    request.metrics = arguments.metrics;
    request.layer = LayerIndex(arguments.layer);
    request.checkpoint = arguments.checkpoint;
    if (!arguments.against.empty()) {
        auto other = store::RunReader::open(arguments.against, context);
        if (!other) return report(other.error(), arguments.json);
        request.against = std::move(*other);
    }
    request.set = std::move(*set);
    const auto result =
        arguments.anew ? analysis::analyzeRun(**reader, request, context) : analysis::keptAnalysis(analysis::KeptAnalyses(), **reader, request, context);
    if (!result) return report(result.error(), arguments.json);
    fmt::print("{}\n", arguments.json ? toJson(*result) : arguments.csv ? toCsv(*result) : toText(*result));
    return 0;
}

int listMetrics() {
    for (const analysis::MetricInfo& metric : analysis::metricInfos()) fmt::print("{:<18} {}\n", metric.name, metric.help);
    fmt::print("\nWith --expert, about that expert:\n");
    for (const analysis::MetricInfo& part : analysis::expertParts()) fmt::print("{:<18} {}\n", part.name, part.help);
    return 0;
}

}  // namespace

void addAnalyzeCommand(CLI::App& program, Action& action) {
    auto arguments = std::make_shared<AnalyzeArguments>();
    CLI::App* command = program.add_subcommand("analyze", "Load, confidence, specialisation and their like of a recorded run");
    auto* run = command->add_option("run", arguments->run, "Run directory");
    command->add_option("--metric", arguments->metrics, "Only this metric; may be repeated")->allow_extra_args(false);
    command->add_option("--set", arguments->set, "Only these tokens and samples: the name of a saved set, or a query (see 'expertscope query --help')");
    command->add_option("--against", arguments->against, "Another run on the same data: its experts are matched with this one's (seed_match)");
    command->add_option("--layer", arguments->layer, "Only this layer (from 0)")->check(CLI::NonNegativeNumber);
    command->add_option("--checkpoint", arguments->checkpoint, "Step of a probe; the newest unless given");
    auto* expert = command->add_option("--expert", arguments->expert, "One expert, as 6.v:5 (layer, branch, expert): what it takes, and what it is like");
    command->add_option("--items", arguments->items, "With --expert: tokens in each half of the gallery")->check(CLI::Range(1, 1000))->needs(expert);
    command->add_option("--seed", arguments->seed, "With --expert: of the gallery's random half")->needs(expert);
    command->add_flag("--all-of-sample", arguments->allOfSample, "With --expert: several tokens of one sample may stand in the gallery")->needs(expert);
    command->add_flag("--anew", arguments->anew, "Measure again, also what was measured and kept before");
    auto* json = command->add_flag("--json", arguments->json, "Print JSON");
    command->add_flag("--csv", arguments->csv, "Print CSV")->excludes(json);
    command->add_flag("--list", arguments->list, "List the metrics");
    command->callback([arguments, run, &action] {
        if (!arguments->list && run->count() == 0) throw CLI::RequiredError("run");
        action = [arguments] { return arguments->list ? listMetrics() : analyze(*arguments); };
    });
}

}  // namespace es::app
