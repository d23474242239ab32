// SPDX-License-Identifier: GPL-3.0-or-later
// Many samples side by side: the same layer, the same way of colouring.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/figures/inspect_panels.h"

namespace es::analysis {

enum class SheetOrder : std::uint8_t {
    kGiven,   ///< as listed
    kMost,    ///< by the share of their tokens that the expert takes first, largest first
    kRandom,  ///< drawn without putting back, by the seed: what a top list should be seen beside
};
[[nodiscard]] std::string_view toString(SheetOrder order);  ///< "given" "most" "random"
[[nodiscard]] std::optional<SheetOrder> sheetOrderFromString(std::string_view text);

struct SheetRequest {
    std::int64_t step = -1;       ///< of the probe; -1: the newest
    OverlayOptions overlay = {};  ///< layer, mode, rank and expert; `other` is not looked at
    SheetOrder order = SheetOrder::kMost;
    std::vector<std::uint64_t> samples;  ///< to choose from, in order; empty: all that the probe holds
    std::size_t count = 24;
    std::uint64_t seed = 0;  ///< of kRandom
};

struct ContactSheet {
    struct Item {
        std::uint64_t sample = 0;
        double share = kMissing;  ///< of the sample's tokens of the expert's router that choose the expert first (soft: its mean mass)
        std::int64_t tokens = 0;  ///< that the share is of
        Panel panel;              ///< an OverlayPanel
    };
    std::vector<Item> items;
    std::int64_t step = -1;
    std::size_t of = 0;            ///< samples to choose from that the probe holds
    double base_share = kMissing;  ///< the expert's share over all of these
    store::RouterInfo router;      ///< that the expert is of
    ExpertIndex expert;            ///< as asked for, else the router's first choice most often
};

/// Reads one probe of one layer's routers and the pictures of the samples chosen. Errors: no probe, no router in that layer.
[[nodiscard]] Result<ContactSheet> contactSheet(const store::RunReader& run, const SheetRequest& request, const JobContext& context = {});

/// The sheet as a table: sample, caption, tokens, share. Its header says what the shares are of.
[[nodiscard]] Panel sheetTable(const ContactSheet& sheet);

}  // namespace es::analysis
