// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/router_settings.h"

#include <gtest/gtest.h>

#include "engine/config/config_io.h"

namespace es::config {
namespace {

RunConfig overridden(std::vector<std::string> overrides) {
    RunConfig config;
    config.moe.overrides = std::move(overrides);
    return config;
}

std::string refusal(const RunConfig& config) {
    const Status status = validate(config, "run.toml");
    EXPECT_FALSE(status);
    if (status) return {};
    EXPECT_EQ(status.error().kind, ErrorKind::kBadInput);
    EXPECT_EQ(status.error().path, "run.toml");
    EXPECT_FALSE(status.error().remedy.empty());
    return status.error().message();
}

#define EXPECT_REFUSED(config, part)                                                 \
    do {                                                                             \
        const std::string message_ = refusal(config);                                \
        EXPECT_NE(message_.find(part), std::string::npos) << "'" << message_ << "'"; \
    } while (false)

TEST(RouterSettings, LaterEntriesWinWhereTheySelect) {
    const RunConfig config = overridden({"1 experts=4 loss.balance=0.02", "t expert_width=64", "1.t experts=6 router=hash  k=1", "v loss.z=0"});
    ASSERT_TRUE(validate(config));
    const auto of = [&](std::int64_t layer, const char* branch) { return routerSettings(config, {layer, branch}); };
    EXPECT_EQ(of(1, "v").moe.experts, 4);
    EXPECT_EQ(of(1, "t").moe.experts, 6);
    EXPECT_EQ(of(2, "v").moe.experts, 8);
    EXPECT_EQ(of(1, "t").moe.router, "hash");
    EXPECT_EQ(of(2, "t").moe.router, "softmax_topk");
    EXPECT_EQ(of(2, "t").moe.expert_width, 64);
    EXPECT_EQ(of(2, "v").moe.expert_width, 256);
    EXPECT_EQ(of(1, "t").loss.balance, 0.02);
    EXPECT_EQ(of(2, "t").loss.balance, 0.01);
    EXPECT_EQ(of(2, "v").loss.z, 0);
    EXPECT_EQ(of(2, "t").loss.z, 1e-3);
    EXPECT_TRUE(of(1, "v").moe.overrides.empty());
}

TEST(RouterSettings, SitesStandInTheOrderOfTheRouterTable) {
    RunConfig config;
    std::string names;
    for (const RouterSite& site : routerSites(config)) names += site.name() + " ";
    EXPECT_EQ(names, "1.v 1.t 2.v 2.t ");
    config.model.moe_branches = {"t"};
    EXPECT_EQ(routerSites(config).size(), 2u);
    config.model.moe_branches = {"t", "v"};
    EXPECT_EQ(routerSites(config).front().name(), "1.v");
    config.moe.pool = "shared";
    ASSERT_EQ(routerSites(config).size(), 2u);
    EXPECT_EQ(routerSites(config).back().name(), "2.all");
}

TEST(RouterSettings, OverridesAreRefusedWithTheEntryAndTheNearestKey) {
    EXPECT_REFUSED(overridden({"1.v"}), "\"1.v\": it does not have the form");
    EXPECT_REFUSED(overridden({""}), "form");
    EXPECT_REFUSED(overridden({"1.v experts"}), "'experts' is not of the form key=value");
    EXPECT_REFUSED(overridden({"1.v exprts=4"}), "Did you mean 'experts'?");
    EXPECT_REFUSED(overridden({"1.v experts=many"}), "moe.experts must be a whole number");
    EXPECT_REFUSED(overridden({"1.v experts=0"}), "moe.experts must be 1 to 65535, not 0");
    EXPECT_REFUSED(overridden({"1.v router=magic"}), "one of softmax_topk");
    EXPECT_REFUSED(overridden({"7.v experts=4"}), "there is no router '7.v'. There are 1.v, 1.t, 2.v, 2.t");
    EXPECT_REFUSED(overridden({"vl experts=4"}), "there is no router 'vl'");
    EXPECT_REFUSED(overridden({"1.v pool=shared"}), "'pool' is the same for all routers");
    EXPECT_REFUSED(overridden({"1.v loss.image=2"}), "'loss.image' is no loss of routers");
    EXPECT_REFUSED(overridden({"1.v loss.balanc=2"}), "did you mean 'loss.balance'");
    EXPECT_REFUSED(overridden({"1.v loss.balance=200"}), "loss.balance must be -10 to 10");
}

TEST(RouterSettings, RelationsHoldForEachRouterByItself) {
    EXPECT_REFUSED(overridden({"1.v experts=2 k=3"}), "router 1.v: moe.k 3 is more than moe.experts 2");
    EXPECT_REFUSED(overridden({"t router=hash k=2"}), "router 1.t: moe.k is 2, but a hash router");
    EXPECT_REFUSED(overridden({"2.t shared_gate=true"}), "router 2.t: moe.shared_gate is true");
    RunConfig config = overridden({"v k=1", "t k=1"});
    config.moe.k = 9;  // nobody's
    EXPECT_TRUE(validate(config));
}

TEST(RouterSettings, LossesThatARouterCannotHaveAreRefused) {
    RunConfig config;
    config.loss.load = 0.01;
    EXPECT_REFUSED(config, "loss.load is 0.01, but it needs the noise");
    config.moe.router = "noisy_topk";
    EXPECT_TRUE(validate(config));
    config.moe.noise = 0;
    EXPECT_REFUSED(config, "with noise 0");
    config = {};
    config.moe.router = "top_p";
    config.loss.sequence_balance = 1e-3;
    EXPECT_REFUSED(config, "loss.sequence_balance is 0.001");
    config = {};
    config.moe.router = "soft";
    EXPECT_TRUE(validate(config));
    for (double* weight : {&config.loss.balance_unnormalized, &config.loss.gshard, &config.loss.importance, &config.loss.local_entropy,
                           &config.loss.global_entropy, &config.loss.sequence_balance}) {
        *weight = 0.1;
        EXPECT_REFUSED(config, "a soft router chooses nothing");
        *weight = 0;
    }
}

TEST(RouterSettings, OptionsWithoutEffectAreRefused) {
    RunConfig config;
    config.moe.input_jitter = 0.01;
    EXPECT_TRUE(validate(config));
    config.moe.router = "hash";
    EXPECT_REFUSED(config, "moe.input_jitter is 0.01, but a hash router has no input");
    config = {};
    config.moe.quantile_balance = true;
    EXPECT_TRUE(validate(config));
    config.moe.router = "cosine";
    EXPECT_REFUSED(config, "moe.quantile_balance is true, but moe.router is 'cosine'");
    config.moe.router = "sigmoid_topk";
    config.moe.bias_rate = 0.001;
    EXPECT_REFUSED(config, "moe.quantile_balance and moe.bias_rate");
    config.moe.bias_rate = 0;
    config.moe.k = 8;
    EXPECT_REFUSED(config, "all 8 experts are chosen");
    config = {};
    config.moe.router = "soft";
    config.moe.dispatch = "capacity";
    EXPECT_REFUSED(config, "a soft router drops no token");
    config = {};
    config.moe.pool = "shared";
    EXPECT_TRUE(validate(config));
    config.model.moe_branches = {"v"};
    EXPECT_REFUSED(config, "moe.pool is 'shared', but model.moe_branches names only v");
}

TEST(RouterSettings, OverridesAreReadFromTomlAndTheCommandLine) {
    const auto config = parseToml("[moe]\noverrides = [\"1.v router=hash k=1\"]\n", "run.toml");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(routerSettings(*config, {1, "v"}).moe.router, "hash");
    const auto again = parseToml(toToml(*config), "again.toml");
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->moe.overrides, config->moe.overrides);
    RunConfig set;
    ASSERT_TRUE(applyOverride(set, "moe.overrides=[\"t experts=4\"]"));
    EXPECT_EQ(routerSettings(set, {2, "t"}).moe.experts, 4);
}

}  // namespace
}  // namespace es::config
