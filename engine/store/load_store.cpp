// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/store/load_store.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/store/bytes.h"
#include "engine/store/journal_records.h"

namespace es::store {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

template <class T>
void addUp(std::vector<T>& into, const std::vector<T>& more) {
    if (into.size() < more.size()) into.resize(more.size());
    for (std::size_t i = 0; i < more.size(); ++i) into[i] += more[i];
}

/// Adds the tokens of another rank, micro-batch or modality.
void merge(LoadRecord& into, const LoadRecord& more) {
    const auto a = static_cast<double>(into.tokens), b = static_cast<double>(more.tokens);
    // Means over no tokens are NaN and count for nothing.
    const auto mean = [&](float x, float y) { return b == 0 ? x : a == 0 ? y : static_cast<float>((a * x + b * y) / (a + b)); };
    into.entropy_nats = mean(into.entropy_nats, more.entropy_nats);
    into.top1 = mean(into.top1, more.top1);
    into.logsumexp = mean(into.logsumexp, more.logsumexp);
    into.balance_loss = mean(into.balance_loss, more.balance_loss);
    into.z_loss = mean(into.z_loss, more.z_loss);
    into.max_abs_logit = b == 0 ? into.max_abs_logit : a == 0 ? more.max_abs_logit : std::max(into.max_abs_logit, more.max_abs_logit);
    into.tokens += more.tokens;
    into.dropped += more.dropped;
    addUp(into.counts_E, more.counts_E);
    addUp(into.mass_E, more.mass_E);
}

void collect(std::string_view bytes, std::int64_t cutoff, std::int64_t firstStep, std::int64_t lastStep, std::vector<LoadRecord>& out) {
    std::size_t at = 0;
    while (bytes.size() - at >= sizeof(std::uint32_t)) {
        ByteReader head(bytes.substr(at));
        const auto length = head.get<std::uint32_t>();
        at += sizeof(std::uint32_t);
        if (length > bytes.size() - at) throw DatabaseError("a block of load records is damaged");
        auto record = decodeRecord(bytes.substr(at, length));
        at += length;
        auto* load = record ? std::get_if<LoadRecord>(&*record) : nullptr;
        if (!load) throw DatabaseError("a block of load records is damaged");
        if (load->step < cutoff && load->step >= firstStep && load->step <= lastStep) out.push_back(std::move(*load));
    }
}

}  // namespace

LoadStore::LoadStore(Database& database)
    : database_(database),
      insert_(database, "INSERT OR REPLACE INTO load_blocks(router, journal, block, count, first_step, last_step, records) VALUES(?,?,?,?,?,?,?)") {}

void LoadStore::createTables(Database& database) {
    database.execute(
        "CREATE TABLE IF NOT EXISTS load_blocks(router INTEGER, journal INTEGER, block INTEGER, count INTEGER, first_step INTEGER, last_step INTEGER, records "
        "BLOB);"
        "CREATE UNIQUE INDEX IF NOT EXISTS load_block_key ON load_blocks(router, journal, block);");
}

void LoadStore::load() {
    Statement blocks(database_, "SELECT router, journal, block, count FROM load_blocks");
    while (blocks.step()) {
        Stream& stream = streams_[{static_cast<std::int32_t>(blocks.integer(0)), blocks.integer(1)}];
        if (blocks.integer(3) == kLoadBlock) stream.blocks = std::max(stream.blocks, blocks.integer(2) + 1);
    }
    Statement partial(database_, "SELECT router, journal, count, first_step, last_step, records FROM load_blocks WHERE count < 512");
    while (partial.step()) {
        Stream& stream = streams_[{static_cast<std::int32_t>(partial.integer(0)), partial.integer(1)}];
        stream.count = partial.integer(2);
        stream.first_step = partial.integer(3);
        stream.last_step = partial.integer(4);
        stream.bytes = partial.blob(5);
    }
}

bool LoadStore::append(std::int64_t journal, std::string_view payload, std::int64_t& step) {
    ByteReader in(payload);
    (void)in.get<std::uint8_t>();
    step = in.get<std::int64_t>();
    const auto router = in.get<std::int32_t>();
    if (!in.ok() || !decodeRecord(payload)) return false;
    const Key key{router, journal};
    Stream& stream = streams_[key];
    stream.first_step = stream.count == 0 ? step : std::min(stream.first_step, step);
    stream.last_step = stream.count == 0 ? step : std::max(stream.last_step, step);
    const auto length = static_cast<std::uint32_t>(payload.size());
    stream.bytes.append(reinterpret_cast<const char*>(&length), sizeof(length));
    stream.bytes.append(payload);
    stream.dirty = true;
    if (++stream.count < kLoadBlock) return true;
    writeBlock(key, stream);
    stream = Stream{stream.blocks + 1, 0, 0, 0, {}, false};
    wrote_blocks_ = true;
    return true;
}

void LoadStore::writeBlock(const Key& key, const Stream& stream) {
    insert_.bind(1, std::int64_t{key.first})
        .bind(2, key.second)
        .bind(3, stream.blocks)
        .bind(4, stream.count)
        .bind(5, stream.first_step)
        .bind(6, stream.last_step);
    insert_.bindBlob(7, blobOf<char>(stream.bytes));
    insert_.run();
}

void LoadStore::save() {
    for (auto& [key, stream] : streams_) {
        if (!stream.dirty || stream.count == 0) continue;
        writeBlock(key, stream);
        stream.dirty = false;
    }
}

std::vector<LoadRecord> LoadStore::records(RouterId router, std::int64_t firstStep, std::int64_t lastStep, const std::vector<Source>& sources) {
    std::vector<LoadRecord> all;
    Statement blocks(database_,
                     "SELECT records FROM load_blocks WHERE router = ? AND journal = ? AND block < ? AND last_step >= ? AND first_step <= ? ORDER BY block");
    for (const Source& source : sources) {
        const auto stream = streams_.find({router.value, source.journal});
        if (stream == streams_.end()) continue;
        blocks.bind(1, std::int64_t{router.value}).bind(2, source.journal).bind(3, stream->second.blocks).bind(4, firstStep);
        blocks.bind(5, std::min(lastStep, source.cutoff - 1));
        while (blocks.step()) collect(blocks.blob(0), source.cutoff, firstStep, lastStep, all);
        blocks.reset();
        collect(stream->second.bytes, source.cutoff, firstStep, lastStep, all);
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const LoadRecord& a, const LoadRecord& b) { return std::pair(a.step, a.modality) < std::pair(b.step, b.modality); });
    std::vector<LoadRecord> merged;
    for (LoadRecord& record : all) {
        if (!merged.empty() && merged.back().step == record.step && merged.back().modality == record.modality) merge(merged.back(), record);
        else merged.push_back(std::move(record));
    }
    return merged;
}

LoadHistory loadHistoryOf(const RouterInfo& router, Modality modality, std::vector<LoadRecord> records, std::int64_t maxColumns) {
    LoadHistory history;
    history.router = router;
    history.modality = modality;
    if (modality != Modality::kUnknown) {
        std::erase_if(records, [&](const LoadRecord& r) { return r.modality != modality; });
    } else {
        std::vector<LoadRecord> summed;
        for (LoadRecord& record : records) {
            if (!summed.empty() && summed.back().step == record.step) merge(summed.back(), record);
            else summed.push_back(std::move(record));
        }
        records = std::move(summed);
    }
    history.steps = static_cast<std::int64_t>(records.size());
    const auto columns = static_cast<std::size_t>(maxColumns > 0 ? std::min(maxColumns, history.steps) : history.steps);
    const auto experts = static_cast<std::size_t>(std::max(router.experts, 0));
    history.share_ES.assign(experts * columns, kNaN);
    for (std::size_t column = 0; column < columns; ++column) {
        const std::size_t begin = column * records.size() / columns, end = (column + 1) * records.size() / columns;
        std::vector<double> share(experts, 0);
        double maxVio = 0, entropy = 0, dropped = 0, maxLogit = 0;
        int counted = 0;
        for (std::size_t i = begin; i < end; ++i) {
            const LoadRecord& record = records[i];
            const std::vector<double> load = expertLoad(router, record);
            double total = 0, most = 0;
            for (const double of_expert : load) {
                total += of_expert;
                most = std::max(most, of_expert);
            }
            if (total <= 0) continue;
            ++counted;
            for (std::size_t e = 0; e < std::min(experts, load.size()); ++e) share[e] += load[e] / total;
            maxVio += most * static_cast<double>(load.size()) / total - 1;
            entropy += record.entropy_nats;
            dropped += record.dropped / total;
            maxLogit = std::max(maxLogit, static_cast<double>(record.max_abs_logit));
        }
        const auto mean = [&](double sum) { return counted > 0 ? static_cast<float>(sum / counted) : kNaN; };
        history.step.push_back(static_cast<double>(records[begin].step));
        for (std::size_t e = 0; e < experts; ++e) history.share_ES[e * columns + column] = mean(share[e]);
        history.max_vio.push_back(mean(maxVio));
        history.entropy_nats.push_back(mean(entropy));
        history.dropped_share.push_back(mean(dropped));
        history.max_abs_logit.push_back(counted > 0 ? static_cast<float>(maxLogit) : kNaN);
    }
    return history;
}

}  // namespace es::store
