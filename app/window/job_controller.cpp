// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/job_controller.h"

#include <QMetaObject>
#include <exception>
#include <optional>

#include "engine/base/logging.h"
#include "engine/base/priority.h"

namespace es::app {
namespace {

constexpr int kTickMs = 100;
constexpr qint64 kVisibleAfterMs = 300;

Error ourFault(const char* words) { return {ErrorKind::kJobFailed, "The work failed", words, "Try again; if it happens again, please report it", {}}; }

}  // namespace

struct JobController::Shared {
    mutable std::mutex mutex;
    Progress progress;
};

JobController::JobController(QObject* parent) : JobRunner(parent) {
    pool_.setMaxThreadCount(std::max(2, QThread::idealThreadCount()));
    tick_.setInterval(kTickMs);
    connect(&tick_, &QTimer::timeout, this, &JobController::visibleJobsChanged);
}

JobController::~JobController() {
    for (auto& [id, job] : running_) job.stop.request_stop();
    pool_.waitForDone();
}

void JobController::start(QObject* owner, const QString& slot, const QString& label, std::function<void(JobContext&)> work,
                          std::function<void(const Error*)> done) {
    for (auto& [id, job] : running_) {
        if (job.owner == owner && job.slot == slot && job.wanted) {
            job.wanted = false;
            job.stop.request_stop();
        }
    }
    const quint64 id = nextId_++;
    Job& job = running_[id];
    job.owner = owner;
    job.slot = slot;
    job.label = label;
    job.done = std::move(done);
    job.shared = std::make_shared<Shared>();
    job.age.start();
    tick_.start();
    pool_.start([this, id, stop = job.stop.get_token(), shared = job.shared, work = std::move(work)] {
        thread_local const bool gaveWay = (giveWayToInteractiveWork(), true);
        (void)gaveWay;
        std::optional<Error> failure;
        JobContext context;
        context.stop = stop;
        context.onProgress = [shared](const Progress& progress) {
            const std::lock_guard lock(shared->mutex);
            shared->progress = progress;
        };
        context.onLog = [](std::string_view line) { spdlog::info("{}", line); };
        if (stop.stop_requested()) {
            failure = Error{ErrorKind::kStopped, "The work was not begun", "it was asked to stop", {}, {}};
        } else {
            try {
                work(context);
            } catch (const std::exception& error) {
                failure = ourFault(error.what());
            } catch (...) {
                failure = ourFault("of an unknown kind of error");
            }
        }
        QMetaObject::invokeMethod(
            this, [this, id, failure] { finish(id, failure); }, Qt::QueuedConnection);
    });
}

void JobController::finish(quint64 id, const std::optional<Error>& failure) {
    const auto found = running_.find(id);
    if (found == running_.end()) return;
    // Taken out first: `done` may start the next job, or spin an event loop.
    const Job job = std::move(found->second);
    running_.erase(found);
    if (job.wanted && job.owner) job.done(failure ? &*failure : nullptr);
    if (!running_.empty()) return;
    tick_.stop();
    Q_EMIT visibleJobsChanged();
    Q_EMIT becameIdle();
}

void JobController::cancel(QObject* owner) {
    for (auto& [id, job] : running_) {
        if (job.owner != owner) continue;
        job.wanted = false;
        job.stop.request_stop();
    }
}

void JobController::cancelJob(quint64 id) {
    if (const auto found = running_.find(id); found != running_.end()) found->second.stop.request_stop();
}

std::vector<JobController::Visible> JobController::visibleJobs() const {
    std::vector<Visible> visible;
    for (const auto& [id, job] : running_) {
        if (!job.wanted || job.label.isEmpty() || job.age.elapsed() < kVisibleAfterMs) continue;
        const std::lock_guard lock(job.shared->mutex);
        const Progress& p = job.shared->progress;
        visible.push_back({id, p.label.empty() ? job.label : job.label + QStringLiteral(" · ") + QString::fromStdString(p.label), p.done, p.total});
    }
    return visible;
}

}  // namespace es::app
