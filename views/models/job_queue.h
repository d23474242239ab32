// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <deque>
#include <functional>
#include <utility>

#include "views/models/job_runner.h"

namespace es::views {

/// Changes of files: each is made, in the order asked, one after the other; none is dropped for a later one. GUI thread only; lives in its owner.
class JobQueue {
public:
    JobQueue(JobRunner* jobs, QObject* owner, QString slot) : jobs_(jobs), owner_(owner), slot_(std::move(slot)) {}

    /// As JobRunner::run, once everything before it is done.
    template <class T>
    void add(const QString& label, std::function<Result<T>(JobContext&)> work, std::function<void(Result<T>)> done) {
        waiting_.push_back([this, label, work = std::move(work), done = std::move(done)]() mutable {
            jobs_->run<T>(owner_, slot_, label, std::move(work), [this, done = std::move(done)](Result<T> result) {
                busy_ = false;
                done(std::move(result));
                next();
            });
        });
        next();
    }
    [[nodiscard]] bool idle() const { return !busy_ && waiting_.empty(); }

private:
    void next() {
        if (busy_ || waiting_.empty()) return;
        busy_ = true;
        auto start = std::move(waiting_.front());
        waiting_.pop_front();
        start();
    }
    JobRunner* jobs_;
    QObject* owner_;
    QString slot_;
    std::deque<std::function<void()>> waiting_;
    bool busy_ = false;
};

}  // namespace es::views
