// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include "analysis/figures/wording.h"
#include "analysis/metrics/trace_metrics.h"
#include "analysis/report/metric_rows.h"

namespace es::analysis {

Status addTrace(const AnalyzeInput& input, AnalyzeResult& result) {
    if (input.run.tracedSteps().empty()) {
        if (!input.routers.empty()) result.notes.push_back("trace: the run recorded no routing of training steps (record.trace_every)");
        return {};
    }
    TraceOptions options;
    options.layer = input.request.layer;
    const auto routers = traceMetrics(input.run, options, input.context);
    if (!routers) return tl::unexpected(routers.error());
    for (const TraceMetrics& metrics : *routers) {
        MetricRow row = routerRow("trace", metrics.router, metrics.last_step);
        row.note = fmt::format("steps {} to {}", grouped(metrics.first_step), grouped(metrics.last_step));
        addRow(result, row, "assignments", static_cast<double>(metrics.assignments), metrics.tokens);
        addRow(result, row, "max_vio", metrics.load.max_vio, metrics.tokens);
        addRow(result, row, "load_cv", metrics.load.cv, metrics.tokens);
        addRow(result, row, "effective_experts", metrics.load.effective_experts, metrics.tokens);
        addRow(result, row, "dead_experts", static_cast<double>(metrics.load.dead), metrics.tokens);
        if (metrics.coactivation.experts > 1) {
            // The pair that is chosen together most often, whichever way round.
            const auto experts = static_cast<std::size_t>(metrics.coactivation.experts);
            double most = 0, total = 0;
            std::size_t a = 0, b = 1;
            for (std::size_t i = 0; i < experts; ++i)
                for (std::size_t j = i + 1; j < experts; ++j) {
                    const double n = metrics.coactivation.count_EE[i * experts + j];
                    total += n;
                    if (n > most) most = n, a = i, b = j;
                }
            MetricRow pair = row;
            pair.label = fmt::format("{} and {}", a, b);
            addRow(result, pair, "largest_pair_share", total > 0 ? most / total : 0, metrics.tokens);
        }
        if (metrics.category.tokens > 0) {
            addRow(result, row, "mi_category_nats", metrics.category.mi_nats, metrics.category.tokens);
            addRow(result, row, "nmi_category", metrics.category.nmi, metrics.category.tokens);
        }
    }
    return {};
}

}  // namespace es::analysis
