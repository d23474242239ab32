// SPDX-License-Identifier: GPL-3.0-or-later
// Who made a run and with what.
#pragma once

#include "engine/config/run_config.h"
#include "engine/data/data_source.h"
#include "engine/model/vl_moe.h"
#include "engine/store/records.h"
#include "engine/train/device.h"

namespace es::engine {

/// A fresh run identity and everything that its losses to the bit depend on.
[[nodiscard]] store::Provenance describeRun(const config::RunConfig& config, const DataSource& source, const ComputePlace& place, const VlMoe& model);
/// Resident memory of this process; 0 when the system does not say.
[[nodiscard]] double residentMegabytes();

}  // namespace es::engine
