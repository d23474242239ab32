// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/open_state.h"

#include <spdlog/fmt/fmt.h>

#include <QFileInfo>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "engine/base/hash.h"
#include "engine/session/kept_results.h"
#include "engine/store/annotations.h"
#include "views/inspect/inspect_data.h"
#include "views/inspect/overlay_bar.h"

namespace es::app {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostNamed = 12;  // of what an error lists
constexpr std::string_view kOneExpert = "one-expert";

/// As the option names it.
std::string modeName(analysis::OverlayMode mode) { return std::string(mode == analysis::OverlayMode::kProbability ? kOneExpert : toString(mode)); }

std::optional<std::int64_t> wholeNumber(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || problem != std::errc() || end != text.data() + text.size()) return {};
    return value;
}

/// "1.v, 1.t, ... and 30 more"
std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), kMostNamed); ++i) text += (i ? ", " : "") + names[i];
    if (names.size() > kMostNamed) text += fmt::format(" and {} more", names.size() - kMostNamed);
    return text;
}

std::string listedSteps(std::vector<std::int64_t> steps) {
    std::vector<std::string> names;
    // The newest first: of many checkpoints these are looked for.
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) names.push_back(fmt::format("{}", *step));
    return listed(names);
}

std::string routerKey(const store::RouterInfo& router) { return fmt::format("{}.{}", router.layer.value, toString(router.branch)); }

Result<store::RouterInfo> routerOfLayer(const std::string& layer, const views::RunContents& contents) {
    std::vector<std::string> names;
    for (const auto& router : contents.routers) names.push_back(routerKey(router));
    const auto exact = std::find(names.begin(), names.end(), layer);
    if (exact != names.end()) return contents.routers[static_cast<std::size_t>(exact - names.begin())];
    if (const auto number = wholeNumber(layer)) {
        const LayerIndex index(static_cast<std::int32_t>(*number));
        const auto* router = contents.routerOf(index, Modality::kVision);
        if (!router) router = contents.routerOf(index, Modality::kText);
        if (router) return *router;
    }
    return badInput("Cannot use --layer", fmt::format("'{}' is no layer with a router here", layer), "There are " + listed(names));
}

Result<std::uint64_t> sampleNamed(const std::string& text, const views::RunContents& contents) {
    const auto count = contents.samples.size();
    const std::string there = fmt::format("Give a place in the list, 1 to {}, or the beginning of a hash, as in {}", count,
                                          count ? hashText(contents.samples.front().hash) : std::string());
    if (count == 0) return badInput("Cannot use --sample", "this run recorded no samples", "Train it with record.probe_samples above 0");
    if (const auto place = wholeNumber(text); place && text.size() < 8) {
        if (*place >= 1 && static_cast<std::size_t>(*place) <= count) return contents.samples[static_cast<std::size_t>(*place) - 1].hash;
        return badInput("Cannot use --sample", fmt::format("the list has {} samples and no place {}", count, *place), there);
    }
    std::vector<std::uint64_t> found;
    std::string begin = text;
    std::transform(begin.begin(), begin.end(), begin.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const auto& sample : contents.samples)
        if (begin.size() >= 4 && hashText(sample.hash).starts_with(begin)) found.push_back(sample.hash);
    if (found.size() == 1) return found.front();
    if (found.empty()) return badInput("Cannot use --sample", fmt::format("no sample of the run is called '{}'", text), there);
    return badInput("Cannot use --sample", fmt::format("the hashes of {} samples begin with '{}'", found.size(), text), "Give more of its digits");
}

struct NamedToken {
    Modality modality = Modality::kUnknown;
    TokenIndex token;
};

Result<NamedToken> tokenNamed(const std::string& text, const store::SampleRecord& sample) {
    const int rows = sample.grid_height, columns = sample.grid_width, words = static_cast<int>(sample.token_texts.size());
    std::string there;
    if (rows > 0 && columns > 0) there = fmt::format("patch 0,0 to {},{} (row, column), or patch 0 to {}", rows - 1, columns - 1, rows * columns - 1);
    if (words > 0) there += fmt::format("{}word 0 to {}", there.empty() ? "" : "; ", words - 1);
    const auto wrong = [&](const std::string& why) { return badInput("Cannot use --token", why, "The sample has " + (there.empty() ? "none" : there)); };
    const bool patch = text.starts_with("patch"), word = text.starts_with("word");
    const std::size_t name = patch ? 5 : 4;
    if ((!patch && !word) || text.size() <= name || (text[name] != ' ' && text[name] != ':'))
        return wrong(fmt::format("'{}' is neither 'patch ROW,COLUMN' nor 'word NUMBER'", text));
    const std::string place = text.substr(name + 1);
    const auto comma = place.find(',');
    std::optional<std::int64_t> at;
    if (patch && comma != std::string::npos) {
        const auto row = wholeNumber(place.substr(0, comma)), column = wholeNumber(place.substr(comma + 1));
        if (row && column && *row >= 0 && *column >= 0 && *row < rows && *column < columns) at = *row * columns + *column;
    } else {
        at = wholeNumber(place);
    }
    const std::int64_t most = patch ? std::int64_t{rows} * columns : words;
    if (!at || *at < 0 || *at >= most) return wrong(fmt::format("there is no {} here", text));
    return NamedToken{patch ? Modality::kVision : Modality::kText, TokenIndex(static_cast<std::int32_t>(*at))};
}

std::vector<std::int64_t> stepsOf(const views::RunContents& contents) {
    std::vector<std::int64_t> steps = contents.steps;
    for (const auto& checkpoint : contents.checkpoints)
        if (checkpoint.present) steps.push_back(checkpoint.step);
    std::sort(steps.begin(), steps.end());
    steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
    return steps;
}

Result<std::int64_t> stepNamed(const std::string& option, const std::string& text, const views::RunContents& contents) {
    const auto steps = stepsOf(contents);
    const auto number = wholeNumber(text);
    if (number && std::find(steps.begin(), steps.end(), *number) != steps.end()) return *number;
    return badInput("Cannot use " + option, number ? fmt::format("no probe and no checkpoint is of step {}", text) : fmt::format("'{}' is no step", text),
                    steps.empty() ? "The run has none yet" : "There are those of steps " + listedSteps(steps));
}

Result<views::OverlayComparison> comparisonNamed(const std::string& text, const views::RunContents& contents, const fs::path& run) {
    using Kind = views::OverlayComparison::Kind;
    if (text == "before") return views::OverlayComparison{};
    if (wholeNumber(text)) {
        const auto step = stepNamed("--against", text, contents);
        if (!step) return tl::unexpected(step.error());
        return views::OverlayComparison{Kind::kStep, *step, {}};
    }
    const auto other = store::RunReader::open(text);
    if (!other) {
        Error error = other.error();
        error.remedy = "Give 'before', the directory of a run, or one of the steps " + listedSteps(contents.steps);
        return tl::unexpected(std::move(error));
    }
    std::error_code problem;
    if (fs::equivalent(text, run, problem)) return badInput("Cannot use --against", "that is the run itself", "Give another run, or a step of this one", text);
    return views::OverlayComparison{Kind::kRun, -1, QFileInfo(QString::fromStdString(text)).absoluteFilePath()};
}

/// Why the records cannot show the overlay like that; nothing where only the engine can tell.
Status checkMode(const OpenState& wanted, const views::Selection& selection, analysis::OverlayMode mode, const views::RunContents& contents,
                 const store::RunReader& run) {
    using analysis::OverlayMode;
    const auto wrong = [&](const std::string& why, const std::string& remedy) { return badInput("Cannot use --mode " + wanted.mode, why, remedy); };
    const auto* router = contents.router(selection.router);
    if (!router) return wrong("this run is dense: it has no routers", "Choose a run with experts");
    const bool of_expert = mode == OverlayMode::kProbability || mode == OverlayMode::kDifference;
    if (of_expert && !selection.expert.valid()) return wrong("it is of one expert", fmt::format("Say which: --expert 0 to {}", router->experts - 1));
    if (!selection.sample) return wrong("this run recorded no samples", "Train it with record.probe_samples above 0");
    const std::int64_t step = contents.probedStep(selection.step).value_or(-1);
    const bool compares = mode == OverlayMode::kChanged || mode == OverlayMode::kDifference;
    if (compares && wanted.against.empty() && (contents.steps.empty() || step == contents.steps.front()))
        return wrong(fmt::format("there is no checkpoint before step {}", step),
                     "Say what to compare with: --against STEP or RUN; there are steps " + listedSteps(contents.steps));
    if (mode == OverlayMode::kAttention) {
        const auto held = std::any_of(contents.checkpoints.begin(), contents.checkpoints.end(),
                                      [&](const store::CheckpointInfo& checkpoint) { return checkpoint.present && checkpoint.step == step; });
        if (!held) return wrong(fmt::format("attention is not recorded, and the checkpoint of step {} is gone", step), "Choose a step that has one");
        return {};
    }
    const auto routing = analysis::sampleRouting(run, *selection.sample, step);
    if (!routing) return {};  // no probe holds it: the engine answers
    analysis::OverlayOptions options;
    options.layer = router->layer;
    options.expert_router = router->id;
    options.expert = selection.expert;
    options.mode = mode == OverlayMode::kDifference ? OverlayMode::kProbability : mode;
    const std::string missing = mode == OverlayMode::kChanged ? std::string() : analysis::overlayMissing(*routing, options);
    if (missing.empty()) return {};
    std::vector<std::string> possible;
    for (int other = 0; other < analysis::kOverlayModes; ++other) {
        options.mode = static_cast<OverlayMode>(other);
        if (analysis::overlayMissing(*routing, options).empty()) possible.push_back(modeName(options.mode));
    }
    return wrong(missing, "This sample can be shown by " + listed(possible));
}

Result<analysis::OverlayMode> modeNamed(const std::string& text) {
    if (text == kOneExpert) return analysis::OverlayMode::kProbability;
    if (const auto mode = analysis::overlayModeFromString(text)) return *mode;
    std::vector<std::string> names;
    for (int mode = 0; mode < analysis::kOverlayModes; ++mode) names.push_back(modeName(static_cast<analysis::OverlayMode>(mode)));
    return wrongCall("Cannot use --mode", fmt::format("there is no mode '{}'", text), "There are " + listed(names));
}

Status useKept(const std::string& text, const store::RunReader& run, views::Selection& selection) {
    const auto kept = store::Annotations(run.folder()).results();
    if (!kept) return tl::unexpected(kept.error());
    std::vector<std::string> numbers;
    for (const auto& result : *kept) {
        if (result.purpose == "causal") continue;
        if (wholeNumber(text) == result.id) {
            selection.intervention = result.id;
            if (result.sample) selection.sample = *result.sample;
            selection.step = result.checkpoint;
            return {};
        }
        numbers.push_back(fmt::format("{}", result.id));
    }
    return badInput("Cannot use --kept", fmt::format("the run keeps no result {}", text),
                    numbers.empty() ? "It keeps none yet: 'expertscope run RUN --ban 1.v:3 --keep' makes one" : "It keeps " + listed(numbers));
}

}  // namespace

bool OpenState::empty() const { return *this == OpenState{}; }

Result<fs::path> stateRun(const std::vector<std::string>& paths) {
    const fs::path where = paths.empty() ? "runs" : fs::path(paths.front());
    const auto runs = store::listRuns(where);
    if (!runs) return tl::unexpected(runs.error());
    if (runs->size() == 1) return runs->front().folder;
    std::error_code problem;
    std::vector<std::string> names;
    for (const auto& run : *runs) {
        if (fs::equivalent(run.folder, where, problem)) return run.folder;
        names.push_back(run.name);
    }
    return wrongCall("Cannot choose what to show", fmt::format("{} is no run but a folder of {}", where.string(), runs->size()),
                     names.empty() ? "Name a run directory" : "Name one run's directory; there are " + listed(names));
}

Result<ResolvedState> resolveState(const OpenState& wanted, const store::RunReader& run) {
    auto contents = views::readContents(run);
    if (!contents) return tl::unexpected(contents.error());
    ResolvedState state;
    views::Selection& selection = state.selection;
    selection.run = QFileInfo(QString::fromStdString(run.folder().string())).absoluteFilePath();
    selection.workspace = QStringLiteral("inspect");
    if (contents->routers.empty() && !(wanted.layer.empty() && wanted.expert.empty()))
        return badInput("Cannot choose a layer or an expert", "this run is dense: it has no routers", "Choose a run with experts", run.folder().string());
    if (!wanted.kept.empty())
        if (auto used = useKept(wanted.kept, run, selection); !used) return tl::unexpected(used.error());
    if (!wanted.sample.empty()) {
        const auto sample = sampleNamed(wanted.sample, *contents);
        if (!sample) return tl::unexpected(sample.error());
        selection.sample = *sample;
    } else if (!selection.sample && !contents->samples.empty()) {
        selection.sample = contents->samples.front().hash;
    }
    const store::SampleRecord* sample = selection.sample ? contents->find(*selection.sample) : nullptr;
    if (!sample && !wanted.token.empty()) return badInput("Cannot use --token", "this run recorded no samples", "Train it with record.probe_samples above 0");
    if (!wanted.token.empty()) {
        const auto token = tokenNamed(wanted.token, *sample);
        if (!token) return tl::unexpected(token.error());
        selection.token_modality = token->modality;
        selection.token = token->token;
    } else if (sample) {
        std::tie(selection.token_modality, selection.token) = views::firstToken(*sample);
    }
    if (!contents->routers.empty()) {
        const LayerIndex first = contents->routers.front().layer;
        const auto* own = contents->routerOf(first, selection.token_modality);
        selection.router = own ? own->id : contents->routers.front().id;
    }
    if (!wanted.layer.empty()) {
        const auto router = routerOfLayer(wanted.layer, *contents);
        if (!router) return tl::unexpected(router.error());
        selection.router = router->id;
    }
    if (!wanted.expert.empty()) {
        const auto* router = contents->router(selection.router);
        const auto expert = wholeNumber(wanted.expert);
        if (!expert || *expert < 0 || *expert >= router->experts)
            return badInput("Cannot use --expert", fmt::format("router {} has no expert '{}'", routerKey(*router), wanted.expert),
                            fmt::format("It has 0 to {}", router->experts - 1));
        selection.expert = ExpertIndex(static_cast<std::int32_t>(*expert));
    }
    if (!wanted.step.empty() && wanted.step != "newest") {
        const auto step = stepNamed("--step", wanted.step, *contents);
        if (!step) return tl::unexpected(step.error());
        selection.step = *step;
    }
    QJsonObject& inspect = state.inspect;
    if (!wanted.against.empty()) {
        const auto compared = comparisonNamed(wanted.against, *contents, run.folder());
        if (!compared) return tl::unexpected(compared.error());
        inspect.insert(QStringLiteral("compared"), views::toText(*compared));
    }
    auto mode = analysis::OverlayMode::kExpert;
    if (!wanted.mode.empty()) {
        const auto named = modeNamed(wanted.mode);
        if (!named) return tl::unexpected(named.error());
        mode = *named;
        if (auto possible = checkMode(wanted, selection, mode, *contents, run); !possible) return tl::unexpected(possible.error());
        inspect.insert(QStringLiteral("mode"), QString::fromLatin1(toString(mode).data()));
    }
    // Where the mode does not compare by itself, what it is compared with stands beside it.
    const bool compares = mode == analysis::OverlayMode::kChanged || mode == analysis::OverlayMode::kDifference;
    if (wanted.side_by_side || (!wanted.against.empty() && !compares)) inspect.insert(QStringLiteral("side_by_side"), true);
    if (!wanted.rank.empty()) {
        const auto rank = wholeNumber(wanted.rank);
        if (wanted.rank != "all" && (!rank || *rank < 1 || *rank > 4))
            return wrongCall("Cannot use --rank", fmt::format("'{}' is no rank", wanted.rank), "There are 1, 2, 3, 4 and all");
        inspect.insert(QStringLiteral("rank"), rank ? static_cast<int>(*rank) - 1 : -1);
    }
    if (!wanted.search.empty()) inspect.insert(QStringLiteral("samples"), QJsonObject{{QStringLiteral("filter"), QString::fromStdString(wanted.search)}});
    return state;
}

}  // namespace es::app
