// SPDX-License-Identifier: GPL-3.0-or-later
// The numbers of one training step, read from the device together, and their names in the records.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/strong_ids.h"
#include "engine/model/vl_moe.h"
#include "engine/routing/routing_recorder.h"
#include "engine/store/records.h"
#include "engine/train/optimizer.h"

namespace es::engine {

/// What a step computed, still on the device: one small tensor, so that reading it is one copy.
class DeviceNumbers {
public:
    DeviceNumbers(const ModelOutput& output, const GradientNorms& norms);
    /// Waits for the device.
    struct Values {
        double loss = 0, gradient_norm = 0;
        std::array<std::optional<double>, kObjectiveCount> objective;
        std::vector<double> gradient_groups;
        struct Router {
            RouterId router;
            double balance = 0, z = 0;
        };
        std::vector<Router> routers;
    };
    [[nodiscard]] Values read() const;

private:
    at::Tensor packed_;
    std::array<bool, kObjectiveCount> has_objective_{};
    std::int64_t groups_ = 0;
    std::vector<RouterId> routers_;
};

struct StepTiming {
    double step_ms = 0;
    double samples_per_s = 0, tokens_per_s = 0;
    double learning_rate = 0;
};

/// "l1.v": how a router is called in names of scalars.
[[nodiscard]] std::string routerName(const store::RouterInfo& router);

/// The scalars of a step. Names are part of the format: train/loss, train/loss/<objective>, train/balance/<router>, train/z/<router>,
/// grad_norm/all, grad_norm/<group>, learning_rate, time/step_ms, throughput/samples_per_s, throughput/tokens_per_s,
/// memory/resident_mb, router/<router>/max_vio | entropy_nats | mean_gate | dead_experts |
/// dropped_share.
[[nodiscard]] std::vector<store::Scalar> scalarsOf(const DeviceNumbers::Values& values, const std::vector<std::string>& groups,
                                                   const std::vector<store::RouterInfo>& routers, const std::vector<RouterStatistics>& statistics,
                                                   const StepTiming& timing);
/// Puts the losses of each router into its load records.
void addLosses(std::vector<store::LoadRecord>& load, const DeviceNumbers::Values& values);

/// Says where the first number that is not finite was met: weights, then routers by layer, then objectives, then gradients.
[[nodiscard]] std::string locateNonFinite(const DeviceNumbers::Values& values, const VlMoe& model, const std::vector<store::LoadRecord>& load);

}  // namespace es::engine
