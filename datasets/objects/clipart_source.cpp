// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/objects/clipart_source.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <map>

#include "datasets/caption_text.h"
#include "datasets/objects/clipart_texts.h"
#include "datasets/objects/picture_tree.h"
#include "datasets/picture.h"
#include "engine/base/files.h"
#include "engine/base/hash.h"

namespace es::datasets {
namespace fs = std::filesystem;
namespace {

// Grey icons, 1,375 nearly equal stars, gradients and patterns, and what nobody has sorted.
constexpr std::array<std::string_view, 4> kNoThings{"computer", "shapes", "special", "unsorted"};
constexpr std::int64_t kMostOfOneTitle = 12;  // a title of more drawings names their collection

struct Drawing {
    std::string file;
    ClipartText text;
    std::string license;
};

std::string folderName(const std::string& part) {
    std::string text = repairUtf8(part);
    std::replace(text.begin(), text.end(), '_', ' ');
    return text;
}

std::array<std::string, 2> clipartFolders(const std::string& file) {
    std::array<std::string, 2> out;
    std::size_t i = 0;
    for (const auto& part : fs::path(file).parent_path())
        if (i < out.size()) out[i++] = folderName(part.string());
    return out;
}

class ClipartSource final : public Source {
public:
    ClipartSource(fs::path root, PictureTree tree, bool keywords) : root_(std::move(root)), tree_(std::move(tree)), keywords_(keywords) {}

    const std::string& name() const override { return name_; }
    const std::string& fileStem() const override { return name_; }
    std::uint64_t fingerprint() const override { return hash64(fmt::format("clipart 3 {}", tree_.fingerprint)); }
    std::string place() const override { return root_.string(); }

    Result<Content> read(const JobContext& context) override {
        Content content;
        std::vector<Drawing> drawings;
        if (Status done = readTexts(drawings, content, context); !done) return tl::unexpected(done.error());
        std::map<std::string, std::int64_t> uses;
        for (const Drawing& drawing : drawings) ++uses[lowerCase(drawing.text.title)];
        pictures_.clear();
        for (const Drawing& drawing : drawings) {
            const std::string title = lowerCase(drawing.text.title);
            const bool titled = !title.empty() && uses[title] <= kMostOfOneTitle && !isCollectionTitle(title);
            const auto folders = clipartFolders(drawing.file);
            std::string caption = withoutKind(titled ? title : nameFromFile(repairUtf8(drawing.file)));
            if (caption.empty()) caption = folders[1].empty() ? folders[0] : folders[1];
            Item item{.picture = static_cast<std::int64_t>(pictures_.size()),
                      .caption = caption,
                      .category = folders[0],
                      .subcategory = folders[1],
                      .domain = name_,
                      .license = drawing.license,
                      .source = "openclipart/" + repairUtf8(drawing.file),
                      .split_key = splitKey(caption)};
            if (!drawing.text.author.empty()) item.source += ", by " + drawing.text.author;
            if (keywords_)
                for (const auto& keyword : usefulKeywords(drawing.text, caption)) item.caption += ", " + keyword;
            content.items.push_back(std::move(item));
            pictures_.push_back(drawing.file);
        }
        content.pictures = static_cast<std::int64_t>(pictures_.size());
        return content;
    }
    Result<std::unique_ptr<PictureReader>> makeReader() const override { return makeDrawingReader(root_, pictures_); }
    std::string picturePath(std::int64_t picture) const override { return repairUtf8(pictures_[static_cast<std::size_t>(picture)]); }

private:
    Status readTexts(std::vector<Drawing>& drawings, Content& content, const JobContext& context) const {
        std::map<std::string, std::int64_t> passed;
        for (std::size_t i = 0; i < tree_.files.size(); ++i) {
            if (i % 64 == 0) {
                if (context.stopRequested()) return stopped("Reading the drawings' texts");
                context.progress(static_cast<std::int64_t>(i), static_cast<std::int64_t>(tree_.files.size()), "Reading the drawings' texts");
            }
            const std::string& file = tree_.files[i];
            const std::string top = file.substr(0, file.find('/'));
            if (std::find(kNoThings.begin(), kNoThings.end(), top) != kNoThings.end()) {
                ++passed[top];
                continue;
            }
            const auto svg = readFile(root_ / file, kMostFileBytes);
            if (!svg) {
                content.problems.push_back({repairUtf8(file), svg.error().why});
                continue;
            }
            ClipartText text = readClipartText(*svg);
            if (lowerCase(text.license).find("gpl") != std::string::npos) {
                ++content.left_out;
                content.notes.push_back({repairUtf8(file), "left out: its licence is the GPL, not the public domain (" + text.license + ")"});
                continue;
            }
            std::string license = licenseOf(text, *svg);
            drawings.push_back({file, std::move(text), std::move(license)});
        }
        for (const auto& [top, count] : passed) content.notes.push_back({top, fmt::format("{} drawings are left out: they show no things", count)});
        return {};
    }

    fs::path root_;
    PictureTree tree_;
    bool keywords_;
    std::string name_ = kClipartSet;
    std::vector<std::string> pictures_;
};

}  // namespace

Result<std::unique_ptr<Source>> openClipartSource(bool keywords, const fs::path& root) {
    std::error_code error;
    auto tree = fs::is_directory(root, error) ? scanPictures(root, {".svg"}) : Result<PictureTree>(PictureTree());
    if (!tree) return tl::unexpected(tree.error());
    if (tree->files.empty())
        return badInput("The set 'clipart' is not there", fmt::format("not installed: {}", kClipartPackage),
                        fmt::format("Install it: sudo apt install {}, or ./run setup --objects", kClipartPackage), root.string());
    return std::make_unique<ClipartSource>(root, std::move(*tree), keywords);
}

}  // namespace es::datasets
