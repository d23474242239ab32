// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "views/models/job_runner.h"

namespace es::views {

/// Keeps one answer fresh: while a job is under way further requests are merged into one that starts when it is done, so that a source that
/// changes faster than it can be read still shows something. GUI thread only; lives in its owner.
template <class T>
class LatestJob {
public:
    using Work = std::function<Result<T>(JobContext&)>;

    LatestJob(JobRunner* jobs, QObject* owner, QString slot, QString label, std::function<void(Result<T>)> done)
        : jobs_(jobs), owner_(owner), slot_(std::move(slot)), label_(std::move(label)), done_(std::move(done)) {}

    /// `urgent`: the question itself changed, so a job under way is dropped instead of waited for.
    void request(Work work, bool urgent) {
        if (running_ && !urgent) {
            waiting_ = std::move(work);
            return;
        }
        waiting_.reset();
        start(std::move(work));
    }
    /// Nobody asks any longer: a job under way is left to end, its answer is not wanted, and what waits is forgotten.
    void drop() {
        ++number_;
        running_ = false;
        waiting_.reset();
    }
    [[nodiscard]] bool idle() const { return !running_; }

private:
    void start(Work work) {
        running_ = true;
        const int number = ++number_;
        jobs_->run<T>(owner_, slot_, label_, std::move(work), [this, number](Result<T> result) {
            if (number != number_) return;
            running_ = false;
            const bool again = waiting_.has_value();
            done_(std::move(result));
            // `done_` may have asked anew itself.
            if (!again || running_ || !waiting_) return;
            Work next = std::move(*waiting_);
            waiting_.reset();
            start(std::move(next));
        });
    }
    JobRunner* jobs_;
    QObject* owner_;
    QString slot_, label_;
    std::function<void(Result<T>)> done_;
    std::optional<Work> waiting_;
    bool running_ = false;
    int number_ = 0;
};

}  // namespace es::views
