// SPDX-License-Identifier: GPL-3.0-or-later
// The writer thread's half of RunWriter: puts records into the journal and the HDF5 files. One thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/store/format.h"
#include "engine/store/journal.h"
#include "engine/store/journal_records.h"
#include "engine/store/routing_file.h"
#include "engine/store/run_writer.h"
#include "engine/store/sample_file.h"

namespace es::store {

struct RecordSinkOptions {
    std::filesystem::path folder;
    std::string run_uuid;
    JournalName name;
    std::vector<RouterInfo> routers;
    RunWriterOptions writer;
};

class RecordSink {
public:
    /// Opens the attempt's journal and writes its first frames, synced.
    [[nodiscard]] static Result<std::unique_ptr<RecordSink>> open(RecordSinkOptions options, const AttemptHeader& header);

    void scalars(std::int64_t step, double time, const std::vector<Scalar>& values);
    void append(const Record& record);
    [[nodiscard]] Status trace(std::int64_t step, const std::vector<TraceUnit>& units);
    [[nodiscard]] Status samples(const std::vector<SampleRecord>& samples);
    [[nodiscard]] Status probe(const Probe& probe);
    [[nodiscard]] Status evaluation(const Evaluation& evaluation);

    /// Everything so far becomes readable and survives the death of the process; with `sync` a power cut too.
    [[nodiscard]] Status flush(bool sync);
    /// Closes the segment when it is old or large enough.
    [[nodiscard]] Status rotateIfDue();
    /// Last flush; closes the segment and the sample file.
    [[nodiscard]] Status close();
    [[nodiscard]] std::uint64_t bytesWritten() const;

private:
    explicit RecordSink(RecordSinkOptions options, JournalWriter journal) : options_(std::move(options)), journal_(std::move(journal)) {}
    [[nodiscard]] Status closeSegment();
    [[nodiscard]] std::filesystem::path at(const std::string& relative) const { return options_.folder / relative; }

    RecordSinkOptions options_;
    JournalWriter journal_;
    std::unordered_map<std::string, std::uint32_t> series_;

    std::unique_ptr<RoutingFileWriter> segment_;
    SegmentNotice segment_notice_;
    std::uint32_t segments_ = 0;
    std::chrono::steady_clock::time_point segment_opened_;
    std::vector<TraceNotice> unannounced_;  ///< in the segment's buffers: told to the journal once they are in the file

    std::unique_ptr<SampleFileWriter> sample_file_;
    std::uint64_t announced_samples_ = 0;
    std::uint64_t other_bytes_ = 0;
};

}  // namespace es::store
