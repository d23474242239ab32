// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/experts/expert_part.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "analysis/experts/expert_details.h"
#include "analysis/experts/expert_panels.h"

namespace es::analysis {
namespace {

tl::unexpected<Error> nothingKnown(const store::RunReader& run, std::string why, std::string remedy) {
    return jobFailed("Cannot draw what the expert takes", std::move(why), std::move(remedy), run.folder().string());
}

Result<Panel> labelsOf(const store::RunReader& run, const ExpertPartRequest& request, const ExpertTokens& tokens, const ExpertDetails& details) {
    std::string there;
    for (const LabelTable& table : details.labels) {
        if (table.kind == request.label && (request.modality == Modality::kUnknown || table.modality == request.modality))
            return labelPanel(tokens, table.shares, fmt::format("Labels it takes: {}", labelTitle(table.kind)), std::string(labelTitle(table.kind)));
        there += fmt::format("{}{} of {}", there.empty() ? "" : ", ", toString(table.kind), toString(table.modality));
    }
    return nothingKnown(run, fmt::format("its tokens have no label of the kind '{}'", toString(request.label)),
                        there.empty() ? "It has none" : "There are " + there);
}

}  // namespace

const std::vector<std::string>& expertPartNames() {
    static const std::vector<std::string> kNames = {"labels", "modality", "positions", "looks", "load", "partners", "gallery"};
    return kNames;
}

Result<Panel> expertPart(const store::RunReader& run, const ExpertPartRequest& request, const JobContext& context) {
    const auto& names = expertPartNames();
    if (std::find(names.begin(), names.end(), request.part) == names.end())
        return badInput("Cannot draw what the expert takes", fmt::format("there is no part '{}'", request.part),
                        "Choose one that 'expertscope figure list' names");
    auto tokens = expertTokens(run, request.expert);
    if (!tokens) return tl::unexpected(tokens.error());
    auto facts = probeFacts(run, tokens->samples, context);
    if (!facts) return tl::unexpected(facts.error());
    if (request.part == "gallery") {
        GalleryOptions options = request.gallery;
        options.modality = request.modality;
        return galleryPanel(*tokens, expertGallery(*tokens, options), facts->records());
    }
    auto details = expertDetails(run, *tokens, *facts, {}, context);
    if (!details) return tl::unexpected(details.error());
    if (request.part == "labels") return labelsOf(run, request, *tokens, *details);
    if (request.part == "modality") return labelPanel(*tokens, details->modality, "Modality", "modality");
    if (request.part == "partners") return partnersPanel(*tokens, details->partners, details->similar);
    if (request.part == "looks") {
        if (details->looks.patches == 0) return nothingKnown(run, "the run does not hold the pictures of its patches", "Choose an expert of patches");
        return looksPanel(*tokens, details->looks);
    }
    if (request.part == "load") {
        if (details->load.history.step.empty())
            return nothingKnown(run, "the run did not record how busy its experts were", "Train with this version of the program");
        return loadPanel(details->load);
    }
    const PositionMap& map = request.modality == Modality::kText || details->patches.width == 0 ? details->words : details->patches;
    if (map.width == 0) return nothingKnown(run, "the probe does not say where its tokens lie", "Train with this version of the program");
    return positionPanel(*tokens, map);
}

}  // namespace es::analysis
