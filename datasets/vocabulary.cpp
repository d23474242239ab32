// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/vocabulary.h"

#include <sentencepiece_trainer.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "datasets/caption_text.h"

namespace es::datasets {
namespace {

constexpr std::size_t kMostSentences = 200'000;  // more do not change a vocabulary of thousands, but take minutes

class Captions final : public sentencepiece::SentenceIterator {
public:
    explicit Captions(const std::vector<std::string>& captions)
        : captions_(captions), stride_(std::max<std::size_t>(1, (captions.size() + kMostSentences - 1) / kMostSentences)) {}
    bool done() const override { return at_ >= captions_.size(); }
    void Next() override { at_ += stride_; }
    const std::string& value() const override { return captions_[at_]; }
    sentencepiece::util::Status status() const override { return {}; }

private:
    const std::vector<std::string>& captions_;
    std::size_t stride_;
    std::size_t at_ = 0;
};

/// The captions with only their `count` most frequent characters; the others become spaces.
std::vector<std::string> withFrequentCharacters(const std::vector<std::string>& captions, std::size_t count) {
    std::map<char32_t, std::int64_t> uses;
    for (const auto& caption : captions)
        for (const char32_t c : toCodePoints(caption)) ++uses[c];
    std::vector<std::pair<std::int64_t, char32_t>> order;
    for (const auto& [c, n] : uses) order.emplace_back(-n, c);
    std::sort(order.begin(), order.end());
    order.resize(std::min(order.size(), count));
    std::set<char32_t> kept;
    for (const auto& [n, c] : order) kept.insert(c);
    std::vector<std::string> out;
    for (const auto& caption : captions) {
        std::u32string text = toCodePoints(caption);
        for (char32_t& c : text)
            if (!kept.contains(c)) c = U' ';
        out.push_back(toUtf8(text));
    }
    return out;
}

Result<std::string> train(const std::vector<std::string>& captions, std::int64_t size) {
    const std::unordered_map<std::string, std::string> settings{{"model_type", "bpe"},
                                                                {"vocab_size", std::to_string(size)},
                                                                {"hard_vocab_limit", "false"},
                                                                {"character_coverage", "1.0"},
                                                                {"pad_id", "0"},
                                                                {"unk_id", "1"},
                                                                {"bos_id", "-1"},
                                                                {"eos_id", "-1"},
                                                                {"max_sentence_length", "65536"},
                                                                {"minloglevel", "3"},
                                                                {"normalization_rule_name", "nmt_nfkc"},
                                                                {"model_prefix", ""}};
    std::string why;
    try {
        Captions sentences(captions);
        std::string model;
        const auto trained = sentencepiece::SentencePieceTrainer::Train(settings, &sentences, &model);
        if (trained.ok()) return model;
        why = trained.ToString();
    } catch (const std::exception& e) {
        why = e.what();
    }
    return jobFailed("Cannot train the vocabulary", why, "Change data.vocabulary, or check the captions");
}

}  // namespace

Result<std::string> trainVocabulary(const std::vector<std::string>& captions, std::int64_t size) {
    static const std::vector<std::string> letters{"a b c d e f g h i j k l m n o p q r s t u v w x y z"};
    const auto& corpus = captions.empty() ? letters : captions;
    auto model = train(corpus, size);
    // The trainer refuses a size below the number of characters that it must cover.
    for (auto characters = static_cast<std::size_t>(size) / 2; !model && characters >= 8; characters /= 2)
        model = train(withFrequentCharacters(corpus, characters), size);
    return model;
}

}  // namespace es::datasets
