// SPDX-License-Identifier: GPL-3.0-or-later
// Speed of a training step (forward, backward, optimizer) of the demo's size on made-up data, sparse beside its dense twin.
// Prints medians of turns taken alternately. Options: --steps N (turns, 30), --threads N (0: all), --profile sparse|dense (one side only),
// --clock cpu (processor time of the process instead of wall time: what counts on a busy machine, with --threads 1).
#include <ATen/Parallel.h>

#include <cstdlib>

#include "engine/base/memory_reuse.h"
#include "engine/model/grouped_experts.h"
#include "engine/model/vl_moe.h"
#include "engine/train/optimizer.h"
#include "tests/bench/timing.h"
#include "tests/engine/model/tiny_model.h"

namespace {

using namespace es;
using namespace es::engine;
using bench::median;
using bench::nowMs;
using bench::spread;

double millisecondsSince(double start) { return nowMs() - start; }

config::RunConfig demoConfig(const std::string& ffn) {
    config::RunConfig config;  // the defaults are the demo's setting
    config.model.ffn = ffn;
    return config;
}

/// A model with its optimizer and the times of its steps.
struct Side {
    explicit Side(const std::string& ffn)
        : config(demoConfig(ffn)), model(config, {1024, config.data.image_size, config.data.max_words}, 1), optimizer(AdamW::forModel(model, {})) {}

    void step(const Batch& batch) {
        const auto start = nowMs();
        const ModelOutput output = model.forward(batch, {});
        forward_ms.push_back(millisecondsSince(start));
        output.loss.backward();
        const double before_update = millisecondsSince(start);
        backward_ms.push_back(before_update - forward_ms.back());
        optimizer.step(1e-3);
        optimizer.zeroGradients();
        step_ms.push_back(millisecondsSince(start));
        optimizer_ms.push_back(step_ms.back() - before_update);
        loss = output.loss.item<double>();
    }
    void print(const char* name) const {
        std::printf("%-7s %s ms a step (forward %.2f, backward %.2f, optimizer %.2f), %.2fM parameters, %.2f active GFLOP, loss %.3f\n", name,
                    spread(step_ms, "%.1f").c_str(), median(forward_ms), median(backward_ms), median(optimizer_ms),
                    static_cast<double>(model.account().parameters_total) / 1e6, model.account().flops_per_step_active / 1e9, loss);
    }

    config::RunConfig config;
    VlMoe model;
    AdamW optimizer;
    std::vector<double> step_ms, forward_ms, backward_ms, optimizer_ms;
    double loss = 0;
};

/// Experts against one dense network of equal active FLOPs: the same rows, k = 1, spread evenly.
void compareExperts(Activation activation, std::int64_t width, std::int64_t hidden, std::int64_t experts, std::int64_t rows_each, int turns) {
    const std::int64_t rows = experts * rows_each;
    const bool gated = activation == Activation::kSwiglu;
    const auto leaf = [](at::IntArrayRef sizes, double scale) { return at::randn(sizes).mul_(scale).set_requires_grad(true); };
    const auto weights = [&](std::int64_t count) {
        ExpertWeights made;
        made.w1_EHD = leaf({count, hidden, width}, 0.05);
        made.w2_EDH = leaf({count, width, hidden}, 0.05);
        if (gated) made.w3_EHD = leaf({count, hidden, width}, 0.05);
        else made.b1_EH = leaf({count, hidden}, 0), made.b2_ED = leaf({count, width}, 0);
        return made;
    };
    const ExpertWeights sparse = weights(experts), dense = weights(1);
    std::vector<std::int64_t> offsets;
    for (std::int64_t e = 0; e <= experts; ++e) offsets.push_back(e * rows_each);
    const at::Tensor x = leaf({rows, width}, 1), seed = at::randn({rows, width});
    const auto timed = [&](const ExpertWeights& w, const auto& forward) {
        const auto start = nowMs();
        forward().backward(seed);
        const double time = millisecondsSince(start);
        for (const at::Tensor& tensor : {w.w1_EHD, w.b1_EH, w.w2_EDH, w.b2_ED, w.w3_EHD})
            if (tensor.defined()) tensor.mutable_grad().reset();
        x.mutable_grad().reset();
        return time;
    };
    const auto linear = [&] {
        if (gated) return at::linear(at::silu(at::linear(x, dense.w1_EHD[0])) * at::linear(x, dense.w3_EHD[0]), dense.w2_EDH[0]);
        return at::linear(at::gelu(at::linear(x, dense.w1_EHD[0], dense.b1_EH[0])), dense.w2_EDH[0], dense.b2_ED[0]);
    };
    std::vector<double> a, b, c, over_dense, over_linear;
    for (int turn = 0; turn < turns + 3; ++turn) {
        const double sparse_ms = timed(sparse, [&] { return groupedFfn(x, sparse, activation, offsets); });
        const double dense_ms = timed(dense, [&] { return groupedFfn(x, dense, activation, {0, rows}); });
        const double linear_ms = timed(dense, linear);
        if (turn < 3) continue;
        a.push_back(sparse_ms), b.push_back(dense_ms), c.push_back(linear_ms);
        over_dense.push_back(dense_ms / sparse_ms), over_linear.push_back(linear_ms / sparse_ms);
    }
    const double flops = (gated ? 18.0 : 12.0) * static_cast<double>(rows * width * hidden);
    std::printf(
        "%s experts %lld x %lld rows, width %lld, hidden %lld: %.2f ms, dense %.2f ms, at::linear %.2f ms; dense/experts %s, linear/experts %s, %.0f GFLOP/s\n",
        gated ? "swiglu" : "gelu", static_cast<long long>(experts), static_cast<long long>(rows_each), static_cast<long long>(width),
        static_cast<long long>(hidden), median(a), median(b), median(c), spread(over_dense, "%.2f").c_str(), spread(over_linear, "%.2f").c_str(),
        flops / median(a) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
    keepFreedMemory();  // as training does
    int steps = 30, threads = 0;
    std::string profile;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--steps") steps = std::atoi(argv[i + 1]);
        if (option == "--threads") threads = std::atoi(argv[i + 1]);
        if (option == "--profile") profile = argv[i + 1];
        if (option == "--clock" && std::string(argv[i + 1]) == "cpu") bench::chosenClock() = CLOCK_PROCESS_CPUTIME_ID;
    }
    if (threads > 0) at::set_num_threads(threads);
    std::printf("%d threads\n", at::get_num_threads());
    const config::RunConfig config = demoConfig("moe");
    const Batch batch = test::randomBatch(config, {1024, config.data.image_size, config.data.max_words}, 7,
                                          {config.train.batch_images, config.train.batch_texts, config.train.batch_pairs});
    if (!profile.empty()) {
        Side side(profile == "sparse" ? "moe" : "dense");
        for (int i = 0; i < steps; ++i) side.step(batch);
        side.print(profile.c_str());
        return 0;
    }
    Side sparse("moe"), dense("dense");
    for (int i = 0; i < steps; ++i) {
        sparse.step(batch);
        dense.step(batch);
    }
    sparse.print("sparse");
    dense.print("dense");
    std::printf("sparse / dense step time: %s\n", spread(bench::ratios(sparse.step_ms, dense.step_ms), "%.3f").c_str());
    for (const Activation activation : {Activation::kGelu, Activation::kSwiglu}) {
        compareExperts(activation, 128, 256, 8, 144, steps);
        compareExperts(activation, 192, 768, 8, 256, steps);
        compareExperts(activation, 384, 1536, 8, 256, steps / 3 + 1);
    }
    return 0;
}
