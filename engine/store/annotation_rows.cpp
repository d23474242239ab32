// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/annotation_rows.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/store/bytes.h"
#include "engine/store/format.h"

namespace es::store {
namespace {

constexpr std::size_t kRowBytes = 8 + 1 + 8 + 4 + 8 + 8;

std::vector<EffectRow> unpackEffects(std::string_view blob) {
    if (blob.size() % kRowBytes != 0) throw DatabaseError("the rows of a result are cut short");
    ByteReader bytes(blob);
    std::vector<EffectRow> rows(blob.size() / kRowBytes);
    for (EffectRow& row : rows) {
        row.sample = bytes.get<std::uint64_t>();
        const auto objective = bytes.get<std::uint8_t>();
        if (objective >= kObjectiveCount) throw DatabaseError("a result is of an objective that there is not");
        row.objective = static_cast<Objective>(objective);
        row.mask_seed = bytes.get<std::int64_t>();
        row.targets = bytes.get<std::int32_t>();
        row.before = bytes.get<double>();
        row.after = bytes.get<double>();
    }
    return rows;
}

std::string routersText(const std::vector<EffectRouter>& routers) {
    nlohmann::json all = nlohmann::json::array();
    for (const EffectRouter& r : routers)
        all.push_back({{"router", r.router.id.value},
                       {"layer", r.router.layer.value},
                       {"branch", static_cast<int>(r.router.branch)},
                       {"kind", r.router.kind},
                       {"experts", r.router.experts},
                       {"k", r.router.k},
                       {"layout", static_cast<int>(r.router.layout)},
                       {"tokens", r.tokens},
                       {"rerouted", r.rerouted},
                       {"rows", r.rows}});
    return all.dump();
}

std::vector<EffectRouter> routersFrom(const std::string& text) {
    std::vector<EffectRouter> routers;
    for (const auto& j : nlohmann::json::parse(text)) {
        EffectRouter r;
        r.router.id = RouterId(j.at("router"));
        r.router.layer = LayerIndex(j.at("layer"));
        r.router.branch = static_cast<Branch>(j.at("branch").get<int>());
        r.router.kind = j.at("kind");
        r.router.experts = j.at("experts");
        r.router.k = j.at("k");
        r.router.layout = static_cast<RoutingLayout>(j.at("layout").get<int>());
        r.tokens = j.at("tokens");
        r.rerouted = j.at("rerouted");
        r.rows = j.at("rows").get<std::vector<std::int32_t>>();
        routers.push_back(std::move(r));
    }
    return routers;
}

/// JSON has no NaN.
nlohmann::json numberOrNull(double number) { return std::isnan(number) ? nlohmann::json() : nlohmann::json(number); }
double numberFrom(const nlohmann::json& number) { return number.is_null() ? std::numeric_limits<double>::quiet_NaN() : number.get<double>(); }

std::string wordsText(const std::vector<EffectWord>& words) {
    nlohmann::json all = nlohmann::json::array();
    for (const EffectWord& w : words)
        all.push_back({{"position", w.position},
                       {"before_word", w.before_word},
                       {"after_word", w.after_word},
                       {"before_p", numberOrNull(w.before_p)},
                       {"after_p", numberOrNull(w.after_p)}});
    return all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<EffectWord> wordsFrom(const std::string& text) {
    std::vector<EffectWord> words;
    for (const auto& j : nlohmann::json::parse(text))
        words.push_back({j.at("position"), j.at("before_word"), j.at("after_word"), numberFrom(j.at("before_p")), numberFrom(j.at("after_p"))});
    return words;
}

std::string numbersText(const std::vector<std::int32_t>& numbers) { return nlohmann::json(numbers).dump(); }
std::vector<std::int32_t> numbersFrom(const std::string& text) { return nlohmann::json::parse(text).get<std::vector<std::int32_t>>(); }

}  // namespace

std::string resultColumns(std::int64_t version) {
    return std::string(
               "id, purpose, checkpoint, interventions, sample, masked_words, masked_patches, samples, named_set, run_uuid, program, created, routers, words, "
               "effects") +
           (version < 2 ? ", ''" : ", picture");
}

std::string hashKey(std::uint64_t hash) { return fmt::format("{:016x}", hash); }
std::uint64_t hashOfKey(const std::string& text) { return std::stoull(text, nullptr, 16); }

std::string packEffects(const std::vector<EffectRow>& rows) {
    ByteWriter bytes;
    for (const EffectRow& row : rows) {
        bytes.put(row.sample);
        bytes.put(static_cast<std::uint8_t>(row.objective));
        bytes.put(row.mask_seed);
        bytes.put(row.targets);
        bytes.put(row.before);
        bytes.put(row.after);
    }
    return bytes.take();
}

KeptResult resultFrom(const Statement& row) {
    KeptResult result;
    result.id = row.integer(0);
    result.purpose = row.text(1);
    result.checkpoint = row.integer(2);
    const nlohmann::json interventions = nlohmann::json::parse(row.text(3));
    result.interventions = interventions.get<std::vector<std::string>>();
    if (const std::string sample = row.text(4); !sample.empty()) result.sample = hashOfKey(sample);
    result.masked_words = numbersFrom(row.text(5));
    result.masked_patches = numbersFrom(row.text(6));
    result.samples = row.integer(7);
    result.set = row.text(8);
    result.run_uuid = row.text(9);
    result.program_version = row.text(10);
    result.created_s = row.real(11);
    result.routers = routersFrom(row.text(12));
    result.words = wordsFrom(row.text(13));
    result.rows = unpackEffects(row.blob(14));
    result.picture_file = row.text(15);
    return result;
}

void bindResult(Statement& put, const KeptResult& result, const std::string& effects) {
    put.bind(2, result.purpose).bind(3, result.checkpoint).bind(4, nlohmann::json(result.interventions).dump());
    if (result.sample) put.bind(5, hashKey(*result.sample));
    put.bind(6, numbersText(result.masked_words)).bind(7, numbersText(result.masked_patches)).bind(8, result.samples).bind(9, result.set);
    put.bind(10, result.run_uuid).bind(11, result.program_version).bind(12, result.created_s > 0 ? result.created_s : nowSeconds());
    put.bind(13, routersText(result.routers)).bind(14, wordsText(result.words));
    put.bindBlob(15, std::as_bytes(std::span(effects))).bind(16, result.picture_file);
}

std::vector<EffectSample> namesOf(const KeptResult& result, const std::map<std::uint64_t, EffectSample>& known) {
    std::map<std::uint64_t, EffectSample> used;
    for (const EffectRow& row : result.rows)
        if (const auto found = known.find(row.sample); found != known.end()) used.insert(*found);
    std::vector<EffectSample> names;
    names.reserve(used.size());
    for (auto& [hash, name] : used) names.push_back(std::move(name));
    return names;
}

}  // namespace es::store
