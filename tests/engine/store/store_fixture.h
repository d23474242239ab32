// SPDX-License-Identifier: GPL-3.0-or-later
// Small made-up records that the store's tests write and compare.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "engine/base/random.h"
#include "engine/store/run_reader.h"
#include "engine/store/run_writer.h"
#include "support/scratch_folder.h"

namespace es::test {

inline store::RouterInfo routerInfo(std::int32_t id, std::int32_t experts = 8, std::int32_t k = 2,
                                    store::RoutingLayout layout = store::RoutingLayout::kFixedK) {
    store::RouterInfo router;
    router.id = RouterId(id);
    router.layer = LayerIndex(id / 2);
    router.branch = id % 2 == 0 ? Branch::kVision : Branch::kText;
    router.kind = "softmax_topk";
    router.experts = experts;
    router.k = k;
    router.layout = layout;
    return router;
}

/// Random routing with every optional column; reproducible from the seed.
inline store::RoutingTable randomTable(const store::RouterInfo& router, std::int64_t step, std::int64_t tokens, std::uint64_t seed, bool probs = true) {
    RandomStream random(seed, RandomPurpose::kSynthetic, static_cast<std::uint64_t>(step), static_cast<std::uint32_t>(router.id.value));
    store::RoutingTable t;
    t.router = router;
    t.step = step;
    t.tokens = tokens;
    const auto experts = static_cast<std::uint32_t>(router.experts);
    // Values that a half holds exactly, so that what comes back can be compared to the bit.
    const auto half = [&] { return static_cast<float>(random.below(1024)) / 1024.0f; };
    if (router.layout == store::RoutingLayout::kRagged) t.offsets.push_back(0);
    for (std::int64_t token = 0; token < tokens; ++token) {
        std::uint32_t count = static_cast<std::uint32_t>(router.k);
        if (router.layout == store::RoutingLayout::kRagged) count = random.below(experts + 1);
        if (router.layout == store::RoutingLayout::kDenseMass) {
            for (std::uint32_t e = 0; e < experts; ++e) t.gates.push_back(half());
        } else {
            for (std::uint32_t i = 0; i < count; ++i) {
                t.expert_ids.push_back(static_cast<std::uint16_t>(random.below(experts)));
                t.gates.push_back(half());
                t.place.push_back(random.below(20));
                t.kept.push_back(t.place.back() < 18);
            }
            t.slots_T.push_back(18);
        }
        if (router.layout == store::RoutingLayout::kRagged) t.offsets.push_back(t.offsets.back() + count);
        t.entropy_nats_T.push_back(half());
        t.boundary_margin_T.push_back(half());
        if (probs)
            for (std::uint32_t e = 0; e < experts; ++e) t.probs_TE.push_back(static_cast<float>(random.uniform()));
        const bool word = token % 50 >= 36;
        t.sample_T.push_back(1000 + static_cast<std::uint64_t>(token / 50));
        t.position_T.push_back(static_cast<std::uint16_t>(word ? token % 50 - 36 : token % 50));
        t.modality_T.push_back(word ? Modality::kText : Modality::kVision);
        t.token_id_T.push_back(word ? static_cast<std::int32_t>(random.below(1024)) : -1);
        t.masked_T.push_back(random.below(2) == 0);
        t.objective_T.push_back(word ? Objective::kPairText : Objective::kPairImage);
    }
    return t;
}

inline void expectSameTable(const store::RoutingTable& a, const store::RoutingTable& b) {
    EXPECT_EQ(a.router, b.router);
    EXPECT_EQ(a.step, b.step);
    ASSERT_EQ(a.tokens, b.tokens);
    EXPECT_EQ(a.expert_ids, b.expert_ids);
    EXPECT_EQ(a.gates, b.gates);
    EXPECT_EQ(a.kept, b.kept);
    EXPECT_EQ(a.place, b.place);
    EXPECT_EQ(a.slots_T, b.slots_T);
    EXPECT_EQ(a.offsets, b.offsets);
    EXPECT_EQ(a.probs_TE, b.probs_TE);
    EXPECT_EQ(a.entropy_nats_T, b.entropy_nats_T);
    EXPECT_EQ(a.boundary_margin_T, b.boundary_margin_T);
    EXPECT_EQ(a.sample_T, b.sample_T);
    EXPECT_EQ(a.position_T, b.position_T);
    EXPECT_EQ(a.modality_T, b.modality_T);
    EXPECT_EQ(a.token_id_T, b.token_id_T);
    EXPECT_EQ(a.masked_T, b.masked_T);
    EXPECT_EQ(a.objective_T, b.objective_T);
}

inline store::SampleRecord sampleRecord(std::uint64_t hash) {
    store::SampleRecord s;
    s.hash = hash;
    s.dataset = "emoji";
    s.index = static_cast<std::int64_t>(hash % 1000);
    s.split = Split::kValidation;
    s.caption = "grüner Apfel 🍏 " + std::to_string(hash);
    s.token_ids = {3, 14, 15};
    s.token_texts = {"grüner", "Apfel", "\"x\"\n"};
    s.category = "food";
    s.subcategory = "fruit";
    s.domain = "emoji";
    s.license = "OFL-1.1";
    s.source = "fonts-noto";
    s.picture.width = 6;
    s.picture.height = 4;
    for (int i = 0; i < 6 * 4 * 4; ++i) s.picture.rgba.push_back(static_cast<std::uint8_t>(hash + static_cast<std::uint64_t>(i)));
    s.grid_width = 3;
    s.grid_height = 2;
    return s;
}

inline void expectSameSample(const store::SampleRecord& a, const store::SampleRecord& b, bool picture) {
    EXPECT_EQ(a.hash, b.hash);
    EXPECT_EQ(a.dataset, b.dataset);
    EXPECT_EQ(a.index, b.index);
    EXPECT_EQ(a.split, b.split);
    EXPECT_EQ(a.caption, b.caption);
    EXPECT_EQ(a.token_ids, b.token_ids);
    EXPECT_EQ(a.token_texts, b.token_texts);
    EXPECT_EQ(a.category, b.category);
    EXPECT_EQ(a.subcategory, b.subcategory);
    EXPECT_EQ(a.domain, b.domain);
    EXPECT_EQ(a.license, b.license);
    EXPECT_EQ(a.source, b.source);
    EXPECT_EQ(a.grid_width, b.grid_width);
    EXPECT_EQ(a.grid_height, b.grid_height);
    if (!picture) {
        EXPECT_TRUE(b.picture.empty());
        return;
    }
    EXPECT_EQ(a.picture.width, b.picture.width);
    EXPECT_EQ(a.picture.height, b.picture.height);
    EXPECT_EQ(a.picture.rgba, b.picture.rgba);
}

inline store::LoadRecord loadRecord(std::int64_t step, std::int32_t router, Modality modality = Modality::kVision) {
    store::LoadRecord r;
    r.step = step;
    r.router = RouterId(router);
    r.modality = modality;
    r.tokens = 100;
    for (std::uint32_t e = 0; e < 8; ++e) {
        r.counts_E.push_back(10 + e + static_cast<std::uint32_t>(step % 3));
        r.mass_E.push_back(static_cast<float>(e) + 0.5f);
    }
    r.dropped = 3;
    r.entropy_nats = 1.5f;
    r.top1 = 0.25f;
    r.logsumexp = 2.5f;
    r.max_abs_logit = static_cast<float>(step);
    r.balance_loss = 1.125f;
    r.z_loss = 6.25f;
    return r;
}

inline void expectSameLoad(const store::LoadRecord& a, const store::LoadRecord& b) {
    EXPECT_EQ(a.step, b.step);
    EXPECT_EQ(a.router, b.router);
    EXPECT_EQ(a.modality, b.modality);
    EXPECT_EQ(a.tokens, b.tokens);
    EXPECT_EQ(a.counts_E, b.counts_E);
    EXPECT_EQ(a.mass_E, b.mass_E);
    EXPECT_EQ(a.dropped, b.dropped);
    EXPECT_EQ(a.entropy_nats, b.entropy_nats);
    EXPECT_EQ(a.top1, b.top1);
    EXPECT_EQ(a.logsumexp, b.logsumexp);
    EXPECT_EQ(a.max_abs_logit, b.max_abs_logit);
    EXPECT_EQ(a.balance_loss, b.balance_loss);
    EXPECT_EQ(a.z_loss, b.z_loss);
}

inline store::Evaluation evaluation(std::int64_t step) {
    store::Evaluation e;
    e.step = step;
    for (std::uint64_t s = 0; s < 20; ++s)
        e.rows.push_back({1000 + s, static_cast<Objective>(s % 4), static_cast<std::int64_t>(s), 0.1 * static_cast<double>(s), 1.0,
                          static_cast<std::int32_t>(s), s % 2 == 0 ? std::numeric_limits<double>::quiet_NaN() : 0.5, s % 5 == 0 ? "wrong_picture" : ""});
    return e;
}

inline std::vector<store::RouterInfo> twoRouters() { return {routerInfo(0), routerInfo(1)}; }

/// Fails the test with the error's words.
template <class T>
auto must(Result<T> result) {
    if (!result) {
        ADD_FAILURE() << result.error().message();
        throw std::runtime_error(result.error().message());
    }
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

inline bool anyContains(const std::vector<std::string>& texts, const std::string& part) {
    return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

/// Sends indexes that cannot live in the run to a folder of the test's own instead of the user's cache.
class StoreTest : public ::testing::Test {
protected:
    void SetUp() override { setenv("XDG_CACHE_HOME", (scratch_ / "cache").c_str(), 1); }
    ScratchFolder scratch_;
};

}  // namespace es::test
