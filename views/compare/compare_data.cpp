// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/compare/compare_data.h"

#include <algorithm>

#include "analysis/figures/train_panels.h"

namespace es::views {

namespace {

PanelPointer share(analysis::Panel panel) { return std::make_shared<const analysis::Panel>(std::move(panel)); }

Result<PanelPointer> share(Result<analysis::Panel> panel) {
    if (!panel) return tl::unexpected(panel.error());
    return share(std::move(*panel));
}

Result<analysis::RunGroup> open(const RunChoice& choice, const CompareRequest& request, ReaderCache& cache, const JobContext& context) {
    analysis::RunGroup group;
    group.name = choice.name.toStdString();
    for (const QString& folder : choice.runs) {
        if (context.stopRequested()) return stopped("The comparison");
        auto reader = cache.reader(folder, context);
        if (!reader) return tl::unexpected(reader.error());
        const auto color = request.colors.find(folder);
        group.color = color == request.colors.end() ? 0 : color->second;
        group.runs.push_back({*reader, {}, group.color});
    }
    return group;
}

std::vector<std::string> routersOf(const analysis::RunSource& source) {
    std::vector<std::string> names;
    for (const auto& router : source.run->routers()) names.push_back(analysis::routerName(router));
    return names;
}

void matchExperts(const CompareRequest& request, const analysis::RunGroup& baseline, const analysis::RunGroup& candidate, CompareAnswer& answer) {
    // Two seeds of the candidate where there are two, else one run of each side: any two that have routers.
    std::vector<analysis::RunSource> routed;
    std::vector<QString> folders;
    const auto gather = [&](const analysis::RunGroup& group, const RunChoice& choice) {
        for (std::size_t i = 0; i < group.runs.size(); ++i)
            if (!group.runs[i].run->routers().empty()) {
                routed.push_back(group.runs[i]);
                folders.push_back(choice.runs[static_cast<qsizetype>(i)]);
            }
    };
    gather(candidate, request.candidate);
    gather(baseline, request.baseline);
    if (routed.size() < 2) {
        answer.match = jobFailed("No second run with routers", routed.empty() ? "neither side has experts" : "only one of the compared runs has experts",
                                 "Train another seed of it (expertscope train ... --set run.seed=2): its experts are matched with these");
        return;
    }
    answer.routers = routersOf(routed[0]);
    const auto second = routersOf(routed[1]);
    std::erase_if(answer.routers, [&](const std::string& name) { return std::find(second.begin(), second.end(), name) == second.end(); });
    if (answer.routers.empty()) {
        answer.match = jobFailed("No router in common", "the two runs have experts in different layers", "Compare runs with experts in the same layers");
        return;
    }
    answer.router = std::find(answer.routers.begin(), answer.routers.end(), request.router) == answer.routers.end() ? answer.routers.front() : request.router;
    answer.match_runs = {folders[0].toStdString(), folders[1].toStdString()};
    answer.match = share(analysis::expertMatch(routed[0], routed[1], answer.router));
}

}  // namespace

Result<std::shared_ptr<store::RunReader>> ReaderCache::reader(const QString& folder, const JobContext& context) {
    std::shared_ptr<store::RunReader> known;
    {
        const std::scoped_lock lock(mutex_);
        if (const auto found = readers_.find(folder); found != readers_.end()) known = found->second;
    }
    if (known) {
        if (auto fresh = known->refresh(context); fresh) return known;
        const std::scoped_lock lock(mutex_);
        readers_.erase(folder);  // replaced or damaged since: opening says what is wrong
    }
    auto opened = store::RunReader::open(std::filesystem::path(folder.toStdString()), context);
    if (!opened) return opened;
    const std::scoped_lock lock(mutex_);
    readers_[folder] = *opened;
    return opened;
}

Result<std::shared_ptr<const CompareAnswer>> compareRuns(const CompareRequest& request, ReaderCache& cache, const JobContext& context) {
    context.progress(0, 4, "Opening the runs");
    auto baseline = open(request.baseline, request, cache, context);
    if (!baseline) return tl::unexpected(baseline.error());
    auto candidate = open(request.candidate, request, cache, context);
    if (!candidate) return tl::unexpected(candidate.error());
    context.progress(1, 4, "Comparing");
    analysis::CompareOptions options;
    options.axis = request.axis;
    auto comparison = analysis::compareGroups(analysis::Baseline(*baseline), analysis::Candidate(*candidate), options, context);
    if (!comparison) return tl::unexpected(comparison.error());

    auto answer = std::make_shared<CompareAnswer>();
    answer->comparison = std::move(*comparison);
    const auto& c = answer->comparison;
    answer->curves = share(analysis::comparisonCurves(c));
    answer->reach = share(analysis::computeToReach(c));
    answer->losses = share(analysis::lossForest(c));
    answer->categories = share(analysis::categoryForest(c));
    answer->cost = share(analysis::costTable(c));
    answer->configuration = share(analysis::configurationTable(c));
    answer->checks = share(analysis::comparabilityTable(c));

    context.progress(2, 4, "Matching experts");
    if (context.stopRequested()) return stopped("The comparison");
    matchExperts(request, *baseline, *candidate, *answer);

    context.progress(3, 4, "Speed against quality");
    std::vector<analysis::RunGroup> all{*baseline, *candidate};
    analysis::CompareOptions brief = options;
    brief.by_category = false;
    for (const RunChoice& other : request.others) {
        if (context.stopRequested()) return stopped("The comparison");
        auto group = open(other, request, cache, context);
        if (!group) continue;  // a run that vanished meanwhile is no part of this comparison's sides
        const bool evaluated = std::all_of(group->runs.begin(), group->runs.end(), [](const auto& source) { return !source.run->evaluations().empty(); });
        if (!evaluated) continue;  // nothing to draw a point of yet
        if (other.ffn != QStringLiteral("moe"))
            if (const auto third = analysis::compareGroups(analysis::Baseline(*group), analysis::Candidate(*candidate), brief, context);
                third && !third->losses.empty())
                answer->third_arms.push_back(third->verdict);
        all.push_back(std::move(*group));
    }
    answer->speed = share(analysis::speedAgainstQuality(all));
    return std::shared_ptr<const CompareAnswer>(std::move(answer));
}

}  // namespace es::views
