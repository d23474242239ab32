// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/infer/expert_similarity.h"

#include <ATen/core/grad_mode.h>
#include <c10/util/StringUtil.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <map>
#include <string>

#include "datasets/dataset.h"
#include "engine/data/batch_builder.h"
#include "engine/infer/checkpoint_model.h"
#include "engine/model/grouped_experts.h"
#include "engine/store/run_reader.h"
#include "engine/train/build_info.h"

namespace es::engine {
namespace {

constexpr std::size_t kProbeChunk = 32;
constexpr std::int64_t kMostNumbers = std::int64_t{1} << 25;  // at a time: inputs, hidden vectors and outputs of all experts, these also as doubles; 128 MB

/// 1/x, NaN at 0.
at::Tensor reciprocalOrNan(const at::Tensor& x) { return at::where(x > 0, x.reciprocal(), at::full_like(x, std::numeric_limits<double>::quiet_NaN())); }

/// All weights of each expert as one row.
at::Tensor expertRows(const ExpertWeights& weights) {
    std::vector<at::Tensor> parts;
    for (const at::Tensor& part : {weights.w1_EHD, weights.b1_EH, weights.w2_EDH, weights.b2_ED, weights.w3_EHD, weights.norm_weight_EH, weights.norm_bias_EH})
        if (part.defined()) parts.push_back(part.flatten(1).to(at::kDouble));
    return at::cat(parts, 1);
}

/// What every expert makes of every token, whoever was chosen: E x T x D.
at::Tensor outputsOf(const GroupedExperts& experts, const at::Tensor& x_TD) {
    const std::int64_t count = experts.weights().w1_EHD.size(0), tokens = x_TD.size(0);
    std::vector<std::int64_t> offsets;
    for (std::int64_t e = 0; e <= count; ++e) offsets.push_back(e * tokens);
    return experts.forward(x_TD.repeat({count, 1}), offsets).view({count, tokens, -1});
}

/// Samples of the probe as batches, pairs and what stands alone apart.
struct ProbeBatches {
    std::vector<const store::SampleRecord*> pairs, pictures, texts;
};

ImageStream picturesOf(const std::vector<const store::SampleRecord*>& records, const CheckpointModel& checkpoint) {
    std::vector<std::span<const std::uint8_t>> pixels;
    for (const auto* record : records) pixels.emplace_back(record->picture.rgba);
    const std::int64_t size = checkpoint.state.image_size, grid = size / checkpoint.config.model.patch;
    const std::vector<std::uint8_t> nothing(records.size() * static_cast<std::size_t>(grid * grid), 0);
    ImageStream images = makeImages(pixels, size, checkpoint.config.model.patch, checkpoint.state.scale, nothing);
    if (checkpoint.image_tokenizer)
        images.code_BP =
            at::tensor(checkpoint.image_tokenizer->codesOfPictures(pixels, size), at::kInt).to(at::kLong).view({static_cast<std::int64_t>(records.size()), -1});
    return images;
}

TextStream wordsOf(const std::vector<const store::SampleRecord*>& records, const CheckpointModel& checkpoint) {
    std::vector<std::span<const std::int32_t>> words;
    std::vector<std::vector<std::uint8_t>> masks;
    for (const auto* record : records) {
        words.emplace_back(record->token_ids);
        masks.emplace_back(record->token_ids.size(), 0);
    }
    return makeTexts(words, masks, checkpoint.tokenizer->padId());
}

struct Probe {
    std::string run_uuid;
    std::vector<store::SampleRecord> records;
};

/// The probe's samples that the model can read as they are.
Result<Probe> probeOf(const std::filesystem::path& run, const CheckpointModel& checkpoint, const JobContext& context) {
    const auto reader = store::RunReader::open(run, context);
    if (!reader) return tl::unexpected(reader.error());
    const auto hashes = (*reader)->probeSamples();
    if (!hashes) return tl::unexpected(hashes.error());
    Probe probe{(*reader)->provenance().run_uuid, {}};
    for (const std::uint64_t hash : *hashes) {
        if (context.stopRequested()) return stopped("Comparing experts");
        auto record = (*reader)->sample(hash);
        if (!record) return tl::unexpected(record.error());
        // What another program put into the run may have another size; it would not be what the model reads.
        const std::int64_t side = checkpoint.state.image_size;
        const bool fits = record->picture.width == side && record->picture.height == side && std::ssize(record->picture.rgba) == side * side * 4;
        if (!record->picture.empty() && !fits) continue;
        const bool readable = std::ssize(record->token_ids) <= checkpoint.state.max_words &&
                              std::ranges::all_of(record->token_ids, [&](std::int32_t id) { return id >= 0 && id < checkpoint.state.vocabulary; });
        if (readable && (!record->picture.empty() || !record->token_ids.empty())) probe.records.push_back(std::move(*record));
    }
    return probe;
}

/// Tokens that each router is given, by router id.
std::map<std::int32_t, at::Tensor> expertInputs(const CheckpointModel& checkpoint, const std::vector<store::SampleRecord>& records, const JobContext& context) {
    std::map<std::int32_t, std::vector<at::Tensor>> parts;
    for (std::size_t begin = 0; begin < records.size() && !context.stopRequested(); begin += kProbeChunk) {
        context.progress(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(records.size()), "Reading the probe's samples");
        ProbeBatches some;
        Batch batch;
        for (std::size_t i = begin; i < std::min(records.size(), begin + kProbeChunk); ++i) {
            const bool picture = !records[i].picture.empty(), words = !records[i].token_ids.empty();
            (picture && words ? some.pairs : picture ? some.pictures : some.texts).push_back(&records[i]);
            (picture && words ? batch.pair_samples : picture ? batch.image_samples : batch.text_samples).push_back(static_cast<std::int64_t>(i));
        }
        if (!some.pairs.empty()) {
            batch.pair_images = picturesOf(some.pairs, checkpoint);
            batch.pair_texts = wordsOf(some.pairs, checkpoint);
        }
        if (!some.pictures.empty()) batch.images = picturesOf(some.pictures, checkpoint);
        if (!some.texts.empty()) batch.texts = wordsOf(some.texts, checkpoint);
        std::map<std::int32_t, at::Tensor> inputs;
        ForwardOptions options;
        options.training = false;
        options.step = checkpoint.step;
        options.expert_inputs_TD = &inputs;
        (void)checkpoint.model->forward(batch, options);
        for (auto& [router, x_TD] : inputs) parts[router].push_back(x_TD.to(at::kFloat));
    }
    std::map<std::int32_t, at::Tensor> all;
    for (auto& [router, some] : parts) all[router] = at::cat(some, 0);
    return all;
}

at::Tensor evenly(const at::Tensor& x_TD, std::int64_t most) {
    const std::int64_t tokens = x_TD.size(0);
    if (most <= 0 || tokens <= most) return x_TD;
    return x_TD.index_select(0, (at::arange(most, at::kLong) * tokens).floor_divide(most));
}

store::ExpertSimilarity kept(const CheckpointModel& checkpoint, const Probe& probe, RouterId router, const char* measure, std::int64_t tokens,
                             const at::Tensor& values_EE) {
    store::ExpertSimilarity out;
    out.step = checkpoint.step;
    out.router = router;
    out.measure = measure;
    out.experts = static_cast<std::int32_t>(values_EE.size(0));
    out.tokens = tokens;
    const at::Tensor flat = values_EE.to(at::kDouble).contiguous();
    out.values_EE.assign(flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel());
    out.program_version = programVersion();
    out.run_uuid = probe.run_uuid;
    return out;
}

}  // namespace

at::Tensor rowCosines(const at::Tensor& rows_EN) {
    const at::Tensor rows = rows_EN.detach().to(at::kDouble), unit = rows * reciprocalOrNan(rows.norm(2, 1, true));
    return at::matmul(unit, unit.t()).clamp(-1, 1);
}

at::Tensor outputCosines(const at::Tensor& outputs_ETD) {
    const std::int64_t experts = outputs_ETD.size(0);
    const at::Tensor y = outputs_ETD.detach().to(at::kDouble);
    const at::Tensor length_ET1 = y.norm(2, 2, true);
    const at::Tensor there_ET = (length_ET1.squeeze(2) > 0).to(at::kDouble);
    const at::Tensor unit = y / length_ET1.clamp_min(1e-300);
    at::Tensor sums = at::zeros({experts, experts}, at::kDouble);
    for (std::int64_t i = 0; i < experts; ++i) sums[i] = (unit * unit[i].unsqueeze(0)).sum({1, 2});
    return (sums * reciprocalOrNan(at::matmul(there_ET, there_ET.t()))).clamp(-1, 1);
}

at::Tensor linearCka(const at::Tensor& outputs_ETD, const JobContext& context) {
    const std::int64_t experts = outputs_ETD.size(0), tokens = outputs_ETD.size(1), width = outputs_ETD.size(2);
    const at::Tensor y = outputs_ETD.detach().to(at::kDouble), centred = y - y.mean(1, true);
    at::Tensor cross = at::zeros({experts, experts}, at::kDouble);
    // ‖YᵀX‖² is the inner product of the Gram matrices of the tokens, or of the features: the smaller ones are taken.
    if (tokens < width) {
        const at::Tensor gram = at::matmul(centred, centred.transpose(1, 2)).flatten(1);
        cross = at::matmul(gram, gram.t());
    } else {
        for (std::int64_t i = 0; i < experts && !context.stopRequested(); ++i)
            for (std::int64_t j = i; j < experts; ++j) {
                const double value = at::matmul(centred[j].t(), centred[i]).square().sum().item<double>();
                cross[i][j] = value;
                cross[j][i] = value;
            }
    }
    // What rounding leaves of a constant output is no variation.
    const at::Tensor scale = y.square().sum({1, 2}).square() * 1e-24;
    const at::Tensor own = at::where(cross.diagonal() > scale, cross.diagonal(), at::zeros_like(scale)).sqrt();
    return (cross * reciprocalOrNan(own.unsqueeze(1) * own.unsqueeze(0))).clamp(0, 1);
}

Result<std::vector<store::ExpertSimilarity>> expertSimilarity(const session::SimilarityRequest& request, const JobContext& context) try {
    const at::NoGradGuard no_gradient;
    const auto step = findCheckpoint(request.run, request.checkpoint);
    if (!step) return tl::unexpected(step.error());
    auto checkpoint = openCheckpoint(request.run, *step);
    if (!checkpoint) return tl::unexpected(checkpoint.error());
    const std::vector<store::RouterInfo>& all = checkpoint->model->routers();
    if (all.empty()) return wrongCall("Cannot compare experts", "the model is dense: no layer has experts", "Choose a run of a sparse model");
    std::vector<RouterId> routers = request.routers;
    for (const RouterId router : routers)
        if (!router.valid() || static_cast<std::size_t>(router.value) >= all.size())
            return wrongCall("Cannot compare experts", c10::str("there is no router ", router.value), c10::str("Name routers from 0 to ", all.size() - 1));
    if (routers.empty())
        for (const auto& router : all) routers.push_back(router.id);
    const auto probe = probeOf(request.run, *checkpoint, context);
    if (!probe) return tl::unexpected(probe.error());
    const std::map<std::int32_t, at::Tensor> inputs = expertInputs(*checkpoint, probe->records, context);
    std::vector<store::ExpertSimilarity> out;
    for (std::size_t i = 0; i < routers.size(); ++i) {
        if (context.stopRequested()) return stopped("Comparing experts");
        const RouterId router = routers[i];
        context.progress(static_cast<std::int64_t>(i), static_cast<std::int64_t>(routers.size()),
                         c10::str("Comparing the experts of layer ", all[static_cast<std::size_t>(router.value)].layer.value));
        const GroupedExperts& experts = checkpoint->model->expertsOf(router);
        out.push_back(kept(*checkpoint, *probe, router, "weights", 0, rowCosines(expertRows(experts.weights()))));
        if (const at::Tensor rows = checkpoint->model->routerRows(router); rows.defined())
            out.push_back(kept(*checkpoint, *probe, router, "router_rows", 0, rowCosines(rows)));
        const auto found = inputs.find(router.value);
        if (found == inputs.end()) continue;
        const at::Tensor& given_TD = found->second;
        const at::Tensor& w1_EHD = experts.weights().w1_EHD;
        const std::int64_t fit = std::max<std::int64_t>(2, kMostNumbers / (w1_EHD.size(0) * (w1_EHD.size(1) + 6 * given_TD.size(1))));
        const at::Tensor x_TD = evenly(given_TD, request.max_tokens > 0 ? std::min(request.max_tokens, fit) : fit);
        const at::Tensor y_ETD = outputsOf(experts, x_TD);
        out.push_back(kept(*checkpoint, *probe, router, "outputs", x_TD.size(0), outputCosines(y_ETD)));
        out.push_back(kept(*checkpoint, *probe, router, "cka", x_TD.size(0), linearCka(y_ETD, context)));
    }
    if (context.stopRequested()) return stopped("Comparing experts");
    return out;
} catch (const std::exception& problem) {
    return jobFailed("Cannot compare experts", problem.what(), "Report this with the run", request.run.string());
}

}  // namespace es::engine
