// SPDX-License-Identifier: GPL-3.0-or-later
#include "analysis/query/token_set.h"

#include <algorithm>
#include <bit>

#include "engine/base/hash.h"

namespace es::analysis {

SampleSet::SampleSet(std::vector<std::uint64_t> hashes) : hashes_(std::move(hashes)) {
    std::sort(hashes_.begin(), hashes_.end());
    hashes_.erase(std::unique(hashes_.begin(), hashes_.end()), hashes_.end());
}

bool SampleSet::contains(std::uint64_t sample) const { return std::binary_search(hashes_.begin(), hashes_.end(), sample); }

TokenSet TokenSet::ofSamples(const SampleSet& samples) {
    TokenSet set;
    set.whole_ = samples;
    return set;
}

const TokenSet::Stream* TokenSet::find(std::uint64_t sample, std::uint8_t objective, std::uint8_t modality) const {
    const std::tuple key{sample, objective, modality};
    const auto found = std::lower_bound(streams_.begin(), streams_.end(), key, [](const Stream& stream, const auto& wanted) { return stream.key() < wanted; });
    return found != streams_.end() && found->key() == key ? &*found : nullptr;
}

bool TokenSet::contains(std::uint64_t sample, Objective objective, Modality modality, std::uint32_t position) const {
    if (whole_.contains(sample)) return true;
    const Stream* stream = find(sample, static_cast<std::uint8_t>(objective), static_cast<std::uint8_t>(modality));
    return stream && has(*stream, position);
}

std::vector<std::uint8_t> TokenSet::rowsOf(const store::RoutingTable& table) const {
    const auto tokens = static_cast<std::size_t>(std::max<std::int64_t>(table.tokens, 0));
    std::vector<std::uint8_t> rows(tokens, 0);
    if (empty()) return rows;
    // Tokens of one stream stand together: it is looked up once for all of them.
    const Stream* stream = nullptr;
    bool whole = false;
    for (std::size_t t = 0; t < tokens; ++t) {
        const bool same = t > 0 && table.sample_T[t] == table.sample_T[t - 1] && table.objective_T[t] == table.objective_T[t - 1] &&
                          table.modality_T[t] == table.modality_T[t - 1];
        if (!same) {
            whole = whole_.contains(table.sample_T[t]);
            stream = find(table.sample_T[t], static_cast<std::uint8_t>(table.objective_T[t]), static_cast<std::uint8_t>(table.modality_T[t]));
        }
        rows[t] = whole || (stream && has(*stream, table.position_T[t])) ? 1 : 0;
    }
    return rows;
}

std::vector<std::uint8_t> TokenSet::rowsOf(std::span<const store::TokenRun> runs) const {
    std::vector<std::uint8_t> rows;
    for (const store::TokenRun& run : runs) {
        const Stream* stream = find(run.sample, run.objective, run.modality);
        const bool whole = whole_.contains(run.sample);
        for (std::uint32_t i = 0; i < run.tokens; ++i) rows.push_back(whole || (stream && has(*stream, run.position + i)) ? 1 : 0);
    }
    return rows;
}

std::int64_t TokenSet::listedTokens() const {
    std::int64_t tokens = 0;
    for (const std::uint64_t word : words_) tokens += std::popcount(word);
    return tokens;
}

SampleSet TokenSet::samples() const {
    std::vector<std::uint64_t> hashes = whole_.hashes();
    for (const Stream& stream : streams_) hashes.push_back(stream.sample);
    return SampleSet(std::move(hashes));
}

std::uint64_t TokenSet::fingerprint() const {
    std::uint64_t hash = hash64(std::as_bytes(std::span(whole_.hashes())), 1);
    for (const Stream& stream : streams_) {
        const std::uint64_t key[] = {stream.sample, std::uint64_t{stream.words} << 16 | std::uint64_t{stream.objective} << 8 | stream.modality};
        hash = hash64(std::as_bytes(std::span(key)), hash);
    }
    return hash64(std::as_bytes(std::span(words_)), hash);
}

std::size_t TokenSet::bytes() const {
    return streams_.capacity() * sizeof(Stream) + words_.capacity() * sizeof(std::uint64_t) + whole_.hashes().capacity() * sizeof(std::uint64_t);
}

void TokenSetBuilder::add(std::uint64_t sample, Objective objective, Modality modality, std::uint32_t position) {
    Piece piece;
    piece.stream.sample = sample;
    piece.stream.objective = static_cast<std::uint8_t>(objective);
    piece.stream.modality = static_cast<std::uint8_t>(modality);
    piece.position = position / 64 * 64;
    piece.bits = std::uint64_t{1} << (position % 64);
    if (!pieces_.empty() && pieces_.back().stream == piece.stream && pieces_.back().position == piece.position) pieces_.back().bits |= piece.bits;
    else pieces_.push_back(piece);
}

void TokenSetBuilder::addStream(std::uint64_t sample, Objective objective, Modality modality, std::span<const std::uint64_t> words) {
    for (std::size_t w = 0; w < words.size(); ++w) {
        if (words[w] == 0) continue;
        Piece piece;
        piece.stream.sample = sample;
        piece.stream.objective = static_cast<std::uint8_t>(objective);
        piece.stream.modality = static_cast<std::uint8_t>(modality);
        piece.position = static_cast<std::uint32_t>(w * 64);
        piece.bits = words[w];
        pieces_.push_back(piece);
    }
}

TokenSet TokenSetBuilder::finish() {
    const auto before = [](const Piece& a, const Piece& b) {
        return std::tuple_cat(a.stream.key(), std::tuple{a.position}) < std::tuple_cat(b.stream.key(), std::tuple{b.position});
    };
    if (!std::is_sorted(pieces_.begin(), pieces_.end(), before)) std::stable_sort(pieces_.begin(), pieces_.end(), before);
    TokenSet set;
    for (const Piece& piece : pieces_) {
        if (set.streams_.empty() || set.streams_.back().key() != piece.stream.key()) {
            TokenSet::Stream stream = piece.stream;
            stream.first_word = static_cast<std::uint32_t>(set.words_.size());
            set.streams_.push_back(stream);
        }
        TokenSet::Stream& stream = set.streams_.back();
        const std::uint32_t word = piece.position / 64;
        while (stream.words <= word) {
            set.words_.push_back(0);
            ++stream.words;
        }
        set.words_[stream.first_word + word] |= piece.bits;
    }
    pieces_.clear();
    return set;
}

}  // namespace es::analysis
