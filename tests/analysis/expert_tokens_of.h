// SPDX-License-Identifier: GPL-3.0-or-later
// What an expert takes of a table that a test made.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "analysis/experts/expert_gallery.h"

namespace es::analysis::test_support {

inline ExpertTokens tokensOf(store::RoutingTable table, std::int32_t expert, std::span<const std::uint8_t> include = {}) {
    ExpertQuery query;
    query.expert = ExpertIndex(expert);
    auto tokens = expertTokens(std::make_shared<const store::RoutingTable>(std::move(table)), query, include);
    EXPECT_TRUE(tokens) << tokens.error().message();
    return std::move(*tokens);
}

}  // namespace es::analysis::test_support
