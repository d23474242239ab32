// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/inspect/caching_reader.h"

namespace es::views {
namespace {

template <class T>
std::size_t bytesOf(const std::vector<T>& column) {
    return column.capacity() * sizeof(T);
}

std::size_t bytesOf(const store::RoutingTable& table) {
    return sizeof(table) + bytesOf(table.expert_ids) + bytesOf(table.gates) + bytesOf(table.kept) + bytesOf(table.place) + bytesOf(table.slots_T) +
           bytesOf(table.offsets) + bytesOf(table.probs_TE) + bytesOf(table.entropy_nats_T) + bytesOf(table.boundary_margin_T) + bytesOf(table.sample_T) +
           bytesOf(table.position_T) + bytesOf(table.modality_T) + bytesOf(table.token_id_T) + bytesOf(table.masked_T) + bytesOf(table.objective_T);
}

}  // namespace

CachingReader::CachingReader(std::shared_ptr<store::RunReader> reader, std::size_t max_bytes) : reader_(std::move(reader)), max_bytes_(max_bytes) {}

void CachingReader::clear() {
    const std::lock_guard lock(mutex_);
    uses_.clear();
    entries_.clear();
    bytes_ = 0;
}

std::size_t CachingReader::cachedBytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
}

Result<store::RoutingTable> CachingReader::probe(const store::ProbeKey& key, RouterId router) const {
    const Key wanted{key.step, key.variant, router.value};
    {
        std::shared_ptr<const store::RoutingTable> found;
        {
            const std::lock_guard lock(mutex_);
            if (const auto at = entries_.find(wanted); at != entries_.end()) {
                uses_.splice(uses_.begin(), uses_, at->second.use);
                found = at->second.table;
            }
        }
        if (found) return *found;
    }
    auto table = reader_->probe(key, router);
    if (!table) return table;
    const std::size_t size = bytesOf(*table);
    if (size > max_bytes_) return table;
    auto kept = std::make_shared<const store::RoutingTable>(*table);
    const std::lock_guard lock(mutex_);
    if (entries_.contains(wanted)) return table;  // another job read it meanwhile
    uses_.push_front(wanted);
    entries_.emplace(wanted, Entry{std::move(kept), size, uses_.begin()});
    bytes_ += size;
    while (bytes_ > max_bytes_) {
        const auto last = entries_.find(uses_.back());
        bytes_ -= last->second.bytes;
        entries_.erase(last);
        uses_.pop_back();
    }
    return table;
}

}  // namespace es::views
