// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/session/fake_engine_session.h"

namespace es::session {

void FakeEngineSession::setScript(std::vector<SessionSnapshot> script) {
    std::lock_guard lock(mutex_);
    script_ = std::move(script);
    page_ = 0;
}

void FakeEngineSession::setSampleScript(SampleScript script) {
    std::lock_guard lock(mutex_);
    sample_script_ = std::move(script);
}

void FakeEngineSession::failNext(Error error) {
    std::lock_guard lock(mutex_);
    failures_.push_back(std::move(error));
}

bool FakeEngineSession::advance() {
    std::lock_guard lock(mutex_);
    if (page_ >= script_.size()) return false;
    snapshot_ = script_[page_++];
    if (snapshot_.run.empty()) snapshot_.run = request_.out;
    return true;
}

std::vector<std::string> FakeEngineSession::calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
}

TrainRequest FakeEngineSession::lastRequest() const {
    std::lock_guard lock(mutex_);
    return request_;
}

SampleRequest FakeEngineSession::lastSample() const {
    std::lock_guard lock(mutex_);
    return sample_;
}

Status FakeEngineSession::start(const TrainRequest& request) {
    if (Status noted = note("start", SessionState::kTraining); !noted) return noted;
    std::lock_guard lock(mutex_);
    request_ = request;
    snapshot_.run = request.out;
    snapshot_.steps = request.config.train.steps;
    return {};
}

Status FakeEngineSession::pause() { return note("pause", SessionState::kPaused); }
Status FakeEngineSession::resume() { return note("resume", SessionState::kTraining); }
Status FakeEngineSession::stop() { return note("stop", SessionState::kStopping); }
Status FakeEngineSession::checkpointNow() { return note("checkpoint", snapshot().state); }
Status FakeEngineSession::setTraceEvery(std::int64_t steps) { return note("trace_every " + std::to_string(steps), snapshot().state); }

Result<SampleResult> FakeEngineSession::runSample(const SampleRequest& request, std::stop_token) {
    SampleScript script;
    {
        std::lock_guard lock(mutex_);
        calls_.emplace_back("run_sample");
        sample_ = request;
        script = sample_script_;
    }
    if (!script) return wrongCall("Cannot run the picture", "this session has no script for it", "Give it one");
    return script(request);
}

SessionSnapshot FakeEngineSession::snapshot() const {
    std::lock_guard lock(mutex_);
    return snapshot_;
}

Status FakeEngineSession::note(std::string call, SessionState next) {
    std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
    if (!failures_.empty()) {
        Error error = failures_.front();
        failures_.erase(failures_.begin());
        return tl::unexpected(std::move(error));
    }
    snapshot_.state = next;
    return {};
}

}  // namespace es::session
