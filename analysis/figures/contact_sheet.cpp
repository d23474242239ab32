// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/figures/contact_sheet.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>
#include <unordered_map>

#include "analysis/figures/wording.h"
#include "analysis/metrics/weighing.h"
#include "engine/base/hash.h"
#include "engine/base/random.h"
#include "engine/store/routing_tables.h"

namespace es::analysis {
namespace {

constexpr std::array<std::string_view, 3> kOrderNames{"given", "most", "random"};

std::optional<std::int64_t> newestProbe(const store::RunReader& run, std::int64_t wanted) {
    std::optional<std::int64_t> best;
    for (const store::ProbeKey& key : run.probes()) {
        if (key.variant != "trained" || (wanted >= 0 && key.step > wanted)) continue;
        if (!best || key.step > *best) best = key.step;
    }
    return best;
}

/// Rows of each sample in a table.
std::unordered_map<std::uint64_t, std::vector<std::int64_t>> rowsBySample(const store::RoutingTable& table) {
    std::unordered_map<std::uint64_t, std::vector<std::int64_t>> rows;
    for (std::size_t t = 0; t < table.sample_T.size(); ++t) rows[table.sample_T[t]].push_back(static_cast<std::int64_t>(t));
    return rows;
}

/// How much of the rows an expert takes, and of how many: those of the pair, where the sample ran as one.
struct Taken {
    double mass = 0;
    std::int64_t tokens = 0;
};
Taken takenOf(const store::RoutingTable& table, const std::vector<std::int64_t>& rows, std::int32_t expert) {
    Objective stream = Objective::kImage;
    for (const std::int64_t row : rows)
        if (!table.objective_T.empty()) stream = std::max(stream, table.objective_T[static_cast<std::size_t>(row)]);
    const bool paired = stream >= Objective::kPairImage;
    const bool dense = table.router.layout == store::RoutingLayout::kDenseMass;
    const auto experts = static_cast<std::size_t>(table.router.experts);
    const store::RoutingView view(table);
    Taken taken;
    for (const std::int64_t row : rows) {
        const auto at = static_cast<std::size_t>(row);
        // A pooled router sees a pair's patches and words as two objectives: both are the pair.
        if (!table.objective_T.empty() && (table.objective_T[at] >= Objective::kPairImage) != paired) continue;
        ++taken.tokens;
        if (dense) taken.mass += static_cast<double>(table.gates[at * experts + static_cast<std::size_t>(expert)]);
        else taken.mass += view.firstChoice(row).value == expert ? 1 : 0;
    }
    return taken;
}

/// One colour means one value on the whole sheet.
void shareScale(ContactSheet& sheet) {
    double low = 0, high = 0;
    for (const ContactSheet::Item& item : sheet.items) {
        const auto& panel = std::get<OverlayPanel>(item.panel.content);
        low = std::min(low, panel.value_min);
        high = std::max(high, panel.value_max);
    }
    for (ContactSheet::Item& item : sheet.items) {
        auto& panel = std::get<OverlayPanel>(item.panel.content);
        if (!panel.show_values) continue;
        panel.value_min = low;
        panel.value_max = high;
    }
}

std::int32_t mostFrequent(const store::RoutingTable& table) {
    std::vector<std::int64_t> count_E(static_cast<std::size_t>(std::max(1, table.router.experts)), 0);
    for (const std::int32_t expert : firstChoices(store::RoutingView(table)))
        if (expert >= 0) ++count_E[static_cast<std::size_t>(expert)];
    return static_cast<std::int32_t>(std::max_element(count_E.begin(), count_E.end()) - count_E.begin());
}

}  // namespace

std::string_view toString(SheetOrder order) { return kOrderNames.at(static_cast<std::size_t>(order)); }

std::optional<SheetOrder> sheetOrderFromString(std::string_view text) {
    const auto found = std::find(kOrderNames.begin(), kOrderNames.end(), text);
    if (found == kOrderNames.end()) return std::nullopt;
    return static_cast<SheetOrder>(found - kOrderNames.begin());
}

Result<ContactSheet> contactSheet(const store::RunReader& run, const SheetRequest& request, const JobContext& context) {
    const auto fail = [&](std::string why, std::string remedy) {
        return jobFailed("No contact sheet", std::move(why), std::move(remedy), run.folder().string());
    };
    const auto step = newestProbe(run, request.step);
    if (!step) return fail("the run has no probe yet", "Probes are written with every checkpoint");
    LayerIndex layer = request.overlay.layer;
    for (const store::RouterInfo& router : run.routers())
        if (!request.overlay.layer.valid() && (!layer.valid() || router.layer < layer)) layer = router.layer;
    std::vector<store::RoutingTable> tables;
    const store::RoutingTable* expert_table = nullptr;
    for (const store::RouterInfo& router : run.routers()) {
        if (router.layer != layer) continue;
        if (context.stopRequested()) return stopped("The contact sheet");
        auto table = run.probe({*step, "trained"}, router.id);
        if (!table) return tl::unexpected(table.error());
        tables.push_back(std::move(*table));
    }
    if (tables.empty()) return fail("this layer has no router", "Choose a layer with experts");
    for (const store::RoutingTable& table : tables)
        if (!expert_table || table.router.id == request.overlay.expert_router) expert_table = &table;
    ContactSheet sheet;
    sheet.step = *step;
    sheet.router = expert_table->router;
    const bool asked = request.overlay.expert.valid() && request.overlay.expert.value < sheet.router.experts &&
                       (!request.overlay.expert_router.valid() || request.overlay.expert_router == sheet.router.id);
    sheet.expert = asked ? request.overlay.expert : ExpertIndex(mostFrequent(*expert_table));

    std::vector<std::unordered_map<std::uint64_t, std::vector<std::int64_t>>> rows;
    for (const store::RoutingTable& table : tables) rows.push_back(rowsBySample(table));
    const auto& expert_rows = rows[static_cast<std::size_t>(expert_table - tables.data())];
    const auto probed = [&](std::uint64_t sample) { return std::any_of(rows.begin(), rows.end(), [&](const auto& of) { return of.contains(sample); }); };
    std::vector<std::uint64_t> samples = request.samples;
    if (samples.empty()) {
        auto all = run.probeSamples();
        if (!all) return tl::unexpected(all.error());
        samples = std::move(*all);
    }
    std::erase_if(samples, [&](std::uint64_t sample) { return !probed(sample); });
    sheet.of = samples.size();
    std::vector<Taken> taken(samples.size());
    Taken whole;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const auto found = expert_rows.find(samples[i]);
        if (found == expert_rows.end()) continue;
        taken[i] = takenOf(*expert_table, found->second, sheet.expert.value);
        whole.mass += taken[i].mass;
        whole.tokens += taken[i].tokens;
    }
    if (whole.tokens > 0) sheet.base_share = whole.mass / static_cast<double>(whole.tokens);
    std::vector<std::size_t> order(samples.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto share = [&](std::size_t i) { return taken[i].tokens > 0 ? taken[i].mass / static_cast<double>(taken[i].tokens) : -1.0; };
    if (request.order == SheetOrder::kMost) std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return share(a) > share(b); });
    if (request.order == SheetOrder::kRandom) {
        RandomStream random(request.seed, RandomPurpose::kPermutation);
        random.shuffle(std::span(order));
    }
    order.resize(std::min(order.size(), request.count));
    OverlayOptions options = request.overlay;
    options.layer = layer;
    options.other.reset();
    options.expert_router = sheet.router.id;
    options.expert = sheet.expert;
    for (std::size_t n = 0; n < order.size(); ++n) {
        if (context.stopRequested()) return stopped("The contact sheet");
        context.progress(static_cast<std::int64_t>(n), static_cast<std::int64_t>(order.size()), "Reading samples");
        const std::uint64_t hash = samples[order[n]];
        SampleRouting routing;
        auto record = run.sample(hash);
        if (!record) return tl::unexpected(record.error());
        routing.sample = std::move(*record);
        routing.step = *step;
        routing.source = "probe";
        for (std::size_t t = 0; t < tables.size(); ++t) {
            const auto found = rows[t].find(hash);
            if (found == rows[t].end()) continue;
            std::vector<std::uint8_t> include(static_cast<std::size_t>(tables[t].tokens), 0);
            for (const std::int64_t row : found->second) include[static_cast<std::size_t>(row)] = 1;
            routing.routing.push_back(selectTokens(tables[t], include));
        }
        auto panel = overlay(routing, options);
        if (!panel) return tl::unexpected(panel.error());
        sheet.items.push_back({hash, share(order[n]) < 0 ? kMissing : share(order[n]), taken[order[n]].tokens, std::move(*panel)});
    }
    shareScale(sheet);
    return sheet;
}

Panel sheetTable(const ContactSheet& sheet) {
    TablePanel table;
    table.columns = {"sample", "caption", "tokens", "share"};
    table.right_aligned = {0, 0, 1, 1};
    for (const ContactSheet::Item& item : sheet.items) {
        constexpr std::string_view kBefore = "Routing overlay · ";
        const std::string& title = item.panel.title;
        table.rows.push_back({hashText(item.sample), title.starts_with(kBefore) ? title.substr(kBefore.size()) : std::string(), grouped(item.tokens),
                              std::isfinite(item.share) ? percent(item.share) : "–"});
    }
    Panel panel;
    panel.title = fmt::format("Samples by expert {}, {}", sheet.expert.value, routerWords(sheet.router));
    panel.context = fmt::format("share of a sample's tokens · {} of {} samples · step {}", sheet.items.size(), sheet.of, grouped(sheet.step));
    if (std::isfinite(sheet.base_share))
        panel.notes.push_back(fmt::format("its share of the tokens of all {} samples: {}", sheet.of, percent(sheet.base_share)));
    panel.content = std::move(table);
    return panel;
}

}  // namespace es::analysis
