// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/emoji_source.h"

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <system_error>

#include "datasets/caption_text.h"
#include "datasets/emoji_glyphs.h"
#include "engine/base/hash.h"

namespace es::datasets {
namespace fs = std::filesystem;
namespace {

std::string codePointNames(std::u32string_view codePoints) {
    std::string text;
    for (const char32_t c : codePoints) text += fmt::format("{}U+{:04X}", text.empty() ? "" : " ", static_cast<std::uint32_t>(c));
    return text;
}

class EmojiReader final : public PictureReader {
public:
    EmojiReader(std::unique_ptr<GlyphPainter> painter, const std::vector<std::u32string>& sequences) : painter_(std::move(painter)), sequences_(sequences) {}
    tl::expected<ConvertedPicture, NoPicture> read(std::int64_t picture, std::int64_t size) override {
        auto glyph = painter_->paint(sequences_[static_cast<std::size_t>(picture)]);
        if (!glyph) return tl::unexpected(NoPicture{glyph.error(), false});
        auto fitted = fitPicture(glyph->rgba, glyph->width, glyph->height, size);
        if (!fitted) return tl::unexpected(NoPicture{fitted.error().why});
        return ConvertedPicture{hash64(std::as_bytes(std::span(glyph->rgba)), static_cast<std::uint64_t>(glyph->width)), std::move(*fitted)};
    }

private:
    std::unique_ptr<GlyphPainter> painter_;
    const std::vector<std::u32string>& sequences_;
};

class EmojiSource final : public Source {
public:
    EmojiSource(EmojiFiles files, bool keywords, std::uint64_t fingerprint) : files_(std::move(files)), keywords_(keywords), fingerprint_(fingerprint) {}

    const std::string& name() const override { return name_; }
    const std::string& fileStem() const override { return name_; }
    std::uint64_t fingerprint() const override { return fingerprint_; }
    std::string place() const override { return files_.font.string(); }

    Result<Content> read(const JobContext& context) override {
        context.progress(0, 0, "Reading emoji names");
        auto texts = readEmojiTexts(files_);
        if (!texts) return tl::unexpected(texts.error());
        const auto painter = GlyphPainter::open(files_.font);
        if (!painter) return tl::unexpected(painter.error());
        Content content;
        sequences_.clear();
        for (auto& text : *texts) {
            Item item{.picture = static_cast<std::int64_t>(sequences_.size()),
                      .caption = text.name,
                      .category = std::move(text.group),
                      .subcategory = std::move(text.subgroup),
                      .domain = "emoji",
                      .license = "OFL-1.1",
                      .source = codePointNames(text.code_points),
                      .split_key = emojiSplitKey(text.name)};
            if (keywords_)
                for (const auto& keyword : text.keywords) item.caption += ", " + keyword;
            sequences_.push_back(std::move(text.code_points));
            content.items.push_back(std::move(item));
        }
        content.pictures = static_cast<std::int64_t>(sequences_.size());
        return content;
    }
    Result<std::unique_ptr<PictureReader>> makeReader() const override {
        auto painter = GlyphPainter::open(files_.font);
        if (!painter) return tl::unexpected(painter.error());
        return std::make_unique<EmojiReader>(std::move(*painter), sequences_);
    }
    std::string picturePath(std::int64_t picture) const override { return codePointNames(sequences_[static_cast<std::size_t>(picture)]); }

private:
    EmojiFiles files_;
    bool keywords_;
    std::uint64_t fingerprint_;
    std::string name_ = kEmojiSet;
    std::vector<std::u32string> sequences_;
};

}  // namespace

Result<std::unique_ptr<Source>> openEmojiSource(bool keywords, const EmojiFiles& files) {
    if (!files.missing.empty())
        return badInput("The emoji set is not there", fmt::format("not installed: {}", fmt::join(files.missing, ", ")),
                        fmt::format("Install it: sudo apt install {}", fmt::join(files.missing, " ")));
    // Package files keep their times, so machines with the same packages agree.
    std::uint64_t fingerprint = 0;
    for (const auto& file : {files.font, files.annotations, files.derived, files.groups}) {
        std::error_code error;
        const auto bytes = fs::file_size(file, error);
        const auto time = error ? fs::file_time_type() : fs::last_write_time(file, error);
        if (error) return badInput("Cannot read the emoji set", error.message(), "Check the file's permissions, or reinstall its package", file.string());
        const auto seconds = std::chrono::floor<std::chrono::seconds>(std::chrono::file_clock::to_sys(time)).time_since_epoch().count();
        fingerprint = hash64(fmt::format("{}\n{}\n{}", file.filename().string(), bytes, seconds), fingerprint);
    }
    return std::make_unique<EmojiSource>(files, keywords, fingerprint);
}

}  // namespace es::datasets
