// SPDX-License-Identifier: GPL-3.0-or-later
// Memory that runs out for real: the limit on this process's address space is lowered in the middle of a run.
#include "engine/train/out_of_memory.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <new>
#include <stdexcept>

#include "engine/base/machine_resources.h"
#include "engine/model/memory_estimate.h"
#include "engine/store/run_reader.h"
#include "engine/train/checkpoint_store.h"
#include "training_fixture.h"

namespace es::engine {
namespace {

/// While it lives, this process can take `bytes` more of address space than it has.
class Scarcity {
public:
    explicit Scarcity(std::size_t bytes) {
        (void)::getrlimit(RLIMIT_AS, &before_);
        std::size_t pages = 0;
        std::ifstream("/proc/self/statm") >> pages;
        rlimit lowered = before_;
        lowered.rlim_cur = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + bytes;
        (void)::setrlimit(RLIMIT_AS, &lowered);
    }
    ~Scarcity() { (void)::setrlimit(RLIMIT_AS, &before_); }
    Scarcity(const Scarcity&) = delete;
    Scarcity& operator=(const Scarcity&) = delete;

private:
    rlimit before_{};
};

class OutOfMemory : public TrainingFixture {
protected:
    static void SetUpTestSuite() {
        TrainingFixture::SetUpTestSuite();
        // Tensors are asked of the kernel, not of what earlier steps left in the heap.
        ::mallopt(M_MMAP_THRESHOLD, 64 << 10);
    }
    static constexpr std::size_t kSlack = 12 << 20;
    /// A step takes several times the slack.
    static config::RunConfig large() {
        config::RunConfig made = config();
        made.train.batch_images = made.train.batch_pairs = 512;
        made.train.batch_texts = 64;
        made.train.steps = 6;
        made.train.checkpoint_every = 2;
        made.record.probe_samples = 0;
        made.record.probe_random_routers = 0;
        return made;
    }
};

TEST_F(OutOfMemory, AbandonsTheStepKeepsTheLastAndSaysWhatFits) {
    const config::RunConfig made = large();
    ASSERT_GT(stepBytes(made, {96, 16, 12}), 4.0 * kSlack);
    ASSERT_GOOD(train("enough", made));
    std::optional<Scarcity> scarcity;
    const auto poll = [&](std::int64_t n) {
        if (n == 4) scarcity.emplace(kSlack);  // before step 4; the newest checkpoint is of step 2
        return session::TrainControl{};
    };
    const Status failed = train("short", made, {.poll = poll});
    scarcity.reset();
    ASSERT_FALSE(failed);
    const std::string message = failed.error().message();
    EXPECT_EQ(failed.error().kind, ErrorKind::kJobFailed);
    EXPECT_NE(message.find("ran out of memory at step 4"), std::string::npos) << message;
    EXPECT_NE(message.find("The checkpoint of step 3 is kept"), std::string::npos) << message;
    EXPECT_NE(message.find("train.batch_images = "), std::string::npos) << message;
    EXPECT_NE(message.find("train.accumulate = "), std::string::npos) << message;
    EXPECT_EQ(weights("short", 3).size(), weights("enough", 6).size());
    {
        const auto run = *store::RunReader::open(path("short"));
        EXPECT_EQ(run->status().state, store::RunState::kFailed);
        EXPECT_EQ(run->status().step, 3);
    }
    ASSERT_GOOD(train("short", made, {.resume = true}));
    EXPECT_EQ(weights("short", 6), weights("enough", 6));
    EXPECT_EQ(moments("short", 6), moments("enough", 6));
    const auto curve = [](const std::string& name) { return (*(*store::RunReader::open(path(name)))->scalars("train/loss")).value; };
    EXPECT_EQ(curve("short"), curve("enough"));
}

TEST_F(OutOfMemory, BeforeTheFirstStepThereIsNothingToKeep) {
    std::optional<Scarcity> scarcity;
    const auto poll = [&](std::int64_t n) {
        if (n == 1) scarcity.emplace(kSlack);
        return session::TrainControl{};
    };
    const Status failed = train("never", large(), {.poll = poll});
    scarcity.reset();
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message().find("There is no checkpoint yet"), std::string::npos) << failed.error().message();
    EXPECT_TRUE(CheckpointStore(path("never")).steps().empty());
}

TEST_F(OutOfMemory, IsToldFromOtherFailures) {
    EXPECT_TRUE(isOutOfMemory(std::bad_alloc()));
    EXPECT_FALSE(isOutOfMemory(std::runtime_error("memory")));
    bool refused = false;
    try {
        (void)at::empty({std::int64_t{1} << 55}, at::kByte);
    } catch (const std::exception& problem) {
        refused = isOutOfMemory(problem);
    }
    EXPECT_TRUE(refused) << "what Torch throws when the system has no such amount";
    try {
        (void)at::empty({3}).view({2});
    } catch (const std::exception& problem) {
        EXPECT_FALSE(isOutOfMemory(problem));
    }
}

TEST_F(OutOfMemory, TheSuggestedBatchFitsAndAsManySamplesAreSeen) {
    const config::RunConfig made = large();
    const DataShape shape{96, 16, 12};
    const double whole = stepBytes(made, shape);
    const auto fitting = fittingBatch(made, shape, whole / 4);
    ASSERT_TRUE(fitting);
    config::RunConfig smaller = made;
    smaller.train.batch_images = fitting->images;
    smaller.train.batch_texts = fitting->texts;
    smaller.train.batch_pairs = fitting->pairs;
    EXPECT_LE(stepBytes(smaller, shape), whole / 4);
    EXPECT_GT(stepBytes(smaller, shape), whole / 8) << "as large as fits";
    EXPECT_GE(fitting->images * fitting->accumulate, made.train.batch_images);
    EXPECT_LE(fitting->images * fitting->accumulate, made.train.batch_images + fitting->images);
    EXPECT_EQ(fitting->images, fitting->pairs);
    EXPECT_EQ(fittingBatch(made, shape, 10 * whole)->images, 256) << "what did not fit does not fit";
    EXPECT_FALSE(fittingBatch(made, shape, 1000));
    EXPECT_EQ((FittingBatch{4, 0, 2, 3}).text(), "train.batch_images = 4, train.batch_pairs = 2 and train.accumulate = 3");
}

TEST_F(OutOfMemory, TheLimitOfTheProcessCounts) {
    const double before = availableMemoryBytes();
    const Scarcity scarcity(50 << 20);
    EXPECT_LT(availableMemoryBytes(), before);
    EXPECT_LT(availableMemoryBytes(), 2e9);
}

}  // namespace
}  // namespace es::engine
