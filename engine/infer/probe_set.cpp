// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/infer/probe_set.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <span>
#include <string>

#include "engine/data/batch_builder.h"
#include "engine/routing/routing_recorder.h"
#include "engine/store/routing_tables.h"

namespace es::engine {
namespace {

constexpr std::size_t kChunk = 64;

}  // namespace

ProbeSet::ProbeSet(std::shared_ptr<const DataSource> source, const config::RunConfig& config)
    : source_(std::move(source)), seed_(static_cast<std::uint64_t>(config.run.seed)) {
    std::vector<std::int64_t> all;
    for (const std::int64_t i : source_->dataset().indices(Split::kValidation))
        if (!source_->dataset().sample(i).rgba.empty() || !source_->tokens(i).empty()) all.push_back(i);
    RandomStream random(source_->dataset().contentHash(), RandomPurpose::kProbe);
    random.shuffle(std::span(all));
    all.resize(std::min(all.size(), static_cast<std::size_t>(std::max<std::int64_t>(0, config.record.probe_samples))));
    std::sort(all.begin(), all.end());
    samples_ = std::move(all);
}

std::vector<store::RoutingTable> ProbeSet::pass(VlMoe& model, at::Device device, const ForwardOptions& options) const {
    const at::NoGradGuard no_gradient;
    const MaskOf nothing = [&](std::int64_t sample, Objective objective) {
        const bool picture = objective == Objective::kImage || objective == Objective::kPairImage;
        return std::vector<std::uint8_t>(picture ? static_cast<std::size_t>(source_->grid() * source_->grid()) : source_->tokens(sample).size(), 0);
    };
    RoutingRecorder recorder(model.routers(), [&](std::int64_t sample) { return source_->dataset().sample(sample).hash; });
    std::vector<store::RoutingTable> tables;
    for (std::size_t begin = 0; begin < samples_.size(); begin += kChunk) {
        Batch batch;
        for (std::size_t i = begin; i < std::min(samples_.size(), begin + kChunk); ++i) {
            const bool picture = !source_->dataset().sample(samples_[i]).rgba.empty(), words = !source_->tokens(samples_[i]).empty();
            (picture && words ? batch.pair_samples : picture ? batch.image_samples : batch.text_samples).push_back(samples_[i]);
        }
        if (!batch.image_samples.empty()) batch.images = imagesOf(*source_, batch.image_samples, Objective::kImage, nothing);
        if (!batch.text_samples.empty()) batch.texts = textsOf(*source_, batch.text_samples, Objective::kText, nothing);
        if (!batch.pair_samples.empty()) {
            batch.pair_images = imagesOf(*source_, batch.pair_samples, Objective::kPairImage, nothing);
            batch.pair_texts = textsOf(*source_, batch.pair_samples, Objective::kPairText, nothing);
        }
        recorder.begin(options.step, batch, {.tables = true, .probabilities = true});
        ForwardOptions observed = options;
        observed.observer = &recorder;
        (void)model.forward(batch.to(device), observed);
        auto more = recorder.take().tables;
        for (auto& table : more) {
            const auto same = std::ranges::find_if(tables, [&](const auto& known) { return known.router.id == table.router.id; });
            if (same == tables.end()) tables.push_back(std::move(table));
            else store::appendTokens(*same, std::move(table));
        }
    }
    std::ranges::sort(tables, {}, [](const store::RoutingTable& table) { return table.router.id; });
    return tables;
}

store::Probe ProbeSet::run(VlMoe& model, at::Device device, std::int64_t step) const {
    ForwardOptions options;
    options.training = false;
    options.step = step;
    return {{step, "trained"}, pass(model, device, options)};
}

store::Probe ProbeSet::runRandomRouters(VlMoe& model, at::Device device, std::int64_t step, std::uint32_t draw) const {
    store::Probe out{{step, "random-router-" + std::to_string(draw)}, {}};
    for (const store::RouterInfo& router : model.routers()) {
        ForwardOptions options;
        options.training = false;
        options.step = step;
        options.router_weight_override[router.id.value] = model.drawRouterWeight(router.id, seed_, draw).to(device);
        for (auto& table : pass(model, device, options))
            if (table.router.id == router.id) out.tables.push_back(std::move(table));
    }
    return out;
}

}  // namespace es::engine
