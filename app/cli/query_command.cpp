// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "analysis/figures/nearest.h"
#include "analysis/query/named_sets.h"
#include "analysis/report/query_report.h"
#include "app/cli/commands.h"
#include "app/cli/interrupt_watch.h"
#include "app/cli/output.h"

namespace es::app {
namespace {

struct QueryArguments {
    std::string run, query, save, remove;
    std::int64_t checkpoint = -1;
    bool json = false, csv = false, list = false;
};

int listSets(const store::RunReader& run, const QueryArguments& arguments) {
    const auto sets = store::Annotations(run.folder()).namedSets();
    if (!sets) return report(sets.error(), arguments.json);
    fmt::print("{}\n", arguments.json ? analysis::setsToJson(*sets) : analysis::setsToText(*sets));
    return 0;
}

int removeSet(const store::RunReader& run, const QueryArguments& arguments) {
    const store::Annotations annotations(run.folder());
    const auto sets = annotations.namedSets();
    if (!sets) return report(sets.error(), arguments.json);
    std::vector<std::string> names;
    for (const store::NamedSet& set : *sets) names.push_back(set.name);
    if (std::find(names.begin(), names.end(), arguments.remove) == names.end())
        return report({ErrorKind::kBadInput, fmt::format("Cannot remove the set \"{}\"", arguments.remove), "the run has no set of this name",
                       names.empty() ? "It has no sets at all" : analysis::knownNames(arguments.remove, names), run.folder().string()},
                      arguments.json);
    if (auto removed = annotations.removeSet(arguments.remove); !removed) return report(removed.error(), arguments.json);
    return listSets(run, arguments);
}

int query(const QueryArguments& arguments) {
    InterruptWatch interrupt;
    ProgressLine line;
    const JobContext context = line.context(interrupt.token());
    auto reader = store::RunReader::open(arguments.run, context);
    if (!reader) return report(reader.error(), arguments.json);
    const store::RunReader& run = **reader;
    if (arguments.list) return listSets(run, arguments);
    if (!arguments.remove.empty()) return removeSet(run, arguments);
    auto sets = store::Annotations(run.folder()).namedSets();
    if (!sets) return report(sets.error(), arguments.json);
    auto set = analysis::resolveSet(arguments.query, *sets);
    if (!set) return report(set.error(), arguments.json);
    auto parsed = analysis::readQuery(set->query);
    if (!parsed) return report(parsed.error(), arguments.json);
    auto index = analysis::QueryIndex::make(run, {arguments.checkpoint, analysis::queryCacheFolder()}, context);
    if (!index) return report(index.error(), arguments.json);
    const auto begin = std::chrono::steady_clock::now();
    auto answer = (*index)->answer(*parsed, context);
    const double milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    if (!answer) return report(answer.error(), arguments.json);
    auto result = analysis::queryReport(run, std::move(*answer), milliseconds);
    if (!result) return report(result.error(), arguments.json);
    if (!arguments.save.empty()) {
        if (auto saved = analysis::saveSet(run, arguments.save, set->query); !saved) return report(saved.error(), arguments.json);
        result->saved_as = arguments.save;
    }
    fmt::print("{}\n", arguments.json ? toJson(*result) : arguments.csv ? toCsv(*result) : toText(*result));
    return 0;
}

std::string grammar() {
    std::string text =
        "A query is one or more conditions joined by 'and', 'or' and ',' (which binds last); 'not' negates one, parentheses group.\n"
        "A token is found when one router that saw it satisfies all; 'expert 5 in 6.v' names the router of one condition.\n\n";
    for (const analysis::QueryFieldInfo& field : analysis::queryFields()) text += fmt::format("  {:<22} {}\n", field.example, field.help);
    text += "\nExamples:\n";
    for (const std::string& example : analysis::queryExamples()) text += fmt::format("  expertscope query runs/demo \"{}\"\n", example);
    return text;
}

}  // namespace

void addQueryCommand(CLI::App& program, Action& action) {
    auto arguments = std::make_shared<QueryArguments>();
    CLI::App* command = program.add_subcommand("query", "Samples and tokens of a run that fit conditions; saved as sets for analyses");
    command->footer(grammar());
    command->add_option("run", arguments->run, "Run directory")->required();
    auto* text = command->add_option("query", arguments->query, "What to look for, or the name of a saved set");
    command->add_option("--checkpoint", arguments->checkpoint, "Step of a probe; the newest unless given");
    auto* save = command->add_option("--save", arguments->save, "Keep the query under this name, for 'analyze --set NAME' and the window");
    auto* list = command->add_flag("--list", arguments->list, "List the saved sets");
    auto* remove = command->add_option("--remove", arguments->remove, "Forget the saved set of this name");
    auto* json = command->add_flag("--json", arguments->json, "Print JSON");
    command->add_flag("--csv", arguments->csv, "Print CSV: one line a token, or a sample")->excludes(json);
    list->excludes(save)->excludes(remove);
    remove->excludes(save);
    command->callback([arguments, text, list, remove, &action] {
        if (text->count() == 0 && list->count() == 0 && remove->count() == 0) throw CLI::RequiredError("query");
        action = [arguments] { return query(*arguments); };
    });
}

}  // namespace es::app
