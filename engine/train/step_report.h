// SPDX-License-Identifier: GPL-3.0-or-later
// The numbers of one training step, read from the device together, and their names in the records.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/strong_ids.h"
#include "engine/model/vl_moe.h"
#include "engine/routing/routing_recorder.h"
#include "engine/store/records.h"
#include "engine/train/optimizer.h"

namespace es::engine {

/// What a step of several micro-batches computed: each loss and figure is the mean over the micro-batches that have it, counts_E the sum.
/// What is told sample by sample and the logits of routers are left out. `outputs` is not empty; a single one comes back as it is.
[[nodiscard]] ModelOutput meanOf(const std::vector<ModelOutput>& outputs);

/// What a step computed, still on the device: one small tensor, so that reading it is one copy.
class DeviceNumbers {
public:
    DeviceNumbers(const ModelOutput& output, const GradientNorms& norms);
    /// Waits for the device.
    struct Values {
        double loss = 0, gradient_norm = 0;
        std::array<std::optional<double>, kObjectiveCount> objective;
        std::vector<std::pair<std::string, double>> figures;  ///< as ModelOutput::figures
        std::vector<double> gradient_groups;
        struct RouterLossValue {
            std::string_view name;
            double value = 0;  ///< unscaled
        };
        struct Router {
            RouterId router;
            std::vector<RouterLossValue> losses;
            /// NaN where the router has no such loss.
            [[nodiscard]] double value(std::string_view name) const;
        };
        std::vector<Router> routers;
    };
    [[nodiscard]] Values read() const;

private:
    at::Tensor packed_;
    std::array<bool, kObjectiveCount> has_objective_{};
    std::vector<std::string> figures_;
    std::int64_t groups_ = 0;
    std::vector<Values::Router> routers_;  ///< with the names of their losses, the values still to come
};

struct StepTiming {
    double step_ms = 0;
    double samples_per_s = 0, tokens_per_s = 0;
    double learning_rate = 0;
};

/// "l1.v": how a router is called in names of scalars.
[[nodiscard]] std::string routerName(const store::RouterInfo& router);

/// The scalars of a step. Names are part of the format: train/loss, train/loss/<objective>, train/<figure>, train/<loss of routers>/<router>,
/// grad_norm/all, grad_norm/<group>, learning_rate, time/step_ms, throughput/samples_per_s, throughput/tokens_per_s,
/// memory/resident_mb, router/<router>/max_vio | entropy_nats | mean_gate | dead_experts |
/// dropped_share.
[[nodiscard]] std::vector<store::Scalar> scalarsOf(const DeviceNumbers::Values& values, const std::vector<std::string>& groups,
                                                   const std::vector<store::RouterInfo>& routers, const std::vector<RouterStatistics>& statistics,
                                                   const StepTiming& timing);
/// Puts the losses of each router into its load records.
void addLosses(std::vector<store::LoadRecord>& load, const DeviceNumbers::Values& values);

/// Says where the first number that is not finite was met: weights (of which expert, too), then the parts in order of the forward pass, then
/// objectives and the losses of routers, then gradients in order of the backward pass. `part` is what VlMoe::firstNonFinite() found.
[[nodiscard]] std::string locateNonFinite(const DeviceNumbers::Values& values, const VlMoe& model, const std::string& part);

}  // namespace es::engine
