// SPDX-License-Identifier: GPL-3.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "analysis/query/query_content.h"
#include "engine/store/packing.h"

namespace es::analysis {
namespace {

void setRange(Bits& bits, std::int64_t begin, std::int64_t end) {
    while (begin < end) {
        const auto word = static_cast<std::size_t>(begin / 64);
        const auto from = static_cast<int>(begin % 64), to = static_cast<int>(std::min<std::int64_t>(end - static_cast<std::int64_t>(word) * 64, 64));
        const std::uint64_t upper = to == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << to) - 1;
        bits[word] |= upper & ~((std::uint64_t{1} << from) - 1);
        begin += to - from;
    }
}

/// 64 bits from bit `at` on; beyond the end they are 0.
std::uint64_t bitsAt(const Bits& bits, std::int64_t at) {
    const auto word = static_cast<std::size_t>(at / 64);
    const int shift = static_cast<int>(at % 64);
    std::uint64_t value = word < bits.size() ? bits[word] >> shift : 0;
    if (shift > 0 && word + 1 < bits.size()) value |= bits[word + 1] << (64 - shift);
    return value;
}

/// Copies `count` bits from bit `from` of `source` onto bit `to` of `target`, adding to what is there.
void orBits(const Bits& source, std::int64_t from, std::int64_t count, Bits& target, std::int64_t to) {
    for (std::int64_t done = 0; done < count;) {
        const auto word = static_cast<std::size_t>((to + done) / 64);
        const int shift = static_cast<int>((to + done) % 64);
        const std::int64_t room = std::min<std::int64_t>(64 - shift, count - done);
        std::uint64_t value = bitsAt(source, from + done);
        if (room < 64) value &= (std::uint64_t{1} << room) - 1;
        target[word] |= value << shift;
        done += room;
    }
}

std::int64_t countOf(const Bits& bits) {
    std::int64_t count = 0;
    for (const std::uint64_t word : bits) count += std::popcount(word);
    return count;
}

/// A word of bits at a time, so that the loop over its rows has no branches.
template <class Test>
Bits bitsWhere(std::int64_t rows, Test&& test) {
    Bits bits(wordsFor(rows), 0);
    for (std::size_t w = 0; w < bits.size(); ++w) {
        const std::int64_t begin = static_cast<std::int64_t>(w) * 64, count = std::min<std::int64_t>(64, rows - begin);
        std::uint64_t word = 0;
        for (std::int64_t i = 0; i < count; ++i) word |= static_cast<std::uint64_t>(test(static_cast<std::size_t>(begin + i)) ? 1 : 0) << i;
        bits[w] = word;
    }
    return bits;
}

template <class Id>
Bits chosenBy(const RouterColumns& columns, const std::vector<Id>& ids, std::int32_t expert, bool first) {
    const Id wanted = static_cast<Id>(expert);
    if (columns.width > 0) {
        const auto width = static_cast<std::size_t>(columns.width);
        if (width == 1 || first) return bitsWhere(columns.rows, [&](std::size_t row) { return ids[row * width] == wanted; });
        if (width == 2) return bitsWhere(columns.rows, [&](std::size_t row) { return (ids[row * 2] == wanted) | (ids[row * 2 + 1] == wanted); });
        return bitsWhere(columns.rows, [&](std::size_t row) {
            bool any = false;
            for (std::size_t j = 0; j < width; ++j) any |= ids[row * width + j] == wanted;
            return any;
        });
    }
    if (first) return bitsWhere(columns.rows, [&](std::size_t row) { return columns.first[row] == static_cast<std::uint16_t>(expert); });
    return bitsWhere(columns.rows, [&](std::size_t row) {
        for (std::uint32_t i = columns.offsets[row]; i < columns.offsets[row + 1]; ++i)
            if (ids[i] == wanted) return true;
        return false;
    });
}

/// Keys whose values satisfy a comparison stand in one row; first and last of them. Empty when first > last.
std::pair<std::uint32_t, std::uint32_t> keyRange(const Condition& condition) {
    const std::uint32_t at = orderedKey(static_cast<float>(condition.number));
    const std::uint32_t lowest = orderedKey(-std::numeric_limits<float>::infinity()), highest = orderedKey(std::numeric_limits<float>::infinity());
    // What was recorded has half precision; a threshold between two halves keeps its side.
    const double rounded = store::halfToFloat(store::floatToHalf(static_cast<float>(condition.number)));
    const std::uint32_t below = rounded < condition.number ? at : at - 1, above = rounded > condition.number ? at : at + 1;
    switch (condition.comparison) {
        case QuerySign::kLess: return {lowest, below};
        case QuerySign::kLessEqual: return {lowest, rounded > condition.number ? below : at};
        case QuerySign::kGreater: return {above, highest};
        case QuerySign::kGreaterEqual: return {rounded < condition.number ? above : at, highest};
        default: return {at, at};
    }
}

std::string nameOf(const store::RouterInfo& router) { return fmt::format("{}.{}", router.layer.value, toString(router.branch)); }

bool fitsRouter(const store::RouterInfo& router, std::int64_t layer, const std::string& branch) {
    return router.layer.value == layer && (branch.empty() || branch == toString(router.branch));
}

}  // namespace

QueryWalk::Found QueryWalk::joined(std::vector<Found> parts, bool both) {
    Found result;
    result.all = both;
    for (Found& part : parts) {
        if (both) {
            if (part.none()) return {};
            if (part.all) continue;
            if (result.all) result = std::move(part);
            else
                for (std::size_t i = 0; i < result.words.size(); ++i) result.words[i] &= part.words[i];
        } else {
            if (part.all) return part;
            if (part.none()) continue;
            if (result.none()) result = std::move(part);
            else
                for (std::size_t i = 0; i < result.words.size(); ++i) result.words[i] |= part.words[i];
        }
    }
    return result;
}

QueryWalk::Found QueryWalk::inverted(Found found, std::int64_t rows) const {
    if (found.all) return {};
    if (found.words.empty()) return {true, {}};
    for (std::uint64_t& word : found.words) word = ~word;
    if (rows % 64 != 0) found.words.back() &= (std::uint64_t{1} << (rows % 64)) - 1;
    return found;
}

void QueryWalk::note(std::string text) {
    if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(std::move(text));
}

template <class Test>
QueryWalk::Found QueryWalk::byRun(std::size_t router, Test&& test) const {
    const RouterColumns& columns = content_.routers[router];
    Found found;
    found.words.assign(wordsFor(columns.rows), 0);
    std::int64_t row = 0;
    for (std::size_t i = 0; i < columns.runs.size(); ++i) {
        const std::int64_t end = row + columns.runs[i].tokens;
        if (test(content_.streams[content_.run_streams[router][i]])) setRange(found.words, row, end);
        row = end;
    }
    return found;
}

template <class Test>
QueryWalk::Found QueryWalk::byToken(std::size_t router, Test&& test) const {
    const RouterColumns& columns = content_.routers[router];
    Found found;
    found.words.assign(wordsFor(columns.rows), 0);
    std::int64_t row = 0;
    for (std::size_t i = 0; i < columns.runs.size(); ++i) {
        const store::TokenRun& run = columns.runs[i];
        const std::int32_t at = content_.streams[content_.run_streams[router][i]].sample_index;
        const QuerySample* sample = at < 0 ? nullptr : &content_.samples[static_cast<std::size_t>(at)];
        const bool word = static_cast<Modality>(run.modality) == Modality::kText;
        for (std::uint32_t t = 0; t < run.tokens; ++t, ++row)
            if (test(sample, word, run.position + t)) found.words[static_cast<std::size_t>(row / 64)] |= std::uint64_t{1} << (row % 64);
    }
    return found;
}

QueryWalk::Found QueryWalk::compared(const std::vector<std::uint16_t>& keys, const Condition& condition, const char* what, std::size_t router) {
    const RouterColumns& columns = content_.routers[router];
    if (keys.empty()) {
        if (columns.rows > 0) note(fmt::format("{} was not recorded in router {}: nothing there fits", what, nameOf(columns.router)));
        return {};
    }
    Found found;
    const auto [low, high] = keyRange(condition);
    if (condition.comparison == QuerySign::kNotEqual) {
        found.words = bitsWhere(columns.rows, [&](std::size_t row) { return keys[row] != 0 && keys[row] != low; });
    } else {
        const std::uint32_t least = std::max<std::uint32_t>(low, 1);
        if (least > high) return {};
        const std::uint32_t span = high - least;
        found.words = bitsWhere(columns.rows, [&](std::size_t row) { return keys[row] - least <= span; });
    }
    return found;
}

QueryWalk::Found QueryWalk::routed(const Condition& condition, std::size_t router) {
    const RouterColumns& columns = content_.routers[router];
    const auto expert = static_cast<std::int32_t>(condition.number);
    Found found;
    switch (condition.field) {
        case QueryField::kExpert:
        case QueryField::kFirst: {
            if (expert >= columns.router.experts) return {};
            const bool first = condition.field == QueryField::kFirst;
            found.words = columns.router.experts <= 255 ? chosenBy(columns, columns.narrow, expert, first) : chosenBy(columns, columns.wide, expert, first);
            if (columns.router.layout == store::RoutingLayout::kDenseMass)
                note(fmt::format("router {} is soft: the expert of largest mass counts as chosen", nameOf(columns.router)));
            return found;
        }
        case QueryField::kWeight: return compared(columns.weight, condition, "the combine weight", router);
        case QueryField::kMargin: return compared(columns.margin, condition, "the margin", router);
        case QueryField::kEntropy: return compared(columns.entropy, condition, "the entropy", router);
        default: found.words = columns.dropped; return found;
    }
}

QueryWalk::Found QueryWalk::moved(const Found& from, std::size_t from_router, std::size_t to_router) {
    if (from.none() || from_router == to_router) return from;
    const RouterColumns &source = content_.routers[from_router], &target = content_.routers[to_router];
    const bool same =
        source.runs.size() == target.runs.size() && std::equal(source.runs.begin(), source.runs.end(), target.runs.begin(), [](const auto& a, const auto& b) {
            return a.sample == b.sample && a.tokens == b.tokens && a.position == b.position && a.objective == b.objective && a.modality == b.modality;
        });
    if (same) return from;
    Found all = from;
    if (all.all) {
        all.words.assign(wordsFor(source.rows), 0);
        setRange(all.words, 0, source.rows);
    }
    // By way of the universe: what the one router found, as tokens; then back to the rows of the other.
    Bits tokens(content_.universe.size(), 0);
    std::int64_t row = 0;
    for (std::size_t i = 0; i < source.runs.size(); ++i) {
        const store::TokenRun& run = source.runs[i];
        orBits(all.words, row, run.tokens, tokens, std::int64_t{content_.streams[content_.run_streams[from_router][i]].first_word} * 64 + run.position);
        row += run.tokens;
    }
    Found found;
    found.words.assign(wordsFor(target.rows), 0);
    row = 0;
    for (std::size_t i = 0; i < target.runs.size(); ++i) {
        const store::TokenRun& run = target.runs[i];
        orBits(tokens, std::int64_t{content_.streams[content_.run_streams[to_router][i]].first_word} * 64 + run.position, run.tokens, found.words, row);
        row += run.tokens;
    }
    return found;
}

QueryWalk::Found QueryWalk::rowsOf(const Condition& condition, std::size_t router) {
    const RouterColumns& columns = content_.routers[router];
    if (condition.field == QueryField::kLayer) return {fitsRouter(columns.router, static_cast<std::int64_t>(condition.number), condition.text), {}};
    if (condition.field < QueryField::kMasked) {
        if (condition.in_layer < 0) return routed(condition, router);
        std::vector<Found> parts;
        for (std::size_t other = 0; other < content_.routers.size(); ++other) {
            if (!fitsRouter(content_.routers[other].router, condition.in_layer, condition.in_branch)) continue;
            const auto key = std::pair(&condition, other);
            auto known = routed_.find(key);
            if (known == routed_.end()) known = routed_.emplace(key, routed(condition, other)).first;
            parts.push_back(moved(known->second, other, router));
        }
        return joined(std::move(parts), false);
    }
    const bool equal = condition.comparison != QuerySign::kNotEqual;
    switch (condition.field) {
        case QueryField::kMasked: return {false, columns.masked};
        case QueryField::kModality: {
            const Modality wanted = condition.text == "patch" ? Modality::kVision : Modality::kText;
            return byRun(router, [&](const QueryStream& stream) { return (static_cast<Modality>(stream.modality) == wanted) == equal; });
        }
        case QueryField::kObjective: {
            const Objective wanted = objectiveFromString(condition.text).value_or(Objective::kImage);
            return byRun(router, [&](const QueryStream& stream) { return (static_cast<Objective>(stream.objective) == wanted) == equal; });
        }
        case QueryField::kWord: {
            std::vector<std::uint8_t> fits;
            for (const std::string& word : content_.words) fits.push_back(textFits(word, condition) ? 1 : 0);
            return byToken(router, [&](const QuerySample* sample, bool word, std::uint32_t position) {
                return word && sample && position < sample->words.size() && fits[sample->words[position]] != 0;
            });
        }
        case QueryField::kPosition: return byToken(router, [&](const QuerySample*, bool, std::uint32_t position) { return numberFits(position, condition); });
        case QueryField::kRow:
        case QueryField::kColumn:
            return byToken(router, [&](const QuerySample* sample, bool word, std::uint32_t position) {
                if (word || !sample || sample->record.grid_width <= 0) return false;
                const auto width = static_cast<std::uint32_t>(sample->record.grid_width);
                return numberFits(condition.field == QueryField::kRow ? position / width : position % width, condition);
            });
        case QueryField::kTruth:
            if (condition.detail == "known" || condition.detail == "holdout" || condition.detail == "changed") break;
            return truth(condition, router);
        default: break;
    }
    const std::vector<std::uint8_t>& mask = sampleMask(condition);
    return byRun(router, [&](const QueryStream& stream) { return stream.sample_index >= 0 && mask[static_cast<std::size_t>(stream.sample_index)] != 0; });
}

QueryWalk::Found QueryWalk::truth(const Condition& condition, std::size_t router) const {
    const QuerySample* last = nullptr;
    std::vector<std::uint8_t> objects, roles;  // of the sample at hand: which fit
    const bool background = condition.detail == "background", mixed = condition.detail == "mixed", role = condition.detail == "role";
    return byToken(router, [&](const QuerySample* sample, bool word, std::uint32_t position) {
        if (!sample || !sample->record.truth) return false;
        const SceneTruth& scene = *sample->record.truth;
        if (sample != last) {
            last = sample;
            objects.clear();
            roles.clear();
            for (const SceneObject& object : scene.objects) objects.push_back(objectFits(object, condition) ? 1 : 0);
            for (const SceneWord& said : scene.words) roles.push_back(role && textFits(std::string(toString(said.role)), condition) ? 1 : 0);
        }
        std::int32_t object = -1;
        if (word) {
            const std::int32_t at = position < sample->token_word.size() ? sample->token_word[position] : -1;
            if (at < 0 || static_cast<std::size_t>(at) >= scene.words.size() || background || mixed) return false;
            if (role) return roles[static_cast<std::size_t>(at)] != 0;
            object = scene.words[static_cast<std::size_t>(at)].object;
        } else {
            if (position >= sample->patch_object.size() || role) return false;
            object = sample->patch_object[position];
            if (background) return object == -1;
            if (mixed) return object == -2;
        }
        return object >= 0 && static_cast<std::size_t>(object) < objects.size() && objects[static_cast<std::size_t>(object)] != 0;
    });
}

QueryWalk::Found QueryWalk::rows(const QueryNode& node, std::size_t router) {
    if (node.kind == QueryNode::Kind::kCondition) return rowsOf(node.condition, router);
    if (node.kind == QueryNode::Kind::kNot) return rowsNot(node.children.front(), router);
    const bool both = node.kind == QueryNode::Kind::kAnd;
    std::vector<const QueryNode*> order;
    for (const QueryNode& child : node.children) order.push_back(&child);
    // What rules a whole router out is asked first.
    std::stable_partition(order.begin(), order.end(),
                          [](const QueryNode* child) { return child->kind == QueryNode::Kind::kCondition && child->condition.field == QueryField::kLayer; });
    std::vector<Found> parts;
    for (const QueryNode* child : order) {
        parts.push_back(rows(*child, router));
        if (both ? parts.back().none() : parts.back().all) break;
    }
    return joined(std::move(parts), both);
}

QueryWalk::Found QueryWalk::rowsNot(const QueryNode& node, std::size_t router) {
    if (node.kind == QueryNode::Kind::kNot) return rows(node.children.front(), router);
    if (node.kind == QueryNode::Kind::kCondition) {
        std::vector<Found> parts;
        parts.push_back(inverted(rowsOf(node.condition, router), content_.routers[router].rows));
        parts.push_back(known(node.condition, router));
        return joined(std::move(parts), true);
    }
    std::vector<Found> parts;
    for (const QueryNode& child : node.children) parts.push_back(rowsNot(child, router));
    return joined(std::move(parts), node.kind == QueryNode::Kind::kOr);
}

QueryWalk::Found QueryWalk::known(const Condition& condition, std::size_t router) {
    switch (condition.field) {
        case QueryField::kWeight:
        case QueryField::kMargin:
        case QueryField::kEntropy: {
            // Whatever the value is: it fits one of these two when there is one.
            Condition below = condition, above = condition;
            below.comparison = QuerySign::kLessEqual;
            above.comparison = QuerySign::kGreater;
            std::vector<Found> parts;
            for (const Condition* half : {&below, &above}) {
                if (condition.in_layer < 0) parts.push_back(routed(*half, router));
                for (std::size_t other = 0; condition.in_layer >= 0 && other < content_.routers.size(); ++other)
                    if (fitsRouter(content_.routers[other].router, condition.in_layer, condition.in_branch))
                        parts.push_back(moved(routed(*half, other), other, router));
            }
            return joined(std::move(parts), false);
        }
        case QueryField::kTruth:
            if (condition.detail == "known") break;
            return byRun(router, [&](const QueryStream& stream) { return knownOf(condition, stream.sample_index); });
        case QueryField::kLoss: return byRun(router, [&](const QueryStream& stream) { return knownOf(condition, stream.sample_index); });
        default: break;
    }
    return {true, {}};
}

bool QueryWalk::knownOf(const Condition& condition, std::int32_t sample) const {
    if (condition.field != QueryField::kTruth && condition.field != QueryField::kLoss) return true;
    if (condition.field == QueryField::kTruth && condition.detail == "known") return true;
    if (sample < 0) return false;
    const QuerySample& one = content_.samples[static_cast<std::size_t>(sample)];
    if (condition.field == QueryField::kTruth) return one.record.truth.has_value();
    if (condition.detail.empty()) return std::isfinite(one.loss_sum);
    const auto objective = objectiveFromString(condition.detail);
    return objective && std::isfinite(one.loss[static_cast<std::size_t>(*objective)]);
}

const std::vector<std::uint8_t>& QueryWalk::sampleMask(const Condition& condition) {
    for (const auto& [known, mask] : masks_)
        if (known.asksSame(condition)) return mask;
    std::vector<std::uint8_t> mask;
    mask.reserve(content_.samples.size());
    for (const QuerySample& sample : content_.samples) mask.push_back(sampleFits(condition, sample) ? 1 : 0);
    return masks_.emplace_back(condition, std::move(mask)).second;
}

QueryWalk::Found QueryWalk::samplesOf(const QueryNode& node) {
    const auto count = static_cast<std::int64_t>(content_.samples.size());
    if (node.kind == QueryNode::Kind::kCondition) {
        const std::vector<std::uint8_t>& mask = sampleMask(node.condition);
        Found found;
        found.words = bitsWhere(count, [&](std::size_t sample) { return mask[sample] != 0; });
        return found;
    }
    if (node.kind == QueryNode::Kind::kNot) return samplesNot(node.children.front());
    std::vector<Found> parts;
    for (const QueryNode& child : node.children) parts.push_back(samplesOf(child));
    return joined(std::move(parts), node.kind == QueryNode::Kind::kAnd);
}

QueryWalk::Found QueryWalk::samplesNot(const QueryNode& node) {
    if (node.kind == QueryNode::Kind::kNot) return samplesOf(node.children.front());
    const auto count = static_cast<std::int64_t>(content_.samples.size());
    if (node.kind == QueryNode::Kind::kCondition) {
        const std::vector<std::uint8_t>& mask = sampleMask(node.condition);
        Found found;
        found.words = bitsWhere(count, [&](std::size_t sample) { return mask[sample] == 0 && knownOf(node.condition, static_cast<std::int32_t>(sample)); });
        return found;
    }
    std::vector<Found> parts;
    for (const QueryNode& child : node.children) parts.push_back(samplesNot(child));
    return joined(std::move(parts), node.kind == QueryNode::Kind::kOr);
}

Result<QueryAnswer> QueryWalk::answer(const Query& query, const JobContext& context) {
    if (auto right = check(query.root, query); !right) return tl::unexpected(right.error());
    if (content_.unread && !query.samplesOnly()) return tl::unexpected(*content_.unread);  // none found would be taken for an answer
    QueryAnswer answer;
    answer.query = query.text;
    answer.step = content_.probe ? content_.probe->step : -1;
    answer.all_tokens = content_.tokens;
    answer.all_samples = static_cast<std::int64_t>(content_.samples.size());
    notes_ = content_.notes;
    Bits found(content_.universe.size(), 0);
    if (query.samplesOnly()) {
        Found samples = samplesOf(query.root);
        std::vector<std::uint64_t> hashes;
        for (std::size_t i = 0; i < content_.samples.size(); ++i)
            if (samples.all || (!samples.words.empty() && ((samples.words[i / 64] >> (i % 64)) & 1u) != 0)) hashes.push_back(content_.samples[i].record.hash);
        answer.samples = SampleSet(std::move(hashes));
        answer.tokens = TokenSet::ofSamples(answer.samples);
        const auto in = [&](const QueryStream& stream) { return answer.samples.contains(stream.sample); };
        for (std::size_t s = 0; s < content_.streams.size(); ++s) {
            if (!in(content_.streams[s])) continue;
            const std::size_t first = content_.streams[s].first_word,
                              last = s + 1 < content_.streams.size() ? content_.streams[s + 1].first_word : found.size();
            for (std::size_t w = first; w < last; ++w) answer.found_tokens += std::popcount(content_.universe[w]);
        }
        for (std::size_t r = 0; r < content_.routers.size(); ++r)
            answer.routers.push_back({content_.routers[r].router, countOf(byRun(r, in).words), content_.routers[r].rows});
        answer.notes = std::move(notes_);
        return answer;
    }
    if (!content_.probe) note("what routers did was asked, and this run has no probe to answer it");
    for (std::size_t r = 0; r < content_.routers.size(); ++r) {
        if (context.stopRequested()) return stopped("Searching");
        const RouterColumns& columns = content_.routers[r];
        Found fit = rows(query.root, r);
        if (fit.all) {
            fit.words.assign(wordsFor(columns.rows), 0);
            setRange(fit.words, 0, columns.rows);
        }
        answer.routers.push_back({columns.router, countOf(fit.words), columns.rows});
        if (fit.words.empty()) continue;
        std::int64_t row = 0;
        for (std::size_t i = 0; i < columns.runs.size(); ++i) {
            const store::TokenRun& run = columns.runs[i];
            orBits(fit.words, row, run.tokens, found, std::int64_t{content_.streams[content_.run_streams[r][i]].first_word} * 64 + run.position);
            row += run.tokens;
        }
    }
    TokenSetBuilder builder;
    std::vector<std::uint64_t> hashes;
    for (std::size_t s = 0; s < content_.streams.size(); ++s) {
        const QueryStream& stream = content_.streams[s];
        const std::size_t last = s + 1 < content_.streams.size() ? content_.streams[s + 1].first_word : found.size();
        const std::span words(found.data() + stream.first_word, last - stream.first_word);
        if (std::all_of(words.begin(), words.end(), [](std::uint64_t word) { return word == 0; })) continue;
        builder.addStream(stream.sample, static_cast<Objective>(stream.objective), static_cast<Modality>(stream.modality), words);
        if (hashes.empty() || hashes.back() != stream.sample) hashes.push_back(stream.sample);
    }
    answer.found_tokens = countOf(found);
    answer.samples = SampleSet(std::move(hashes));
    answer.tokens = builder.finish();
    answer.notes = std::move(notes_);
    return answer;
}

}  // namespace es::analysis
