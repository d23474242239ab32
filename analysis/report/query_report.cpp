// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/report/query_report.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "analysis/figures/wording.h"
#include "engine/base/hash.h"

namespace es::analysis {
namespace {

using QueryJson = nlohmann::ordered_json;

constexpr std::size_t kTextSamples = 20;

std::string quotedCell(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string cell = "\"";
    for (const char c : text) cell += c == '"' ? std::string("\"\"") : std::string(1, c);
    return cell + "\"";
}

std::string dumpedQuery(const QueryJson& json) { return json.dump(2, ' ', false, QueryJson::error_handler_t::replace); }

/// Found positions by sample, then stream.
using FoundPositions = std::map<std::uint64_t, std::map<std::pair<Objective, Modality>, std::vector<std::uint32_t>>>;
FoundPositions positionsOf(const TokenSet& tokens) {
    FoundPositions found;
    tokens.forEachListed([&](std::uint64_t sample, Objective objective, Modality modality, std::uint32_t position) {
        found[sample][{objective, modality}].push_back(position);
    });
    return found;
}

std::string nameOfRouter(const store::RouterInfo& router) { return fmt::format("{}.{}", router.layer.value, toString(router.branch)); }

}  // namespace

Result<QueryReport> queryReport(const store::RunReader& run, QueryAnswer answer, double milliseconds) {
    auto list = run.sampleList();
    if (!list) return tl::unexpected(list.error());
    QueryReport report{run.config().run.name, run.provenance().run_uuid, {}, std::move(answer), {}, milliseconds};
    for (store::SampleRecord& sample : *list)
        if (report.answer.samples.contains(sample.hash)) report.samples.push_back(std::move(sample));
    return report;
}

std::string toJson(const QueryReport& report) {
    const QueryAnswer& answer = report.answer;
    QueryJson json = {{"schema", "expertscope-query"},
                      {"schema_version", 1},
                      {"run", report.run},
                      {"run_uuid", report.run_uuid},
                      {"query", answer.query},
                      {"saved_as", report.saved_as.empty() ? QueryJson(nullptr) : QueryJson(report.saved_as)},
                      {"step", answer.step},
                      {"tokens", answer.found_tokens},
                      {"tokens_of_probe", answer.all_tokens},
                      {"samples_found", answer.samples.size()},
                      {"samples_of_run", answer.all_samples},
                      {"milliseconds", report.milliseconds},
                      {"notes", answer.notes},
                      {"routers", QueryJson::array()},
                      {"samples", QueryJson::array()}};
    for (const QueryAnswer::RouterCount& count : answer.routers)
        json["routers"].push_back({{"router", nameOfRouter(count.router)}, {"found", count.found}, {"tokens", count.tokens}});
    const FoundPositions found = positionsOf(answer.tokens);
    for (const store::SampleRecord& sample : report.samples) {
        QueryJson one = {{"sample", hashText(sample.hash)}, {"caption", sample.caption}, {"category", sample.category}, {"tokens", QueryJson::array()}};
        if (const auto at = found.find(sample.hash); at != found.end())
            for (const auto& [stream, positions] : at->second)
                one["tokens"].push_back(
                    {{"objective", std::string(toString(stream.first))}, {"modality", std::string(toString(stream.second))}, {"positions", positions}});
        json["samples"].push_back(std::move(one));
    }
    return dumpedQuery(json);
}

std::string toCsv(const QueryReport& report) {
    std::string text = "sample,objective,modality,position,caption,category\n";
    const FoundPositions found = positionsOf(report.answer.tokens);
    for (const store::SampleRecord& sample : report.samples) {
        const std::string tail = quotedCell(sample.caption) + "," + quotedCell(sample.category) + "\n";
        const auto at = found.find(sample.hash);
        if (at == found.end()) {
            text += hashText(sample.hash) + ",,,," + tail;
            continue;
        }
        for (const auto& [stream, positions] : at->second)
            for (const std::uint32_t position : positions)
                text += fmt::format("{},{},{},{},{}", hashText(sample.hash), toString(stream.first), toString(stream.second), position, tail);
    }
    text.pop_back();
    return text;
}

std::string toText(const QueryReport& report) {
    const QueryAnswer& answer = report.answer;
    std::string text = fmt::format("{}\n", answer.query.empty() ? "everything" : answer.query);
    text += fmt::format("{} of {}", grouped(static_cast<std::int64_t>(answer.samples.size())), plural(answer.all_samples, "sample"));
    if (answer.step >= 0)
        text += fmt::format(", {} of {} of the probe at step {}", grouped(answer.found_tokens), plural(answer.all_tokens, "token"), answer.step);
    text += fmt::format(" ({} ms)\n", number(report.milliseconds, 2));
    if (answer.found_tokens > 0)
        for (const QueryAnswer::RouterCount& count : answer.routers)
            if (count.tokens > 0)
                text += fmt::format("  {:<8} {:>10} of {:>10}  {:>7}\n", nameOfRouter(count.router), grouped(count.found), grouped(count.tokens),
                                    percent(static_cast<double>(count.found) / static_cast<double>(count.tokens)));
    const FoundPositions found = positionsOf(answer.tokens);
    for (std::size_t i = 0; i < std::min(report.samples.size(), kTextSamples); ++i) {
        const store::SampleRecord& sample = report.samples[i];
        std::size_t tokens = 0;
        if (const auto at = found.find(sample.hash); at != found.end())
            for (const auto& [stream, positions] : at->second) tokens += positions.size();
        text += fmt::format("  {}  {}{}\n", hashText(sample.hash), sample.caption.empty() ? "(no caption)" : sample.caption,
                            tokens > 0 ? fmt::format("  · {}", plural(static_cast<std::int64_t>(tokens), "token")) : std::string());
    }
    if (report.samples.size() > kTextSamples)
        text += fmt::format("  and {} more: --csv or --json list them all\n", grouped(static_cast<std::int64_t>(report.samples.size() - kTextSamples)));
    if (!report.saved_as.empty()) text += fmt::format("saved as the set '{}'\n", report.saved_as);
    for (const std::string& note : answer.notes) text += "note: " + note + "\n";
    text.pop_back();
    return text;
}

std::string setsToJson(const std::vector<store::NamedSet>& sets) {
    QueryJson json = {{"schema", "expertscope-sets"}, {"schema_version", 1}, {"sets", QueryJson::array()}};
    for (const store::NamedSet& set : sets) json["sets"].push_back({{"name", set.name}, {"query", set.query}, {"created_s", set.created_s}});
    return dumpedQuery(json);
}

std::string setsToText(const std::vector<store::NamedSet>& sets) {
    if (sets.empty()) return "no sets are saved: expertscope query RUN QUERY --save NAME";
    std::string text;
    for (const store::NamedSet& set : sets) text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", set.name, set.query);
    return text;
}

}  // namespace es::analysis
