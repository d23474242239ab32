// SPDX-License-Identifier: GPL-3.0-or-later
// Options of the training loop through whole runs: what they compute, what they record, and that a resumed run equals one that was not
// stopped, to the bit.
#include <cmath>
#include <limits>

#include "engine/store/run_reader.h"
#include "engine/train/checkpoint_store.h"
#include "engine/train/safetensors.h"
#include "engine/train/step_report.h"
#include "training_fixture.h"

namespace es::engine {
namespace {

struct Option {
    const char* name;
    void (*set)(config::RunConfig& config);
};

void PrintTo(const Option& option, std::ostream* out) { *out << option.name; }

class TrainingOptions : public TrainingFixture {
protected:
    static config::RunConfig everyStepKept() {
        config::RunConfig made = config();
        made.train.steps = 6;
        made.train.checkpoint_every = 1;
        made.train.keep_last = 10;
        made.record.probe_samples = 0;
        made.record.probe_random_routers = 0;
        return made;
    }
    static std::map<std::string, at::Tensor> tensors(const std::string& run, std::int64_t step, const char* file) {
        auto read = readSafetensors(path(run) / checkpointName(step) / file);
        EXPECT_TRUE(read) << (read ? "" : read.error().message());
        return read ? read->tensors : std::map<std::string, at::Tensor>();
    }
    static std::vector<double> series(const std::string& run, const std::string& name) {
        const auto reader = store::RunReader::open(path(run));
        return (*(*reader)->scalars(name)).value;
    }
};

class ResumedOptions : public TrainingOptions, public testing::WithParamInterface<Option> {};

TEST_P(ResumedOptions, EqualARunThatWasNotStopped) {
    config::RunConfig made = config();
    made.record.probe_samples = 0;
    made.record.probe_random_routers = 0;
    GetParam().set(made);
    const std::string name = GetParam().name;
    ASSERT_GOOD(train(name + "-straight", made));
    ASSERT_FALSE(train(name + "-halved", made, {.stop_before = 8}));
    ASSERT_GOOD(train(name + "-halved", made, {.resume = true}));
    EXPECT_EQ(weights(name + "-straight", 10), weights(name + "-halved", 10));
    EXPECT_EQ(moments(name + "-straight", 10), moments(name + "-halved", 10));
    for (const char* curve : {"train/loss", "grad_norm/all", "learning_rate", "eval/loss/total"})
        EXPECT_EQ(series(name + "-straight", curve), series(name + "-halved", curve)) << curve;
    const auto a = CheckpointStore(path(name + "-straight")).load(10, true), b = CheckpointStore(path(name + "-halved")).load(10, true);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->state.average_updates, b->state.average_updates);
    EXPECT_EQ(a->state.recent_losses, b->state.recent_losses);
    EXPECT_EQ(a->state.recent_gradient_norms, b->state.recent_gradient_norms);
    EXPECT_EQ(a->average.empty(), made.train.ema_decay == 0);
    for (const auto& [tensor, value] : a->average) EXPECT_TRUE(at::equal(value, b->average.at(tensor))) << tensor;
}

INSTANTIATE_TEST_SUITE_P(
    All, ResumedOptions,
    testing::Values(Option{"accumulate", [](config::RunConfig& c) { c.train.accumulate = 2, c.moe.router = "noisy_topk"; }},
                    Option{"average", [](config::RunConfig& c) { c.train.ema_decay = 0.8, c.moe.router = "sigmoid_topk", c.moe.bias_rate = 0.01; }},
                    Option{"spikes", [](config::RunConfig& c) { c.train.skip_spikes = 0.5, c.train.spike_window = 3, c.train.ema_decay = 0.5; }},
                    Option{"checkpointed", [](config::RunConfig& c) { c.train.checkpoint_activations = true, c.model.drop_path = 0.3; }},
                    Option{"linear", [](config::RunConfig& c) { c.train.schedule = "linear"; }},
                    Option{"constant", [](config::RunConfig& c) { c.train.schedule = "constant"; }},
                    Option{"together",
                           [](config::RunConfig& c) {
                               c.train.accumulate = 3, c.train.ema_decay = 0.9, c.train.skip_spikes = 1, c.train.spike_window = 2;
                               c.train.checkpoint_activations = true, c.train.schedule = "linear", c.loss.balance_over = "global_batch";
                               c.model.drop_path = 0.3;
                           }}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(TrainingOptions, GradientsOfMicroBatchesAreAveraged) {
    // Nothing moves and nothing is clipped: the first moments are the gradients, and each step's are the initial model's.
    config::RunConfig single = everyStepKept();
    single.train.learning_rate = 0;
    single.train.clip = 0;
    single.train.beta1 = 0;
    single.record.trace_every = 1;
    config::RunConfig doubled = single;
    doubled.train.accumulate = 2;
    doubled.train.steps = 3;
    ASSERT_GOOD(train("single", single));
    ASSERT_GOOD(train("doubled", doubled));
    const auto first = tensors("single", 3, "optimizer.safetensors"), second = tensors("single", 4, "optimizer.safetensors");
    const auto both = tensors("doubled", 2, "optimizer.safetensors");
    int compared = 0;
    for (const auto& [name, value] : both) {
        if (!name.ends_with(".exp_avg")) continue;
        const at::Tensor mean = (first.at(name) + second.at(name)) / 2;
        EXPECT_LE((value - mean).abs().max().item<double>(), 1e-6 * (1e-3 + mean.abs().max().item<double>())) << name;
        ++compared;
    }
    EXPECT_GT(compared, 30);
    const auto losses = series("single", "train/loss"), means = series("doubled", "train/loss");
    for (std::size_t s = 0; s < 3; ++s) EXPECT_NEAR(means[s], (losses[2 * s] + losses[2 * s + 1]) / 2, 1e-5);

    // Load and trace of a step are those of its micro-batches together.
    const auto one = *store::RunReader::open(path("single")), two = *store::RunReader::open(path("doubled"));
    for (const auto& router : two->routers()) {
        const auto apart = *one->loadRecords(router.id), together = *two->loadRecords(router.id);
        ASSERT_EQ(together.size(), 3u);
        for (std::size_t s = 0; s < 3; ++s) {
            EXPECT_EQ(together[s].tokens, apart[2 * s].tokens + apart[2 * s + 1].tokens);
            for (std::size_t e = 0; e < together[s].counts_E.size(); ++e)
                EXPECT_EQ(together[s].counts_E[e], apart[2 * s].counts_E[e] + apart[2 * s + 1].counts_E[e]);
            const double tokens = static_cast<double>(together[s].tokens);
            const double entropy = (apart[2 * s].entropy_nats * static_cast<double>(apart[2 * s].tokens) +
                                    apart[2 * s + 1].entropy_nats * static_cast<double>(apart[2 * s + 1].tokens)) /
                                   tokens;
            EXPECT_NEAR(together[s].entropy_nats, entropy, 1e-6);
        }
        const auto trace = *two->trace({router.id, 2, 2, std::nullopt, -1});
        const auto third = *one->trace({router.id, 3, 3, std::nullopt, -1}), fourth = *one->trace({router.id, 4, 4, std::nullopt, -1});
        auto samples = third.sample_T;
        samples.insert(samples.end(), fourth.sample_T.begin(), fourth.sample_T.end());
        EXPECT_EQ(trace.sample_T, samples);
        auto experts = third.expert_ids;
        experts.insert(experts.end(), fourth.expert_ids.begin(), fourth.expert_ids.end());
        EXPECT_EQ(trace.expert_ids, experts);
    }
}

TEST_F(TrainingOptions, TheAverageFollowsTheWeightsAndIsJudged) {
    config::RunConfig plain = everyStepKept();
    config::RunConfig averaged = plain;
    averaged.train.ema_decay = 0.7;
    ASSERT_GOOD(train("unaveraged", plain));
    ASSERT_GOOD(train("averaged", averaged));
    EXPECT_EQ(weights("unaveraged", 6), weights("averaged", 6)) << "an average changes no training";
    auto expected = tensors("averaged", 1, "ema.safetensors");
    for (std::int64_t step = 2; step <= 6; ++step) {
        const double n = static_cast<double>(step), decay = std::min(0.7, (1 + n) / (10 + n));
        const auto now = tensors("averaged", step, "model.safetensors"), average = tensors("averaged", step, "ema.safetensors");
        ASSERT_EQ(now.size(), average.size());
        for (const auto& [name, value] : now) {
            expected[name] = decay * expected.at(name) + (1 - decay) * value;
            EXPECT_LE((average.at(name) - expected.at(name)).abs().max().item<double>(), 1e-6) << name;
        }
    }

    // Slow enough to stay near the initial weights, the average is judged like them; switched off, the trained weights are.
    averaged.train.ema_decay = 0.9999;
    averaged.train.ema_warmup = false;
    averaged.train.checkpoint_every = 0;
    ASSERT_GOOD(train("slow", averaged));
    averaged.train.evaluate_ema = false;
    ASSERT_GOOD(train("slow-raw", averaged));
    const auto trained = series("unaveraged", "eval/loss/total"), slow = series("slow", "eval/loss/total");
    EXPECT_EQ(series("slow-raw", "eval/loss/total"), trained);
    EXPECT_LT(std::abs(slow.back() - slow.front()), 0.05 * std::abs(trained.back() - trained.front()));
    EXPECT_EQ(weights("slow", 6), weights("unaveraged", 6)) << "put back after being judged";
}

TEST_F(TrainingOptions, ASkippedStepChangesNothing) {
    config::RunConfig jumpy = everyStepKept();
    jumpy.train.steps = 9;
    jumpy.train.keep_last = 20;
    jumpy.train.skip_spikes = 0.01;
    jumpy.train.spike_window = 3;
    jumpy.train.ema_decay = 0.5;
    jumpy.moe.router = "sigmoid_topk";
    jumpy.moe.bias_rate = 0.01;
    ASSERT_GOOD(train("jumpy", jumpy));
    const auto skipped = series("jumpy", "train/skipped");
    ASSERT_EQ(skipped.size(), 9u);
    int count = 0;
    for (std::int64_t step = 2; step <= 9; ++step) {
        const auto before = tensors("jumpy", step - 1, "model.safetensors"), after = tensors("jumpy", step, "model.safetensors");
        const auto old = tensors("jumpy", step - 1, "ema.safetensors"), average = tensors("jumpy", step, "ema.safetensors");
        bool unmoved = true;
        for (const auto& [name, value] : after) unmoved = unmoved && at::equal(value, before.at(name)) && at::equal(average.at(name), old.at(name));
        const auto earlier = tensors("jumpy", step - 1, "optimizer.safetensors");
        for (const auto& [name, value] : tensors("jumpy", step, "optimizer.safetensors")) unmoved = unmoved && at::equal(value, earlier.at(name));
        const bool was_skipped = skipped[static_cast<std::size_t>(step - 1)] == 1.0;
        EXPECT_EQ(unmoved, was_skipped) << "step " << step;
        count += was_skipped ? 1 : 0;
        if (step <= 3) {
            EXPECT_FALSE(was_skipped) << "the window was not full";
        }
    }
    EXPECT_GT(count, 0);
    EXPECT_LT(count, 6);
    int told = 0;
    const auto run = *store::RunReader::open(path("jumpy"));
    for (const auto& event : run->events()) told += event.kind == "step_skipped" ? 1 : 0;
    EXPECT_EQ(told, count);
}

TEST_F(TrainingOptions, CheckpointedActivationsChangeNoBitAndMayChangeOnResume) {
    config::RunConfig plain = config();
    plain.model.drop_path = 0.3;
    plain.moe.router = "noisy_topk";
    plain.moe.k = 2;
    config::RunConfig again = plain;
    again.train.checkpoint_activations = true;
    ASSERT_GOOD(train("kept", plain));
    ASSERT_FALSE(train("again", again, {.stop_before = 5}));
    ASSERT_GOOD(train("again", plain, {.resume = true}));
    EXPECT_EQ(weights("kept", 10), weights("again", 10));
    const auto a = *store::RunReader::open(path("kept")), b = *store::RunReader::open(path("again"));
    for (const auto& router : a->routers()) {
        const auto kept = *a->loadRecords(router.id), computed = *b->loadRecords(router.id);
        ASSERT_EQ(kept.size(), computed.size());
        for (std::size_t i = 0; i < kept.size(); ++i) {
            EXPECT_EQ(kept[i].counts_E, computed[i].counts_E);
            EXPECT_EQ(kept[i].balance_loss, computed[i].balance_loss);
        }
    }
}

TEST_F(TrainingOptions, GradientNormsOfExpertsAddUpToTheGroup) {
    config::RunConfig made = everyStepKept();
    made.record.expert_gradients_every = 3;
    made.train.accumulate = 2;
    ASSERT_GOOD(train("experts", made));
    const auto run = *store::RunReader::open(path("experts"));
    const auto group = *run->scalars("grad_norm/expert");
    std::vector<double> squares;
    int experts = 0;
    for (const auto& name : run->scalarNames()) {
        if (!name.starts_with("grad_norm/expert/")) continue;
        ++experts;
        const auto curve = *run->scalars(name);
        EXPECT_EQ(curve.step, (std::vector<double>{3, 6})) << name;
        squares.resize(curve.value.size());
        for (std::size_t i = 0; i < curve.value.size(); ++i) squares[i] += curve.value[i] * curve.value[i];
    }
    EXPECT_EQ(experts, 2 * 4);
    for (std::size_t i = 0; i < squares.size(); ++i) EXPECT_NEAR(std::sqrt(squares[i]), group.value[3 * i + 2], 1e-4 * group.value[3 * i + 2]);
    EXPECT_EQ(run->scalars("grad_norm/attention")->points, 6);
    EXPECT_EQ(run->scalars("grad_norm/head")->points, 6);
}

TEST_F(TrainingOptions, NumbersThatAreNotFiniteAreNamedByTensorAndExpert) {
    VlMoe model(config(), {96, 16, 12}, 1);
    const at::NoGradGuard no_gradient;
    const DeviceNumbers::Values fine{.loss = 1, .gradient_norm = std::numeric_limits<double>::quiet_NaN()};
    for (const auto& parameter : model.named_parameters()) parameter.value().mutable_grad() = at::zeros_like(parameter.value());
    // What goes wrong in the backward pass of layer 1 goes on to all before it.
    auto parameters = model.named_parameters();
    parameters["embed.patch.weight"].mutable_grad().fill_(std::numeric_limits<float>::quiet_NaN());
    parameters["layers.1.v.moe.experts.w2"].mutable_grad()[3].fill_(std::numeric_limits<float>::quiet_NaN());
    EXPECT_EQ(locateNonFinite(fine, model, ""), "the gradient of 'layers.1.v.moe.experts.w2' (expert 3) is not finite");
    EXPECT_EQ(locateNonFinite(fine, model, "layers.0.attention"), "the output of 'layers.0.attention' is not finite");
    EXPECT_EQ(locateNonFinite(fine, model, "layers.1.t.moe.router"), "a logit of 'layers.1.t.moe.router' is not finite");
    parameters["layers.1.t.moe.experts.w1"][2][0][0].fill_(std::numeric_limits<float>::infinity());
    EXPECT_EQ(locateNonFinite(fine, model, ""), "the weight 'layers.1.t.moe.experts.w1' (expert 2) is not finite");
}

}  // namespace
}  // namespace es::engine
