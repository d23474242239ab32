// SPDX-License-Identifier: GPL-3.0-or-later
#include "datasets/objects/picture_tree.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <system_error>

#include "datasets/objects/looks.h"
#include "datasets/objects/svg.h"
#include "datasets/picture.h"
#include "engine/base/files.h"
#include "engine/base/hash.h"

namespace es::datasets {
namespace fs = std::filesystem;
namespace {

class DrawingReader final : public PictureReader {
public:
    DrawingReader(fs::path root, const std::vector<std::string>& files) : root_(std::move(root)), files_(files) {}
    tl::expected<ConvertedPicture, NoPicture> read(std::int64_t picture, std::int64_t size) override {
        const std::string& name = files_[static_cast<std::size_t>(picture)];
        const auto file = readFile(root_ / name, kMostFileBytes);
        if (!file) return tl::unexpected(NoPicture{file.error().why});
        const auto drawn = [&](std::int64_t side) { return name.ends_with(".svg") ? drawSvg(*file, side) : convertPicture(*file, side); };
        auto converted = drawn(size);
        if (!converted) return tl::unexpected(NoPicture{converted.error()});
        if (isUniform(*converted)) return tl::unexpected(NoPicture{"left out: it shows one colour all over", false});
        const auto seen = size == kLooksSide ? converted : drawn(kLooksSide);
        return ConvertedPicture{hash64(std::string_view(*file)) | 1, std::move(*converted), seen ? looksOf(*seen, kLooksSide) : 0};
    }

private:
    fs::path root_;
    const std::vector<std::string>& files_;
};

}  // namespace

Result<PictureTree> scanPictures(const fs::path& root, const std::vector<std::string>& extensions) {
    PictureTree tree;
    std::vector<std::string> lines;
    std::error_code error;
    for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
        std::error_code fileError;
        if (it->is_symlink(fileError) || !it->is_regular_file(fileError)) continue;
        if (std::find(extensions.begin(), extensions.end(), it->path().extension().string()) == extensions.end()) continue;
        std::string name = it->path().lexically_relative(root).generic_string();
        const auto seconds = std::chrono::floor<std::chrono::seconds>(std::chrono::file_clock::to_sys(it->last_write_time(fileError))).time_since_epoch();
        lines.push_back(fmt::format("{}\n{}\n{}", name, it->file_size(fileError), seconds.count()));
        tree.files.push_back(std::move(name));
    }
    if (error) return badInput("Cannot read the pictures", error.message(), "Check the folder's permissions, or reinstall its package", root.string());
    std::sort(tree.files.begin(), tree.files.end());
    std::sort(lines.begin(), lines.end());
    for (const auto& line : lines) tree.fingerprint = hash64(line, tree.fingerprint);
    return tree;
}

std::unique_ptr<PictureReader> makeDrawingReader(fs::path root, const std::vector<std::string>& files) {
    return std::make_unique<DrawingReader>(std::move(root), files);
}

}  // namespace es::datasets
