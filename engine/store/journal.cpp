// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "engine/base/hash.h"
#include "engine/store/bytes.h"

namespace es::store {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kReadBytes = 4u << 20;

std::span<const std::byte> bytesOf(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

struct Frame {
    std::uint64_t sequence = 0;
    std::string_view payload;
};
enum class FrameState { kWhole, kCutOff, kDamaged };

/// Judges the frame at the start of `bytes`. kCutOff: it may become whole when more bytes come.
FrameState parseFrame(std::string_view bytes, Frame& frame) {
    if (bytes.size() < kFrameHeaderBytes) {
        const std::size_t known = std::min<std::size_t>(bytes.size(), sizeof(kFrameMagic));
        return std::memcmp(bytes.data(), &kFrameMagic, known) == 0 ? FrameState::kCutOff : FrameState::kDamaged;
    }
    ByteReader header(bytes);
    const auto magic = header.get<std::uint32_t>();
    const auto length = header.get<std::uint32_t>();
    frame.sequence = header.get<std::uint64_t>();
    const auto crc = header.get<std::uint32_t>();
    if (magic != kFrameMagic || length > kMaxPayloadBytes) return FrameState::kDamaged;
    if (bytes.size() - kFrameHeaderBytes < length) return FrameState::kCutOff;
    frame.payload = bytes.substr(kFrameHeaderBytes, length);
    const std::uint32_t expected = crc32c(bytesOf(frame.payload), crc32c(bytesOf(bytes.substr(4, 12))));
    return crc == expected ? FrameState::kWhole : FrameState::kDamaged;
}

/// Place of the next whole frame at or after `from`, if one is there.
std::optional<std::size_t> findFrame(std::string_view bytes, std::size_t from) {
    const std::string_view magic(reinterpret_cast<const char*>(&kFrameMagic), sizeof(kFrameMagic));
    for (std::size_t at = bytes.find(magic, from); at != std::string_view::npos; at = bytes.find(magic, at + 1)) {
        Frame frame;
        if (parseFrame(bytes.substr(at), frame) == FrameState::kWhole) return at;
    }
    return std::nullopt;
}

/// Appends up to `size` bytes from `offset` to `buffer`; how many came, or -1.
ssize_t readMore(int descriptor, std::string& buffer, std::size_t size, std::uint64_t offset) {
    const std::size_t had = buffer.size();
    buffer.resize(had + size);
    ssize_t got = 0;
    do got = ::pread(descriptor, buffer.data() + had, size, static_cast<off_t>(offset));
    while (got < 0 && errno == EINTR);
    buffer.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return got;
}

/// Walks over frames of a buffer that moves through the file.
class Scanner {
public:
    Scanner(JournalPosition& position, const std::function<bool(std::string_view)>& onFrame) : position_(position), on_frame_(onFrame) {}

    /// Takes whole frames off the front of `bytes`; returns the bytes used. Sets stopped() when the caller wants no more.
    std::size_t take(std::string_view bytes, bool atEnd) {
        std::size_t used = 0;
        while (used < bytes.size() && !stopped_) {
            Frame frame;
            const FrameState state = parseFrame(bytes.substr(used), frame);
            if (state == FrameState::kWhole) {
                used += kFrameHeaderBytes + frame.payload.size();
                if (frame.sequence > position_.next_sequence) problems_.missing_frames += frame.sequence - position_.next_sequence;
                position_.next_sequence = frame.sequence + 1;
                stopped_ = !on_frame_(frame.payload);
                continue;
            }
            // An honest writer leaves nothing after a frame that is cut off: a whole frame behind it proves damage.
            if (state == FrameState::kCutOff && !atEnd) break;
            const auto next = findFrame(bytes, used + 1);
            if (!next && (atEnd || bytes.size() - used <= kMaxPayloadBytes + kFrameHeaderBytes)) break;
            const std::size_t skipTo = next.value_or(bytes.size() - kFrameHeaderBytes);
            if (problems_.damaged_bytes == 0) problems_.damaged_at = position_.offset + used;
            problems_.damaged_bytes += skipTo - used;
            used = skipTo;
        }
        return used;
    }
    [[nodiscard]] bool stopped() const { return stopped_; }
    [[nodiscard]] JournalProblems& problems() { return problems_; }

private:
    JournalPosition& position_;
    const std::function<bool(std::string_view)>& on_frame_;
    JournalProblems problems_;
    bool stopped_ = false;
};

}  // namespace

Result<JournalWriter> JournalWriter::create(const fs::path& path) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (descriptor < 0) return jobFailed("Cannot create the journal", std::strerror(errno), "Check the folder's permissions and free space", path.string());
    return JournalWriter(descriptor, path);
}

JournalWriter::JournalWriter(JournalWriter&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)), buffer_(std::move(other.buffer_)), sequence_(other.sequence_),
      bytes_written_(other.bytes_written_) {}

JournalWriter::~JournalWriter() {
    if (descriptor_ < 0) return;
    (void)write();
    ::close(descriptor_);
}

void JournalWriter::append(std::string_view payload) {
    ByteWriter checked;
    checked.put(static_cast<std::uint32_t>(payload.size()));
    checked.put(sequence_++);
    const std::string head = checked.take();
    const std::uint32_t crc = crc32c(bytesOf(payload), crc32c(bytesOf(head)));
    buffer_.append(reinterpret_cast<const char*>(&kFrameMagic), sizeof(kFrameMagic));
    buffer_.append(head);
    buffer_.append(reinterpret_cast<const char*>(&crc), sizeof(crc));
    buffer_.append(payload);
}

Status JournalWriter::write() {
    std::size_t done = 0;
    while (done < buffer_.size()) {
        const ssize_t written = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            const std::string why = std::strerror(errno);
            buffer_.erase(0, done);
            bytes_written_ += done;
            return jobFailed("Cannot write the journal", why, "Free some space on the disk", path_.string());
        }
        done += static_cast<std::size_t>(written);
    }
    bytes_written_ += done;
    buffer_.clear();
    return {};
}

Status JournalWriter::sync() {
    if (::fdatasync(descriptor_) != 0 && errno != EINVAL && errno != ENOTSUP)
        return jobFailed("Cannot sync the journal", std::strerror(errno), "Check the disk", path_.string());
    return {};
}

Result<JournalProblems> readJournal(const fs::path& path, JournalPosition& position, const std::function<bool(std::string_view)>& onFrame) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return badInput("Cannot read the journal", std::strerror(errno), "Check its permissions", path.string());
    Scanner scanner(position, onFrame);
    std::string buffer;
    ssize_t got = 0;
    while (!scanner.stopped()) {
        got = readMore(descriptor, buffer, kReadBytes, position.offset + buffer.size());
        if (got < 0) break;
        const std::size_t used = scanner.take(buffer, got == 0);
        position.offset += used;
        buffer.erase(0, used);
        if (got == 0) break;
    }
    const std::string why = got < 0 ? std::strerror(errno) : "";
    ::close(descriptor);
    if (got < 0) return badInput("Cannot read the journal", why, "Check the disk", path.string());
    scanner.problems().unread_tail = buffer.size();
    return scanner.problems();
}

}  // namespace es::store
