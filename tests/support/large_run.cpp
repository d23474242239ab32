// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/large_run.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

#include "engine/base/hash.h"
#include "engine/base/random.h"
#include "engine/store/run_writer.h"
#include "support/synthetic_run.h"

namespace es::test {
namespace {

constexpr std::array<const char*, 6> kWords{"a", "red", "dog", "beside", "one", "house"};
constexpr std::array<const char*, 6> kCategoryNames{"animals", "buildings", "food", "plants", "things", "vehicles"};
constexpr std::int64_t kShapes = 16;  ///< steps after which the same choices come again

std::uint64_t sampleHash(std::int64_t index) { return hash64("large run", static_cast<std::uint64_t>(index)); }

std::int32_t sceneWord(std::int64_t index, std::size_t word) {
    return static_cast<std::int32_t>(hash64("word", static_cast<std::uint64_t>(index) * 8 + word) % 2000);
}

/// Three objects side by side over the upper half, a pixel a patch.
void makeScene(store::SampleRecord& sample, std::int64_t index, std::int32_t side) {
    constexpr std::array<WordRole, 6> kRoles{WordRole::kFunction, WordRole::kColour,   WordRole::kShape,
                                             WordRole::kRelation, WordRole::kFunction, WordRole::kShape};
    SceneTruth truth;
    truth.side = side;
    truth.owner.assign(static_cast<std::size_t>(side) * static_cast<std::size_t>(side), 0);
    for (std::uint8_t o = 0; o < 3; ++o) {
        const std::uint64_t bits = hash64("object", static_cast<std::uint64_t>(index) * 4 + o);
        truth.objects.push_back(
            {fmt::format("shape {}", bits % 8), fmt::format("colour {}", bits / 8 % 8), bits / 64 % 2 == 0 ? "small" : "large", "plain", {}, {}});
        for (std::int32_t y = 0; y < side / 2; ++y)
            for (std::int32_t x = o * side / 3; x < (o + 1) * side / 3; ++x)
                truth.owner[static_cast<std::size_t>(y * side + x)] = static_cast<std::uint8_t>(o + 1);
    }
    sample.caption.clear();
    for (std::size_t w = 0; w < kRoles.size(); ++w) {
        const std::int32_t word = sceneWord(index, w);
        sample.token_ids[w] = 10 + word;
        sample.token_texts[w] = fmt::format("w{}", word);
        const auto begin = static_cast<std::uint32_t>(sample.caption.size() + (w > 0));
        sample.caption += (w > 0 ? " " : "") + sample.token_texts[w];
        truth.words.push_back({begin, static_cast<std::uint32_t>(sample.caption.size()), kRoles[w], -1});
    }
    sample.truth = std::move(truth);
}

store::SampleRecord largeSample(std::int64_t index, const LargeRunOptions& options) {
    store::SampleRecord sample;
    sample.hash = sampleHash(index);
    sample.dataset = "large";
    sample.index = index;
    sample.split = Split::kValidation;
    for (std::size_t i = 0; i < kWords.size(); ++i) {
        sample.token_texts.emplace_back(kWords[i]);
        sample.token_ids.push_back(static_cast<std::int32_t>(10 + i));
        sample.caption += (i ? " " : "") + std::string(kWords[i]);
    }
    sample.category = kCategoryNames[static_cast<std::size_t>(index) % kCategoryNames.size()];
    if (options.scenes) makeScene(sample, index, options.side);
    sample.grid_width = sample.grid_height = options.side;
    if (options.pictures) {
        sample.picture.width = sample.picture.height = 2 * options.side;
        RandomStream random(5, RandomPurpose::kSynthetic, static_cast<std::uint64_t>(index));
        sample.picture.rgba.resize(static_cast<std::size_t>(sample.picture.width) * static_cast<std::size_t>(sample.picture.height) * 4);
        for (std::size_t i = 0; i < sample.picture.rgba.size(); ++i) sample.picture.rgba[i] = i % 4 == 3 ? 255 : static_cast<std::uint8_t>(random.below(256));
    }
    return sample;
}

/// Which tokens: samples from `first` on, patches then words of each, until `tokens` are there.
void nameTokens(store::RoutingTable& table, std::int64_t first, std::int64_t tokens, const LargeRunOptions& options) {
    const std::int64_t patches = std::int64_t{options.side} * options.side;
    table.tokens = tokens;
    for (std::int64_t sample = first, row = 0; row < tokens; ++sample) {
        const std::uint64_t hash = sampleHash(sample % options.samples);
        for (std::int64_t p = 0; p < patches + static_cast<std::int64_t>(kWords.size()) && row < tokens; ++p, ++row) {
            const bool word = p >= patches;
            table.sample_T.push_back(hash);
            table.position_T.push_back(static_cast<std::uint16_t>(word ? p - patches : p));
            table.modality_T.push_back(word ? Modality::kText : Modality::kVision);
            table.objective_T.push_back(word ? Objective::kPairText : Objective::kPairImage);
        }
    }
}

void chooseExperts(store::RoutingTable& table, std::int64_t first, const LargeRunOptions& options, std::uint64_t seed) {
    RandomStream random(9, RandomPurpose::kSynthetic, seed, static_cast<std::uint32_t>(table.router.id.value));
    const auto experts = static_cast<std::uint32_t>(options.experts);
    std::int64_t sample = first - 1;
    for (std::size_t t = 0; t < static_cast<std::size_t>(table.tokens); ++t) {
        if (t == 0 || table.sample_T[t] != table.sample_T[t - 1]) ++sample;
        const std::uint32_t bits = random.nextU32();
        const auto category = static_cast<std::uint32_t>(sample % options.samples % static_cast<std::int64_t>(kCategoryNames.size()));
        const std::uint32_t choice = (bits & 1u) != 0 ? category % experts : (bits >> 1) % experts;
        for (std::int32_t j = 0; j < options.k; ++j) table.expert_ids.push_back(static_cast<std::uint16_t>((choice + static_cast<std::uint32_t>(j)) % experts));
    }
}

}  // namespace

Status writeLargeRun(const std::filesystem::path& folder, const LargeRunOptions& options) {
    SyntheticRunOptions named;
    named.name = "large";
    named.experts = options.experts;
    named.k = options.k;
    const std::int64_t per_step = options.tokens_per_step * options.k * options.layers;
    const std::int64_t steps = std::max<std::int64_t>((options.assignments + per_step - 1) / per_step, 1);
    named.steps = steps;
    config::RunConfig config = syntheticConfig(named);
    config.record.trace_every = 1;
    store::Provenance provenance;
    provenance.run_uuid = fmt::format("{:08x}-0000-4000-8000-000000000000", hash64(folder.string()) >> 32);
    provenance.program_version = "0.1.0";
    std::vector<store::RouterInfo> routers;
    for (std::int32_t layer = 0; layer < options.layers; ++layer)
        routers.push_back({RouterId(layer), LayerIndex(layer), Branch::kAll, "softmax_topk", options.experts, options.k, store::RoutingLayout::kFixedK});
    store::RunWriterOptions writing;
    writing.queue_units = std::size_t{1} << 14;
    writing.flush_seconds = 1e9;
    writing.flush_steps = std::int64_t{1} << 40;
    auto writer = store::RunWriter::create(folder, config, provenance, routers, writing);
    if (!writer) return tl::unexpected(writer.error());
    for (std::int64_t i = 0; i < options.samples; i += 256) {
        std::vector<store::SampleRecord> some;
        for (std::int64_t j = i; j < std::min(i + 256, options.samples); ++j) some.push_back(largeSample(j, options));
        if (auto written = (*writer)->samples(std::move(some)); !written) return written;
    }
    if (options.probe_rows > 0) {
        const auto probeOf = [&](const store::ProbeKey& key, std::uint64_t seed) {
            store::Probe probe{key, {}};
            for (const store::RouterInfo& router : routers) {
                store::RoutingTable table;
                table.router = router;
                table.step = key.step;
                nameTokens(table, 0, options.probe_rows / options.layers, options);
                chooseExperts(table, 0, options, seed);
                RandomStream random(4, RandomPurpose::kSynthetic, static_cast<std::uint64_t>(router.id.value));
                for (std::int64_t t = 0; t < table.tokens; ++t) {
                    const std::uint32_t bits = random.nextU32();
                    table.boundary_margin_T.push_back(static_cast<float>(bits & 0xFFFFu) / 65536.0f);
                    table.entropy_nats_T.push_back(static_cast<float>(bits >> 16) / 32768.0f);
                    table.masked_T.push_back((bits >> 7) % 8 == 0 ? 1 : 0);
                    const auto row = static_cast<std::size_t>(t);
                    const std::int64_t sample = t / (std::int64_t{options.side} * options.side + static_cast<std::int64_t>(kWords.size()));
                    const std::int32_t word = options.scenes ? sceneWord(sample % options.samples, table.position_T[row]) : table.position_T[row];
                    table.token_id_T.push_back(table.modality_T[row] == Modality::kText ? 10 + word : -1);
                    for (std::int32_t j = 0; j < options.k; ++j) table.gates.push_back(1.0f / static_cast<float>(options.k + j));
                }
                probe.tables.push_back(std::move(table));
            }
            return probe;
        };
        const auto keep = [&](const store::ProbeKey& key, std::uint64_t seed) -> Status {
            if (auto written = (*writer)->probe(probeOf(key, seed)); !written) return written;
            return (*writer)->flush();
        };
        if (auto kept = keep({steps, "trained"}, 1000); !kept) return kept;
        for (std::int32_t draw = 0; draw < options.baselines; ++draw)
            if (auto kept = keep({steps, "random-router-" + std::to_string(draw)}, 1001 + static_cast<std::uint64_t>(draw)); !kept) return kept;
        if (options.baselines > 0)
            if (auto kept = keep({0, "trained"}, 999); !kept) return kept;
    }
    std::vector<std::vector<store::RoutingTable>> shapes;
    for (std::int64_t s = 0; s < std::min(kShapes, steps); ++s) {
        std::vector<store::RoutingTable>& units = shapes.emplace_back();
        for (const store::RouterInfo& router : routers) {
            store::RoutingTable table;
            table.router = router;
            nameTokens(table, s, options.tokens_per_step, options);
            chooseExperts(table, s, options, static_cast<std::uint64_t>(s));
            units.push_back(std::move(table));
        }
    }
    for (std::int64_t step = 1; step <= steps; ++step) {
        std::vector<store::RoutingTable> units = shapes[static_cast<std::size_t>(step % static_cast<std::int64_t>(shapes.size()))];
        std::vector<store::LoadRecord> loads;
        for (store::RoutingTable& unit : units) {
            unit.step = step;
            store::LoadRecord load;
            load.step = step;
            load.router = unit.router.id;
            load.tokens = unit.tokens;
            load.counts_E.assign(static_cast<std::size_t>(options.experts), static_cast<std::uint32_t>(unit.tokens * options.k / options.experts));
            load.mass_E.assign(static_cast<std::size_t>(options.experts), static_cast<float>(unit.tokens) / static_cast<float>(options.experts));
            loads.push_back(std::move(load));
        }
        if (auto written = (*writer)->load(std::move(loads)); !written) return written;
        if (auto written = (*writer)->scalars(step, {{"train/loss", 8.0 / static_cast<double>(step)}}); !written) return written;
        if (auto written = (*writer)->trace(step, std::move(units)); !written) return written;
        // A full queue drops units: what was asked for must all be there.
        if (step % 512 == 0)
            if (auto flushed = (*writer)->flush(); !flushed) return flushed;
    }
    if ((*writer)->counters().trace_units_dropped > 0)
        return jobFailed("Cannot write the large run", "the writer dropped units", "Write fewer at a time", folder.string());
    return (*writer)->finish(true, "The run finished.");
}

}  // namespace es::test
