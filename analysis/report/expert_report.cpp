// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/report/expert_report.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/experts/expert_panels.h"
#include "analysis/figures/nearest.h"
#include "analysis/figures/series.h"
#include "analysis/figures/train_panels.h"
#include "analysis/figures/wording.h"

namespace es::analysis {
namespace {

using ReportJson = nlohmann::ordered_json;

constexpr std::size_t kTextRows = 20;

ReportJson jsonNumber(double value) { return std::isfinite(value) ? ReportJson(value) : ReportJson(nullptr); }

std::string tableTitle(const LabelTable& table) {
    const std::string of = table.modality == Modality::kText ? "words" : "patches";
    if (table.kind == LabelKind::kTokenId) return "Words";
    return fmt::format("{}{} of {}", labelPart(table.kind) == "truth" ? "Truth: " : "", labelTitle(table.kind), of);
}

ReportJson jsonItem(const GalleryItem& item, const ProbeFacts& facts) {
    const SampleFacts* sample = facts.find(item.sample);
    ReportJson json = {{"sample", fmt::format("{:016x}", item.sample)},
                       {"modality", toString(item.modality)},
                       {"token", item.token.value},
                       {"objective", toString(item.objective)},
                       {"weight", jsonNumber(item.weight)},
                       {"probability", jsonNumber(item.probability)},
                       {"rank", item.rank + 1},
                       {"dropped", item.dropped}};
    if (!sample) return json;
    const store::SampleRecord& record = sample->record;
    if (item.modality == Modality::kText) json["word"] = wordText(record, item.token.value);
    else if (record.grid_width > 0) json["row"] = item.token.value / record.grid_width, json["column"] = item.token.value % record.grid_width;
    json["caption"] = record.caption;
    json["category"] = record.category;
    json["license"] = record.license;
    json["source"] = record.source;
    return json;
}

ReportJson jsonShares(const LabelShares& shares) {
    ReportJson rows = ReportJson::array();
    for (const LabelShare& row : shares.rows)
        rows.push_back({{"label", row.label},
                        {"share", jsonNumber(row.share)},
                        {"share_low", jsonNumber(row.share_low)},
                        {"share_high", jsonNumber(row.share_high)},
                        {"base_rate", jsonNumber(row.base)},
                        {"pmi_nats", jsonNumber(row.pmi_nats)},
                        {"npmi", jsonNumber(row.npmi)},
                        {"npmi_low", jsonNumber(row.npmi_low)},
                        {"npmi_high", jsonNumber(row.npmi_high)},
                        {"p_expert_given_label", jsonNumber(row.expert_share)},
                        {"taken", row.takers},
                        {"tokens", row.tokens},
                        {"samples", row.samples}});
    return {{"confidence", shares.confidence},
            {"correction", shares.correction},
            {"confidence_each", shares.confidence_each},
            {"taken", shares.takers},
            {"tokens", shares.tokens},
            {"samples", shares.samples},
            {"rows", rows}};
}

ReportJson jsonPositions(const PositionMap& map) {
    ReportJson values = ReportJson::array();
    for (const double share : map.share_P) values.push_back(jsonNumber(share));
    return {{"modality", toString(map.modality)},
            {"width", map.width},
            {"height", map.height},
            {"base_rate", map.base},
            {"share", values},
            {"tokens", map.tokens_P}};
}

std::string csvText(const std::string& text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

/// Width on a terminal: characters, not bytes.
std::size_t lettersOf(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string tableText(const Panel& panel) {
    const auto& table = std::get<TablePanel>(panel.content);
    const std::size_t rows = std::min(table.rows.size(), kTextRows);
    std::vector<std::size_t> width;
    for (const std::string& column : table.columns) width.push_back(lettersOf(column));
    for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < width.size(); ++c) width[c] = std::max(width[c], lettersOf(table.rows[r][c]));
    std::string text = fmt::format("{}\n", panel.title);
    const auto line = [&](const std::vector<std::string>& cells) {
        std::string out = " ";
        for (std::size_t c = 0; c < cells.size(); ++c) {
            const std::string room(width[c] - lettersOf(cells[c]), ' ');
            out += " " + (table.right_aligned[c] ? room + cells[c] : cells[c] + room) + " ";
        }
        out.erase(out.find_last_not_of(' ') + 1);
        text += out + "\n";
    };
    line(table.columns);
    for (std::size_t r = 0; r < rows; ++r) line(table.rows[r]);
    if (table.rows.size() > rows) text += fmt::format("  … {} more rows: --json or --csv has them\n", table.rows.size() - rows);
    for (const std::string& note : panel.notes) text += "  " + note + "\n";
    return text + "\n";
}

}  // namespace

const std::vector<MetricInfo>& expertParts() {
    static const std::vector<MetricInfo> kParts = {
        {"gallery", "What the expert takes with most weight, beside as much drawn at random; licences and sources"},
        {"modality", "p(modality | expert) beside p(modality)"},
        {"words", "Words it takes: counts, share, base rate, PMI, nPMI with intervals"},
        {"categories", "Categories of its patches and words, likewise"},
        {"domains", "Domains, likewise"},
        {"truth", "What is really in the patch and what the word does, for composed scenes"},
        {"positions", "Share of each place in the picture and in the caption that goes to it"},
        {"looks", "Colour, edges and fine detail of its patches against all patches"},
        {"partners", "Other experts: co-active, alike in routing, by weights and outputs where kept"},
        {"load", "Its share of the load over training"},
    };
    return kParts;
}

bool ExpertReport::has(std::string_view part) const {
    return request.parts.empty() || std::find(request.parts.begin(), request.parts.end(), part) != request.parts.end();
}

Result<ExpertQuery> expertFromName(const store::RunReader& run, std::string_view name) {
    const std::size_t colon = name.rfind(':');
    std::int32_t expert = -1;
    const std::string_view digits = colon == std::string_view::npos ? std::string_view() : name.substr(colon + 1);
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), expert);
    if (digits.empty() || problem != std::errc() || end != digits.data() + digits.size() || expert < 0)
        return wrongCall("Cannot look at the expert", fmt::format("'{}' names no expert", name), "Write LAYER.BRANCH:EXPERT, as 1.v:3");
    auto router = routerFromName(run, name.substr(0, colon));
    if (!router) return tl::unexpected(router.error());
    if (expert >= router->experts)
        return badInput("Cannot look at the expert", fmt::format("router {} has no expert {}", routerName(*router), expert),
                        fmt::format("Its experts are 0 to {}", router->experts - 1), run.folder().string());
    ExpertQuery query;
    query.router = router->id;
    query.expert = ExpertIndex(expert);
    return query;
}

Result<ExpertReport> expertReport(const store::RunReader& run, const ExpertReportRequest& request, const JobContext& context) {
    std::vector<std::string> names;
    for (const MetricInfo& part : expertParts()) names.push_back(part.name);
    for (const std::string& part : request.parts)
        if (std::find(names.begin(), names.end(), part) == names.end())
            return wrongCall("Cannot look at the expert", fmt::format("there is no part '{}'", part), knownNames(part, names));
    auto query = expertFromName(run, request.expert);
    if (!query) return tl::unexpected(query.error());
    query->step = request.checkpoint;
    auto tokens = expertTokens(run, *query);
    if (!tokens) return tl::unexpected(tokens.error());
    ExpertReport report;
    report.run = run.config().run.name;
    report.run_uuid = run.provenance().run_uuid;
    report.request = request;
    report.tokens = std::move(*tokens);
    report.gallery = expertGallery(report.tokens, request.gallery);
    auto facts = probeFacts(run, report.tokens.samples, context);
    if (!facts) return tl::unexpected(facts.error());
    report.facts = std::move(*facts);
    auto details = expertDetails(run, report.tokens, report.facts, request.labels, context);
    if (!details) return tl::unexpected(details.error());
    report.details = std::move(*details);
    std::vector<GalleryItem> shown = report.gallery.top;
    shown.insert(shown.end(), report.gallery.random.begin(), report.gallery.random.end());
    report.credits = creditsOf(shown, report.facts.records());
    report.notes = report.details.notes;
    if (!request.within.empty()) report.notes.insert(report.notes.begin(), request.within);
    if (report.tokens.takers == 0) report.notes.push_back("the expert takes no token of this probe");
    if (const std::string note = partialNote(run); !note.empty()) report.notes.push_back(note);
    for (const std::string& warning : run.status().warnings) report.notes.push_back(warning);
    return report;
}

std::string toJson(const ExpertReport& report) {
    const ExpertTokens& tokens = report.tokens;
    ReportJson json = {{"schema_version", 1},
                       {"run", report.run},
                       {"run_uuid", report.run_uuid},
                       {"router", routerName(tokens.router())},
                       {"expert", tokens.query.expert.value},
                       {"step", tokens.query.step},
                       {"tokens", tokens.tokens},
                       {"taken", tokens.takers},
                       {"share", jsonNumber(tokens.share())},
                       {"even_share", 1.0 / tokens.router().experts}};
    if (report.has("gallery")) {
        ReportJson top = ReportJson::array(), random = ReportJson::array(), credits = ReportJson::array();
        for (const GalleryItem& item : report.gallery.top) top.push_back(jsonItem(item, report.facts));
        for (const GalleryItem& item : report.gallery.random) random.push_back(jsonItem(item, report.facts));
        for (const Credit& credit : report.credits) {
            ReportJson samples = ReportJson::array();
            for (const std::uint64_t sample : credit.samples) samples.push_back(fmt::format("{:016x}", sample));
            credits.push_back({{"dataset", credit.dataset}, {"license", credit.license}, {"sources", credit.sources}, {"samples", samples}});
        }
        json["gallery"] = {{"top", top},
                           {"random", random},
                           {"seed", report.request.gallery.seed},
                           {"one_per_sample", report.request.gallery.one_per_sample},
                           {"chosen_from", report.gallery.takers},
                           {"notes", report.gallery.notes},
                           {"credits", credits}};
    }
    if (report.has("modality")) json["modality"] = jsonShares(report.details.modality);
    for (const LabelTable& one : report.details.labels) {
        if (!report.has(labelPart(one.kind))) continue;
        ReportJson table = jsonShares(one.shares);
        table["kind"] = toString(one.kind);
        table["modality"] = toString(one.modality);
        json[std::string(labelPart(one.kind))].push_back(std::move(table));
    }
    if (report.has("positions")) {
        json["positions"] = ReportJson::array();
        for (const PositionMap* map : {&report.details.patches, &report.details.words})
            if (map->width > 0) json["positions"].push_back(jsonPositions(*map));
    }
    if (report.has("looks")) {
        ReportJson rows = ReportJson::array();
        for (const LookRow& row : report.details.looks.rows)
            rows.push_back({{"property", row.name},
                            {"unit", row.unit},
                            {"expert", jsonNumber(row.expert)},
                            {"all", jsonNumber(row.all)},
                            {"difference", jsonNumber(row.difference)},
                            {"low", jsonNumber(row.low)},
                            {"high", jsonNumber(row.high)},
                            {"taken", row.takers},
                            {"samples", row.samples}});
        json["looks"] = {{"properties", rows}, {"hues", jsonShares(report.details.looks.hues)}};
    }
    if (report.has("partners")) {
        const ExpertPartners& partners = report.details.partners;
        ReportJson rows = ReportJson::array();
        for (const Partner& row : partners.rows) {
            ReportJson one = {{"expert", row.expert.value},
                              {"co_routing", jsonNumber(row.co_routing)},
                              {"together", partners.several_choices ? jsonNumber(row.together) : ReportJson(nullptr)},
                              {"base_rate", jsonNumber(row.base)}};
            for (const KeptSimilarity& similar : report.details.similar)
                one["similarity_" + similar.measure] = jsonNumber(similar.value_E[static_cast<std::size_t>(row.expert.value)]);
            rows.push_back(std::move(one));
        }
        json["partners"] = {{"co_routing_of", partners.correlation_of}, {"n", partners.n}, {"experts", rows}};
    }
    if (report.has("load")) {
        ReportJson step = ReportJson::array(), share = ReportJson::array();
        for (std::size_t column = 0; column < report.details.load.history.step.size(); ++column) {
            step.push_back(report.details.load.history.step[column]);
            share.push_back(jsonNumber(report.details.load.share(column)));
        }
        json["load"] = {{"now", jsonNumber(report.details.load.now)}, {"step", step}, {"share", share}};
    }
    json["notes"] = report.notes;
    return json.dump(2, ' ', false, ReportJson::error_handler_t::replace);
}

std::string toCsv(const ExpertReport& report) {
    std::string csv = "part,label,name,value,low,high,n,note\n";
    const auto cell = [](double value) { return std::isfinite(value) ? fmt::format("{}", value) : std::string(); };
    const auto row = [&](const std::string& part, const std::string& label, const std::string& name, double value, double low, double high, std::int64_t n,
                         const std::string& note = {}) {
        if (report.has(part))
            csv += fmt::format("{},{},{},{},{},{},{},{}\n", part, csvText(label), csvText(name), cell(value), cell(low), cell(high), n, csvText(note));
    };
    const auto items = [&](const std::vector<GalleryItem>& list, const std::string& how) {
        for (const GalleryItem& item : list) {
            const SampleFacts* sample = report.facts.find(item.sample);
            const std::string credit =
                sample ? fmt::format("{} · {}", sample->record.license.empty() ? "licence not stated" : sample->record.license, sample->record.source) : "";
            row("gallery", fmt::format("{:016x} {} {}", item.sample, toString(item.modality), item.token.value), how + " weight", item.weight, kMissing,
                kMissing, report.gallery.takers, credit);
        }
    };
    items(report.gallery.top, "top");
    items(report.gallery.random, "random");
    const auto shares = [&](const std::string& part, const std::string& kind, const LabelShares& table) {
        for (const LabelShare& one : table.rows) {
            const std::string label = kind.empty() ? one.label : kind + ": " + one.label;
            row(part, label, "share", one.share, one.share_low, one.share_high, one.takers, table.correction);
            row(part, label, "base_rate", one.base, kMissing, kMissing, one.tokens);
            row(part, label, "pmi_nats", one.pmi_nats, kMissing, kMissing, one.takers);
            row(part, label, "npmi", one.npmi, one.npmi_low, one.npmi_high, one.samples, table.correction);
        }
    };
    shares("modality", {}, report.details.modality);
    for (const LabelTable& one : report.details.labels)
        shares(std::string(labelPart(one.kind)),
               one.kind == LabelKind::kTokenId ? std::string() : fmt::format("{} of {}", toString(one.kind), toString(one.modality)), one.shares);
    for (const PositionMap* map : {&report.details.patches, &report.details.words})
        for (std::size_t cellno = 0; cellno < map->share_P.size(); ++cellno) {
            const auto at = static_cast<std::int32_t>(cellno);
            const std::string place =
                map->modality == Modality::kText ? fmt::format("word {}", at) : fmt::format("patch ({}, {})", at / map->width, at % map->width);
            row("positions", place, "share_of_place", map->share_P[cellno], kMissing, kMissing, map->tokens_P[cellno], fmt::format("base rate {}", map->base));
        }
    for (const LookRow& look : report.details.looks.rows) {
        row("looks", look.name, "expert_mean", look.expert, kMissing, kMissing, look.takers, look.unit);
        row("looks", look.name, "all_mean", look.all, kMissing, kMissing, report.details.looks.patches, look.unit);
        row("looks", look.name, "difference", look.difference, look.low, look.high, look.samples, look.unit);
    }
    shares("looks", "hue", report.details.looks.hues);
    for (const Partner& partner : report.details.partners.rows) {
        const std::string other = fmt::format("expert {}", partner.expert.value);
        row("partners", other, "co_routing", partner.co_routing, kMissing, kMissing, report.details.partners.n, report.details.partners.correlation_of);
        if (report.details.partners.several_choices) row("partners", other, "together", partner.together, kMissing, kMissing, report.tokens.takers);
        row("partners", other, "base_rate", partner.base, kMissing, kMissing, report.tokens.tokens);
        for (const KeptSimilarity& similar : report.details.similar)
            row("partners", other, "similarity_" + similar.measure, similar.value_E[static_cast<std::size_t>(partner.expert.value)], kMissing, kMissing,
                similar.tokens);
    }
    for (std::size_t column = 0; column < report.details.load.history.step.size(); ++column)
        row("load", fmt::format("step {}", report.details.load.history.step[column]), "share", report.details.load.share(column), kMissing, kMissing, 0);
    return csv;
}

std::string toText(const ExpertReport& report) {
    const ExpertTokens& tokens = report.tokens;
    std::string text = fmt::format("{} · {}\n{}{} of {} taken, {} of the assignments (even: {})\n\n", report.run, expertName(tokens),
                                   report.request.within.empty() ? std::string() : report.request.within + "\n", grouped(tokens.takers),
                                   plural(tokens.tokens, "token"), percent(tokens.share()), percent(1.0 / tokens.router().experts));
    if (report.has("gallery")) text += tableText(galleryPanel(tokens, report.gallery, report.facts.records()));
    if (report.has("modality") && !report.details.modality.rows.empty())
        text += tableText(labelPanel(tokens, report.details.modality, "Modalities", "modality"));
    for (const LabelTable& one : report.details.labels)
        if (report.has(labelPart(one.kind))) text += tableText(labelPanel(tokens, one.shares, tableTitle(one), std::string(labelTitle(one.kind))));
    if (report.has("positions"))
        for (const PositionMap* map : {&report.details.patches, &report.details.words}) {
            if (map->width <= 0) continue;
            text += fmt::format("{} (share of each place, base rate {})\n", map->modality == Modality::kText ? "Place in the caption" : "Place in the picture",
                                fixed(map->base, 3));
            for (std::int32_t y = 0; y < map->height; ++y) {
                for (std::int32_t x = 0; x < map->width; ++x)
                    text += fmt::format(" {:>5}", fixed(map->share_P[static_cast<std::size_t>(y * map->width + x)], 2));
                text += "\n";
            }
            text += "\n";
        }
    if (report.has("looks") && !report.details.looks.rows.empty()) {
        text += tableText(looksPanel(tokens, report.details.looks));
        text += tableText(labelPanel(tokens, report.details.looks.hues, "Hues of patches", "hue"));
    }
    if (report.has("partners")) text += tableText(partnersPanel(tokens, report.details.partners, report.details.similar));
    if (report.has("load") && std::isfinite(report.details.load.now))
        text += fmt::format("Load in training: {} of the assignments, steps {} to {} (even: {})\n\n", percent(report.details.load.now),
                            grouped(report.details.load.now_from), grouped(report.details.load.now_to), percent(report.details.load.even));
    for (const std::string& note : report.notes) text += "note: " + note + "\n";
    return text;
}

}  // namespace es::analysis
