// SPDX-License-Identifier: GPL-3.0-or-later
// The forms of a report: JSON for programs, CSV for tables, aligned text for people. NaN is null, an empty cell or a dash.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/figures/train_panels.h"
#include "analysis/figures/wording.h"
#include "analysis/report/analyze.h"

namespace es::analysis {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

Json numberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
template <class Tag>
Json indexOrNull(StrongIndex<Tag> index) {
    return index.valid() ? Json(index.value) : Json(nullptr);
}
Json textOrNull(std::string_view text) { return text.empty() ? Json(nullptr) : Json(std::string(text)); }

std::string dumped(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace); }

Json toJsonValue(const SpecialisationBaseline& baseline) {
    return {{"draws", baseline.draws},
            {"nmi_mean", numberOrNull(baseline.nmi_mean)},
            {"nmi_max_or_quantile", numberOrNull(baseline.nmi_max)},
            {"mi_mean_nats", numberOrNull(baseline.mi_mean)},
            {"mi_max_or_quantile_nats", numberOrNull(baseline.mi_max)},
            {"missing", textOrNull(baseline.missing)}};
}

Json toJsonValue(const std::vector<LabelPreference>& preferences) {
    Json json = Json::array();
    for (const LabelPreference& one : preferences)
        json.push_back({{"label", one.label},
                        {"expert", one.expert},
                        {"tokens", one.tokens},
                        {"label_tokens", one.label_tokens},
                        {"p_label", numberOrNull(one.p_label)},
                        {"p_expert", numberOrNull(one.p_expert)},
                        {"p_label_given_expert", numberOrNull(one.p_label_given_expert)},
                        {"p_expert_given_label", numberOrNull(one.p_expert_given_label)},
                        {"npmi", numberOrNull(one.npmi)},
                        {"risk_difference", numberOrNull(one.risk_difference)},
                        {"low", numberOrNull(one.low)},
                        {"high", numberOrNull(one.high)},
                        {"p", numberOrNull(one.p)}});
    return json;
}

Json toJsonValue(const LossDifference& d) {
    static constexpr const char* kReplication[] = {"none", "paired_seeds", "seeds", "samples"};
    return {{"loss", d.loss},
            {"unit", textOrNull(d.unit)},
            {"baseline", numberOrNull(d.baseline)},
            {"candidate", numberOrNull(d.candidate)},
            {"candidate_minus_baseline", numberOrNull(d.mean)},
            {"low", numberOrNull(d.low)},
            {"high", numberOrNull(d.high)},
            {"p", numberOrNull(d.p)},
            {"replication", kReplication[static_cast<std::size_t>(d.replication)]},
            {"over", d.over},
            {"n", d.n},
            {"baseline_seeds", d.baseline_seeds},
            {"candidate_seeds", d.candidate_seeds}};
}

Json toJsonValue(const std::vector<double>& values) {
    Json json = Json::array();
    for (const double value : values) json.push_back(numberOrNull(value));
    return json;
}

Json toJsonValue(const GroupCurve& curve) {
    Json runs = Json::array();
    for (const GroupCurve::RunCurve& run : curve.runs)
        runs.push_back({{"run", run.label}, {"step", toJsonValue(run.step)}, {"x", toJsonValue(run.x)}, {"loss", toJsonValue(run.loss)}});
    return {{"name", curve.name},
            {"x", toJsonValue(curve.x)},
            {"mean", toJsonValue(curve.mean)},
            {"low", toJsonValue(curve.low)},
            {"high", toJsonValue(curve.high)},
            {"runs", runs}};
}

/// RFC 4180: quoted when it holds a comma, a quote or a line break.
std::string csvCell(const std::string& text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}
std::string csvNumber(double value) { return std::isfinite(value) ? fmt::format("{}", value) : std::string(); }

std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// Columns as wide as their widest cell, two spaces between.
std::string aligned(const std::vector<std::vector<std::string>>& rows, const std::vector<std::uint8_t>& right) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (i == widths.size()) widths.push_back(0);
            widths[i] = std::max(widths[i], width(row[i]));
        }
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string pad(widths[i] - width(row[i]), ' ');
            line += (i ? "  " : "") + (i < right.size() && right[i] ? pad + row[i] : row[i] + pad);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string placeOf(const MetricRow& row) {
    if (!row.layer.valid()) return "run";
    std::string place = fmt::format("{}.{}", row.layer.value, toString(row.branch));
    if (row.expert.valid()) place += fmt::format(" e{}", row.expert.value);
    return place;
}

bool sameButExpert(const MetricRow& a, const MetricRow& b) {
    return a.metric == b.metric && a.name == b.name && a.router == b.router && a.label == b.label && a.modality == b.modality && a.step == b.step &&
           b.expert > a.expert && a.note.empty() && b.note.empty();
}

/// p-values below what is printed are not 0.
std::string shownP(double p) { return p < 0.001 ? "< 0.001" : fixed(p, 3); }

/// One line a router, the baselines beside the measured value.
std::string specialisationText(const std::vector<Specialisation>& rows) {
    std::vector<std::vector<std::string>> cells = {
        {"  router", "label", "trained", "random mean", "max", "untrained", "permuted 97.5 %", "ami", "mi (nats)", "p (Holm)", "tokens", "blank", "above all"}};
    for (const Specialisation& row : rows)
        cells.push_back({"  " + routerName(row.router), std::string(toString(row.label)), fixed(row.nmi, 3), fixed(row.random_router.nmi_mean, 3),
                         fixed(row.random_router.nmi_max, 3), fixed(row.untrained.nmi_max, 3), fixed(row.permutation.nmi_max, 3), fixed(row.ami, 3),
                         fixed(row.mi_nats, 3), shownP(row.p_holm), grouped(row.tokens), grouped(row.blank_tokens), foundWords(row)});
    std::string text = aligned(cells, {0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0});
    std::vector<std::vector<std::string>> pairs = {
        {"  router", "expert", "label", "value", "p(e|value)", "p(e)", "difference", "95 % interval", "nPMI", "n", "p"}};
    for (const Specialisation& row : rows)
        for (const LabelPreference& one : row.preferences)
            pairs.push_back({"  " + routerName(row.router), std::to_string(one.expert), std::string(toString(row.label)), one.label,
                             fixed(one.p_expert_given_label, 3), fixed(one.p_expert, 3), fixed(one.risk_difference, 3),
                             fmt::format("{} to {}", fixed(one.low, 3), fixed(one.high, 3)), fixed(one.npmi, 3),
                             fmt::format("{} of {}", grouped(one.tokens), grouped(one.label_tokens)), shownP(one.p)});
    if (pairs.size() > 1)
        text += "\nwhat experts take: labels over-represented after correction for the whole table\n" + aligned(pairs, {0, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1});
    return text;
}

}  // namespace

std::string toJson(const AnalyzeResult& result) {
    Json json = {{"schema", "expertscope-analyze"},
                 {"schema_version", kSchemaVersion},
                 {"run", result.run},
                 {"run_uuid", result.run_uuid},
                 {"step", result.step},
                 {"set", textOrNull(result.set)},
                 {"verdict", textOrNull(result.verdict)},
                 {"notes", result.notes},
                 {"rows", Json::array()},
                 {"specialisation", Json::array()}};
    for (const MetricRow& row : result.rows)
        json["rows"].push_back({{"metric", row.metric},
                                {"name", row.name},
                                {"layer", indexOrNull(row.layer)},
                                {"branch", row.layer.valid() ? Json(std::string(toString(row.branch))) : Json(nullptr)},
                                {"router", indexOrNull(row.router)},
                                {"modality", row.modality == Modality::kUnknown ? Json(nullptr) : Json(std::string(toString(row.modality)))},
                                {"expert", indexOrNull(row.expert)},
                                {"label", textOrNull(row.label)},
                                {"step", row.step},
                                {"value", numberOrNull(row.value)},
                                {"low", numberOrNull(row.low)},
                                {"high", numberOrNull(row.high)},
                                {"n", row.n},
                                {"note", textOrNull(row.note)}});
    for (const Specialisation& one : result.specialisation)
        json["specialisation"].push_back({{"router", routerName(one.router)},
                                          {"layer", one.router.layer.value},
                                          {"branch", std::string(toString(one.router.branch))},
                                          {"label", std::string(toString(one.label))},
                                          {"step", one.step},
                                          {"tokens", one.tokens},
                                          {"samples", one.samples},
                                          {"labels", one.labels},
                                          {"families", one.families},
                                          {"mi_nats", numberOrNull(one.mi_nats)},
                                          {"nmi", numberOrNull(one.nmi)},
                                          {"random_router", toJsonValue(one.random_router)},
                                          {"untrained", toJsonValue(one.untrained)},
                                          {"permutation", toJsonValue(one.permutation)},
                                          {"ami", numberOrNull(one.ami)},
                                          {"mi_expected_nats", numberOrNull(one.expected_mi_nats)},
                                          {"p_permutation", numberOrNull(one.p)},
                                          {"p_holm", numberOrNull(one.p_holm)},
                                          {"background_left_out", one.background_left_out},
                                          {"preferences", toJsonValue(one.preferences)},
                                          {"above_random_router", one.above_random_router},
                                          {"above_untrained", one.above_untrained},
                                          {"above_permutation", one.above_permutation},
                                          {"above_all", one.aboveAll()},
                                          {"chosen_by_routing", one.chosen_by_routing},
                                          {"found", one.found()}});
    return dumped(json);
}

std::string toCsv(const AnalyzeResult& result) {
    std::string text = "metric,name,layer,branch,router,modality,expert,label,step,value,low,high,n,note\n";
    const auto index = [](auto value) { return value.valid() ? std::to_string(value.value) : std::string(); };
    for (const MetricRow& row : result.rows)
        text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", csvCell(row.metric), csvCell(row.name), index(row.layer),
                            row.layer.valid() ? toString(row.branch) : "", index(row.router), row.modality == Modality::kUnknown ? "" : toString(row.modality),
                            index(row.expert), csvCell(row.label), row.step, csvNumber(row.value), csvNumber(row.low), csvNumber(row.high), row.n,
                            csvCell(row.note));
    text.pop_back();
    return text;
}

std::string toText(const AnalyzeResult& result) {
    std::string text = fmt::format("{}, step {}\n", result.run, result.step);
    std::string metric;
    std::vector<std::vector<std::string>> rows;
    const auto flush = [&] {
        if (!rows.empty()) text += "\n" + metric + "\n" + aligned(rows, {0, 0, 0, 1, 0, 1, 0});
        rows.clear();
    };
    for (std::size_t i = 0; i < result.rows.size(); ++i) {
        const MetricRow& row = result.rows[i];
        if (row.metric == "specialisation") continue;  // a table of its own below
        if (row.metric != metric) {
            flush();
            metric = row.metric;
            rows.push_back({"  where", "label", "name", "value", "95 % interval", "n", "note"});
        }
        const std::string interval = std::isfinite(row.low) && std::isfinite(row.high) ? fmt::format("{} to {}", number(row.low, 4), number(row.high, 4)) : "";
        std::string label = row.label;
        if (row.modality != Modality::kUnknown && row.metric == "modality") label = toString(row.modality);
        // One line for all experts of a router, in order.
        std::string experts;
        std::size_t last = i;
        while (row.expert.valid() && last + 1 < result.rows.size() && sameButExpert(row, result.rows[last + 1])) ++last;
        if (last > i) {
            for (std::size_t j = i; j <= last; ++j)
                experts += fmt::format("{}e{} {}", j > i ? "  " : "", result.rows[j].expert.value, number(result.rows[j].value, 3));
            rows.push_back({fmt::format("  {}.{}", row.layer.value, toString(row.branch)), label, row.name, "", "", row.n > 0 ? grouped(row.n) : "", experts});
            i = last;
            continue;
        }
        rows.push_back({"  " + placeOf(row), label, row.name, number(row.value, 4), interval, row.n > 0 ? grouped(row.n) : "", row.note});
    }
    flush();
    if (!result.specialisation.empty())
        text += "\nspecialisation: normalised mutual information of first choice and label\n" + specialisationText(result.specialisation);
    if (!result.verdict.empty()) text += "\n" + result.verdict + "\n";
    for (const std::string& note : result.notes) text += "note: " + note + "\n";
    text.pop_back();
    return text;
}

std::string toJson(const Comparison& c) {
    Json json = {{"schema", "expertscope-compare"},
                 {"schema_version", kSchemaVersion},
                 {"baseline", c.baseline_name},
                 {"candidate", c.candidate_name},
                 {"axis", std::string(toString(c.axis))},
                 {"confidence", c.confidence},
                 {"verdict", c.verdict},
                 {"losses", Json::array()},
                 {"at_equal_axis", nullptr},
                 {"compute_to_reach", Json::array()},
                 {"categories", Json::array()},
                 {"cost", Json::array()},
                 {"configuration", Json::array()},
                 {"checks", Json::array()},
                 {"notes", c.notes}};
    for (const LossDifference& difference : c.losses) json["losses"].push_back(toJsonValue(difference));
    if (c.at_equal_axis) {
        json["at_equal_axis"] = toJsonValue(*c.at_equal_axis);
        json["at_equal_axis"]["axis_value"] = numberOrNull(c.equal_axis_value);
    }
    for (const ReachRatio& reach : c.reach)
        json["compute_to_reach"].push_back({{"axis", std::string(toString(reach.axis))},
                                            {"target_loss", numberOrNull(reach.target_loss)},
                                            {"reached", reach.ratio.has_value()},
                                            {"baseline_over_candidate", reach.ratio ? numberOrNull(*reach.ratio) : Json(nullptr)},
                                            {"low", numberOrNull(reach.low)},
                                            {"high", numberOrNull(reach.high)},
                                            {"seed_pairs", reach.n},
                                            {"words", reach.words}});
    for (const CategoryDifference& category : c.categories)
        json["categories"].push_back({{"category", category.category},
                                      {"candidate_minus_baseline", numberOrNull(category.mean)},
                                      {"low", numberOrNull(category.low)},
                                      {"high", numberOrNull(category.high)},
                                      {"samples", category.samples}});
    for (const CostRow& row : c.cost)
        json["cost"].push_back(
            {{"name", row.name}, {"unit", textOrNull(row.unit)}, {"baseline", numberOrNull(row.baseline)}, {"candidate", numberOrNull(row.candidate)}});
    for (const config::ConfigDifference& difference : c.configuration)
        json["configuration"].push_back({{"key", difference.key}, {"baseline", difference.a}, {"candidate", difference.b}});
    for (const ComparabilityCheck& check : c.checks) json["checks"].push_back({{"ok", check.ok}, {"words", check.words}});
    json["curves"] = {{"baseline", toJsonValue(c.baseline_curve)}, {"candidate", toJsonValue(c.candidate_curve)}};
    return dumped(json);
}

std::string toText(const Comparison& c) {
    std::string text = c.verdict + "\n\n";
    std::vector<std::vector<std::string>> rows = {
        {"held-out loss", c.baseline_name, c.candidate_name, "difference", percent(c.confidence, 0) + " interval", "over"}};
    const auto add = [&](const LossDifference& d, const std::string& name) {
        rows.push_back({name, fixed(d.baseline, 4), fixed(d.candidate, 4), fmt::format("{:+.4f}", d.mean),
                        std::isfinite(d.low) ? fmt::format("{:+.4f} to {:+.4f}", d.low, d.high) : "none", d.over});
    };
    for (const LossDifference& difference : c.losses) add(difference, difference.loss);
    if (c.at_equal_axis) add(*c.at_equal_axis, fmt::format("total at {} {}", toString(c.axis), number(c.equal_axis_value)));
    text += aligned(rows, {0, 1, 1, 1, 0, 0}) + "\n";
    rows = {{"to reach the baseline's final loss", "baseline ÷ candidate", ""}};
    for (const ReachRatio& reach : c.reach)
        rows.push_back({std::string(toString(reach.axis)), reach.ratio ? number(*reach.ratio) : "not reached", reach.ratio ? reach.words : ""});
    text += aligned(rows, {0, 1, 0}) + "\n";
    rows = {{"cost", c.baseline_name, c.candidate_name, "unit"}};
    for (const CostRow& row : c.cost) rows.push_back({row.name, number(row.baseline, 5), number(row.candidate, 5), row.unit});
    text += aligned(rows, {0, 1, 1, 0});
    if (!c.categories.empty()) {
        rows = {{"by category", "difference", "interval over samples", "n"}};
        for (const CategoryDifference& category : c.categories)
            rows.push_back({category.category, fmt::format("{:+.4f}", category.mean),
                            std::isfinite(category.low) ? fmt::format("{:+.4f} to {:+.4f}", category.low, category.high) : "none", grouped(category.samples)});
        text += "\n" + aligned(rows, {0, 1, 0, 1});
    }
    text += "\n";
    for (const config::ConfigDifference& difference : c.configuration)
        text += fmt::format("differs: {}  {} -> {}\n", difference.key, difference.a, difference.b);
    for (const ComparabilityCheck& check : c.checks) text += fmt::format("{} {}\n", check.ok ? "ok:  " : "mind:", check.words);
    for (const std::string& note : c.notes) text += "note: " + note + "\n";
    text.pop_back();
    return text;
}

}  // namespace es::analysis
