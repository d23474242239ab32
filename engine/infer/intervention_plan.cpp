// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/infer/intervention_plan.h"

#include <c10/util/StringUtil.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>

#include "engine/store/routing_view.h"

namespace es::engine {
namespace {

using session::Intervention;
using Kind = session::InterventionKind;

/// Routers that choose among the experts of each token by logits.
constexpr std::array<std::string_view, 8> kTokenChoice{"softmax_topk",  "topk_softmax", "noisy_topk", "sigmoid_topk",
                                                       "group_limited", "cosine",       "sinkhorn",   "top_p"};

/// Why a router of that kind cannot obey; empty: it can.
std::string refusalOf(std::string_view kind, Kind what) {
    if (std::ranges::find(kTokenChoice, kind) != kTokenChoice.end()) return {};
    if (kind == "expert_choice") return what == Kind::kForce ? "its experts choose tokens, and have no place for all that could be forced on them" : "";
    if (kind == "base") return what == Kind::kOtherK ? "its rule is for one expert" : "";
    if (kind == "soft") return "it mixes all tokens into every expert and chooses none";
    return what == Kind::kSilence ? "" : "it has no logits to choose by";
}

std::string remedyOf(std::string_view kind) {
    if (kind == "soft") return "Choose a run whose routers choose experts";
    if (kind == "base") return "Choose a run of another router";
    if (kind == "expert_choice") return "Ban or silence the other experts instead";
    return "Silence the expert instead, or choose a run whose routers have logits";
}

std::string nameOf(const store::RouterInfo& router) { return c10::str(router.layer.value, ".", toString(router.branch)); }

std::string namesOf(const std::vector<store::RouterInfo>& routers) {
    std::string names;
    for (const store::RouterInfo& router : routers) names += (names.empty() ? "" : ", ") + nameOf(router);
    return names;
}

bool sees(const store::RouterInfo& router, Modality modality) {
    if (modality == Modality::kUnknown || router.branch == Branch::kAll || router.branch == Branch::kVisionLanguage) return true;
    return router.branch == (modality == Modality::kVision ? Branch::kVision : Branch::kText);
}

/// What every error begins with.
std::string whatFails(const Intervention& wish) { return c10::str("Cannot ", toString(wish.kind), " ", toText(wish)); }

tl::unexpected<Error> cannot(const Intervention& wish, std::string why, std::string remedy) {
    return wrongCall(whatFails(wish), std::move(why), std::move(remedy));
}

Result<std::vector<store::RouterInfo>> routersOf(const Intervention& wish, const std::vector<store::RouterInfo>& all) {
    if (all.empty()) return cannot(wish, "the model is dense: no layer has experts", "Choose a run of a sparse model");
    std::vector<store::RouterInfo> found;
    for (const store::RouterInfo& router : all)
        if ((!wish.layer.valid() || router.layer == wish.layer) && (!wish.branch || router.branch == *wish.branch)) found.push_back(router);
    if (found.empty()) {
        const std::string place = wish.layer.valid() ? c10::str("layer ", wish.layer.value) : "any layer";
        return cannot(wish, c10::str("there are no experts in ", place, wish.branch ? c10::str(", branch ", toString(*wish.branch)) : ""),
                      "Name one of " + namesOf(all));
    }
    std::vector<store::RouterInfo> seeing;
    for (const store::RouterInfo& router : found)
        if (sees(router, wish.tokens.modality)) seeing.push_back(router);
    if (seeing.empty())
        return cannot(wish, c10::str(namesOf(found), " takes no ", wish.tokens.modality == Modality::kVision ? "patches" : "words"),
                      "Choose a router of the other branch, or other tokens");
    return seeing;
}

Status checkExperts(const Intervention& wish, const store::RouterInfo& router) {
    std::set<std::int32_t> known;
    for (const std::int32_t expert : wish.experts) {
        if (expert < 0 || expert >= router.experts)
            return cannot(wish, c10::str("router ", nameOf(router), " has no expert ", expert), c10::str("Name experts from 0 to ", router.experts - 1));
        if (!known.insert(expert).second) return cannot(wish, c10::str("expert ", expert, " is named twice"), "Name each once");
    }
    const bool needs = wish.kind == Kind::kBan || wish.kind == Kind::kForce || wish.kind == Kind::kSilence;
    if (needs && wish.experts.empty()) return cannot(wish, "no expert is named", c10::str("Name experts from 0 to ", router.experts - 1));
    if (wish.kind == Kind::kSwap && wish.experts.size() != 2) return cannot(wish, "a swap takes two experts", "Name two");
    return {};
}

Status checkNumber(const Intervention& wish, const store::RouterInfo& router) {
    const std::int64_t n = wish.number;
    if (wish.kind == Kind::kOtherK && (n < 1 || n > router.experts))
        return cannot(wish, c10::str(n, " of the ", router.experts, " experts of router ", nameOf(router), " cannot be chosen"),
                      c10::str("Use 1 to ", router.experts));
    if (wish.kind == Kind::kOtherK && router.kind == "expert_choice" && !wish.tokens.all())
        return cannot(wish, "the experts of an expert_choice router choose among all tokens", "Leave the tokens out");
    if (wish.kind == Kind::kDropBest && (n < 1 || n >= router.experts))
        return cannot(wish, c10::str("the ", n, " best of the ", router.experts, " experts of router ", nameOf(router), " cannot be left out"),
                      c10::str("Use 1 to ", router.experts - 1));
    if (wish.kind == Kind::kRandomRouter && n < 0) return cannot(wish, c10::str("there is no draw ", n), "Use 0 or more");
    return {};
}

Status checkPositions(const Intervention& wish, const PositionLimits& limits) {
    if (wish.tokens.all()) return {};
    const bool patches = wish.tokens.modality == Modality::kVision;
    const std::int64_t count = patches ? limits.patches : limits.words;
    for (const std::int32_t position : wish.tokens.positions)
        if (position < 0 || position >= count)
            return cannot(wish, c10::str("there is no ", patches ? "patch" : "word", " ", position),
                          count > 0 ? c10::str("Name positions from 0 to ", count - 1) : "Run a sample that has some");
    return {};
}

/// Experts that stay for each group of a group_limited router, else of one group.
struct Left {
    std::vector<std::int64_t> groups;
    std::int64_t kept = 1;
    /// The fewest that a token can choose among, whichever groups it prefers.
    [[nodiscard]] std::int64_t fewest() const {
        std::vector<std::int64_t> some;
        for (const std::int64_t group : groups)
            if (group > 0) some.push_back(group);
        std::ranges::sort(some);
        std::int64_t sum = 0;
        for (std::int64_t g = 0; g < std::min(kept, static_cast<std::int64_t>(some.size())); ++g) sum += some[static_cast<std::size_t>(g)];
        return sum;
    }
};

/// What no single wish can say: whether the router still has experts to choose among. Whatever tokens the changes are of.
Status checkTogether(const store::RouterInfo& router, const RouterOptions& options, const std::vector<RouterChange>& changes, const Intervention& last) {
    std::set<std::int64_t> banned, forced;
    std::int64_t most = router.k, fewest_k = router.k, dropped = 0;
    bool fewer = false;
    for (const RouterChange& change : changes) {
        if (change.kind == Kind::kBan) banned.insert(change.experts.begin(), change.experts.end());
        if (change.kind == Kind::kForce) forced.insert(change.experts.begin(), change.experts.end());
        if (change.kind == Kind::kDropBest) dropped += change.number;
        if (change.kind == Kind::kOtherK) {
            const bool everywhere = change.tokens.all();
            most = everywhere ? change.number : std::max(most, change.number);
            fewest_k = everywhere ? change.number : std::min(fewest_k, change.number);
        }
        fewer = fewer || change.kind == Kind::kBan || change.kind == Kind::kDropBest || change.kind == Kind::kOtherK;
    }
    for (const std::int64_t expert : forced)
        if (banned.contains(expert)) return cannot(last, c10::str("expert ", expert, " is both banned and forced"), "Drop one of the two");
    const bool limited = router.kind == "group_limited";
    Left left;
    left.groups.assign(static_cast<std::size_t>(limited ? options.groups : 1), 0);
    left.kept = limited ? options.groups_kept : 1;
    const std::int64_t size = router.experts / static_cast<std::int64_t>(left.groups.size());
    std::set<std::int64_t> forced_groups;
    for (std::int64_t e = 0; e < router.experts; ++e)
        if (!banned.contains(e)) ++left.groups[static_cast<std::size_t>(e / size)];
    for (const std::int64_t expert : forced) forced_groups.insert(expert / size);
    const std::int64_t needed = router.kind == "expert_choice" ? 1 : most, available = left.fewest() - dropped;
    if (fewer && available < needed)
        return cannot(last,
                      c10::str("router ", nameOf(router), " would have ", std::max<std::int64_t>(0, available), " experts",
                               limited ? c10::str(" in ", left.kept, " groups") : "", " left to choose ", needed, " from"),
                      "Leave more experts, or choose fewer with --k");
    if (static_cast<std::int64_t>(forced.size()) > fewest_k)
        return cannot(last, c10::str(forced.size(), " experts are forced on router ", nameOf(router), ", which chooses ", fewest_k),
                      "Force fewer, or choose more with --k");
    if (router.kind == "top_p" && forced.size() > 1)
        return cannot(last, c10::str("router ", nameOf(router), " chooses as many experts as reach a probability, which may be one"), "Force one expert");
    if (limited && static_cast<std::int64_t>(forced_groups.size()) > left.kept)
        return cannot(last, c10::str("the forced experts lie in ", forced_groups.size(), " groups, router ", nameOf(router), " chooses in ", left.kept),
                      "Force experts of fewer groups");
    return {};
}

std::vector<std::uint16_t> chosenSet(const store::RoutingView& view, std::int64_t token) {
    std::vector<std::uint16_t> experts;
    view.forEachAssignmentOf(token, [&](std::int64_t, ExpertIndex expert, float, bool) { experts.push_back(static_cast<std::uint16_t>(expert.value)); });
    std::ranges::sort(experts);
    return experts;
}

}  // namespace

Result<InterventionPlan> planInterventions(const std::vector<session::Intervention>& interventions, const VlMoe& model, const PositionLimits& limits,
                                           std::uint64_t seed) {
    InterventionPlan plan;
    std::map<std::int32_t, const Intervention*> last;  // by router: whom an error about all of its changes is told of
    for (const Intervention& wish : interventions) {
        auto routers = routersOf(wish, model.routers());
        if (!routers) return tl::unexpected(routers.error());
        if (Status fine = checkPositions(wish, limits); !fine) return tl::unexpected(fine.error());
        for (const store::RouterInfo& router : *routers) {
            if (std::string why = refusalOf(router.kind, wish.kind); !why.empty())
                return cannot(wish, c10::str("router ", nameOf(router), " is '", router.kind, "': ", why), remedyOf(router.kind));
            for (const auto check : {checkExperts, checkNumber})
                if (Status fine = check(wish, router); !fine) return tl::unexpected(fine.error());
            RouterChange change;
            change.kind = wish.kind;
            change.experts.assign(wish.experts.begin(), wish.experts.end());
            change.number = wish.number;
            change.tokens = wish.tokens;
            if (wish.kind == Kind::kRandomRouter) change.weight_ED = model.drawRouterWeight(router.id, seed, static_cast<std::uint32_t>(wish.number));
            plan.by_router[router.id.value].push_back(std::move(change));
            last[router.id.value] = &wish;
        }
        plan.needs_token_names = plan.needs_token_names || !wish.tokens.all();
    }
    for (const store::RouterInfo& router : model.routers()) {
        const auto found = plan.by_router.find(router.id.value);
        if (found == plan.by_router.end()) continue;
        std::ranges::stable_sort(found->second, {}, &RouterChange::kind);
        if (Status fine = checkTogether(router, model.routerOptions(router.id), found->second, *last[router.id.value]); !fine)
            return tl::unexpected(fine.error());
    }
    return plan;
}

std::vector<store::RouterInfo> routersUnder(const InterventionPlan& plan, const VlMoe& model) {
    std::vector<store::RouterInfo> routers = model.routers();
    for (store::RouterInfo& router : routers) {
        const auto* changes = plan.find(router.id);
        if (!changes) continue;
        for (const RouterChange& change : *changes) {
            if (change.kind != Kind::kOtherK) continue;
            const auto k = static_cast<std::int32_t>(change.number);
            router.k = change.tokens.all() ? k : std::max(router.k, k);
            if (!change.tokens.all()) router.layout = store::RoutingLayout::kRagged;
        }
    }
    return routers;
}

std::vector<std::int64_t> reroutedTokens(const store::RoutingTable& before, const store::RoutingTable& after) {
    const store::RoutingView one(before), other(after);
    std::vector<std::int64_t> tokens;
    for (std::int64_t token = 0; token < std::min(before.tokens, after.tokens); ++token)
        if (chosenSet(one, token) != chosenSet(other, token)) tokens.push_back(token);
    return tokens;
}

}  // namespace es::engine
