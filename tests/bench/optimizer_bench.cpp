// SPDX-License-Identifier: GPL-3.0-or-later
// The optimizer's step on the parameters of the demo's model against torch::optim::AdamW on the same, with and without clipping on its side
// (ours always measures the norms of all groups and clips). Prints ratios taken in turn and the largest difference of the parameters after
// the first step. Options: --turns N (60), --threads N (0: all).
#include <ATen/Parallel.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>

#include <cstdlib>

#include "engine/model/vl_moe.h"
#include "engine/train/optimizer.h"
#include "tests/bench/timing.h"

namespace {

using namespace es;
using namespace es::engine;

struct Copy {
    std::vector<at::Tensor> decaying, plain;
    [[nodiscard]] std::vector<at::Tensor> all() const {
        std::vector<at::Tensor> both = decaying;
        both.insert(both.end(), plain.begin(), plain.end());
        return both;
    }
};

}  // namespace

int main(int argc, char** argv) {
    int turns = 60, threads = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--turns") turns = std::max(1, std::atoi(argv[i + 1]));
        if (option == "--threads") threads = std::atoi(argv[i + 1]);
    }
    if (threads > 0) at::set_num_threads(threads);
    constexpr double kRate = 1e-4, kClip = 1.0;
    const config::RunConfig config;
    const VlMoe model(config, {1024, config.data.image_size, config.data.max_words}, 1);
    const AdamWOptions options;
    AdamW own = AdamW::forModel(model, options);
    std::vector<at::Tensor> ours;
    Copy theirs;
    for (const auto& item : model.named_parameters()) {
        at::Tensor parameter = item.value();
        parameter.mutable_grad() = at::randn_like(parameter) * 1e-3;
        const bool decays = VlMoe::decays(item.key(), parameter);
        at::Tensor twin = parameter.detach().clone().set_requires_grad(true);
        twin.mutable_grad() = parameter.grad().clone();
        (decays ? theirs.decaying : theirs.plain).push_back(twin);
    }
    for (const bool decays : {true, false})
        for (const auto& item : model.named_parameters())
            if (VlMoe::decays(item.key(), item.value()) == decays) ours.push_back(item.value());
    const auto adamw = [&](double decay) {
        return torch::optim::AdamWOptions(kRate).betas(std::make_tuple(options.beta1, options.beta2)).eps(options.epsilon).weight_decay(decay);
    };
    std::vector<torch::optim::OptimizerParamGroup> groups;
    groups.emplace_back(theirs.decaying, std::make_unique<torch::optim::AdamWOptions>(adamw(options.weight_decay)));
    groups.emplace_back(theirs.plain, std::make_unique<torch::optim::AdamWOptions>(adamw(0)));
    torch::optim::AdamW peer(groups, adamw(0));

    std::vector<double> own_ms, peer_ms, clipped_ms;
    double difference = 0;
    for (int turn = 0; turn < turns; ++turn) {
        double start = bench::nowMs();
        (void)own.step(kRate);
        own_ms.push_back(bench::nowMs() - start);
        start = bench::nowMs();
        (void)torch::nn::utils::clip_grad_norm_(theirs.all(), kClip);
        const double clipping = bench::nowMs() - start;
        peer.step();
        clipped_ms.push_back(bench::nowMs() - start);
        peer_ms.push_back(clipped_ms.back() - clipping);
        if (turn > 0) continue;
        const std::vector<at::Tensor> others = theirs.all();
        for (std::size_t i = 0; i < ours.size(); ++i) difference = std::max(difference, (ours[i] - others[i]).abs().max().item<double>());
    }
    std::printf("%d threads, %zu tensors, %.2fM parameters, largest difference after a step %.1e\n", at::get_num_threads(), ours.size(),
                static_cast<double>(model.account().parameters_total) / 1e6, difference);
    std::printf("norms of all groups, clipping and step: %.2f ms\n", bench::median(own_ms));
    std::printf("torch::optim::AdamW's step alone / that: %s (%.2f ms)\n", bench::spread(bench::ratios(peer_ms, own_ms), "%.2f").c_str(),
                bench::median(peer_ms));
    std::printf("its step and clip_grad_norm_ / that: %s (%.2f ms)\n", bench::spread(bench::ratios(clipped_ms, own_ms), "%.2f").c_str(),
                bench::median(clipped_ms));
    return 0;
}
