// SPDX-License-Identifier: GPL-3.0-or-later
// The made-up runs that tests of other layers build on hold what they promise.
#include "support/synthetic_run.h"

#include <set>

#include "engine/store/routing_view.h"
#include "store_fixture.h"

namespace es::store {
namespace {

using test::must;

class Synthetic : public test::StoreTest {};

TEST_F(Synthetic, SparseRunIsWhole) {
    test::SyntheticRunOptions options;
    options.spikes = {400};
    options.dead_expert = 2;
    must(test::writeSyntheticRun(scratch_ / "sparse", options));
    const auto reader = must(RunReader::open(scratch_ / "sparse"));
    EXPECT_EQ(reader->status().state, RunState::kFinished);
    EXPECT_EQ(reader->status().step, 600);
    EXPECT_TRUE(reader->status().warnings.empty());
    EXPECT_EQ(reader->routers().size(), 4u);
    EXPECT_EQ(must(reader->scalars("train/loss")).points, 600);
    EXPECT_EQ(reader->tracedSteps().size(), 60u);
    EXPECT_EQ(reader->probes().size(), 7u + 5u);
    EXPECT_EQ(reader->evaluations(), (std::vector<std::int64_t>{0, 100, 200, 300, 400, 500, 600}));
    EXPECT_EQ(must(reader->sampleList()).size(), 64u);
    EXPECT_EQ(must(reader->probeSamples()).size(), 64u);
    EXPECT_EQ(reader->checkpoints().size(), 7u);
    const auto loss = must(reader->scalars("train/loss"));
    EXPECT_GT(loss.value[399], loss.value[390] + 5);
    const auto history = must(reader->loadHistory(RouterId(0), Modality::kVision));
    EXPECT_EQ(history.share_ES[2 * 600 + 599], 0.0f);

    // Red patches go to expert 3 in the trained model, and nowhere in particular before training.
    std::set<std::uint64_t> red;
    for (const SampleRecord& sample : must(reader->sampleList()))
        if (sample.caption.starts_with("red")) red.insert(sample.hash);
    const auto share = [&](std::int64_t step) {
        const RoutingTable table = must(reader->probe({step, "trained"}, RouterId(0)));
        double toThree = 0, all = 0;
        for (std::int64_t t = 0; t < table.tokens; ++t) {
            if (!red.contains(table.sample_T[static_cast<std::size_t>(t)])) continue;
            ++all;
            toThree += RoutingView(table).firstChoice(t) == ExpertIndex(3);
        }
        return toThree / all;
    };
    EXPECT_LT(share(0), 0.2);
    EXPECT_GT(share(600), 0.3);
}

TEST_F(Synthetic, DenseRunHasNoRoutersAndSeedsDiffer) {
    test::SyntheticRunOptions options;
    options.ffn = "dense";
    must(test::writeSyntheticRun(scratch_ / "a", options));
    must(test::writeSyntheticRun(scratch_ / "b", options));
    options.seed = 2;
    must(test::writeSyntheticRun(scratch_ / "c", options));
    const auto a = must(RunReader::open(scratch_ / "a")), b = must(RunReader::open(scratch_ / "b")), c = must(RunReader::open(scratch_ / "c"));
    EXPECT_TRUE(a->routers().empty() && a->probes().empty() && a->tracedSteps().empty());
    EXPECT_EQ(must(a->scalars("train/loss")).value, must(b->scalars("train/loss")).value);
    EXPECT_NE(must(a->scalars("train/loss")).value, must(c->scalars("train/loss")).value);
    EXPECT_EQ(a->provenance().group_hash, c->provenance().group_hash);
    EXPECT_NE(a->provenance().run_uuid, c->provenance().run_uuid);
}

}  // namespace
}  // namespace es::store
