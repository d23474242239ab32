// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/synthetic_run.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "engine/base/hash.h"
#include "engine/base/logging.h"
#include "engine/base/random.h"
#include "engine/config/config_io.h"
#include "engine/store/run_writer.h"
#include "support/synthetic_routing.h"

namespace es::test {
namespace {

constexpr std::int64_t kImageSize = 48, kPatch = 8, kGrid = kImageSize / kPatch;
constexpr std::array<const char*, 4> kColours{"red", "green", "blue", "yellow"};
constexpr std::array<std::array<std::uint8_t, 3>, 4> kPixels{{{220, 50, 47}, {60, 160, 70}, {50, 90, 200}, {240, 200, 40}}};
constexpr std::array<std::int32_t, 4> kExpertOfColour{3, 1, 5, 6};
constexpr std::array<const char*, 4> kShapes{"circle", "square", "triangle", "stripes"};
constexpr std::array<const char*, 4> kCategories{"fruit", "animal", "vehicle", "building"};
constexpr std::int32_t kFirstColourId = 10, kFirstShapeId = 20, kCommaId = 5, kFirstCategoryId = 30;

int colourOf(std::int64_t index) { return static_cast<int>(index % 4); }
int shapeOf(std::int64_t index) { return static_cast<int>(index / 4 % 4); }
int categoryOf(std::int64_t index) { return static_cast<int>(index / 16 % 4); }

bool inShape(int shape, std::int64_t index, double x, double y) {
    const double size = 0.62 + 0.2 * static_cast<double>(index % 3) / 2;
    if (shape == 0) return x * x + y * y < size * size;
    if (shape == 1) return std::abs(x) < size * 0.85 && std::abs(y) < size * 0.85;
    if (shape == 2) return y < size * 0.8 && y > -size && std::abs(x) < (y + size) * 0.55;
    return std::abs(x) < size && std::fmod(y + 2, 0.5) < 0.26;
}

store::Picture drawPicture(std::int64_t index) {
    store::Picture picture;
    picture.width = picture.height = kImageSize;
    const auto& pixel = kPixels[static_cast<std::size_t>(colourOf(index))];
    for (std::int64_t row = 0; row < kImageSize; ++row)
        for (std::int64_t column = 0; column < kImageSize; ++column) {
            const double x = (static_cast<double>(column) + 0.5) / kImageSize * 2 - 1, y = (static_cast<double>(row) + 0.5) / kImageSize * 2 - 1;
            const bool inside = inShape(shapeOf(index), index, x, y);
            const double light = 1 - 0.25 * (x + y) / 2;
            for (const std::uint8_t channel : pixel) picture.rgba.push_back(inside ? static_cast<std::uint8_t>(std::min(255.0, channel * light)) : 0);
            picture.rgba.push_back(inside ? 255 : 0);
        }
    return picture;
}

/// True when more than a third of the patch is painted.
bool patchPainted(const store::Picture& picture, std::int64_t patch) {
    std::int64_t painted = 0;
    for (std::int64_t y = 0; y < kPatch; ++y)
        for (std::int64_t x = 0; x < kPatch; ++x)
            painted += picture.rgba[static_cast<std::size_t>((((patch / kGrid) * kPatch + y) * kImageSize + (patch % kGrid) * kPatch + x) * 4 + 3)] != 0;
    return painted * 3 > kPatch * kPatch;
}

/// Smooth random walk that does not depend on the order of questions.
double noise(std::int64_t seed, std::int64_t stream, std::int64_t step) {
    RandomStream random(static_cast<std::uint64_t>(seed), RandomPurpose::kSynthetic, static_cast<std::uint64_t>(step), static_cast<std::uint32_t>(stream));
    return random.normal();
}

class SyntheticRun {
public:
    SyntheticRun(store::RunWriter& writer, const SyntheticRunOptions& options) : writer_(writer), options_(options) {
        for (std::int64_t i = 0; i < options.samples; ++i) {
            samples_.push_back(syntheticSample(i, options));
            painted_.emplace_back();
            for (std::int64_t patch = 0; patch < kGrid * kGrid; ++patch) painted_.back().push_back(patchPainted(samples_.back().picture, patch));
        }
        if (options.ffn == "moe")
            for (std::int32_t id = 0; id < 4; ++id) routers_.push_back(syntheticRouter(id, options));
    }

    Status write() {
        note(writer_.samples(samples_));
        for (std::int64_t step = 0; step <= options_.steps; ++step) {
            if (step > 0) trainStep(step);
            if (isCheckpoint(step)) checkpoint(step);
            if (step % 50 == 0) note(writer_.flush());
            if (!status_) return status_;
        }
        return status_;
    }

private:
    void note(Status status) {
        if (!status && status_) status_ = std::move(status);
    }
    [[nodiscard]] std::int64_t interval() const { return std::max<std::int64_t>(options_.steps / 6, 1); }
    [[nodiscard]] bool isCheckpoint(std::int64_t step) const { return step % interval() == 0 || step == options_.steps; }
    [[nodiscard]] double progress(std::int64_t step) const { return static_cast<double>(step) / static_cast<double>(options_.steps); }
    [[nodiscard]] double strength(std::int64_t step) const { return step == 0 ? 0 : 4.5 * (1 - std::exp(-5 * progress(step))); }
    [[nodiscard]] std::int32_t deadExpert(std::int32_t router, std::int64_t step) const {
        return router == 0 && progress(step) > 1.0 / 3 ? options_.dead_expert : -1;
    }
    [[nodiscard]] static std::string place(const store::RouterInfo& router) {
        return "router/l" + std::to_string(router.layer.value) + "." + std::string(toString(router.branch)) + "/";
    }

    /// Mean loss of an objective: from its starting value towards a floor that experts lower a little.
    [[nodiscard]] double meanLoss(Objective objective, std::int64_t step) const {
        constexpr std::array<double, kMaskedObjectiveCount> kStart{1.03, 7.1, 0.99, 7.0}, kFloor{0.68, 2.05, 0.66, 2.12};
        const auto at = static_cast<std::size_t>(objective);
        const double gain = options_.ffn == "moe" ? 0.03 : options_.ffn == "scaled_dense" ? 0.01 : 0.0;
        return kFloor[at] * (1 - gain) + (kStart[at] - kFloor[at]) * std::exp(-6 * std::sqrt(progress(step)) - 2 * progress(step)) +
               0.01 * noise(options_.seed, 900 + static_cast<std::int64_t>(objective), 0);
    }
    [[nodiscard]] static double trivialLoss(Objective objective) {
        constexpr std::array<double, kMaskedObjectiveCount> kTrivial{1.0, 4.12, 1.0, 4.08};
        return kTrivial[static_cast<std::size_t>(objective)];
    }
    [[nodiscard]] double spike(std::int64_t step) const {
        double height = 0;
        for (const std::int64_t at : options_.spikes)
            if (step >= at && step < at + 8) height += std::exp(-0.5 * static_cast<double>(step - at));
        return height;
    }

    void trainStep(std::int64_t step) {
        std::vector<store::Scalar> values;
        double total = 0;
        const double jump = spike(step);
        for (int i = 0; i < kMaskedObjectiveCount; ++i) {
            const auto objective = static_cast<Objective>(i);
            const double loss = meanLoss(objective, step) * (1 + 0.03 * noise(options_.seed, i, step)) + 2.5 * jump;
            values.push_back({"train/loss/" + std::string(toString(objective)), loss});
            total += loss;
        }
        values.insert(values.begin(), {"train/loss", total});
        const double norm = 0.8 + 2.2 * std::exp(-20 * progress(step)) + 9 * jump;
        constexpr std::array<const char*, 5> kGroups{"embedding", "attention", "ffn", "experts", "router"};
        values.push_back({"grad_norm/all", norm * std::exp(0.12 * noise(options_.seed, 20, step))});
        for (std::size_t g = 0; g < kGroups.size(); ++g)
            if (!routers_.empty() || g < 3)
                values.push_back({"grad_norm/" + std::string(kGroups[g]), norm * (0.6 - 0.1 * static_cast<double>(g)) *
                                                                              std::exp(0.15 * noise(options_.seed, 21 + static_cast<std::int64_t>(g), step))});
        const double stepMs = (routers_.empty() ? 88 : 104) * std::exp(0.04 * noise(options_.seed, 30, step));
        values.push_back({"time/step_ms", stepMs});
        values.push_back({"throughput/samples_per_s", 64e3 / stepMs});
        const double warmup = std::min(1.0, progress(step) / 0.1);
        values.push_back({"learning_rate", 3e-3 * warmup * (progress(step) < 0.1 ? 1 : 0.1 + 0.45 * (1 + std::cos(M_PI * (progress(step) - 0.1) / 0.9)))});

        std::vector<store::LoadRecord> loads;
        for (const store::RouterInfo& router : routers_) {
            loads.push_back(load(router, step));
            values.push_back({place(router) + "max_vio", maxVio(loads.back())});
            values.push_back({place(router) + "entropy_nats", loads.back().entropy_nats});
            values.push_back({place(router) + "balance_loss", loads.back().balance_loss});
            values.push_back({place(router) + "z_loss", loads.back().z_loss});
        }
        note(writer_.scalars(step, std::move(values)));
        if (!loads.empty()) note(writer_.load(std::move(loads)));
        if (options_.trace_every > 0 && step % options_.trace_every == 0 && !routers_.empty()) {
            std::vector<store::TraceUnit> units;
            for (const store::RouterInfo& router : routers_) units.push_back(route(router, step, batch(router, step), strength(step), false, 0));
            note(writer_.trace(step, std::move(units)));
        }
    }

    static double maxVio(const store::LoadRecord& load) {
        double total = 0, most = 0;
        for (const std::uint32_t count : load.counts_E) {
            total += count;
            most = std::max(most, static_cast<double>(count));
        }
        return total > 0 ? most * static_cast<double>(load.counts_E.size()) / total - 1 : 0;
    }

    /// Uneven while warming up, as the demo is, then near balance.
    [[nodiscard]] store::LoadRecord load(const store::RouterInfo& router, std::int64_t step) const {
        store::LoadRecord load;
        load.step = step;
        load.router = router.id;
        load.modality = router.branch == Branch::kVision ? Modality::kVision : Modality::kText;
        load.tokens = router.branch == Branch::kVision ? 32 * kGrid * kGrid : 48 * 4;
        const auto experts = static_cast<std::size_t>(router.experts);
        std::vector<double> share(experts);
        double sum = 0;
        for (std::size_t e = 0; e < experts; ++e) {
            const double taste = noise(options_.seed, 100 + router.id.value * 1000 + static_cast<std::int64_t>(e), 0);
            const double drift = 0.25 * std::sin(static_cast<double>(step) / 40 + 2 * taste) +
                                 0.1 * noise(options_.seed, 200 + router.id.value * 1000 + static_cast<std::int64_t>(e), step);
            share[e] = static_cast<std::int32_t>(e) == deadExpert(router.id.value, step) ? 0 : std::exp(4 * taste * std::exp(-12 * progress(step)) + drift);
            sum += share[e];
        }
        const double assignments = static_cast<double>(load.tokens * router.k);
        std::int64_t left = load.tokens * router.k;
        for (std::size_t e = 0; e < experts; ++e) {
            share[e] /= sum;
            load.counts_E.push_back(static_cast<std::uint32_t>(share[e] * assignments));
            left -= load.counts_E.back();
        }
        *std::max_element(load.counts_E.begin(), load.counts_E.end()) += static_cast<std::uint32_t>(left);
        double balance = 0;
        for (std::size_t e = 0; e < experts; ++e) {
            load.mass_E.push_back(static_cast<float>(share[e] * static_cast<double>(load.tokens)));
            balance += share[e] * share[e] * static_cast<double>(experts);
        }
        load.entropy_nats = static_cast<float>(std::log(static_cast<double>(experts)) * (1 - 0.45 * progress(step)) -
                                               0.05 * std::abs(noise(options_.seed, 40 + router.id.value, step)));
        load.top1 = static_cast<float>(1.0 / static_cast<double>(experts) + 0.5 * progress(step));
        load.logsumexp = static_cast<float>(std::log(static_cast<double>(experts)) + 0.4 * progress(step));
        load.max_abs_logit = static_cast<float>(1 + 6 * progress(step));
        load.balance_loss = static_cast<float>(balance);
        load.z_loss = load.logsumexp * load.logsumexp;
        return load;
    }

    /// Tokens of one sample as one router sees them.
    void addTokens(const store::RouterInfo& router, std::size_t sample, Objective objective, std::int64_t maskSeed, std::vector<PlantedToken>& tokens) const {
        const store::SampleRecord& record = samples_[sample];
        const auto index = static_cast<std::int64_t>(sample);
        RandomStream random(static_cast<std::uint64_t>(options_.seed), RandomPurpose::kSynthetic, record.hash, 7 + static_cast<std::uint32_t>(maskSeed));
        if (router.branch == Branch::kVision) {
            for (std::int64_t patch = 0; patch < kGrid * kGrid; ++patch) {
                const bool painted = painted_[sample][static_cast<std::size_t>(patch)];
                const std::int32_t blank = std::array<std::int32_t, 4>{0, 2, 4, 7}[static_cast<std::size_t>(patch % 4)];
                const std::int32_t byColour = painted ? kExpertOfColour[static_cast<std::size_t>(colourOf(index))] : blank;
                const std::int32_t byCategory = painted ? categoryOf(index) : 4 + blank % 4;
                tokens.push_back({record.hash, static_cast<std::uint16_t>(patch), Modality::kVision, objective, -1, maskSeed >= 0 && random.uniform() < 0.4,
                                  router.layer.value == 1 ? byColour : byCategory});
            }
            return;
        }
        for (std::size_t word = 0; word < record.token_ids.size(); ++word) {
            const std::int32_t id = record.token_ids[word];
            tokens.push_back({record.hash, static_cast<std::uint16_t>(word), Modality::kText, objective, id, maskSeed >= 0 && random.uniform() < 0.3,
                              router.layer.value == 1 ? id : id / 10});
        }
    }

    /// The tokens of a step's batch: 16 samples alone (pictures) or 32 (texts), then 16 pairs.
    [[nodiscard]] std::vector<PlantedToken> batch(const store::RouterInfo& router, std::int64_t step) const {
        std::vector<PlantedToken> tokens;
        const bool vision = router.branch == Branch::kVision;
        const std::size_t alone = vision ? 16 : 32;
        RandomStream random(static_cast<std::uint64_t>(options_.seed), RandomPurpose::kSynthetic, static_cast<std::uint64_t>(step), vision ? 5 : 6);
        const auto draw = [&] { return random.below(static_cast<std::uint32_t>(samples_.size())); };
        for (std::size_t i = 0; i < alone; ++i) addTokens(router, draw(), vision ? Objective::kImage : Objective::kText, step, tokens);
        RandomStream pairs(static_cast<std::uint64_t>(options_.seed), RandomPurpose::kSynthetic, static_cast<std::uint64_t>(step), 8);
        for (std::size_t i = 0; i < 16; ++i)
            addTokens(router, pairs.below(static_cast<std::uint32_t>(samples_.size())), vision ? Objective::kPairImage : Objective::kPairText, step, tokens);
        return tokens;
    }

    [[nodiscard]] store::RoutingTable route(const store::RouterInfo& router, std::int64_t step, const std::vector<PlantedToken>& tokens, double how,
                                            bool withProbs, std::uint32_t draw) const {
        RandomStream random(static_cast<std::uint64_t>(options_.seed), RandomPurpose::kRandomRouter, static_cast<std::uint64_t>(step),
                            static_cast<std::uint32_t>(router.id.value) * 16 + draw + (withProbs ? 1000 : 0));
        return routeTokens(router, step, tokens, how, deadExpert(router.id.value, step), withProbs, random);
    }

    void probe(std::int64_t step, const std::string& variant, double how, std::uint32_t draw) {
        store::Probe probe{{step, variant}, {}};
        for (const store::RouterInfo& router : routers_) {
            std::vector<PlantedToken> tokens;
            const bool vision = router.branch == Branch::kVision;
            for (const Objective objective : {vision ? Objective::kImage : Objective::kText, vision ? Objective::kPairImage : Objective::kPairText})
                for (std::size_t sample = 0; sample < samples_.size(); ++sample) addTokens(router, sample, objective, -1, tokens);
            probe.tables.push_back(route(router, step, tokens, how, true, draw));
        }
        note(writer_.probe(std::move(probe)));
    }

    void checkpoint(std::int64_t step) {
        store::Evaluation evaluation{step, Split::kValidation, {}};
        std::vector<store::Scalar> values;
        double total = 0;
        for (int i = 0; i < kMaskedObjectiveCount; ++i) {
            const auto objective = static_cast<Objective>(i);
            double sum = 0;
            for (std::size_t s = 0; s < samples_.size(); ++s) {
                const double own = 0.2 * noise(77, i, static_cast<std::int64_t>(samples_[s].hash >> 8));
                const bool words = objective == Objective::kText || objective == Objective::kPairText;
                const double loss = meanLoss(objective, step) * std::exp(own + 0.02 * noise(options_.seed, 50 + i, static_cast<std::int64_t>(s)));
                const double accuracy = words ? std::clamp(0.8 - loss / 8, 0.0, 1.0) : std::numeric_limits<double>::quiet_NaN();
                evaluation.rows.push_back({samples_[s].hash, objective, 0, loss, trivialLoss(objective) * std::exp(own), words ? 2 : 14, accuracy, ""});
                if (objective == Objective::kPairText)
                    evaluation.rows.push_back(
                        {samples_[s].hash, objective, 0, loss + 0.27 * progress(step), trivialLoss(objective) * std::exp(own), 2, accuracy, "wrong_picture"});
                sum += loss;
            }
            const double mean = sum / static_cast<double>(samples_.size());
            values.push_back({"eval/loss/" + std::string(toString(objective)), mean});
            values.push_back({"eval/trivial/" + std::string(toString(objective)), trivialLoss(objective)});
            total += mean;
        }
        values.push_back({"eval/loss/total", total});
        note(writer_.scalars(step, std::move(values)));
        note(writer_.evaluation(std::move(evaluation)));
        if (!routers_.empty()) {
            probe(step, "trained", strength(step), 0);
            if (step == options_.steps)
                for (std::uint32_t draw = 0; draw < 5; ++draw) probe(step, "random-router-" + std::to_string(draw), 0.4, draw + 1);
        }
        note(writer_.checkpoint({step, 0, total, folderOf(step), true}));
        note(writer_.event({step, 0, store::Severity::kInfo, "checkpoint", "Checkpoint of step " + std::to_string(step) + " written."}));
        kept_.push_back(step);
        if (kept_.size() > 3) {
            note(writer_.checkpoint({kept_.front(), 0, total, folderOf(kept_.front()), false}));
            kept_.erase(kept_.begin());
        }
    }
    [[nodiscard]] static std::string folderOf(std::int64_t step) { return fmt::format("checkpoints/step-{:09}", step); }

    store::RunWriter& writer_;
    const SyntheticRunOptions& options_;
    Status status_;
    std::vector<store::RouterInfo> routers_;
    std::vector<store::SampleRecord> samples_;
    std::vector<std::vector<bool>> painted_;
    std::vector<std::int64_t> kept_;
};

}  // namespace

store::RouterInfo syntheticRouter(std::int32_t id, const SyntheticRunOptions& options) {
    store::RouterInfo router;
    router.id = RouterId(id);
    router.layer = LayerIndex(1 + id / 2);
    router.branch = id % 2 == 0 ? Branch::kVision : Branch::kText;
    router.kind = "softmax_topk";
    router.experts = static_cast<std::int32_t>(options.experts);
    router.k = static_cast<std::int32_t>(options.k);
    return router;
}

store::SampleRecord syntheticSample(std::int64_t index, const SyntheticRunOptions& options) {
    store::SampleRecord sample;
    const auto colour = static_cast<std::size_t>(colourOf(index)), shape = static_cast<std::size_t>(shapeOf(index)),
               category = static_cast<std::size_t>(categoryOf(index));
    sample.dataset = "synthetic";
    sample.index = index;
    sample.split = Split::kValidation;
    sample.caption = fmt::format("{} {} , {}", kColours[colour], kShapes[shape], kCategories[category]);
    sample.token_ids = {kFirstColourId + static_cast<std::int32_t>(colour), kFirstShapeId + static_cast<std::int32_t>(shape), kCommaId,
                        kFirstCategoryId + static_cast<std::int32_t>(category)};
    sample.token_texts = {kColours[colour], kShapes[shape], ",", kCategories[category]};
    sample.category = kCategories[category];
    sample.subcategory = kShapes[shape];
    sample.domain = "drawn";
    sample.license = "CC0-1.0";
    sample.source = "generated";
    sample.picture = drawPicture(index);
    sample.grid_width = sample.grid_height = kGrid;
    sample.hash = hash64(sample.caption, static_cast<std::uint64_t>(index));
    if (options.variants > 1 && index % options.variants != 0) sample.truth.emplace().pair_of = syntheticSample(index - index % options.variants, options).hash;
    return sample;
}

config::RunConfig syntheticConfig(const SyntheticRunOptions& options) {
    config::RunConfig config;
    config.run.name = options.name;
    config.run.seed = options.seed;
    config.model.ffn = options.ffn;
    if (options.ffn == "scaled_dense") config.model.ffn_scales = {0.2, 0.2, 0.2, 0.2};  // two MoE layers, v and t
    config.moe.experts = options.experts;
    config.moe.k = options.k;
    config.train.steps = options.steps;
    config.record.trace_every = options.trace_every;
    config.record.probe_samples = options.samples;
    return config;
}

Status writeSyntheticRun(const std::filesystem::path& folder, const SyntheticRunOptions& options) {
    const config::RunConfig config = syntheticConfig(options);
    store::Provenance provenance;
    const std::uint64_t id = hash64(options.name + options.ffn, static_cast<std::uint64_t>(options.seed));
    provenance.run_uuid = fmt::format("{:08x}-0000-4000-8000-{:012x}", id >> 32, id & 0xFFFFFFFFu);
    provenance.program_version = "0.1.0";
    provenance.device = "cpu";
    provenance.cpu = "made up";
    provenance.precision = "fp32";
    provenance.threads = 2;
    provenance.data_threads = 1;
    provenance.seed = options.seed;
    provenance.data_hash = hashText(hash64("synthetic"));
    provenance.created_s = options.created_s > 0 ? options.created_s : 1.75e9 + 3600 * static_cast<double>(options.seed);
    const bool sparse = options.ffn == "moe";
    provenance.parameters_total = sparse ? 3070000 : 1300000;
    provenance.parameters_active = 1300000;
    provenance.flops_per_step_active = 1.3e10;
    provenance.flops_per_step_total = sparse ? 3.1e10 : 1.3e10;
    provenance.samples_per_step = 64;
    provenance.tokens_per_step = 1600;
    std::vector<store::RouterInfo> routers;
    for (std::int32_t router = 0; sparse && router < 4; ++router) routers.push_back(syntheticRouter(router, options));

    store::RunWriterOptions writerOptions;
    writerOptions.queue_units = 1u << 14;
    auto writer = store::RunWriter::create(folder, config, provenance, routers, writerOptions);
    if (!writer) return tl::unexpected(writer.error());
    if (auto status = SyntheticRun(**writer, options).write(); !status) return status;
    if (!options.finish) return (*writer)->flush();
    return (*writer)->finish(true, "The run finished.");
}

}  // namespace es::test
