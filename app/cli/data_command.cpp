// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt_watch.h"
#include "app/cli/output.h"
#include "engine/config/config_io.h"
#include "engine/session/engine_library.h"

namespace es::app {
namespace {

constexpr std::size_t kProblemsShown = 20;

struct DataArguments {
    std::string set, config;
    std::vector<std::string> overrides;
    bool json = false;
};

nlohmann::json toJson(const std::vector<session::DataProblem>& problems) {
    nlohmann::json list = nlohmann::json::array();
    for (const session::DataProblem& problem : problems) list.push_back({{"path", problem.path}, {"why", problem.why}});
    return list;
}

nlohmann::json toJson(const session::DataReport& r) {
    return {{"schema", "expertscope.data.1"},
            {"set", r.set},
            {"cache", r.cache},
            {"found", r.found},
            {"pictures", r.pictures},
            {"captions", r.captions},
            {"pairs", r.pairs},
            {"distinct_captions", r.distinct_captions},
            {"duplicates", r.duplicates},
            {"train", r.train},
            {"validation", r.validation},
            {"test", r.test},
            {"seconds", r.seconds},
            {"damaged", r.problems.size()},
            {"problems", toJson(r.problems)},
            {"samples", r.samples},
            {"vocabulary", r.vocabulary},
            {"notes", toJson(r.notes)}};
}

void print(const session::DataReport& r) {
    fmt::print("{}: {} samples: {} with a picture, {} with a caption ({} distinct), {} with both; {} duplicates left out\n", r.set, r.samples, r.pictures,
               r.captions, r.distinct_captions, r.pairs, r.duplicates);
    if (r.found > r.samples + r.duplicates)
        fmt::print("found: {} in all; {} more are left out as damaged, of one colour or by a rule of the set\n", r.found, r.found - r.samples - r.duplicates);
    fmt::print("split: {} train, {} validation, {} test · {:.1f} s\n", r.train, r.validation, r.test, r.seconds);
    if (!r.cache.empty()) fmt::print("cache: {}\n", r.cache);
    for (std::size_t i = 0; i < std::min(r.problems.size(), kProblemsShown); ++i) fmt::print("damaged: {}: {}\n", r.problems[i].path, r.problems[i].why);
    if (r.problems.size() > kProblemsShown) fmt::print("and {} more; --json lists all\n", r.problems.size() - kProblemsShown);
    for (std::size_t i = 0; i < std::min(r.notes.size(), kProblemsShown); ++i) fmt::print("note: {}: {}\n", r.notes[i].path, r.notes[i].why);
    if (r.notes.size() > kProblemsShown) fmt::print("and {} more notes; --json lists all\n", r.notes.size() - kProblemsShown);
}

nlohmann::json toJson(const session::TokenizerReport& r) {
    return {{"schema", "expertscope.data_tokenizer.1"},
            {"file", r.file},
            {"hash", r.hash},
            {"trained", r.trained},
            {"codes", r.codes},
            {"code_width", r.code_width},
            {"patch", r.patch},
            {"steps", r.steps},
            {"patches", r.patches},
            {"reconstruction", r.reconstruction},
            {"variance", r.variance},
            {"perplexity", r.perplexity},
            {"unused", r.unused},
            {"revived", r.revived},
            {"seconds", r.seconds}};
}

void print(const session::TokenizerReport& r) {
    fmt::print("{}: {} codes for patches of {} x {} pixels, {} steps · {:.1f} s\n", r.trained ? "trained" : "already there", r.codes, r.patch, r.patch, r.steps,
               r.seconds);
    fmt::print("on {} patches: squared error {:.4f} of a variance of {:.4f} ({:.1f} %), perplexity {:.0f}\n", r.patches, r.reconstruction, r.variance,
               r.variance > 0 ? 100 * r.reconstruction / r.variance : 0.0, r.perplexity);
    fmt::print("codes that the training split never takes: {}; started again during training: {}\n", r.unused, r.revived);
    fmt::print("tokenizer: {}\n", r.file);
}

Result<config::RunConfig> configOf(const DataArguments& arguments) {
    config::RunConfig config;
    if (!arguments.config.empty()) {
        auto loaded = config::loadConfig(arguments.config);
        if (!loaded) return tl::unexpected(loaded.error());
        config = std::move(*loaded);
    }
    for (const std::string& assignment : arguments.overrides)
        if (Status status = config::applyOverride(config, assignment); !status) return tl::unexpected(status.error());
    if (!arguments.set.empty()) config.data.set = arguments.set;
    return config;
}

Result<config::DataOptions> optionsOf(const DataArguments& arguments) {
    return configOf(arguments).map([](const config::RunConfig& config) { return config.data; });
}

int list(const DataArguments& arguments) {
    const auto options = optionsOf(arguments);
    if (!options) return report(options.error(), arguments.json);
    auto library = session::loadEngineLibrary();
    if (!library) return report(library.error(), arguments.json);
    const auto sets = (*library)->listDatasets(options->cache);
    if (arguments.json) {
        nlohmann::json document{{"schema", "expertscope.data_list.1"}, {"sets", nlohmann::json::array()}};
        for (const auto& s : sets)
            document["sets"].push_back({{"name", s.name},
                                        {"description", s.description},
                                        {"license", s.license},
                                        {"available", s.available},
                                        {"remedy", s.remedy},
                                        {"samples", s.samples}});
        printJson(document);
        return 0;
    }
    for (const auto& s : sets) {
        fmt::print("{:<12} {} ({})\n", s.name, s.description, s.license);
        fmt::print("{:<12} {}\n", "", !s.available ? s.remedy : s.samples > 0 ? fmt::format("prepared: {} samples", s.samples) : "available, not prepared");
    }
    return 0;
}

int convert(const DataArguments& arguments, bool write) {
    InterruptWatch interrupt;
    const auto options = optionsOf(arguments);
    if (!options) return report(options.error(), arguments.json);
    auto library = session::loadEngineLibrary();
    if (!library) return report(library.error(), arguments.json);
    ProgressLine line;
    const JobContext context = line.context(interrupt.token());
    const auto result = write ? (*library)->prepareData(*options, context) : (*library)->checkData(*options, context);
    if (!result) return report(result.error(), arguments.json);
    if (arguments.json) printJson(toJson(*result));
    else print(*result);
    // Preparing goes on without the damaged ones; checking is asked for a verdict.
    return !write && !result->problems.empty() ? static_cast<int>(ErrorKind::kBadInput) : 0;
}

int makeTokenizer(const DataArguments& arguments) {
    InterruptWatch interrupt;
    const auto config = configOf(arguments);
    if (!config) return report(config.error(), arguments.json);
    if (Status valid = config::validate(*config, arguments.config); !valid) return report(valid.error(), arguments.json);
    auto library = session::loadEngineLibrary();
    if (!library) return report(library.error(), arguments.json);
    ProgressLine line;
    const auto result = (*library)->trainImageTokenizer(*config, line.context(interrupt.token()));
    if (!result) return report(result.error(), arguments.json);
    if (arguments.json) printJson(toJson(*result));
    else print(*result);
    return 0;
}

void addCommon(CLI::App* command, const std::shared_ptr<DataArguments>& arguments) {
    command->add_option("--set", arguments->overrides, "Change one key: data.key=value, or tokenizer.key=value; may be repeated")->allow_extra_args(false);
    command->add_flag("--json", arguments->json, "Print JSON");
}

}  // namespace

void addDataCommand(CLI::App& program, Action& action) {
    auto arguments = std::make_shared<DataArguments>();
    CLI::App* command = program.add_subcommand("data", "Data sets: what is there, converting, a report of what is damaged");
    command->require_subcommand(1);
    CLI::App* listing = command->add_subcommand("list", "The data sets and whether their sources are here");
    CLI::App* preparing = command->add_subcommand("prepare", "Convert a data set, or a folder of pictures with captions, for training");
    CLI::App* checking = command->add_subcommand("check", "Read everything, change nothing; exit 3 when something is damaged");
    CLI::App* coding = command->add_subcommand("tokenizer", "Train the picture tokenizer for model.image_target = \"codes\", as train does when it needs one");
    for (CLI::App* one : {listing, preparing, checking, coding}) addCommon(one, arguments);
    coding->add_option("set_or_folder", arguments->set, "Name of a data set, or a folder; otherwise the configuration's");
    coding->add_option("--config", arguments->config, "Configuration whose [data], model.patch and [tokenizer] count");
    coding->callback([arguments, &action] { action = [arguments] { return makeTokenizer(*arguments); }; });
    for (CLI::App* one : {preparing, checking}) one->add_option("set_or_folder", arguments->set, "Name of a data set, or a folder")->required();
    listing->callback([arguments, &action] { action = [arguments] { return list(*arguments); }; });
    preparing->callback([arguments, &action] { action = [arguments] { return convert(*arguments, true); }; });
    checking->callback([arguments, &action] { action = [arguments] { return convert(*arguments, false); }; });
}

}  // namespace es::app
