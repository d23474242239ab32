// SPDX-License-Identifier: GPL-3.0-or-later
// Runs as the window sees them: opened and refreshed away from the GUI thread, the same for our own child's run and a stranger's.
#pragma once

#include <QHash>
#include <QObject>
#include <QString>
#include <QTimer>
#include <memory>
#include <vector>

#include "engine/store/run_reader.h"
#include "views/models/job_runner.h"

namespace es::views {

/// One opened run, polled while it is being written (4 times a second) and seldom when it is not. GUI thread only; the reader itself may be
/// used from jobs.
class RunFeed : public QObject {
    Q_OBJECT
public:
    enum class State { kOpening, kOpen, kFailed };
    RunFeed(QString folder, JobRunner* jobs, QObject* parent = nullptr);
    [[nodiscard]] const QString& folder() const { return folder_; }
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] const Error& error() const { return error_; }
    /// Null until open. Keep the pointer in jobs: it stays valid.
    [[nodiscard]] std::shared_ptr<store::RunReader> reader() const { return reader_; }
    [[nodiscard]] const store::RunStatus& status() const { return status_; }
    void refreshNow();

Q_SIGNALS:
    void opened();                                     ///< or failed: look at state()
    void changed(const es::store::RunChange& change);  ///< new records

private:
    void open();
    QString folder_;
    JobRunner* jobs_;
    State state_ = State::kOpening;
    Error error_;
    std::shared_ptr<store::RunReader> reader_;
    store::RunStatus status_;
    QTimer timer_;
};

/// All runs the window knows: the folder(s) it was started on, and those opened since.
class RunFeedHub : public QObject {
    Q_OBJECT
public:
    explicit RunFeedHub(JobRunner* jobs, QObject* parent = nullptr);
    /// Looks below these folders for runs, again every two seconds.
    void setFolders(const QStringList& folders);
    void addRun(const QString& folder);
    [[nodiscard]] const QStringList& folders() const { return folders_; }
    [[nodiscard]] const std::vector<store::RunSummary>& runs() const { return runs_; }
    [[nodiscard]] bool listed() const { return listed_; }  ///< the first listing has come back
    /// Opens on first use; the same object for the same folder.
    [[nodiscard]] RunFeed* feed(const QString& folder);
    /// Number of the run's colour: seeds of one configuration share it; stable while the window lives.
    [[nodiscard]] int colorGroup(const QString& folder) const;

Q_SIGNALS:
    void runsChanged();

private:
    void list();
    JobRunner* jobs_;
    QStringList folders_;
    std::vector<store::RunSummary> runs_;
    QHash<QString, RunFeed*> feeds_;
    QHash<QString, int> groups_;         ///< by hash of the configuration without its seed
    QHash<QString, int> folder_groups_;  ///< by run directory
    QTimer timer_;
    bool listed_ = false;
};

}  // namespace es::views
