// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/folder_source.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <system_error>
#include <unordered_map>

#include "datasets/caption_files.h"
#include "datasets/caption_text.h"
#include "datasets/folder_scan.h"
#include "datasets/picture.h"
#include "engine/base/files.h"
#include "engine/base/hash.h"

namespace es::datasets {
namespace fs = std::filesystem;
namespace {

constexpr std::uintmax_t kMostMetadataBytes = std::uintmax_t{1} << 31;
constexpr std::uintmax_t kMostTextBytes = std::uintmax_t{16} << 20;

class FolderReader final : public PictureReader {
public:
    FolderReader(fs::path root, const std::vector<std::string>& pictures) : root_(std::move(root)), pictures_(pictures) {}
    tl::expected<ConvertedPicture, NoPicture> read(std::int64_t picture, std::int64_t size) override {
        const auto file = readFile(root_ / pictures_[static_cast<std::size_t>(picture)], kMostFileBytes);
        if (!file) return tl::unexpected(NoPicture{file.error().why});
        auto converted = convertPicture(*file, size);
        if (!converted) return tl::unexpected(NoPicture{converted.error()});
        return ConvertedPicture{hash64(std::string_view(*file)) | 1, std::move(*converted)};  // 0 means no picture
    }

private:
    fs::path root_;
    const std::vector<std::string>& pictures_;
};

std::string folderOf(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash));
}

std::string withoutExtension(std::string_view path) {
    const auto dot = path.rfind('.');
    return std::string(dot == std::string_view::npos || path.find('/', dot) != std::string_view::npos ? path : path.substr(0, dot));
}

/// Category and subcategory from the subfolders; a first level that only tells splits apart says nothing of the picture.
std::array<std::string, 2> categoriesOf(const std::string& path) {
    static const std::set<std::string> splitNames{"train", "training", "val", "valid", "validation", "test"};
    std::vector<std::string> parts;
    for (const auto& part : fs::path(folderOf(path))) parts.push_back(repairUtf8(part.string()));
    if (!parts.empty() && splitNames.contains(parts[0])) parts.erase(parts.begin());
    return {parts.empty() ? "" : parts[0], parts.size() < 2 ? "" : parts[1]};
}

/// Reads all captions of a folder and ties them to its pictures.
class Assembly {
public:
    Assembly(const fs::path& root, const std::string& name, bool keywords, const FolderScan& scan, std::vector<std::string>& pictures)
        : root_(root), name_(name), keywords_(keywords), scan_(scan), pictures_(pictures) {
        for (const auto& file : scan.files)
            if (file.kind == FileKind::kPicture) addPicture(file.path);
    }

    Result<Content> assemble(const JobContext& context) {
        content_.problems = scan_.problems;
        content_.notes = scan_.notes;
        for (auto& problem : content_.problems) problem.path = repairUtf8(problem.path);
        context.progress(0, 0, "Reading captions");
        for (const auto& file : scan_.files) {
            if (context.stopRequested()) return stopped("Reading captions");
            if (file.kind == FileKind::kMetadata) readMetadata(file.path);
        }
        for (const auto& file : scan_.files) {
            if (context.stopRequested()) return stopped("Reading captions");
            if (file.kind == FileKind::kText) readText(file.path);
        }
        // By picture, then texts without one: the order does not depend on which caption file came first.
        for (std::size_t i = 0; i < pictures_.size(); ++i) {
            auto& items = byPicture_[i];
            if (items.empty()) items.push_back(itemFor(pictures_[i]));
            for (auto& item : items) {
                item.picture = static_cast<std::int64_t>(i);
                content_.items.push_back(std::move(item));
            }
        }
        for (auto& item : textOnly_) content_.items.push_back(std::move(item));
        content_.pictures = static_cast<std::int64_t>(pictures_.size());
        return std::move(content_);
    }

private:
    std::size_t addPicture(const std::string& path) {
        indexOf_.emplace(path, pictures_.size());
        byStem_.emplace(withoutExtension(path), pictures_.size());
        pictures_.push_back(path);
        byPicture_.emplace_back();
        return pictures_.size() - 1;
    }

    Item itemFor(const std::string& path) const {
        auto [category, subcategory] = categoriesOf(path);
        return {.picture = -1,
                .caption = {},
                .category = category,
                .subcategory = subcategory,
                .domain = name_,
                .license = {},
                .source = repairUtf8(path),
                .split_key = {}};
    }

    void problem(const std::string& path, std::string why) { content_.problems.push_back({repairUtf8(path), std::move(why)}); }

    /// False when nothing is left of the caption.
    bool setCaption(Item& item, const std::string& raw, const std::string& keywords, const std::string& place) {
        const CleanCaption clean = cleanCaption(raw);
        if (clean.repaired) problem(place, "the caption is not valid UTF-8; the wrong bytes were replaced");
        if (clean.cut)
            problem(place,
                    fmt::format("the caption has {} words; it was cut to {} words and {} bytes at most", clean.words, kMostCaptionWords, kMostCaptionBytes));
        if (clean.text.empty()) return false;
        item.caption = clean.text;
        item.split_key = splitKey(clean.text);
        if (const auto extra = cleanCaption(keywords).text; keywords_ && !extra.empty()) item.caption += ", " + extra;
        return true;
    }

    void readMetadata(const std::string& path) {
        const auto text = readFile(root_ / path, kMostMetadataBytes);
        if (!text) return problem(path, text.error().why);
        const bool csv = path.ends_with('v') || path.ends_with('V');
        auto read = csv ? readCsvCaptions(*text, repairUtf8(path)) : readJsonCaptions(*text, repairUtf8(path));
        content_.problems.insert(content_.problems.end(), read.problems.begin(), read.problems.end());
        for (const auto& row : read.rows) addRow(row, folderOf(path));
    }

    static constexpr std::size_t kNoPicture = std::size_t(-1);

    /// The picture that a row names, or kNoPicture.
    std::size_t findPicture(std::string file, const std::string& folder) {
        for (const bool windows : {false, true}) {
            if (windows) std::replace(file.begin(), file.end(), '\\', '/');
            const std::string path = (fs::path(folder) / file).lexically_normal().generic_string();
            if (const auto known = indexOf_.find(path); known != indexOf_.end()) return known->second;
            std::error_code error;
            if (fs::is_regular_file(root_ / path, error)) return addPicture(path);
        }
        return kNoPicture;
    }

    void addRow(const CaptionRow& row, const std::string& folder) {
        const fs::path asked = (fs::path(folder) / row.file).lexically_normal();
        const bool outside = !row.file.empty() && (asked.is_absolute() || asked.generic_string().starts_with(".."));
        if (outside) return problem(row.place, fmt::format("it names a picture outside the folder: {}; put the picture inside", repairUtf8(row.file)));
        const std::size_t index = row.file.empty() ? kNoPicture : findPicture(row.file, folder);
        const bool picture = index != kNoPicture;
        const std::string path = picture ? pictures_[index] : asked.generic_string();
        if (!row.file.empty() && !picture) problem(row.place, fmt::format("the picture {} is not there; the caption is kept without it", repairUtf8(row.file)));
        std::vector<Item> items;
        for (const auto& caption : row.captions) {
            Item item = itemFor(path);
            if (!setCaption(item, caption, row.keywords, row.place)) continue;
            items.push_back(std::move(item));
        }
        if (items.empty()) {
            problem(row.place, picture ? "the caption is empty; the picture is kept without it" : "the caption is empty and there is no picture: left out");
            if (!picture) return;
            items.push_back(itemFor(path));
        }
        for (auto& item : items) {
            const auto override = [](std::string& field, const std::string& value) {
                if (const auto clean = cleanCaption(value).text; !clean.empty()) field = clean;
            };
            override(item.category, row.category);
            override(item.subcategory, row.subcategory);
            override(item.domain, row.domain);
            override(item.license, row.license);
            if (!picture) item.source = row.place;
            (picture ? byPicture_[index] : textOnly_).push_back(std::move(item));
        }
    }

    void readText(const std::string& path) {
        const std::string stem = withoutExtension(path);
        std::vector<std::size_t> beside;
        for (auto [at, end] = byStem_.equal_range(stem); at != end; ++at) beside.push_back(at->second);
        const bool described = !beside.empty() && std::all_of(beside.begin(), beside.end(), [&](std::size_t i) { return !byPicture_[i].empty(); });
        if (described) return;  // metadata says more
        const auto text = readFile(root_ / path, kMostTextBytes);
        if (!text) return problem(path, text.error().why);
        Item item = itemFor(path);
        const bool usable = setCaption(item, *text, {}, path);
        if (!usable) return problem(path, beside.empty() ? "the caption is empty: left out" : "the caption is empty; the picture is kept without it");
        if (beside.empty()) return textOnly_.push_back(std::move(item));
        for (const std::size_t index : beside) {
            if (!byPicture_[index].empty()) continue;
            item.source = repairUtf8(pictures_[index]);
            byPicture_[index].push_back(item);
        }
    }

    const fs::path& root_;
    const std::string& name_;
    bool keywords_;
    const FolderScan& scan_;
    std::vector<std::string>& pictures_;
    std::unordered_map<std::string, std::size_t> indexOf_;
    std::multimap<std::string, std::size_t> byStem_;
    std::vector<std::vector<Item>> byPicture_;
    std::vector<Item> textOnly_;
    Content content_;
};

class FolderSource final : public Source {
public:
    FolderSource(fs::path root, std::string stem, bool keywords, FolderScan scan)
        : root_(std::move(root)), name_(repairUtf8(root_.filename().string())), stem_(std::move(stem)), keywords_(keywords), scan_(std::move(scan)) {}
    const std::string& name() const override { return name_; }
    const std::string& fileStem() const override { return stem_; }
    std::uint64_t fingerprint() const override { return scan_.fingerprint; }
    std::string place() const override { return root_.string(); }
    Result<Content> read(const JobContext& context) override {
        pictures_.clear();
        return Assembly(root_, name_, keywords_, scan_, pictures_).assemble(context);
    }
    Result<std::unique_ptr<PictureReader>> makeReader() const override { return std::make_unique<FolderReader>(root_, pictures_); }
    std::string picturePath(std::int64_t picture) const override { return repairUtf8(pictures_[static_cast<std::size_t>(picture)]); }

private:
    fs::path root_;
    std::string name_, stem_;
    bool keywords_;
    FolderScan scan_;
    std::vector<std::string> pictures_;
};

}  // namespace

Result<std::unique_ptr<Source>> openFolderSource(const fs::path& folder, std::string stem, bool keywords, const JobContext& context) {
    context.progress(0, 0, "Reading the folder");
    auto scan = scanFolder(folder, context);
    if (!scan) return tl::unexpected(scan.error());
    return std::make_unique<FolderSource>(folder, std::move(stem), keywords, std::move(*scan));
}

}  // namespace es::datasets
