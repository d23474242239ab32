// SPDX-License-Identifier: GPL-3.0-or-later
#include <CLI/CLI.hpp>

#include <spdlog/fmt/fmt.h>

#include <array>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "analysis/figures/wording.h"
#include "analysis/query/named_sets.h"
#include "app/cli/commands.h"
#include "app/cli/interrupt_watch.h"
#include "app/cli/output.h"
#include "app/cli/run_kept.h"
#include "app/cli/run_report.h"
#include "engine/session/engine_library.h"
#include "engine/session/kept_results.h"
#include "engine/store/run_reader.h"

namespace es::app {
namespace {

using session::InterventionKind;

constexpr double kConfidence = 0.95;

struct RunArguments {
    std::string run, image, caption, maskedWordList, maskedPatchList, probe, set, causal = "ban";
    std::int64_t checkpoint = -1, forget = 0;
    std::int32_t layer = -1;
    std::vector<std::int32_t> maskedWords;
    std::array<std::vector<std::string>, session::kInterventionKinds> interventions;
    bool probing = false, json = false, attention = false;
    bool batch = false, similarity = false, keep = false, kept = false, forgetting = false;
};

constexpr const char* kGrammar =
    "Interventions change what a router does and may be repeated. Each is written LAYER[.BRANCH][:ARGUMENT][@TOKENS]:\n"
    "  LAYER     a layer with experts, from 0, or all\n"
    "  BRANCH    v, t, vl or all (a pool that branches share); every router of the layer unless given\n"
    "  ARGUMENT  experts 3,5-7, or a number: see each option\n"
    "  TOKENS    patch or word, and their positions 7-12,20 unless all are meant; all tokens unless given\n"
    "They act on logits before the router selects, in this order: random, swap, ban, drop-best, force, k; silence then acts on the gates.\n"
    "  expertscope run runs/demo --image cat.png --caption \"a cat\" --mask-words 1 --ban 1.v:3 --ban \"1.v:5@patch 7-12\"\n"
    "  expertscope run runs/demo --probe --ban 1.v:3\n"
    "  expertscope run runs/demo --probe --set \"category animal\" --ban 1.v:3\n"
    "See docs/interventions.md for what each does and which routers can obey.";

Result<std::vector<session::Intervention>> readInterventions(const RunArguments& arguments) {
    std::vector<session::Intervention> read;
    for (std::size_t kind = 0; kind < arguments.interventions.size(); ++kind)
        for (const std::string& text : arguments.interventions[kind]) {
            auto one = session::parseIntervention(static_cast<InterventionKind>(kind), text);
            if (!one) return tl::unexpected(one.error());
            read.push_back(std::move(*one));
        }
    return read;
}

Status addPositions(const std::string& list, const char* option, std::vector<std::int32_t>& positions) {
    if (list.empty()) return {};
    auto more = session::parseNumbers(list, fmt::format("Cannot read {} {}", option, list));
    if (!more) return tl::unexpected(more.error());
    positions.insert(positions.end(), more->begin(), more->end());
    return {};
}

/// The samples that --probe asks for; 0: all that the run evaluates.
Result<std::int64_t> probeSamples(const std::string& text) {
    if (text.empty()) return 0;
    std::int64_t samples = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), samples);
    if (problem == std::errc{} && end == text.data() + text.size() && samples >= 2) return samples;
    return wrongCall("Cannot read --probe " + text, "it is no number of samples of at least 2", "Write --probe, or for example --probe 200");
}

int runSample(const RunArguments& arguments, const std::vector<session::Intervention>& interventions) {
    InterruptWatch interrupt;
    if (arguments.image.empty() && arguments.caption.empty())
        return report({ErrorKind::kWrongCall,
                       "Nothing to run",
                       "neither --image nor --caption nor --probe is given",
                       "Give one or both of the first two, or --probe",
                       {}},
                      arguments.json);
    session::SampleRequest request;
    request.run = arguments.run;
    request.checkpoint = arguments.checkpoint;
    request.image_file = arguments.image;
    request.caption = arguments.caption;
    request.masked_words = arguments.maskedWords;
    request.interventions = interventions;
    request.attention = arguments.attention;
    if (Status read = addPositions(arguments.maskedWordList, "--mask-words", request.masked_words); !read) return report(read.error(), arguments.json);
    if (Status read = addPositions(arguments.maskedPatchList, "--mask-patches", request.masked_patches); !read) return report(read.error(), arguments.json);
    auto library = session::loadEngineLibrary();
    if (!library) return report(library.error(), arguments.json);
    ProgressLine line;
    const auto result = (*library)->runSample(request, line.context(interrupt.token()));
    if (!result) return report(result.error(), arguments.json);
    if (arguments.keep)
        if (Status kept = keepWithRun(arguments.run, session::keptResult(*result, request, result->sample.hash)); !kept)
            return report(kept.error(), arguments.json);
    if (arguments.json) printJson(sampleJson(*result, interventions));
    else fmt::print("{}", sampleText(*result));
    return 0;
}

int runHeldOut(const RunArguments& arguments, const std::vector<session::Intervention>& interventions) {
    InterruptWatch interrupt;
    if (!arguments.image.empty() || !arguments.caption.empty() || !arguments.maskedWords.empty() || !arguments.maskedWordList.empty() ||
        !arguments.maskedPatchList.empty())
        return report({ErrorKind::kWrongCall,
                       "Cannot run a sample and --probe together",
                       "--probe takes the run's own held-out samples and masks",
                       "Give one of the two",
                       {}},
                      arguments.json);
    const auto samples = probeSamples(arguments.probe);
    if (!samples) return report(samples.error(), arguments.json);
    const session::InterventionRequest request{arguments.run, arguments.checkpoint, interventions, *samples};
    const auto reader = store::RunReader::open(arguments.run);
    if (!reader) return report(reader.error(), arguments.json);
    ProgressLine line;
    const auto set = analysis::chooseSet(**reader, arguments.set, {-1, analysis::queryCacheFolder()}, line.context(interrupt.token()));
    if (!set) return report(set.error(), arguments.json);
    auto library = session::loadEngineLibrary();
    if (!library) return report(library.error(), arguments.json);
    const auto result = (*library)->evaluateInterventions(request, line.context(interrupt.token()));
    if (!result) return report(result.error(), arguments.json);
    const config::RunConfig& config = (*reader)->config();
    const auto kept = analysis::narrowedTo(session::keptResult(*result, interventions, *samples), *set);
    if (!kept) return report(kept.error(), arguments.json);
    if (arguments.keep)
        if (Status done = keepWithRun(arguments.run, *kept); !done) return report(done.error(), arguments.json);
    const auto families = analysis::SampleFamilies::of(**reader);
    if (!families) return report(families.error(), arguments.json);
    const auto changes = analysis::lossEffects(*kept, config, kConfidence, *families);
    const auto classes = analysis::classEffects(*kept, config, "total", kConfidence, analysis::kLeastClassSamples, *families);
    if (arguments.json) {
        auto document = interventionJson(*result, changes, classes, interventions);
        document["set"] = kept->set;
        printJson(document);
    } else {
        if (!kept->set.empty())
            fmt::print("{} in the set '{}'; re-routed tokens are of all held-out samples\n",
                       analysis::plural(static_cast<std::int64_t>(kept->names.size()), "held-out sample"), kept->set);
        fmt::print("{}", interventionText(*result, changes, classes));
    }
    return 0;
}

int runModel(const RunArguments& arguments) {
    if (arguments.kept) return listKept(arguments.run, arguments.json);
    if (arguments.forgetting) return forgetKept(arguments.run, arguments.forget, arguments.json);
    if (arguments.similarity) return runSimilarity(arguments.run, arguments.checkpoint, arguments.json);
    if (arguments.batch) {
        const auto samples = probeSamples(arguments.probe);
        if (!samples) return report(samples.error(), arguments.json);
        const auto kind = session::interventionKindFromString(arguments.causal);
        return runCausalBatch({arguments.run, arguments.checkpoint, *samples, kind.value_or(InterventionKind::kBan), arguments.layer, arguments.json});
    }
    const auto interventions = readInterventions(arguments);
    if (!interventions) return report(interventions.error(), arguments.json);
    return arguments.probing ? runHeldOut(arguments, *interventions) : runSample(arguments, *interventions);
}

std::vector<CLI::Option*> addInterventions(CLI::App& command, RunArguments& arguments) {
    std::vector<CLI::Option*> options;
    const auto add = [&](InterventionKind kind, const char* help) {
        options.push_back(command.add_option(fmt::format("--{}", toString(kind)), arguments.interventions[static_cast<std::size_t>(kind)], help)
                              ->allow_extra_args(false)
                              ->type_name("WHERE")
                              ->group("Interventions"));
    };
    add(InterventionKind::kBan, "Experts that cannot be chosen: the next best takes over (1.v:3,5)");
    add(InterventionKind::kForce, "Experts that are chosen first, with the gate that the router's rule gives (1.v:3)");
    add(InterventionKind::kSilence, "Experts whose gate is 0 where they are chosen; nobody takes over (1.v:3)");
    add(InterventionKind::kSwap, "Two experts whose logits are exchanged (1.v:2,5)");
    add(InterventionKind::kRandomRouter, "Router weights drawn anew from their initial distribution; the draw's number, 0 unless given (1.v:3)");
    add(InterventionKind::kOtherK, "So many experts are chosen instead of k (1.v:2)");
    add(InterventionKind::kDropBest, "So many of each token's best experts cannot be chosen (1.v:1)");
    return options;
}

}  // namespace

void addRunCommand(CLI::App& program, Action& action) {
    auto arguments = std::make_shared<RunArguments>();
    CLI::App* command =
        program.add_subcommand("run",
                               "One picture and caption, or the held-out samples, through a checkpoint: which expert takes which token, and what changes "
                               "when routers are interfered with");
    command->add_option("run", arguments->run, "Run directory")->required();
    CLI::Option* image = command->add_option("--image", arguments->image, "Picture file");
    CLI::Option* caption = command->add_option("--caption", arguments->caption, "Caption");
    CLI::Option* checkpoint = command->add_option("--checkpoint", arguments->checkpoint, "Step of the checkpoint; the newest unless given");
    CLI::Option* maskWord =
        command->add_option("--mask-word", arguments->maskedWords, "Hide the word at this position and predict it; may be repeated")->allow_extra_args(false);
    CLI::Option* maskWords = command->add_option("--mask-words", arguments->maskedWordList, "The same for several: 0,2-4");
    CLI::Option* maskPatches =
        command->add_option("--mask-patches", arguments->maskedPatchList, "Hide the patches at these positions, row by row from 0: 7-12,20");
    CLI::Option* probe =
        command
            ->add_option("--probe", arguments->probe,
                         "Held-out losses with and without the interventions, over this many samples of each stream; all that the run evaluates "
                         "unless given. Needs the run's data")
            ->expected(0, 1)
            ->type_name("[N]");
    CLI::Option* set = command
                           ->add_option("--set", arguments->set,
                                        "With --probe: only the held-out samples of this set that is saved with the run, or of a query (category animal)")
                           ->needs(probe);
    CLI::Option* attention = command->add_flag("--attention", arguments->attention, "With --json: also how much attention each token receives in each layer");
    const std::vector<CLI::Option*> interventions = addInterventions(*command, *arguments);
    CLI::Option* causal = command
                              ->add_option("--causal", arguments->causal,
                                           "Each expert banned alone (or with \"silence\" silenced) on the held-out samples: what it is needed for. Kept "
                                           "in the run; goes on where it was stopped")
                              ->expected(0, 1)
                              ->check(CLI::IsMember({"ban", "silence"}))
                              ->type_name("[ban|silence]")
                              ->group("Kept with the run");
    command->add_option("--layer", arguments->layer, "Only this layer of --causal (from 0)")
        ->check(CLI::NonNegativeNumber)
        ->needs(causal)
        ->group("Kept with the run");
    CLI::Option* similarity = command->add_flag("--similarity", arguments->similarity, "How alike the experts of each router are, by weights and by outputs")
                                  ->group("Kept with the run");
    CLI::Option* keep = command->add_flag("--keep", arguments->keep, "Keep the result and its recipe in the run")->group("Kept with the run");
    CLI::Option* kept = command->add_flag("--kept", arguments->kept, "List what is kept")->group("Kept with the run");
    CLI::Option* forget = command->add_option("--forget", arguments->forget, "Remove the kept result of this number")->group("Kept with the run");
    // Each of these is a whole errand: what would be left unheeded is refused.
    for (CLI::Option* errand : {causal, similarity, kept, forget}) {
        for (CLI::Option* other : {image, caption, maskWord, maskWords, maskPatches, attention, keep, set}) errand->excludes(other);
        for (CLI::Option* other : interventions) errand->excludes(other);
        for (CLI::Option* other : {causal, similarity, kept, forget})
            if (other != errand) errand->excludes(other);
        if (errand != causal) errand->excludes(probe);
        if (errand == kept || errand == forget) errand->excludes(checkpoint);
    }
    command->add_flag("--json", arguments->json, "Print JSON");
    command->footer(kGrammar);
    command->callback([arguments, probe, causal, forget, &action] {
        arguments->probing = probe->count() > 0;
        arguments->batch = causal->count() > 0;
        arguments->forgetting = forget->count() > 0;
        action = [arguments] { return runModel(*arguments); };
    });
}

}  // namespace es::app
