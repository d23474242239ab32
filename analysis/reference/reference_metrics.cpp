// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/reference/reference_metrics.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <map>
#include <unordered_map>

#include "analysis/metrics/confidence.h"
#include "analysis/metrics/dependence.h"
#include "analysis/metrics/load.h"
#include "analysis/metrics/pairs.h"
#include "analysis/metrics/retrieval.h"
#include "analysis/metrics/stability.h"
#include "analysis/stats/entropy.h"
#include "analysis/stats/intervals.h"
#include "analysis/stats/spikes.h"

namespace es::analysis {
namespace {

using reference::Call;

constexpr std::int64_t kMostExperts = 65535;  // as many as recorded routing can name
constexpr std::uint16_t kNoExpertId = 0xFFFF;

/// A mistake of the case that only the computation meets.
struct BadCase {
    std::string why;
};

const std::vector<double>& reals(const Call& call, const char* name) { return call.inputs.at(name).reals; }
const std::vector<std::int64_t>& integers(const Call& call, const char* name) { return call.inputs.at(name).integers; }
std::int32_t int32Of(std::int64_t value) { return static_cast<std::int32_t>(value); }

/// Values that are small already: experts, labels, modalities.
std::vector<std::int32_t> smallIds(const Call& call, const char* name) {
    const auto& values = integers(call, name);
    std::vector<std::int32_t> ids(values.size());
    std::transform(values.begin(), values.end(), ids.begin(), int32Of);
    return ids;
}

/// Ids of any size, numbered in order of appearance; -1 stays.
std::vector<std::int32_t> numbered(const Call& call, const char* name) {
    std::unordered_map<std::int64_t, std::int32_t> number;
    std::vector<std::int32_t> ids;
    for (const std::int64_t value : integers(call, name))
        ids.push_back(value < 0 ? -1 : number.emplace(value, static_cast<std::int32_t>(number.size())).first->second);
    return ids;
}

/// Indices T x K as recorded routing.
store::RoutingTable recordedChoices(const Call& call, const char* name, std::int64_t experts) {
    const NumberArray& indices = call.inputs.at(name);
    store::RoutingTable table;
    table.router.experts = int32Of(experts);
    table.router.k = int32Of(indices.shape[1]);
    table.router.layout = store::RoutingLayout::kFixedK;
    table.tokens = indices.shape[0];
    for (const std::int64_t e : indices.integers) table.expert_ids.push_back(e < 0 ? kNoExpertId : static_cast<std::uint16_t>(e));
    return table;
}

/// Both tables of a comparison, whose number of experts nobody says.
RoutingChange changeOf(const Call& call) {
    std::int64_t most = 0;
    for (const char* name : {"a_TK", "b_TK"})
        for (const std::int64_t e : integers(call, name)) most = std::max(most, e);
    if (most >= kMostExperts) throw BadCase{"expert " + std::to_string(most) + " cannot be recorded: at most " + std::to_string(kMostExperts) + " experts"};
    return compareRouting(recordedChoices(call, "a_TK", most + 1), recordedChoices(call, "b_TK", most + 1));
}

/// Collects what an operation gives, in the shapes that the table names.
class Results {
public:
    explicit Results(const Call& call) : call_(call) {}
    Results& real(const char* name, std::vector<double> values) {
        NumberArray& array = made(name, ElementType::kF32);
        array.reals = std::move(values);
        return *this;
    }
    Results& real(const char* name, double value) { return real(name, std::vector<double>{value}); }
    /// Whole numbers that the metric holds as real ones.
    Results& whole(const char* name, const std::vector<double>& values) {
        NumberArray& array = made(name, ElementType::kI64);
        for (const double value : values) array.integers.push_back(std::llround(value));
        return *this;
    }
    template <class T>
    Results& whole(const char* name, const std::vector<T>& values, ElementType type = ElementType::kI64) {
        made(name, type).integers.assign(values.begin(), values.end());
        return *this;
    }
    Results& whole(const char* name, std::int64_t value) { return whole(name, std::vector<std::int64_t>{value}); }
    [[nodiscard]] NamedArrays take() { return std::move(arrays_); }

private:
    NumberArray& made(const char* name, ElementType type) {
        NumberArray& array = arrays_[std::string("out.") + name];
        array.type = type;
        for (const char letter : call_.operation->output(name)->letters) array.shape.push_back(call_.size(letter));
        return array;
    }
    const Call& call_;
    NamedArrays arrays_;
};

void load(const Call& call, Results& out) {
    const store::RoutingTable table = recordedChoices(call, "indices_TK", call.size('E'));
    const LoadStats s = loadOf(expertLoads(store::RoutingView(table)));
    out.real("share_E", s.share_E).real("cv", s.cv).real("max_vio", s.max_vio).real("imbalance", s.imbalance);
    out.real("effective_experts", s.effective_experts).real("normalized_entropy", s.normalized_entropy).whole("dead", s.dead);
}

void confidenceOfLogits(const Call& call, Results& out) {
    const std::vector<double>& wide = reals(call, "logits_TE");
    const std::vector<float> logits(wide.begin(), wide.end());
    const ConfidenceStats s = confidenceFromLogits(logits, int32Of(call.size('E')), int32Of(call.integer("k")));
    out.real("entropy", s.entropy_nats).real("top1", s.top1).real("margin12", s.margin12).real("boundary_margin", s.boundary_margin);
    out.real("chosen_mass", s.chosen_mass).real("logsumexp", s.logsumexp);
}

void mutualInformationOfLabels(const Call& call, Results& out) {
    const MutualInformation m = mutualInformation(numbered(call, "label_T"), numbered(call, "expert_T"));
    out.real("mi", m.mi_nats).real("nmi", m.nmi).real("h_label", m.h_label_nats).real("h_expert", m.h_expert_nats);
}

void npmiOfLabels(const Call& call, Results& out) {
    const store::RoutingTable table = recordedChoices(call, "indices_TK", call.size('E'));
    const std::int32_t labels = int32Of(call.size('L'));
    out.real("npmi_LE", npmi(labelByExpert(store::RoutingView(table), smallIds(call, "label_T"), labels), labels, table.router.experts));
}

void coactivationOfChoices(const Call& call, Results& out) {
    const store::RoutingTable table = recordedChoices(call, "indices_TK", call.size('E'));
    const Coactivation c = coactivation(store::RoutingView(table));
    out.whole("count_EE", c.count_EE).real("conditional_EE", c.conditional_EE);
}

void modalitySplitOfChoices(const Call& call, Results& out) {
    const store::RoutingTable table = recordedChoices(call, "indices_TK", call.size('E'));
    const ModalitySplit split = modalitySplit(store::RoutingView(table), smallIds(call, "modality_T"), int32Of(call.size('M')));
    out.real("p_expert_given_modality_ME", split.p_expert_given_modality_ME).real("p_modality_given_expert_EM", split.p_modality_given_expert_EM);
}

void vocabularyOfTokens(const Call& call, Results& out) {
    const store::RoutingTable table = recordedChoices(call, "indices_TK", call.size('E'));
    out.real("specialization", vocabularySpecialisation(store::RoutingView(table), numbered(call, "token_T")));
}

void matchedExperts(const Call& call, Results& out) {
    const ExpertMatch match = matchExperts(smallIds(call, "a_T"), smallIds(call, "b_T"), int32Of(call.size('E')));
    out.whole("permutation_E", match.permutation_E).real("agreement", match.agreement);
}

void retrieval(const Call& call, Results& out) {
    const RetrievalRecall recall = retrievalRecall(reals(call, "similarity_IT"), integers(call, "group_I"), integers(call, "group_T"), call.integers("ks"));
    out.real("recall_i2t_K", recall.image_to_text_K).real("recall_t2i_K", recall.text_to_image_K);
}

void give(const Interval& interval, Results& out) {
    out.real("mean_difference", interval.mean).real("low", interval.low).real("high", interval.high).real("p", interval.p);
}

using Metric = void (*)(const Call&, Results&);

const std::map<std::string, Metric>& metricsByName() {
    static const std::map<std::string, Metric> kMetrics = {
        {"metric.load", load},
        {"metric.confidence", confidenceOfLogits},
        {"metric.saturation", [](const Call& call, Results& out) { out.real("overlap", changeOf(call).overlap); }},
        {"metric.churn",
         [](const Call& call, Results& out) {
             const RoutingChange change = changeOf(call);
             out.real("changed_slots", change.changed_slots).real("changed_first", change.changed_first);
         }},
        {"metric.mutual_information", mutualInformationOfLabels},
        {"metric.npmi", npmiOfLabels},
        {"metric.coactivation", coactivationOfChoices},
        {"metric.flow",
         [](const Call& call, Results& out) {
             out.whole("count_EE", flow(recordedChoices(call, "a_TK", call.size('E')), recordedChoices(call, "b_TK", call.size('F'))).count_EE);
         }},
        {"metric.modality_split", modalitySplitOfChoices},
        {"metric.vocabulary", vocabularyOfTokens},
        {"metric.repetition",
         [](const Call& call, Results& out) { out.real("rate", repetitionRate(integers(call, "sequence_T"), numbered(call, "expert_T"))); }},
        {"metric.match_experts", matchedExperts},
        {"metric.cka",
         [](const Call& call, Results& out) {
             const std::int32_t width = int32Of(call.size('D'));
             out.real("cka", linearCka(reals(call, "x_TD"), width, reals(call, "y_TD"), width));
         }},
        {"metric.jsd", [](const Call& call, Results& out) { out.real("jsd", jensenShannonNats(reals(call, "p_E"), reals(call, "q_E"))); }},
        {"metric.spikes",
         [](const Call& call, Results& out) {
             out.whole("flag_S", spikeFlags(reals(call, "series_S"), call.integer("window"), call.real("sigmas")), ElementType::kU8);
         }},
        {"metric.retrieval", retrieval},
        {"stat.paired_t", [](const Call& call, Results& out) { give(pairedT(reals(call, "a_N"), reals(call, "b_N"), call.real("confidence")), out); }},
        {"stat.welch", [](const Call& call, Results& out) { give(welch(reals(call, "a_N"), reals(call, "b_M"), call.real("confidence")), out); }},
        {"stat.wilson",
         [](const Call& call, Results& out) {
             const Interval share = wilson(integers(call, "successes")[0], integers(call, "trials")[0], call.real("confidence"));
             out.real("low", share.low).real("high", share.high);
         }},
    };
    return kMetrics;
}

}  // namespace

Result<NamedArrays> runReferenceMetric(const Call& call) {
    const auto found = metricsByName().find(call.operation->name);
    if (found == metricsByName().end()) return jobFailed("Cannot compute the case", "'" + call.operation->name + "' is no metric", "Report this with the case");
    try {
        Results results(call);
        found->second(call, results);
        return results.take();
    } catch (const BadCase& bad) {
        return badInput("The case cannot be used", bad.why, "Correct the case");
    } catch (const std::exception& problem) {
        return jobFailed("Cannot compute the case", problem.what(), "Report this with the case");
    }
}

}  // namespace es::analysis
