// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/journal_records.h"

#include <span>

#include "engine/store/bytes.h"

namespace es::store {
namespace {

// Each record is described twice, side by side: how it is written and how it is read.

void write(ByteWriter& out, const AttemptHeader& r) {
    out.put(r.format_version);
    out.put(r.attempt);
    out.put(r.parent);
    out.put(r.start_step);
    out.put(r.rank);
    out.put(r.time_s);
    out.text(r.run_uuid);
    out.text(r.program_version);
}
void read(ByteReader& in, AttemptHeader& r) {
    r.format_version = in.get<std::uint32_t>();
    r.attempt = in.get<std::uint32_t>();
    r.parent = in.get<std::int32_t>();
    r.start_step = in.get<std::int64_t>();
    r.rank = in.get<std::uint32_t>();
    r.time_s = in.get<double>();
    r.run_uuid = in.text();
    r.program_version = in.text();
}

void write(ByteWriter& out, const RouterTable& r) {
    out.put(static_cast<std::uint32_t>(r.size()));
    for (const RouterInfo& router : r) {
        out.put(router.id.value);
        out.put(router.layer.value);
        out.put(static_cast<std::uint8_t>(router.branch));
        out.put(static_cast<std::uint8_t>(router.layout));
        out.put(router.experts);
        out.put(router.k);
        out.text(router.kind);
    }
}
void read(ByteReader& in, RouterTable& r) {
    const auto count = in.get<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
        RouterInfo router;
        router.id = RouterId(in.get<std::int32_t>());
        router.layer = LayerIndex(in.get<std::int32_t>());
        router.branch = static_cast<Branch>(in.get<std::uint8_t>());
        router.layout = static_cast<RoutingLayout>(in.get<std::uint8_t>());
        router.experts = in.get<std::int32_t>();
        router.k = in.get<std::int32_t>();
        router.kind = in.text();
        r.push_back(std::move(router));
    }
}

void write(ByteWriter& out, const SeriesDefinition& r) {
    out.put(r.id);
    out.text(r.name);
}
void read(ByteReader& in, SeriesDefinition& r) {
    r.id = in.get<std::uint32_t>();
    r.name = in.text();
}

void write(ByteWriter& out, const ScalarRow& r) {
    out.put(r.step);
    out.put(r.time_s);
    out.put(static_cast<std::uint32_t>(r.values.size()));
    for (const auto& [id, value] : r.values) {
        out.put(id);
        out.put(value);
    }
}
void read(ByteReader& in, ScalarRow& r) {
    r.step = in.get<std::int64_t>();
    r.time_s = in.get<double>();
    const auto count = in.get<std::uint32_t>();
    for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
        const auto id = in.get<std::uint32_t>();
        const auto value = in.get<double>();
        r.values.emplace_back(id, value);
    }
}

void write(ByteWriter& out, const LoadRecord& r) {
    out.put(r.step);
    out.put(r.router.value);
    out.put(static_cast<std::uint8_t>(r.modality));
    out.put(r.tokens);
    out.put(r.dropped);
    for (const float value : {r.entropy_nats, r.top1, r.logsumexp, r.max_abs_logit, r.balance_loss, r.z_loss}) out.put(value);
    out.put(static_cast<std::uint32_t>(r.counts_E.size()));
    out.array(std::span(r.counts_E));
    out.put(static_cast<std::uint32_t>(r.mass_E.size()));
    out.array(std::span(r.mass_E));
}
void read(ByteReader& in, LoadRecord& r) {
    r.step = in.get<std::int64_t>();
    r.router = RouterId(in.get<std::int32_t>());
    r.modality = static_cast<Modality>(in.get<std::uint8_t>());
    r.tokens = in.get<std::int64_t>();
    r.dropped = in.get<std::uint32_t>();
    for (float* value : {&r.entropy_nats, &r.top1, &r.logsumexp, &r.max_abs_logit, &r.balance_loss, &r.z_loss}) *value = in.get<float>();
    r.counts_E = in.array<std::uint32_t>(in.get<std::uint32_t>());
    r.mass_E = in.array<float>(in.get<std::uint32_t>());
}

void write(ByteWriter& out, const Event& r) {
    out.put(r.step);
    out.put(r.time_s);
    out.put(static_cast<std::uint8_t>(r.severity));
    out.text(r.kind);
    out.text(r.message);
}
void read(ByteReader& in, Event& r) {
    r.step = in.get<std::int64_t>();
    r.time_s = in.get<double>();
    r.severity = static_cast<Severity>(in.get<std::uint8_t>());
    r.kind = in.text();
    r.message = in.text();
}

void write(ByteWriter& out, const CheckpointInfo& r) {
    out.put(r.step);
    out.put(r.attempt);
    out.put(r.validation_loss);
    out.put(static_cast<std::uint8_t>(r.present));
    out.text(r.folder);
}
void read(ByteReader& in, CheckpointInfo& r) {
    r.step = in.get<std::int64_t>();
    r.attempt = in.get<std::uint32_t>();
    r.validation_loss = in.get<double>();
    r.present = in.get<std::uint8_t>() != 0;
    r.folder = in.text();
}

void write(ByteWriter& out, const SegmentNotice& r) {
    out.text(r.file);
    out.put(static_cast<std::uint8_t>(r.closed));
    out.put(r.first_step);
    out.put(r.last_step);
    out.put(r.units);
}
void read(ByteReader& in, SegmentNotice& r) {
    r.file = in.text();
    r.closed = in.get<std::uint8_t>() != 0;
    r.first_step = in.get<std::int64_t>();
    r.last_step = in.get<std::int64_t>();
    r.units = in.get<std::uint64_t>();
}

void write(ByteWriter& out, const ProbeNotice& r) {
    out.put(r.key.step);
    out.text(r.key.variant);
    out.text(r.file);
}
void read(ByteReader& in, ProbeNotice& r) {
    r.key.step = in.get<std::int64_t>();
    r.key.variant = in.text();
    r.file = in.text();
}

void write(ByteWriter& out, const EvaluationNotice& r) {
    out.put(r.step);
    out.put(static_cast<std::uint8_t>(r.split));
    out.text(r.file);
    out.put(r.rows);
}
void read(ByteReader& in, EvaluationNotice& r) {
    r.step = in.get<std::int64_t>();
    r.split = static_cast<Split>(in.get<std::uint8_t>());
    r.file = in.text();
    r.rows = in.get<std::uint32_t>();
}

void write(ByteWriter& out, const SampleNotice& r) {
    out.text(r.file);
    out.put(r.count);
}
void read(ByteReader& in, SampleNotice& r) {
    r.file = in.text();
    r.count = in.get<std::uint64_t>();
}

void write(ByteWriter& out, const TraceNotice& r) {
    out.put(r.step);
    out.text(r.file);
    out.put(r.units);
    out.put(r.tokens);
}
void read(ByteReader& in, TraceNotice& r) {
    r.step = in.get<std::int64_t>();
    r.file = in.text();
    r.units = in.get<std::uint32_t>();
    r.tokens = in.get<std::uint64_t>();
}

void write(ByteWriter& out, const TraceGap& r) {
    out.put(r.first_step);
    out.put(r.last_step);
    out.put(r.units);
}
void read(ByteReader& in, TraceGap& r) {
    r.first_step = in.get<std::int64_t>();
    r.last_step = in.get<std::int64_t>();
    r.units = in.get<std::uint64_t>();
}

template <std::size_t... I>
std::optional<Record> decodeAs(std::size_t type, ByteReader& in, std::index_sequence<I...>) {
    std::optional<Record> record;
    const auto attempt = [&]<std::size_t N>() {
        if (type != N + 1) return;
        std::variant_alternative_t<N, Record> value{};
        read(in, value);
        if (in.ok()) record.emplace(std::move(value));
    };
    (attempt.template operator()<I>(), ...);
    return record;
}

}  // namespace

std::string encodeRecord(const Record& record) {
    ByteWriter out;
    out.put(static_cast<std::uint8_t>(record.index() + 1));
    std::visit([&](const auto& value) { write(out, value); }, record);
    return out.take();
}

std::optional<Record> decodeRecord(std::string_view payload) {
    ByteReader in(payload);
    const std::size_t type = in.get<std::uint8_t>();
    return decodeAs(type, in, std::make_index_sequence<std::variant_size_v<Record>>());
}

}  // namespace es::store
