// SPDX-License-Identifier: GPL-3.0-or-later
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "engine/base/files.h"
#include "engine/config/config_io.h"

namespace es::config {
namespace {

TEST(ReferencePage, TheStoredPageIsTheGeneratedOne) {
    const std::filesystem::path path = std::filesystem::path(ES_SOURCE_DIR) / "docs" / "configuration.md";
    if (std::getenv("UPDATE_GOLDEN")) {
        ASSERT_TRUE(writeFileAtomically(path, referencePage()));
    }
    const auto stored = readFile(path);
    ASSERT_TRUE(stored) << stored.error().message();
    EXPECT_EQ(*stored, referencePage()) << "run this test with UPDATE_GOLDEN=1 to rewrite docs/configuration.md";
}

TEST(Experiments, EveryShippedConfigurationIsValid) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(ES_SOURCE_DIR) / "resources" / "experiments")) {
        if (entry.path().extension() != ".toml") continue;
        ++count;
        const auto config = loadConfig(entry.path());
        ASSERT_TRUE(config) << config.error().message();
        EXPECT_EQ(config->run.name, entry.path().stem().string());
    }
    EXPECT_GE(count, 3);
}

}  // namespace
}  // namespace es::config
