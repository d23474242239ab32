// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/library/in_process_session.h"

#include <mutex>
#include <thread>

#include "engine/infer/sample_runner.h"
#include "engine/session/control_mailbox.h"
#include "engine/train/trainer.h"

namespace es::engine {
namespace {

using session::SessionSnapshot;
using session::SessionState;

class InProcessSession final : public session::EngineSession {
public:
    explicit InProcessSession(std::shared_ptr<SampleRunner> samples) : samples_(std::move(samples)) {}
    ~InProcessSession() override {
        if (mailbox_) mailbox_->requestStop();
    }

    Status start(const session::TrainRequest& request) override {
        std::unique_lock lock(mutex_);
        if (isRunning()) return wrongCall("Cannot start training", "this session already trains a run", "Stop it first, or use a second session");
        snapshot_ = {};
        snapshot_.state = SessionState::kStarting;
        snapshot_.run = request.out;
        snapshot_.steps = request.config.train.steps;
        mailbox_ = std::make_shared<session::ControlMailbox>();
        lock.unlock();
        thread_ = std::jthread([this, request, mailbox = mailbox_](std::stop_token stop) { work(request, *mailbox, stop); });
        return {};
    }
    Status pause() override {
        return steer([](auto& mailbox) { mailbox.setPaused(true); });
    }
    Status resume() override {
        return steer([](auto& mailbox) { mailbox.setPaused(false); });
    }
    Status stop() override {
        return steer([](auto& mailbox) { mailbox.requestStop(); });
    }
    Status checkpointNow() override {
        return steer([](auto& mailbox) { mailbox.requestCheckpoint(); });
    }
    Status setTraceEvery(std::int64_t steps) override {
        return steer([steps](auto& mailbox) { mailbox.setTraceEvery(steps); });
    }
    Result<session::SampleResult> runSample(const session::SampleRequest& request, std::stop_token stop) override {
        JobContext context;
        context.stop = std::move(stop);
        return samples_->run(request, context);
    }
    SessionSnapshot snapshot() const override {
        std::lock_guard lock(mutex_);
        return snapshot_;
    }

private:
    [[nodiscard]] bool isRunning() const {
        return snapshot_.state != SessionState::kIdle && snapshot_.state != SessionState::kFinished && snapshot_.state != SessionState::kFailed;
    }

    template <class Request>
    Status steer(Request&& request) {
        std::lock_guard lock(mutex_);
        if (!isRunning()) return wrongCall("Nothing to steer", "no training runs in this session", "Start one first");
        request(*mailbox_);
        return {};
    }

    void work(const session::TrainRequest& request, session::ControlMailbox& mailbox, const std::stop_token& stop) {
        session::TrainHooks hooks;
        hooks.poll = [&] { return mailbox.take(); };
        hooks.onSnapshot = [this](const SessionSnapshot& told) {
            std::lock_guard lock(mutex_);
            snapshot_ = told;
            // Over only once train() has returned: until then the run's lock is held.
            if (!isRunning()) snapshot_.state = SessionState::kStopping;
        };
        JobContext context;
        context.stop = stop;
        const Status result = train(request, hooks, context);
        std::lock_guard lock(mutex_);
        const bool good = result || result.error().kind == ErrorKind::kStopped;
        snapshot_.state = good ? SessionState::kFinished : SessionState::kFailed;
        snapshot_.activity = result ? "Finished" : good ? "Stopped" : "";
        if (!good) snapshot_.error = result.error();
    }

    std::shared_ptr<SampleRunner> samples_;
    mutable std::mutex mutex_;
    SessionSnapshot snapshot_;
    std::shared_ptr<session::ControlMailbox> mailbox_;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace

std::unique_ptr<session::EngineSession> makeInProcessSession(std::shared_ptr<SampleRunner> samples) {
    return std::make_unique<InProcessSession>(std::move(samples));
}

}  // namespace es::engine
