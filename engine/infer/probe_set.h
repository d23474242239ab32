// SPDX-License-Identifier: GPL-3.0-or-later
// The fixed samples whose routing is recorded whole at each checkpoint.
#pragma once

#include <memory>
#include <vector>

#include "engine/config/run_config.h"
#include "engine/data/data_source.h"
#include "engine/model/vl_moe.h"
#include "engine/store/records.h"

namespace es::engine {

/// record.probe_samples validation samples, drawn once by the data's content and not by the run's seed: runs on the same data have the same
/// set. Each sample goes through the model once, as a pair when it has both a picture and a caption, else as the one it has, and **nothing is
/// masked**: what is recorded is how the model reads a sample, not how it trains on one.
class ProbeSet {
public:
    ProbeSet(std::shared_ptr<const DataSource> source, const config::RunConfig& config);
    [[nodiscard]] bool empty() const { return samples_.empty(); }
    [[nodiscard]] const std::vector<std::int64_t>& samples() const { return samples_; }

    /// Routing of the model as it is: variant "trained" (at step 0 the untrained one).
    [[nodiscard]] store::Probe run(VlMoe& model, at::Device device, std::int64_t step) const;
    /// The random-router baseline, variant "random-router-<draw>": the table of each router comes from a pass in which the weights of that
    /// router alone, of all the model, are drawn anew from their initial distribution.
    [[nodiscard]] store::Probe runRandomRouters(VlMoe& model, at::Device device, std::int64_t step, std::uint32_t draw) const;

private:
    [[nodiscard]] std::vector<store::RoutingTable> pass(VlMoe& model, at::Device device, const ForwardOptions& options) const;

    std::shared_ptr<const DataSource> source_;
    std::uint64_t seed_;
    std::vector<std::int64_t> samples_;
};

}  // namespace es::engine
