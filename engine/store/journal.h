// SPDX-License-Identifier: GPL-3.0-or-later
// The journal file: frames that are only ever appended. The truth of a run; everything else can be made from it or is named by it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace es::store {

/// Before each payload: u32 magic, u32 payload bytes, u64 sequence (from 0), u32 CRC-32C of length, sequence and payload.
inline constexpr std::uint32_t kFrameMagic = 0x314A5345;  // "ESJ1"
inline constexpr std::size_t kFrameHeaderBytes = 20;
inline constexpr std::uint32_t kMaxPayloadBytes = 64u << 20;

/// Appends frames to a new file. One thread.
class JournalWriter {
public:
    [[nodiscard]] static Result<JournalWriter> create(const std::filesystem::path& path);
    JournalWriter(JournalWriter&& other) noexcept;
    JournalWriter& operator=(JournalWriter&&) = delete;
    ~JournalWriter();  ///< writes what is left

    /// Only into memory; nothing can fail here.
    void append(std::string_view payload);
    /// Hands everything to the operating system: it then survives the death of this process. After a failure the rest stays queued, and the
    /// next call goes on exactly where this one broke off.
    [[nodiscard]] Status write();
    /// Makes what was written survive a power cut.
    [[nodiscard]] Status sync();
    [[nodiscard]] std::uint64_t bytesWritten() const { return bytes_written_; }
    [[nodiscard]] bool pending() const { return !buffer_.empty(); }

private:
    JournalWriter(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}
    int descriptor_ = -1;
    std::filesystem::path path_;
    std::string buffer_;
    std::uint64_t sequence_ = 0, bytes_written_ = 0;
};

/// Where a reader of a journal stands; enough to go on after a restart.
struct JournalPosition {
    std::uint64_t offset = 0;         ///< first byte not yet read
    std::uint64_t next_sequence = 0;  ///< expected number of the next frame
};

/// What one call of readJournal found besides frames.
struct JournalProblems {
    std::uint64_t damaged_bytes = 0;   ///< skipped because no valid frame stood there
    std::uint64_t damaged_at = 0;      ///< where the first of them lies
    std::uint64_t missing_frames = 0;  ///< sequence numbers never seen
    std::uint64_t unread_tail = 0;     ///< bytes at the end that are no whole frame (yet)
    [[nodiscard]] bool damaged() const { return damaged_bytes > 0 || missing_frames > 0; }
};

/// Reads the frames from `position` to the end of the file and moves it along. A frame that is cut off at the end is left for the next
/// call; damage in the middle is skipped to the next valid frame and reported. `onFrame` returns false to stop early.
[[nodiscard]] Result<JournalProblems> readJournal(const std::filesystem::path& path, JournalPosition& position,
                                                  const std::function<bool(std::string_view payload)>& onFrame);

}  // namespace es::store
