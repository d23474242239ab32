// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/record_sink.h"

#include <algorithm>

#include "engine/base/files.h"
#include "engine/store/evaluation_file.h"

namespace es::store {
namespace fs = std::filesystem;

Result<std::unique_ptr<RecordSink>> RecordSink::open(RecordSinkOptions options, const AttemptHeader& header) {
    const fs::path path = options.folder / kJournalFolder / journalFileName(options.name);
    auto journal = JournalWriter::create(path);
    if (!journal) return tl::unexpected(journal.error());
    const RouterTable routers = options.routers;
    std::unique_ptr<RecordSink> sink(new RecordSink(std::move(options), std::move(*journal)));
    sink->append(header);
    sink->append(routers);
    if (auto status = sink->flush(true); !status) return tl::unexpected(status.error());
    if (auto status = syncFolder(path.parent_path()); !status) return tl::unexpected(status.error());
    return sink;
}

void RecordSink::append(const Record& record) { journal_.append(encodeRecord(record)); }

void RecordSink::scalars(std::int64_t step, double time, const std::vector<Scalar>& values) {
    ScalarRow row{step, time, {}};
    row.values.reserve(values.size());
    for (const Scalar& scalar : values) {
        const auto [known, isNew] = series_.try_emplace(scalar.name, static_cast<std::uint32_t>(series_.size()));
        if (isNew) append(SeriesDefinition{known->second, scalar.name});
        row.values.emplace_back(known->second, scalar.value);
    }
    append(row);
}

Status RecordSink::trace(std::int64_t step, const std::vector<TraceUnit>& units) {
    for (const TraceUnit& unit : units) {
        if (unit.step != step) return wrongCall("Cannot record the routing", "a unit belongs to another step", "Hand over the units of one step");
        if (auto fit = checkTable(unit); !fit) return fit;
    }
    if (!segment_) {
        segment_notice_ = {segmentPath(options_.name, segments_++), false, step, step, 0};
        auto segment =
            RoutingFileWriter::create(at(segment_notice_.file), {options_.run_uuid, options_.name.attempt, options_.name.rank, -1, {}}, options_.routers, true);
        if (!segment) return tl::unexpected(segment.error());
        segment_ = std::move(*segment);
        segment_opened_ = std::chrono::steady_clock::now();
        append(segment_notice_);
    }
    TraceNotice notice{step, segment_notice_.file, static_cast<std::uint32_t>(units.size()), 0};
    for (const TraceUnit& unit : units) {
        if (auto status = segment_->append(unit); !status) return status;
        notice.tokens += static_cast<std::uint64_t>(unit.tokens);
    }
    segment_notice_.first_step = std::min(segment_notice_.first_step, step);
    segment_notice_.last_step = std::max(segment_notice_.last_step, step);
    unannounced_.push_back(std::move(notice));
    return rotateIfDue();
}

Status RecordSink::samples(const std::vector<SampleRecord>& samples) {
    if (!sample_file_) {
        auto file = SampleFileWriter::create(at(samplesPath(options_.name)), options_.run_uuid);
        if (!file) return tl::unexpected(file.error());
        sample_file_ = std::move(*file);
    }
    for (const SampleRecord& sample : samples) sample_file_->append(sample);
    return {};
}

Status RecordSink::probe(const Probe& probe) {
    const std::string relative = probePath(probe.key, options_.name.attempt);
    const fs::path temporary = at(relative + ".part");
    std::vector<RouterInfo> routers;
    for (const RoutingTable& table : probe.tables) routers.push_back(table.router);
    auto file =
        RoutingFileWriter::create(temporary, {options_.run_uuid, options_.name.attempt, options_.name.rank, probe.key.step, probe.key.variant}, routers, false);
    if (!file) return tl::unexpected(file.error());
    for (const RoutingTable& table : probe.tables)
        if (auto status = (*file)->append(table); !status) return status;
    if (auto status = (*file)->close(); !status) return status;
    std::error_code error;
    fs::rename(temporary, at(relative), error);
    if (error) return jobFailed("Cannot replace the probe", error.message(), "Check the folder's permissions", at(relative).string());
    if (auto status = syncFolder(at(kRoutingFolder)); !status) return status;
    other_bytes_ += (*file)->bytes();
    append(ProbeNotice{probe.key, relative});
    return {};
}

Status RecordSink::evaluation(const Evaluation& evaluation) {
    const std::string relative = evaluationPath(evaluation.step, evaluation.split, options_.name.attempt);
    if (auto status = writeEvaluation(at(relative), evaluation, options_.run_uuid); !status) return status;
    append(EvaluationNotice{evaluation.step, evaluation.split, relative, static_cast<std::uint32_t>(evaluation.rows.size())});
    return {};
}

Status RecordSink::flush(bool sync) {
    Status result;
    const auto note = [&](Status status) {
        if (!status && result) result = std::move(status);
        return result.has_value();
    };
    if (sample_file_ && sample_file_->count() > announced_samples_ && note(sample_file_->flush())) {
        announced_samples_ = sample_file_->count();
        append(SampleNotice{samplesPath(options_.name), announced_samples_});
    }
    if (segment_ && !unannounced_.empty() && note(segment_->flush())) {
        for (const TraceNotice& notice : unannounced_) append(notice);
        unannounced_.clear();
    }
    if (journal_.pending()) note(journal_.write());
    if (sync) note(journal_.sync());
    return result;
}

Status RecordSink::rotateIfDue() {
    if (!segment_) return {};
    const double age = std::chrono::duration<double>(std::chrono::steady_clock::now() - segment_opened_).count();
    if (segment_->bytes() < options_.writer.segment_bytes && age < options_.writer.segment_seconds) return {};
    return closeSegment();
}

Status RecordSink::closeSegment() {
    if (!segment_) return {};
    const auto segment = std::exchange(segment_, nullptr);
    segment_notice_.closed = true;
    segment_notice_.units = segment->units();
    other_bytes_ += segment->bytes();
    if (auto status = segment->close(); !status) {
        unannounced_.clear();
        return status;
    }
    for (const TraceNotice& notice : unannounced_) append(notice);
    unannounced_.clear();
    append(segment_notice_);
    return {};
}

Status RecordSink::close() {
    Status result;
    const auto note = [&](Status status) {
        if (!status && result) result = std::move(status);
    };
    note(flush(false));
    note(closeSegment());
    if (sample_file_) note(sample_file_->close());
    note(flush(true));
    return result;
}

std::uint64_t RecordSink::bytesWritten() const { return journal_.bytesWritten() + other_bytes_ + (segment_ ? segment_->bytes() : 0); }

}  // namespace es::store
