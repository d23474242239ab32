// SPDX-License-Identifier: GPL-3.0-or-later
// A session without an engine: plays a script and remembers what it was asked. For tests of views and of the program.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "engine/session/engine_session.h"

namespace es::session {

/// Thread-safe, so that a test can turn the pages while a window watches.
class FakeEngineSession : public EngineSession {
public:
    using SampleScript = std::function<Result<SampleResult>(const SampleRequest&)>;

    /// The snapshots that advance() shows one after another, once started. An empty script stays in kTraining.
    void setScript(std::vector<SessionSnapshot> script);
    /// Answers runSample. Without one, runSample fails.
    void setSampleScript(SampleScript script);
    /// The next call of a steering method fails with this error, once.
    void failNext(Error error);
    /// Shows the next snapshot of the script. False at its end.
    bool advance();
    /// What was asked, in order: "start", "pause", "resume", "stop", "checkpoint", "trace_every 5", "run_sample".
    [[nodiscard]] std::vector<std::string> calls() const;
    [[nodiscard]] TrainRequest lastRequest() const;
    [[nodiscard]] SampleRequest lastSample() const;

    Status start(const TrainRequest& request) override;
    Status pause() override;
    Status resume() override;
    Status stop() override;
    Status checkpointNow() override;
    Status setTraceEvery(std::int64_t steps) override;
    Result<SampleResult> runSample(const SampleRequest& request, std::stop_token stop) override;
    SessionSnapshot snapshot() const override;

private:
    Status note(std::string call, SessionState next);
    mutable std::mutex mutex_;
    std::vector<SessionSnapshot> script_;
    std::size_t page_ = 0;
    SessionSnapshot snapshot_;
    SampleScript sample_script_;
    std::vector<Error> failures_;
    std::vector<std::string> calls_;
    TrainRequest request_;
    SampleRequest sample_;
};

}  // namespace es::session
