// SPDX-License-Identifier: GPL-3.0-or-later
// Which losses a router has, what of, and how they add up to the loss that is trained.
#include "engine/model/router_loss_terms.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/objective/router_losses.h"
#include "tests/engine/model/tiny_model.h"

namespace es::engine {
namespace {

using test::randomBatch;
using test::tinyShape;

constexpr std::int64_t kTokens = 12, kExperts = 4, kWidth = 5;

RouterOptions routerOptions(std::int64_t k) {
    RouterOptions options;
    options.width = kWidth;
    options.experts = kExperts;
    options.k = k;
    options.seed = 3;
    return options;
}

config::LossOptions everything() {
    config::LossOptions weights;
    weights.balance = 0.1;
    weights.z = 0.2;
    weights.balance_unnormalized = 0.3;
    weights.gshard = 0.4;
    weights.importance = 0.5;
    weights.load = 0.6;
    weights.local_entropy = 0.7;
    weights.global_entropy = 0.8;
    weights.global_entropy_tau = 1.3;
    weights.sequence_balance = 0.9;
    return weights;
}

/// Tokens that went through a router of that kind.
struct Routed {
    explicit Routed(const std::string& kind, std::int64_t k = 2) : options(routerOptions(k)) {
        at::manual_seed(3);
        auto router = makeRouter(kind, options);
        {
            const at::NoGradGuard no_grad;
            router->parameters()[0].normal_();
        }
        RouterCall call;
        call.step = 2;
        output = router->forward(at::randn({kTokens, kWidth}), call);
        names.modality_N = at::arange(kTokens, at::kLong).ge(5).to(at::kLong);
        names.sequence_N = at::arange(kTokens, at::kLong).div(4, "floor");
        counts_E = countChoices(output.indices_TK, kExperts);
        uneven = choosesUnevenly(kind);
    }
    [[nodiscard]] std::vector<RouterLoss> losses(const config::LossOptions& weights, const at::Tensor& before = {}) const {
        return routerLosses({output, options, uneven, counts_E, before, names}, {weights, {}}, 1);
    }
    RouterOptions options;
    RouterOutput output;
    TokenNames names;
    at::Tensor counts_E;
    bool uneven = false;
};

at::Tensor valueOf(const std::vector<RouterLoss>& losses, std::string_view name) {
    for (const RouterLoss& loss : losses)
        if (loss.name == name) return loss.value;
    return {};
}

TEST(RouterLossTerms, AreTheLossesOfTheLiteratureUnscaled) {
    const Routed routed("noisy_topk");
    const RouterOutput& out = routed.output;
    const at::Tensor clean = out.clean_logits_TE.softmax(1);
    ASSERT_FALSE(at::equal(clean, out.probs_TE));
    const std::map<std::string, std::pair<double, at::Tensor>> expected{
        {"balance", {0.1, balanceLoss(out.probs_TE, routed.counts_E, 2)}},
        {"z", {0.2, zLoss(out.clean_logits_TE)}},
        {"balance_unnormalized", {0.3, unnormalizedBalanceLoss(out.probs_TE, routed.counts_E)}},
        {"gshard", {0.4, gshardLoss(out.probs_TE, out.indices_TK)}},
        {"importance", {0.5, importanceLoss(clean)}},
        {"load", {0.6, loadLoss(out.clean_logits_TE, out.noise_TE, 2, 1.0 / kExperts)}},
        {"local_entropy", {0.7, localEntropyLoss(out.probs_TE, routed.names.modality_N)}},
        {"global_entropy", {0.8, globalEntropyLoss(out.probs_TE, routed.names.modality_N, 1.3)}},
        {"sequence_balance", {0.9, sequenceBalanceLoss(out.probs_TE, out.indices_TK, routed.names.sequence_N)}},
    };
    const std::vector<RouterLoss> losses = routed.losses(everything());
    ASSERT_EQ(losses.size(), expected.size());
    for (const RouterLoss& loss : losses) {
        const auto& [coefficient, value] = expected.at(std::string(loss.name));
        EXPECT_EQ(loss.coefficient, coefficient) << loss.name;
        EXPECT_TRUE(at::equal(loss.value, value)) << loss.name;
        EXPECT_TRUE(loss.value.requires_grad()) << loss.name;
    }
    // Different losses are different numbers.
    for (const RouterLoss& a : losses)
        for (const RouterLoss& b : losses)
            if (a.name != b.name) {
                EXPECT_NE(a.value.item<float>(), b.value.item<float>()) << a.name << " " << b.name;
            }
}

TEST(RouterLossTerms, BalanceAndZAreAlwaysThereOthersWhereTheyCount) {
    const Routed routed("softmax_topk");
    config::LossOptions none;
    none.balance = none.z = 0;
    const std::vector<RouterLoss> quiet = routed.losses(none);
    ASSERT_EQ(quiet.size(), 2u);
    EXPECT_EQ(quiet[0].name, "balance");
    EXPECT_EQ(quiet[1].name, "z");
    EXPECT_EQ(quiet[0].coefficient, 0);
    const std::vector<RouterLoss> all = routed.losses(everything());
    EXPECT_EQ(all.size(), 8u);
    EXPECT_FALSE(valueOf(all, "load").defined());  // there is no noise
}

TEST(RouterLossTerms, SigmoidScoresAreDividedByTheirSum) {
    const Routed routed("sigmoid_topk");
    const at::Tensor scores = routed.output.probs_TE, shares = scores / scores.sum(1, true);
    EXPECT_TRUE(at::allclose(sharesOf(routed.output), shares));
    EXPECT_TRUE(at::allclose(valueOf(routed.losses(everything()), "importance"), importanceLoss(shares)));
}

TEST(RouterLossTerms, UnevenChoicesCountByTheirMeanNumber) {
    const Routed routed("top_p", 3);
    const double choices = routed.counts_E.sum().item<double>();
    ASSERT_NE(choices, 3.0 * kTokens);
    const at::Tensor expected = kExperts * (routed.counts_E.to(at::kFloat) / choices * routed.output.probs_TE.mean(0)).sum();
    EXPECT_TRUE(at::allclose(valueOf(routed.losses(everything()), "balance"), expected));
}

TEST(RouterLossTerms, TheGlobalBatchCountsAllChoicesButItsOwnProbabilities) {
    const Routed routed("softmax_topk");
    const at::Tensor before = at::tensor({30, 2, 5, 11}, at::kLong), all = (routed.counts_E + before).to(at::kFloat);
    const at::Tensor mean = routed.output.probs_TE.mean(0);
    const std::vector<RouterLoss> losses = routed.losses(everything(), before);
    const at::Tensor expected = kExperts * (all / all.sum() * mean).sum();
    EXPECT_TRUE(at::allclose(valueOf(losses, "balance"), expected));
    EXPECT_TRUE(at::allclose(valueOf(losses, "balance_unnormalized"), 2 * expected));
    // Without micro-batches before it is the plain loss.
    EXPECT_TRUE(
        at::allclose(valueOf(routed.losses(everything(), at::zeros({kExperts}, at::kLong)), "balance"), valueOf(routed.losses(everything()), "balance")));
    EXPECT_FALSE(at::allclose(valueOf(losses, "balance"), valueOf(routed.losses(everything()), "balance")));

    const Routed uneven("top_p", 3);
    const at::Tensor total = (uneven.counts_E + before).to(at::kFloat);
    const std::vector<RouterLoss> ragged = uneven.losses(everything(), before);
    const at::Tensor balanced = kExperts * (total / total.sum() * uneven.output.probs_TE.mean(0)).sum();
    EXPECT_TRUE(at::allclose(valueOf(ragged, "balance"), balanced));
    EXPECT_TRUE(at::allclose(valueOf(ragged, "balance_unnormalized"), balanced * (uneven.counts_E.sum().to(at::kFloat) / kTokens)));
}

/// Loss of the objectives alone and with routers.
double lossOf(const config::RunConfig& config, std::int64_t step, ModelOutput* kept = nullptr) {
    VlMoe model(config, tinyShape(), 5);
    const at::NoGradGuard no_grad;
    model.to(at::kDouble);
    ForwardOptions options;
    options.step = step;
    ModelOutput output = model.forward(randomBatch(config, tinyShape(), 1), options);
    const double loss = output.loss.item<double>();
    if (kept) *kept = std::move(output);
    return loss;
}

TEST(RouterLossesInModel, AddUpWithTheirCoefficientsAndSchedule) {
    config::RunConfig config = test::tinyConfig();
    config.loss.balance = config.loss.z = 0;
    const double objectives = lossOf(config, 30);
    config.moe.router = "noisy_topk";
    config.loss = everything();
    config.loss.balance_over = "global_batch";
    config.loss.router_schedule = "linear";
    config.loss.router_final = 0.5;
    config.loss.router_start = 10;
    config.moe.overrides = {"1.t loss.importance=2 loss.z=0"};
    config.train.steps = 50;
    ModelOutput output;
    const double with_routers = lossOf(config, 30, &output);
    config::RunConfig silent = config;
    silent.loss = {};
    silent.loss.balance = silent.loss.z = 0;
    silent.moe.overrides.clear();
    const double noisy_objectives = lossOf(silent, 30);
    EXPECT_NE(noisy_objectives, objectives);  // the noise is there
    ASSERT_EQ(output.routers.size(), 4u);
    double expected = noisy_objectives;
    for (const RouterLosses& router : output.routers) {
        EXPECT_EQ(router.losses.size(), 9u);
        for (const RouterLoss& loss : router.losses) expected += loss.coefficient * loss.value.item<double>();
    }
    EXPECT_NEAR(with_routers, expected, 1e-9);
    const auto coefficient = [&](std::size_t router, std::string_view name) {
        for (const RouterLoss& loss : output.routers[router].losses)
            if (loss.name == name) return loss.coefficient;
        return -1.0;
    };
    EXPECT_NEAR(coefficient(0, "importance"), 0.5 * 0.75, 1e-12);  // half-way from 1 to 0.5
    EXPECT_NEAR(coefficient(3, "importance"), 2 * 0.75, 1e-12);
    EXPECT_EQ(coefficient(3, "z"), 0);
}

TEST(RouterLossesInModel, ModalitiesAreThoseOfTheRoutersTokens) {
    // A router of its own modality sees one: the mean over modalities is that of its tokens. A router of both averages the two.
    for (const bool shared : {false, true}) {
        config::RunConfig config = test::tinyConfig();
        config.moe.pool = shared ? "shared" : "isolated";
        config.loss.local_entropy = config.loss.global_entropy = config.loss.sequence_balance = 0.1;
        config.loss.global_entropy_tau = 5;
        class Collector : public RoutingObserver {
        public:
            bool wants(LayerIndex, std::int64_t) override { return true; }
            void onRouting(const RoutingEvent& event) override { events.push_back(event); }
            std::vector<RoutingEvent> events;
        } collector;
        VlMoe model(config, tinyShape(), 5);
        const at::NoGradGuard no_grad;
        model.to(at::kDouble);
        ForwardOptions options;
        options.observer = &collector;
        const Batch batch = randomBatch(config, tinyShape(), 1);
        const ModelOutput output = model.forward(batch, options);
        ASSERT_EQ(output.routers.size(), shared ? 2u : 4u);
        const std::int64_t patches = (2 + 2) * 9;
        for (std::size_t i = 0; i < output.routers.size(); ++i) {
            const at::Tensor p = collector.events[i].probs_TE, entropy = -(p * p.log()).sum(1);
            double local = 0, global = 0;
            const auto add = [&](const at::Tensor& part, const at::Tensor& entropies, double modalities) {
                const at::Tensor mean = part.mean(0);
                local += entropies.mean().item<double>() / modalities;
                global += (5 + (mean * mean.log()).sum().item<double>()) / modalities;
            };
            if (shared) {
                const std::int64_t words = p.size(0) - patches;
                add(p.narrow(0, 0, patches), entropy.narrow(0, 0, patches), 2);
                add(p.narrow(0, patches, words), entropy.narrow(0, patches, words), 2);
            } else {
                add(p, entropy, 1);
            }
            EXPECT_NEAR(output.routers[i].value("local_entropy").item<double>(), local, 1e-9);
            EXPECT_NEAR(output.routers[i].value("global_entropy").item<double>(), global, 1e-9);
            // Pictures, pairs and texts are the sequences: 2 + 2 + 3, of which a branch sees those with tokens of its own.
            const auto& names = collector.events[i];
            std::vector<std::int64_t> sequence;
            std::int64_t first = 0;
            std::map<Objective, std::int64_t> start;
            for (const TokenBlock& block : names.blocks) {
                const bool pair = block.objective == Objective::kPairImage || block.objective == Objective::kPairText;
                const Objective key = pair ? Objective::kPairImage : block.objective;
                if (!start.contains(key)) {
                    start[key] = first;
                    first += block.samples;
                }
                for (std::int64_t row = 0; row < block.samples * block.per_sample; ++row) sequence.push_back(start[key] + row / block.per_sample);
            }
            at::Tensor sequence_T = at::tensor(sequence, at::kLong);
            if (names.rows_T.defined()) sequence_T = sequence_T.index_select(0, names.rows_T);
            EXPECT_NEAR(output.routers[i].value("sequence_balance").item<double>(), sequenceBalanceLoss(p, names.indices_TK, sequence_T).item<double>(), 1e-9);
        }
    }
}

TEST(RouterLossesInModel, CountsBeforeMatterForTheGlobalBatchAlone) {
    for (const char* over : {"micro_batch", "global_batch"}) {
        config::RunConfig config = test::tinyConfig();
        config.loss.balance_over = over;
        VlMoe model(config, tinyShape(), 5);
        const at::NoGradGuard no_grad;
        const Batch batch = randomBatch(config, tinyShape(), 1);
        ForwardOptions options;
        const ModelOutput first = model.forward(batch, options);
        options.counts_before_E[0] = at::tensor({100, 0, 0, 0}, at::kLong);
        const ModelOutput second = model.forward(batch, options);
        EXPECT_EQ(at::equal(first.routers[0].value("balance"), second.routers[0].value("balance")), std::string(over) == "micro_batch");
        EXPECT_TRUE(at::equal(first.routers[1].value("balance"), second.routers[1].value("balance")));
    }
}

TEST(RouterLossesInModel, MicroBatchesMoveABiasTogether) {
    for (const bool quantiles : {false, true}) {
        config::RunConfig config = test::tinyConfig();
        config.moe.router = "sigmoid_topk";
        config.moe.k = 1;
        config.moe.quantile_balance = quantiles;
        config.moe.bias_rate = quantiles ? 0 : 0.01;
        VlMoe model(config, tinyShape(), 5);
        const at::NoGradGuard no_grad;
        const Batch one = randomBatch(config, tinyShape(), 1), two = randomBatch(config, tinyShape(), 2);
        std::vector<RouterLosses> step;
        for (const Batch* batch : {&one, &two})
            for (RouterLosses& router : model.forward(*batch, {}).routers) step.push_back(router);
        model.balanceRouters(step);
        for (const auto& item : model.named_buffers()) {
            ASSERT_TRUE(item.key().ends_with(quantiles ? ".quantile" : ".bias"));
            const std::size_t router = item.key().find("layers.0.v") == 0 ? 0 : item.key().find("layers.0.t") == 0 ? 1 : 9;
            if (router == 9) continue;
            const RouterLosses &a = step[router], &b = step[router + 4];
            ASSERT_EQ(a.router, b.router);
            const at::Tensor zero = at::zeros({4});
            const at::Tensor expected =
                quantiles ? quantileBias(at::cat({a.logits_TE, b.logits_TE}), zero, 1) : updatedBias(a.counts_E + b.counts_E, zero, 0.01);
            EXPECT_TRUE(at::allclose(item.value(), expected)) << item.key();
            EXPECT_GT(item.value().abs().max().item<double>(), 0);
        }
    }
}

}  // namespace
}  // namespace es::engine
