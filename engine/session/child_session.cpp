// SPDX-License-Identifier: GPL-3.0-or-later
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/base/files.h"
#include "engine/config/config_io.h"
#include "engine/session/child_process.h"
#include "engine/session/engine_session.h"
#include "engine/session/line_socket.h"
#include "engine/session/session_messages.h"

namespace es::session {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kEnginePollMs = 100;
constexpr int kWordsKept = 12;
constexpr int kStoppedExitCode = 130;

bool isRunning(SessionState state) {
    return state == SessionState::kStarting || state == SessionState::kTraining || state == SessionState::kPaused || state == SessionState::kStopping;
}

/// A folder of its own for the socket and the configuration; gone with the object. Short, because a socket's path is.
class ControlFolder {
public:
    ControlFolder() {
        for (const char* parent : {static_cast<const char*>(std::getenv("XDG_RUNTIME_DIR")), static_cast<const char*>(std::getenv("TMPDIR")), "/tmp"}) {
            if (!parent || !*parent || std::strlen(parent) > 60) continue;
            std::string pattern = std::string(parent) + "/expertscope-XXXXXX";
            if (::mkdtemp(pattern.data())) {
                path_ = pattern;
                return;
            }
        }
    }
    ~ControlFolder() {
        std::error_code ignored;
        if (!path_.empty()) fs::remove_all(path_, ignored);
    }
    ControlFolder(const ControlFolder&) = delete;
    ControlFolder& operator=(const ControlFolder&) = delete;
    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

Result<Descriptor> listenAt(const fs::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.string().size() >= sizeof(address.sun_path))
        return jobFailed("Cannot make the training process's socket", "its path is too long", "Set TMPDIR to a short path", path.string());
    std::memcpy(address.sun_path, path.c_str(), path.string().size() + 1);
    Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!descriptor.valid() || ::bind(descriptor.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 || ::listen(descriptor.get(), 1) != 0)
        return jobFailed("Cannot make the training process's socket", std::strerror(errno), "Check that the folder for temporary files is writable",
                         path.string());
    return descriptor;
}

class SocketChildSession final : public ChildSession {
public:
    SocketChildSession(fs::path program, ChildOptions options) : program_(std::move(program)), options_(options) {}
    ~SocketChildSession() override { end(); }

    Status start(const TrainRequest& request) override {
        if (isRunning(snapshot().state))
            return wrongCall("Cannot start training", "this session already trains a run", "Stop it first, or use a second session");
        end();
        detached_ = false;
        folder_ = std::make_unique<ControlFolder>();
        if (folder_->path().empty())
            return jobFailed("Cannot start training", "no folder for temporary files can be written", "Set TMPDIR to a writable folder");
        const fs::path config = folder_->path() / "config.toml", socket = folder_->path() / "control";
        if (Status written = writeFileAtomically(config, config::toToml(request.config)); !written) return written;
        auto listening = listenAt(socket);
        if (!listening) return tl::unexpected(listening.error());
        std::vector<std::string> arguments{"train", config.string(), "--out", request.out.string(), "--control", socket.string(), "--background"};
        if (request.resume) arguments.emplace_back("--resume");
        auto child = ChildProcess::start(program_, arguments);
        if (!child) return tl::unexpected(child.error());
        {
            std::lock_guard lock(mutex_);
            snapshot_ = {};
            snapshot_.state = SessionState::kStarting;
            snapshot_.run = request.out;
            snapshot_.steps = request.config.train.steps;
            snapshot_.activity = "Starting the training process";
            outbox_.clear();
            result_.reset();
            connected_ = false;
        }
        thread_ = std::jthread(
            [this, child = std::move(*child), socketListening = std::move(*listening)](std::stop_token stop) mutable { watch(stop, child, socketListening); });
        return {};
    }

    Status pause() override { return ask(MessageType::kPause); }
    Status resume() override { return ask(MessageType::kResume); }
    Status stop() override { return ask(MessageType::kStop); }
    Status checkpointNow() override { return ask(MessageType::kCheckpoint); }
    Status setTraceEvery(std::int64_t steps) override { return ask(MessageType::kTraceEvery, steps); }

    Result<SampleResult> runSample(const SampleRequest&, std::stop_token) override {
        return wrongCall("Cannot run a picture here", "this session's process only trains", "Use an in-process session of the engine's library");
    }

    SessionSnapshot snapshot() const override {
        std::lock_guard lock(mutex_);
        return snapshot_;
    }

    void detach() override {
        detached_ = true;
        (void)ask(MessageType::kDetach);
    }

private:
    struct Outcome {
        std::optional<Error> error;
    };

    Status ask(MessageType type, std::int64_t number = 0) {
        Message message;
        message.type = type;
        message.number = number;
        std::lock_guard lock(mutex_);
        if (!isRunning(snapshot_.state)) return wrongCall("Nothing to steer", "no training runs in this session", "Start one first");
        if (type == MessageType::kStop) {
            snapshot_.state = SessionState::kStopping;
            snapshot_.activity = "Finishing the step and saving";
        }
        if (!connected_) outbox_.push_back(message);
        else socket_.write(encode(message));
        return {};
    }

    void end() {
        if (thread_.joinable()) {
            thread_.request_stop();
            thread_.join();
        }
        thread_ = {};
        socket_.close();
        folder_.reset();
    }

    void watch(std::stop_token stop, ChildProcess& child, Descriptor& listening) {
        std::optional<int> status;
        while (!stop.stop_requested()) {
            // Asked before reading: what a child sends before it ends is read after.
            status = child.ended();
            readOrAccept(listening, kEnginePollMs);
            if (!status) continue;
            drain(listening);
            conclude(child, *status);
            return;
        }
        if (detached_) return leave(child, listening);
        (void)ask(MessageType::kStop);
        for (const int last : {0, SIGTERM, SIGKILL}) {
            if (last != 0) child.signal(last);
            const auto until = Clock::now() + options_.stop_patience;
            while (!(status = child.ended()) && (Clock::now() < until || last == SIGKILL)) readOrAccept(listening, 20);
            if (status) break;
        }
        drain(listening);
        conclude(child, status.value_or(0));
    }

    /// A child that has not connected yet must still learn that it is on its own.
    void leave(ChildProcess& child, Descriptor& listening) {
        const auto until = Clock::now() + options_.stop_patience;
        while (!connected_ && !child.ended() && Clock::now() < until) readOrAccept(listening, 20);
        child.abandon();
    }

    void drain(Descriptor& listening) {
        for (int i = 0; i < 64 && readOrAccept(listening, 0) == ReadOutcome::kGot; ++i) {
        }
    }

    enum class ReadOutcome { kNothing, kGot };

    ReadOutcome readOrAccept(Descriptor& listening, int timeout_ms) {
        if (!connected_) {
            Descriptor accepted(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!accepted.valid()) {
                std::this_thread::sleep_for(std::chrono::milliseconds(std::min(timeout_ms, 20)));
                return ReadOutcome::kNothing;
            }
            std::lock_guard lock(mutex_);
            socket_ = LineSocket(std::move(accepted));
            connected_ = true;
            for (const Message& message : outbox_) socket_.write(encode(message));
            outbox_.clear();
            return ReadOutcome::kGot;
        }
        std::vector<std::string> lines;
        if (!socket_.read(lines, timeout_ms) && lines.empty()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(std::min(timeout_ms, 20)));
            return ReadOutcome::kNothing;
        }
        for (const std::string& line : lines)
            if (const auto message = decode(line)) take(*message);
        return lines.empty() ? ReadOutcome::kNothing : ReadOutcome::kGot;
    }

    void take(const Message& message) {
        std::lock_guard lock(mutex_);
        if (message.type == MessageType::kSnapshot) {
            const bool stopping = snapshot_.state == SessionState::kStopping;
            const fs::path run = snapshot_.run;
            snapshot_ = message.snapshot;
            snapshot_.run = run;
            // Ended only once the process has: until then its lock is on the run. What was asked for shows at once.
            if (!isRunning(snapshot_.state) || (stopping && snapshot_.state != SessionState::kStopping)) snapshot_.state = SessionState::kStopping;
        } else if (message.type == MessageType::kResult) {
            result_ = Outcome{message.error};
        }
    }

    void conclude(ChildProcess& child, int status) {
        const std::string words = child.lastWords(kWordsKept);
        std::lock_guard lock(mutex_);
        const bool exited = WIFEXITED(status);
        if (result_ && !result_->error && exited && WEXITSTATUS(status) == 0) {
            snapshot_.state = SessionState::kFinished;
            snapshot_.activity = "Finished";
            return;
        }
        if ((result_ && result_->error && result_->error->kind == ErrorKind::kStopped) || (exited && WEXITSTATUS(status) == kStoppedExitCode)) {
            snapshot_.state = SessionState::kFinished;
            snapshot_.activity = "Stopped";
            return;
        }
        snapshot_.state = SessionState::kFailed;
        snapshot_.activity.clear();
        if (result_ && result_->error) {
            snapshot_.error = *result_->error;
            return;
        }
        snapshot_.error = {ErrorKind::kJobFailed, "The training process ended early",
                           describeWaitStatus(status) + (words.empty() ? std::string(" without a word") : "; its last words:\n" + words),
                           "Resume the run: it goes on from its newest checkpoint", snapshot_.run.string()};
    }

    fs::path program_;
    ChildOptions options_;
    std::atomic<bool> detached_ = false;
    std::atomic<bool> connected_ = false;
    std::unique_ptr<ControlFolder> folder_;
    mutable std::mutex mutex_;
    SessionSnapshot snapshot_;
    std::vector<Message> outbox_;
    std::optional<Outcome> result_;
    LineSocket socket_;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace

std::unique_ptr<ChildSession> makeChildSession(fs::path program, ChildOptions options) {
    return std::make_unique<SocketChildSession>(std::move(program), options);
}

}  // namespace es::session
