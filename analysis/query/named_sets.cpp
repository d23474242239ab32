// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/query/named_sets.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>

#include "analysis/figures/nearest.h"
#include "analysis/interventions/effects.h"

namespace es::analysis {
namespace {

constexpr std::size_t kLongestName = 60;

}  // namespace

Result<store::NamedSet> resolveSet(const std::string& name_or_query, const std::vector<store::NamedSet>& sets) {
    for (const store::NamedSet& set : sets)
        if (set.name == name_or_query) return set;
    auto query = parseQuery(name_or_query);
    if (query) return store::NamedSet{{}, name_or_query, 0};
    std::vector<std::string> names;
    for (const store::NamedSet& set : sets) names.push_back(set.name);
    if (looksLikeQuery(name_or_query)) return tl::unexpected(query.error().error(name_or_query));
    const std::string known = names.empty() ? std::string("The run has no sets yet: save one with 'expertscope query RUN QUERY --save NAME'")
                                            : "Sets: " + knownNames(name_or_query, names);
    return wrongCall(fmt::format("Cannot use the set \"{}\"", name_or_query),
                     fmt::format("it is neither the name of a set nor a query ({})", query.error().why),
                     fmt::format("{}. Queries: {}", known, query.error().remedy));
}

Result<ChosenSet> chooseSet(const store::RunReader& run, const std::string& name_or_query, const QueryIndexOptions& options, const JobContext& context) {
    ChosenSet chosen;
    if (name_or_query.empty()) return chosen;
    auto sets = store::Annotations(run.folder()).namedSets();
    if (!sets) return tl::unexpected(sets.error());
    auto set = resolveSet(name_or_query, *sets);
    if (!set) return tl::unexpected(set.error());
    auto query = readQuery(set->query);
    if (!query) return tl::unexpected(query.error());
    auto index = QueryIndex::make(run, options, context);
    if (!index) return tl::unexpected(index.error());
    auto answer = (*index)->answer(*query, context);
    if (!answer) return tl::unexpected(answer.error());
    if (answer->tokens.empty()) {
        std::string why = fmt::format("nothing in the run fits \"{}\"", set->query);
        for (const std::string& note : answer->notes) why += "; " + note;
        return badInput("Cannot analyze the set", why, "Ask for less, and see what fits with 'expertscope query'", run.folder().string());
    }
    chosen.everything = false;
    chosen.name = set->name;
    chosen.query = set->query;
    chosen.tokens = std::move(answer->tokens);
    return chosen;
}

Result<store::KeptResult> narrowedTo(store::KeptResult result, const ChosenSet& set) {
    if (set.everything) return result;
    const SampleSet samples = set.tokens.samples();
    result = narrowed(std::move(result), {samples.hashes().begin(), samples.hashes().end()});
    result.set = set.name.empty() ? set.query : set.name;
    if (result.rows.empty())
        return badInput(fmt::format("Cannot compare losses over the set \"{}\"", result.set), "none of the held-out samples is in it",
                        "Choose another set, or all held-out samples");
    return result;
}

Status checkSetName(const std::string& name) {
    const auto wrong = [&](const std::string& why) -> Status {
        return wrongCall(fmt::format("Cannot save the set \"{}\"", name), why, "Choose another name, as 'red animals'");
    };
    if (name.empty() || name.find_first_not_of(' ') == std::string::npos) return wrong("it has no name");
    if (name.size() > kLongestName) return wrong(fmt::format("its name has more than {} bytes", kLongestName));
    if (std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; })) return wrong("its name has a line break or tab");
    if (name.front() == ' ' || name.back() == ' ') return wrong("its name starts or ends with a blank");
    if (parseQuery(name)) return wrong("its name reads as a query");
    return {};
}

Status saveSet(const store::RunReader& run, const std::string& name, const std::string& query) {
    if (auto right = checkSetName(name); !right) return right;
    if (auto parsed = readQuery(query); !parsed) return tl::unexpected(parsed.error());
    const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    return store::Annotations(run.folder()).keepSet({name, query, now});
}

}  // namespace es::analysis
