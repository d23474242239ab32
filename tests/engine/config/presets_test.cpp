// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/presets.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/config/config_io.h"

namespace es::config {
namespace {

RunConfig presetNamed(std::string_view name) {
    RunConfig config;
    EXPECT_TRUE(applyPreset(config, name)) << name;
    return config;
}

TEST(Presets, EachIsValidAndNamedOnce) {
    std::set<std::string_view> seen;
    for (const std::string_view name : presetNames()) {
        EXPECT_TRUE(seen.insert(name).second) << name;
        const RunConfig config = presetNamed(name);
        EXPECT_EQ(config.model.preset, name);
        const Status valid = validate(config);
        EXPECT_TRUE(valid) << name << ": " << (valid ? "" : valid.error().message());
        const auto again = parseToml(toToml(config), "run.toml");
        ASSERT_TRUE(again) << name << ": " << again.error().message();
        EXPECT_EQ(toToml(*again), toToml(config)) << name;
    }
    for (const char* needed : {"tiny", "small", "vlmo-base", "vlmo-base-plus", "vlmo-large", "beit3-base", "beit3-large", "vlmo-base-16e", "beit3-large-32e",
                               "vlmo-large-scaled-dense", "tiny-dense"})
        EXPECT_TRUE(seen.contains(needed)) << needed;
}

TEST(Presets, TinyIsTheDefault) { EXPECT_EQ(toToml(presetNamed("tiny")), toToml(RunConfig{})); }

TEST(Presets, NothingOfTheOneBeforeStays) {
    for (const std::string_view first : presetNames()) {
        for (const std::string_view second : {"tiny", "vlmo-base", "beit3-large-16e"}) {
            RunConfig config = presetNamed(first);
            ASSERT_TRUE(applyPreset(config, second));
            EXPECT_EQ(toToml(config), toToml(presetNamed(second))) << first << " then " << second;
        }
    }
}

TEST(Presets, OtherKeysAndUnknownNamesChangeNothing) {
    RunConfig config;
    config.train.steps = 7;
    config.moe.k = 2;
    config.moe.router = "sigmoid_topk";
    const std::string before = toToml(config);
    for (const char* unknown : {"", "tiny-", "tiny-16", "vlmo", "vlmo-base-dense", "beit3-base-plus", "-16e"}) {
        EXPECT_FALSE(applyPreset(config, unknown)) << unknown;
        EXPECT_EQ(toToml(config), before) << unknown;
    }
    ASSERT_TRUE(applyPreset(config, "vlmo-base-16e"));
    EXPECT_EQ(config.train.steps, 7);
    EXPECT_EQ(config.moe.k, 2);
    EXPECT_EQ(config.moe.router, "sigmoid_topk");
}

TEST(Presets, ParentsAreAsTheirAuthorsHaveThem) {
    const RunConfig vlmo = presetNamed("vlmo-large"), beit3 = presetNamed("beit3-base");
    EXPECT_EQ(vlmo.model.attention, "shared");
    EXPECT_EQ(vlmo.model.vl_layers, 3);
    EXPECT_FALSE(vlmo.model.sub_norm);
    EXPECT_DOUBLE_EQ(vlmo.model.layer_scale, 0.1);
    EXPECT_EQ(presetNamed("vlmo-base-plus").model.layer_scale, 0);
    EXPECT_EQ(vlmo.data.vocabulary, 30522);
    EXPECT_EQ(vlmo.data.max_words, 40);
    EXPECT_EQ(beit3.model.attention, "decoupled");
    EXPECT_TRUE(beit3.model.sub_norm);
    EXPECT_EQ(beit3.model.vl_layers, 0);
    EXPECT_EQ(beit3.data.vocabulary, 64010);
    for (const RunConfig& config : {vlmo, beit3}) {
        EXPECT_EQ(config.data.image_size, 224);
        EXPECT_EQ(config.model.patch, 16);
        EXPECT_EQ(config.model.ffn, "dense");
        EXPECT_EQ(config.model.ffn_width, 4 * config.model.width);
    }
}

TEST(Presets, TwinsDifferInWhatStandsForTheExperts) {
    for (const std::string base : {"small", "vlmo-base", "beit3-large"}) {
        const RunConfig sparse = presetNamed(base + "-32e"), dense = presetNamed(base == "small" ? base + "-dense" : base),
                        scaled = presetNamed(base + "-scaled-dense");
        EXPECT_EQ(sparse.moe.experts, 32);
        EXPECT_EQ(sparse.moe.expert_width, sparse.model.ffn_width);
        for (const RunConfig& twin : {dense, scaled}) {
            for (const ConfigDifference& difference : difference(sparse, twin))
                EXPECT_TRUE(difference.key == "model.preset" || difference.key == "model.ffn" || difference.key == "model.ffn_scales" ||
                            difference.key == "moe.experts")
                    << base << ": " << difference.key;
        }
        EXPECT_EQ(scaled.model.ffn_scales.size(), 2 * scaled.model.moe_layers.size());
    }
    EXPECT_EQ(presetNamed("vlmo-base-16e").model.moe_layers, (std::vector<std::int64_t>{1, 3, 5, 7, 9}));
    EXPECT_EQ(presetNamed("beit3-base-16e").model.moe_layers, (std::vector<std::int64_t>{1, 3, 5, 7, 9, 11}));
}

}  // namespace
}  // namespace es::config
