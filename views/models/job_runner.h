// SPDX-License-Identifier: GPL-3.0-or-later
// How views get work done away from the GUI thread. The app implements it (JobController); tests use it as it is.
#pragma once

#include <QObject>
#include <QString>
#include <functional>
#include <memory>
#include <optional>

#include "engine/base/job_context.h"
#include "engine/base/result.h"

namespace es::views {

/// Runs jobs on a pool and brings their results to the GUI thread. GUI thread only.
class JobRunner : public QObject {
    Q_OBJECT
public:
    using QObject::QObject;
    /// Runs `work` on the pool, then `done` on the GUI thread with what it returned, unless `owner` died or a newer job of the same owner and
    /// `slot` was started meanwhile (the older is asked to stop and its result dropped: only the newest answer counts).
    /// Exceptions become an Error. Work longer than 0.3 s appears in the status bar under `label`, with its progress and a cancel button.
    template <class T>
    void run(QObject* owner, const QString& slot, const QString& label, std::function<Result<T>(JobContext&)> work, std::function<void(Result<T>)> done) {
        auto result = std::make_shared<std::optional<Result<T>>>();
        start(
            owner, slot, label, [work = std::move(work), result](JobContext& context) { result->emplace(work(context)); },
            [done = std::move(done), result](const Error* failure) {
                if (failure) done(tl::unexpected(*failure));
                else if (result->has_value()) done(std::move(**result));
            });
    }
    /// Asks the jobs of an owner to stop; their results are dropped.
    virtual void cancel(QObject* owner) = 0;
    [[nodiscard]] virtual bool idle() const = 0;  ///< no job is running or waiting: --screenshot waits for this

Q_SIGNALS:
    void becameIdle();

protected:
    /// `done` gets the error when `work` threw or was cancelled before it began, else nullptr.
    virtual void start(QObject* owner, const QString& slot, const QString& label, std::function<void(JobContext&)> work,
                       std::function<void(const Error*)> done) = 0;
};

}  // namespace es::views
