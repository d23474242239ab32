// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/vocabulary.h"

#include <sentencepiece_trainer.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <unordered_map>

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

}  // namespace

Result<std::string> trainVocabulary(const std::vector<std::string>& captions, std::int64_t size) {
    static const std::vector<std::string> letters{"a b c d e f g h i j k l m n o p q r s t u v w x y z"};
    const auto& corpus = captions.empty() ? letters : captions;
    std::string why;
    // The trainer refuses a size below the number of characters it must cover: cover less until it fits.
    for (const char* coverage : {"1.0", "0.9999", "0.9995", "0.998", "0.995", "0.98", "0.95", "0.9", "0.8", "0.5"}) {
        const std::unordered_map<std::string, std::string> settings{
            {"model_type", "unigram"},       {"vocab_size", std::to_string(size)}, {"hard_vocab_limit", "false"},
            {"character_coverage", coverage}, {"pad_id", "0"},                      {"unk_id", "1"},
            {"bos_id", "-1"},                {"eos_id", "-1"},                     {"num_threads", "2"},
            {"max_sentence_length", "65536"}, {"input_sentence_size", "0"},         {"minloglevel", "3"},
            {"normalization_rule_name", "nmt_nfkc"}, {"model_prefix", ""}};
        Captions sentences(corpus);
        std::string model;
        try {
            const auto trained = sentencepiece::SentencePieceTrainer::Train(settings, &sentences, &model);
            if (trained.ok()) return model;
            why = trained.ToString();
        } catch (const std::exception& e) {
            why = e.what();
        }
    }
    return jobFailed("Cannot train the vocabulary", why, "Change data.vocabulary, or check the captions");
}

}  // namespace es::datasets
