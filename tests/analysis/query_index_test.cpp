// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/query/query_index.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <tuple>

#include "analysis/memory_run.h"
#include "analysis/metrics/load.h"
#include "analysis/query/named_sets.h"
#include "analysis/query/restricted_run.h"
#include "analysis/report/analyze.h"
#include "engine/base/random.h"
#include "engine/store/packing.h"
#include "support/scratch_folder.h"

namespace es::analysis {
namespace {

using Token = std::tuple<std::uint64_t, Objective, Modality, std::uint32_t>;
using Tokens = std::set<Token>;

constexpr int kSamples = 40, kPatches = 16, kWords = 5;
const char* kNames[kWords] = {"a", "red", "dog", "and", "cats"};

store::SampleRecord record(std::uint64_t hash) {
    store::SampleRecord sample;
    sample.hash = hash;
    sample.caption = hash % 3 == 0 ? "a red dog and cats" : "a red ball and cats";
    sample.category = hash % 2 == 0 ? "animals" : "toys and games";
    sample.split = Split::kValidation;
    sample.dataset = "made up";
    sample.grid_width = sample.grid_height = 4;
    for (const char* word : kNames) sample.token_texts.emplace_back(hash % 3 != 0 && std::string(word) == "dog" ? "ball" : word);
    for (int i = 0; i < kWords; ++i) sample.token_ids.push_back(10 + i);
    if (hash % 4 == 0) {
        // The upper half is a red thing, the left of the lower half a blue one, the rest background.
        SceneTruth truth;
        truth.objects = {{"circle", "red", "", "", "", ""}, {"square", "blue", "", "", "", ""}};
        truth.side = 16;
        for (int y = 0; y < 16; ++y)
            for (int x = 0; x < 16; ++x) truth.owner.push_back(static_cast<std::uint8_t>(y < 8 ? 1 : x < 8 ? 2 : 0));
        truth.words = {{2, 5, WordRole::kColour, 0}, {6, 9, WordRole::kObject, 1}};
        sample.truth = truth;
    }
    return sample;
}

store::RoutingTable table(std::int32_t id, std::int32_t layer, Branch branch, store::RoutingLayout layout) {
    store::RoutingTable made;
    made.router = {RouterId(id), LayerIndex(layer), branch, "softmax_topk", 8, 2, layout};
    made.step = 600;
    RandomStream random(7, RandomPurpose::kSynthetic, static_cast<std::uint64_t>(id), 3);
    if (layout == store::RoutingLayout::kRagged) made.offsets.push_back(0);
    // The routers see their tokens in different orders and not all of them.
    for (int i = 0; i < kSamples; ++i) {
        const auto hash = static_cast<std::uint64_t>(id % 2 == 0 ? i + 1 : kSamples - i);
        for (const bool word : {false, true}) {
            if (word != (branch == Branch::kText) && branch != Branch::kAll) continue;
            for (int p = 0; p < (word ? kWords : kPatches); ++p) {
                if (branch == Branch::kAll && p == 3) continue;
                made.sample_T.push_back(hash);
                made.position_T.push_back(static_cast<std::uint16_t>(p));
                made.modality_T.push_back(word ? Modality::kText : Modality::kVision);
                made.objective_T.push_back(word ? Objective::kPairText : Objective::kPairImage);
                made.token_id_T.push_back(word ? 10 + p : -1);
                made.masked_T.push_back(random.uniform() < 0.3 ? 1 : 0);
                made.entropy_nats_T.push_back(store::halfToFloat(store::floatToHalf(static_cast<float>(random.uniform() * 2))));
                made.boundary_margin_T.push_back(store::halfToFloat(store::floatToHalf(static_cast<float>(random.uniform() * 0.4))));
                const std::uint32_t first = random.below(8), second = (first + 1 + random.below(7)) % 8;
                const float gate = store::halfToFloat(store::floatToHalf(static_cast<float>(0.5 + random.uniform() / 2)));
                if (layout == store::RoutingLayout::kDenseMass) {
                    for (std::uint32_t e = 0; e < 8; ++e) made.gates.push_back(e == first ? 0.9f : 0.01f);
                } else {
                    const bool none = layout == store::RoutingLayout::kRagged && random.uniform() < 0.2;
                    for (const auto& [expert, weight] : {std::pair{first, gate}, std::pair{second, 0.25f}})
                        if (!none) {
                            made.expert_ids.push_back(static_cast<std::uint16_t>(expert));
                            made.gates.push_back(weight);
                            made.kept.push_back(random.uniform() < 0.6 ? 1 : 0);
                        }
                    if (layout == store::RoutingLayout::kRagged) made.offsets.push_back(static_cast<std::int64_t>(made.expert_ids.size()));
                }
            }
        }
    }
    made.tokens = static_cast<std::int64_t>(made.sample_T.size());
    return made;
}

test::MemoryRun someRun() {
    test::MemoryRun run;
    for (int i = 1; i <= kSamples; ++i) run.samples.push_back(record(static_cast<std::uint64_t>(i)));
    run.samples.push_back(record(1000));  // that no probe holds
    const store::RoutingTable tables[] = {table(0, 6, Branch::kVision, store::RoutingLayout::kFixedK),
                                          table(1, 6, Branch::kText, store::RoutingLayout::kFixedK), table(2, 8, Branch::kAll, store::RoutingLayout::kRagged),
                                          table(3, 9, Branch::kVision, store::RoutingLayout::kDenseMass)};
    for (const store::RoutingTable& one : tables) {
        run.router_table.push_back(one.router);
        run.probe_tables[{600, "trained"}][one.router.id.value] = one;
        run.probe_tables[{0, "trained"}][one.router.id.value] = one;
    }
    store::Evaluation evaluation{600, Split::kValidation, {}};
    for (int i = 1; i <= kSamples; ++i)
        for (const std::int64_t seed : {0, 1}) {
            evaluation.rows.push_back({static_cast<std::uint64_t>(i), Objective::kPairText, seed, i * 0.1 + static_cast<double>(seed), 3, 2, 0.5, ""});
            evaluation.rows.push_back({static_cast<std::uint64_t>(i), Objective::kPairText, seed, 100, 3, 2, 0.5, "wrong_picture"});
        }
    run.evaluation_list[600] = evaluation;
    return run;
}

/// Tokens of those rows of any router that `fits` says, found one by one.
Tokens byHand(const test::MemoryRun& run, const std::function<bool(const store::RoutingTable&, std::size_t)>& fits) {
    Tokens found;
    for (const auto& [id, one] : run.probe_tables.at({600, "trained"}))
        for (std::size_t t = 0; t < static_cast<std::size_t>(one.tokens); ++t)
            if (fits(one, t)) found.insert({one.sample_T[t], one.objective_T[t], one.modality_T[t], one.position_T[t]});
    return found;
}

Tokens listed(const TokenSet& set) {
    Tokens tokens;
    set.forEachListed([&](std::uint64_t sample, Objective objective, Modality modality, std::uint32_t position) {
        tokens.insert({sample, objective, modality, position});
    });
    return tokens;
}

bool chose(const store::RoutingTable& table, std::size_t t, int expert) {
    if (table.router.layout == store::RoutingLayout::kDenseMass) return table.gates[t * 8 + static_cast<std::size_t>(expert)] > 0.5f;
    bool any = false;
    store::RoutingView(table).forEachAssignmentOf(static_cast<std::int64_t>(t),
                                                  [&](std::int64_t, ExpertIndex e, float, bool) { any = any || e.value == expert; });
    return any;
}
bool tokenDropped(const store::RoutingTable& table, std::size_t t) {
    bool kept_any = false;
    store::RoutingView(table).forEachAssignmentOf(static_cast<std::int64_t>(t),
                                                  [&](std::int64_t, ExpertIndex, float, bool kept) { kept_any = kept_any || kept; });
    return !kept_any;
}

class QueryIndexTest : public testing::Test {
protected:
    QueryAnswer ask(const std::string& text) {
        const auto query = readQuery(text);
        EXPECT_TRUE(query) << text << ": " << (query ? "" : query.error().message());
        auto answer = index_->answer(*query);
        EXPECT_TRUE(answer) << text << ": " << (answer ? "" : answer.error().message());
        return answer ? *answer : QueryAnswer{};
    }
    Error refused(const std::string& text) {
        auto answer = index_->answer(*readQuery(text));
        EXPECT_FALSE(answer) << text;
        return answer ? Error{} : answer.error();
    }
    test::MemoryRun run_ = someRun();
    std::shared_ptr<const QueryIndex> index_ = *QueryIndex::make(run_);
};

TEST_F(QueryIndexTest, AgreesWithASearchByHand) {
    const auto layer = [](const store::RoutingTable& table, int wanted) { return table.router.layer.value == wanted; };
    const auto sampleOf = [](const store::RoutingTable& table, std::size_t t) { return table.sample_T[t]; };
    struct Case {
        std::string query;
        std::function<bool(const store::RoutingTable&, std::size_t)> fits;
    };
    const std::vector<Case> cases = {
        {"expert 5", [](const auto& table, std::size_t t) { return chose(table, t, 5); }},
        {"expert 5 and expert 2", [](const auto& table, std::size_t t) { return chose(table, t, 5) && chose(table, t, 2); }},
        {"expert 5, layer 6.v", [&](const auto& table, std::size_t t) { return table.router.id.value == 0 && chose(table, t, 5); }},
        {"expert 5 and expert 2, layer 6.v, margin < 0.1, category animals",
         [&](const auto& table, std::size_t t) {
             return table.router.id.value == 0 && chose(table, t, 5) && chose(table, t, 2) && table.boundary_margin_T[t] < 0.1f && sampleOf(table, t) % 2 == 0;
         }},
        {"margin >= 0.1 and entropy <= 1.25, layer 8",
         [&](const auto& table, std::size_t t) { return layer(table, 8) && table.boundary_margin_T[t] >= 0.1f && table.entropy_nats_T[t] <= 1.25f; }},
        {"weight > 0.75, layer 6", [&](const auto& table, std::size_t t) { return layer(table, 6) && table.gates[t * 2] > 0.75f; }},
        {"masked and dropped",
         [](const auto& table, std::size_t t) {
             return table.masked_T[t] != 0 && tokenDropped(table, t) && table.router.layout != store::RoutingLayout::kDenseMass;
         }},
        {"not masked, modality patch, layer 8",
         [&](const auto& table, std::size_t t) { return layer(table, 8) && table.masked_T[t] == 0 && table.modality_T[t] == Modality::kVision; }},
        {"word 'red' or position = 7",
         [](const auto& table, std::size_t t) { return table.position_T[t] == 7 || (table.modality_T[t] == Modality::kText && table.position_T[t] == 1); }},
        {"word ~ ca, first 3",
         [](const auto& table, std::size_t t) {
             return table.modality_T[t] == Modality::kText && table.position_T[t] == 4 && firstChoices(store::RoutingView(table))[t] == 3;
         }},
        {"row = 2, column > 1, layer 6",
         [&](const auto& table, std::size_t t) {
             return layer(table, 6) && table.modality_T[t] == Modality::kVision && table.position_T[t] / 4 == 2 && table.position_T[t] % 4 > 1;
         }},
        {"truth colour red, layer 6.v",
         [&](const auto& table, std::size_t t) { return table.router.id.value == 0 && sampleOf(table, t) % 4 == 0 && table.position_T[t] < 8; }},
        {"truth background, layer 6.v",
         [&](const auto& table, std::size_t t) {
             return table.router.id.value == 0 && sampleOf(table, t) % 4 == 0 && table.position_T[t] >= 8 && table.position_T[t] % 4 >= 2;
         }},
        {"truth role colour",
         [&](const auto& table, std::size_t t) { return table.modality_T[t] == Modality::kText && sampleOf(table, t) % 4 == 0 && table.position_T[t] == 1; }},
        {"objective pair_text, caption ~ DOG",
         [&](const auto& table, std::size_t t) { return table.objective_T[t] == Objective::kPairText && sampleOf(table, t) % 3 == 0; }},
        {"expert 1 or (expert 2 and not expert 3)",
         [](const auto& table, std::size_t t) { return chose(table, t, 1) || (chose(table, t, 2) && !chose(table, t, 3)); }},
    };
    for (const Case& one : cases) {
        const QueryAnswer answer = ask(one.query);
        const Tokens expected = byHand(run_, one.fits);
        EXPECT_FALSE(expected.empty()) << one.query << " finds nothing: the case proves nothing";
        EXPECT_EQ(listed(answer.tokens), expected) << one.query;
        EXPECT_EQ(answer.found_tokens, static_cast<std::int64_t>(expected.size())) << one.query;
        std::set<std::uint64_t> samples;
        for (const Token& token : expected) samples.insert(std::get<0>(token));
        EXPECT_EQ(answer.samples.hashes(), std::vector<std::uint64_t>(samples.begin(), samples.end())) << one.query;
    }
}

TEST_F(QueryIndexTest, OneConditionMaySpeakOfAnotherRouter) {
    // Expert 3 in 6.v and not in 8.all, whatever the order in which the two saw their tokens.
    const auto& in_six = run_.probe_tables.at({600, "trained"}).at(0);
    const auto& in_eight = run_.probe_tables.at({600, "trained"}).at(2);
    Tokens expected, also;
    for (std::size_t t = 0; t < static_cast<std::size_t>(in_six.tokens); ++t)
        if (chose(in_six, t, 3)) expected.insert({in_six.sample_T[t], in_six.objective_T[t], in_six.modality_T[t], in_six.position_T[t]});
    for (std::size_t t = 0; t < static_cast<std::size_t>(in_eight.tokens); ++t)
        if (chose(in_eight, t, 3)) also.insert({in_eight.sample_T[t], in_eight.objective_T[t], in_eight.modality_T[t], in_eight.position_T[t]});
    Tokens both, only;
    for (const Token& token : expected) (also.contains(token) ? both : only).insert(token);
    ASSERT_FALSE(both.empty());
    ASSERT_FALSE(only.empty());
    EXPECT_EQ(listed(ask("expert 3 in 6.v and expert 3 in 8.all").tokens), both);
    EXPECT_EQ(listed(ask("expert 3 in 6.v and not expert 3 in 8").tokens), only);
}

TEST_F(QueryIndexTest, QuestionsAboutSamplesAloneNeedNoProbe) {
    const QueryAnswer animals = ask("category animals");
    EXPECT_EQ(animals.samples.size(), 21u);  // 20 of the probe and the one that it does not hold
    EXPECT_TRUE(animals.samples.contains(1000));
    EXPECT_EQ(animals.tokens.wholeSamples(), animals.samples);
    EXPECT_EQ(animals.found_tokens, 20 * (kPatches + kWords));
    EXPECT_EQ(animals.all_tokens, kSamples * (kPatches + kWords));
    // The mean over mask seeds is 0.1 i + 0.5; samples that were not evaluated fit nothing.
    EXPECT_EQ(ask("loss > 2.5").samples.size(), 20u);
    EXPECT_EQ(ask("loss pair_text <= 2.5").samples.size(), 20u);
    EXPECT_EQ(ask("loss image > 0").samples.size(), 0u);
    EXPECT_EQ(ask("sample 00000000000003e8").samples.hashes(), std::vector<std::uint64_t>{1000});
    EXPECT_EQ(ask("").samples.size(), 41u);
    test::MemoryRun bare = run_;
    bare.probe_tables.clear();
    const auto index = *QueryIndex::make(bare);
    EXPECT_FALSE(index->step());
    EXPECT_EQ((*index->answer(*readQuery("category animals"))).samples.size(), 21u);
    const auto routed = *index->answer(*readQuery("expert 1"));
    EXPECT_TRUE(routed.tokens.empty());
    EXPECT_FALSE(routed.notes.empty());
}

TEST_F(QueryIndexTest, NotNeverFindsWhatWasNotRecorded) {
    // Samples that were not evaluated, and scenes of which nothing is known.
    EXPECT_EQ(ask("not loss > 2.5").samples.size(), 20u) << "sample 1000 was not evaluated";
    EXPECT_EQ(ask("not loss image > 0").samples.size(), 0u);
    EXPECT_EQ(ask("not (loss > 2.5 or category animals)").samples.size(), 10u);
    EXPECT_EQ(ask("not not loss > 2.5").samples, ask("loss > 2.5").samples);
    const Tokens red = listed(ask("truth colour red, modality patch").tokens), others = listed(ask("not truth colour red, modality patch").tokens);
    EXPECT_FALSE(red.empty());
    EXPECT_FALSE(others.empty());
    for (const Token& token : others) {
        EXPECT_EQ(std::get<0>(token) % 4, 0u) << "only of scenes";
        EXPECT_FALSE(red.contains(token));
    }
    // Margins of one router were lost, of another those of some tokens.
    test::MemoryRun run = run_;
    auto& tables = run.probe_tables[{600, "trained"}];
    tables[0].boundary_margin_T.clear();
    for (std::size_t t = 0; t < 40; ++t) tables[1].boundary_margin_T[t] = NAN;
    const auto index = *QueryIndex::make(run);
    const auto found = [&](const std::string& text) { return (*index->answer(*readQuery(text))).found_tokens; };
    EXPECT_EQ(found("not margin < 0.1, layer 6.v"), 0);
    EXPECT_GT(found("not margin < 0.1, layer 6.t"), 0);
    EXPECT_EQ(found("not margin < 0.1, layer 6.t") + found("margin < 0.1, layer 6.t"), kSamples * kWords - 40);
    EXPECT_EQ(found("not (margin < 0.1 and masked), layer 6.t") + found("margin < 0.1 and masked, layer 6.t"),
              kSamples * kWords - found("masked, layer 6.t") + found("margin < 9 and masked, layer 6.t"))
        << "of a token that is not masked the margin need not be known";
    EXPECT_EQ(found("not margin < 0.1 in 6.t, layer 8, modality word") + found("margin < 0.1 in 6.t, layer 8, modality word"),
              found("margin < 9 in 6.t, layer 8, modality word"));
}

TEST_F(QueryIndexTest, ValuesThatTheRunDoesNotHaveAreErrorsThatNameTheNearest) {
    const Error category = refused("masked, category animls");
    EXPECT_EQ(category.kind, ErrorKind::kBadInput);
    EXPECT_NE(category.remedy.find("'animals'"), std::string::npos) << category.message();
    EXPECT_NE(category.why.find("character 18"), std::string::npos) << category.message();
    EXPECT_NE(refused("layer 7").remedy.find("6.v"), std::string::npos);
    EXPECT_NE(refused("expert 3 in 6.vl").remedy.find("6.v"), std::string::npos);
    EXPECT_NE(refused("expert 8").remedy.find("0 to 7"), std::string::npos);
    EXPECT_NE(refused("word 'rad'").remedy.find("'red'"), std::string::npos);
    EXPECT_NE(refused("truth colour rod").remedy.find("'red'"), std::string::npos);
    EXPECT_FALSE(QueryIndex::make(run_, {123, {}}));
}

TEST_F(QueryIndexTest, WhatWasKeptAnswersTheSame) {
    test::ScratchFolder scratch;
    run_.origin.run_uuid = "11111111-0000-4000-8000-000000000000";
    const QueryIndexOptions options{-1, scratch.path()};
    const auto fresh = *QueryIndex::make(run_, options), kept = *QueryIndex::make(run_, options);
    EXPECT_FALSE(fresh->wasKept());
    EXPECT_TRUE(kept->wasKept());
    for (const char* query : {"expert 5, layer 6.v, margin < 0.1", "dropped or masked", "entropy > 1, word 'cats'"})
        EXPECT_EQ(kept->answer(*readQuery(query))->tokens, fresh->answer(*readQuery(query))->tokens) << query;
    // Damage costs the time to read the probe again, nothing else.
    for (const auto& file : std::filesystem::directory_iterator(scratch.path())) std::filesystem::resize_file(file.path(), file.file_size() / 2);
    const auto again = *QueryIndex::make(run_, options);
    EXPECT_FALSE(again->wasKept());
    EXPECT_EQ(again->answer(*readQuery("expert 5"))->tokens, fresh->answer(*readQuery("expert 5"))->tokens);
}

TEST_F(QueryIndexTest, CategoriesOfJoinedSetsGoByTheirOwnName) {
    for (store::SampleRecord& sample : run_.samples)
        if (sample.category == "animals") sample.category = "clipart: animals";
    const auto index = *QueryIndex::make(run_);
    const auto found = [&](const char* query) { return index->answer(*readQuery(query))->samples.size(); };
    EXPECT_GT(found("category animals"), 0u);
    EXPECT_EQ(found("category animals"), found("category 'clipart: animals'"));
    EXPECT_EQ(found("category != animals") + found("category animals"), found("split validation"));
    EXPECT_FALSE(index->answer(*readQuery("category clipart")));
}

TEST_F(QueryIndexTest, ADamagedRouterIsLeftOutAndNamed) {
    run_.probe_tables.at({600, "trained"}).erase(2);
    run_.missing_tables_fail = true;
    const auto index = *QueryIndex::make(run_);
    const auto answer = *index->answer(*readQuery("expert 5"));
    EXPECT_FALSE(answer.tokens.empty());
    ASSERT_EQ(answer.notes.size(), 2u);  // the damage, and that router 9.v is soft
    EXPECT_NE(answer.notes.front().find("8.all"), std::string::npos) << answer.notes.front();
}

TEST_F(QueryIndexTest, AnAnalysisOfASetSeesItsTokensAlone) {
    const QueryAnswer answer = ask("category animals, modality patch");
    ChosenSet set{false, {}, answer.query, answer.tokens};
    const auto part = restrictBorrowed(run_, set);
    const store::ProbeKey key{600, "trained"};
    for (const store::RouterInfo& router : run_.router_table) {
        const store::RoutingTable& whole = run_.probe_tables.at(key).at(router.id.value);
        const store::RoutingTable cut = *part->probe(key, router.id);
        std::int64_t expected = 0;
        for (std::size_t t = 0; t < static_cast<std::size_t>(whole.tokens); ++t)
            expected += whole.sample_T[t] % 2 == 0 && whole.modality_T[t] == Modality::kVision;
        EXPECT_EQ(cut.tokens, expected);
        EXPECT_EQ(answer.tokens.rowsOf(cut), std::vector<std::uint8_t>(static_cast<std::size_t>(cut.tokens), 1));
        EXPECT_EQ(expertLoads(store::RoutingView(cut)), expertLoads(store::RoutingView(whole), Weighing::kAuto, answer.tokens.rowsOf(whole)));
        const store::RoutingChunk chunk = *part->probeColumns(key, router.id, {});
        EXPECT_EQ(answer.tokens.rowsOf(chunk.runs), answer.tokens.rowsOf(chunk.table));
    }
    EXPECT_EQ(part->sampleList()->size(), 20u);
    EXPECT_EQ(part->evaluation(600)->rows.size(), 80u);
    AnalyzeRequest request;
    request.metrics = {"load"};
    request.set = set;
    const auto result = analyzeRun(run_, request);
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_NE(result->set.find("320 tokens of 20 samples"), std::string::npos) << result->set;
    // A text router has no token of the set: its rows are there or not, but nothing fails and nothing is made up.
    request.metrics = {};
    EXPECT_TRUE(analyzeRun(run_, request));
}

TEST(TokenSet, HoldsWhatWasAddedInAnyOrder) {
    RandomStream random(3, RandomPurpose::kSynthetic);
    TokenSetBuilder forward, backward;
    Tokens expected;
    std::vector<Token> tokens;
    for (int i = 0; i < 3000; ++i)
        tokens.emplace_back(random.below(30), static_cast<Objective>(random.below(4)), static_cast<Modality>(random.below(2)), random.below(900));
    for (const auto& [sample, objective, modality, position] : tokens) {
        forward.add(sample, objective, modality, position);
        expected.insert({sample, objective, modality, position});
    }
    std::reverse(tokens.begin(), tokens.end());
    for (const auto& [sample, objective, modality, position] : tokens) backward.add(sample, objective, modality, position);
    const TokenSet a = forward.finish(), b = backward.finish();
    EXPECT_EQ(listed(a), expected);
    EXPECT_EQ(a, b);
    EXPECT_EQ(a.fingerprint(), b.fingerprint());
    EXPECT_EQ(a.listedTokens(), static_cast<std::int64_t>(expected.size()));
    for (std::uint32_t position = 0; position < 900; ++position)
        EXPECT_EQ(a.contains(5, Objective::kText, Modality::kText, position), expected.contains({5, Objective::kText, Modality::kText, position}));
    const TokenSet whole = TokenSet::ofSamples(SampleSet({9, 4, 9}));
    EXPECT_EQ(whole.samples().size(), 2u);
    EXPECT_TRUE(whole.contains(4, Objective::kImage, Modality::kVision, 12345));
    EXPECT_FALSE(whole.contains(5, Objective::kImage, Modality::kVision, 0));
    EXPECT_NE(whole.fingerprint(), TokenSet().fingerprint());
}

TEST(NamedSets, ANameComesBeforeAQueryAndNearestIsNamed) {
    const std::vector<store::NamedSet> sets = {{"red animals", "category animals, word red", 1}, {"sure", "margin > 0.5", 2}};
    EXPECT_EQ(resolveSet("sure", sets)->query, "margin > 0.5");
    EXPECT_EQ(resolveSet("masked", sets)->query, "masked");
    const auto unknown = resolveSet("red animal", sets);
    ASSERT_FALSE(unknown);
    EXPECT_NE(unknown.error().remedy.find("'red animals'"), std::string::npos) << unknown.error().message();
    EXPECT_FALSE(resolveSet("expert x", sets));
    for (const char* name : {"", "  ", "masked", "expert 5, masked", "two\nlines"}) EXPECT_FALSE(checkSetName(name)) << name;
    EXPECT_FALSE(checkSetName(std::string(61, 'x')));
    EXPECT_TRUE(checkSetName("red animals"));
    test::ScratchFolder scratch;
    test::MemoryRun run = someRun();
    run.path = scratch.path();
    ASSERT_TRUE(saveSet(run, "pets", "caption ~ dog"));
    EXPECT_FALSE(saveSet(run, "broken", "caption ~"));
    EXPECT_EQ(chooseSet(run, "pets")->tokens.wholeSamples().size(), 13u);
    EXPECT_TRUE(chooseSet(run, "")->everything);
    const auto nothing = chooseSet(run, "margin > 9");
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().kind, ErrorKind::kBadInput);
}

}  // namespace
}  // namespace es::analysis
