// SPDX-License-Identifier: GPL-3.0-or-later
// Members of the results that are kept, in the order of their declaration.
#pragma once

#include <tuple>

#include "analysis/metrics/specialisation.h"
#include "analysis/report/analyze.h"

namespace es::store {
inline auto fieldsOf(RouterInfo& v) { return std::tie(v.id, v.layer, v.branch, v.kind, v.experts, v.k, v.layout); }
}  // namespace es::store

namespace es::analysis {

inline auto fieldsOf(SpecialisationBaseline& v) { return std::tie(v.draws, v.mi_mean, v.mi_max, v.nmi_mean, v.nmi_max, v.missing); }
inline auto fieldsOf(LabelPreference& v) {
    return std::tie(v.label, v.expert, v.tokens, v.label_tokens, v.p_label, v.p_expert, v.p_label_given_expert, v.p_expert_given_label, v.npmi,
                    v.risk_difference, v.low, v.high, v.p);
}
inline auto fieldsOf(Specialisation& v) {
    return std::tie(v.router, v.modality, v.label, v.step, v.tokens, v.samples, v.labels, v.families, v.blank_tokens, v.masked_left_out, v.background_left_out,
                    v.mi_nats, v.nmi, v.h_label_nats, v.h_expert_nats, v.expected_mi_nats, v.ami, v.p, v.p_holm, v.random_router, v.untrained, v.permutation,
                    v.above_random_router, v.above_untrained, v.above_permutation, v.chosen_by_routing, v.preferences, v.notes);
}
inline auto fieldsOf(MetricRow& v) {
    return std::tie(v.metric, v.name, v.layer, v.branch, v.router, v.modality, v.expert, v.label, v.step, v.value, v.low, v.high, v.n, v.note);
}
inline auto fieldsOf(AnalyzeResult& v) { return std::tie(v.run, v.run_uuid, v.step, v.rows, v.specialisation, v.notes, v.verdict, v.set); }

}  // namespace es::analysis
