// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/token_dispatcher.h"

#include <gtest/gtest.h>

#include "engine/model/selection.h"

namespace es::engine {
namespace {

/// Kept choices sit within their expert's slots, in token order; the others have none.
void expectSound(const DispatchPlan& plan, const at::Tensor& indices_TK) {
    std::vector<std::int64_t> taken(static_cast<std::size_t>(plan.offsets.back()), 0);
    for (std::int64_t t = 0; t < indices_TK.size(0); ++t) {
        for (std::int64_t j = 0; j < indices_TK.size(1); ++j) {
            const std::int64_t slot = plan.slot_of_TK[t][j].item<std::int64_t>(), expert = indices_TK[t][j].item<std::int64_t>();
            const bool kept = expert >= 0 && (!plan.kept_TK.defined() || plan.kept_TK[t][j].item<bool>());
            ASSERT_EQ(slot >= 0, kept);
            if (!kept) continue;
            const auto e = static_cast<std::size_t>(expert);
            EXPECT_TRUE(slot >= plan.offsets[e] && slot < plan.offsets[e + 1]);
            EXPECT_EQ(plan.token_of_slot_S[slot].item<std::int64_t>(), t);
            ++taken[static_cast<std::size_t>(slot)];
            if (slot > plan.offsets[e]) {
                EXPECT_LE(plan.token_of_slot_S[slot - 1].item<std::int64_t>(), t);
            }
        }
    }
    EXPECT_EQ(taken, std::vector<std::int64_t>(taken.size(), 1));
}

void expectEqualPlans(const DispatchPlan& plan, const DispatchPlan& reference) {
    EXPECT_EQ(plan.offsets, reference.offsets);
    EXPECT_TRUE(at::equal(plan.token_of_slot_S, reference.token_of_slot_S));
    EXPECT_TRUE(at::equal(plan.slot_of_TK, reference.slot_of_TK));
    EXPECT_TRUE(at::equal(plan.counts_E, reference.counts_E));
}

TEST(Dispatch, SlotsAreSortedByExpertAndKeepTokenOrder) {
    at::manual_seed(7);
    const at::Tensor indices = at::randint(0, 7, {50, 3}, at::kLong);
    const auto dropless = makeDispatcher({.kind = "dropless"});
    const DispatchPlan plan = dropless->plan(indices, {}, 8, true);
    EXPECT_EQ(plan.offsets[8], 150);
    EXPECT_EQ(plan.offsets[7], 150);  // expert 7 is idle
    EXPECT_FALSE(plan.kept_TK.defined());
    expectSound(plan, indices);
    expectEqualPlans(plan, planSlotsReference(indices, {}, 8));
    EXPECT_THROW((void)dropless->plan(indices, {}, 5, true), c10::Error);
    EXPECT_THROW((void)planSlotsReference(indices, {}, 5), c10::Error);
    EXPECT_THROW((void)makeDispatcher({.kind = "lossy"}), c10::Error);
}

TEST(Dispatch, ChoicesThatAreDroppedOrMissingHaveNoSlot) {
    at::manual_seed(8);
    const at::Tensor indices = at::randint(-1, 6, {40, 3}, at::kLong), kept = at::rand({40, 3}).lt(0.6);
    const DispatchPlan plan = planSlots(indices, kept, 6);
    expectSound(plan, indices);
    expectEqualPlans(plan, planSlotsReference(indices, kept, 6));
    EXPECT_EQ(plan.offsets.back(), kept.logical_and(indices.ge(0)).sum().item<std::int64_t>());
    EXPECT_TRUE(at::equal(plan.counts_E, at::bincount(indices.masked_select(indices.ge(0)), {}, 6)));  // dropped ones count too
    const DispatchPlan none = planSlots(indices, at::zeros({40, 3}, at::kByte), 6);
    EXPECT_EQ(none.offsets.back(), 0);
    expectEqualPlans(none, planSlotsReference(indices, at::zeros({40, 3}, at::kByte), 6));
}

TEST(Dispatch, CapacityIsRoundedUpAndBounded) {
    EXPECT_EQ(capacityOf(1.0, 1, 64, 8), 8);
    EXPECT_EQ(capacityOf(1.25, 1, 64, 8), 10);
    EXPECT_EQ(capacityOf(1.0, 2, 65, 8), 17);    // 16.25
    EXPECT_EQ(capacityOf(1.1, 1, 100, 10), 11);  // 1.1 · 10 is a crumb above 11 in binary
    EXPECT_EQ(capacityOf(0.01, 1, 10, 8), 1);
    EXPECT_EQ(capacityOf(1000, 2, 10, 8), 10);
}

DispatchOptions capacity(double train, double eval, CapacityPolicy policy, std::int64_t group = 0) {
    return {.kind = "capacity", .capacity = {train, eval, policy, group}};
}

TEST(Dispatch, CapacityKeepsByPolicyAndPhase) {
    at::manual_seed(9);
    const at::Tensor probs = at::rand({30, 4}, at::kDouble).softmax(1), indices = selectTopK(probs, 2);
    for (const CapacityPolicy policy : {CapacityPolicy::kPosition, CapacityPolicy::kBatchPriority}) {
        const auto dispatcher = makeDispatcher(capacity(0.5, 1.0, policy));
        for (const bool training : {true, false}) {
            const DispatchPlan plan = dispatcher->plan(indices, probs, 4, training);
            const std::int64_t places = training ? 8 : 15;  // ceil(0.5 · 2 · 30 / 4) = 7.5 up
            EXPECT_TRUE(at::equal(plan.kept_TK, keptWithinCapacity(indices, probs, 4, places, policy).to(at::kBool)));
            EXPECT_EQ(plan.kept_TK.scalar_type(), at::kBool);
            for (std::size_t e = 0; e < 4; ++e) {
                const std::int64_t chosen = plan.counts_E[static_cast<std::int64_t>(e)].item<std::int64_t>();
                EXPECT_EQ(plan.offsets[e + 1] - plan.offsets[e], std::min(chosen, places));
            }
            expectSound(plan, indices);
        }
    }
}

TEST(Dispatch, PlacesSayWhoWasServedWhen) {
    EXPECT_FALSE(makeDispatcher({.kind = "dropless", .capacity = {}})->places(at::zeros({3, 1}, at::kLong), at::ones({3, 2}), 2, true));
    // Expert 0 has two slots: the first choices of tokens 0 and 2 come before the second choice of token 1.
    const at::Tensor indices = at::tensor({0, 1, 1, 0, 0, -1}, at::kLong).view({3, 2});
    const at::Tensor probs = at::tensor({0.6, 0.4, 0.1, 0.9, 0.7, 0.3}).view({3, 2});
    const auto by_position = makeDispatcher(capacity(0.5, 0.5, CapacityPolicy::kPosition))->places(indices, probs, 2, true);
    ASSERT_TRUE(by_position);
    EXPECT_TRUE(at::equal(by_position->place_TK, at::tensor({0, 1, 0, 2, 1, -1}, at::kLong).view({3, 2})));
    EXPECT_TRUE(at::equal(by_position->slots_T, at::full({3}, 2, at::kLong)));
    const auto by_confidence = makeDispatcher(capacity(0.5, 0.5, CapacityPolicy::kBatchPriority))->places(indices, probs, 2, true);
    EXPECT_TRUE(at::equal(by_confidence->place_TK, at::tensor({1, 1, 0, 2, 0, -1}, at::kLong).view({3, 2})));

    at::manual_seed(12);
    const at::Tensor many_probs = at::rand({57, 4}, at::kDouble).softmax(1), many = selectTopK(many_probs, 2);
    for (const CapacityPolicy policy : {CapacityPolicy::kPosition, CapacityPolicy::kBatchPriority})
        for (const std::int64_t group : {0, 10})
            for (const bool training : {true, false}) {
                const auto dispatcher = makeDispatcher(capacity(0.6, 0.9, policy, group));
                const auto places = dispatcher->places(many, many_probs, 4, training);
                const at::Tensor kept = dispatcher->plan(many, many_probs, 4, training).kept_TK;
                EXPECT_TRUE(at::equal(places->place_TK < places->slots_T.unsqueeze(1), kept));
                EXPECT_FALSE(kept.all().item<bool>());
            }
}

TEST(Dispatch, GroupsCompeteAmongThemselves) {
    at::manual_seed(10);
    const at::Tensor probs = at::rand({25, 3}).softmax(1), indices = selectTopK(probs, 1);
    const DispatchPlan plan = makeDispatcher(capacity(0.8, 0.8, CapacityPolicy::kBatchPriority, 10))->plan(indices, probs, 3, true);
    std::vector<at::Tensor> kept;
    for (const auto& [begin, count] : {std::pair<std::int64_t, std::int64_t>{0, 10}, {10, 10}, {20, 5}}) {
        const DispatchPlan alone =
            makeDispatcher(capacity(0.8, 0.8, CapacityPolicy::kBatchPriority))->plan(indices.narrow(0, begin, count), probs.narrow(0, begin, count), 3, true);
        kept.push_back(alone.kept_TK);
    }
    EXPECT_TRUE(at::equal(plan.kept_TK, at::cat(kept)));
    // A group larger than the batch is one group.
    const DispatchPlan large = makeDispatcher(capacity(0.8, 0.8, CapacityPolicy::kPosition, 99))->plan(indices, probs, 3, true);
    EXPECT_TRUE(at::equal(large.kept_TK, makeDispatcher(capacity(0.8, 0.8, CapacityPolicy::kPosition))->plan(indices, probs, 3, true).kept_TK));
}

TEST(GatherSlots, GradientsOfDroppedChoicesAreZero) {
    at::manual_seed(11);
    const at::Tensor indices = at::tensor({0, 1, 1, 0, 1, -1}, at::kLong).view({3, 2}), kept = at::tensor({1, 0, 0, 0, 1, 1}, at::kByte).view({3, 2});
    const DispatchPlan plan = planSlots(indices, kept, 2);
    for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
        const at::Tensor x = at::randn({3, 4}, type).set_requires_grad(true);
        const at::Tensor slots = gatherSlots(x, plan);
        EXPECT_TRUE(at::equal(slots, at::stack({x[0], x[2]})));
        slots.backward(at::ones({2, 4}, type));
        EXPECT_TRUE(at::equal(x.grad(), at::tensor({1, 0, 1}).to(type).unsqueeze(1).expand({3, 4})));  // token 1 lost both choices
    }
}

}  // namespace
}  // namespace es::engine
