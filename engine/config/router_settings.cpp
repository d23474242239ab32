// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/router_settings.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

#include "engine/config/config_io.h"
#include "engine/config/fields.h"

namespace es::config {
namespace {

constexpr std::array<std::string_view, 10> kRouterLossKeys{
    "balance", "z", "balance_unnormalized", "gshard", "importance", "load", "local_entropy", "global_entropy", "global_entropy_tau", "sequence_balance"};
constexpr std::array<std::string_view, 2> kModelWide{"pool", "overrides"};
constexpr std::string_view kExample = "For example: overrides = [\"1.v router=hash k=1\", \"2 loss.balance=0.02\"]";

std::vector<std::string> wordsOf(std::string_view text) {
    std::vector<std::string> words;
    for (std::size_t begin = text.find_first_not_of(' '); begin != std::string_view::npos; begin = text.find_first_not_of(' ', begin)) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        words.emplace_back(text.substr(begin, end - begin));
        begin = end;
    }
    return words;
}

bool selects(std::string_view selector, const RouterSite& site) {
    return selector == site.name() || selector == site.branch || selector == std::to_string(site.layer);
}

/// "k=1" as "moe.k=1"; "loss.z=0" stays.
std::string assignmentOf(const std::string& word) { return word.starts_with("loss.") ? word : "moe." + word; }

/// Why the key cannot be overridden, or empty.
std::string keyProblem(const std::string& word) {
    const std::string key = word.substr(0, word.find('='));
    if (std::ranges::find(kModelWide, key) != kModelWide.end()) return fmt::format("'{}' is the same for all routers", key);
    if (!key.starts_with("loss.")) return {};
    const std::string_view loss = std::string_view(key).substr(5);
    if (std::ranges::find(kRouterLossKeys, loss) != kRouterLossKeys.end()) return {};
    const std::string near = nearest(loss, {kRouterLossKeys.begin(), kRouterLossKeys.end()});
    return fmt::format("'{}' is no loss of routers; {}", key,
                       near.empty() ? fmt::format("there are {}", fmt::join(kRouterLossKeys, ", ")) : fmt::format("did you mean 'loss.{}'?", near));
}

}  // namespace

std::vector<RouterSite> routerSites(const RunConfig& config) {
    std::vector<RouterSite> sites;
    for (const std::int64_t layer : config.model.moe_layers) {
        if (config.moe.pool == "shared") {
            sites.push_back({layer, "all"});
            continue;
        }
        for (const char* branch : {"v", "t"})
            if (std::ranges::find(config.model.moe_branches, branch) != config.model.moe_branches.end()) sites.push_back({layer, branch});
    }
    return sites;
}

RouterSettings routerSettings(const RunConfig& config, const RouterSite& site) {
    RunConfig own = config;
    for (const std::string& entry : config.moe.overrides) {
        const std::vector<std::string> words = wordsOf(entry);
        if (words.empty() || !selects(words[0], site)) continue;
        for (std::size_t i = 1; i < words.size(); ++i)
            if (keyProblem(words[i]).empty()) (void)applyOverride(own, assignmentOf(words[i]));
    }
    own.moe.overrides.clear();
    return {own.moe, own.loss};
}

Status checkOverrides(const RunConfig& config, const std::string& path) {
    const std::vector<RouterSite> sites = routerSites(config);
    for (const std::string& entry : config.moe.overrides) {
        const auto refuse = [&](const std::string& why, const std::string& remedy) -> Status {
            return badInput("Cannot use the configuration", fmt::format("moe.overrides entry \"{}\": {}", entry, why), remedy, path);
        };
        const std::vector<std::string> words = wordsOf(entry);
        if (words.size() < 2) return refuse("it does not have the form \"WHERE key=value ...\"", std::string(kExample));
        if (std::ranges::none_of(sites, [&](const RouterSite& site) { return selects(words[0], site); })) {
            std::vector<std::string> names;
            for (const RouterSite& site : sites) names.push_back(site.name());
            return refuse(fmt::format("there is no router '{}'", words[0]),
                          names.empty() ? "No layer is sparse" : fmt::format("There are {}", fmt::join(names, ", ")));
        }
        for (std::size_t i = 1; i < words.size(); ++i) {
            if (words[i].find('=') == std::string::npos) return refuse(fmt::format("'{}' is not of the form key=value", words[i]), std::string(kExample));
            if (std::string problem = keyProblem(words[i]); !problem.empty()) return refuse(problem, "Set it in its section, for all routers");
            RunConfig tried = config;
            if (Status set = applyOverride(tried, assignmentOf(words[i])); !set) return refuse(set.error().why, set.error().remedy);
        }
    }
    return {};
}

}  // namespace es::config
