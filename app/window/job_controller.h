// SPDX-License-Identifier: GPL-3.0-or-later
// Runs the views' jobs on a pool, catches everything, and reports on the GUI thread.
#pragma once

#include <QElapsedTimer>
#include <QPointer>
#include <QThreadPool>
#include <QTimer>
#include <map>
#include <mutex>
#include <stop_token>
#include <vector>

#include "views/models/job_runner.h"

namespace es::app {

/// GUI thread only.
class JobController : public views::JobRunner {
    Q_OBJECT
public:
    explicit JobController(QObject* parent = nullptr);
    ~JobController() override;  ///< asks all jobs to stop and waits for them

    void cancel(QObject* owner) override;
    [[nodiscard]] bool idle() const override { return running_.empty(); }

    /// A job that has run for more than 0.3 s, as the status bar shows it.
    struct Visible {
        quint64 id = 0;
        QString label;
        qint64 done = 0, total = 0;
    };
    [[nodiscard]] std::vector<Visible> visibleJobs() const;
    void cancelJob(quint64 id);

Q_SIGNALS:
    void visibleJobsChanged();

protected:
    void start(QObject* owner, const QString& slot, const QString& label, std::function<void(JobContext&)> work,
               std::function<void(const Error*)> done) override;

private:
    struct Shared;  ///< what the pool's thread writes: progress, under its own lock
    struct Job {
        QPointer<QObject> owner;
        QString slot, label;
        std::stop_source stop;
        std::function<void(const Error*)> done;
        std::shared_ptr<Shared> shared;
        QElapsedTimer age;
        bool wanted = true;  ///< false once a newer job took its slot: the result is dropped
    };
    void finish(quint64 id, const std::optional<Error>& failure);

    QThreadPool pool_;
    std::map<quint64, Job> running_;
    quint64 nextId_ = 1;
    QTimer tick_;
};

}  // namespace es::app
