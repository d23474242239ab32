// SPDX-License-Identifier: GPL-3.0-or-later
// Lines of text over a connected stream socket, and a file descriptor that closes itself.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace es::session {

class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int value) : value_(value) {}
    Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(value_, other.value_);
        return *this;
    }
    ~Descriptor() { reset(); }
    void reset();
    [[nodiscard]] int get() const { return value_; }
    [[nodiscard]] bool valid() const { return value_ >= 0; }

private:
    int value_ = -1;
};

/// Not thread-safe, but one thread may read while another (holding a lock of its own) writes.
class LineSocket {
public:
    LineSocket() = default;
    explicit LineSocket(Descriptor socket) : socket_(std::move(socket)) {}
    /// Waits at most timeout_ms for bytes, then returns the complete lines that are there. False once the other side is gone.
    [[nodiscard]] bool read(std::vector<std::string>& lines, int timeout_ms);
    /// Sends a line. False when the other side is gone or does not take it within a second.
    bool write(std::string_view line) const;
    [[nodiscard]] bool valid() const { return socket_.valid(); }
    [[nodiscard]] int descriptor() const { return socket_.get(); }
    void close() { socket_.reset(); }

private:
    Descriptor socket_;
    std::string rest_;
};

}  // namespace es::session
