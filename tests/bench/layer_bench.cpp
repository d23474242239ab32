// SPDX-License-Identifier: GPL-3.0-or-later
// A whole mixture-of-experts layer (router, dispatch, experts, combine; forward and backward) against a dense network of equal active FLOPs:
// our own dense network, which is the experts' kernel with one expert, and the same from at::linear. Prints how many times as fast as each
// the layer is, in turn. Options: --turns N (30), --threads N (0: all), --widths 128,384 (all), --clock cpu (processor time, with --threads 1).
#include <ATen/Parallel.h>

#include <cstdlib>
#include <sstream>

#include "engine/base/memory_reuse.h"
#include "engine/model/moe_layer.h"
#include "tests/bench/timing.h"

namespace {

using namespace es;
using namespace es::engine;

struct Kind {
    const char* name;
    Activation activation;
    bool biases;
};
constexpr Kind kKinds[] = {{"gelu", Activation::kGelu, true}, {"gelu without biases", Activation::kGelu, false}, {"swiglu", Activation::kSwiglu, false}};

struct Shape {
    std::int64_t width, hidden, experts, k, rows_each;
};

at::Tensor leaf(at::IntArrayRef sizes, double scale) { return at::randn(sizes).mul_(scale).set_requires_grad(true); }

ExpertWeights makeWeights(const Kind& kind, std::int64_t count, std::int64_t width, std::int64_t hidden) {
    ExpertWeights made;
    made.w1_EHD = leaf({count, hidden, width}, 0.05);
    made.w2_EDH = leaf({count, width, hidden}, 0.05);
    if (kind.activation == Activation::kSwiglu) made.w3_EHD = leaf({count, hidden, width}, 0.05);
    if (kind.biases) made.b1_EH = leaf({count, hidden}, 0), made.b2_ED = leaf({count, width}, 0);
    return made;
}

/// Forward and backward of `function`, which gives y; the gradients are dropped afterwards, outside the time.
template <class Function>
double timed(const Function& function, const at::Tensor& seed, const std::vector<at::Tensor>& leaves) {
    const double start = bench::nowMs();
    function().backward(seed);
    const double time = bench::nowMs() - start;
    for (const at::Tensor& tensor : leaves)
        if (tensor.defined()) tensor.mutable_grad().reset();
    return time;
}

void compare(const Kind& kind, const Shape& shape, int turns) {
    const std::int64_t tokens = shape.experts * shape.rows_each / shape.k, active = shape.k * shape.hidden;
    const at::Tensor x = leaf({tokens, shape.width}, 1), seed = at::randn({tokens, shape.width});
    RouterOptions options;
    options.width = shape.width;
    options.experts = shape.experts;
    options.k = shape.k;
    const auto router = makeRouter("softmax_topk", options);
    const auto dispatcher = makeDispatcher({});
    const WeightedSumCombiner combiner;
    {
        const at::NoGradGuard no_grad;
        for (const at::Tensor& parameter : router->parameters()) at::Tensor(parameter).normal_().mul_(0.02);
    }
    const ExpertWeights sparse = makeWeights(kind, shape.experts, shape.width, shape.hidden), dense = makeWeights(kind, 1, shape.width, active);
    const auto layer = [&] {
        const RouterOutput routing = router->forward(x);
        const DispatchPlan plan = dispatcher->plan(routing.indices_TK, routing.probs_TE, shape.experts, true);
        return mixtureOfExperts(x, routing.weights_TK, plan, sparse, kind.activation, combiner);
    };
    const auto own = [&] { return groupedFfn(x, dense, kind.activation, {0, tokens}); };
    const auto bias = [](const at::Tensor& tensor) { return tensor.defined() ? tensor[0] : at::Tensor(); };
    const auto linear = [&] {
        const at::Tensor u = at::linear(x, dense.w1_EHD[0], bias(dense.b1_EH));
        const at::Tensor hidden = dense.w3_EHD.defined() ? at::silu(u) * at::linear(x, dense.w3_EHD[0]) : at::gelu(u);
        return at::linear(hidden, dense.w2_EDH[0], bias(dense.b2_ED));
    };
    std::vector<at::Tensor> leaves{x};
    for (const ExpertWeights* weights : {&sparse, &dense})
        for (const at::Tensor& tensor : {weights->w1_EHD, weights->b1_EH, weights->w2_EDH, weights->b2_ED, weights->w3_EHD}) leaves.push_back(tensor);
    for (const at::Tensor& parameter : router->parameters()) leaves.push_back(parameter);

    constexpr int kWarmUp = 3;
    std::vector<double> layer_ms, own_ms, linear_ms;
    for (int turn = 0; turn < turns + kWarmUp; ++turn) {
        const double a = timed(layer, seed, leaves), b = timed(own, seed, leaves), c = timed(linear, seed, leaves);
        if (turn < kWarmUp) continue;
        layer_ms.push_back(a), own_ms.push_back(b), linear_ms.push_back(c);
    }
    std::printf("%-19s width %4lld hidden %4lld E %lld k %lld, %4lld tokens an expert: %7.2f ms; dense/layer %s, at::linear/layer %s\n", kind.name,
                static_cast<long long>(shape.width), static_cast<long long>(shape.hidden), static_cast<long long>(shape.experts),
                static_cast<long long>(shape.k), static_cast<long long>(shape.rows_each), bench::median(layer_ms),
                bench::spread(bench::ratios(own_ms, layer_ms), "%.2f").c_str(), bench::spread(bench::ratios(linear_ms, layer_ms), "%.2f").c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    keepFreedMemory();  // as training does
    int turns = 30, threads = 0;
    std::string widths = "128,256,384,768";
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--turns") turns = std::max(1, std::atoi(argv[i + 1]));
        if (option == "--threads") threads = std::atoi(argv[i + 1]);
        if (option == "--widths") widths = argv[i + 1];
        if (option == "--clock" && std::string(argv[i + 1]) == "cpu") bench::chosenClock() = CLOCK_PROCESS_CPUTIME_ID;
    }
    if (threads > 0) at::set_num_threads(threads);
    std::printf("%d threads, fp32, %d turns\n", at::get_num_threads(), turns);
    std::istringstream list(widths);
    for (std::string word; std::getline(list, word, ',');) {
        const std::int64_t width = std::atoll(word.c_str());
        if (width < 8) continue;
        for (const Kind& kind : kKinds) {
            // Four times as wide inside, as transformers are; 64 rows an expert are few, 1,024 many.
            for (const std::int64_t rows : {64, 256, 1024})
                if (width <= 384 || rows < 1024) compare(kind, {width, 4 * width, 8, 1, rows}, turns);
            compare(kind, {width, 2 * width, 8, 2, 256}, turns);
        }
    }
    return 0;
}
