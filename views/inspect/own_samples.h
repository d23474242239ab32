// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures and captions that the user ran through the model.
#pragma once

#include <QJsonArray>
#include <QString>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "analysis/figures/inspect_panels.h"
#include "engine/session/engine_library.h"

namespace es::views {

/// One own sample and its routing at the checkpoints it was run through.
struct OwnSample {
    session::SampleRequest request;  ///< to run it again at another checkpoint
    store::SampleRecord record;
    std::map<std::int64_t, std::shared_ptr<const analysis::SampleRouting>> by_step;  ///< empty until it ran in this session
};

/// Kept per run, newest first. GUI thread only.
class OwnSamples {
public:
    /// Adds an answer of the engine; the same picture and caption become one entry. Returns the sample's hash.
    std::uint64_t add(const QString& run, const session::SampleRequest& request, session::SampleResult result, std::int64_t step);
    [[nodiscard]] const std::vector<OwnSample>& of(const QString& run) const;
    [[nodiscard]] const OwnSample* find(const QString& run, std::uint64_t hash) const;

    /// The newest of all runs with their pictures as PNG, for the next session; their routing is computed again when they are shown.
    [[nodiscard]] QJsonArray toJson() const;
    /// Adds those of an earlier session behind what is there. What cannot be read is left out.
    void addFrom(const QJsonArray& kept);

private:
    std::map<QString, std::vector<OwnSample>> runs_;
};

/// Which checkpoint an own sample runs through for a wanted step (-1: newest): the one of that step, else the nearest before it, else the
/// first that is still there. Empty when no checkpoint is left.
[[nodiscard]] std::optional<std::int64_t> checkpointFor(const std::vector<store::CheckpointInfo>& checkpoints, std::int64_t step);

/// Expert of one token at each checkpoint that the sample was run through.
[[nodiscard]] analysis::TokenHistory historyOf(const OwnSample& sample, const store::RouterInfo& router, Modality modality, TokenIndex token);
/// Adds the steps of `more`, in place of those that are there.
void addSteps(analysis::TokenHistory& history, const analysis::TokenHistory& more);

}  // namespace es::views
