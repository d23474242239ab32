// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/query/query_index.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <span>
#include <tuple>

#include "analysis/query/query_content.h"
#include "engine/base/file_cache.h"
#include "engine/base/files.h"
#include "engine/base/scene_truth.h"

namespace es::analysis {
namespace {

constexpr std::uintmax_t kCacheBytes = std::uintmax_t{1} << 30;
constexpr std::size_t kMostVocabulary = 20000;

bool isLetter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (static_cast<unsigned char>(c) & 0x80u) != 0 || c == '-' || c == '\'';
}

/// Word of the caption that each token lies in; the token's own text where it has no place.
std::vector<std::string> wordsOfTokens(const store::SampleRecord& record) {
    const std::vector<TextRange> ranges = tokenRanges(record.caption, record.token_texts);
    std::vector<std::string> words;
    for (std::size_t i = 0; i < record.token_texts.size(); ++i) {
        if (i >= ranges.size() || ranges[i].begin >= ranges[i].end) {
            words.push_back(lowered(record.token_texts[i]));
            continue;
        }
        std::size_t begin = ranges[i].begin, end = ranges[i].end;
        if (isLetter(record.caption[begin])) {
            while (begin > 0 && isLetter(record.caption[begin - 1])) --begin;
            while (end < record.caption.size() && isLetter(record.caption[end]) && isLetter(record.caption[end - 1])) ++end;
        }
        words.push_back(lowered(std::string_view(record.caption).substr(begin, end - begin)));
    }
    return words;
}

/// Gives words numbers.
class WordNumbers {
public:
    explicit WordNumbers(std::vector<std::string>& words) : words_(words) {}
    std::uint32_t of(const std::string& word) {
        const auto [known, added] = numbers_.emplace(word, static_cast<std::uint32_t>(words_.size()));
        if (added) words_.push_back(word);
        return known->second;
    }

private:
    std::vector<std::string>& words_;
    std::unordered_map<std::string, std::uint32_t> numbers_;
};

QuerySample querySample(store::SampleRecord record, WordNumbers& numbers) {
    QuerySample sample;
    for (const std::string& word : wordsOfTokens(record)) sample.words.push_back(numbers.of(word));
    sample.loss.fill(std::numeric_limits<double>::quiet_NaN());
    sample.loss_sum = std::numeric_limits<double>::quiet_NaN();
    if (record.truth) {
        for (const PatchTruth& patch : patchTruth(*record.truth, record.grid_width, record.grid_height))
            sample.patch_object.push_back(patch.mixed ? -2 : patch.object);
        sample.token_word = tokenWords(record.caption, record.token_texts, record.truth->words);
        // The map of owners is the largest part and all that was asked of it is known by now.
        record.truth->owner = {};
    }
    record.picture = {};
    record.token_texts = {};
    record.token_ids = {};
    sample.record = std::move(record);
    return sample;
}

void readLosses(const store::RunReader& run, QueryIndex::Content& content) {
    const std::vector<std::int64_t> steps = run.evaluations();
    if (steps.empty()) return;
    const auto evaluation = run.evaluation(steps.back());
    if (!evaluation) {
        content.notes.push_back("losses are not known: " + evaluation.error().message());
        return;
    }
    std::map<std::pair<std::int32_t, Objective>, std::pair<double, int>> sums;
    for (const store::EvaluationRow& row : evaluation->rows) {
        const auto at = content.sample_at.find(row.sample);
        if (at == content.sample_at.end() || !row.variant.empty() || !std::isfinite(row.loss)) continue;
        auto& [sum, rows] = sums[{at->second, row.objective}];
        sum += row.loss;
        ++rows;
    }
    for (const auto& [key, sum] : sums) {
        QuerySample& sample = content.samples[static_cast<std::size_t>(key.first)];
        const double mean = sum.first / sum.second;
        if (static_cast<int>(key.second) < kObjectiveCount) sample.loss[static_cast<std::size_t>(key.second)] = mean;
        sample.loss_sum = std::isnan(sample.loss_sum) ? mean : sample.loss_sum + mean;
    }
}

std::vector<std::string> listed(const std::set<std::string>& values) {
    std::vector<std::string> all;
    for (const std::string& value : values)
        if (!value.empty() && all.size() < kMostVocabulary) all.push_back(value);
    return all;
}

void fillVocabulary(QueryIndex::Content& content, const std::vector<store::RouterInfo>& routers) {
    QueryVocabulary& vocabulary = content.vocabulary;
    std::set<std::int32_t> layers;
    for (const store::RouterInfo& router : routers) {
        vocabulary.routers.push_back(fmt::format("{}.{}", router.layer.value, toString(router.branch)));
        layers.insert(router.layer.value);
    }
    for (const std::int32_t layer : layers) vocabulary.layers.push_back(std::to_string(layer));
    std::set<std::string> categories, subcategories, domains, datasets, sources, licenses;
    std::map<std::string, std::set<std::string>> truth;
    for (const QuerySample& sample : content.samples) {
        const store::SampleRecord& record = sample.record;
        categories.insert(record.category);
        subcategories.insert(record.subcategory);
        domains.insert(record.domain);
        datasets.insert(record.dataset);
        sources.insert(record.source);
        licenses.insert(record.license);
        if (!record.truth) continue;
        for (const SceneObject& object : record.truth->objects) {
            truth["colour"].insert(object.colour);
            truth["shape"].insert(object.shape);
            truth["size"].insert(object.size);
            truth["texture"].insert(object.texture);
            truth["object"].insert(object.name);
            truth["category"].insert(object.category);
        }
        for (const SceneWord& word : record.truth->words) truth["role"].emplace(toString(word.role));
        truth["holdout"].insert(record.truth->holdout);
        truth["changed"].insert(record.truth->changed);
    }
    vocabulary.categories = listed(categories);
    vocabulary.subcategories = listed(subcategories);
    vocabulary.domains = listed(domains);
    vocabulary.datasets = listed(datasets);
    vocabulary.words = listed({content.words.begin(), content.words.end()});
    vocabulary.sources = listed(sources);
    vocabulary.licenses = listed(licenses);
    for (const auto& [attribute, values] : truth) vocabulary.truth.emplace_back(attribute, listed(values));
}

/// Gives every (sample, objective, modality) that some router saw a place in one row of bits.
void fillStreams(QueryIndex::Content& content) {
    using Key = std::tuple<std::uint64_t, std::uint8_t, std::uint8_t>;
    const auto key = [](const auto& run) { return Key{run.sample, run.objective, run.modality}; };
    std::vector<QueryStream> all;
    for (const RouterColumns& router : content.routers)
        for (const store::TokenRun& run : router.runs) {
            if (!all.empty() && key(all.back()) == key(run)) all.back().positions = std::max(all.back().positions, run.position + run.tokens);
            else all.push_back({run.sample, run.objective, run.modality, -1, 0, run.position + run.tokens});
        }
    std::sort(all.begin(), all.end(), [&](const QueryStream& a, const QueryStream& b) { return key(a) < key(b); });
    for (const QueryStream& stream : all) {
        if (!content.streams.empty() && key(content.streams.back()) == key(stream))
            content.streams.back().positions = std::max(content.streams.back().positions, stream.positions);
        else content.streams.push_back(stream);
    }
    std::uint32_t words = 0;
    for (QueryStream& stream : content.streams) {
        const auto sample = content.sample_at.find(stream.sample);
        stream.sample_index = sample == content.sample_at.end() ? -1 : sample->second;
        stream.first_word = words;
        words += (stream.positions + 63) / 64;
    }
    content.universe.assign(words, 0);
    for (const RouterColumns& router : content.routers) {
        std::vector<std::uint32_t>& streams = content.run_streams.emplace_back();
        streams.reserve(router.runs.size());
        for (const store::TokenRun& run : router.runs) {
            // Runs of one stream, and the runs of routers one after the other, stand in the same order most of the time.
            const Key wanted = key(run);
            std::uint32_t at = streams.empty() ? 0 : streams.back();
            if (at >= content.streams.size() || key(content.streams[at]) != wanted)
                at = static_cast<std::uint32_t>(std::lower_bound(content.streams.begin(), content.streams.end(), wanted,
                                                                 [&](const QueryStream& stream, const Key& value) { return key(stream) < value; }) -
                                                content.streams.begin());
            streams.push_back(at);
            for (std::uint32_t i = 0; i < run.tokens; ++i) {
                const std::uint32_t position = run.position + i;
                content.universe[content.streams[at].first_word + position / 64] |= std::uint64_t{1} << (position % 64);
            }
        }
    }
    for (const std::uint64_t word : content.universe) content.tokens += std::popcount(word);
}

Result<std::optional<store::ProbeKey>> probeOf(const store::RunReader& run, std::int64_t step) {
    std::optional<store::ProbeKey> best;
    std::string known;
    for (const store::ProbeKey& key : run.probes()) {
        if (key.variant != "trained") continue;
        known += (known.empty() ? "" : ", ") + std::to_string(key.step);
        if ((step < 0 || key.step == step) && (!best || key.step > best->step)) best = key;
    }
    if (step >= 0 && !best)
        return badInput("Cannot search the checkpoint", fmt::format("the run has no probe of step {}", step),
                        known.empty() ? "Leave the step out: samples can be searched without a probe" : "Choose one of the steps " + known,
                        run.folder().string());
    return best;
}

std::string keptColumns(const std::vector<RouterColumns>& routers) {
    store::ByteWriter out;
    out.put(static_cast<std::uint32_t>(routers.size()));
    for (const RouterColumns& router : routers) router.write(out);
    return out.take();
}

bool readKept(std::string_view bytes, std::vector<RouterColumns>& routers) {
    store::ByteReader in(bytes);
    const auto count = in.get<std::uint32_t>();
    std::vector<RouterColumns> read;
    for (std::uint32_t i = 0; i < count && in.ok(); ++i)
        if (!read.emplace_back().read(in)) return false;
    if (!in.ok() || in.left() != 0) return false;
    routers = std::move(read);
    return true;
}

/// Reads the probe's columns; of whole distributions only where margins were not recorded themselves.
Status readRouters(const store::RunReader& run, const std::vector<store::RouterInfo>& routers, QueryIndex::Content& content, const JobContext& context) {
    std::optional<Error> damaged;
    for (std::size_t i = 0; i < routers.size(); ++i) {
        if (context.stopRequested()) return stopped("Preparing the search");
        context.progress(static_cast<std::int64_t>(i), static_cast<std::int64_t>(routers.size()), "Preparing the search");
        const std::string name = fmt::format("{}.{}", routers[i].layer.value, toString(routers[i].branch));
        store::RoutingColumns wanted;
        wanted.probabilities = false;
        auto chunk = run.probeColumns(*content.probe, routers[i].id, wanted);
        if (chunk && chunk->table.probs_TE.empty() && (chunk->table.boundary_margin_T.empty() || chunk->table.entropy_nats_T.empty()))
            chunk = run.probeColumns(*content.probe, routers[i].id, {});
        if (!chunk) {
            content.notes.push_back(fmt::format("router {} is left out: {}", name, chunk.error().message()));
            damaged = chunk.error();
            continue;
        }
        content.routers.push_back(columnsOf(*chunk));
    }
    if (damaged && content.routers.empty()) return tl::unexpected(std::move(*damaged));
    return {};
}

/// The same from the cache, where they are kept since an earlier time.
Status fillRouters(const store::RunReader& run, const std::vector<store::RouterInfo>& routers, const std::filesystem::path& folder,
                   QueryIndex::Content& content, const JobContext& context) {
    const FileCache cache(folder, kCacheBytes);
    const store::RunStatus status = run.status();
    const std::string key = fmt::format("query {} {} {:.3f} {} {} {} {}", kQueryColumnsVersion, run.provenance().run_uuid, status.started_s, status.attempts,
                                        content.probe->step, content.probe->variant, routers.size());
    const bool may_keep = !run.provenance().run_uuid.empty();
    if (const auto kept = may_keep ? cache.get(key) : std::nullopt; kept) content.was_kept = readKept(*kept, content.routers);
    if (content.was_kept) return {};
    const std::size_t notes = content.notes.size();
    if (auto read = readRouters(run, routers, content, context); !read) return read;
    if (may_keep && content.notes.size() == notes) cache.put(key, keptColumns(content.routers));
    return {};
}

/// Reads the newest probe that can be read, of those up to the chosen one; a step that was asked for is that or nothing.
Status fillFromProbe(const store::RunReader& run, const std::vector<store::RouterInfo>& routers, const QueryIndexOptions& options, QueryIndex::Content& content,
                     const JobContext& context) {
    std::vector<store::ProbeKey> keys;
    for (const store::ProbeKey& key : run.probes())
        if (key.variant == "trained" && key.step <= content.probe->step && (options.step < 0 || key.step == options.step)) keys.push_back(key);
    std::ranges::sort(keys, std::greater<>());
    Status read;
    for (const store::ProbeKey& key : keys) {
        const std::size_t notes = content.notes.size();
        content.probe = key;
        read = fillRouters(run, routers, options.cache, content, context);
        if (read || read.error().kind == ErrorKind::kStopped) return read;
        content.notes.resize(notes);
        content.notes.push_back(fmt::format("the probe of step {} is left out: {}", key.step, read.error().message()));
    }
    return read;
}

}  // namespace

std::filesystem::path queryCacheFolder() {
    const std::filesystem::path cache = userCacheFolder();
    return cache.empty() ? cache : cache / "query";
}

QueryIndex::QueryIndex(std::unique_ptr<Content> content) : content_(std::move(content)) {}
QueryIndex::~QueryIndex() = default;

Result<std::shared_ptr<const QueryIndex>> QueryIndex::make(const store::RunReader& run, const QueryIndexOptions& options, const JobContext& context) {
    auto content = std::make_unique<Content>();
    auto probe = probeOf(run, options.step);
    if (!probe) return tl::unexpected(probe.error());
    content->probe = *probe;
    auto list = run.sampleList();
    if (!list) return tl::unexpected(list.error());
    WordNumbers numbers(content->words);
    for (store::SampleRecord& record : *list) {
        if (context.stopRequested()) return stopped("Preparing the search");
        content->sample_at.emplace(record.hash, static_cast<std::int32_t>(content->samples.size()));
        content->samples.push_back(querySample(std::move(record), numbers));
    }
    readLosses(run, *content);
    const std::vector<store::RouterInfo> routers = run.routers();
    if (content->probe && !routers.empty()) {
        if (auto read = fillFromProbe(run, routers, options, *content, context); !read) {
            if (options.step >= 0 || read.error().kind == ErrorKind::kStopped) return tl::unexpected(read.error());
            content->probe.reset();
            content->unread = read.error();
        }
        fillStreams(*content);
    } else if (!routers.empty()) {
        content->notes.push_back("the run has no probe yet: only samples can be searched");
    }
    fillVocabulary(*content, routers);
    return std::shared_ptr<const QueryIndex>(new QueryIndex(std::move(content)));
}

Result<QueryAnswer> QueryIndex::answer(const Query& query, const JobContext& context) const { return QueryWalk(*content_).answer(query, context); }
const QueryVocabulary& QueryIndex::vocabulary() const { return content_->vocabulary; }
std::optional<std::int64_t> QueryIndex::step() const { return content_->probe ? std::optional(content_->probe->step) : std::nullopt; }
std::int64_t QueryIndex::rows() const {
    std::int64_t rows = 0;
    for (const RouterColumns& router : content_->routers) rows += router.rows;
    return rows;
}
std::size_t QueryIndex::bytes() const {
    std::size_t bytes = content_->universe.capacity() * 8 + content_->streams.capacity() * sizeof(QueryStream);
    for (const RouterColumns& router : content_->routers) bytes += router.bytes();
    for (const auto& streams : content_->run_streams) bytes += streams.capacity() * 4;
    for (const QuerySample& sample : content_->samples) {
        bytes += sizeof(QuerySample) + sample.record.caption.capacity() +
                 (sample.words.capacity() + sample.patch_object.capacity() + sample.token_word.capacity()) * 4;
    }
    return bytes;
}
bool QueryIndex::wasKept() const { return content_->was_kept; }

}  // namespace es::analysis
