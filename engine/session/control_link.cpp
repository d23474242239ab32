// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/session/control_link.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

#include "engine/session/control_mailbox.h"
#include "engine/session/line_socket.h"
#include "engine/session/session_messages.h"

namespace es::session {
namespace {

constexpr int kLinkPollMs = 200;

class SocketControlLink final : public ControlLink {
public:
    explicit SocketControlLink(LineSocket socket) : socket_(std::move(socket)) {
        Message hello;
        hello.protocol = kProtocolVersion;
        hello.number = ::getpid();
        send(hello);
        thread_ = std::jthread([this](std::stop_token stop) { listen(stop); });
    }

    TrainHooks hooks() override {
        TrainHooks hooks;
        hooks.poll = [this] { return mailbox_.take(); };
        hooks.onSnapshot = [this](const SessionSnapshot& snapshot) {
            Message message;
            message.type = MessageType::kSnapshot;
            message.snapshot = snapshot;
            send(message);
        };
        return hooks;
    }

    void finish(const Status& result) override {
        Message message;
        message.type = MessageType::kResult;
        if (!result) message.error = result.error();
        send(message);
    }

private:
    void send(const Message& message) {
        std::lock_guard lock(write_mutex_);
        socket_.write(encode(message));
    }

    void listen(std::stop_token stop) {
        bool detached = false;
        std::vector<std::string> lines;
        while (!stop.stop_requested()) {
            lines.clear();
            const bool connected = socket_.read(lines, kLinkPollMs);
            for (const std::string& line : lines)
                if (const auto message = decode(line)) detached = take(*message) || detached;
            if (connected) continue;
            if (!detached) mailbox_.requestStop();
            return;
        }
    }

    /// True when the window will go and training is to go on.
    bool take(const Message& message) {
        switch (message.type) {
            case MessageType::kPause: mailbox_.setPaused(true); break;
            case MessageType::kResume: mailbox_.setPaused(false); break;
            case MessageType::kStop: mailbox_.requestStop(); break;
            case MessageType::kCheckpoint: mailbox_.requestCheckpoint(); break;
            case MessageType::kTraceEvery: mailbox_.setTraceEvery(message.number); break;
            case MessageType::kDetach: mailbox_.setPaused(false); return true;
            default: break;
        }
        return false;
    }

    LineSocket socket_;
    std::mutex write_mutex_;
    ControlMailbox mailbox_;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace

Result<std::unique_ptr<ControlLink>> ControlLink::connect(const std::filesystem::path& socket) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = socket.string();
    if (path.size() >= sizeof(address.sun_path))
        return wrongCall("Cannot reach the window", "the path of its socket is longer than " + std::to_string(sizeof(address.sun_path) - 1) + " bytes",
                         "Use a shorter path for --control");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!descriptor.valid() || ::connect(descriptor.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
        return jobFailed("Cannot reach the window", std::strerror(errno), "Start training without --control, or from the window", path);
    return std::make_unique<SocketControlLink>(LineSocket(std::move(descriptor)));
}

}  // namespace es::session
