// SPDX-License-Identifier: GPL-3.0-or-later
// Against Python on the same LibTorch, in turn: our mixture-of-experts layer beside transformers' Mixtral block with the same weights and
// routing; a whole training step of the demo's model beside the same model in eager PyTorch; the memory that either takes.
// Options: --turns N (30), --threads N (0: all), --widths 128,256 (128,256,384,768; 0: no layers), --only layer|step|memory,
// --clock cpu (processor time of either process: what counts on a busy machine, with --threads 1).
#include <ATen/Parallel.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/base/memory_reuse.h"
#include "engine/model/moe_layer.h"
#include "engine/model/vl_moe.h"
#include "engine/train/optimizer.h"
#include "engine/train/safetensors.h"
#include "support/scratch_folder.h"
#include "tests/bench/peer_process.h"
#include "tests/bench/timing.h"
#include "tests/engine/model/tiny_model.h"

namespace {

using namespace es;
using namespace es::engine;
using nlohmann::json;

constexpr int kWarmUp = 3;
constexpr double kRate = 1e-4;

void write(const std::filesystem::path& file, std::map<std::string, at::Tensor> tensors) {
    for (auto& [name, tensor] : tensors) tensor = tensor.detach().contiguous();
    if (Status written = writeSafetensors(file, {std::move(tensors), {}}); !written) {
        std::fprintf(stderr, "%s\n", written.error().message().c_str());
        std::exit(1);
    }
}

/// Largest difference over the largest value, or over 1 where that is larger. A single choice has gate 1: the router's gradient is then nothing but rounding.
double difference(const at::Tensor& a, const at::Tensor& b) { return ((a - b).abs().max() / b.abs().max().clamp_min(1.0)).item<double>(); }

void compareLayer(bench::PeerProcess& peer, const std::filesystem::path& folder, std::int64_t width, std::int64_t tokens, std::int64_t k, int turns) {
    constexpr std::int64_t kExperts = 8;
    const std::int64_t hidden = 2 * width;
    const auto leaf = [](at::IntArrayRef sizes, double scale) { return at::randn(sizes).mul_(scale).set_requires_grad(true); };
    RouterOptions options;
    options.width = width;
    options.experts = kExperts;
    options.k = k;
    const auto router = makeRouter("topk_softmax", options);
    at::Tensor router_weight = router->named_parameters()["weight"];
    {
        const at::NoGradGuard no_grad;
        router_weight.normal_().mul_(0.05);
    }
    ExpertWeights weights;
    weights.w1_EHD = leaf({kExperts, hidden, width}, 0.05);
    weights.w3_EHD = leaf({kExperts, hidden, width}, 0.05);
    weights.w2_EDH = leaf({kExperts, width, hidden}, 0.05);
    const at::Tensor x = leaf({tokens, width}, 1), seed = at::randn({tokens, width});
    const auto dispatcher = makeDispatcher({});
    const WeightedSumCombiner combiner;
    at::Tensor y;
    const auto pass = [&] {
        for (const at::Tensor& tensor : {x, router_weight, weights.w1_EHD, weights.w2_EDH, weights.w3_EHD}) tensor.mutable_grad().reset();
        const double start = bench::nowMs();
        const RouterOutput routing = router->forward(x);
        const DispatchPlan plan = dispatcher->plan(routing.indices_TK, routing.probs_TE, kExperts, true);
        y = mixtureOfExperts(x, routing.weights_TK, plan, weights, Activation::kSwiglu, combiner);
        y.backward(seed);
        return bench::nowMs() - start;
    };
    (void)pass();
    const auto input = folder / "layer.safetensors", output = folder / "answer.safetensors";
    write(input, {{"x", x}, {"seed", seed}, {"router", router_weight}, {"w1", weights.w1_EHD}, {"w2", weights.w2_EDH}, {"w3", weights.w3_EHD}});
    for (const char* path : {"eager", "grouped_mm"}) {
        peer.ask({{"do", "mixtral"}, {"file", input.string()}, {"answer", output.string()}, {"k", k}, {"experts", path}});
        auto answer = readSafetensors(output);
        if (!answer) {
            std::fprintf(stderr, "%s\n", answer.error().message().c_str());
            std::exit(1);
        }
        auto& theirs = answer->tensors;
        const double differs = std::max({difference(y, theirs.at("y")), difference(x.grad(), theirs.at("x")),
                                         difference(router_weight.grad(), theirs.at("router")), difference(weights.w1_EHD.grad(), theirs.at("w1")),
                                         difference(weights.w2_EDH.grad(), theirs.at("w2")), difference(weights.w3_EHD.grad(), theirs.at("w3"))});
        std::vector<double> own_ms, peer_ms;
        for (int turn = 0; turn < turns + kWarmUp; ++turn) {
            const double own = pass(), other = peer.turn();
            if (turn < kWarmUp) continue;
            own_ms.push_back(own), peer_ms.push_back(other);
        }
        std::printf(
            "Mixtral block, %-10s width %3lld hidden %4lld tokens %4lld k %lld: ours %7.2f ms, its %7.2f ms, ratio %s; outputs and gradients differ by %.0e\n",
            path, static_cast<long long>(width), static_cast<long long>(hidden), static_cast<long long>(tokens), static_cast<long long>(k),
            bench::median(own_ms), bench::median(peer_ms), bench::spread(bench::ratios(peer_ms, own_ms), "%.2f").c_str(), differs);
        std::fflush(stdout);
    }
}

/// The demo's model on a made-up batch of the demo's size, or a multiple of it.
struct DemoStep {
    explicit DemoStep(std::int64_t times)
        : shape{1024, config.data.image_size, config.data.max_words},
          batch(engine::test::randomBatch(config, shape, 7,
                                          {times * config.train.batch_images, times * config.train.batch_texts, times * config.train.batch_pairs})),
          model(config, shape, 1), optimizer(AdamW::forModel(model, {})) {}

    double run() {
        const double start = bench::nowMs();
        const ModelOutput output = model.forward(batch, {});
        output.loss.backward();
        optimizer.step(kRate);
        optimizer.zeroGradients();
        const double time = bench::nowMs() - start;
        loss = output.loss.item<double>();
        return time;
    }

    config::RunConfig config;  // the defaults are the demo's
    DataShape shape;
    Batch batch;
    VlMoe model;
    AdamW optimizer;
    double loss = 0;
};

/// Writes weights and batch for the peer, and what it has to know of the model.
json handOver(const DemoStep& demo, const std::filesystem::path& folder) {
    std::map<std::string, at::Tensor> weights, batch;
    for (const auto& item : demo.model.named_parameters()) weights[item.key()] = item.value();
    const auto addImages = [&](const std::string& name, const ImageStream& stream) {
        batch[name + ".patches"] = stream.patches_BPD;
        batch[name + ".target"] = stream.target_BPD;
        batch[name + ".masked"] = stream.masked_BP;
        batch[name + ".counts"] = stream.counts_BP;
    };
    const auto addTexts = [&](const std::string& name, const TextStream& stream) {
        batch[name + ".ids"] = stream.ids_BL;
        batch[name + ".masked"] = stream.masked_BL;
        batch[name + ".valid"] = stream.valid_BL;
    };
    addImages("images", *demo.batch.images);
    addTexts("texts", *demo.batch.texts);
    addImages("pair_images", *demo.batch.pair_images);
    addTexts("pair_texts", *demo.batch.pair_texts);
    write(folder / "weights.safetensors", weights);
    write(folder / "batch.safetensors", batch);
    std::vector<std::string> decaying;
    for (const auto& item : demo.model.named_parameters())
        if (VlMoe::decays(item.key(), item.value())) decaying.push_back(item.key());
    const config::RunConfig& c = demo.config;
    const AdamWOptions adamw;
    return {{"weights", (folder / "weights.safetensors").string()},
            {"batch", (folder / "batch.safetensors").string()},
            {"width", c.model.width},
            {"layers", c.model.layers},
            {"heads", c.model.heads},
            {"vl_layers", c.model.vl_layers},
            {"moe_layers", c.model.moe_layers},
            {"ffn_width", c.model.ffn_width},
            {"expert_width", c.moe.expert_width},
            {"experts", c.moe.experts},
            {"k", c.moe.k},
            {"balance", c.loss.balance},
            {"z", c.loss.z},
            {"weight", {c.loss.image, c.loss.text, c.loss.pair_image, c.loss.pair_text}},
            {"decaying", decaying},
            {"learning_rate", kRate},
            {"betas", {adamw.beta1, adamw.beta2}},
            {"epsilon", adamw.epsilon},
            {"weight_decay", adamw.weight_decay},
            {"clip", adamw.clip}};
}

void compareStep(bench::PeerProcess& peer, const std::filesystem::path& folder, int turns) {
    for (const bool fused : {false, true}) {
        DemoStep demo(1);
        json question = handOver(demo, folder);
        question["do"] = "step";
        question["fused"] = fused;
        const double their_loss = peer.ask(question).at("loss");
        std::vector<double> own_ms, peer_ms;
        double first = 0;
        for (int turn = 0; turn < turns + kWarmUp; ++turn) {
            const double own = demo.run(), other = peer.turn();
            if (turn == 0) first = demo.loss;
            if (turn < kWarmUp) continue;
            own_ms.push_back(own), peer_ms.push_back(other);
        }
        const double last = peer.ask({{"do", "loss"}}).at("loss");
        std::printf(
            "training step of the demo, PyTorch with %s AdamW: ours %.1f ms, its %.1f ms, ratio %s; losses %.6f and %.6f, after %d steps %.6f and %.6f\n",
            fused ? "fused" : "its usual", bench::median(own_ms), bench::median(peer_ms), bench::spread(bench::ratios(peer_ms, own_ms), "%.2f").c_str(), first,
            their_loss, turns + kWarmUp, demo.loss, last);
        std::fflush(stdout);
    }
}

/// A line of /proc/self/status in MB.
double statusMb(const std::string& key) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(key + ":")) return std::atof(line.c_str() + key.size() + 1) / 1024;
    return 0;
}

/// Prints memory before the model is built and at the worst of some steps: in a process of its own.
int printOwnMemory(std::int64_t times, int steps) {
    const double before = statusMb("VmRSS");
    std::ofstream("/proc/self/clear_refs") << "5";
    DemoStep demo(times);
    for (int i = 0; i < steps; ++i) demo.run();
    std::printf("%s\n", json{{"before", before}, {"peak", statusMb("VmHWM")}}.dump().c_str());
    return 0;
}

json ownMemory(std::int64_t times, int steps, int threads) {
    const std::string command = std::filesystem::read_symlink("/proc/self/exe").string() + " --memory " + std::to_string(times) + " --turns " +
                                std::to_string(steps) + " --threads " + std::to_string(threads);
    FILE* pipe = ::popen(command.c_str(), "r");
    std::string said;
    for (int c = pipe ? std::fgetc(pipe) : EOF; c != EOF; c = std::fgetc(pipe)) said.push_back(static_cast<char>(c));
    if (!pipe || ::pclose(pipe) != 0) std::exit(1);
    return json::parse(said);
}

void compareMemory(const std::filesystem::path& folder, int threads) {
    constexpr int kSteps = 8;
    for (const std::int64_t times : {1, 8}) {
        const auto peer = bench::PeerProcess::start(threads);  // a fresh one: memory once taken is not always given back
        if (!peer) return;
        json question = handOver(DemoStep(times), folder);
        question["do"] = "memory";
        question["fused"] = false;
        question["steps"] = kSteps;
        const json theirs = peer->ask(question), ours = ownMemory(times, kSteps, threads);
        const double own = ours.at("peak"), own_before = ours.at("before"), other = theirs.at("peak"), other_before = theirs.at("before");
        std::printf(
            "memory, %lld x the demo's batch, worst of %d steps: ours %.0f MB (%.0f before the model), its %.0f MB (%.0f); ours over its %.2f, what was added "
            "%.2f\n",
            static_cast<long long>(times), kSteps, own, own_before, other, other_before, own / other, (own - own_before) / (other - other_before));
        std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char** argv) {
    keepFreedMemory();  // as training does
    int turns = 30, threads = 0;
    std::int64_t memory = 0;
    std::string widths = "128,256,384,768", only;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--turns") turns = std::max(1, std::atoi(argv[i + 1]));
        if (option == "--threads") threads = std::atoi(argv[i + 1]);
        if (option == "--widths") widths = argv[i + 1];
        if (option == "--only") only = argv[i + 1];
        if (option == "--memory") memory = std::atoll(argv[i + 1]);
        if (option == "--clock" && std::string(argv[i + 1]) == "cpu") bench::chosenClock() = CLOCK_PROCESS_CPUTIME_ID;
    }
    if (threads > 0) at::set_num_threads(threads);
    if (memory > 0) return printOwnMemory(memory, turns);
    threads = at::get_num_threads();
    std::printf("%d threads, fp32, %d turns\n", threads, turns);
    const es::test::ScratchFolder folder;
    const auto peer = bench::PeerProcess::start(threads);
    if (!peer) return 0;
    at::manual_seed(1);
    if (only.empty() || only == "step") compareStep(*peer, folder.path(), turns);
    if (only.empty() || only == "memory") compareMemory(folder.path(), threads);
    if (!only.empty() && only != "layer") return 0;
    std::istringstream list(widths);
    for (std::string word; std::getline(list, word, ',');) {
        const std::int64_t width = std::atoll(word.c_str());
        if (width < 8) continue;
        for (const std::int64_t tokens : {1024, 4096})
            for (const std::int64_t k : {1, 2}) compareLayer(*peer, folder.path(), width, tokens, k, turns);
    }
    return 0;
}
