// SPDX-License-Identifier: GPL-3.0-or-later
// Sets of samples and of tokens, as values that any analysis takes to look at a part of a run.
#pragma once

#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <vector>

#include "engine/store/records.h"

namespace es::analysis {

/// Distinct samples, hashes ascending.
class SampleSet {
public:
    SampleSet() = default;
    explicit SampleSet(std::vector<std::uint64_t> hashes);
    [[nodiscard]] bool contains(std::uint64_t sample) const;
    [[nodiscard]] const std::vector<std::uint64_t>& hashes() const { return hashes_; }
    [[nodiscard]] std::size_t size() const { return hashes_.size(); }
    [[nodiscard]] bool empty() const { return hashes_.empty(); }
    bool operator==(const SampleSet&) const = default;

private:
    std::vector<std::uint64_t> hashes_;
};

/// Tokens named by what they are (sample, objective, modality, position), not by the row of a table: one set fits every router and every
/// checkpoint. Holds a bit a position for samples of which some tokens are in, nothing more for those that are in as a whole.
/// Value type; safe to read from many threads.
class TokenSet {
public:
    /// Nothing is in it.
    TokenSet() = default;
    /// Every token of these samples, also those that no probe holds.
    [[nodiscard]] static TokenSet ofSamples(const SampleSet& samples);

    [[nodiscard]] bool contains(std::uint64_t sample, Objective objective, Modality modality, std::uint32_t position) const;
    /// 1 for each row of a table that is in the set. The table needs its columns sample, objective, modality and position.
    [[nodiscard]] std::vector<std::uint8_t> rowsOf(const store::RoutingTable& table) const;
    /// The same from runs, as a trace is streamed; they add up to as many rows.
    [[nodiscard]] std::vector<std::uint8_t> rowsOf(std::span<const store::TokenRun> runs) const;

    [[nodiscard]] bool empty() const { return streams_.empty() && whole_.empty(); }
    /// Tokens that are named one by one; those of samples that are in as a whole are not counted.
    [[nodiscard]] std::int64_t listedTokens() const;
    [[nodiscard]] const SampleSet& wholeSamples() const { return whole_; }
    /// Samples with at least one token in the set.
    [[nodiscard]] SampleSet samples() const;
    /// Calls visit(sample, objective, modality, position) for each token that is named one by one: samples, streams, positions ascending.
    template <class Visitor>
    void forEachListed(Visitor&& visit) const {
        for (const Stream& stream : streams_)
            for (std::uint32_t word = 0; word < stream.words; ++word)
                for (std::uint64_t bits = words_[stream.first_word + word]; bits != 0; bits &= bits - 1)
                    visit(stream.sample, static_cast<Objective>(stream.objective), static_cast<Modality>(stream.modality),
                          word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits)));
    }
    /// Names the content: equal sets, equal numbers.
    [[nodiscard]] std::uint64_t fingerprint() const;
    [[nodiscard]] std::size_t bytes() const;  ///< of memory
    bool operator==(const TokenSet&) const = default;

private:
    friend class TokenSetBuilder;
    struct Stream {
        std::uint64_t sample = 0;
        std::uint32_t first_word = 0;  ///< of words_: 64 positions each
        std::uint16_t words = 0;
        std::uint8_t objective = 0, modality = 0;
        [[nodiscard]] std::tuple<std::uint64_t, std::uint8_t, std::uint8_t> key() const { return {sample, objective, modality}; }
        bool operator==(const Stream&) const = default;
    };
    [[nodiscard]] const Stream* find(std::uint64_t sample, std::uint8_t objective, std::uint8_t modality) const;
    [[nodiscard]] bool has(const Stream& stream, std::uint32_t position) const {
        const std::uint32_t word = position / 64;
        return word < stream.words && ((words_[stream.first_word + word] >> (position % 64)) & 1u) != 0;
    }

    std::vector<Stream> streams_;  ///< by key()
    std::vector<std::uint64_t> words_;
    SampleSet whole_;
};

/// Collects tokens in any order; the same token may be added again.
class TokenSetBuilder {
public:
    void add(std::uint64_t sample, Objective objective, Modality modality, std::uint32_t position);
    /// Positions whose bit is set, from bit 0 of the first word.
    void addStream(std::uint64_t sample, Objective objective, Modality modality, std::span<const std::uint64_t> words);
    [[nodiscard]] TokenSet finish();

private:
    struct Piece {
        TokenSet::Stream stream;
        std::uint32_t position = 0;  ///< of bit 0; a multiple of 64
        std::uint64_t bits = 0;
    };
    std::vector<Piece> pieces_;
};

}  // namespace es::analysis
