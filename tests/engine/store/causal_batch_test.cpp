// SPDX-License-Identifier: GPL-3.0-or-later
// Which kept results make up a batch over all experts.
#include "engine/store/causal_batch.h"

#include <gtest/gtest.h>

namespace es::store {
namespace {

KeptResult kept(std::int64_t id, const std::string& recipe, std::int64_t checkpoint = 600, std::int64_t samples = 0) {
    KeptResult result;
    result.id = id;
    result.purpose = "causal";
    result.run_uuid = "this";
    result.checkpoint = checkpoint;
    result.samples = samples;
    result.interventions = {recipe};
    return result;
}

std::vector<RouterInfo> routers() {
    return {{RouterId(0), LayerIndex(1), Branch::kVision, "softmax_topk", 2, 1, RoutingLayout::kFixedK},
            {RouterId(1), LayerIndex(1), Branch::kText, "softmax_topk", 2, 1, RoutingLayout::kFixedK}};
}

TEST(CausalBatch, RecipesOfOneExpertAlone) {
    const auto target = causalTarget(kept(1, "ban 1.v:12"));
    ASSERT_TRUE(target);
    EXPECT_EQ(target->kind, "ban");
    EXPECT_EQ(target->layer, LayerIndex(1));
    EXPECT_EQ(target->branch, Branch::kVision);
    EXPECT_EQ(target->expert, 12);
    EXPECT_TRUE(target->of(routers()[0]));
    EXPECT_FALSE(target->of(routers()[1]));
    EXPECT_TRUE(causalTarget(kept(1, "silence 0.vl:3")));
    for (const char* other : {"ban 1.v:1,2", "ban 1.v:1@patch 3", "force 1.v:1", "ban 1:2", "ban 1.v", "ban", "", "ban x.v:1", "ban 1.q:1"})
        EXPECT_FALSE(causalTarget(kept(1, other))) << other;
    KeptResult two = kept(1, "ban 1.v:1");
    two.interventions.emplace_back("ban 1.t:1");
    EXPECT_FALSE(causalTarget(two));
}

TEST(CausalBatch, AnExpertThatWasBannedTwiceCountsOnce) {
    std::vector<KeptResult> all = {kept(1, "ban 1.t:1"),          kept(2, "ban 1.v:1"),      kept(3, "ban 1.v:0"),
                                   kept(4, "ban 1.v:1"),          kept(5, "ban 1.v:1", 300), kept(6, "silence 1.v:1"),
                                   kept(7, "ban 1.v:0", 600, 20), kept(8, "ban 1.v:7"),      kept(9, "ban 2.v:0")};
    all.push_back(kept(10, "ban 1.v:0"));
    all.back().run_uuid = "another";
    const auto batches = causalBatches(all, "this", routers());
    ASSERT_EQ(batches.size(), 4u) << "two checkpoints, two kinds, two numbers of samples";
    EXPECT_EQ(batches[0].checkpoint, 300);
    EXPECT_EQ(batches[1].checkpoint, 600);
    EXPECT_EQ(batches[1].kind, "ban");
    EXPECT_EQ(batches[1].samples, 0);
    std::vector<std::int64_t> ids;
    for (const KeptResult& one : batches[1].results) ids.push_back(one.id);
    EXPECT_EQ(ids, (std::vector<std::int64_t>{3, 4, 1})) << "routers, then experts; of two the newest; none of experts that there are not";
    EXPECT_EQ(batches[2].samples, 20);
    EXPECT_EQ(batches[3].kind, "silence");
    EXPECT_TRUE(causalBatches(all, "nobody", routers()).empty());
}

}  // namespace
}  // namespace es::store
