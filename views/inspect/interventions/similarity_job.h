// SPDX-License-Identifier: GPL-3.0-or-later
// Compares the experts of the shown checkpoint by weights and outputs, and keeps the numbers with the run.
#pragma once

#include <QObject>
#include <optional>

#include "engine/base/result.h"
#include "views/inspect/inspect_model.h"

namespace es::views {

/// InspectModel::similaritiesChanged follows a success. GUI thread only.
class SimilarityJob : public QObject {
    Q_OBJECT
public:
    explicit SimilarityJob(InspectModel* model, QObject* parent = nullptr) : QObject(parent), model_(model) {}
    /// Why it cannot run; empty when it can.
    [[nodiscard]] QString unavailable() const;
    void run();
    [[nodiscard]] bool running() const { return running_; }
    [[nodiscard]] const std::optional<Error>& error() const { return error_; }

Q_SIGNALS:
    void changed();  ///< running, or its error

private:
    InspectModel* model_;
    bool running_ = false;
    std::optional<Error> error_;
};

}  // namespace es::views
