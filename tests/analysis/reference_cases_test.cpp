// SPDX-License-Identifier: GPL-3.0-or-later
// Metrics and statistics against tests/reference/metric_cases.json, which numpy and scipy made from the literature's definitions.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "analysis/metrics/confidence.h"
#include "analysis/metrics/dependence.h"
#include "analysis/metrics/load.h"
#include "analysis/metrics/pairs.h"
#include "analysis/metrics/stability.h"
#include "analysis/stats/assignment.h"
#include "analysis/stats/entropy.h"
#include "analysis/stats/intervals.h"
#include "analysis/stats/quantiles.h"
#include "analysis/stats/spikes.h"
#include "support/planted_routing.h"

namespace es::analysis {
namespace {

using Json = nlohmann::json;
using Values = std::map<std::string, std::vector<double>>;

std::vector<std::int32_t> ints(const Json& json) { return json.get<std::vector<std::int32_t>>(); }
std::vector<double> reals(const Json& json) { return json.get<std::vector<double>>(); }

store::RoutingTable table(const Json& test, const char* name = "indices_TK", const char* experts = "experts", const char* k = "k") {
    return test::tableOf(ints(test["in"][name]), test["params"][experts].get<std::int32_t>(), test["params"][k].get<std::int32_t>());
}

Values intervalValues(const Interval& interval) {
    return {{"mean_difference", {interval.mean}}, {"low", {interval.low}}, {"high", {interval.high}}, {"p", {interval.p}}};
}

const std::map<std::string, std::function<Values(const Json&)>>& operations() {
    static const std::map<std::string, std::function<Values(const Json&)>> kOperations = {
        {"load",
         [](const Json& t) -> Values {
             const store::RoutingTable routing = table(t);
             const LoadStats s = loadOf(expertLoads(store::RoutingView(routing)));
             return {{"share_E", s.share_E},
                     {"cv", {s.cv}},
                     {"max_vio", {s.max_vio}},
                     {"imbalance", {s.imbalance}},
                     {"effective_experts", {s.effective_experts}},
                     {"normalized_entropy", {s.normalized_entropy}},
                     {"dead", {static_cast<double>(s.dead)}}};
         }},
        {"confidence",
         [](const Json& t) -> Values {
             const std::vector<float> logits = t["in"]["logits_TE"].get<std::vector<float>>();
             const ConfidenceStats s = confidenceFromLogits(logits, t["params"]["experts"], t["params"]["k"]);
             return {{"entropy", {s.entropy_nats}},    {"top1", {s.top1}},          {"margin12", {s.margin12}}, {"boundary_margin", {s.boundary_margin}},
                     {"chosen_mass", {s.chosen_mass}}, {"logsumexp", {s.logsumexp}}};
         }},
        {"change",
         [](const Json& t) -> Values {
             const RoutingChange c = compareRouting(table(t, "a_TK"), table(t, "b_TK"));
             return {{"overlap", {c.overlap}}, {"changed_slots", {c.changed_slots}}, {"changed_first", {c.changed_first}}};
         }},
        {"mutual_information",
         [](const Json& t) -> Values {
             const MutualInformation m = mutualInformation(ints(t["in"]["label_T"]), ints(t["in"]["expert_T"]));
             return {{"mi", {m.mi_nats}},
                     {"nmi", {m.nmi}},
                     {"h_label", {m.h_label_nats}},
                     {"h_expert", {m.h_expert_nats}},
                     {"tokens", {static_cast<double>(m.tokens)}}};
         }},
        {"npmi",
         [](const Json& t) -> Values {
             const store::RoutingTable routing = table(t);
             const std::int32_t labels = t["params"]["labels"];
             return {{"npmi_LE", npmi(labelByExpert(store::RoutingView(routing), ints(t["in"]["label_T"]), labels), labels, routing.router.experts)}};
         }},
        {"coactivation",
         [](const Json& t) -> Values {
             const store::RoutingTable routing = table(t);
             const Coactivation c = coactivation(store::RoutingView(routing));
             return {{"count_EE", c.count_EE}, {"conditional_EE", c.conditional_EE}};
         }},
        {"flow",
         [](const Json& t) -> Values {
             return {{"count_EE", flow(table(t, "a_TK", "experts_a", "k_a"), table(t, "b_TK", "experts_b", "k_b")).count_EE}};
         }},
        {"modality_split",
         [](const Json& t) -> Values {
             const store::RoutingTable routing = table(t);
             const ModalitySplit s = modalitySplit(store::RoutingView(routing), ints(t["in"]["modality_T"]), 2);
             return {{"p_expert_given_modality_ME", s.p_expert_given_modality_ME}, {"p_modality_given_expert_EM", s.p_modality_given_expert_EM}};
         }},
        {"vocabulary",
         [](const Json& t) -> Values {
             const store::RoutingTable routing = table(t);
             return {{"specialization", {vocabularySpecialisation(store::RoutingView(routing), ints(t["in"]["token_T"]))}}};
         }},
        {"repetition",
         [](const Json& t) -> Values {
             const auto sequence = t["in"]["sequence_T"].get<std::vector<std::int64_t>>();
             return {{"rate", {repetitionRate(sequence, ints(t["in"]["expert_T"]))}}};
         }},
        {"match_experts",
         [](const Json& t) -> Values {
             return {{"agreement", {matchExperts(ints(t["in"]["a_T"]), ints(t["in"]["b_T"]), t["params"]["experts"]).agreement}}};
         }},
        {"cka",
         [](const Json& t) -> Values {
             return {{"cka", {linearCka(reals(t["in"]["x_TD"]), t["params"]["d"], reals(t["in"]["y_TF"]), t["params"]["f"])}}};
         }},
        {"jsd",
         [](const Json& t) -> Values {
             return {{"jsd", {jensenShannonNats(reals(t["in"]["p_E"]), reals(t["in"]["q_E"]))}}};
         }},
        {"spikes",
         [](const Json& t) -> Values {
             const std::vector<std::uint8_t> flags = spikeFlags(reals(t["in"]["series_S"]), t["params"]["window"], t["params"]["sigmas"]);
             return {{"flag_S", {flags.begin(), flags.end()}}};
         }},
        {"paired_t", [](const Json& t) -> Values { return intervalValues(pairedT(reals(t["in"]["a_N"]), reals(t["in"]["b_N"]), t["params"]["confidence"])); }},
        {"welch", [](const Json& t) -> Values { return intervalValues(welch(reals(t["in"]["a_N"]), reals(t["in"]["b_N"]), t["params"]["confidence"])); }},
        {"wilson", [](const Json& t) -> Values { return intervalValues(wilson(t["params"]["successes"], t["params"]["trials"], t["params"]["confidence"])); }},
        {"assignment",
         [](const Json& t) -> Values {
             const std::vector<double> scores = reals(t["in"]["scores_NN"]);
             const auto n = t["params"]["n"].get<std::size_t>();
             const std::vector<std::int32_t> columns = bestAssignment(scores, static_cast<std::int32_t>(n));
             double sum = 0;
             for (std::size_t r = 0; r < n; ++r) sum += scores[r * n + static_cast<std::size_t>(columns[r])];
             EXPECT_EQ(std::set<std::int32_t>(columns.begin(), columns.end()).size(), n);
             return {{"sum", {sum}}};
         }},
        {"quantiles",
         [](const Json& t) -> Values {
             return {{"quantiles", quantiles(reals(t["in"]["values"]), reals(t["in"]["ps"]))}};
         }},
    };
    return kOperations;
}

TEST(ReferenceCases, Agree) {
    std::ifstream file(ES_SOURCE_DIR "/tests/reference/metric_cases.json");
    const Json cases = Json::parse(file);
    ASSERT_GT(cases.size(), 60u);
    std::set<std::string> seen;
    for (const Json& test : cases) {
        const std::string op = test["op"];
        SCOPED_TRACE(op + ": " + test["name"].get<std::string>());
        seen.insert(op);
        const auto operation = operations().find(op);
        ASSERT_NE(operation, operations().end());
        const Values computed = operation->second(test);
        for (const auto& [name, expected] : test["out"].items()) {
            const std::vector<double> wanted = expected.is_array() ? reals(expected) : std::vector<double>{expected.get<double>()};
            const auto found = computed.find(name);
            ASSERT_NE(found, computed.end()) << name;
            ASSERT_EQ(found->second.size(), wanted.size()) << name;
            for (std::size_t i = 0; i < wanted.size(); ++i)
                EXPECT_NEAR(found->second[i], wanted[i], 1e-9 + 1e-9 * std::abs(wanted[i])) << name << "[" << i << "]";
        }
    }
    EXPECT_EQ(seen.size(), operations().size()) << "every operation has a case";
}

}  // namespace
}  // namespace es::analysis
