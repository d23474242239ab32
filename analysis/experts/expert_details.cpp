// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/experts/expert_details.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>

#include "engine/store/annotations.h"

namespace es::analysis {
namespace {

Result<std::vector<KeptSimilarity>> keptSimilarities(const store::RunReader& run, const ExpertTokens& tokens) {
    auto all = store::Annotations(run.folder()).similarities(tokens.query.step, run.provenance().run_uuid);
    if (!all) return tl::unexpected(all.error());
    std::vector<KeptSimilarity> similar;
    const auto experts = static_cast<std::size_t>(tokens.router().experts), own = static_cast<std::size_t>(tokens.query.expert.value);
    for (const store::ExpertSimilarity& one : *all) {
        if (one.router != tokens.router().id || static_cast<std::size_t>(one.experts) != experts || one.values_EE.size() != experts * experts) continue;
        KeptSimilarity row{one.measure, one.tokens, {}};
        for (std::size_t e = 0; e < experts; ++e) row.value_E.push_back(e == own ? std::numeric_limits<double>::quiet_NaN() : one.values_EE[own * experts + e]);
        similar.push_back(std::move(row));
    }
    return similar;
}

}  // namespace

std::string_view labelPart(LabelKind kind) {
    switch (kind) {
        case LabelKind::kTokenId: return "words";
        case LabelKind::kCategory:
        case LabelKind::kSubcategory:
        case LabelKind::kBlank: return "categories";
        case LabelKind::kDomain: return "domains";
        case LabelKind::kPosition: return "positions";
        default: return "truth";
    }
}

const LabelShares* ExpertDetails::find(LabelKind kind, Modality of) const {
    const auto found = std::find_if(labels.begin(), labels.end(), [&](const LabelTable& one) { return one.kind == kind && one.modality == of; });
    return found == labels.end() ? nullptr : &found->shares;
}

Result<ExpertDetails> expertDetails(const store::RunReader& run, const ExpertTokens& tokens, const ProbeFacts& facts, const LabelShareOptions& options,
                                    const JobContext& context) {
    constexpr std::int64_t kParts = kLabelKindCount + 6;
    ExpertDetails details;
    std::int64_t done = 0;
    const auto go = [&](const char* what) {
        context.progress(done++, kParts, what);
        return !context.stopRequested();
    };
    const auto halted = [] { return stopped("Looking at the expert"); };
    details.modality = modalityShare(tokens, options, facts.families);
    for (const Modality modality : {Modality::kText, Modality::kVision})
        for (const LabelKind kind : labelKindsOf(modality)) {
            if (!go("Comparing labels")) return halted();
            if (kind == LabelKind::kPosition || kind == LabelKind::kBlank) continue;  // the first has a map, the second is among the categories
            LabelShares shares = expertLabels(tokens, facts, kind, modality, options);
            if (shares.rows.size() > 1) details.labels.push_back({kind, modality, std::move(shares)});
        }
    if (!go("Looking where it is used")) return halted();
    details.patches = positionMap(tokens, facts, Modality::kVision);
    details.words = positionMap(tokens, facts, Modality::kText);
    if (!go("Looking at colours")) return halted();
    details.looks = expertLooks(tokens, facts, options);
    if (!go("Comparing experts")) return halted();
    details.partners = expertPartners(tokens);
    if (auto similar = keptSimilarities(run, tokens)) details.similar = std::move(*similar);
    else details.notes.push_back(similar.error().message());
    if (!go("Reading the load")) return halted();
    if (auto load = expertLoad(run, tokens.router().id, tokens.query.expert)) details.load = std::move(*load);
    else details.notes.push_back(load.error().message());
    details.notes.insert(details.notes.end(), facts.notes.begin(), facts.notes.end());
    if (tokens.masked_left_out > 0) details.notes.push_back(fmt::format("{} masked tokens are left out", tokens.masked_left_out));
    return details;
}

}  // namespace es::analysis
