// SPDX-License-Identifier: GPL-3.0-or-later
#include <sentencepiece_processor.h>

#include "datasets/caption_text.h"
#include "datasets/dataset.h"
#include "engine/base/files.h"

namespace es::datasets {
namespace {

constexpr std::string_view kWordStart = "\xE2\x96\x81";          // U+2581, SentencePiece's marker
constexpr std::size_t kMostEncodedBytes = std::size_t{1} << 18;  // far more than any caption that fits max_tokens

class SentencePieceTokenizer final : public Tokenizer {
public:
    explicit SentencePieceTokenizer(std::unique_ptr<sentencepiece::SentencePieceProcessor> processor) : processor_(std::move(processor)) {}

    std::vector<std::int32_t> encode(std::string_view text, std::int64_t max_tokens) const override {
        std::string repaired;
        if (!isValidUtf8(text)) {
            repaired = repairUtf8(text);
            text = repaired;
        }
        text = utf8Prefix(text, kMostEncodedBytes);
        std::vector<int> ids;
        if (!processor_->Encode(absl::string_view(text.data(), text.size()), &ids).ok()) return {};
        if (max_tokens >= 0 && ids.size() > static_cast<std::size_t>(max_tokens)) ids.resize(static_cast<std::size_t>(max_tokens));
        return {ids.begin(), ids.end()};
    }
    std::string piece(std::int32_t id) const override {
        if (id == maskId()) return "<mask>";
        if (id < 0 || id > size()) return "<?>";
        std::string text = processor_->IdToPiece(id);
        if (text.starts_with(kWordStart)) text.erase(0, kWordStart.size());
        return text.empty() ? "_" : text;  // a space that can be seen
    }
    bool startsWord(std::int32_t id) const override { return id >= 0 && id < size() && processor_->IdToPiece(id).starts_with(kWordStart); }
    std::int32_t size() const override { return processor_->GetPieceSize(); }
    std::int32_t unknownId() const override { return processor_->unk_id(); }
    std::int32_t padId() const override { return processor_->pad_id(); }
    std::int32_t maskId() const override { return size(); }

private:
    std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
};

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::load(const std::filesystem::path& model) {
    constexpr const char* kWhat = "Cannot load the vocabulary";
    constexpr const char* kRemedy = "Run 'expertscope data prepare' again: it is made anew";
    const auto content = readFile(model, std::uintmax_t{1} << 28);
    if (!content) return badInput(kWhat, content.error().why, kRemedy, model.string());
    auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
    if (content->empty() || !processor->LoadFromSerializedProto(absl::string_view(content->data(), content->size())).ok())
        return badInput(kWhat, "the file is not a SentencePiece model, or damaged", kRemedy, model.string());
    if (processor->GetPieceSize() < 3 || processor->pad_id() < 0 || processor->unk_id() < 0)
        return badInput(kWhat, "the model lacks the padding or the unknown piece", kRemedy, model.string());
    return std::make_shared<SentencePieceTokenizer>(std::move(processor));
}

}  // namespace es::datasets
