// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/session/line_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace es::session {
namespace {

constexpr std::size_t kLongestLine = 1u << 20;
constexpr int kSendPatienceMs = 1000;

}  // namespace

void Descriptor::reset() {
    if (value_ >= 0) ::close(value_);
    value_ = -1;
}

bool LineSocket::read(std::vector<std::string>& lines, int timeout_ms) {
    if (!valid()) return false;
    pollfd wanted{socket_.get(), POLLIN, 0};
    const int ready = ::poll(&wanted, 1, timeout_ms);
    if (ready < 0) return errno == EINTR;
    if (ready == 0) return true;
    char buffer[4096];
    const ssize_t got = ::recv(socket_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    if (got == 0) return false;
    rest_.append(buffer, static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
        lines.push_back(rest_.substr(begin, end - begin));
        begin = end + 1;
    }
    rest_.erase(0, begin);
    return rest_.size() <= kLongestLine;
}

bool LineSocket::write(std::string_view line) const {
    if (!valid()) return false;
    std::string bytes(line);
    bytes += '\n';
    std::string_view left = bytes;
    while (!left.empty()) {
        const ssize_t sent = ::send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            left.remove_prefix(static_cast<std::size_t>(sent));
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return false;
        pollfd wanted{socket_.get(), POLLOUT, 0};
        if (::poll(&wanted, 1, kSendPatienceMs) <= 0) return false;
    }
    return true;
}

}  // namespace es::session
