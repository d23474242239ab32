// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/objects/stamp_source.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "datasets/caption_text.h"
#include "datasets/objects/picture_tree.h"
#include "engine/base/files.h"
#include "engine/base/hash.h"

namespace es::datasets {
namespace fs = std::filesystem;
namespace {

constexpr std::uintmax_t kMostStampText = std::uintmax_t{1} << 20;
constexpr std::int64_t kMostLetters = 26;  // of each drawing of the alphabet the package has several
constexpr std::array<std::string_view, 6> kMirrored{"_mirror", "_flip", "_mirrorflip", "_mirror_flip", "_flip_mirror", "_flipmirror"};

struct Stamp {
    std::string stem;  ///< relative to the root, without extension
    std::string picture;
};

/// One picture a stamp: PNG where there is one, as painted, else SVG. Mirror images are the same stamp.
std::vector<Stamp> stampsOf(const std::vector<std::string>& files) {
    std::map<std::string, std::string> pictures;
    for (const auto& file : files) {
        const std::string stem = file.substr(0, file.rfind('.'));
        if (std::any_of(kMirrored.begin(), kMirrored.end(), [&](std::string_view end) { return stem.ends_with(end); })) continue;
        auto& picture = pictures[stem];
        if (picture.empty() || file.ends_with(".png")) picture = file;
    }
    std::vector<Stamp> stamps;
    for (auto& [stem, picture] : pictures) stamps.push_back({stem, picture});
    return stamps;
}

std::string spaced(std::string text) {
    std::replace(text.begin(), text.end(), '_', ' ');
    return text;
}

std::vector<std::string> foldersOf(const std::string& path) {
    std::vector<std::string> parts;
    for (const auto& part : fs::path(path).parent_path()) parts.push_back(spaced(repairUtf8(part.string())));
    parts.resize(2);
    return parts;
}

/// A single letter or digit: there are hundreds, and they are no objects.
bool isLetter(const std::string& stem) { return stem.find("alphabet") != std::string::npos || stem.find("letters") != std::string::npos; }

class StampSource final : public Source {
public:
    StampSource(fs::path root, PictureTree tree, std::vector<std::string> texts, std::uint64_t fingerprint)
        : root_(std::move(root)), stamps_(stampsOf(tree.files)), texts_(texts.begin(), texts.end()), fingerprint_(fingerprint) {}

    const std::string& name() const override { return name_; }
    const std::string& fileStem() const override { return name_; }
    std::uint64_t fingerprint() const override { return fingerprint_; }
    std::string place() const override { return root_.string(); }

    Result<Content> read(const JobContext& context) override {
        context.progress(0, 0, "Reading the stamps' texts");
        Content content;
        pictures_.clear();
        std::int64_t letters = 0;
        for (const Stamp& stamp : stamps_) {
            if (context.stopRequested()) return stopped("Reading the stamps");
            if (isLetter(stamp.stem) && ++letters > kMostLetters) {
                ++content.left_out;
                continue;
            }
            if (!texts_.contains(stamp.stem + ".txt")) {
                content.notes.push_back({repairUtf8(stamp.picture), "left out: it has no text"});
                continue;
            }
            const auto text = readFile(root_ / (stamp.stem + ".txt"), kMostStampText);
            const std::string caption = text ? stampCaption(*text) : std::string();
            if (caption.empty()) {
                content.problems.push_back({repairUtf8(stamp.stem + ".txt"), text ? "it has no English text" : text.error().why});
                continue;
            }
            const auto folders = foldersOf(stamp.picture);
            content.items.push_back({.picture = static_cast<std::int64_t>(pictures_.size()),
                                     .caption = caption,
                                     .category = folders[0],
                                     .subcategory = folders[1],
                                     .domain = name_,
                                     .license = "GPL-2.0-or-later",
                                     .source = "tuxpaint-stamps/" + repairUtf8(stamp.picture),
                                     .split_key = splitKey(caption)});
            pictures_.push_back(stamp.picture);
        }
        if (content.left_out > 0)
            content.notes.push_back(
                {"symbols", fmt::format("{} more drawings of letters and digits are left out; {} are kept", content.left_out, kMostLetters)});
        content.pictures = static_cast<std::int64_t>(pictures_.size());
        return content;
    }
    Result<std::unique_ptr<PictureReader>> makeReader() const override { return makeDrawingReader(root_, pictures_); }
    std::string picturePath(std::int64_t picture) const override { return repairUtf8(pictures_[static_cast<std::size_t>(picture)]); }

private:
    fs::path root_;
    std::vector<Stamp> stamps_;
    std::set<std::string> texts_;
    std::uint64_t fingerprint_;
    std::string name_ = kStampsSet;
    std::vector<std::string> pictures_;
};

}  // namespace

std::string stampCaption(std::string_view file) {
    std::string text = cleanCaption(file.substr(0, file.find_first_of("\r\n"))).text;
    // A translation in the first line: there is no English.
    if (text.find(".utf8=") != std::string::npos) return {};
    while (!text.empty() && (text.back() == '.' || text.back() == ' ')) text.pop_back();
    const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
    if (!text.empty() && upper(text[0]) && !(text.size() > 1 && upper(text[1]))) text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
}

Result<std::unique_ptr<Source>> openStampSource(const fs::path& root) {
    std::error_code error;
    auto pictures = fs::is_directory(root, error) ? scanPictures(root, {".png", ".svg"}) : Result<PictureTree>(PictureTree());
    if (!pictures) return tl::unexpected(pictures.error());
    if (pictures->files.empty())
        return badInput("The set 'stamps' is not there", fmt::format("not installed: {}", kStampsPackage),
                        fmt::format("Install it: sudo apt install {}, or ./run setup --objects", kStampsPackage), root.string());
    auto texts = scanPictures(root, {".txt"});
    if (!texts) return tl::unexpected(texts.error());
    const std::uint64_t fingerprint = hash64(fmt::format("stamps 2 {} {}", pictures->fingerprint, texts->fingerprint));
    return std::make_unique<StampSource>(root, std::move(*pictures), std::move(texts->files), fingerprint);
}

}  // namespace es::datasets
