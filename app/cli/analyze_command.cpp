// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>

#include <memory>

#include "analysis/report/analyze.h"
#include "app/cli/commands.h"
#include "app/cli/interrupt_watch.h"
#include "app/cli/output.h"

namespace es::app {
namespace {

struct AnalyzeArguments {
    std::string run;
    std::vector<std::string> metrics;
    std::int32_t layer = -1;
    std::int64_t checkpoint = -1;
    bool json = false, csv = false, list = false;
};

int analyze(const AnalyzeArguments& arguments) {
    InterruptWatch interrupt;
    ProgressLine line;
    const JobContext context = line.context(interrupt.token());
    auto reader = store::RunReader::open(arguments.run, context);
    if (!reader) return report(reader.error(), arguments.json);
    analysis::AnalyzeRequest request;
    request.metrics = arguments.metrics;
    request.layer = LayerIndex(arguments.layer);
    request.checkpoint = arguments.checkpoint;
    const auto result = analysis::analyzeRun(**reader, request, context);
    if (!result) return report(result.error(), arguments.json);
    fmt::print("{}\n", arguments.json ? toJson(*result) : arguments.csv ? toCsv(*result) : toText(*result));
    return 0;
}

int listMetrics() {
    for (const analysis::MetricInfo& metric : analysis::metricInfos()) fmt::print("{:<18} {}\n", metric.name, metric.help);
    return 0;
}

}  // namespace

void addAnalyzeCommand(CLI::App& program, Action& action) {
    auto arguments = std::make_shared<AnalyzeArguments>();
    CLI::App* command = program.add_subcommand("analyze", "Load, confidence, specialisation and their like of a recorded run");
    auto* run = command->add_option("run", arguments->run, "Run directory");
    command->add_option("--metric", arguments->metrics, "Only this metric; may be repeated")->allow_extra_args(false);
    command->add_option("--layer", arguments->layer, "Only this layer (from 0)")->check(CLI::NonNegativeNumber);
    command->add_option("--checkpoint", arguments->checkpoint, "Step of a probe; the newest unless given");
    auto* json = command->add_flag("--json", arguments->json, "Print JSON");
    command->add_flag("--csv", arguments->csv, "Print CSV")->excludes(json);
    command->add_flag("--list", arguments->list, "List the metrics");
    command->callback([arguments, run, &action] {
        if (!arguments->list && run->count() == 0) throw CLI::RequiredError("run");
        action = [arguments] { return arguments->list ? listMetrics() : analyze(*arguments); };
    });
}

}  // namespace es::app
