// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <stdexcept>

#include "engine/store/run_reader.h"
#include "training_fixture.h"

namespace es::engine {
namespace {

class Trainer : public TrainingFixture {};

template <class T>
T good(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message());
    return std::move(*result);
}

/// Everything that a run recorded and that does not depend on the clock, as text; probes of one step may be left out.
std::string recorded(const std::filesystem::path& run, std::int64_t without_probe = -1) {
    auto reader = store::RunReader::open(run);
    if (!reader) return reader.error().message();
    std::string out;
    for (const auto& name : (*reader)->scalarNames()) {
        if (name.starts_with("time/") || name.starts_with("throughput/") || name.starts_with("memory/")) continue;
        const auto series = good((*reader)->scalars(name));
        out += name;
        for (std::size_t i = 0; i < series.step.size(); ++i) out += " " + std::to_string(series.step[i]) + ":" + std::to_string(series.value[i]);
        out += "\n";
    }
    for (const auto& router : (*reader)->routers()) {
        const auto loads = good((*reader)->loadRecords(router.id));
        for (const auto& load : loads) {
            out += std::to_string(load.step);
            for (const auto count : load.counts_E) out += " " + std::to_string(count);
            for (const auto mass : load.mass_E) out += " " + std::to_string(mass);
            out += " " + std::to_string(load.entropy_nats) + " " + std::to_string(load.balance_loss) + "\n";
        }
        const auto trace = good((*reader)->trace({router.id, 0, -1, std::nullopt, -1}));
        for (std::size_t t = 0; t < trace.expert_ids.size(); ++t)
            out += std::to_string(trace.expert_ids[t]) + ":" + std::to_string(trace.gates[t]) + ":" + std::to_string(trace.sample_T[t]) + " ";
    }
    for (const auto& key : (*reader)->probes()) {
        if (key.step == without_probe) continue;
        out += std::to_string(key.step) + key.variant;
        for (const auto& router : (*reader)->routers()) {
            const auto table = good((*reader)->probe(key, router.id));
            for (const float p : table.probs_TE) out += " " + std::to_string(p);
        }
    }
    for (const auto step : (*reader)->evaluations()) {
        const auto evaluation = good((*reader)->evaluation(step));
        for (const auto& row : evaluation.rows) out += std::to_string(row.sample) + row.variant + std::to_string(row.loss) + " ";
    }
    return out;
}

/// Where two records part, with a few characters around; empty when they are equal.
std::string firstDifference(const std::string& a, const std::string& b) {
    if (a == b) return "";
    const auto at = static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
    const auto from = at > 60 ? at - 60 : 0;
    return a.substr(from, 120) + " | " + b.substr(from, 120);
}

TEST_F(Trainer, RecordsWhatItShould) {
    ASSERT_GOOD(train("whole", config()));
    auto opened = store::RunReader::open(path("whole"));
    ASSERT_TRUE(opened) << opened.error().message();
    const auto& run = **opened;
    EXPECT_EQ(run.status().state, store::RunState::kFinished);
    EXPECT_EQ(run.status().step, 10);
    const auto loss = *run.scalars("train/loss");
    EXPECT_EQ(loss.points, 10);
    EXPECT_EQ(loss.non_finite, 0);
    const auto names = run.scalarNames();
    const std::set<std::string> known(names.begin(), names.end());
    for (const char* name : {"train/loss/image",
                             "train/loss/text",
                             "train/loss/pair_image",
                             "train/loss/pair_text",
                             "train/balance/l1.v",
                             "train/z/l1.t",
                             "grad_norm/all",
                             "grad_norm/router",
                             "grad_norm/expert",
                             "learning_rate",
                             "time/step_ms",
                             "throughput/samples_per_s",
                             "throughput/tokens_per_s",
                             "memory/resident_mb",
                             "router/l1.v/max_vio",
                             "router/l1.t/entropy_nats",
                             "router/l1.v/mean_gate",
                             "router/l1.v/dropped_share",
                             "eval/loss/total",
                             "eval/loss/pair_text",
                             "eval/trivial/pair_text",
                             "eval/wrong_picture/pair_text"})
        EXPECT_TRUE(known.contains(name)) << name;
    ASSERT_EQ(run.routers().size(), 2u);
    for (const auto& router : run.routers()) {
        const auto load = *run.loadRecords(router.id);
        ASSERT_EQ(load.size(), 10u);
        for (const auto& record : load) {
            std::int64_t sum = 0;
            for (const auto count : record.counts_E) sum += count;
            EXPECT_EQ(sum, record.tokens * router.k);
            EXPECT_GT(record.entropy_nats, 0);
            EXPECT_LE(record.entropy_nats, std::log(4.0) + 1e-5);
            EXPECT_GT(record.balance_loss, 0.9);
        }
        if (router.branch == Branch::kVision) {
            EXPECT_EQ(load.front().tokens, (4 + 4) * 16);
        }
    }
    EXPECT_EQ(run.tracedSteps(), (std::vector<std::int64_t>{2, 4, 6, 8, 10}));
    EXPECT_EQ(run.evaluations(), (std::vector<std::int64_t>{0, 5, 10}));
    std::set<std::pair<std::int64_t, std::string>> probes;
    for (const auto& key : run.probes()) probes.insert({key.step, key.variant});
    EXPECT_EQ(probes, (std::set<std::pair<std::int64_t, std::string>>{
                          {0, "trained"}, {5, "trained"}, {10, "trained"}, {10, "random-router-0"}, {10, "random-router-1"}}));
    const auto probe = *run.probe({10, "trained"}, RouterId(0));
    EXPECT_EQ(probe.tokens, static_cast<std::int64_t>(run.probeSamples()->size()) * 16) << "pairs, nothing masked";
    for (const auto masked : probe.masked_T) EXPECT_EQ(masked, 0);
    EXPECT_NE(probe.expert_ids, run.probe({10, "random-router-0"}, RouterId(0))->expert_ids);
    for (const auto hash : probe.sample_T) ASSERT_TRUE(run.sample(hash)) << "every probed sample can be drawn";
    const auto trace = *run.trace({RouterId(1), 2, 2, std::nullopt, -1});
    EXPECT_EQ(trace.step, 2);
    bool masked = false;
    for (const auto m : trace.masked_T) masked = masked || m;
    EXPECT_TRUE(masked);
    for (const auto id : trace.token_id_T) EXPECT_GE(id, 0);
    const auto provenance = run.provenance();
    EXPECT_FALSE(provenance.run_uuid.empty());
    EXPECT_GT(provenance.parameters_total, provenance.parameters_active);
    EXPECT_GT(provenance.flops_per_step_active, 0);
    const auto evaluation = *run.evaluation(10);
    for (const auto& row : evaluation.rows) {
        EXPECT_GT(row.trivial_loss, 0);
        EXPECT_GT(row.targets, 0);
    }
}

TEST_F(Trainer, AStoppedAndResumedRunEqualsOneThatWasNot) {
    ASSERT_GOOD(train("straight", config()));
    const Status stopped = train("halved", config(), {.stop_before = 8});
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().kind, ErrorKind::kStopped);
    EXPECT_TRUE(std::filesystem::exists(path("halved") / checkpointName(7) / "state.json"));
    ASSERT_GOOD(train("halved", config(), {.resume = true}));
    EXPECT_EQ(weights("straight", 10), weights("halved", 10));
    EXPECT_EQ(moments("straight", 10), moments("halved", 10));
    // The extra checkpoint at step 7 brings an extra probe; all else is the same.
    const std::string a = recorded(path("straight")), b = recorded(path("halved"), 7);
    EXPECT_GT(a.size(), 1000u);
    EXPECT_EQ(firstDifference(a, b), "");
}

TEST_F(Trainer, DataThreadsAndRecordingDoNotChangeTheWeights) {
    ASSERT_GOOD(train("reference", config()));
    auto threads = config();
    threads.data.threads = 4;
    ASSERT_GOOD(train("threads", threads));
    EXPECT_EQ(weights("reference", 10), weights("threads", 10));
    ASSERT_GOOD(train("silent", config(), {.options = {.record = false}}));
    EXPECT_EQ(weights("reference", 10), weights("silent", 10));
    auto everything = config();
    everything.record.trace_every = 1;
    ASSERT_GOOD(train("everything", everything));
    EXPECT_EQ(weights("reference", 10), weights("everything", 10));
}

TEST_F(Trainer, ATruncatedCheckpointIsNamedAndTheOneBeforeIsUsed) {
    ASSERT_GOOD(train("damaged", config()));
    const std::string whole = weights("damaged", 10);
    std::filesystem::resize_file(path("damaged") / checkpointName(10) / "model.safetensors", whole.size() / 2);
    ASSERT_GOOD(train("damaged", config(), {.resume = true}));
    EXPECT_EQ(weights("damaged", 10), whole);
    const auto run = *store::RunReader::open(path("damaged"));
    bool told = false;
    for (const auto& event : run->events())
        if (event.kind == "checkpoint_damaged")
            told = event.message.find("step-000000010") != std::string::npos && event.message.find("step 5") != std::string::npos;
    EXPECT_TRUE(told);
    for (const std::int64_t step : {5, 10}) std::filesystem::resize_file(path("damaged") / checkpointName(step) / "model.safetensors", 3);
    const Status none = train("damaged", config(), {.resume = true});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().kind, ErrorKind::kBadInput);
}

TEST_F(Trainer, ResumeWithoutACheckpointStartsAgain) {
    const Status early = train("early", config(), {.stop_before = 1});
    ASSERT_FALSE(early);
    ASSERT_GOOD(train("early", config(), {.resume = true}));
    ASSERT_GOOD(train("fresh", config()));
    EXPECT_EQ(weights("early", 10), weights("fresh", 10));
    EXPECT_EQ(firstDifference(recorded(path("early")), recorded(path("fresh"))), "");
}

TEST_F(Trainer, RefusesToWriteOverARunOrToResumeAnother) {
    ASSERT_GOOD(train("taken", config()));
    const Status again = train("taken", config());
    ASSERT_FALSE(again);
    auto other = config();
    other.train.learning_rate = 1e-4;
    const Status changed = train("taken", other, {.resume = true});
    ASSERT_FALSE(changed);
    EXPECT_NE(changed.error().why.find("train.learning_rate"), std::string::npos) << changed.error().message();
    EXPECT_TRUE(train("taken", config(), {.resume = true})) << "a finished run has nothing left to do";
}

TEST_F(Trainer, ObeysPauseCheckpointAndTraceRequests) {
    const auto poll = [](std::int64_t n) {
        session::TrainControl control;
        control.pause = n >= 3 && n <= 5;  // before step 3, three polls long
        control.checkpoint = n == 4;
        if (n == 8) control.trace_every = 1;
        return control;
    };
    ASSERT_GOOD(train("steered", config(), {.poll = poll}));
    const auto run = *store::RunReader::open(path("steered"));
    std::set<std::int64_t> steps;
    for (const auto& checkpoint : run->checkpoints()) steps.insert(checkpoint.step);
    EXPECT_EQ(steps, (std::set<std::int64_t>{2, 5, 10})) << "one at the pause, before step 3";
    EXPECT_EQ(run->tracedSteps(), (std::vector<std::int64_t>{2, 4, 5, 6, 7, 8, 9, 10}));
    ASSERT_GOOD(train("unsteered", config()));
    EXPECT_EQ(weights("steered", 10), weights("unsteered", 10));
}

TEST_F(Trainer, DivergenceStopsTheRunAndNamesThePlace) {
    auto wild = config();
    wild.train.learning_rate = 100;
    wild.train.warmup = 0;
    wild.train.clip = 0;
    wild.train.steps = 60;
    wild.train.weight_decay = 10;  // each step multiplies matrices by -999
    const Status result = train("wild", wild);
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().what.find("diverged at step"), std::string::npos) << result.error().message();
    EXPECT_NE(result.error().why.find("not finite"), std::string::npos) << result.error().message();
    const auto run = *store::RunReader::open(path("wild"));
    EXPECT_EQ(run->status().state, store::RunState::kFailed);
}

TEST_F(Trainer, AnswersForData) {
    auto missing = config();
    missing.data.set = (*folder_ / "nowhere").string();
    const Status result = train("nodata", missing);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::kBadInput);
    EXPECT_FALSE(std::filesystem::exists(path("nodata") / "run.toml"));
}

TEST_F(Trainer, CanBeStoppedBeforeItHasBegun) {
    std::stop_source stop;
    stop.request_stop();
    JobContext context;
    context.stop = stop.get_token();
    const Status result = engine::train({config(), path("never"), false}, {}, context);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::kStopped);
    EXPECT_FALSE(std::filesystem::exists(path("never") / "run.toml"));
}

TEST_F(Trainer, TrainsOnOneModalityAlone) {
    auto images = config();
    images.train.batch_texts = images.train.batch_pairs = 0;
    ASSERT_GOOD(train("images", images));
    auto texts = config();
    texts.train.batch_images = texts.train.batch_pairs = 0;
    ASSERT_GOOD(train("texts", texts));
    const auto run = *store::RunReader::open(path("texts"));
    EXPECT_EQ(run->scalars("eval/loss/image")->points, 0);
    EXPECT_EQ(run->scalars("eval/loss/text")->points, 3);
}

TEST_F(Trainer, DenseTwinsTrain) {
    for (const char* kind : {"dense", "scaled_dense"}) {
        auto twin = config();
        twin.model.ffn = kind;
        if (std::string(kind) == "scaled_dense") twin.model.ffn_scales = {0.3, 0.3};
        ASSERT_GOOD(train(kind, twin));
        const auto run = *store::RunReader::open(path(kind));
        EXPECT_TRUE(run->routers().empty());
        EXPECT_EQ(run->status().state, store::RunState::kFinished);
    }
}

}  // namespace
}  // namespace es::engine
