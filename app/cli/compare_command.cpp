// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>

#include <filesystem>
#include <memory>

#include "analysis/compare/comparison.h"
#include "analysis/report/analyze.h"
#include "app/cli/commands.h"
#include "app/cli/interrupt_watch.h"
#include "app/cli/output.h"

namespace es::app {
namespace {

struct CompareArguments {
    std::vector<std::string> baseline, candidate;
    std::string axis = "active-flops";
    bool json = false;
};

Result<analysis::RunGroup> openGroup(const std::vector<std::string>& folders, const JobContext& context) {
    analysis::RunGroup group;
    for (const std::string& folder : folders) {
        auto reader = store::RunReader::open(folder, context);
        if (!reader) return tl::unexpected(reader.error());
        if (group.name.empty()) group.name = (*reader)->config().run.name;
        group.runs.push_back({*reader, std::filesystem::path(folder).filename().string(), 0});
    }
    return group;
}

int compare(const CompareArguments& arguments) {
    InterruptWatch interrupt;
    ProgressLine line;
    const JobContext context = line.context(interrupt.token());
    auto baseline = openGroup(arguments.baseline, context);
    if (!baseline) return report(baseline.error(), arguments.json);
    auto candidate = openGroup(arguments.candidate, context);
    if (!candidate) return report(candidate.error(), arguments.json);
    analysis::CompareOptions options;
    options.axis = *analysis::xAxisFromString(arguments.axis);
    const auto comparison = compareGroups(analysis::Baseline(std::move(*baseline)), analysis::Candidate(std::move(*candidate)), options, context);
    if (!comparison) return report(comparison.error(), arguments.json);
    fmt::print("{}\n", arguments.json ? toJson(*comparison) : toText(*comparison));
    return 0;
}

}  // namespace

void addCompareCommand(CLI::App& program, Action& action) {
    auto arguments = std::make_shared<CompareArguments>();
    CLI::App* command = program.add_subcommand("compare", "Sparse against dense: held-out losses, cost and a verdict with its interval");
    command->add_option("--baseline", arguments->baseline, "Runs of the baseline: seeds of one configuration")->required();
    command->add_option("--candidate", arguments->candidate, "Runs of the candidate")->required();
    command->add_option("--axis", arguments->axis, "What the sides are compared at")
        ->check(CLI::IsMember({"active-flops", "total-flops", "samples", "tokens", "time", "memory"}));
    command->add_flag("--json", arguments->json, "Print JSON");
    command->callback([arguments, &action] { action = [arguments] { return compare(*arguments); }; });
}

}  // namespace es::app
