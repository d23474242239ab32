// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/interrupt_watch.h"
#include "app/cli/output.h"
#include "app/cli/routing_json.h"
#include "engine/session/engine_library.h"
#include "engine/store/routing_view.h"

namespace es::app {
namespace {

struct RunArguments {
    std::string run, image, caption;
    std::int64_t checkpoint = -1;
    std::vector<std::int32_t> maskedWords;
    bool json = false;
};

/// The grid of first choices, or the words with theirs: what a person reads in a terminal.
void print(const session::SampleResult& result) {
    for (const store::RoutingTable& table : result.routing) {
        const store::RoutingView view(table);
        fmt::print("layer {} · {}-router · {} experts\n", table.router.layer.value, toString(table.router.branch), table.router.experts);
        for (std::int64_t token = 0; token < table.tokens; ++token) {
            const auto at = static_cast<std::size_t>(token);
            const ExpertIndex expert = view.firstChoice(token);
            if (table.modality_T[at] == Modality::kVision) {
                const auto width = static_cast<std::uint16_t>(std::max(1, result.sample.grid_width));
                fmt::print("{:>4}{}", expert.value, (table.position_T[at] + 1) % width == 0 ? "\n" : "");
            } else {
                const std::size_t position = table.position_T[at];
                const std::string word = position < result.sample.token_texts.size() ? result.sample.token_texts[position] : "?";
                fmt::print("  {:<16} {:>4}\n", word, expert.value);
            }
        }
    }
    for (const session::WordPrediction& prediction : result.predictions) {
        fmt::print("word {}:", prediction.position);
        for (std::size_t i = 0; i < prediction.words.size(); ++i) fmt::print(" {} {:.2f}", prediction.words[i], prediction.probabilities[i]);
        fmt::print("\n");
    }
}

nlohmann::json document(const session::SampleResult& result) {
    nlohmann::json routing = nlohmann::json::array(), predictions = nlohmann::json::array();
    for (const auto& table : result.routing) routing.push_back(toJson(table));
    for (const auto& p : result.predictions) predictions.push_back({{"position", p.position}, {"words", p.words}, {"probabilities", p.probabilities}});
    return {{"schema", "expertscope.run.1"},
            {"caption", result.sample.caption},
            {"words", result.sample.token_texts},
            {"grid", {{"width", result.sample.grid_width}, {"height", result.sample.grid_height}}},
            {"routing", routing},
            {"predictions", predictions},
            {"elapsed_ms", result.elapsed_ms}};
}

int runSample(const RunArguments& arguments) {
    InterruptWatch interrupt;
    if (arguments.image.empty() && arguments.caption.empty())
        return report({ErrorKind::kWrongCall, "Nothing to run", "neither --image nor --caption is given", "Give one or both", {}}, arguments.json);
    auto library = session::loadEngineLibrary();
    if (!library) return report(library.error(), arguments.json);
    session::SampleRequest request;
    request.run = arguments.run;
    request.checkpoint = arguments.checkpoint;
    request.image_file = arguments.image;
    request.caption = arguments.caption;
    request.masked_words = arguments.maskedWords;
    ProgressLine line;
    const auto result = (*library)->runSample(request, line.context(interrupt.token()));
    if (!result) return report(result.error(), arguments.json);
    if (arguments.json) printJson(document(*result));
    else print(*result);
    return 0;
}

}  // namespace

void addRunCommand(CLI::App& program, Action& action) {
    auto arguments = std::make_shared<RunArguments>();
    CLI::App* command = program.add_subcommand("run", "One picture and caption through a checkpoint: which expert takes which token");
    command->add_option("run", arguments->run, "Run directory")->required();
    command->add_option("--image", arguments->image, "Picture file");
    command->add_option("--caption", arguments->caption, "Caption");
    command->add_option("--checkpoint", arguments->checkpoint, "Step of the checkpoint; the newest unless given");
    command->add_option("--mask-word", arguments->maskedWords, "Hide the word at this position and predict it; may be repeated")->allow_extra_args(false);
    command->add_flag("--json", arguments->json, "Print JSON");
    command->callback([arguments, &action] { action = [arguments] { return runSample(*arguments); }; });
}

}  // namespace es::app
