// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/config_io.h"

#include <gtest/gtest.h>

#include <set>

#include "support/scratch_folder.h"

namespace es::config {
namespace {

TEST(ConfigIo, DefaultsRoundTrip) {
    const RunConfig defaults;
    const std::string text = toToml(defaults);
    const auto again = parseToml(text, "run.toml");
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(toToml(*again), text);
}

TEST(ConfigIo, EveryOptionHasHelpAndUniqueName) {
    std::set<std::string> names;
    for (const OptionDescription& option : describeOptions()) {
        EXPECT_GT(option.help.size(), 10u) << option.name;
        EXPECT_TRUE(names.insert(option.section + "." + option.name).second) << option.name;
    }
    EXPECT_GT(names.size(), 50u);
}

TEST(ConfigIo, UnknownKeyNamesTheNearestAndTheLine) {
    const auto config = parseToml("[train]\nlearning_rat = 0.1\n", "bad.toml");
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().kind, ErrorKind::kBadInput);
    EXPECT_NE(config.error().remedy.find("'learning_rate'"), std::string::npos) << config.error().message();
    EXPECT_EQ(config.error().path, "bad.toml:2");
}

TEST(ConfigIo, UnknownSectionNamesTheNearest) {
    const auto config = parseToml("[trian]\nsteps = 1\n", "bad.toml");
    ASSERT_FALSE(config);
    EXPECT_NE(config.error().message().find("'train'"), std::string::npos) << config.error().message();
}

struct BadCase {
    const char* toml;
    const char* part;
};
class ConfigIoBad : public ::testing::TestWithParam<BadCase> {};
TEST_P(ConfigIoBad, IsRefusedWithTheKeyNamed) {
    const auto config = parseToml(GetParam().toml, "bad.toml");
    ASSERT_FALSE(config) << GetParam().toml;
    EXPECT_NE(config.error().message().find(GetParam().part), std::string::npos) << config.error().message();
    EXPECT_FALSE(config.error().remedy.empty());
}
INSTANTIATE_TEST_SUITE_P(
    All, ConfigIoBad,
    ::testing::Values(BadCase{"[train]\nsteps = \"many\"", "train.steps must be a whole number"}, BadCase{"[train]\nsteps = 0", "train.steps must be 1 to"},
                      BadCase{"[train]\nlearning_rate = nan", "finite"}, BadCase{"[train]\nsteps = 2.5", "whole number"},
                      BadCase{"[moe]\nk = 9", "moe.k 9 is more than moe.experts 8"}, BadCase{"[moe]\nrouter = \"magic\"", "one of softmax_topk"},
                      BadCase{"[model]\nheads = 3", "not divisible by model.heads"}, BadCase{"[model]\npatch = 7", "not divisible by model.patch"},
                      BadCase{"[model]\nmoe_layers = [1, 9]", "layer 9"}, BadCase{"[model]\nmoe_layers = [1, 3]", "vision-language"},
                      BadCase{"[model]\nmoe_branches = [\"x\"]", "one of v, t"}, BadCase{"[model]\nffn = \"scaled_dense\"", "ffn_scales"},
                      BadCase{"[model\n", "bad.toml:1"}, BadCase{"schema_version = 99", "newer"}, BadCase{"train = 3", "must be a section"},
                      BadCase{"[run]\nname = \"a/b\"", "folder"}, BadCase{"[moe]\nactivation = \"relu\"", "one of gelu, swiglu"},
                      BadCase{"[model]\nactivation = \"tanh\"", "one of gelu, swiglu"}, BadCase{"[moe]\nshared_gate = true", "moe.shared_experts is 0"},
                      BadCase{"[moe]\ndispatch = \"lossy\"", "one of dropless, capacity"},
                      BadCase{"[moe]\ncapacity_factor_eval = 0", "capacity_factor_eval must be 0.01 to"},
                      BadCase{"[moe]\nrouter = \"softest\"", "one of softmax_topk, topk_softmax, noisy_topk"},
                      BadCase{"[moe]\nrouter = \"hash\"\nk = 2", "a hash router chooses one expert"},
                      BadCase{"[moe]\nrouter = \"group_limited\"\ngroups = 3", "moe.experts 8 is not divisible by moe.groups 3"},
                      BadCase{"[moe]\nrouter = \"group_limited\"\ngroups = 2\ngroups_kept = 3", "moe.groups_kept 3 is more than moe.groups 2"},
                      BadCase{"[moe]\nrouter = \"group_limited\"\ngroups = 4\nk = 3", "more than the 2 experts of moe.groups_kept 1 groups"},
                      BadCase{"[moe]\ntop_p = 0", "top_p must be"}, BadCase{"[moe]\ncosine_temperature = 0", "cosine_temperature must be 0.001 to 100"},
                      BadCase{"[moe]\nsinkhorn_rounds = 0", "sinkhorn_rounds must be 1 to"},
                      BadCase{"[moe]\nscore_function = \"tanh\"", "one of softmax, sigmoid"},
                      BadCase{"[moe]\ncapacity_policy = \"random\"", "one of position, batch_priority"}, BadCase{"[moe]\ngroup_size = -1", "group_size"},
                      BadCase{"[train]\nschedule = \"step\"", "one of cosine, linear, constant"}, BadCase{"[train]\naccumulate = 0", "train.accumulate"},
                      BadCase{"[train]\nema_decay = 1.0", "train.ema_decay"},
                      BadCase{"[train]\nsteps = 100\nskip_spikes = 6.0", "train.spike_window is 128, but train.steps is 100"},
                      BadCase{"[train]\nbatch_images = 0\nbatch_texts = 0\nbatch_pairs = 0", "nothing to learn"}));

TEST(ConfigIo, OverridesReadNumbersListsAndBareWords) {
    RunConfig config;
    EXPECT_TRUE(applyOverride(config, "train.steps=12"));
    EXPECT_TRUE(applyOverride(config, "model.moe_layers=[0, 2]"));
    EXPECT_TRUE(applyOverride(config, "run.name=my run"));
    EXPECT_TRUE(applyOverride(config, "loss.balance=-0.05"));
    EXPECT_TRUE(applyOverride(config, "data.keywords=false"));
    EXPECT_EQ(config.train.steps, 12);
    EXPECT_EQ(config.model.moe_layers, (std::vector<std::int64_t>{0, 2}));
    EXPECT_EQ(config.run.name, "my run");
    EXPECT_DOUBLE_EQ(config.loss.balance, -0.05);
    EXPECT_FALSE(config.data.keywords);
    for (const char* bad : {"steps=3", "train.steps", "train.stesp=3", "train.steps=x", "nowhere.key=1"}) {
        const Status status = applyOverride(config, bad);
        ASSERT_FALSE(status) << bad;
        EXPECT_EQ(status.error().kind, ErrorKind::kBadInput);
    }
}

TEST(ConfigIo, PresetComesBeforeTheKeysBesideIt) {
    const auto config = parseToml("[model]\npreset = \"small\"\nwidth = 256\n", "a.toml");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->model.width, 256);
    EXPECT_EQ(config->model.layers, 8);
}

TEST(ConfigIo, HashesIgnoreTheNameAndTheGroupIgnoresTheSeed) {
    RunConfig a, b;
    b.run.name = "other";
    EXPECT_EQ(configHash(a), configHash(b));
    b.run.seed = 2;
    EXPECT_NE(configHash(a), configHash(b));
    EXPECT_EQ(groupHash(a), groupHash(b));
    b.moe.experts = 4;
    EXPECT_NE(groupHash(a), groupHash(b));
}

TEST(ConfigIo, DifferenceNamesEachChangedKey) {
    RunConfig a, b;
    b.model.ffn = "dense";
    b.loss.balance = 0;
    const auto differences = difference(a, b);
    ASSERT_EQ(differences.size(), 2u);
    EXPECT_EQ(differences[0].key, "model.ffn");
    EXPECT_EQ(differences[0].b, "\"dense\"");
}

TEST(ConfigIo, MissingFileAndFolderAreNamed) {
    const test::ScratchFolder scratch;
    for (const auto& path : {scratch / "none.toml", scratch.path()}) {
        const auto config = loadConfig(path);
        ASSERT_FALSE(config);
        EXPECT_EQ(config.error().kind, ErrorKind::kBadInput);
        EXPECT_EQ(config.error().path, path.string());
    }
}

}  // namespace
}  // namespace es::config
